//! Look-ups whose result is only added to what lets in anyway: `session.user.role = row?.role`.

use crate::guards::claims::holds_call;
use crate::guards::miss::Miss;
use crate::guards::walk::Walk;
use crate::guards::{Short, ShortBy};
use crate::summary::{CallSite, CallValue, FunctionRef, Shared, Slot, ValueKind};

impl Walk<'_, '_> {
    /// Takes back the proofs from `before` on where the call that they were found by does no more than to add to what is handed on: who was
    /// not found is let in without what would have been added. The same where a cache without an end answers, or nobody waits for an answer.
    pub(super) fn take_back(
        &mut self,
        function: FunctionRef,
        call: &CallValue,
        conditions: &[(Shared, bool)],
        depth: u8,
        before: usize,
    ) {
        if self.proofs.len() == before {
            return;
        }
        let why = if self.is_kept_for_good(call, conditions) {
            ShortBy::Kept
        } else if self.is_pending(function, call) {
            ShortBy::Pending
        } else {
            let Some(names) = self.names_added(function, call.site) else { return };
            // Who called may look at what a helper has added; any reader of a session may ask who it is of.
            let tells = depth > 0 || names.iter().any(|name| self.tells_who(name));
            if tells { ShortBy::Blanked } else { ShortBy::Added }
        };
        let taken = self.proofs.drain(before..);
        self.short.extend(taken.map(|proof| Short { span: proof.span, what: proof.what, why }));
    }

    /// The keys that a function adds of what a call gives it, where it does nothing else with it.
    fn names_added(&self, function: FunctionRef, site: CallSite) -> Option<Vec<String>> {
        let summary = self.graph.summary(function)?;
        if summary.this_exit.iter().chain(summary.leaves.values()).any(|value| holds_call(value, site)) {
            return None;
        }
        let mut names = Vec::new();
        for value in summary.exits.values().chain(&summary.returns) {
            self.added(value, site, &mut names, 20)?;
        }
        (!names.is_empty() && self.on_a_miss(function, site, false) == Miss::HandsBack).then_some(names)
    }

    /// `None` where a value depends on what the call gives in any other way.
    fn added(&self, value: &Shared, site: CallSite, names: &mut Vec<String>, fuel: u8) -> Option<()> {
        if !holds_call(value, site) {
            return Some(());
        }
        let fuel = fuel.checked_sub(1)?;
        match &value.kind {
            ValueKind::Object { base, entries } => {
                let is_there = |value: &Shared| !holds_call(value, site) && self.seeds.lie_in(self.graph, value);
                let among = entries.iter().any(|slot| match slot {
                    Slot::Named { value, .. } | Slot::Spread(value) => is_there(value),
                    Slot::Computed { .. } => false,
                });
                if base.is_none() && !among {
                    return None;
                }
                if let Some(base) = base {
                    self.added(base, site, names, fuel)?;
                }
                for slot in entries {
                    match slot {
                        Slot::Named { key, value, .. } if is_part(value, site, base.is_none()) => {
                            names.push(key.clone());
                        }
                        Slot::Named { value, .. } => self.added(value, site, names, fuel)?,
                        Slot::Spread(value) if !holds_call(value, site) => {}
                        _ => return None,
                    }
                }
                Some(())
            }
            ValueKind::Cond { cond, then, otherwise } if !holds_call(cond, site) => {
                self.added(then, site, names, fuel)?;
                self.added(otherwise, site, names, fuel)
            }
            ValueKind::Either(values) => values.iter().try_for_each(|value| self.added(value, site, names, fuel)),
            _ => None,
        }
    }

    /// Whether what a function hands on says who the bearer is only where a call finds somebody: `{ ...session, user: row ? {..} : null }`.
    pub(super) fn blanks(&self, function: FunctionRef, site: CallSite) -> bool {
        let Some(summary) = self.graph.summary(function) else { return false };
        summary.exits.values().chain(&summary.returns).any(|value| self.is_blanked_in(value, site, 12))
    }

    fn is_blanked_in(&self, value: &Shared, site: CallSite, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1).filter(|_| holds_call(value, site)) else { return false };
        let inside = |value: &Shared| self.is_blanked_in(value, site, fuel);
        match &value.kind {
            ValueKind::Object { base, entries } => {
                base.as_ref().is_some_and(inside)
                    || entries.iter().any(|slot| match slot {
                        Slot::Named { key, value, .. } => {
                            self.tells_who(key) && is_there_with(value, site) || inside(value)
                        }
                        Slot::Spread(value) => inside(value),
                        Slot::Computed { .. } => false,
                    })
            }
            ValueKind::Cond { then, otherwise, .. } => inside(then) || inside(otherwise),
            ValueKind::Either(values) => values.iter().any(inside),
            _ => false,
        }
    }

    /// Whether somebody may be refused who lacks a key: it says who they are, or that they are active.
    fn tells_who(&self, name: &str) -> bool {
        let rules = self.graph.rules;
        rules.bearer().any(|row| row.is_named_by(name)) || rules.status().any(|row| row.fits(name))
    }
}

/// Whether a value is a key of what a call gives, `row?.role`; with `whole`, also all of it, or nothing where that failed.
fn is_part(value: &Shared, site: CallSite, whole: bool) -> bool {
    let is_it = |value: &Shared| matches!(&value.kind, ValueKind::Call(call) if call.site == site);
    let is_nothing = |value: &Shared| matches!(value.kind, ValueKind::Null | ValueKind::Undefined);
    match &value.kind {
        ValueKind::Call(_) => whole && is_it(value),
        ValueKind::Field(base, _) => is_it(base) || is_part(base, site, whole),
        ValueKind::Either(values) if whole => {
            values.iter().all(|value| is_nothing(value) || is_part(value, site, whole))
        }
        _ => false,
    }
}

/// Whether a value is there only where a call gives something, and nothing else.
fn is_there_with(value: &Shared, site: CallSite) -> bool {
    let is_nothing = |value: &Shared| matches!(value.kind, ValueKind::Null | ValueKind::Undefined);
    match &value.kind {
        ValueKind::Cond { cond, then, otherwise } => {
            holds_call(cond, site) && (is_nothing(then) || is_nothing(otherwise))
        }
        ValueKind::And(cond, _) => holds_call(cond, site),
        _ => false,
    }
}
