//! What the placeholders of SQL text stand for: the values that a call hands over with it.

use std::sync::Arc;

use crate::graph::Graph;
use crate::rules::{ArgBase, ArgPath};
use crate::sites::models;
use crate::sites::texts::{self, Element};
use crate::sites::ways::{Condition, conditions, go_together};
use crate::source::Span;
use crate::summary::{CallValue, Shared, Slot, Value, ValueKind};

/// What the placeholders of a text stand for.
pub(super) enum Params {
    /// An array of values.
    Array(Shared),
    List(Vec<Shared>),
    /// Of a list that is filled in several ways the values of one; a text that needs more is none of that way.
    Way(Vec<Shared>, Shared),
    Unknown,
}

/// The values at the place that a row names.
pub(super) fn params(graph: &Graph, call: &CallValue, path: Option<&ArgPath>) -> Params {
    let Some(path) = path else { return Params::Unknown };
    // A list of values has no key `replacements`.
    let whole = ArgPath { keys: Vec::new(), ..path.clone() };
    if !path.keys.is_empty() && graph.argument(call, &whole).iter().any(|value| is_list(graph, value, 6)) {
        return Params::Unknown;
    }
    let values: Vec<Shared> = graph
        .argument(call, path)
        .into_iter()
        // In Rust nothing is a value too: `query!(text, None::<String>, id)`.
        .filter(|value| match value.kind {
            ValueKind::Undefined => graph.is_rust(call.site.span.file),
            ValueKind::Function(_) => false,
            _ => true,
        })
        .collect();
    if let ArgBase::From(_) = path.base {
        return match values.as_slice() {
            // `query!(text, bytes)`: in Rust a list is one value.
            [only] if !graph.is_rust(only.span.file) && matches!(graph.resolved(only).kind, ValueKind::Array(_)) => {
                Params::Array(graph.resolved(only))
            }
            _ => Params::List(values),
        };
    }
    values.into_iter().next().map_or(Params::Unknown, |value| {
        let resolved = graph.resolved(&value);
        match &resolved.kind {
            ValueKind::Array(_) => Params::Array(resolved),
            // `(a, b)`
            ValueKind::Object { base: None, entries } if is_tuple(entries) => {
                let value = |entry: &Slot| match entry {
                    Slot::Named { value, .. } => Some(Arc::clone(value)),
                    Slot::Computed { .. } | Slot::Spread(_) => None,
                };
                Params::List(entries.iter().filter_map(value).collect())
            }
            // `params![a, b]`
            ValueKind::Call(call) if is_macro(graph, call) => {
                Params::List(call.args.iter().map(|arg| Arc::clone(&arg.value)).collect())
            }
            _ => Params::Array(value),
        }
    })
}

/// The values where some conditions hold: of a list that grows by the same ones, as the text does, the values of that way.
pub(super) fn under(graph: &Graph, params: Params, when: &[Condition]) -> Params {
    let list = match params {
        Params::Array(list) if !when.is_empty() && is_list(graph, &list, 6) => list,
        other => return other,
    };
    let ways = texts::elements(graph, &list, 60).into_iter();
    let ways: Vec<Vec<Element>> = ways.filter(|way| go_together(graph, &conditions(way), when)).collect();
    let [only] = ways.as_slice() else { return Params::Array(list) };
    let value = |element: &Element| match element {
        Element::One(value) => Some(Some(Arc::clone(value))),
        Element::If(_) => Some(None),
        Element::Each(_) | Element::Rest(_) => None,
    };
    let values: Option<Vec<Option<Shared>>> = only.iter().map(value).collect();
    match values {
        Some(values) => Params::Way(values.into_iter().flatten().collect(), list),
        None => Params::Array(list),
    }
}

/// What a list holds for the nth placeholder; a way to fill it that is too short is none that runs the text.
pub(super) fn nth(graph: &Graph, list: &Shared, at: usize, span: Span) -> Option<Shared> {
    let index = || Value::index(list, &Value::new(ValueKind::Number(at.to_string()), span), span);
    if !is_list(graph, list, 6) {
        return Some(index());
    }
    let ways = texts::filled(graph, list, 60);
    let is_known = |way: &[Element]| way.iter().take(at + 1).all(|element| matches!(element, Element::One(_)));
    let mut found: Vec<Shared> = Vec::new();
    for way in &ways {
        let value = match way.get(at) {
            Some(Element::One(value)) if is_known(way) => Arc::clone(value),
            None if is_known(way) => continue,
            _ => index(),
        };
        if !found.iter().any(|known| Arc::ptr_eq(known, &value)) {
            found.push(value);
        }
    }
    match found.as_slice() {
        [] => None,
        [only] => Some(Arc::clone(only)),
        _ => Some(Value::new(ValueKind::Either(found), span)),
    }
}

/// The nth value of each row of a list.
pub(super) fn of_rows(graph: &Graph, list: &Shared, at: usize, span: Span) -> Shared {
    let mut found: Vec<Shared> = Vec::new();
    let list = match &graph.resolved(list).kind {
        ValueKind::Call(call) => texts::joined_list(call).unwrap_or(list).clone(),
        _ => Arc::clone(list),
    };
    for way in texts::filled(graph, &list, 12) {
        for element in way {
            let row = match element {
                Element::One(row) | Element::Each(row) => row,
                Element::Rest(list) => Value::element(&list, span),
                Element::If(_) => continue,
            };
            found.extend(nth(graph, &graph.resolved(&row), at, span));
        }
    }
    if found.len() == 1 {
        return found.swap_remove(0);
    }
    Value::new(ValueKind::Either(found), span)
}

fn is_list(graph: &Graph, value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &graph.resolved(value).kind {
        ValueKind::Array(_) => true,
        ValueKind::Cond { then: left, otherwise: right, .. } | ValueKind::Fallback { left, right, .. } => {
            is_list(graph, left, fuel) || is_list(graph, right, fuel)
        }
        ValueKind::Either(values) => values.iter().any(|value| is_list(graph, value, fuel)),
        _ => false,
    }
}

fn is_tuple(entries: &[Slot]) -> bool {
    let mut entries = entries.iter().enumerate();
    entries.len() > 0 && entries.all(|(at, entry)| matches!(entry, Slot::Named { key, .. } if *key == at.to_string()))
}

fn is_macro(graph: &Graph, call: &CallValue) -> bool {
    graph.callee_path(call).is_some_and(|path| path.ends_with('!'))
}

/// The values of `.bind(a).bind(b)` between the call that holds the text and this one.
pub(super) fn bound_values(graph: &Graph, call: &CallValue, method: &str, after: Option<&str>) -> Params {
    let chain = call.receiver().map_or_else(Vec::new, |receiver| models::chain_calls(graph, receiver));
    let mut values: Vec<Shared> = chain
        .iter()
        .take_while(|call| after.is_none_or(|after| !models::is_called(graph, call, after)))
        .filter(|call| call.method() == Some(method))
        .filter_map(|call| call.args.first().map(|arg| Arc::clone(&arg.value)))
        .collect();
    values.reverse();
    Params::List(values)
}
