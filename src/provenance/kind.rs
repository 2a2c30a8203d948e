//! What tells tokens of one signer apart.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::summary::{Shared, Slot, ValueKind};

/// The names of the claims with the texts among them, the life, the key: of what a mint is given, claims first.
pub(super) fn kind_of(graph: &Graph, given: &[Shared]) -> String {
    let kinds = given.iter().enumerate().map(|(at, given)| kind(graph, given, at > 0, 6));
    kinds.collect::<Vec<_>>().join("\n")
}

/// A number among the claims is an id, one among the options a life.
fn kind(graph: &Graph, given: &Shared, with_numbers: bool, fuel: u8) -> String {
    graph.refuel();
    let given = graph.resolved(given);
    let constant = |value: &Shared| match &value.kind {
        ValueKind::Text(text) => Some(text.clone()),
        ValueKind::Number(text) if with_numbers => Some(text.clone()),
        _ => None,
    };
    let (ValueKind::Object { base, entries }, Some(fuel)) = (&given.kind, fuel.checked_sub(1)) else {
        return constant(&given).unwrap_or_else(|| graph.sources.text(given.span).to_owned());
    };
    let inner_kind = |value: &Shared| kind(graph, value, with_numbers, fuel);
    let mut names: BTreeSet<String> = base.iter().map(inner_kind).collect();
    names.extend(entries.iter().map(|entry| match entry {
        Slot::Named { key, value, .. } => match constant(&graph.resolved(value)) {
            Some(constant) => format!("{key}={constant}"),
            None => key.clone(),
        },
        Slot::Computed { key, .. } => inner_kind(key),
        Slot::Spread(inner) => inner_kind(inner),
    }));
    names.into_iter().collect::<Vec<_>>().join(" ")
}
