//! What a verification is handed, and what it runs.

use std::sync::Arc;

use crate::guards::claims::place;
use crate::guards::life::{exposure_of, is_foreign};
use crate::guards::shapes::{functions_behind, lets_expired_in};
use crate::guards::uses::Use;
use crate::guards::walk::{Entered, Walk};
use crate::rules::{Asks, Verify};
use crate::summary::{CallValue, Shared, Value, ValueKind};

impl Walk<'_, '_> {
    /// Notes what a verification is handed and where its key comes from.
    pub(super) fn verification(&mut self, row: &Verify, call: &Arc<CallValue>) {
        let is_first = self.verified.is_none();
        self.verified.get_or_insert(call.site.span);
        if !self.collecting {
            return;
        }
        self.expired = self.expired.or_else(|| lets_expired_in(self.graph, call, &row.unending, &row.ending));
        let oldest = row.oldest.iter().find_map(|path| self.graph.argument(call, path).into_iter().next());
        let oldest = oldest.and_then(|limit| exposure_of(self.graph, &limit, 1_000));
        // Of several the one that lets in for longer.
        self.oldest = match self.oldest.take() {
            _ if is_first => oldest,
            before => before.zip(oldest).map(|(a, b)| if a.seconds < b.seconds { b } else { a }),
        };
        self.seeds.sites.insert(call.site);
        let put = row.puts.iter().flat_map(|path| self.graph.argument(call, path));
        self.seeds.places.extend(put.filter_map(|claims| place(&claims)));
        if let Some(token) = row.token.as_ref().and_then(|path| self.graph.argument(call, path).into_iter().next()) {
            // `if (await isListed(token)) return refuse()` before may change what it is handed, as far as is told; it asks about what is
            // verified all the same.
            let token = Value::before_calls(&token);
            match &token.kind {
                ValueKind::Call(inner) => {
                    self.seeds.sites.insert(inner.site);
                }
                ValueKind::Param(function, at) => {
                    self.seeds.params.insert((*function, *at, Vec::new()));
                }
                _ => self.stored(token),
            }
            self.seeds.places.extend(place(token));
            self.seeds.values.push(Arc::clone(token));
        }
        let keys = row.key.iter().filter_map(|path| self.graph.argument(call, path).into_iter().next());
        let key = keys.into_iter().find(|key| !matches!(key.kind, ValueKind::Undefined));
        if let Some(key) = key {
            self.foreign |= is_foreign(self.graph, &key);
            self.keys.push(key);
        }
    }

    /// Where a token is verified that a look-up gave, what that was made by: `verify(user.token)` of the user whose token was sent.
    fn stored(&mut self, token: &Shared) {
        let mut at = self.graph.resolved(token);
        while let ValueKind::Field(base, _) | ValueKind::Index(base, _) | ValueKind::Element(base) = &at.kind {
            at = self.graph.resolved(base);
        }
        let ValueKind::Call(inner) = &at.kind else { return };
        if self.asks(inner, true).is_none_or(|question| question.asks != Asks::Row) {
            return;
        }
        let mut sent: Vec<Shared> = inner.args.iter().map(|arg| Arc::clone(&arg.value)).collect();
        for _ in 0..40 {
            let Some(value) = sent.pop() else { break };
            match &value.kind {
                ValueKind::Object { .. } | ValueKind::Array(_) => {
                    value.kind.each(&mut |part| sent.push(Arc::clone(part)));
                }
                ValueKind::Text(_)
                | ValueKind::Number(_)
                | ValueKind::Bool(_)
                | ValueKind::Null
                | ValueKind::Undefined => {}
                _ => {
                    self.seeds.places.extend(place(&value));
                    self.seeds.values.push(value);
                }
            }
        }
    }

    /// The functions that a verification runs because the call which sets its library up was given them.
    pub(super) fn run_with(&mut self, row: &Verify, conditions: &[(Shared, bool)], entered: &Entered) {
        let Some(set_up) = &row.set_up else { return };
        let graph = self.graph;
        let calls = graph.units().flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
        for call in calls.map(|event| &event.call).filter(|call| call.method() == set_up.last()) {
            graph.refuel();
            let module = call.args.first().and_then(|arg| graph.path(&arg.value));
            if !row.is_set_up_with(module.as_deref().and_then(|path| path.split('#').next())) {
                continue;
            }
            let given = row.runs.iter().flat_map(|path| graph.argument(call, path));
            for function in given.flat_map(|value| functions_behind(graph, &value, 4)) {
                let params = graph.function(function).map_or(0, |f| f.params.len());
                if self.collecting {
                    let params = (0..params).filter_map(|at| u32::try_from(at).ok());
                    self.seeds.params.extend(params.map(|at| (function, at, Vec::new())));
                }
                let depth = entered.depth + 1;
                self.visit(
                    function,
                    &Entered {
                        bindings: None,
                        conditions,
                        result: Use::Decided,
                        user: Use::Decided,
                        swallowed: None,
                        through: None,
                        depth,
                    },
                );
            }
        }
    }
}
