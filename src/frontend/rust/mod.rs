//! Lowers Rust, read by syn, to the language-neutral program.
//!
//! Input: a file of [`Language::Rust`](crate::source::Language::Rust). Output: its [`Module`].
//!
//! Invariants: what only borrows, copies, wraps or unwraps a value (`&`, `*`, `?`, `.await`, `.clone()`, `Some(x)`, `Ok(x)`,
//! `Arc::new(x)`, `.to_string()`, `.unwrap()`) is the value; `None` is undefined and `Some(None)` null; every item is exported, those of an inline
//! module `m` as `m::item`, because what is private matters to the compiler alone; paths stand in imports as they are
//! written from the crate's root, and the graph finds their files. A text that could overflow the parser's stack is a gap.
//!
//! Worked example: `device.token = Some(mint()?); device.save(conn).await?` becomes
//! ```text
//! device.token = (call mint)
//! (call device.save conn)
//! ```

mod attributes;
mod branches;
mod calls;
mod derives;
mod expand;
mod expressions;
mod functions;
mod items;
mod macros;
mod methods;
mod paths;
mod patterns;
mod places;
mod scan;
mod spans;
mod statements;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::frontend::rust::expand::Arms;
use crate::frontend::rust::paths::Scope;
pub(crate) use crate::frontend::rust::scan::macro_definitions;
use crate::ir::{
    ClassId, Decorator, ExprId, ExprKind, FunctionId, ImportId, Imported, Local, LocalId, Module, Place, Stmt,
};
use crate::source::{FileId, Gap, Macros, SourceFile, Span};

/// How deep expressions, statements, patterns and types may nest, together.
const DEPTH_LIMIT: usize = 200;

/// Lowers a file. One that syn rejects is a gap with the line and the reason.
pub(crate) fn lower(id: FileId, file: &SourceFile, macros: &Macros) -> Module {
    let refused = |line: u32, why: String| {
        let mut module = Module::new(id);
        module.gaps.push(Gap { path: file.path.clone(), line, why });
        module
    };
    if u32::try_from(file.text.len()).is_err() {
        return refused(1, "too large to parse".to_owned());
    }
    if let Some(at) = scan::too_deep(&file.text) {
        return refused(file.line(at), "nested too deeply".to_owned());
    }
    let skipped = unparsed_start(&file.text);
    let module = match syn::parse_str::<syn::File>(file.text.get(skipped..).unwrap_or("")) {
        Ok(tree) => Lowering::new(id, file, skipped, macros).file(&tree),
        Err(error) => {
            let at = u32::try_from(error.span().byte_range().start + skipped).unwrap_or(0);
            refused(file.line(at), format!("could not be parsed: {error}"))
        }
    };
    // The parser keeps the source map of every file of the thread until it is told that no span is used any more.
    proc_macro2::extra::invalidate_current_thread_spans();
    module
}

/// A byte order mark and a `#!` line.
fn unparsed_start(text: &str) -> usize {
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let rest = text.get(mark..).unwrap_or("");
    if rest.starts_with("#!") && !rest.get(2..).unwrap_or("").trim_start().starts_with('[') {
        return mark + rest.find('\n').unwrap_or(rest.len());
    }
    mark
}

struct Lowering<'t> {
    source: &'t SourceFile,
    /// Where the parsed text starts in the file.
    base: usize,
    module: Module,
    /// Innermost last.
    scopes: Vec<Scope>,
    /// The scopes of inline modules, by path (`a::b`), while they are not on the stack.
    inline: BTreeMap<String, Scope>,
    /// The inline module around.
    at: Vec<String>,
    function: FunctionId,
    /// What `Self` is.
    this: Option<ClassId>,
    /// The statement list being filled.
    out: Vec<Stmt>,
    depth: usize,
    temporaries: u32,
    /// Variables that start as a list, or as a text, which is written out: what is pushed to them is known.
    lists: BTreeSet<LocalId>,
    texts: BTreeSet<LocalId>,
    /// How many items for tests are around.
    tests: usize,
    /// What hoisting made of an item, by its address.
    functions: FxHashMap<usize, FunctionId>,
    classes: FxHashMap<usize, ClassId>,
    /// Classes that stand for types of other files which this file implements something for.
    extensions: BTreeMap<String, ClassId>,
    /// Whether names that nothing in the file declares may come from `use x::*`.
    has_globs: bool,
    imported: BTreeMap<(String, String), ImportId>,
    /// What stands in the braces of macros among the items, by the macro's address.
    expanded: FxHashMap<usize, Rc<syn::File>>,
    /// The macros of the tree, and those that this file called.
    macros: &'t Macros,
    arms: FxHashMap<String, Option<Rc<Arms>>>,
    /// How many more tokens macros may make.
    budget: usize,
}

