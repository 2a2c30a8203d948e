//! Which declaration a name stands for.

use rustc_hash::FxHashMap;
use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, has_token, inner, statements_in};
use crate::ir::{
    Binding, Class, ClassId, ClassKind, ExprId, ExprKind, FunctionId, FunctionKind, Import, ImportId, Imported, Local,
    LocalId, Place, Stmt,
};
use crate::source::Span;

/// The names that a block declares. Values and types are separate name spaces; classes, enums and imports are in both.
#[derive(Default)]
pub(super) struct Scope<'t> {
    values: FxHashMap<&'t str, Binding>,
    types: FxHashMap<&'t str, Binding>,
}

impl<'t> Lowering<'t> {
    pub(super) fn push_scope(&mut self) {
        self.scopes.push(Scope::default());
    }

    pub(super) fn pop_scope(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn resolve(&self, name: &str) -> Binding {
        let found = self.scopes.iter().rev().find_map(|scope| scope.values.get(name));
        found.cloned().unwrap_or_else(|| Binding::Global(name.to_owned()))
    }

    pub(super) fn resolve_type(&self, name: &str) -> Binding {
        let found = self.scopes.iter().rev().find_map(|scope| scope.types.get(name));
        found.cloned().unwrap_or_else(|| Binding::Global(name.to_owned()))
    }

    /// A value of that name or, where there is none, a type.
    pub(super) fn resolve_any(&self, name: &str) -> Binding {
        match self.resolve(name) {
            Binding::Global(_) => self.resolve_type(name),
            found => found,
        }
    }

    /// Whether the node is the name of a global, declared nowhere in the file.
    pub(super) fn is_global(&self, node: Node<'t>, name: &str) -> bool {
        node.kind() == "identifier"
            && self.slice(node) == name
            && !self.scopes.iter().any(|scope| scope.values.contains_key(name))
    }

    pub(super) fn bind(&mut self, name: &'t str, binding: Binding) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.values.insert(name, binding);
        }
    }

