//! Tests of what a value is: `typeof x === 'string'`, `Array.isArray(x)`, `'key' in x`.

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, field, has_token, inner};
use crate::ir::{ExprId, ExprKind, Shape};

impl<'t> Lowering<'t> {
    /// `typeof x` held against a constant: a shape, or a comparison with `undefined`.
    pub(super) fn type_test(&mut self, left: Node<'t>, right: Node<'t>, equal: bool, node: Node<'t>) -> Option<ExprId> {
        let (tested, word) = match (of_typeof(left), of_typeof(right)) {
            (Some(tested), None) => (tested, right),
            (None, Some(tested)) => (tested, left),
            _ => return None,
        };
        if word.kind() != "string" {
            return None;
        }
        let shape = match self.decoded(word).as_str() {
            "string" => Shape::Text,
            "number" => Shape::Number,
            "boolean" => Shape::Bool,
            "function" => Shape::Function,
            "object" => Shape::Object,
            "undefined" => {
                let left = self.expr(tested);
                let right = self.add(ExprKind::Undefined, word);
                return Some(self.add(ExprKind::Compare { left, right, equal }, node));
            }
            _ => return None,
        };
        let value = self.expr(tested);
        let test = self.add(ExprKind::Is { value, shape }, node);
        Some(if equal { test } else { self.add(ExprKind::Not(test), node) })
    }

    /// `object` has something under a key: `'key' in object`.
    pub(super) fn has_key(&mut self, object: Node<'t>, key: Node<'t>, node: Node<'t>) -> ExprId {
        let base = self.expr(object);
        let (name, name_span) = (self.decoded(key), self.span(key));
        let left = self.add(ExprKind::Field { base, name, name_span }, node);
        let right = self.add(ExprKind::Undefined, key);
        self.add(ExprKind::Compare { left, right, equal: false }, node)
    }

    /// `object.hasOwnProperty('key')`, `Object.hasOwn(object, 'key')`, `Array.isArray(value)`.
    pub(super) fn shape_call(
        &mut self,
        object: Node<'t>,
        method: &str,
        args: &[Node<'t>],
        node: Node<'t>,
    ) -> Option<ExprId> {
        match (method, args) {
            ("hasOwnProperty", [key]) if key.kind() == "string" => Some(self.has_key(object, *key, node)),
            ("hasOwn", [of, key]) if key.kind() == "string" && self.is_global(object, "Object") => {
                Some(self.has_key(*of, *key, node))
            }
            // `Object.prototype.hasOwnProperty.call(object, 'key')`
            ("call", [of, key])
                if key.kind() == "string"
                    && field(object, "property").is_some_and(|name| self.slice(name) == "hasOwnProperty") =>
            {
                Some(self.has_key(*of, *key, node))
            }
            ("isArray", [of]) if self.is_global(object, "Array") => {
                let value = self.expr(*of);
                Some(self.add(ExprKind::Is { value, shape: Shape::List }, node))
            }
            _ => None,
        }
    }
}

/// What `typeof` is asked of.
fn of_typeof(node: Node) -> Option<Node> {
    let mut at = node;
    while at.kind() == "parenthesized_expression" {
        at = inner(at)?;
    }
    if at.kind() == "unary_expression" && has_token(at, "typeof") { field(at, "argument") } else { None }
}
