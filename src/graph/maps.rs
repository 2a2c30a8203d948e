//! What a `Map` holds, under a key or in all: `new Map([['clear', statement]]).get('clear')`.

use std::sync::Arc;

use crate::graph::Graph;
use crate::source::Span;
use crate::summary::{CallValue, Member, Shared, Value, ValueKind};

/// Longer maps are not looked into.
const LARGEST_MAP: usize = 64;

impl Graph<'_> {
    /// What a `Map` that is written out, or filled by `set`, holds under a key; under any where the key cannot be told.
    pub(super) fn looked_up(&self, call: &CallValue) -> Option<Shared> {
        let ([key], Some("get")) = (call.args.as_slice(), call.method()) else { return None };
        let pairs = self.pairs(call.receiver()?)?;
        let text = |value: &Shared| match &self.resolved(value).kind {
            ValueKind::Text(text) => Some(text.clone()),
            _ => None,
        };
        if let Some(wanted) = text(&key.value)
            && let Some((_, value)) = pairs.iter().find(|(key, _)| text(key).as_ref() == Some(&wanted))
        {
            return Some(Arc::clone(value));
        }
        let values: Vec<Shared> = pairs.into_iter().map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| Value::new(ValueKind::Either(values), call.site.span))
    }

    /// What `entries()`, `values()` or `keys()` of such a `Map` gives.
    pub(super) fn enumerated(&self, call: &CallValue) -> Option<Shared> {
        let ([], Some(method @ ("entries" | "values" | "keys"))) = (call.args.as_slice(), call.method()) else {
            return None;
        };
        let pairs = self.pairs(call.receiver()?)?;
        Some(list(pairs, call.site.span, |(key, value)| match method {
            "entries" => pair(key, value),
            "values" => value,
            _ => key,
        }))
    }

    /// Such a `Map` as the list of pairs that a loop goes through.
    pub(super) fn map_of_pairs(&self, map: &Shared) -> Option<Shared> {
        let pairs = self.pairs(map)?;
        Some(list(pairs, map.span, |(key, value)| pair(key, value)))
    }

    /// Keys and values of a `Map` that is written out or filled by `set`, the last first.
    fn pairs(&self, map: &Shared) -> Option<Vec<(Shared, Shared)>> {
        let mut pairs: Vec<(Shared, Shared)> = Vec::new();
        let mut at = Arc::clone(map);
        for _ in 0..LARGEST_MAP {
            at = match &at.kind {
                // What a function that is handed the map puts into it is not seen.
                ValueKind::After { arg: Some(_), .. } => return None,
                ValueKind::After { call, before, .. } => {
                    if let ([key, value], Some("set")) = (call.args.as_slice(), call.method()) {
                        pairs.push((Arc::clone(&key.value), Arc::clone(&value.value)));
                    }
                    Arc::clone(before)
                }
                ValueKind::Call(_) => break,
                _ => self.expand(&at).filter(|next| !Arc::ptr_eq(next, &at))?,
            };
        }
        let ValueKind::Call(made) = &at.kind else { return None };
        if !made.is_new || !matches!(&made.callee.kind, ValueKind::Global(name) if name == "Map") {
            return None;
        }
        let given = made.args.first().map(|arg| self.resolved(&arg.value));
        if let Some(ValueKind::Array(members)) = given.as_ref().map(|given| &given.kind) {
            for member in members.iter().take(LARGEST_MAP) {
                let (Member::One(pair) | Member::Each(pair)) = member else { return None };
                let ValueKind::Array(pair) = &self.resolved(pair).kind else { return None };
                let [Member::One(key), Member::One(value)] = pair.as_slice() else { return None };
                pairs.push((Arc::clone(key), Arc::clone(value)));
            }
        }
        Some(pairs)
    }
}

fn pair(key: Shared, value: Shared) -> Shared {
    let span = value.span;
    Value::new(ValueKind::Array(vec![Member::One(key), Member::One(value)]), span)
}

fn list(pairs: Vec<(Shared, Shared)>, span: Span, each: impl Fn((Shared, Shared)) -> Shared) -> Shared {
    Value::new(ValueKind::Array(pairs.into_iter().map(|pair| Member::Each(each(pair))).collect()), span)
}
