//! SQL that a call hands to a function of the tree, which runs it: `query(text, params) { return pool.query(text, params) }`.

use std::sync::Arc;

use crate::graph::Graph;
use crate::rules::SqlCall;
use crate::sites::bound::Params;
use crate::sites::{sql, texts};
use crate::summary::{CallValue, FunctionRef, Shared, Slot, Value, ValueKind};

/// How many functions around the call that runs it are looked through.
const DEEPEST: u8 = 4;

/// The SQL texts that what a call reaches runs for it, with what it hands over for their placeholders.
pub(super) fn run(graph: &Graph, rows: &[&SqlCall], call: &CallValue) -> Vec<(Shared, Params)> {
    inside(graph, rows, call, DEEPEST)
}

fn inside(graph: &Graph, rows: &[&SqlCall], call: &CallValue, fuel: u8) -> Vec<(Shared, Params)> {
    let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
    if !call.args.iter().any(|arg| is_sql(graph, &arg.value, DEEPEST)) {
        return Vec::new();
    }
    for target in graph.targets(call).iter() {
        let bindings = target.bindings.clone().unwrap_or_else(|| graph.bind(call, target.function));
        let mut found: Vec<(Shared, Params)> = Vec::new();
        for inner in graph.calls_inside(target.function) {
            let inner = Value::new(ValueKind::Call(Arc::clone(inner)), inner.site.span);
            if !inner.is_open() || !graph.step() {
                continue;
            }
            let inner = graph.substitute(&inner, &bindings);
            let ValueKind::Call(inner) = &inner.kind else { continue };
            let mut runs = sql::run(graph, rows, inner);
            if runs.is_empty() {
                runs = inside(graph, rows, inner, fuel);
            }
            found.extend(runs.into_iter().filter(|(text, _)| !is_own(graph, text, target.function)));
        }
        // Of `params ? pool.query(text, params) : pool.query(text)` the first says more.
        if found.iter().any(|(_, params)| !matches!(params, Params::Unknown)) {
            found.retain(|(_, params)| !matches!(params, Params::Unknown));
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Whether an argument is SQL, or an object that has some under a key.
fn is_sql(graph: &Graph, value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    if texts::is_put_together(value) {
        return true;
    }
    // What a constant holds; to look behind anything else would cost too much for what it finds.
    let is_name = match &value.kind {
        ValueKind::Field(base, _) => {
            matches!(base.kind, ValueKind::Captured(..) | ValueKind::Import(..) | ValueKind::Class(_))
        }
        kind => matches!(kind, ValueKind::Captured(..) | ValueKind::Import(..)),
    };
    let value = if is_name { graph.resolved(value) } else { Arc::clone(value) };
    match &value.kind {
        ValueKind::Sql(..) => true,
        ValueKind::Object { entries, .. } => entries.iter().any(|entry| match entry {
            Slot::Named { value, .. } | Slot::Spread(value) => is_sql(graph, value, fuel),
            Slot::Computed { .. } => false,
        }),
        ValueKind::Cond { then: left, otherwise: right, .. } | ValueKind::Fallback { left, right, .. } => {
            is_sql(graph, left, fuel) || is_sql(graph, right, fuel)
        }
        _ => texts::is_put_together(&value),
    }
}

/// Whether a text stands in the function that runs it: what it runs for itself is no matter of who calls it.
fn is_own(graph: &Graph, text: &Shared, function: FunctionRef) -> bool {
    let around = graph.function(function).map(|function| function.span);
    around.is_some_and(|around| {
        around.file == text.span.file && around.start <= text.span.start && text.span.end <= around.end
    })
}
