//! Whom a look-up that is handed claims looks for: the bearer, or somebody else.
//!
//! `find({ id: { not: claims.sub } })` and `find({ role: claims.role })` find others, whether the bearer is there or not; so does a look-up
//! that has the claims in what it reads beside the row.

use std::sync::Arc;

use crate::guards::bound::{self, Condition};
use crate::guards::claims::about;
use crate::guards::walk::Walk;
use crate::rules::Tells;
use crate::schema;
use crate::summary::{CallValue, FunctionRef, Member, Shared, Slot, ValueKind};

/// Where claims stand in a look-up.
#[derive(Default)]
struct Found {
    /// Where they say who is looked for.
    chosen: bool,
    /// Anywhere else.
    aside: bool,
}

const DEEPEST: u8 = 14;

impl Walk<'_, '_> {
    /// Whether the claims that a look-up is handed say who is looked for. Where they stand nowhere that is told, they may.
    pub(super) fn is_by_bearer(&self, call: &CallValue) -> bool {
        let mut found = Found::default();
        let chain = chain(call);
        let statement = chain.iter().rposition(|call| !self.statements(call).is_empty());
        for (at, part) in chain.iter().enumerate() {
            match statement {
                Some(start) if at == start => self.of_statement(call, &chain[..=start], &mut found),
                Some(start) if at < start => {}
                _ => self.of_call(part, false, &mut found, DEEPEST),
            }
        }
        found.chosen || !found.aside
    }

    /// What a statement compares with what its own call and those behind it bind: `query(text).bind(id).fetch_one(pool)`.
    fn of_statement(&self, last: &CallValue, chain: &[&CallValue], found: &mut Found) {
        let [behind @ .., start] = chain else { return };
        let mut values = self.bound(start);
        let path = self.graph.library_path(last).unwrap_or_default();
        for call in behind.iter().rev() {
            let binds = self.graph.rules.sqls_matching(&path).any(|row| {
                row.bind.is_some() && row.bind.as_deref() == call.method()
                    || row.params.is_some() && row.after.is_some() && call.site == last.site
            });
            if binds {
                values.extend(self.bound(call));
            }
        }
        self.compared(&values, &self.statements(start), false, found, DEEPEST);
    }

    /// What texts compare with the values that are bound to them, in order or by name.
    fn compared(
        &self,
        values: &[(Option<String>, Shared)],
        texts: &[String],
        excluded: bool,
        found: &mut Found,
        fuel: u8,
    ) {
        let conditions: Vec<Condition> = texts.iter().flat_map(|text| bound::conditions(text)).collect();
        for (at, (name, value)) in values.iter().enumerate() {
            let own = conditions.iter().filter(|of| of.at == Some(at) || name.is_some() && of.name == *name);
            let is_aside = own.map(|of| self.is_aside_in(of)).reduce(|one, other| one && other);
            self.among(value, excluded || is_aside == Some(true), found, fuel);
        }
    }

    /// Whether a closure in the arguments of a call makes a condition of claims: `where: (users, { eq }) => eq(users.id, claims.sub)`.
    pub(super) fn is_handed_within(&self, value: &Shared, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        match &value.kind {
            ValueKind::Function(closure) => {
                let Some(summary) = self.graph.summary(*closure) else { return false };
                let returned = summary.returns.iter().any(|value| self.seeds.lie_in(self.graph, value));
                returned || self.said_within(*closure).any(|call| self.has_claims(call))
            }
            ValueKind::Object { entries, .. } => entries.iter().any(|slot| match slot {
                Slot::Named { value, .. } => self.is_handed_within(value, fuel),
                _ => false,
            }),
            _ => false,
        }
    }

    /// The calls of a closure on what it is handed, or on its `this`: `function () { this.where('id', claims.sub) }`.
    fn said_within(&self, closure: FunctionRef) -> impl Iterator<Item = &CallValue> {
        let calls = self.graph.summary(closure).map_or(&[][..], |summary| summary.calls.as_slice());
        calls.iter().map(|event| &*event.call).filter(|call| {
            let first = chain(call).last().and_then(|call| call.receiver());
            first.is_some_and(|on| matches!(on.kind, ValueKind::Param(..) | ValueKind::This(_) | ValueKind::Global(_)))
        })
    }

