//! Type annotations, reduced to what resolves receivers.

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, inner};
use crate::ir::{Binding, ClassKind, Imported, TypeRef};

/// Wrappers that are as good as what they wrap.
const TRANSPARENT: [&str; 4] = ["Promise", "PromiseLike", "Readonly", "NonNullable"];

impl<'t> Lowering<'t> {
    /// The type in a type annotation.
    pub(super) fn annotation(&mut self, node: Option<Node<'t>>) -> Option<TypeRef> {
        let node = node?;
        match node.kind() {
            "type_annotation" => inner(node).map(|ty| self.ty(ty)),
            "type_predicate_annotation" => Some(self.global("boolean", node)),
            "asserts_annotation" => Some(self.global("void", node)),
            _ => Some(self.ty(node)),
        }
    }

    pub(super) fn type_args(&mut self, node: Option<Node<'t>>) -> Vec<TypeRef> {
        node.map(|node| children(node).into_iter().map(|ty| self.ty(ty)).collect()).unwrap_or_default()
    }

    /// Declares the type parameters of a function or class, so that they do not mean something declared outside.
    pub(super) fn declare_type_params(&mut self, node: Node<'t>) -> Vec<String> {
        let Some(list) = field(node, "type_parameters") else { return Vec::new() };
        let mut names = Vec::new();
        for param in children(list) {
            let Some(name) = field(param, "name") else { continue };
            let name = self.slice(name);
            self.bind_type(name, Binding::Global(name.to_owned()));
            names.push(name.to_owned());
        }
        for (param, name) in children(list).into_iter().filter(|param| field(*param, "name").is_some()).zip(&names) {
            if let Some(bound) = field(param, "constraint").and_then(inner) {
                let bound = self.ty(bound);
                self.module.bounds.push((name.clone(), bound));
            }
        }
        names
    }

    pub(super) fn ty(&mut self, node: Node<'t>) -> TypeRef {
        match self.deeper(node, |s| s.dispatch_type(node)) {
            Some(ty) => ty,
            None => self.global("unknown", node),
        }
    }

    fn dispatch_type(&mut self, node: Node<'t>) -> TypeRef {
        match node.kind() {
            "type_identifier" | "nested_type_identifier" | "identifier" | "nested_identifier" => {
                self.named(node, Vec::new())
            }
            "generic_type" => self.generic(node),
            "predefined_type" | "literal_type" | "this_type" | "existential_type" => self.literal_type(node),
            "array_type" => {
                let args = self.type_children(node);
                self.built("Array", args, node)
            }
            "tuple_type" => {
                let args = self.type_children(node);
                self.built("[,]", args, node)
            }
            "union_type" => self.union(node),
            "object_type" | "intersection_type" => {
                let span = self.span(node);
                let id = self.new_class("{}", ClassKind::ObjectType, node, span);
                self.object_type(id, node);
                TypeRef { name: "{}".to_owned(), binding: Binding::Class(id), args: Vec::new(), span }
            }
            "lookup_type" => {
                let args = self.type_children(node);
                self.built("[]", args, node)
            }
            "index_type_query" => {
                let args = self.type_children(node);
                self.built("keyof", args, node)
            }
            "type_query" => self.type_query(node),
            "function_type" | "constructor_type" => {
                let returns = field(node, "return_type").or_else(|| field(node, "type"));
                let args = returns.map(|ty| self.ty(ty)).into_iter().collect();
                let is_class = node.kind() == "constructor_type";
                self.built(if is_class { "new" } else { "=>" }, args, node)
            }
            "conditional_type" => {
                let branches = [field(node, "consequence"), field(node, "alternative")];
                let args = branches.into_iter().flatten().map(|ty| self.ty(ty)).collect();
                self.built("|", args, node)
            }
            "template_literal_type" => self.global("string", node),
            "type_predicate" => self.global("boolean", node),
            "asserts" => self.global("void", node),
            "member_expression" | "call_expression" => self.import_type(node),
            "readonly_type" | "parenthesized_type" | "flow_maybe_type" | "optional_type" | "rest_type"
            | "type_annotation" => match inner(node) {
                Some(inside) => self.ty(inside),
                None => self.global("unknown", node),
            },
            "required_parameter" | "optional_parameter" => match self.annotation(field(node, "type")) {
                Some(ty) => ty,
                None => self.global("unknown", node),
            },
            _ => self.global("unknown", node),
        }
    }

    fn type_children(&mut self, node: Node<'t>) -> Vec<TypeRef> {
        children(node).into_iter().map(|ty| self.ty(ty)).collect()
    }

