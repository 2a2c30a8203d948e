//! What a `Map` holds under a key: `new Map([['clear', statement]]).get('clear')`.

use std::sync::Arc;

use crate::graph::Graph;
use crate::summary::{CallValue, Member, Shared, Value, ValueKind};

/// Longer maps are not looked into.
const LARGEST_MAP: usize = 64;

impl Graph<'_> {
    /// What a `Map` that is written out, or filled by `set`, holds under a key; under any where the key cannot be told.
    pub(super) fn looked_up(&self, call: &CallValue) -> Option<Shared> {
        let ([key], Some("get")) = (call.args.as_slice(), call.method()) else { return None };
        let mut pairs: Vec<(Shared, Shared)> = Vec::new();
        let mut at = self.resolved(call.receiver()?);
        for _ in 0..LARGEST_MAP {
            let ValueKind::After { call: set, before, .. } = &at.kind else { break };
            if let ([key, value], Some("set")) = (set.args.as_slice(), set.method()) {
                pairs.push((Arc::clone(&key.value), Arc::clone(&value.value)));
            }
            at = self.resolved(before);
        }
        let ValueKind::Call(made) = &at.kind else { return None };
        if !made.is_new || !matches!(&made.callee.kind, ValueKind::Global(name) if name == "Map") {
            return None;
        }
        let given = made.args.first().map(|arg| self.resolved(&arg.value));
        if let Some(ValueKind::Array(members)) = given.as_ref().map(|given| &given.kind) {
            for member in members.iter().take(LARGEST_MAP) {
                let Member::One(pair) = member else { return None };
                let ValueKind::Array(pair) = &self.resolved(pair).kind else { return None };
                let [Member::One(key), Member::One(value)] = pair.as_slice() else { return None };
                pairs.push((Arc::clone(key), Arc::clone(value)));
            }
        }
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
}
