//! Classes, interfaces, enums and type aliases.

use std::collections::BTreeSet;

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, has_token, inner, statements_in};
use crate::ir::{Binding, ClassId, ClassKind, ExprId, ExprKind, FieldDecl, FunctionId, FunctionKind, TypeRef};

impl<'t> Lowering<'t> {
    /// A class as a statement; `outer` are decorators that stand before `export`.
    pub(super) fn class_declaration(&mut self, node: Node<'t>, outer: &[Node<'t>]) {
        if let Some(id) = self.classes.get(&node.id()).copied() {
            self.class(id, node, outer);
        }
    }

    pub(super) fn class_expression(&mut self, node: Node<'t>, label: Option<Node<'t>>) -> ExprId {
        let id = self.anonymous_class(node, label, &[]);
        self.add(ExprKind::Name(Binding::Class(id)), node)
    }

    /// A class that is a value; its own name is known only inside of it.
    pub(super) fn anonymous_class(&mut self, node: Node<'t>, label: Option<Node<'t>>, outer: &[Node<'t>]) -> ClassId {
        let own = field(node, "name");
        let name = own.or(label).map_or_else(|| "<class>".to_owned(), |name| self.name_of(name));
        let name_span = self.span(own.or(label).unwrap_or(node));
        let id = self.new_class(&name, ClassKind::Class, node, name_span);
        self.push_scope();
        if let Some(own) = own {
            self.bind(self.slice(own), Binding::Class(id));
            self.bind_type(self.slice(own), Binding::Class(id));
        }
        self.class(id, node, outer);
        self.pop_scope();
        id
    }

    fn class(&mut self, id: ClassId, node: Node<'t>, outer: &[Node<'t>]) {
        let mut decorators = self.decorators(outer);
        decorators.extend(self.decorators_of(node));
        self.module.classes[id.at()].decorators = decorators;
        self.push_scope();
        self.module.classes[id.at()].type_params = self.declare_type_params(node);
        for heritage in children(node).into_iter().filter(|child| child.kind() == "class_heritage") {
            self.heritage(id, heritage);
        }
        if let Some(body) = field(node, "body") {
            let lists = self.list_fields(body);
            let outer = std::mem::replace(&mut self.list_fields, lists);
            self.members(id, body);
            self.list_fields = outer;
        }
        self.pop_scope();
    }

    /// Names of the fields that a class declares as arrays or starts with an array literal, there or in its constructor.
    fn list_fields(&self, body: Node<'t>) -> BTreeSet<&'t str> {
        let is_array = |value: Option<Node<'t>>| value.is_some_and(|value| value.kind() == "array");
        let mut names = BTreeSet::new();
        for member in children(body) {
            let Some(name) = field(member, "name") else { continue };
            if member.kind() == "public_field_definition" {
                let ty = field(member, "type").and_then(inner);
                let is_list = |ty: Node<'t>| {
                    ty.kind() == "array_type" || ty.kind() == "generic_type" && self.slice(ty).starts_with("Array<")
                };
                if ty.is_some_and(is_list) || is_array(field(member, "value")) {
                    names.insert(self.slice(name));
                }
            } else if self.slice(name) == "constructor" {
                let statements = field(member, "body").map(children).unwrap_or_default();
                let assigned = statements.into_iter().filter_map(inner).filter(|node| is_array(field(*node, "right")));
                let targets = assigned.filter_map(|node| field(node, "left"));
                let own = targets.filter(|left| field(*left, "object").is_some_and(|object| object.kind() == "this"));
                names.extend(own.filter_map(|left| field(left, "property")).map(|name| self.slice(name)));
            }
        }
        names
    }

    fn heritage(&mut self, id: ClassId, heritage: Node<'t>) {
        for clause in children(heritage) {
            if clause.kind() == "implements_clause" {
                let types: Vec<TypeRef> = children(clause).into_iter().map(|ty| self.ty(ty)).collect();
                self.module.classes[id.at()].implements.extend(types);
            } else if let Some(value) = field(clause, "value") {
                let type_args = field(clause, "type_arguments");
                if let Some(ty) = self.superclass(value, type_args) {
                    self.module.classes[id.at()].extends.push(ty);
                } else {
                    let call = self.expr(value);
                    self.module.classes[id.at()].extends_call = Some(call);
                }
            }
        }
    }

    /// `extends X` and `extends a.X` as types; `None` where the superclass is computed.
    fn superclass(&mut self, value: Node<'t>, type_args: Option<Node<'t>>) -> Option<TypeRef> {
        if !matches!(value.kind(), "identifier" | "member_expression") {
            return None;
        }
        let name: String = self.slice(value).split_whitespace().collect();
        let first = name.split('.').next().unwrap_or("");
        if !first.chars().all(|char| char.is_alphanumeric() || char == '_' || char == '$') {
            return None;
        }
        let binding = self.resolve(first);
        Some(TypeRef { name, binding, args: self.type_args(type_args), span: self.span(value) })
    }

    fn members(&mut self, id: ClassId, body: Node<'t>) {
        let mut pending = Vec::new();
        for member in statements_in(body) {
            match member.kind() {
                "decorator" => pending.push(member),
                "method_definition" | "method_signature" | "abstract_method_signature" => {
                    self.method(id, member, &std::mem::take(&mut pending));
                }
                "public_field_definition" | "property_signature" => {
                    self.field_decl(id, member, &std::mem::take(&mut pending));
                }
                "index_signature" => self.module.classes[id.at()].open = true,
                "class_static_block" => {
                    if let Some(block) = field(member, "body") {
                        self.statement(block);
                    }
                }
                "call_signature" | "construct_signature" | "export_statement" => {}
                // What is left of a member that could not be parsed.
                _ => self.statement(member),
            }
        }
    }

    fn method(&mut self, class: ClassId, node: Node<'t>, decorators: &[Node<'t>]) {
        let Some(name_node) = field(node, "name") else { return };
        let name = self.name_of(name_node);
        let is_static = has_token(node, "static");
        let kind = if node.kind() != "method_definition" {
            FunctionKind::Signature
        } else if name == "constructor" && !is_static {
            FunctionKind::Constructor
        } else if has_token(node, "get") {
            FunctionKind::Getter
        } else if has_token(node, "set") {
            FunctionKind::Setter
        } else {
            FunctionKind::Method
        };
        let name_span = self.span(name_node);
        let id = self.new_function(&name, kind, node, Some(name_span));
        let decorators = self.decorators(decorators);
        let parent = (self.function != FunctionId(0)).then_some(self.function);
        let function = &mut self.module.functions[id.at()];
        function.is_static = is_static;
        function.class = Some(class);
        function.parent = parent;
        function.decorators = decorators;
        self.module.classes[class.at()].methods.push(id);
        self.function_body(id, node);
        if kind == FunctionKind::Constructor {
            self.property_fields(node, id, class);
        }
    }

    fn field_decl(&mut self, class: ClassId, node: Node<'t>, outer: &[Node<'t>]) {
        let Some(name) = field(node, "name") else { return };
        let mut decorators = self.decorators(outer);
        decorators.extend(self.decorators_of(node));
        let ty = self.annotation(field(node, "type"));
        let init = field(node, "value").map(|value| self.expr_labelled(value, Some(name)));
        // `this` in an arrow function that initialises a field is the instance.
        if let Some(ExprKind::Closure(function)) = init.map(|init| self.kind(init)) {
            let function = function.at();
            self.module.functions[function].class = Some(class);
        }
        let decl = FieldDecl {
            name: self.name_of(name),
            ty,
            init,
            is_static: has_token(node, "static"),
            optional: has_token(node, "?"),
            decorators,
            span: self.span(name),
            type_span: self.span(field(node, "type").unwrap_or(name)),
        };
        self.module.classes[class.at()].fields.push(decl);
    }

    pub(super) fn enum_declaration(&mut self, node: Node<'t>) {
        let (Some(id), Some(body)) = (self.classes.get(&node.id()).copied(), field(node, "body")) else { return };
        let mut next = Some(0_i64);
        for member in statements_in(body) {
            let name = field(member, "name").unwrap_or(member);
            let init = if let Some(value) = field(member, "value") {
                let init = self.expr(value);
                next = match self.kind(init) {
                    ExprKind::Number(text) => text.parse::<i64>().ok().and_then(|number| number.checked_add(1)),
                    _ => None,
                };
                Some(init)
            } else if let Some(number) = next {
                next = number.checked_add(1);
                Some(self.add(ExprKind::Number(number.to_string()), name))
            } else {
                None
            };
            let decl = FieldDecl {
                name: self.name_of(name),
                ty: None,
                init,
                is_static: true,
                optional: false,
                decorators: Vec::new(),
                span: self.span(name),
                type_span: self.span(name),
            };
            self.module.classes[id.at()].fields.push(decl);
        }
    }

    pub(super) fn interface_declaration(&mut self, node: Node<'t>) {
        let Some(id) = self.classes.get(&node.id()).copied() else { return };
        self.push_scope();
        self.module.classes[id.at()].type_params = self.declare_type_params(node);
        for clause in children(node).into_iter().filter(|child| child.kind() == "extends_type_clause") {
            let types: Vec<TypeRef> = children(clause).into_iter().map(|ty| self.ty(ty)).collect();
            self.module.classes[id.at()].extends.extend(types);
        }
        if let Some(body) = field(node, "body") {
            self.members(id, body);
        }
        self.pop_scope();
    }

    /// `type X = Y`: an object type takes the name, anything else is an alias of it.
    pub(super) fn type_alias_declaration(&mut self, node: Node<'t>) {
        let (Some(id), Some(value)) = (self.classes.get(&node.id()).copied(), field(node, "value")) else { return };
        self.push_scope();
        self.module.classes[id.at()].type_params = self.declare_type_params(node);
        if matches!(value.kind(), "object_type" | "intersection_type") {
            self.module.classes[id.at()].kind = ClassKind::ObjectType;
            self.object_type(id, value);
        } else {
            let ty = self.ty(value);
            self.module.classes[id.at()].extends = vec![ty];
        }
        self.pop_scope();
    }

    /// Fills an object type from `{ .. }` or from the members of an intersection, whose others it extends.
    pub(super) fn object_type(&mut self, id: ClassId, node: Node<'t>) {
        let mut open = vec![node];
        while let Some(part) = open.pop() {
            match part.kind() {
                "object_type" => self.members(id, part),
                "intersection_type" => open.extend(children(part).into_iter().rev()),
                "parenthesized_type" => open.extend(inner(part)),
                _ => {
                    let ty = self.ty(part);
                    self.module.classes[id.at()].extends.push(ty);
                }
            }
        }
    }
}
