//! What calls state: where a life or a key stands among their arguments.

use std::sync::Arc;

use crate::graph::Graph;
use crate::rules::{ArgPath, Life as Row};
use crate::summary::{CallValue, Shared, Slot, Value, ValueKind};

/// The options that may state a life.
pub(super) fn options(graph: &Graph, row: &Row, call: &CallValue) -> Vec<Shared> {
    let wholes = row.at.iter().map(|path| ArgPath { base: path.base, keys: Vec::new() });
    let given = wholes.filter_map(|path| graph.argument(call, &path).into_iter().next());
    given.map(|value| graph.resolved(&value)).collect()
}

/// Whether a value is an object whose keys are all written out, and where it holds further objects those too.
pub(super) fn is_closed(graph: &Graph, value: &Shared) -> bool {
    fn visit(graph: &Graph, value: &Shared, fuel: u8, is_spread: bool) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        let value = graph.resolved(value);
        match &value.kind {
            ValueKind::Object { base: None, entries } => entries.iter().all(|slot| match slot {
                Slot::Named { value, .. } => {
                    !matches!(value.kind, ValueKind::Object { .. } | ValueKind::Function(_))
                        || visit(graph, value, fuel, false)
                }
                Slot::Spread(value) => visit(graph, value, fuel, true),
                Slot::Computed { .. } => false,
            }),
            // `...(options && options)` where none are handed in.
            ValueKind::Undefined | ValueKind::Null => is_spread,
            ValueKind::And(left, _) => is_spread && visit(graph, left, fuel, true),
            ValueKind::Function(function) => {
                let returns = graph.summary(*function).and_then(|summary| summary.returns.as_ref());
                returns.is_some_and(|value| visit(graph, value, fuel, false))
            }
            _ => false,
        }
    }
    visit(graph, value, 6, false)
}

/// The value that says how long.
pub(super) fn stated(graph: &Graph, row: &Row, call: &CallValue) -> Option<Shared> {
    if row.made {
        let maker = maker(graph, call)?;
        return row.at.iter().find_map(|path| below(graph, &maker, path));
    }
    let Some(after) = &row.after else { return row.at.iter().find_map(|path| below(graph, call, path)) };
    let mut at = call;
    for _ in 0..12 {
        let ValueKind::Call(inner) = &at.receiver()?.kind else { return None };
        if inner.method() == Some(after) {
            return row.at.iter().find_map(|path| below(graph, inner, path));
        }
        at = inner;
    }
    None
}

/// The call that made what a call calls.
pub(super) fn maker(graph: &Graph, call: &CallValue) -> Option<Arc<CallValue>> {
    match &graph.resolved(&call.callee).kind {
        ValueKind::Call(maker) => Some(Arc::clone(maker)),
        _ => None,
    }
}

/// What stands at a path, through functions that make what they are asked for: `useFactory: () => ({ .. })`.
pub(super) fn below(graph: &Graph, call: &CallValue, path: &ArgPath) -> Option<Shared> {
    let whole = ArgPath { base: path.base, keys: Vec::new() };
    let mut at = graph.argument(call, &whole).into_iter().next()?;
    // A function in the place of options is handed what the call makes.
    if matches!(at.kind, ValueKind::Function(_)) && !path.keys.is_empty() {
        return None;
    }
    for key in &path.keys {
        at = graph.resolved(&at);
        // `useClass: JwtConfigService`, whose `createJwtOptions` gives them.
        let class = graph.class_of_provider(&at);
        if let Some(method) = class.and_then(|class| graph.method(class, key)) {
            at = Value::new(ValueKind::Function(method), at.span);
            continue;
        }
        if let ValueKind::Function(function) = &at.kind {
            at = graph.resolved(graph.summary(*function)?.returns.as_ref()?);
        }
        at = struct_fields(graph, &at).unwrap_or(at);
        at = Value::field(&at, key, at.span);
        // What an absent object would hold is absent too.
        if matches!(at.kind, ValueKind::Undefined) {
            return None;
        }
    }
    (!matches!(at.kind, ValueKind::Undefined)).then_some(at)
}

/// The fields of a struct literal, `Claims { sub }`, whose declaration neither flattens another into it nor calls a field `exp`.
pub(super) fn struct_fields(graph: &Graph, value: &Shared) -> Option<Shared> {
    let ValueKind::Object { base: Some(made), entries } = &value.kind else { return None };
    let ValueKind::Call(call) = &made.kind else { return None };
    let class = graph.class_behind(&call.callee).filter(|class| call.is_new && graph.is_rust(class.file))?;
    let declared = graph.sources.text(graph.class(class)?.span);
    let plain = !declared.contains("flatten") && !declared.contains("\"exp\"");
    plain.then(|| Value::new(ValueKind::Object { base: None, entries: entries.clone() }, value.span))
}
