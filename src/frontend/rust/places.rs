//! What changes in place: `user.token.take()`, `mem::replace(&mut user.token, new)`, `token.get_or_insert_with(mint)`.

use syn::{Expr, ExprMethodCall, UnOp};

use crate::frontend::rust::Lowering;
use crate::ir::{Binding, ExprId, ExprKind, Missing, Place, Stmt};
use crate::source::Span;

impl Lowering<'_> {
    /// A method of `Option` or `String` that no other type has with these arguments, on a variable or a field.
    pub(super) fn changed_by_method(
        &mut self,
        call: &ExprMethodCall,
        name: &str,
        receiver: ExprId,
        span: Span,
    ) -> Option<ExprId> {
        let args: Vec<&Expr> = call.args.iter().collect();
        if !is_place(&call.receiver) {
            return None;
        }
        let place = self.place(receiver)?;
        match (name, args.as_slice()) {
            ("take", []) => {
                let old = self.held(receiver, span);
                let left = self.emptied(receiver, span);
                self.set(place, left, span);
                Some(old)
            }
            ("get_or_insert" | "get_or_insert_with", [other]) => {
                let right = if name == "get_or_insert" { self.expr(other) } else { self.made_by(other, &[], span) };
                let value = self.add(ExprKind::Fallback { left: receiver, right, when: Missing::Nullish }, span);
                let value = self.held(value, span);
                self.set(place, value, span);
                Some(value)
            }
            ("push_str", [item]) => {
                let item = self.expr(item);
                let value = self.add(ExprKind::Concat(vec![receiver, item]), span);
                self.set(place, value, span);
                Some(self.opaque("nothing", Vec::new(), span))
            }
            _ => None,
        }
    }

    /// `mem::take(&mut place)`, `mem::replace(&mut place, new)`, `mem::swap(&mut a, &mut b)`.
    pub(super) fn changed_by_function(&mut self, name: &str, args: &[&Expr], span: Span) -> Option<ExprId> {
        let (first, others) = args.split_first()?;
        let Expr::Reference(lent) = first else { return None };
        let target = self.expr(&lent.expr);
        let place = self.place(target)?;
        let old = self.held(target, span);
        let new = match (name, others) {
            ("take", []) => self.emptied(target, span),
            ("replace", [new]) => self.expr(new),
            ("swap", [Expr::Reference(other)]) => {
                let other = self.expr(&other.expr);
                let new = self.held(other, span);
                if let Some(second) = self.place(other) {
                    self.set(second, old, span);
                }
                new
            }
            _ => return None,
        };
        self.set(place, new, span);
        Some(old)
    }

    fn set(&mut self, target: Place, value: ExprId, span: Span) {
        self.out.push(Stmt::Assign { target, value, span });
    }

    /// What an expression is now, whatever is assigned later.
    fn held(&mut self, value: ExprId, span: Span) -> ExprId {
        let local = self.temporary(span);
        self.assign(local, value, span);
        self.name(local, span)
    }

    /// What `take` leaves: an empty text of what is known as one, else nothing.
    fn emptied(&mut self, taken: ExprId, span: Span) -> ExprId {
        let is_text = matches!(self.kind(taken), ExprKind::Name(Binding::Local(local)) if self.texts.contains(local));
        let is_list = matches!(self.kind(taken), ExprKind::Name(Binding::Local(local)) if self.lists.contains(local));
        match (is_text, is_list) {
            (true, _) => self.add(ExprKind::Text(String::new()), span),
            (_, true) => self.add(ExprKind::Array(Vec::new()), span),
            _ => self.add(ExprKind::Undefined, span),
        }
    }

    /// An expression as what is assigned to.
    pub(super) fn place(&self, target: ExprId) -> Option<Place> {
        match self.kind(target) {
            ExprKind::Name(Binding::Local(local)) => Some(Place::Local(*local)),
            ExprKind::Field { base, name, name_span } => {
                Some(Place::Field { base: *base, name: name.clone(), name_span: *name_span })
            }
            ExprKind::Index { base, index } => Some(Place::Index { base: *base, index: *index }),
            _ => None,
        }
    }
}

/// Whether an expression is written as a variable or a field, so that it is the thing itself and no copy.
fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => path.path.get_ident().is_some_and(|name| name != "self"),
        Expr::Field(_) => true,
        Expr::Paren(inner) => is_place(&inner.expr),
        Expr::Unary(inner) => matches!(inner.op, UnOp::Deref(_)) && is_place(&inner.expr),
        Expr::Reference(inner) => is_place(&inner.expr),
        _ => false,
    }
}
