//! Lowers TypeScript and JavaScript, read by tree-sitter, to the language-neutral program.
//!
//! Input: a file of [`Language::TypeScript`] or [`Language::Tsx`]. Output: its [`Module`].
//!
//! Invariants: names are resolved by lexical scope before they are used, hoisted ones included; an expression that
//! assigns, or that some operand of it assigns in, leaves the assignment in the statement list before it, under an `if`
//! where it runs conditionally; an expression that is used twice is a name or a path, never a call; nesting beyond
//! [`DEPTH_LIMIT`] is cut to `Opaque("nested too deeply")`, so that the stack of a worker thread suffices.
//!
//! Worked example: `const user = cache[id] ?? (misses++, await load(id))` becomes
//! ```text
//! %0 = cache[id]
//! if (== %0 null)
//!   misses = (opaque "arithmetic" misses)
//! user = (?? %0 (call load id))
//! ```

mod assignments;
mod builtins;
mod calls;
mod classes;
mod expressions;
mod functions;
mod literals;
mod loops;
mod modules;
mod patterns;
mod repair;
mod scope;
mod shapes;
mod statements;
#[cfg(test)]
mod tests;
mod text;
mod types;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use tree_sitter::{Node, Parser, Tree};

use crate::ir::{ClassId, ExprId, ExprKind, FunctionId, LocalId, Module, Stmt};
use crate::source::{FileId, Gap, Language, SourceFile, Span};

/// How deep expressions, statements, patterns and types may nest, together.
const DEPTH_LIMIT: usize = 200;

/// How many gaps of one file are told one by one.
const GAP_LIMIT: usize = 20;

/// Lowers a file. What the parser could not read is a gap, and the rest is lowered.
pub(crate) fn lower(id: FileId, file: &SourceFile) -> Module {
    let whole = |why: &str| Gap { path: file.path.clone(), line: 1, why: why.to_owned() };
    if u32::try_from(file.text.len()).is_err() {
        let mut module = Module::new(id);
        module.gaps.push(whole("too large to parse"));
        return module;
    }
    let Some(tree) = parse(file.language, &file.text, None) else {
        let mut module = Module::new(id);
        module.gaps.push(whole("could not be parsed"));
        return module;
    };
    let mut parsed = (Cow::Borrowed(file.text.as_str()), tree);
    for mend in [repair::part_assertions, repair::repair] {
        if let Some((text, tree)) = mend(file.language, &parsed.0, &parsed.1) {
            parsed = (Cow::Owned(text), tree);
        }
    }
    Lowering::new(id, file, &parsed.0).program(parsed.1.root_node())
}

/// Parses with the grammar of the language, with what is the same in the tree of an earlier text; parsers are kept a thread.
fn parse(language: Language, text: &str, earlier: Option<&Tree>) -> Option<Tree> {
    thread_local! {
        static TYPESCRIPT: RefCell<Option<Parser>> = const { RefCell::new(None) };
        static TSX: RefCell<Option<Parser>> = const { RefCell::new(None) };
    }
    let (slot, grammar) = match language {
        Language::TypeScript => (&TYPESCRIPT, tree_sitter_typescript::LANGUAGE_TYPESCRIPT),
        _ => (&TSX, tree_sitter_typescript::LANGUAGE_TSX),
    };
    slot.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut parser = Parser::new();
            parser.set_language(&grammar.into()).ok()?;
            *slot = Some(parser);
        }
        slot.as_mut()?.parse(text, earlier)
    })
}

/// The keywords and the punctuation that an error starts with, without quotation marks: at most six.
fn grammar_tokens(node: Node<'_>) -> String {
    let mut tokens: Vec<&str> = Vec::new();
    let mut open = vec![node];
    while let Some(token) = open.pop() {
        if token.child_count() > 0 {
            open.extend((0..token.child_count()).rev().filter_map(|at| token.child(at)));
        } else if token.is_named() || token.is_error() || token.kind().contains(['\'', '"', '`']) || tokens.len() == 6 {
            break;
        } else {
            tokens.push(token.kind().trim());
        }
    }
    tokens.join(" ")
}

/// The state of lowering one file.
struct Lowering<'t> {
    /// The text that was parsed: the file's, or the repaired one with the same offsets.
    text: &'t str,
    source: &'t SourceFile,
    module: Module,
    scopes: Vec<scope::Scope<'t>>,
    /// The function whose body is being lowered.
    function: FunctionId,
    /// The statement list being filled.
    out: Vec<Stmt>,
    depth: usize,
    /// How many locals without a name the current function has.
    temporaries: u32,
    /// What hoisting made of a declaration, by the node's id.
    functions: FxHashMap<usize, FunctionId>,
    classes: FxHashMap<usize, ClassId>,
    /// Locals that hold an array literal or are declared as arrays.
    lists: BTreeSet<LocalId>,
    /// The same of the fields of the class around.
    list_fields: BTreeSet<&'t str>,
    /// The object literal whose method is being lowered: `this` in it.
    own_object: Option<literals::OwnObject>,
    /// The same, for the next function that is no arrow.
    handed_object: Option<literals::OwnObject>,
    /// How many namespace bodies are around; what they export is not the module's.
    namespaces: usize,
}

