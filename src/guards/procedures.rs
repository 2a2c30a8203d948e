//! Procedures that a context is handed to: what the middleware of each asks, or the procedure itself.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::guards::Proof;
use crate::guards::cleanup::throws;
use crate::guards::shapes::{Shapes, functions_behind};
use crate::rules::EntryKind;
use crate::source::Scope;
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

const LONGEST: u8 = 20;

/// What is asked of each procedure that is behind middleware which refuses: by that, or by itself. `protectedProcedure` may look at the context
/// alone, beside a `checkedProcedure`.
pub(super) fn asked(
    graph: &Graph,
    shapes: &Shapes,
    names: &[String],
    asks: &mut dyn FnMut(FunctionRef) -> Option<Proof>,
) -> Vec<(FunctionRef, Option<Proof>)> {
    let middleware: BTreeSet<FunctionRef> = shapes.called(names).collect();
    let rows = graph.rules.entry().filter(|row| row.kind == EntryKind::Call);
    let ends: BTreeSet<&str> = rows.filter_map(|row| row.path.as_ref()?.last()).collect();
    let production = graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production);
    let calls = production.flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
    let mut found = Vec::new();
    for call in calls.map(|event| &*event.call).filter(|call| call.method().is_some_and(|name| ends.contains(name))) {
        let handed = call.args.iter().find_map(|arg| match arg.value.kind {
            ValueKind::Function(function) => Some(function),
            _ => None,
        });
        let Some(procedure) = handed else { continue };
        graph.refuel();
        let before = run_before(graph, call, &middleware);
        if before.iter().any(|function| refuses(graph, *function)) {
            let proof = before.into_iter().chain([procedure]).find_map(&mut *asks);
            found.push((procedure, proof));
        }
    }
    found
}

/// The middleware in the chain that a procedure ends: `t.procedure.use(isAuthed).query(..)`.
fn run_before(graph: &Graph, call: &CallValue, middleware: &BTreeSet<FunctionRef>) -> Vec<FunctionRef> {
    let mut found = Vec::new();
    let mut at: Option<Shared> = call.receiver().map(|receiver| graph.resolved(receiver));
    for _ in 0..LONGEST {
        let Some(value) = at else { break };
        at = match &value.kind {
            ValueKind::Call(inner) => {
                let given = inner.args.iter().flat_map(|arg| functions_behind(graph, &arg.value, 6));
                found.extend(given.filter(|function| middleware.contains(function)));
                inner.receiver().map(|receiver| graph.resolved(receiver))
            }
            ValueKind::Field(base, _) => Some(graph.resolved(base)),
            _ => None,
        };
    }
    found
}

/// Whether a function ends a request by an error.
fn refuses(graph: &Graph, function: FunctionRef) -> bool {
    graph.function(function).is_some_and(|declared| throws(&declared.body))
}
