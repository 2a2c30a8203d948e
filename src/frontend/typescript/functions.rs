//! Functions, methods and closures: their parameters and bodies.

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, has_token, inner, statements_in};
use crate::ir::{
    Binding, ClassId, Decorator, ExprId, ExprKind, FieldDecl, Function, FunctionId, FunctionKind, LocalId, Param,
    Place, Stmt,
};
use crate::source::Span;

impl<'t> Lowering<'t> {
    pub(super) fn new_function(
        &mut self,
        name: &str,
        kind: FunctionKind,
        node: Node<'t>,
        name_span: Option<Span>,
    ) -> FunctionId {
        let span = self.span(node);
        let mut function = Function::new(name, kind, span);
        function.name_span = name_span.unwrap_or(Span { end: span.start, ..span });
        self.module.functions.push(function);
        FunctionId::of(self.module.functions.len() - 1)
    }

    pub(super) fn function_declaration(&mut self, node: Node<'t>) {
        if let Some(id) = self.functions.get(&node.id()).copied() {
            self.function_body(id, node);
        }
    }

    pub(super) fn stray_method(&mut self, node: Node<'t>) {
        let Some(name) = field(node, "name") else { return };
        let span = self.span(name);
        let id = self.new_function(self.slice(name), FunctionKind::Free, node, Some(span));
        self.function_body(id, node);
    }

    /// An arrow function, a function expression or a method of an object literal.
    pub(super) fn closure(&mut self, node: Node<'t>, label: Option<Node<'t>>) -> ExprId {
        let own = field(node, "name");
        let named = label.or(own);
        let name = match named {
            Some(name) => self.name_of(name),
            None => "<closure>".to_owned(),
        };
        let kind = if node.kind() == "method_definition" && has_token(node, "get") {
            FunctionKind::Getter
        } else {
            FunctionKind::Closure
        };
        let name_span = named.map(|name| self.span(name));
        let id = self.new_function(&name, kind, node, name_span);
        self.module.functions[id.at()].parent = Some(self.function);
        self.function_body(id, node);
        self.add(ExprKind::Closure(id), node)
    }

    /// The text of a name or of a constant key; a computed one as written.
    pub(super) fn name_of(&self, node: Node<'t>) -> String {
        match node.kind() {
            "string" => self.decoded(node),
            "computed_property_name" => match inner(node) {
                Some(inside) if inside.kind() == "string" => self.decoded(inside),
                _ => self.slice(node).to_owned(),
            },
            _ => self.slice(node).to_owned(),
        }
    }

    /// Lowers parameters and body into a function that exists already.
    pub(super) fn function_body(&mut self, id: FunctionId, node: Node<'t>) {
        let around = std::mem::replace(&mut self.function, id);
        let statements = std::mem::take(&mut self.out);
        let temporaries = std::mem::take(&mut self.temporaries);
        let handed = self.handed_object.take();
        let is_arrow = node.kind() == "arrow_function";
        self.module.functions[id.at()].binds_this = !is_arrow;
        let own = if is_arrow { self.own_object.clone() } else { handed };
        let own = std::mem::replace(&mut self.own_object, own);
        self.push_scope();
        self.declare_type_params(node);
        if matches!(node.kind(), "function_expression" | "generator_function")
            && let Some(name) = field(node, "name")
        {
            self.bind(self.slice(name), Binding::Function(id));
        }
        let params = self.params(node);
        self.assign_properties(id, node);
        self.module.functions[id.at()].params = params;
        self.module.functions[id.at()].returns = self.annotation(field(node, "return_type"));
        self.body(node);
        self.pop_scope();
        self.module.functions[id.at()].body = std::mem::replace(&mut self.out, statements);
        self.temporaries = temporaries;
        self.own_object = own;
        self.function = around;
    }

    fn body(&mut self, node: Node<'t>) {
        let Some(body) = field(node, "body") else { return };
        if body.kind() == "statement_block" {
            self.hoist_vars(body);
            self.statements(&statements_in(body));
        } else {
            let value = self.expr(body);
            self.out.push(Stmt::Return(Some(value)));
        }
    }

    fn params(&mut self, node: Node<'t>) -> Vec<Param> {
        if let Some(name) = field(node, "parameter") {
            let local = self.declare(name);
            return vec![Param {
                local,
                name: self.slice(name).to_owned(),
                ty: None,
                rest: false,
                optional: false,
                decorators: Vec::new(),
                span: self.span(name),
            }];
        }
        let Some(list) = field(node, "parameters") else { return Vec::new() };
        children(list).into_iter().filter_map(|param| self.param(param)).collect()
    }

