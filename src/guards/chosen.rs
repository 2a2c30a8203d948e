//! Whether the query that found a row chose it by a column: what it gives has one there.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{EdgeKind, Graph};
use crate::guards::risks::{Reader, contains};
use crate::rules::Tells;
use crate::source::Span;
use crate::summary::{CallValue, Shared, Slot, ValueKind};

impl Reader<'_, '_> {
    /// Whether the query that found the row chose it by the column; `conditions`: where queries are known to compare it.
    pub(super) fn is_chosen(&self, column: &str, conditions: &[Span]) -> bool {
        let mut calls = Vec::new();
        let ValueKind::Field(base, _) = &self.value.kind else { return false };
        calls_behind(self.graph, base, &mut calls, &mut BTreeSet::new(), 24);
        calls.iter().any(|call| {
            let at = call.site.span;
            conditions.iter().any(|condition| contains(at, *condition) && self.is_condition(*condition, at))
                || self.asks_for_one(call, column)
        })
    }

    /// A statement that only lists the column chooses nothing by it.
    fn is_condition(&self, condition: Span, call: Span) -> bool {
        let text = self.graph.sources.text(condition).to_lowercase();
        if !text.trim_start().starts_with("select") {
            return condition != call;
        }
        text.split_once("where").is_some_and(|(_, behind)| behind.contains(&self.name.to_lowercase()))
    }

    /// Whether a condition of a query builder says that there is one: `whereNotNull('access_token')`,
    /// `where(isNotNull(users.accessToken))`.
    fn asks_for_one(&self, call: &CallValue, column: &str) -> bool {
        let name = call.method().unwrap_or_default().to_lowercase();
        let asks = self.graph.rules.tells(Tells::Condition, &name);
        let is_nothing = |value: &Shared| matches!(value.kind, ValueKind::Null | ValueKind::Undefined);
        // `where('access_token', null)`
        let for_none = call.args.iter().any(|arg| is_nothing(&arg.value)) && !denies(self.graph, call);
        let denied = self.graph.rules.tells(Tells::Excluding, &name);
        asks && !is_for_none(self.graph, &name)
            && !for_none
            && call.args.iter().any(|arg| self.says(&arg.value, column, denied, 8))
    }

    /// `null`, `IsNull()`
    fn is_none(&self, value: &Shared) -> bool {
        match &value.kind {
            ValueKind::Null | ValueKind::Undefined => true,
            ValueKind::Call(call) => {
                let name = call.method().or_else(|| called(self.graph, call)).unwrap_or_default();
                is_for_none(self.graph, &name.to_lowercase())
            }
            _ => false,
        }
    }

    /// Whether a condition speaks of the column, and not of its absence.
    fn says(&self, value: &Shared, column: &str, denied: bool, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        let rules = self.graph.rules;
        match &value.kind {
            ValueKind::Field(_, name) => *name == self.name,
            ValueKind::Text(text) => {
                let text = text.to_lowercase();
                let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
                words.any(|word| word == column.to_lowercase())
                    && !rules.words_of(Tells::ForNone).any(|asks| text.contains(asks))
            }
            ValueKind::Object { entries, .. } => entries.iter().any(|slot| match slot {
                Slot::Named { key, value, .. } if *key == self.name || *key == column => denied || !self.is_none(value),
                Slot::Named { key, .. } if rules.tells(Tells::Choice, &key.to_lowercase()) => false,
                Slot::Named { value, .. } | Slot::Spread(value) => self.says(value, column, denied, fuel),
                Slot::Computed { .. } => false,
            }),
            ValueKind::Call(call) => {
                let name = call.method().or_else(|| called(self.graph, call)).unwrap_or_default().to_lowercase();
                !is_for_none(self.graph, &name)
                    && call.args.iter().any(|arg| self.says(&arg.value, column, denied, fuel))
            }
            // `(users, { isNotNull }) => isNotNull(users.accessToken)`
            ValueKind::Function(function) => {
                let returned = self.graph.summary(*function).and_then(|summary| summary.returns.as_ref());
                returned.is_some_and(|returned| self.says(returned, column, denied, fuel))
            }
            ValueKind::Array(members) => members.iter().any(|member| self.says(member.value(), column, denied, fuel)),
            _ => false,
        }
    }
}

/// `isNull(users.accessToken)`, `whereNull('access_token')`
fn is_for_none(graph: &Graph, name: &str) -> bool {
    graph.rules.tells(Tells::ForNone, name)
}

/// `where('access_token', 'is not', null)`, `whereNot('access_token', null)`, `where('access_token', '!=', null)`
pub(super) fn denies(graph: &Graph, call: &CallValue) -> bool {
    let says = |text: &str| graph.rules.tells(Tells::Excluding, &text.to_lowercase());
    call.method().is_some_and(says)
        || call.args.iter().any(|arg| matches!(&arg.value.kind, ValueKind::Text(text) if says(text)))
}

/// The name of a function that a call calls without a receiver.
fn called<'g>(graph: &'g Graph, call: &CallValue) -> Option<&'g str> {
    graph.sources.text(call.callee.span).rsplit('.').next()
}

/// The calls that a value comes from, through what closures are handed.
fn calls_behind(graph: &Graph, value: &Shared, found: &mut Vec<Arc<CallValue>>, seen: &mut BTreeSet<usize>, fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    if !seen.insert(Arc::as_ptr(value).addr()) {
        return;
    }
    let mut go = |inner: &Shared| calls_behind(graph, inner, found, seen, fuel);
    match &value.kind {
        ValueKind::Call(call) => {
            if let Some(inner) = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value)) {
                go(&inner);
            }
            if let Some(receiver) = call.receiver() {
                go(receiver);
            }
            found.push(Arc::clone(call));
        }
        ValueKind::Param(function, at) => {
            for edge in graph.callers(*function).iter().take(8) {
                let given = match &edge.kind {
                    EdgeKind::Call(call) => call.args.get(*at as usize).map(|arg| Arc::clone(&arg.value)),
                    EdgeKind::Callback(bindings) => bindings.params.get(*at as usize).cloned(),
                    EdgeKind::Framework => None,
                };
                given.iter().for_each(&mut go);
            }
        }
        ValueKind::Captured(..) | ValueKind::Leaves(..) => {
            if let Some(inner) = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value)) {
                go(&inner);
            }
        }
        ValueKind::Object { base: Some(base), .. }
        | ValueKind::Field(base, _)
        | ValueKind::Element(base)
        | ValueKind::Index(base, _) => go(base),
        ValueKind::Object { entries, .. } => entries.iter().for_each(|slot| {
            if let Slot::Spread(inner) = slot {
                go(inner);
            }
        }),
        kind => kind.each(&mut |inner| go(inner)),
    }
}
