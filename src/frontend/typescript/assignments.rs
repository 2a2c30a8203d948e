//! Assignments: as statements, and as expressions that leave a statement behind.

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, inner};
use crate::ir::{Binding, ExprId, ExprKind, Missing, Place, Stmt};
use crate::source::Span;

/// What an assignment leaves as its value.
pub(super) enum Written {
    Place(Place),
    /// What a pattern took apart, or an assignment that is not modelled.
    Value(ExprId),
}

impl<'t> Lowering<'t> {
    /// What a name, a member or an element is as the target of an assignment.
    pub(super) fn place(&mut self, node: Node<'t>) -> Option<Place> {
        let mut node = node;
        while matches!(node.kind(), "parenthesized_expression" | "non_null_expression" | "as_expression") {
            node = inner(node)?;
        }
        match node.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => {
                let name = self.slice(node);
                if let Binding::Local(local) = self.resolve(name) {
                    return Some(Place::Local(local));
                }
                let base = self.add(ExprKind::Name(Binding::Global("globalThis".to_owned())), node);
                Some(Place::Field { base, name: name.to_owned(), name_span: self.span(node) })
            }
            "member_expression" | "subscript_expression" => {
                let (base, key) = self.member_parts(node)?;
                Some(match key {
                    Ok((name, name_span)) => Place::Field { base, name, name_span },
                    Err(index) => Place::Index { base, index },
                })
            }
            _ => None,
        }
    }

    /// The present value of a place.
    pub(super) fn read(&mut self, place: &Place, span: Span) -> ExprId {
        let kind = match place.clone() {
            Place::Local(local) => ExprKind::Name(Binding::Local(local)),
            Place::Field { base, name, name_span } => ExprKind::Field { base, name, name_span },
            Place::Index { base, index } => ExprKind::Index { base, index },
        };
        self.module.add(kind, span)
    }

    pub(super) fn assign(&mut self, target: Place, value: ExprId, span: Span) {
        if let Place::Local(local) = target
            && matches!(self.kind(value), ExprKind::Array(_))
        {
            self.lists.insert(local);
        }
        self.out.push(Stmt::Assign { target, value, span });
    }

    /// `left = right`: the place written, or the value where a pattern takes it apart.
    pub(super) fn assignment(&mut self, node: Node<'t>) -> Written {
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return Written::Value(self.opaque("an assignment without sides", Vec::new(), node));
        };
        let left = if left.kind() == "parenthesized_expression" { inner(left).unwrap_or(left) } else { left };
        if matches!(left.kind(), "object_pattern" | "array_pattern") {
            let value = self.expr(right);
            let value = self.stable(value);
            self.destructure(left, value, false);
            return Written::Value(value);
        }
        let Some(place) = self.place(left) else {
            let operands = children(node).into_iter().map(|child| self.expr(child)).collect();
            return Written::Value(self.opaque("an assignment to something else", operands, node));
        };
        let place = self.stable_place(place);
        let label = self.label(left);
        let value = self.expr_labelled(right, label);
        self.common_js_export(left, value);
        self.assign(place.clone(), value, self.span(node));
        Written::Place(place)
    }

    /// `left ||= right`, `left += right` and the like.
    pub(super) fn augmented_assignment(&mut self, node: Node<'t>) -> Written {
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
            return Written::Value(self.opaque("an assignment without sides", Vec::new(), node));
        };
        let Some(place) = self.place(left) else {
            let operands = vec![self.expr(left), self.expr(right)];
            return Written::Value(self.opaque("an assignment to something else", operands, node));
        };
        let place = self.stable_place(place);
        let old = self.read(&place, self.span(left));
        let operator = field(node, "operator").map_or("", |operator| self.slice(operator));
        let value = match operator {
            "||=" | "??=" | "&&=" => self.short_circuit(operator.trim_end_matches('='), old, right, node),
            "+=" => {
                let right = self.expr(right);
                if self.is_text(old) || self.is_text(right) {
                    self.add(ExprKind::Concat(vec![old, right]), node)
                } else {
                    self.opaque("arithmetic", vec![old, right], node)
                }
            }
            _ => {
                let right = self.expr(right);
                self.opaque("arithmetic", vec![old, right], node)
            }
        };
        self.assign(place.clone(), value, self.span(node));
        Written::Place(place)
    }

    /// `x++`.
    pub(super) fn update_expression(&mut self, node: Node<'t>) -> Written {
        let argument = field(node, "argument");
        let Some((argument, place)) = argument.and_then(|node| Some((node, self.place(node)?))) else {
            let operands = argument.map(|node| self.expr(node)).into_iter().collect();
            return Written::Value(self.opaque("arithmetic", operands, node));
        };
        let place = self.stable_place(place);
        let old = self.read(&place, self.span(argument));
        let value = self.opaque("arithmetic", vec![old], node);
        self.assign(place.clone(), value, self.span(node));
        Written::Place(place)
    }

    /// The value of an assignment as an expression.
    pub(super) fn assigned(&mut self, written: Written, node: Node<'t>) -> ExprId {
        match written {
            Written::Place(place) => self.read(&place, self.span(node)),
            Written::Value(value) => value,
        }
    }

    /// `delete x.y`: the key reads as undefined from here on.
    pub(super) fn delete(&mut self, node: Node<'t>, argument: Node<'t>) -> ExprId {
        let Some(place) = self.place(argument) else {
            let operand = self.expr(argument);
            return self.opaque("delete", vec![operand], node);
        };
        let value = self.add(ExprKind::Undefined, node);
        self.assign(place, value, self.span(node));
        self.add(ExprKind::Bool(true), node)
    }

    /// `left && right`, `left || right`, `left ?? right`; what the right side assigns happens only where it is evaluated.
    pub(super) fn short_circuit(&mut self, operator: &str, left: ExprId, right: Node<'t>, node: Node<'t>) -> ExprId {
        let mut value = None;
        let hoisted = self.capture(|s| value = Some(s.expr(right)));
        let Some(right) = value else { return left };
        let left = self.run_if(operator, left, hoisted, node);
        let kind = match operator {
            "&&" => ExprKind::And { left, right },
            "||" => ExprKind::Fallback { left, right, when: Missing::Falsy },
            _ => ExprKind::Fallback { left, right, when: Missing::Nullish },
        };
        self.add(kind, node)
    }

    /// Emits the statements under the condition by which the operator evaluates its right side.
    pub(super) fn run_if(&mut self, operator: &str, left: ExprId, then: Vec<Stmt>, node: Node<'t>) -> ExprId {
        if then.is_empty() {
            return left;
        }
        let left = self.stable(left);
        let cond = match operator {
            "&&" => left,
            "||" => self.add(ExprKind::Not(left), node),
            "=" => {
                let right = self.add(ExprKind::Undefined, node);
                self.add(ExprKind::Compare { left, right, equal: true }, node)
            }
            _ => {
                let right = self.add(ExprKind::Null, node);
                self.add(ExprKind::Compare { left, right, equal: true }, node)
            }
        };
        self.out.push(Stmt::If { cond, then, otherwise: Vec::new() });
        left
    }

    /// A place whose base is evaluated once, however often the place is read and written.
    fn stable_place(&mut self, place: Place) -> Place {
        match place {
            Place::Local(local) => Place::Local(local),
            Place::Field { base, name, name_span } => Place::Field { base: self.stable(base), name, name_span },
            Place::Index { base, index } => Place::Index { base: self.stable(base), index: self.stable(index) },
        }
    }
}