impl<'t> Lowering<'t> {
    fn new(id: FileId, source: &'t SourceFile, text: &'t str) -> Self {
        Self {
            text,
            source,
            module: Module::new(id),
            scopes: Vec::new(),
            function: FunctionId(0),
            out: Vec::new(),
            depth: 0,
            temporaries: 0,
            functions: FxHashMap::default(),
            classes: FxHashMap::default(),
            lists: BTreeSet::new(),
            list_fields: BTreeSet::new(),
            own_object: None,
            handed_object: None,
            namespaces: 0,
        }
    }

    fn program(mut self, root: Node<'t>) -> Module {
        let span = self.span(root);
        self.module.functions[0].span = Span { start: 0, ..span };
        if root.has_error() {
            self.report_errors(root);
        }
        self.push_scope();
        let statements = statements_in(root);
        self.hoist_vars(root);
        self.statements(&statements);
        self.module.functions[0].body = std::mem::take(&mut self.out);
        self.module.gaps.sort();
        self.module.gaps.dedup();
        let gaps = &mut self.module.gaps;
        if let Some(more) = gaps.len().checked_sub(GAP_LIMIT).filter(|more| *more > 0) {
            gaps.truncate(GAP_LIMIT);
            let why = format!("{more} more places in this file could not be read");
            gaps.push(Gap { path: self.source.path.clone(), line: 1, why });
            gaps.sort();
        }
        self.module
    }

    /// A gap for every place where the parser had to skip or to invent something.
    fn report_errors(&mut self, root: Node<'t>) {
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            if node.is_error() || node.is_missing() {
                // Where a quoted text ends is unknown, so what looks like a name may be a secret: only what the grammar itself
                // writes is quoted.
                let near = grammar_tokens(node);
                let why = "could not be parsed";
                let near = if near.is_empty() { why.to_owned() } else { format!("{why} near `{near}`") };
                self.gap(node, near);
            } else if node.has_error() {
                let mut cursor = node.walk();
                open.extend(node.children(&mut cursor));
            }
        }
    }

    fn gap(&mut self, node: Node<'t>, why: String) {
        let line = self.source.line(self.span(node).start);
        self.module.gaps.push(Gap { path: self.source.path.clone(), line, why });
    }

    fn span(&self, node: Node<'_>) -> Span {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.module.file, start: offset(node.start_byte()), end: offset(node.end_byte()) }
    }

    fn slice(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or("")
    }

    fn add(&mut self, kind: ExprKind, node: Node<'_>) -> ExprId {
        let span = self.span(node);
        self.module.add(kind, span)
    }

    fn opaque(&mut self, why: &'static str, operands: Vec<ExprId>, node: Node<'_>) -> ExprId {
        self.add(ExprKind::Opaque { why, operands }, node)
    }

    fn kind(&self, id: ExprId) -> &ExprKind {
        &self.module.exprs[id.at()].kind
    }

    /// The statements that `lower` leaves, apart from those of the current list.
    fn capture(&mut self, lower: impl FnOnce(&mut Self)) -> Vec<Stmt> {
        let around = std::mem::take(&mut self.out);
        lower(self);
        std::mem::replace(&mut self.out, around)
    }

    /// Runs `lower` one level deeper; `None`, and a gap, where that is too deep.
    fn deeper<R>(&mut self, node: Node<'t>, lower: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if self.depth >= DEPTH_LIMIT {
            self.gap(node, "nested too deeply".to_owned());
            return None;
        }
        self.depth += 1;
        let result = lower(self);
        self.depth -= 1;
        Some(result)
    }
}

fn is_comment(node: Node<'_>) -> bool {
    matches!(node.kind(), "comment" | "html_comment")
}

/// The named children without comments.
fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !is_comment(*child)).collect()
}

/// The first named child that is no comment.
fn inner(node: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).find(|child| !is_comment(*child))
}

fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    node.child_by_field_name(name)
}

/// Whether a keyword or a punctuation mark stands directly under the node.
fn has_token(node: Node<'_>, token: &str) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor).any(|child| !child.is_named() && child.kind() == token)
}

/// The children of a block; what the parser wrapped into an error stands in its place.
fn statements_in(node: Node<'_>) -> Vec<Node<'_>> {
    let mut open: Vec<Node<'_>> = children(node);
    open.reverse();
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        if node.is_error() {
            open.extend(children(node).into_iter().rev());
        } else {
            found.push(node);
        }
    }
    found
}
