//! Imports, exports and namespaces, of ES modules and of `CommonJS`.

use tree_sitter::Node;

use crate::frontend::typescript::scope::pattern_names;
use crate::frontend::typescript::{Lowering, children, field, has_token, inner, statements_in};
use crate::ir::{Binding, Entry, Export, ExprId, ExprKind, Imported, WHOLE};

impl<'t> Lowering<'t> {
    /// Imports are declared when their block is entered.
    pub(super) fn hoist_import(&mut self, node: Node<'t>) {
        let source = field(node, "source").map(|source| self.decoded(source));
        for child in children(node) {
            match (child.kind(), &source) {
                ("import_require_clause", _) => {
                    let (Some(name), Some(source)) = (inner(child), field(child, "source")) else { continue };
                    let module = self.decoded(source);
                    let span = self.span(name);
                    self.new_import(self.slice(name), module, Imported::Namespace, span);
                }
                ("import_clause", Some(module)) => self.import_clause(child, module),
                _ => {}
            }
        }
    }

    fn import_clause(&mut self, clause: Node<'t>, module: &str) {
        for child in children(clause) {
            match child.kind() {
                "identifier" => {
                    let span = self.span(child);
                    self.new_import(self.slice(child), module.to_owned(), Imported::Default, span);
                }
                "namespace_import" => {
                    let Some(name) = inner(child) else { continue };
                    let span = self.span(name);
                    self.new_import(self.slice(name), module.to_owned(), Imported::Namespace, span);
                }
                "named_imports" => {
                    for specifier in children(child) {
                        let Some(name) = field(specifier, "name") else { continue };
                        let what = self.imported(name);
                        let local = field(specifier, "alias").unwrap_or(name);
                        let span = self.span(specifier);
                        self.new_import(self.slice(local), module.to_owned(), what, span);
                    }
                }
                _ => {}
            }
        }
    }

    fn imported(&self, name: Node<'t>) -> Imported {
        let text = self.name_of(name);
        if text == "default" { Imported::Default } else { Imported::Named(text) }
    }

    fn export(&mut self, export: Export) {
        if self.namespaces == 0 {
            self.module.exports.push(export);
        }
    }

    pub(super) fn export_statement(&mut self, node: Node<'t>) {
        let decorators: Vec<Node<'t>> =
            children(node).into_iter().filter(|child| child.kind() == "decorator").collect();
        let is_default = has_token(node, "default") || has_token(node, "=");
        if let Some(declaration) = field(node, "declaration") {
            match declaration.kind() {
                "class_declaration" | "abstract_class_declaration" => self.class_declaration(declaration, &decorators),
                _ => self.statement(declaration),
            }
            for (name, binding) in self.declared(declaration) {
                let name = if is_default { "default".to_owned() } else { name };
                self.export(Export::Named { name, binding });
            }
            return;
        }
        if let Some(value) = field(node, "value").or_else(|| if is_default { inner(node) } else { None }) {
            let name = if has_token(node, "=") { WHOLE } else { "default" };
            self.export_value(name, value, &decorators);
            return;
        }
        let source = field(node, "source").map(|source| self.decoded(source));
        let clauses = children(node);
        for clause in &clauses {
            match clause.kind() {
                "export_clause" => self.export_clause(*clause, source.as_deref()),
                "namespace_export" => {
                    if let (Some(name), Some(module)) = (inner(*clause), source.clone()) {
                        let name = self.name_of(name);
                        self.export(Export::From { name, from: Imported::Namespace, module });
                    }
                }
                _ => {}
            }
        }
        if has_token(node, "*")
            && let Some(module) = source
        {
            self.export(Export::All { module });
        }
    }

    fn export_clause(&mut self, clause: Node<'t>, source: Option<&str>) {
        for specifier in children(clause) {
            let Some(own) = field(specifier, "name") else { continue };
            let name = self.name_of(field(specifier, "alias").unwrap_or(own));
            let export = if let Some(module) = source {
                Export::From { name, from: self.imported(own), module: module.to_owned() }
            } else {
                Export::Named { name, binding: self.resolve_any(self.slice(own)) }
            };
            self.export(export);
        }
    }