    pub(super) fn bind_type(&mut self, name: &'t str, binding: Binding) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.types.insert(name, binding);
        }
    }

    fn new_local(&mut self, name: String, span: Span) -> LocalId {
        self.module.locals.push(Local { name, function: self.function, ty: None, span });
        LocalId::of(self.module.locals.len() - 1)
    }

    /// Declares a variable in the innermost scope; a second `var` of one name is the same variable.
    pub(super) fn declare(&mut self, name: Node<'t>) -> LocalId {
        let text = self.slice(name);
        if let Some(Binding::Local(id)) = self.scopes.last().and_then(|scope| scope.values.get(text)) {
            return *id;
        }
        let id = self.new_local(text.to_owned(), self.span(name));
        self.bind(text, Binding::Local(id));
        id
    }

    /// Declares every name of a pattern.
    pub(super) fn declare_pattern(&mut self, pattern: Node<'t>) {
        for name in pattern_names(pattern) {
            self.declare(name);
        }
    }

    /// A local without a name, that nothing in the source can mean.
    pub(super) fn temporary(&mut self, span: Span) -> LocalId {
        let name = format!("%{}", self.temporaries);
        self.temporaries += 1;
        self.new_local(name, span)
    }

    /// The expression itself if it can be evaluated twice, else a temporary that holds it.
    pub(super) fn stable(&mut self, id: ExprId) -> ExprId {
        if self.is_path(id) {
            return id;
        }
        let span = self.module.expr(id).span;
        let local = self.temporary(span);
        if matches!(self.kind(id), ExprKind::Array(_)) {
            self.lists.insert(local);
        }
        self.out.push(Stmt::Assign { target: Place::Local(local), value: id, span });
        self.module.add(ExprKind::Name(Binding::Local(local)), span)
    }

    /// Whether evaluating the expression does nothing but read: a name, a member of one, a constant.
    pub(super) fn is_path(&self, mut id: ExprId) -> bool {
        loop {
            match self.kind(id) {
                ExprKind::Field { base, .. } => id = *base,
                ExprKind::Name(_)
                | ExprKind::This
                | ExprKind::Text(_)
                | ExprKind::Number(_)
                | ExprKind::Bool(_)
                | ExprKind::Null
                | ExprKind::Undefined => return true,
                _ => return false,
            }
        }
    }

    /// Declares what the statements of a block declare, before any of them is lowered.
    pub(super) fn hoist(&mut self, statements: &[Node<'t>]) {
        for node in statements {
            self.hoist_one(*node);
        }
    }

    fn hoist_one(&mut self, node: Node<'t>) {
        match node.kind() {
            "export_statement" => {
                if let Some(declaration) = field(node, "declaration") {
                    self.hoist_one(declaration);
                }
            }
            "ambient_declaration" => {
                for child in children(node) {
                    if child.kind() != "statement_block" {
                        self.hoist_one(child);
                    }
                }
            }
            "lexical_declaration" => self.hoist_declarators(node),
            "function_declaration" | "generator_function_declaration" | "function_signature" => {
                self.hoist_function(node);
            }
            "class_declaration" | "abstract_class_declaration" => {
                self.hoist_class(node, ClassKind::Class);
            }
            "enum_declaration" => self.hoist_class(node, ClassKind::Enum),
            "interface_declaration" => self.hoist_class(node, ClassKind::Interface),
            "type_alias_declaration" => self.hoist_class(node, ClassKind::Alias),
            "import_statement" => self.hoist_import(node),
            "import_alias" => {
                if let Some(name) = inner(node) {
                    self.declare(name);
                }
            }
            _ => {}
        }
    }

    fn hoist_declarators(&mut self, node: Node<'t>) {
        for declarator in children(node) {
            let Some(name) = field(declarator, "name") else { continue };
            let module = field(declarator, "value").and_then(|value| self.required_module(value));
            if module.is_some_and(|module| self.hoist_require(name, module)) {
                continue;
            }
            self.declare_pattern(name);
        }
    }

    fn hoist_function(&mut self, node: Node<'t>) {
        let Some(name) = field(node, "name") else { return };
        let is_signature = node.kind() == "function_signature";
        let kind = if is_signature { FunctionKind::Signature } else { FunctionKind::Free };
        let text = self.slice(name);
        let id = self.new_function(text, kind, node, Some(self.span(name)));
        if self.function != FunctionId(0) {
            self.module.functions[id.at()].parent = Some(self.function);
        }
        self.functions.insert(node.id(), id);
        // Overload signatures come first, and the implementation takes the name.
        let is_bound = self.scopes.last().is_some_and(|scope| scope.values.contains_key(text));
        if !(is_signature && is_bound) {
            self.bind(text, Binding::Function(id));
        }
    }

    fn hoist_class(&mut self, node: Node<'t>, kind: ClassKind) {
        let Some(name) = field(node, "name") else { return };
        let text = self.slice(name);
        let known = match self.scopes.last().and_then(|scope| scope.types.get(text)) {
            Some(Binding::Class(id)) => Some(*id),
            _ => None,
        };
        // Interfaces of one name are one interface; beside a class of that name they only add to its type.
        if let Some(id) = known
            && kind == ClassKind::Interface
            && self.module.class(id).kind == ClassKind::Interface
        {
            self.classes.insert(node.id(), id);
            return;
        }
        let id = self.new_class(text, kind, node, self.span(name));
        self.classes.insert(node.id(), id);
        let is_value = matches!(kind, ClassKind::Class | ClassKind::Enum);
        if is_value {
            self.bind(text, Binding::Class(id));
        }
        if is_value || known.is_none() {
            self.bind_type(text, Binding::Class(id));
        }
    }

    pub(super) fn new_class(&mut self, name: &str, kind: ClassKind, node: Node<'t>, name_span: Span) -> ClassId {
        let span = self.span(node);
        self.module.classes.push(Class {
            name: name.to_owned(),
            kind,
            span,
            name_span,
            type_params: Vec::new(),
            extends: Vec::new(),
            extends_call: None,
            implements: Vec::new(),
            decorators: Vec::new(),
            fields: Vec::new(),
            methods: Vec::new(),
            open: false,
        });
        ClassId::of(self.module.classes.len() - 1)
    }

    /// Adds an import; a `local` that is not empty is declared in both name spaces.
    pub(super) fn new_import(&mut self, local: &'t str, module: String, what: Imported, span: Span) -> ImportId {
        self.module.imports.push(Import { local: local.to_owned(), module, what, span });
        let id = ImportId::of(self.module.imports.len() - 1);
        if !local.is_empty() {
            self.bind(local, Binding::Import(id));
            self.bind_type(local, Binding::Import(id));
        }
        id
    }

    /// Declares the `var` variables of a function or module body in the innermost scope, however deep in blocks they are.
    pub(super) fn hoist_vars(&mut self, body: Node<'t>) {
        let bytes = self.slice(body).as_bytes();
        if memchr::memmem::find(bytes, b"var").is_none() {
            return;
        }
        let mut open = vec![body];
        while let Some(node) = open.pop() {
            match node.kind() {
                "variable_declaration" => self.hoist_declarators(node),
                "for_in_statement" => {
                    if has_token(node, "var")
                        && let Some(left) = field(node, "left")
                    {
                        self.declare_pattern(left);
                    }
                    open.extend(field(node, "body"));
                }
                "program"
                | "statement_block"
                | "if_statement"
                | "else_clause"
                | "for_statement"
                | "while_statement"
                | "do_statement"
                | "try_statement"
                | "catch_clause"
                | "finally_clause"
                | "switch_statement"
                | "switch_body"
                | "switch_case"
                | "switch_default"
                | "labeled_statement"
                | "with_statement"
                | "export_statement"
                | "ambient_declaration" => open.extend(statements_in(node).into_iter().rev()),
                _ => {}
            }
        }
    }
}

/// The identifiers that a pattern binds, in source order.
pub(super) fn pattern_names(pattern: Node<'_>) -> Vec<Node<'_>> {
    let mut names = Vec::new();
    let mut open = vec![pattern];
    while let Some(node) = open.pop() {
        match node.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => names.push(node),
            "object_pattern" | "array_pattern" | "rest_pattern" => open.extend(children(node).into_iter().rev()),
            "pair_pattern" => open.extend(field(node, "value")),
            "object_assignment_pattern" | "assignment_pattern" => open.extend(field(node, "left")),
            _ => {}
        }
    }
    names
}
