//! Destructuring: one assignment a name.

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, inner, is_comment};
use crate::ir::{ExprId, ExprKind, Item, Missing};

impl<'t> Lowering<'t> {
    /// Assigns `value`, or what the pattern takes out of it, to the targets of the pattern. A `fresh` pattern declares its
    /// names, so that no assignment in it can change what a later one reads.
    pub(super) fn destructure(&mut self, pattern: Node<'t>, value: ExprId, fresh: bool) {
        let taken = self.deeper(pattern, |s| match pattern.kind() {
            "object_pattern" => s.object_pattern(pattern, value, fresh),
            "array_pattern" => s.array_pattern(pattern, value, fresh),
            "assignment_pattern" | "object_assignment_pattern" => {
                let Some(left) = field(pattern, "left") else { return };
                let value = match field(pattern, "right") {
                    Some(default) => s.or_default(value, left, default),
                    None => value,
                };
                s.destructure(left, value, fresh);
            }
            "rest_pattern" => {
                if let Some(target) = inner(pattern) {
                    s.destructure(target, value, fresh);
                }
            }
            _ => {
                let span = s.span(pattern);
                match s.place(pattern) {
                    Some(place) => s.assign(place, value, span),
                    None => s.keep(value),
                }
            }
        });
        if taken.is_none() {
            self.keep(value);
        }
    }

    /// `value` or, where that is undefined, the default.
    pub(super) fn or_default(&mut self, value: ExprId, name: Node<'t>, default: Node<'t>) -> ExprId {
        let label = self.label(name);
        let mut right = None;
        let hoisted = self.capture(|s| right = Some(s.expr_labelled(default, label)));
        let Some(right) = right else { return value };
        let left = self.run_if("=", value, hoisted, default);
        self.add(ExprKind::Fallback { left, right, when: Missing::Undefined }, name)
    }

    fn object_pattern(&mut self, pattern: Node<'t>, value: ExprId, fresh: bool) {
        let base = self.stable(value);
        let mut taken = Vec::new();
        for entry in children(pattern) {
            match entry.kind() {
                "shorthand_property_identifier_pattern" | "object_assignment_pattern" => {
                    let name =
                        if entry.kind() == "object_assignment_pattern" { field(entry, "left") } else { Some(entry) };
                    let Some(name) = name else { continue };
                    let key = self.slice(name).to_owned();
                    taken.push(key.clone());
                    let value = self.add(ExprKind::Field { base, name: key, name_span: self.span(name) }, name);
                    self.destructure(entry, value, fresh);
                }
                "pair_pattern" => {
                    let (Some(key), Some(target)) = (field(entry, "key"), field(entry, "value")) else { continue };
                    let value = match self.key(key) {
                        Ok((name, name_span)) => {
                            taken.push(name.clone());
                            self.add(ExprKind::Field { base, name, name_span }, key)
                        }
                        Err(index) => self.add(ExprKind::Index { base, index }, key),
                    };
                    self.destructure(target, value, fresh);
                }
                "rest_pattern" => {
                    let except = taken.clone();
                    let value = self.add(ExprKind::Rest { base, except }, entry);
                    self.destructure(entry, value, fresh);
                }
                _ => {}
            }
        }
    }

    fn array_pattern(&mut self, pattern: Node<'t>, value: ExprId, fresh: bool) {
        let mut known = if fresh { self.items(value) } else { None };
        let base = if known.is_some() { value } else { self.stable(value) };
        let mut at = 0_usize;
        let mut cursor = pattern.walk();
        for child in pattern.children(&mut cursor) {
            if child.kind() == "," {
                at += 1;
            }
            if !child.is_named() || is_comment(child) {
                continue;
            }
            let value = match &mut known {
                Some(items) if child.kind() == "rest_pattern" => {
                    let tail = items.iter_mut().skip(at).filter_map(Option::take).map(Item::One).collect();
                    self.add(ExprKind::Array(tail), child)
                }
                Some(items) => match items.get_mut(at).and_then(Option::take) {
                    Some(item) => item,
                    None => self.add(ExprKind::Undefined, child),
                },
                None if child.kind() == "rest_pattern" => {
                    let each = self.add(ExprKind::Element(base), child);
                    self.add(ExprKind::Array(vec![Item::Each(each)]), child)
                }
                None => {
                    let index = self.add(ExprKind::Number(at.to_string()), child);
                    self.add(ExprKind::Index { base, index }, child)
                }
            };
            self.destructure(child, value, fresh);
        }
        // Elements that no name takes are evaluated all the same.
        for item in known.unwrap_or_default().into_iter().flatten() {
            self.keep(item);
        }
    }

    /// The elements of an array literal without spreads.
    fn items(&self, value: ExprId) -> Option<Vec<Option<ExprId>>> {
        let ExprKind::Array(items) = self.kind(value) else { return None };
        items.iter().map(|item| if let Item::One(id) = item { Some(Some(*id)) } else { None }).collect()
    }
}