    fn global(&self, name: &str, node: Node<'t>) -> TypeRef {
        self.built(name, Vec::new(), node)
    }

    /// A type that no declaration stands behind.
    fn built(&self, name: &str, args: Vec<TypeRef>, node: Node<'t>) -> TypeRef {
        TypeRef { name: name.to_owned(), binding: Binding::Global(name.to_owned()), args, span: self.span(node) }
    }

    fn named(&mut self, node: Node<'t>, args: Vec<TypeRef>) -> TypeRef {
        let name: String = self.slice(node).split_whitespace().collect();
        let binding = self.resolve_type(name.split('.').next().unwrap_or(""));
        TypeRef { name, binding, args, span: self.span(node) }
    }

    fn generic(&mut self, node: Node<'t>) -> TypeRef {
        let args = self.type_args(field(node, "type_arguments"));
        let Some(name) = field(node, "name") else { return self.global("unknown", node) };
        let mut ty = self.named(name, args);
        let is_builtin = matches!(ty.binding, Binding::Global(_));
        if is_builtin && ty.args.len() == 1 && TRANSPARENT.contains(&ty.name.as_str()) {
            return ty.args.remove(0);
        }
        if is_builtin && ty.name == "ReadonlyArray" {
            "Array".clone_into(&mut ty.name);
            ty.binding = Binding::Global("Array".to_owned());
        }
        ty.span = self.span(node);
        ty
    }

    fn literal_type(&mut self, node: Node<'t>) -> TypeRef {
        let inside = inner(node).filter(|inside| inside.kind() == "string");
        match inside {
            Some(string) => {
                let quoted = format!("'{}'", self.decoded(string));
                self.global(&quoted, node)
            }
            None => self.global(self.slice(node), node),
        }
    }

    /// A union without `null` and `undefined`; with one member left, that member.
    fn union(&mut self, node: Node<'t>) -> TypeRef {
        let mut members = Vec::new();
        let mut open = vec![node];
        while let Some(part) = open.pop() {
            match part.kind() {
                "union_type" => open.extend(children(part).into_iter().rev()),
                _ if matches!(self.slice(part), "null" | "undefined" | "void") => {}
                _ => members.push(self.ty(part)),
            }
        }
        match members.len() {
            0 => self.global("null", node),
            1 => members.remove(0),
            _ => self.built("|", members, node),
        }
    }

    /// `typeof a.b`: bound to `a`, with the rest of the path as quoted arguments.
    fn type_query(&mut self, node: Node<'t>) -> TypeRef {
        let Some(mut what) = inner(node) else { return self.global("unknown", node) };
        if what.kind() == "instantiation_expression" {
            what = field(what, "function").unwrap_or(what);
        }
        if let Some((module, path)) = self.import_path(what) {
            let import = self.new_import("", module, Imported::Namespace, self.span(what));
            return self.typeof_path(Binding::Import(import), &path, node);
        }
        let path: String = self.slice(what).split_whitespace().collect();
        let mut segments = path.split('.').map(str::to_owned);
        let first = segments.next().unwrap_or_default();
        let binding = self.resolve(&first);
        let rest: Vec<String> = segments.collect();
        self.typeof_path(binding, &rest, node)
    }

    fn typeof_path(&self, binding: Binding, path: &[String], node: Node<'t>) -> TypeRef {
        let args = path.iter().map(|segment| self.global(&format!("'{segment}'"), node)).collect();
        TypeRef { name: "typeof".to_owned(), binding, args, span: self.span(node) }
    }

    /// `import('x').A.B`.
    fn import_type(&mut self, node: Node<'t>) -> TypeRef {
        let Some((module, path)) = self.import_path(node) else { return self.global("unknown", node) };
        let what = match path.first() {
            Some(first) if first == "default" => Imported::Default,
            Some(first) => Imported::Named(first.clone()),
            None => Imported::Namespace,
        };
        let span = self.span(node);
        let import = self.new_import("", module, what, span);
        TypeRef { name: path.join("."), binding: Binding::Import(import), args: Vec::new(), span }
    }

    /// The module and the path behind it of `import('x').A.B`.
    fn import_path(&self, node: Node<'t>) -> Option<(String, Vec<String>)> {
        let mut path = Vec::new();
        let mut at = node;
        while at.kind() == "member_expression" {
            path.push(self.slice(field(at, "property")?).to_owned());
            at = field(at, "object")?;
        }
        path.reverse();
        let function = field(at, "function")?;
        if function.kind() != "import" {
            return None;
        }
        let specifier = inner(field(at, "arguments")?).filter(|arg| arg.kind() == "string")?;
        Some((self.decoded(specifier), path))
    }
}
