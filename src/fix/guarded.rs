//! Whether code is reached only where the row has a value already.

use crate::fix::code::{Code, contains};
use crate::fix::pass_token::each;
use crate::ir::{Expr, ExprId, ExprKind, Module, Stmt};
use crate::source::Span;

/// A condition on the row's own column that decides whether a path comes to one of these places.
pub(super) fn guard(code: Code<'_>, property: &str, places: impl IntoIterator<Item = Span>) -> Option<Span> {
    places.into_iter().find_map(|at| {
        let (module, around) = (code.module(at.file)?, code.function_at(at, true)?);
        let names_column = |cond: ExprId| {
            let cond = module.expr(cond).span;
            let mut inside = module.exprs.iter().filter(|expr| contains(cond, expr.span));
            let is_it = |expr: &Expr| matches!(&expr.kind, ExprKind::Field { name, .. } if name == property);
            inside.any(is_it).then_some(cond)
        };
        let within = |id: ExprId| contains(module.expr(id).span, at);
        let chosen =
            module.exprs.iter().filter(|expr| contains(around.span, expr.span)).find_map(|expr| match &expr.kind {
                ExprKind::And { left, right } if within(*right) => names_column(*left),
                ExprKind::Cond { cond, then, otherwise } if within(*then) || within(*otherwise) => names_column(*cond),
                _ => None,
            });
        let inner = module.functions.iter().filter(|f| contains(around.span, f.span) && contains(f.span, at));
        chosen.or_else(|| {
            inner.into_iter().find_map(|function| branch(module, &function.body, at).into_iter().find_map(names_column))
        })
    })
}

/// The conditions under which a list of statements comes to a place: of the branches around it, and of those before it that leave.
fn branch(module: &Module, body: &[Stmt], at: Span) -> Vec<ExprId> {
    let mut found = Vec::new();
    for stmt in body {
        let leaves = |body: &[Stmt]| matches!(body.last(), Some(Stmt::Return(_) | Stmt::Throw(_)));
        match stmt {
            Stmt::If { cond, then, otherwise } => {
                let (in_then, in_otherwise) = (holds(module, then, at), holds(module, otherwise, at));
                let is_before = module.expr(*cond).span.end <= at.start;
                if in_then || in_otherwise || is_before && (leaves(then) || leaves(otherwise)) {
                    found.push(*cond);
                }
                if in_then || in_otherwise {
                    found.extend(branch(module, if in_then { then } else { otherwise }, at));
                }
            }
            Stmt::Loop { body } => found.extend(branch(module, body, at)),
            Stmt::Try { body, catch, finally } => {
                found.extend([body, catch, finally].into_iter().flat_map(|part| branch(module, part, at)));
            }
            _ => {}
        }
    }
    found
}

/// Whether a place stands in one of the statements.
fn holds(module: &Module, body: &[Stmt], at: Span) -> bool {
    let mut is_there = false;
    each(body, &mut |stmt| {
        let value = match stmt {
            Stmt::Assign { value, .. } | Stmt::Expr(value) | Stmt::Return(Some(value)) | Stmt::Throw(Some(value)) => {
                Some(*value)
            }
            Stmt::If { cond, .. } => Some(*cond),
            _ => None,
        };
        is_there |= value.is_some_and(|value| contains(module.expr(value).span, at));
    });
    is_there
}
