//! Object and array literals.

use std::collections::BTreeSet;
use std::rc::Rc;

use tree_sitter::Node;

use crate::frontend::typescript::expressions::Key;
use crate::frontend::typescript::{Lowering, children, field, has_token, inner, is_comment};
use crate::ir::{Binding, Entry, ExprId, ExprKind, Item, LocalId, Place, Stmt};

/// An object literal as its own methods see it.
#[derive(Clone)]
pub(super) struct OwnObject {
    holder: LocalId,
    keys: Rc<BTreeSet<String>>,
}

impl<'t> Lowering<'t> {
    pub(super) fn object(&mut self, node: Node<'t>) -> ExprId {
        let own = self.own_object_of(node);
        let mut entries = Vec::new();
        for child in children(node) {
            self.handed_object = own.clone().filter(|_| function_of(child).is_some());
            let entry = match child.kind() {
                "pair" | "pair_pattern" => self.pair(child),
                "shorthand_property_identifier" | "shorthand_property_identifier_pattern" => {
                    let value = self.add_name(child);
                    Some(Entry::Named { key: self.slice(child).to_owned(), key_span: self.span(child), value })
                }
                "spread_element" => inner(child).map(|inside| Entry::Spread(self.expr(inside))),
                "method_definition" => self.object_method(child),
                _ => {
                    let value = self.expr(child);
                    Some(Entry::Spread(value))
                }
            };
            entries.extend(entry);
        }
        self.handed_object = None;
        let object = self.add(ExprKind::Object(entries), node);
        let Some(own) = own else { return object };
        let span = self.span(node);
        self.out.push(Stmt::Assign { target: Place::Local(own.holder), value: object, span });
        self.add(ExprKind::Name(Binding::Local(own.holder)), node)
    }

    /// The object literal that an expression is, or that was just kept for its methods.
    pub(super) fn literal_behind(&self, value: ExprId) -> ExprId {
        match (self.kind(value), self.out.last()) {
            (ExprKind::Name(Binding::Local(local)), Some(Stmt::Assign { target: Place::Local(kept), value, .. }))
                if local == kept =>
            {
                *value
            }
            _ => value,
        }
    }

    /// A variable for an object whose methods use `this`.
    fn own_object_of(&mut self, node: Node<'t>) -> Option<OwnObject> {
        let entries = children(node);
        let uses_this = |child: &Node<'t>| function_of(*child).is_some_and(|f| self.slice(f).contains("this."));
        if !entries.iter().any(uses_this) {
            return None;
        }
        let keys = entries.iter().filter_map(|child| field(*child, "key").or_else(|| field(*child, "name")));
        let keys = Rc::new(keys.map(|key| self.name_of(key)).collect());
        let holder = self.temporary(self.span(node));
        Some(OwnObject { holder, keys })
    }

    /// `this.key` in a method of an object literal that has the key. Any other `this` there may be what the object is mixed into.
    pub(super) fn member_of_own_object(&mut self, node: Node<'t>) -> Option<ExprId> {
        let own = self.own_object.as_ref()?;
        let key = field(node, "property").filter(|_| field(node, "object").is_some_and(|at| at.kind() == "this"))?;
        let (name, name_span) = (self.slice(key).to_owned(), self.span(key));
        if !own.keys.contains(&name) {
            return None;
        }
        let base = self.add(ExprKind::Name(Binding::Local(own.holder)), node);
        Some(self.add(ExprKind::Field { base, name, name_span }, node))
    }

    fn add_name(&mut self, node: Node<'t>) -> ExprId {
        let binding = self.resolve(self.slice(node));
        self.add(ExprKind::Name(binding), node)
    }

    fn pair(&mut self, node: Node<'t>) -> Option<Entry> {
        let (key, value) = (field(node, "key")?, field(node, "value")?);
        let name = self.key(key);
        let value = self.expr_labelled(value, Some(key));
        Some(entry_of(name, value))
    }

    fn object_method(&mut self, node: Node<'t>) -> Option<Entry> {
        let key = field(node, "name")?;
        let name = self.key(key);
        let value = self.closure(node, Some(key));
        if has_token(node, "set") {
            self.out.push(Stmt::Expr(value));
            return None;
        }
        Some(entry_of(name, value))
    }

    pub(super) fn array(&mut self, node: Node<'t>) -> ExprId {
        let mut items = Vec::new();
        let mut is_filled = false;
        let mut cursor = node.walk();
        for child in node.children(&mut cursor) {
            if child.kind() == "," {
                if !is_filled {
                    items.push(Item::One(self.add(ExprKind::Undefined, child)));
                }
                is_filled = false;
            }
            if !child.is_named() || is_comment(child) {
                continue;
            }
            is_filled = true;
            items.push(match child.kind() {
                "spread_element" => match inner(child) {
                    Some(inside) => Item::Spread(self.expr(inside)),
                    None => continue,
                },
                _ => Item::One(self.expr(child)),
            });
        }
        self.add(ExprKind::Array(items), node)
    }
}

/// The function of a method, or of a key that holds one with a `this` of its own.
fn function_of(entry: Node<'_>) -> Option<Node<'_>> {
    match entry.kind() {
        "method_definition" => Some(entry),
        "pair" => {
            field(entry, "value").filter(|value| matches!(value.kind(), "function_expression" | "generator_function"))
        }
        _ => None,
    }
}

fn entry_of(name: Key, value: ExprId) -> Entry {
    match name {
        Ok((key, key_span)) => Entry::Named { key, key_span, value },
        Err(key) => Entry::Computed { key, value },
    }
}