    fn has_claims(&self, call: &CallValue) -> bool {
        call.args.iter().any(|arg| self.seeds.lie_in(self.graph, &arg.value))
    }

    /// Whether a chain of calls finds as many rows as there are.
    pub(super) fn is_of_many(&self, call: &CallValue) -> bool {
        let tells = |name: &str| self.graph.rules.tells(Tells::Many, name);
        !self.graph.is_rust(call.site.span.file) && chain(call).iter().any(|call| call.method().is_some_and(tells))
    }

    /// What a call compares with what stands in its arguments.
    fn of_call(&self, call: &CallValue, excluded: bool, found: &mut Found, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let texts = self.statements(call);
        if !texts.is_empty() {
            self.compared(&self.bound(call), &texts, excluded, found, fuel);
            return;
        }
        let name = self.name_of(call);
        // `select(exists(users.find(id)))` of Diesel is the query itself.
        let is_other = |name: &str| self.excludes(name) || call.receiver().is_some() && self.is_beside(name);
        // `where('id', '!=', claims.sub)`, `eq(users.role, claims.role)`, `user::Column::Role.eq(claims.role)`
        let compares = |with: &Shared| match &with.kind {
            ValueKind::Text(text) => self.excludes(text) || self.is_shared(text),
            ValueKind::Field(_, column) => !self.seeds.lie_in(self.graph, with) && self.is_shared(column),
            _ => false,
        };
        let is_comparison = call.method().is_some_and(|name| self.graph.rules.tells(Tells::Comparison, name));
        let on = call.receiver().filter(|_| is_comparison);
        let mut excluded = excluded || name.as_deref().is_some_and(is_other) || on.is_some_and(&compares);
        for arg in &call.args {
            self.among(&arg.value, excluded, found, fuel);
            excluded |= compares(&arg.value);
        }
    }