impl<'t> Lowering<'t> {
    fn new(id: FileId, source: &'t SourceFile, base: usize, macros: &'t Macros) -> Self {
        Self {
            source,
            base,
            module: Module::new(id),
            scopes: Vec::new(),
            inline: BTreeMap::new(),
            at: Vec::new(),
            function: FunctionId(0),
            this: None,
            out: Vec::new(),
            depth: 0,
            temporaries: 0,
            lists: BTreeSet::new(),
            texts: BTreeSet::new(),
            tests: 0,
            functions: FxHashMap::default(),
            classes: FxHashMap::default(),
            extensions: BTreeMap::new(),
            has_globs: false,
            imported: BTreeMap::new(),
            expanded: FxHashMap::default(),
            macros,
            arms: FxHashMap::default(),
            budget: expand::MOST_TOKENS,
        }
    }

    fn file(mut self, tree: &syn::File) -> Module {
        self.module.lends = true;
        let end = u32::try_from(self.source.text.len()).unwrap_or(u32::MAX);
        self.module.functions[0].span = Span { file: self.module.file, start: 0, end };
        self.scopes.push(Scope::default());
        self.hoist(&tree.items);
        self.items(&tree.items);
        self.module.functions[0].body = std::mem::take(&mut self.out);
        self.module.gaps.sort();
        self.module.gaps.dedup();
        self.module.gaps.truncate(20);
        self.module
    }

    fn add(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.module.add(kind, span)
    }

    fn opaque(&mut self, why: &'static str, operands: Vec<ExprId>, span: Span) -> ExprId {
        self.add(ExprKind::Opaque { why, operands }, span)
    }

    fn span_of(&self, id: ExprId) -> Span {
        self.module.expr(id).span
    }

    fn kind(&self, id: ExprId) -> &ExprKind {
        &self.module.expr(id).kind
    }

    fn local(&mut self, name: String, span: Span) -> LocalId {
        self.module.locals.push(Local { name, function: self.function, ty: None, span });
        LocalId::of(self.module.locals.len() - 1)
    }

    /// A local without a name, that nothing in the source can mean.
    fn temporary(&mut self, span: Span) -> LocalId {
        let name = format!("%{}", self.temporaries);
        self.temporaries += 1;
        self.local(name, span)
    }

    fn assign(&mut self, local: LocalId, value: ExprId, span: Span) {
        self.out.push(Stmt::Assign { target: Place::Local(local), value, span });
    }

    fn name(&mut self, local: LocalId, span: Span) -> ExprId {
        self.add(ExprKind::Name(crate::ir::Binding::Local(local)), span)
    }

    /// The expression itself if it can be evaluated twice, else a temporary that holds it.
    fn stable(&mut self, id: ExprId) -> ExprId {
        let mut at = id;
        loop {
            match self.kind(at) {
                ExprKind::Field { base, .. } => at = *base,
                ExprKind::Name(_) | ExprKind::Text(_) | ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Null => {
                    return id;
                }
                _ => break,
            }
        }
        let span = self.span_of(id);
        let local = self.temporary(span);
        self.assign(local, id, span);
        self.name(local, span)
    }

    fn field(&mut self, base: ExprId, name: String, name_span: Span) -> ExprId {
        let span = Span { start: self.span_of(base).start.min(name_span.start), ..name_span };
        self.add(ExprKind::Field { base, name, name_span }, span)
    }

    /// The statements that `lower` leaves, apart from those of the current list.
    fn capture(&mut self, lower: impl FnOnce(&mut Self)) -> Vec<Stmt> {
        let around = std::mem::take(&mut self.out);
        lower(self);
        std::mem::replace(&mut self.out, around)
    }

    /// Runs `lower` one level deeper; `None`, and a gap, where that is too deep.
    fn deeper<R>(&mut self, span: Span, lower: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if self.depth >= DEPTH_LIMIT {
            self.gap(span, "nested too deeply");
            return None;
        }
        self.depth += 1;
        let result = lower(self);
        self.depth -= 1;
        Some(result)
    }

    fn gap(&mut self, span: Span, why: &str) {
        let line = self.source.line(span.start);
        self.module.gaps.push(Gap { path: self.source.path.clone(), line, why: why.to_owned() });
    }

    /// An import that no `use` declares: a path written out where it is used.
    fn import(&mut self, module: String, what: Imported, span: Span) -> ImportId {
        let key = match &what {
            Imported::Named(name) => (module.clone(), name.clone()),
            Imported::Default | Imported::Namespace => (module.clone(), String::new()),
        };
        if let Some(known) = self.imported.get(&key) {
            return *known;
        }
        self.module.imports.push(crate::ir::Import { local: String::new(), module, what, span });
        let id = ImportId::of(self.module.imports.len() - 1);
        self.imported.insert(key, id);
        id
    }
}

/// One decorator a name: attributes may say in several what one could say.
type Decorators = Vec<Decorator>;
