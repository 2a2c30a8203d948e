//! `if`, `if let`, `match`: conditions, and what their patterns bind.

use syn::{Expr, ExprIf, ExprMatch, Pat};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::paths::Scope;
use crate::frontend::rust::patterns::member;
use crate::ir::{ExprId, ExprKind, LocalId, Stmt};
use crate::source::Span;

/// Where the value of a branch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sink {
    Local(LocalId),
    Return,
    Nothing,
}

impl Lowering<'_> {
    /// A branching expression as a value: a variable that each branch assigns.
    pub(super) fn branching(&mut self, span: Span, lower: impl FnOnce(&mut Self, Sink)) -> ExprId {
        let local = self.temporary(span);
        lower(self, Sink::Local(local));
        self.name(local, span)
    }

    pub(super) fn if_expr(&mut self, branch: &ExprIf, sink: Sink) {
        self.scopes.push(Scope::default());
        let (cond, bound) = self.condition(&branch.cond);
        let then = self.capture(|this| {
            this.out.extend(bound);
            this.block(&branch.then_branch, sink);
        });
        self.scopes.pop();
        let otherwise = self.capture(|this| {
            if let Some((_, other)) = &branch.else_branch {
                this.into(other, sink);
            }
        });
        self.out.push(Stmt::If { cond, then, otherwise });
    }

    /// A condition and the assignments of what its patterns bind; the names are declared in the innermost scope.
    pub(super) fn condition(&mut self, cond: &Expr) -> (ExprId, Vec<Stmt>) {
        match cond {
            Expr::Let(inner) => {
                let value = self.expr(&inner.expr);
                let value = self.stable(value);
                let span = self.expr_span(&inner.expr);
                let bound = self.capture(|this| this.destructure(&inner.pat, value));
                let test = self.test(&inner.pat, value);
                (test.unwrap_or_else(|| self.add(ExprKind::Bool(true), span)), bound)
            }
            Expr::Paren(inner) => self.condition(&inner.expr),
            Expr::Binary(binary) if matches!(binary.op, syn::BinOp::And(_)) => {
                let span = self.expr_span(cond);
                self.conjunction(binary, span)
            }
            other => (self.expr(other), Vec::new()),
        }
    }

    pub(super) fn conjunction(&mut self, binary: &syn::ExprBinary, span: Span) -> (ExprId, Vec<Stmt>) {
        let (left, bound) = self.condition(&binary.left);
        // The right side may use what the left one binds.
        self.out.extend(bound);
        let (right, bound) = self.condition(&binary.right);
        (self.add(ExprKind::And { left, right }, span), bound)
    }

    pub(super) fn match_expr(&mut self, branch: &ExprMatch, sink: Sink) {
        let value = self.expr(&branch.expr);
        let value = self.stable(value);
        let arms: Vec<&syn::Arm> = branch.arms.iter().collect();
        self.arms(&arms, value, sink);
    }

    fn arms(&mut self, arms: &[&syn::Arm], value: ExprId, sink: Sink) {
        // From the last arm to the first, each the `else` of the one before; written as a loop, since there can be hundreds.
        let mut lowered: Vec<(Vec<Stmt>, Option<ExprId>, Vec<Stmt>)> = Vec::new();
        for arm in arms {
            self.scopes.push(Scope::default());
            let mut cond = None;
            let mut bound = Vec::new();
            let before = self.capture(|this| {
                bound = this.capture(|this| this.destructure(&arm.pat, value));
                cond = this.test(&arm.pat, value);
                if let Some((_, guard)) = &arm.guard {
                    this.out.append(&mut bound);
                    let guard = this.expr(guard);
                    let span = this.span_of(guard);
                    cond = Some(match cond {
                        Some(left) => this.add(ExprKind::And { left, right: guard }, span),
                        None => guard,
                    });
                }
            });
            let body = self.capture(|this| {
                this.out.extend(bound);
                this.into(&arm.body, sink);
            });
            self.scopes.pop();
            let is_last = cond.is_none();
            lowered.push((before, cond, body));
            if is_last {
                break;
            }
        }
        let mut otherwise: Vec<Stmt> = Vec::new();
        let mut is_first = true;
        for (mut before, cond, body) in lowered.into_iter().rev() {
            match cond {
                // A `match` covers everything: its last arm holds where no other does.
                Some(_) if is_first => before.extend(body),
                Some(cond) => before.push(Stmt::If { cond, then: body, otherwise }),
                None => before.extend(body),
            }
            is_first = false;
            otherwise = before;
        }
        self.out.append(&mut otherwise);
    }

    /// Whether a pattern fits a value, as an expression; `None` where it always does.
    pub(super) fn test(&mut self, pattern: &Pat, value: ExprId) -> Option<ExprId> {
        let span = self.span_of(value);
        match pattern {
            Pat::Wild(_) | Pat::Rest(_) => None,
            Pat::Ident(ident) => match &ident.subpat {
                Some((_, inner)) => self.test(inner, value),
                None if ident.ident == "None" => Some(self.add(ExprKind::Not(value), span)),
                None if Self::is_constant(&ident.ident) => {
                    let at = self.at_span(ident.ident.span());
                    let right = self.path(&[(ident.ident.to_string(), at)]);
                    Some(self.add(ExprKind::Compare { left: value, right, equal: true }, span))
                }
                None => None,
            },
            Pat::Reference(inner) => self.test(&inner.pat, value),
            Pat::Paren(inner) => self.test(&inner.pat, value),
            Pat::Type(inner) => self.test(&inner.pat, value),
            Pat::TupleStruct(inner) => {
                let name = inner.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
                match name.as_str() {
                    "Some" => match inner.elems.first().and_then(|first| self.test(first, value)) {
                        Some(right) if !matches!(self.kind(right), ExprKind::Name(_)) => {
                            Some(self.add(ExprKind::And { left: value, right }, span))
                        }
                        _ => Some(value),
                    },
                    "Ok" => match inner.elems.first().and_then(|first| self.test(first, value)) {
                        Some(inner) => Some(inner),
                        None => Some(self.opaque("whether it succeeded", Vec::new(), span)),
                    },
                    _ => Some(self.opaque("which variant it is", Vec::new(), span)),
                }
            }
            Pat::Struct(inner) => {
                let is_variant = inner.path.segments.len() > 1;
                let mut all = is_variant.then(|| self.opaque("which variant it is", Vec::new(), span));
                for part in &inner.fields {
                    let (name, place) = (member(&part.member), self.span(part));
                    let field = self.add(ExprKind::Field { base: value, name, name_span: place }, place);
                    let Some(right) = self.test(&part.pat, field) else { continue };
                    all = Some(match all {
                        Some(left) => self.add(ExprKind::And { left, right }, span),
                        None => right,
                    });
                }
                all
            }
            Pat::Path(path) => {
                if path.path.is_ident("None") {
                    return Some(self.add(ExprKind::Not(value), span));
                }
                let steps = self.steps(&path.path);
                let right = self.path(&steps);
                Some(self.add(ExprKind::Compare { left: value, right, equal: true }, span))
            }
            Pat::Lit(literal) => {
                let right = self.literal(&literal.lit);
                Some(self.add(ExprKind::Compare { left: value, right, equal: true }, span))
            }
            Pat::Tuple(tuple) => {
                let mut all = None;
                for (at, part) in tuple.elems.iter().enumerate() {
                    let inner = self.field(value, at.to_string(), span);
                    let Some(right) = self.test(part, inner) else { continue };
                    all = Some(match all {
                        Some(left) => self.add(ExprKind::And { left, right }, span),
                        None => right,
                    });
                }
                all
            }
            Pat::Or(or) => {
                let mut any: Option<ExprId> = None;
                for case in &or.cases {
                    let right = self.test(case, value)?;
                    any = Some(match any {
                        Some(left) => {
                            self.add(ExprKind::Fallback { left, right, when: crate::ir::Missing::Falsy }, span)
                        }
                        None => right,
                    });
                }
                any
            }
            _ => Some(self.opaque("whether it fits a pattern", Vec::new(), span)),
        }
    }
}