    fn among(&self, value: &Shared, excluded: bool, found: &mut Found, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        if let ValueKind::Function(closure) = value.kind {
            // `where: (users, { ne }) => ne(users.id, claims.sub)`
            match self.graph.summary(closure).and_then(|summary| summary.returns.as_ref()) {
                Some(returned) => self.among(returned, excluded, found, fuel),
                None => self.said_within(closure).filter(|call| self.has_claims(call)).for_each(|call| {
                    self.of_call(call, excluded, found, fuel);
                }),
            }
            return;
        }
        if !self.seeds.lie_in(self.graph, value) {
            return;
        }
        match &value.kind {
            ValueKind::Object { base, entries } => {
                if let Some(base) = base {
                    self.among(base, excluded, found, fuel);
                }
                for slot in entries {
                    let (key, value) = match slot {
                        Slot::Named { key, value, .. } => (Some(key.clone()), value),
                        Slot::Computed { key, value } => (self.last_of(key), value),
                        Slot::Spread(value) => (None, value),
                    };
                    let is_other = |key: &str| self.excludes(key) || self.is_beside(key) || self.is_shared(key);
                    self.among(value, excluded || key.as_deref().is_some_and(is_other), found, fuel);
                }
            }
            ValueKind::Array(members) => members.iter().for_each(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                self.among(inner, excluded, found, fuel);
            }),
            ValueKind::Cond { then, otherwise, .. } => {
                for inner in [then, otherwise] {
                    self.among(inner, excluded, found, fuel);
                }
            }
            ValueKind::Either(values) => values.iter().for_each(|inner| self.among(inner, excluded, found, fuel)),
            ValueKind::Sql(text, holes) => {
                let conditions = bound::conditions(&bound::written(text));
                for (at, hole) in holes.iter().enumerate() {
                    let own = conditions.iter().find(|of| of.hole == Some(at));
                    let is_aside = own.is_some_and(|of| self.is_aside_in(of));
                    self.among(hole, excluded || is_aside, found, fuel);
                }
            }
            ValueKind::Call(call) if self.seeds.sites.contains(&call.site) => found.note(excluded),
            ValueKind::Call(call) => {
                let inner = if self.graph.targets(call).is_empty() { None } else { self.graph.expand(value) };
                match inner.filter(|inner| !Arc::ptr_eq(inner, value)) {
                    Some(inner) => self.among(&inner, excluded, found, fuel),
                    None if call.args.iter().any(|arg| self.seeds.lie_in(self.graph, &arg.value)) => {
                        self.of_call(call, excluded, found, fuel);
                    }
                    None => found.note(excluded),
                }
            }
            ValueKind::Captured(..) | ValueKind::Import(..) | ValueKind::Leaves(..) => {
                match self.graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value)) {
                    Some(inner) => self.among(&inner, excluded, found, fuel),
                    None => found.note(excluded),
                }
            }
            // `findUnique({ where: { id: claims.managerId } })`
            _ => found.note(excluded || self.is_common(value)),
        }
    }

    /// The texts with places for values that a call is handed.
    fn statements(&self, call: &CallValue) -> Vec<String> {
        let text = |value: &Shared| match &self.graph.resolved(value).kind {
            ValueKind::Sql(text, holes) if holes.is_empty() => Some(bound::written(text)),
            ValueKind::Text(text) if bound::is_condition(text) => Some(text.clone()),
            _ => None,
        };
        self.given(call).iter().filter_map(text).collect()
    }

    /// What a call is handed, with the text and the values of a query in the place of an object that holds them:
    /// `query({ text, values })`.
    pub(super) fn given(&self, call: &CallValue) -> Vec<Shared> {
        let rows = about(self.graph, self.graph.rules.sqls_named(call.method()), call);
        let held = rows.iter().filter(|row| !row.text.keys.is_empty()).find_map(|row| {
            let at = |path| self.graph.argument(call, path).first().map(|value| self.graph.resolved(value));
            let text = at(&row.text).filter(|text| matches!(text.kind, ValueKind::Sql(..)))?;
            let Some(params) = &row.params else { return Some(vec![text]) };
            let values = at(params).filter(|values| !matches!(values.kind, ValueKind::Undefined))?;
            Some(vec![text, values])
        });
        held.unwrap_or_else(|| call.args.iter().map(|arg| Arc::clone(&arg.value)).collect())
    }

    /// The values that a call is handed to be bound, with their names where they have any.
    fn bound(&self, call: &CallValue) -> Vec<(Option<String>, Shared)> {
        let mut values = Vec::new();
        for given in self.given(call) {
            let value = self.graph.resolved(&given);
            match &value.kind {
                ValueKind::Sql(_, holes) if holes.is_empty() => {}
                ValueKind::Text(text) if bound::is_condition(text) => {}
                ValueKind::Array(members) => values.extend(members.iter().map(|member| {
                    let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                    (None, Arc::clone(inner))
                })),
                ValueKind::Object { base: None, entries } => {
                    values.extend(entries.iter().filter_map(|slot| match slot {
                        Slot::Named { key, value, .. } => Some((Some(key.clone()), Arc::clone(value))),
                        _ => None,
                    }));
                }
                _ => values.push((None, value)),
            }
        }
        values
    }

    fn is_aside_in(&self, condition: &Condition) -> bool {
        condition.operator.as_deref().is_some_and(|operator| self.excludes(operator))
            || condition.column.as_deref().is_some_and(|column| self.is_shared(column))
    }

    /// What a call goes by, without what it is called on.
    fn name_of(&self, call: &CallValue) -> Option<String> {
        call.method().map(str::to_owned).or_else(|| self.last_of(&call.callee))
    }

    fn last_of(&self, value: &Shared) -> Option<String> {
        let path = self.graph.path(value)?;
        path.rsplit(['#', '.', ':']).next().map(str::to_owned)
    }

    fn excludes(&self, name: &str) -> bool {
        self.graph.rules.tells(Tells::Excluding, &name.trim().to_lowercase())
    }

    fn is_beside(&self, name: &str) -> bool {
        self.graph.rules.tells(Tells::Beside, &name.to_lowercase())
    }

    fn is_shared(&self, column: &str) -> bool {
        self.graph.rules.tells_name(Tells::Common, &schema::words(column))
    }
}

/// The calls of a chain, the last first.
pub(super) fn chain(call: &CallValue) -> Vec<&CallValue> {
    fn on(call: &CallValue) -> Option<&CallValue> {
        match &call.receiver()?.kind {
            ValueKind::Call(inner) => Some(inner),
            _ => None,
        }
    }
    std::iter::successors(Some(call), |call| on(call)).take(20).collect()
}

impl Found {
    fn note(&mut self, excluded: bool) {
        if excluded {
            self.aside = true;
        } else {
            self.chosen = true;
        }
    }
}
