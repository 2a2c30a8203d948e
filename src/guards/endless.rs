//! Tokens that are signed without an end.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::graph::Graph;
use crate::guards::callers::as_called;
use crate::guards::claims::{about, holds_call};
use crate::guards::life::Lives;
use crate::guards::stated::{is_closed, maker, options, stated, struct_fields};
use crate::rules::{Life, Tells};
use crate::source::{Scope, Span};
use crate::summary::{CallValue, FunctionRef, Shared, Slot, ValueKind};

/// Where a call signs tokens without an end: its own place, or those of the callers that hand it all that it signs.
pub(super) fn endless(
    graph: &Graph,
    lives: &Lives,
    function: FunctionRef,
    call: &CallValue,
) -> Vec<(FunctionRef, Span)> {
    let signs = graph.rules.lives_named(call.method()).filter(|row| row.payload.is_some());
    let signs = about(graph, signs, call);
    // Each row names a place where a life may stand: none of them does.
    if signs.is_empty() || signs.iter().any(|row| !lives.has_no_other(row) || states(graph, row, call)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    follow(graph, &signs, function, call, 2, &mut found);
    found
}

/// The functions that hand a call which signs its claims or options: how long a token lives is told where they are called.
pub(super) fn signing_for_others(graph: &Graph) -> BTreeSet<FunctionRef> {
    let _limit = graph.limit(Rc::default());
    let mut found = BTreeSet::new();
    let mut note = |call: &CallValue, fuel: u8| {
        let mut open = vec![(call.clone(), fuel)];
        while let Some((call, fuel)) = open.pop() {
            let Some(of) = call.args.iter().find_map(|arg| param_of(graph, &arg.value)) else { continue };
            if found.insert(of) && fuel > 0 {
                open.extend(as_called(graph, of, &call).into_iter().map(|(_, bound)| (bound, fuel - 1)));
            }
        }
    };
    let production = graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production);
    for event in production.flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls) {
        let signs = graph.rules.lives_named(event.call.method()).filter(|row| row.payload.is_some());
        if !about(graph, signs, &event.call).is_empty() {
            note(&event.call, 1);
        }
    }
    found
}

fn follow(
    graph: &Graph,
    rows: &[&Life],
    function: FunctionRef,
    call: &CallValue,
    fuel: u8,
    found: &mut Vec<(FunctionRef, Span)>,
) {
    if rows.iter().all(|row| is_endless(graph, row, function, call)) {
        found.push((function, call.site.span));
        return;
    }
    // A wrapper is handed the claims or the options: each of its callers is a place.
    let handed = call.args.iter().find_map(|arg| param_of(graph, &arg.value));
    let (Some(of), Some(fuel)) = (handed, fuel.checked_sub(1)) else { return };
    for (caller, bound) in as_called(graph, of, call) {
        if !rows.iter().any(|row| states(graph, row, &bound)) {
            follow(graph, rows, caller, &bound, fuel, found);
        }
    }
}

/// Whether a life is stated, rather than perhaps handed in.
fn states(graph: &Graph, row: &Life, call: &CallValue) -> bool {
    let handed = |value: &Shared| match &value.kind {
        ValueKind::Field(base, _) => param_of(graph, base).is_some(),
        _ => false,
    };
    stated(graph, row, call).is_some_and(|value| !handed(&value) && !is_nothing(graph, &value))
}

/// `exp: None`
fn is_nothing(graph: &Graph, value: &Shared) -> bool {
    matches!(graph.resolved(value).kind, ValueKind::Null | ValueKind::Undefined)
}

/// The function whose parameter a value is, with or without a default.
fn param_of(graph: &Graph, value: &Shared) -> Option<FunctionRef> {
    match &graph.resolved(value).kind {
        ValueKind::Param(of, _) => Some(*of),
        ValueKind::Fallback { left, .. } => param_of(graph, left),
        _ => None,
    }
}

/// Whether a call signs a token with claims and options that are all written out, and no end among them.
fn is_endless(graph: &Graph, row: &Life, function: FunctionRef, call: &CallValue) -> bool {
    let Some(path) = &row.payload else { return false };
    let (payload, options) = if let Some(after) = &row.after {
        let Some(start) = start(call) else { return false };
        // `const token = new SignJWT(claims); token.setExpirationTime(life); token.sign(key)`
        let calls = graph.summary(function).map_or(&[][..], |summary| summary.calls.as_slice());
        let sets = calls.iter().map(|event| &event.call).any(|other| {
            other.method() == Some(after) && other.receiver().is_some_and(|at| holds_call(at, start.site))
        });
        if sets {
            return false;
        }
        (graph.argument(start, path), Vec::new())
    } else if row.made {
        let Some(made_by) = maker(graph, call) else { return false };
        (graph.argument(call, path), options(graph, row, &made_by))
    } else {
        // A function among the arguments is handed the token.
        let options = options(graph, row, call);
        let options = options.into_iter().filter(|value| !matches!(value.kind, ValueKind::Function(_))).collect();
        (graph.argument(call, path), options)
    };
    let Some(payload) = payload.into_iter().next() else { return false };
    options.iter().all(|value| is_closed(graph, value) || struct_fields(graph, value).is_some())
        && claims_without_end(graph, &payload)
}

/// The `new` that a chain starts from.
pub(super) fn start(call: &CallValue) -> Option<&CallValue> {
    let mut at = call;
    for _ in 0..20 {
        let ValueKind::Call(inner) = &at.receiver()?.kind else { return None };
        if inner.is_new {
            return Some(inner);
        }
        at = inner;
    }
    None
}

fn claims_without_end(graph: &Graph, payload: &Shared) -> bool {
    let payload = graph.resolved(payload);
    let object = struct_fields(graph, &payload).unwrap_or(payload);
    // Whoever puts `expires` into it ends it by a look at that.
    let ends = |key: &str| graph.rules.tells(Tells::End, &key.to_lowercase());
    let has_end = matches!(&object.kind, ValueKind::Object { entries, .. }
        if entries.iter().any(|slot| matches!(slot, Slot::Named { key, value, .. } if ends(key) && !is_nothing(graph, value))));
    let is_written = matches!(&object.kind, ValueKind::Object { base: None, entries }
        if entries.iter().all(|slot| matches!(slot, Slot::Named { .. })));
    is_written && !has_end
}
