//! Procedures that a context is handed to: whether the middleware of each asks, or that of some only.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::guards::cleanup::throws;
use crate::guards::shapes::{Shapes, functions_behind};
use crate::rules::EntryKind;
use crate::source::Scope;
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

const LONGEST: u8 = 20;

/// Whether some procedure is behind middleware that refuses, and behind none that asks: `protectedProcedure`, which looks at the
/// context alone, beside a `checkedProcedure`.
pub(super) fn some_ask_nobody(
    graph: &Graph,
    shapes: &Shapes,
    names: &[String],
    asks: &mut dyn FnMut(FunctionRef) -> bool,
) -> bool {
    let middleware: BTreeSet<FunctionRef> = shapes.called(names).collect();
    let rows = graph.rules.entry().filter(|row| row.kind == EntryKind::Call);
    let ends: BTreeSet<&str> = rows.filter_map(|row| row.path.as_ref()?.last()).collect();
    let production = graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production);
    let calls = production.flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
    let procedures = calls.map(|event| &*event.call).filter(|call| {
        let hands = || call.args.iter().any(|arg| matches!(arg.value.kind, ValueKind::Function(_)));
        call.method().is_some_and(|name| ends.contains(name)) && hands()
    });
    let mut seen: BTreeSet<Vec<FunctionRef>> = BTreeSet::new();
    for call in procedures {
        graph.refuel();
        let before = run_before(graph, call, &middleware);
        if before.iter().any(|function| refuses(graph, *function)) && seen.insert(before.clone()) {
            let is_asked = before.into_iter().any(&mut *asks);
            if !is_asked {
                return true;
            }
        }
    }
    false
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
