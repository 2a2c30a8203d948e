//! What tells tokens of one signer apart.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::summary::{Shared, Slot, ValueKind};

/// What a mint is given, as far as it tells one token from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// The names of the claims with the texts among them.
    claims: String,
    /// The texts among the claims: `refresh` in `{ sub, type: 'refresh' }`.
    constants: BTreeSet<String>,
    /// The life, the key.
    options: String,
}

impl Kind {
    /// Of what a mint is given, claims first.
    pub(super) fn of(graph: &Graph, given: &[Shared]) -> Self {
        Self::told(graph, given, Told::Written)
    }

    /// The same where settings count by their names too: of the calls of one signer, `sign(id, config.accessTtl)` makes another token than
    /// `sign(id, config.refreshTtl)`.
    pub(super) fn by_names(graph: &Graph, given: &[Shared]) -> Self {
        Self::told(graph, given, Told::Named)
    }

    fn told(graph: &Graph, given: &[Shared], options: Told) -> Self {
        let options: Vec<String> = given.iter().skip(1).map(|given| kind(graph, given, options, 6)).collect();
        let Some(claims) = given.first() else { return Self::default() };
        let constants = match &graph.resolved(claims).kind {
            ValueKind::Object { entries, .. } => entries.iter().filter_map(|entry| claim(graph, entry)).collect(),
            ValueKind::Text(text) => BTreeSet::from([text.clone()]),
            _ => BTreeSet::new(),
        };
        Self { claims: kind(graph, claims, Told::Texts, 6), constants, options: options.join("\n") }
    }

    /// Whether nothing tells the two apart: claims differ from one way to sign in to the other, the life and the key do not.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.constants == other.constants && self.options == other.options
    }
}

/// A claim whose value is written out.
fn claim(graph: &Graph, entry: &Slot) -> Option<String> {
    let Slot::Named { key, value, .. } = entry else { return None };
    match &graph.resolved(value).kind {
        // Nothing is no purpose.
        ValueKind::Text(text) if !text.is_empty() => Some(format!("{key}={text}")),
        _ => None,
    }
}

/// What of a value tells tokens apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Texts alone: a number among the claims is an id.
    Texts,
    /// Numbers too: one among the options is a life.
    Written,
    /// And the names of settings.
    Named,
}

fn kind(graph: &Graph, given: &Shared, told: Told, fuel: u8) -> String {
    graph.refuel();
    let given = graph.resolved(given);
    let constant = |value: &Shared| match &value.kind {
        ValueKind::Text(text) if !text.is_empty() => Some(text.clone()),
        ValueKind::Number(text) if told != Told::Texts => Some(text.clone()),
        ValueKind::Field(_, name) if told == Told::Named => Some(name.clone()),
        _ => None,
    };
    let (ValueKind::Object { base, entries }, Some(fuel)) = (&given.kind, fuel.checked_sub(1)) else {
        return constant(&given).unwrap_or_else(|| graph.sources.text(given.span).to_owned());
    };
    let inner_kind = |value: &Shared| kind(graph, value, told, fuel);
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
