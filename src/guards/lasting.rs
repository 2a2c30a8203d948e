//! Caches whose entries have no end: who was found there once is found there for good.

use crate::graph::Graph;
use crate::guards::denylist::{first_part, prefixes_a_list};
use crate::guards::walk::Walk;
use crate::rules::Lasting;
use crate::source::{Scope, Span};
use crate::summary::{CallValue, Shared, ValueKind};

/// What tells the entries of a cache from others.
#[derive(PartialEq, Eq)]
enum Place {
    /// The fixed beginning of the keys.
    Prefix(String),
    /// Where the cache is made.
    Made(Span),
}

impl Walk<'_, '_> {
    /// Whether a call asks a cache whose entries have no end, or runs only where such a one has no answer.
    pub(super) fn is_kept_for_good(&self, call: &CallValue, conditions: &[(Shared, bool)]) -> bool {
        let is_such = |call: &CallValue| self.lasts(call) && !self.refuses_a_hit(call.site.function, call.site);
        is_such(call) || conditions.iter().any(|(cond, _)| holds_such(cond, &is_such, 8))
    }

    /// Whether the tree writes what a call reads without an end, and nothing takes it away.
    fn lasts(&self, call: &CallValue) -> bool {
        let graph = self.graph;
        let mut rows = graph.rules.lasting().filter(|row| row.read.last() == call.method()).peekable();
        if call.method().is_none() || rows.peek().is_none() {
            return false;
        }
        let Some(path) = graph.library_path(call) else { return false };
        let Some(row) = rows.find(|row| row.read.matches(&path)) else { return false };
        let Some(place) = place(graph, call) else { return false };
        let is_there = |other: &CallValue| self::place(graph, other).is_some_and(|other| other == place);
        let mut is_kept = false;
        let production = graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production);
        for event in production.flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls) {
            let other = &event.call;
            if ends(row, other) && is_there(other) {
                return false;
            }
            if other.method() == row.keep.last() && is_there(other) {
                // What is said beside may be an end.
                if other.args.len() != usize::from(row.plain) {
                    return false;
                }
                let kept = other.args.last().map(|arg| graph.resolved(&arg.value));
                is_kept |= kept.is_some_and(|value| !matches!(value.kind, ValueKind::Text(_) | ValueKind::Number(_)));
            }
        }
        is_kept
    }
}

fn ends(row: &Lasting, call: &CallValue) -> bool {
    call.method().is_some_and(|name| row.ends.iter().any(|end| end == name))
}

fn place(graph: &Graph, call: &CallValue) -> Option<Place> {
    graph.refuel();
    let key = first_part(graph, &call.args.first()?.value);
    if let Some(ValueKind::Text(text)) = key.map(|part| part.kind.clone()) {
        // A list of what was revoked keeps as it should.
        return (!prefixes_a_list(graph.rules, &text)).then_some(Place::Prefix(text));
    }
    match graph.resolved(call.receiver()?) {
        made if matches!(made.kind, ValueKind::Call(_)) => Some(Place::Made(made.span)),
        _ => None,
    }
}

fn holds_such(value: &Shared, is_such: &dyn Fn(&CallValue) -> bool, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    if matches!(&value.kind, ValueKind::Call(call) if is_such(call)) {
        return true;
    }
    let mut found = false;
    value.kind.each(&mut |inner| found = found || holds_such(inner, is_such, fuel));
    found
}
