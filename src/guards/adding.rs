//! Calls that only add to a query which a variable holds, and leave what they give alone: `query.andWhere('user.isActive = true');`.

use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::walk::Walk;
use crate::ir::{Binding, ExprId, ExprKind, Module, Stmt};
use crate::rules::Tells;
use crate::source::Span;
use crate::summary::{CallSite, CallValue, FunctionRef, Value, ValueKind};

impl Walk<'_, '_> {
    /// The call that began the query which a call adds to, where that is all that it does.
    pub(super) fn adds_to(&self, function: FunctionRef, call: &CallValue) -> Option<Arc<CallValue>> {
        let depth = depth_in_statement(self.graph, function, call.site)?;
        let runs = |call: &CallValue| {
            let is_condition = |name| self.graph.rules.tells(Tells::Condition, &str::to_lowercase(name));
            let hands = call.args.iter().any(|arg| matches!(arg.value.kind, ValueKind::Function(_)));
            hands && !call.method().is_some_and(is_condition)
        };
        let mut at = call.receiver()?;
        for _ in 0..depth {
            let ValueKind::Call(inner) = &at.kind else { return None };
            at = inner.receiver().filter(|_| !runs(inner))?;
        }
        match &Value::before_calls(at).kind {
            ValueKind::Call(begun) if !runs(call) => Some(Arc::clone(begun)),
            _ => None,
        }
    }
}

/// Whether a call only makes another query, which nobody runs: `query.where('is_active', '=', true);` of a builder that stays as it is.
pub(super) fn is_lost(graph: &Graph, function: FunctionRef, call: &CallValue) -> bool {
    let mut rows = graph.rules.copies().peekable();
    rows.peek().is_some()
        && depth_in_statement(graph, function, call.site).is_some()
        && graph.library_path(call).is_some_and(|path| rows.any(|row| row.call.matches(&path)))
}

/// How many calls stand between a call and the variable that its chain begins with, where the chain is a statement that nobody waits for.
fn depth_in_statement(graph: &Graph, function: FunctionRef, site: CallSite) -> Option<usize> {
    if graph.is_rust(function.file) || site.function != function {
        return None;
    }
    let (module, declared) = (graph.module(function.file)?, graph.function(function)?);
    let mut found = None;
    statements(&declared.body, &mut |value| {
        let chain = chain(module, value);
        if let Some(at) = chain.iter().position(|id| *id == site.expr) {
            found = Some((module.expr(value).span, chain.len() - 1 - at));
        }
    });
    found.filter(|(span, _)| !is_awaited(&graph.sources.get(function.file).text, *span)).map(|(_, depth)| depth)
}

fn is_awaited(text: &str, span: Span) -> bool {
    let before = text.get(..span.start as usize).unwrap_or_default().trim_end();
    before.ends_with("await") || text.get(span.start as usize..).is_some_and(|from| from.starts_with("await "))
}

/// The values of statements that are no more than these.
fn statements(body: &[Stmt], note: &mut dyn FnMut(ExprId)) {
    for statement in body {
        match statement {
            Stmt::Expr(value) => note(*value),
            Stmt::If { then, otherwise, .. } => {
                statements(then, note);
                statements(otherwise, note);
            }
            Stmt::Loop { body } => statements(body, note),
            Stmt::Try { body, catch, finally } => {
                for part in [body, catch, finally] {
                    statements(part, note);
                }
            }
            Stmt::Assign { .. } | Stmt::Return(_) | Stmt::Throw(_) => {}
        }
    }
}

/// The calls of a chain that begins with a variable, the last first; none where it begins with anything else.
fn chain(module: &Module, last: ExprId) -> Vec<ExprId> {
    let (mut calls, mut at) = (Vec::new(), last);
    for _ in 0..40 {
        match &module.expr(at).kind {
            ExprKind::Call(call) => {
                calls.push(at);
                let ExprKind::Field { base, .. } = &module.expr(call.callee).kind else { break };
                at = *base;
            }
            ExprKind::Name(Binding::Local(_)) => return calls,
            _ => break,
        }
    }
    Vec::new()
}
