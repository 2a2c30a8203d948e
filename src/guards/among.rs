//! Who is looked for in a list that a query gives: `users.find((user) => user.id === claims.sub)`.

use std::sync::Arc;

use crate::guards::some::holds;
use crate::guards::walk::Walk;
use crate::rules::Tells;
use crate::sites;
use crate::summary::{CallValue, Member, Shared, Summary, ValueKind};

const DEEPEST: u8 = 6;

impl Walk<'_, '_> {
    /// Whether a call looks in such a list for what the claims say: it may tell whether the bearer is in it.
    pub(super) fn may_find_bearer(&self, call: &CallValue) -> bool {
        let is_handed = |value: &Shared| self.seeds.lie_in(self.graph, value) || self.is_handed_within(value, 3);
        let by_closure = matches!(call.callee.kind, ValueKind::Function(_)) && is_handed(&call.callee);
        (by_closure || call.args.iter().any(|arg| is_handed(&arg.value))) && self.looks_among(call).is_some()
    }

    /// The query in whose list a call looks, by a closure that compares or for what it is handed.
    fn looks_among(&self, call: &CallValue) -> Option<Arc<CallValue>> {
        let compares = |value: &Shared| match &value.kind {
            ValueKind::Function(closure) => {
                let returned = self.graph.summary(*closure).and_then(|summary| summary.returns.as_ref());
                returned.is_some_and(|value| holds(value, &|part| matches!(part.kind, ValueKind::Compare { .. }), 8))
            }
            _ => false,
        };
        // The closure of `find` and `filter` runs on an element.
        if compares(&call.callee) {
            return self.query_of(list_of_element(&call.args.first()?.value)?, DEEPEST);
        }
        let looks = self.tells_of_one(call) || call.args.iter().any(|arg| compares(&arg.value));
        self.query_of(call.receiver().filter(|_| looks)?, DEEPEST)
    }

    /// The query of users whose list, or what is made of each in it, a value is.
    fn query_of(&self, list: &Shared, fuel: u8) -> Option<Arc<CallValue>> {
        let fuel = fuel.checked_sub(1)?;
        let list = self.graph.resolved(list);
        match &list.kind {
            // `users.map((user) => user.id)`
            ValueKind::Array(members) => match members.as_slice() {
                [Member::Each(each)] => self.query_of(list_of_element(each)?, fuel),
                _ => None,
            },
            ValueKind::Call(query) if self.is_of_many(query) || self.list_of(query).is_some() => {
                sites::model_read(self.graph, self.schema, query).map(|_| Arc::clone(query))
            }
            ValueKind::Call(call) if !self.graph.targets(call).is_empty() => {
                let inner = self.graph.expand(&list).filter(|inner| !Arc::ptr_eq(inner, &list))?;
                self.query_of(&inner, fuel)
            }
            _ => None,
        }
    }

    /// Whether what a call gives says whether there is such a one.
    fn tells_of_one(&self, call: &CallValue) -> bool {
        call.method().is_some_and(|name| self.graph.rules.tells(Tells::Search, &name.to_lowercase()))
    }

    /// Whether a function looks for somebody in what a query of its own gives.
    pub(super) fn is_looked_through(&self, summary: &Summary, query: &CallValue) -> bool {
        let mut lists = summary.calls.iter().filter_map(|event| self.looks_among(&event.call));
        lists.any(|list| list.site == query.site)
    }
}

/// The list that a value is an element of, or a field of one, or what a closure makes of one.
fn list_of_element(element: &Shared) -> Option<&Shared> {
    match &element.kind {
        ValueKind::Element(list) => Some(list),
        ValueKind::Field(base, _) => list_of_element(base),
        ValueKind::Call(call) if matches!(call.callee.kind, ValueKind::Function(_)) => {
            list_of_element(&call.args.first()?.value)
        }
        _ => None,
    }
}