    fn param(&mut self, node: Node<'t>) -> Option<Param> {
        let mut pattern = field(node, "pattern").or_else(|| field(node, "name"))?;
        if pattern.kind() == "this" {
            return None;
        }
        let rest = pattern.kind() == "rest_pattern";
        if rest {
            pattern = inner(pattern)?;
        }
        let ty = self.annotation(field(node, "type"));
        let span = self.span(pattern);
        let is_name = pattern.kind() == "identifier";
        let local = if is_name { self.declare(pattern) } else { self.temporary(span) };
        if rest || ty.as_ref().is_some_and(|ty| ty.name == "Array") {
            self.lists.insert(local);
        }
        self.module.locals[local.at()].ty.clone_from(&ty);
        let default = field(node, "value");
        if !is_name {
            self.declare_pattern(pattern);
        }
        if let Some(default) = default {
            let before = self.local_name(local, pattern);
            let value = self.or_default(before, pattern, default);
            self.assign(Place::Local(local), value, span);
        }
        if !is_name {
            let whole = self.local_name(local, pattern);
            self.destructure(pattern, whole, true);
        }
        Some(Param {
            local,
            name: self.module.locals[local.at()].name.clone(),
            ty,
            rest,
            optional: default.is_some() || node.kind() == "optional_parameter",
            decorators: self.decorators_of(node),
            span,
        })
    }

    fn local_name(&mut self, local: LocalId, node: Node<'t>) -> ExprId {
        self.add(ExprKind::Name(Binding::Local(local)), node)
    }

    /// `constructor(private readonly x: T)` starts with `this.x = x`.
    fn assign_properties(&mut self, id: FunctionId, node: Node<'t>) {
        if self.module.function(id).kind != FunctionKind::Constructor {
            return;
        }
        for name in parameter_properties(node) {
            let Binding::Local(local) = self.resolve(self.slice(name)) else { continue };
            let value = self.local_name(local, name);
            let base = self.add(ExprKind::This, name);
            let target = Place::Field { base, name: self.slice(name).to_owned(), name_span: self.span(name) };
            self.assign(target, value, self.span(name));
        }
    }

    /// The fields that a constructor's parameters declare.
    pub(super) fn property_fields(&mut self, constructor: Node<'t>, id: FunctionId, class: ClassId) {
        for name in parameter_properties(constructor) {
            let span = self.span(name);
            let Some(param) = self.module.function(id).params.iter().find(|param| param.span == span).cloned() else {
                continue;
            };
            self.module.classes[class.at()].fields.push(FieldDecl {
                name: param.name,
                ty: param.ty,
                init: None,
                is_static: false,
                optional: param.optional,
                decorators: param.decorators,
                span,
                type_span: span,
            });
        }
    }

    /// The decorators that are children of a node.
    pub(super) fn decorators_of(&mut self, node: Node<'t>) -> Vec<Decorator> {
        let found: Vec<Node<'t>> = children(node).into_iter().filter(|child| child.kind() == "decorator").collect();
        self.decorators(&found)
    }

    pub(super) fn decorators(&mut self, nodes: &[Node<'t>]) -> Vec<Decorator> {
        nodes.iter().filter_map(|node| self.decorator(*node)).collect()
    }

    fn decorator(&mut self, node: Node<'t>) -> Option<Decorator> {
        let mut what = inner(node)?;
        while what.kind() == "parenthesized_expression" {
            what = inner(what)?;
        }
        let callee = field(what, "function").unwrap_or(what);
        let name: String = self.slice(callee).split_whitespace().collect();
        let first = name.split('.').next().unwrap_or("");
        let binding = self.resolve(first);
        let args = match field(what, "arguments") {
            Some(arguments) => self.args(arguments).into_iter().map(|arg| arg.value).collect(),
            None => Vec::new(),
        };
        Some(Decorator { name, binding, args, span: self.span(node) })
    }
}

/// The names of a constructor's parameters that are declared as properties.
fn parameter_properties(constructor: Node<'_>) -> Vec<Node<'_>> {
    let Some(list) = field(constructor, "parameters") else { return Vec::new() };
    children(list)
        .into_iter()
        .filter(|param| {
            let modifiers = ["accessibility_modifier", "override_modifier"];
            has_token(*param, "readonly") || children(*param).iter().any(|part| modifiers.contains(&part.kind()))
        })
        .filter_map(|param| field(param, "pattern").filter(|pattern| pattern.kind() == "identifier"))
        .collect()
}
