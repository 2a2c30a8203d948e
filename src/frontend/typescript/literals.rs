//! Object and array literals.

use tree_sitter::Node;

use crate::frontend::typescript::expressions::Key;
use crate::frontend::typescript::{Lowering, children, field, has_token, inner, is_comment};
use crate::ir::{Entry, ExprId, ExprKind, Item, Stmt};

impl<'t> Lowering<'t> {
    pub(super) fn object(&mut self, node: Node<'t>) -> ExprId {
        let mut entries = Vec::new();
        for child in children(node) {
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
        self.add(ExprKind::Object(entries), node)
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

fn entry_of(name: Key, value: ExprId) -> Entry {
    match name {
        Ok((key, key_span)) => Entry::Named { key, key_span, value },
        Err(key) => Entry::Computed { key, value },
    }
}
