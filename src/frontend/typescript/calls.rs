//! Calls, `new`, and the forms of `require` and `import()`.

use tree_sitter::Node;

use crate::frontend::typescript::scope::pattern_names;
use crate::frontend::typescript::{Lowering, children, field, inner};
use crate::ir::{Arg, Binding, Call, ExprId, ExprKind, Imported};

impl<'t> Lowering<'t> {
    pub(super) fn call(&mut self, node: Node<'t>) -> ExprId {
        let (Some(function), Some(arguments)) = (field(node, "function"), field(node, "arguments")) else {
            return self.with_operands("could not be parsed", node);
        };
        if arguments.kind() == "template_string" {
            return self.tagged(function, arguments, node);
        }
        if let Some(module) = self.required_module(node) {
            let span = self.span(node);
            let import = self.new_import("", module, Imported::Namespace, span);
            return self.add(ExprKind::Name(Binding::Import(import)), node);
        }
        if function.kind() == "import" {
            let operands = self.args(arguments).into_iter().map(|arg| arg.value).collect();
            return self.opaque("import of a computed module", operands, node);
        }
        if let Some(id) = self.builtin(node, function, arguments) {
            return id;
        }
        let callee = self.expr(function);
        let type_args = field(node, "type_arguments").or_else(|| {
            // `f<T>(x)` after `await` and the like is an instantiation of `f`.
            if function.kind() == "instantiation_expression" { field(function, "type_arguments") } else { None }
        });
        let type_args = self.type_args(type_args);
        let args = self.args(arguments);
        self.add(ExprKind::Call(Call { callee, args, is_new: false, type_args }), node)
    }

    pub(super) fn new_expression(&mut self, node: Node<'t>) -> ExprId {
        let Some(constructor) = field(node, "constructor") else {
            return self.with_operands("could not be parsed", node);
        };
        let callee = self.expr(constructor);
        let type_args = self.type_args(field(node, "type_arguments"));
        let args = field(node, "arguments").map(|arguments| self.args(arguments)).unwrap_or_default();
        self.add(ExprKind::Call(Call { callee, args, is_new: true, type_args }), node)
    }

    pub(super) fn args(&mut self, arguments: Node<'t>) -> Vec<Arg> {
        children(arguments)
            .into_iter()
            .filter_map(|node| {
                let spread = node.kind() == "spread_element";
                let node = if spread { inner(node)? } else { node };
                let value = self.expr(node);
                if self.is_lent(node) {
                    self.module.lent.insert(value);
                }
                Some(Arg { value, spread })
            })
            .collect()
    }

    /// Whether an argument is a member or an element of what is there, so that the callee may change it.
    fn is_lent(&self, node: Node<'t>) -> bool {
        const LONGEST: usize = 100;
        let is_member = matches!(node.kind(), "member_expression" | "subscript_expression");
        is_member && node.byte_range().len() < LONGEST && !self.slice(node).contains("?.")
    }

    /// A call without spread arguments.
    pub(super) fn call_of(&mut self, callee: ExprId, args: &[ExprId], node: Node<'t>) -> ExprId {
        let args = args.iter().map(|value| Arg { value: *value, spread: false }).collect();
        self.add(ExprKind::Call(Call { callee, args, is_new: false, type_args: Vec::new() }), node)
    }

    /// The specifier in `require('x')`, `import('x')` and `await import('x')`.
    pub(super) fn required_module(&self, node: Node<'t>) -> Option<String> {
        let mut node = node;
        while matches!(node.kind(), "await_expression" | "parenthesized_expression" | "as_expression") {
            node = inner(node)?;
        }
        if node.kind() != "call_expression" {
            return None;
        }
        let function = field(node, "function")?;
        if function.kind() != "import" && !self.is_global(function, "require") {
            return None;
        }
        let specifier = inner(field(node, "arguments")?)?;
        let is_constant = specifier.kind() == "string"
            || (specifier.kind() == "template_string"
                && children(specifier).iter().all(|part| part.kind() != "template_substitution"));
        is_constant.then(|| self.decoded(specifier))
    }

    /// Declares `const x = require('m')` and `const { a, b: c } = require('m')` as imports; not so for deeper patterns.
    pub(super) fn hoist_require(&mut self, name: Node<'t>, module: String) -> bool {
        if name.kind() == "identifier" {
            let span = self.span(name);
            self.new_import(self.slice(name), module, Imported::Namespace, span);
            return true;
        }
        if name.kind() != "object_pattern" {
            return false;
        }
        let mut found = Vec::new();
        for entry in children(name) {
            let pair = match entry.kind() {
                "shorthand_property_identifier_pattern" => Some((entry, entry)),
                "pair_pattern" => field(entry, "key").zip(field(entry, "value")),
                _ => None,
            };
            match pair {
                Some((key, target))
                    if matches!(target.kind(), "identifier" | "shorthand_property_identifier_pattern")
                        && key.kind() != "computed_property_name" =>
                {
                    found.push((key, target));
                }
                _ => return false,
            }
        }
        for (key, target) in found {
            let key_text = if key.kind() == "string" { self.decoded(key) } else { self.slice(key).to_owned() };
            let what = if key_text == "default" { Imported::Default } else { Imported::Named(key_text) };
            let span = self.span(target);
            self.new_import(self.slice(target), module.clone(), what, span);
        }
        true
    }

    /// Whether hoisting made imports of this declarator.
    pub(super) fn is_required(&self, name: Node<'t>, value: Option<Node<'t>>) -> bool {
        value.is_some_and(|value| self.required_module(value).is_some())
            && pattern_names(name).into_iter().all(|name| matches!(self.resolve(self.slice(name)), Binding::Import(_)))
    }
}