    /// `export default value` and `export = value`.
    fn export_value(&mut self, name: &str, value: Node<'t>, decorators: &[Node<'t>]) {
        let name = name.to_owned();
        if value.kind() == "class" {
            let id = self.anonymous_class(value, None, decorators);
            self.export(Export::Named { name, binding: Binding::Class(id) });
            return;
        }
        if value.kind() == "identifier" {
            let binding = self.resolve_any(self.slice(value));
            self.export(Export::Named { name, binding });
            return;
        }
        let id = self.expr(value);
        if let ExprKind::Closure(function) = self.kind(id) {
            let function = function.at();
            if self.module.functions[function].name == "<closure>" {
                "default".clone_into(&mut self.module.functions[function].name);
            }
        }
        // An exported value is evaluated where it stands.
        self.keep(id);
        self.export_of(name, id);
    }

    fn export_of(&mut self, name: String, value: ExprId) {
        let export = match self.kind(value) {
            ExprKind::Name(binding) => Export::Named { name, binding: binding.clone() },
            _ => Export::Value { name, value },
        };
        self.export(export);
    }

    /// What a declaration declares.
    fn declared(&self, node: Node<'t>) -> Vec<(String, Binding)> {
        let value = |name: Node<'t>| (self.slice(name).to_owned(), self.resolve(self.slice(name)));
        match node.kind() {
            "lexical_declaration" | "variable_declaration" => children(node)
                .into_iter()
                .filter_map(|declarator| field(declarator, "name"))
                .flat_map(pattern_names)
                .map(value)
                .collect(),
            "interface_declaration" | "type_alias_declaration" => field(node, "name")
                .map(|name| (self.slice(name).to_owned(), self.resolve_type(self.slice(name))))
                .into_iter()
                .collect(),
            "ambient_declaration" => children(node).into_iter().flat_map(|inside| self.declared(inside)).collect(),
            "import_alias" => inner(node).map(value).into_iter().collect(),
            "internal_module" | "module" => Vec::new(),
            _ => field(node, "name").map(value).into_iter().collect(),
        }
    }

    /// `module.exports = x`, `module.exports.x = y` and `exports.x = y`.
    pub(super) fn common_js_export(&mut self, left: Node<'t>, value: ExprId) {
        let (Some(object), Some(property)) = (field(left, "object"), field(left, "property")) else { return };
        let is_exports = self.is_global(object, "exports") || self.is_module_exports(object);
        if is_exports {
            let name = self.slice(property).to_owned();
            self.export_of(name, value);
        } else if self.is_module_exports(left) {
            if let ExprKind::Object(entries) = self.kind(self.literal_behind(value)).clone() {
                self.export_entries(entries, value);
            } else {
                self.export_of(WHOLE.to_owned(), value);
            }
        }
    }

    fn is_module_exports(&self, node: Node<'t>) -> bool {
        node.kind() == "member_expression"
            && field(node, "object").is_some_and(|object| self.is_global(object, "module"))
            && field(node, "property").is_some_and(|property| self.slice(property) == "exports")
    }

    fn export_entries(&mut self, entries: Vec<Entry>, whole: ExprId) {
        for entry in entries {
            match entry {
                Entry::Named { key, value, .. } => self.export_of(key, value),
                Entry::Computed { .. } => {}
                Entry::Spread(base) => match self.kind(base) {
                    ExprKind::Name(Binding::Import(import)) => {
                        let module = self.module.imports[import.at()].module.clone();
                        self.export(Export::All { module });
                    }
                    _ => self.export(Export::Value { name: WHOLE.to_owned(), value: whole }),
                },
            }
        }
    }

    /// `import A = B.C`.
    pub(super) fn import_alias(&mut self, node: Node<'t>) {
        let parts = children(node);
        let (Some(name), Some(path)) = (parts.first(), parts.get(1)) else { return };
        let Binding::Local(local) = self.resolve(self.slice(*name)) else { return };
        let mut segments = self.slice(*path).split('.').map(str::trim);
        let first = self.resolve(segments.next().unwrap_or(""));
        let mut value = self.add(ExprKind::Name(first), *path);
        for segment in segments {
            let name_span = self.span(*path);
            value = self.add(ExprKind::Field { base: value, name: segment.to_owned(), name_span }, *path);
        }
        self.assign(crate::ir::Place::Local(local), value, self.span(node));
    }

    pub(super) fn ambient_declaration(&mut self, node: Node<'t>) {
        for child in children(node) {
            match child.kind() {
                "statement_block" => self.namespace_body(child),
                "property_identifier" => {}
                kind if kind.ends_with("_type") || kind == "type_identifier" => {}
                // A declared variable has a type and no value.
                "lexical_declaration" | "variable_declaration" => self.declare_ambient(child),
                _ => self.statement(child),
            }
        }
    }

    fn declare_ambient(&mut self, node: Node<'t>) {
        for declarator in children(node) {
            let Some(name) = field(declarator, "name") else { continue };
            if let Binding::Local(local) = self.resolve(self.slice(name)) {
                let ty = self.annotation(field(declarator, "type"));
                self.module.locals[local.at()].ty = ty;
            }
        }
    }

    pub(super) fn namespace(&mut self, node: Node<'t>) {
        if let Some(body) = field(node, "body") {
            self.namespace_body(body);
        }
    }

    fn namespace_body(&mut self, body: Node<'t>) {
        self.namespaces += 1;
        self.scoped(&statements_in(body));
        self.namespaces -= 1;
    }
}
