//! Calls of a middleware that run what stands behind it, keep something on the request, or answer it.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::guards::miss::{Run, is_param};
use crate::ir::{ExprKind, Place, Stmt};
use crate::rules::{Attach, Guard};
use crate::source::FileId;
use crate::summary::{CallValue, Shared, ValueKind};

impl Run<'_, '_, '_> {
    /// Whether statements do more than assign and write down.
    pub(super) fn does_something(&self, statements: &[Stmt]) -> bool {
        statements.iter().any(|statement| match statement {
            Stmt::Expr(value) => {
                matches!(self.module.expr(*value).kind, ExprKind::Call(_))
                    && !self.only_records(*value, true)
                    && !self.only_changes(*value)
            }
            Stmt::If { then, otherwise, .. } => self.does_something(then) || self.does_something(otherwise),
            Stmt::Loop { body } | Stmt::Try { body, .. } => self.does_something(body),
            Stmt::Assign { .. } => false,
            Stmt::Return(_) | Stmt::Throw(_) => true,
        })
    }

    /// Whether statements put something on the request, or on anything else that is not the function's own.
    pub(super) fn attaches(&self, statements: &[Stmt]) -> bool {
        statements.iter().any(|statement| match statement {
            Stmt::Assign { target: Place::Local(local), value, .. } => {
                (!self.is_own(*local) || is_param(self.module, *local)) && !self.is_of_test(*value)
            }
            Stmt::Assign { value, .. } => !self.is_of_test(*value),
            Stmt::Expr(value) => self.is_attached(*value) && !self.is_of_test(*value),
            Stmt::If { then, otherwise, .. } => self.attaches(then) || self.attaches(otherwise),
            Stmt::Loop { body } | Stmt::Try { body, .. } => self.attaches(body),
            Stmt::Return(_) | Stmt::Throw(_) => false,
        })
    }
}

/// Whether a call runs what stands behind a middleware in Rust: `next.run(req)`, `next.call(req)`, `self.inner.call(req)` of a service.
pub(super) fn runs_the_rest(graph: &Graph, call: &CallValue) -> bool {
    let Some(receiver) = call.receiver() else { return false };
    matches!(receiver.kind, ValueKind::Param(..) | ValueKind::Captured(..))
        && matches!(graph.type_of(receiver), Type::External(path, _) if graph.rules.rest().any(|row| row.of.as_ref().is_some_and(|of| of.matches(&path))))
        || runs_inner(graph, call, receiver)
}

/// Whether what stands below this key of a parameter runs what stands behind: `({ ctx, next }) => next({ ctx })`.
pub(super) fn runs_by_key(graph: &Graph, file: FileId, name: &str) -> bool {
    graph.rules.rest().any(|row| row.is_key(name, &graph.sources.get(file).path))
}

/// Whether the method that a service itself is run by is called on what it holds, or on a clone of that.
fn runs_inner(graph: &Graph, call: &CallValue, receiver: &Shared) -> bool {
    let is_service = |row: &Guard| !row.made_by.is_empty() && row.method.iter().any(|name| call.method() == Some(name));
    if !graph.is_rust(call.site.span.file) || !graph.rules.guard().any(is_service) {
        return false;
    }
    let is_self = |base: &Shared| match base.kind {
        ValueKind::This(_) => true,
        ValueKind::Param(function, 0) => graph.function(function).is_some_and(|function| function.takes_self),
        _ => false,
    };
    let mut at = graph.resolved(receiver);
    for _ in 0..6 {
        at = match &at.kind {
            ValueKind::Field(base, _) if is_self(base) => {
                return graph.targets(call).is_empty();
            }
            // `std::mem::replace(&mut self.inner, clone)`
            ValueKind::Call(inner) => match inner.receiver().or(inner.args.first().map(|arg| &arg.value)) {
                Some(next) => graph.resolved(next),
                None => return false,
            },
            ValueKind::After { before, .. } => Arc::clone(before),
            _ => return false,
        };
    }
    false
}

/// Whether a call keeps what it is handed on the request: `request.extensions_mut().insert(user)`, `c.set('user', user)`.
pub(super) fn attaches(graph: &Graph, call: &CallValue) -> bool {
    let mut rows = graph.rules.attach().filter(|row| row.call.last() == call.method()).peekable();
    if rows.peek().is_none() {
        return false;
    }
    let on = call.receiver().and_then(|receiver| match &receiver.kind {
        ValueKind::Call(inner) => inner.method(),
        ValueKind::Field(_, name) => Some(name.as_str()),
        _ => None,
    });
    let fits = |row: &Attach| match on {
        Some(on) if !row.on.is_empty() => row.on.iter().any(|name| name == on),
        _ => row.on.is_empty() && starts_at_param(call),
    };
    rows.any(fits)
}

/// Whether a call answers the request: `res.json(..)`, `c.json(..)`.
pub(super) fn answers(graph: &Graph, call: &CallValue) -> bool {
    let answers = |path: String| graph.rules.harmless_matching(&path).any(|row| row.answers);
    starts_at_param(call) && graph.library_path(call).is_some_and(answers)
}

/// Whether a call is one of a parameter: `res.status(401).json(..)`.
fn starts_at_param(call: &CallValue) -> bool {
    let mut at = call.receiver();
    for _ in 0..6 {
        at = match at.map(|value| &value.kind) {
            Some(ValueKind::Param(..) | ValueKind::Captured(..)) => return true,
            Some(ValueKind::Call(inner)) => inner.receiver(),
            Some(ValueKind::Field(base, _) | ValueKind::After { before: base, .. }) => Some(base),
            Some(ValueKind::Object { base, .. }) => base.as_ref(),
            _ => return false,
        };
    }
    false
}
