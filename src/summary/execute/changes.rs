//! What an assignment changes: a variable, a field of an object, and whatever else holds that object.

use std::sync::Arc;

use crate::ir::{Binding, ExprId, ExprKind, LocalId, Place};
use crate::source::Span;
use crate::summary::execute::Execution;
use crate::summary::{Member, Shared, Slot, Value, ValueKind};

/// How deep objects and lists are searched for one that changed, and how many parts of each.
const DEEPEST: u8 = 4;
const WIDEST: usize = 64;

impl Execution<'_> {
    pub(super) fn assign(&mut self, target: &Place, value: Shared, span: Span) {
        match target {
            Place::Local(local) => self.set_local(*local, value),
            Place::Field { base, name, name_span } => {
                let slot = Slot::Named { key: name.clone(), key_span: *name_span, value };
                self.assign_slot(*base, slot, span, 0);
            }
            Place::Index { base, index } => {
                let key = self.eval(*index);
                self.assign_slot(*base, Slot::Computed { key, value }, span, 0);
            }
        }
    }

    pub(super) fn set_local(&mut self, local: LocalId, value: Shared) {
        if self.module.locals[local.at()].function == self.function.id {
            self.out.assigned.entry(local).or_default().push(Arc::clone(&value));
        }
        self.env.insert(local, value);
    }

    /// An object changed: so did what other variables hold of it, itself or in an object or a list.
    pub(super) fn change(&mut self, before: &Shared, after: &Shared, span: Span) {
        if matches!(before.kind, ValueKind::Null | ValueKind::Undefined) {
            return;
        }
        let list = match &before.kind {
            ValueKind::Element(list) | ValueKind::Index(list, _) => Some(list),
            _ => None,
        };
        // A list of the function around: `rows.forEach((_, at) => { rows[at].slot = .. })`.
        if let Some(held) = list.filter(|_| !self.module.lends)
            && let ValueKind::Captured(_, local) = held.kind
            && !self.env.contains_key(&local)
        {
            self.env.insert(local, Arc::clone(held));
        }
        // `for (const token of user.tokens) token.value = null`: the user has other tokens.
        let member = list.filter(|_| !self.module.lends).and_then(|list| match &list.kind {
            ValueKind::Field(owner, key) => {
                let each = Value::new(ValueKind::Array(vec![Member::Each(Arc::clone(after))]), span);
                Some((owner, Slot::Named { key: key.clone(), key_span: list.span, value: each }))
            }
            _ => None,
        });
        let mut changed: Vec<(LocalId, Shared)> = Vec::new();
        for (local, value) in &self.env {
            if Arc::ptr_eq(value, before) {
                changed.push((*local, Arc::clone(after)));
            } else if list.is_some_and(|list| Arc::ptr_eq(value, list)) {
                let each = vec![Member::Each(Arc::clone(after))];
                changed.push((*local, Value::new(ValueKind::Array(each), span)));
            } else if let Some((owner, slot)) = &member
                && stands_on(value, owner)
            {
                changed.push((*local, with_slot(value, slot.clone(), span)));
            } else if !self.module.lends
                && let Some(value) = holding(value, before, after, DEEPEST)
            {
                changed.push((*local, value));
            }
        }
        for (local, value) in changed {
            self.set_local(local, value);
        }
        if !self.module.lends
            && let Some(own) = self.own.as_ref().and_then(|own| holding(own, before, after, DEEPEST))
        {
            self.own = Some(own);
        }
    }

    /// `base.slot = ..`: the object at `base` becomes a changed one, wherever it is held.
    pub(super) fn assign_slot(&mut self, base: ExprId, slot: Slot, span: Span, depth: u8) {
        if depth > 20 {
            return;
        }
        match &self.module.expr(base).kind {
            ExprKind::Name(Binding::Local(local)) => {
                let before = self.local(*local, span);
                let value = with_slot(&before, slot, span);
                self.change(&before, &value, span);
                self.set_local(*local, value);
            }
            ExprKind::This => {
                if let Slot::Named { key, value, .. } = &slot {
                    self.out.this_fields.push((key.clone(), Arc::clone(value)));
                    if let Some(before) = self.own.clone().or_else(|| self.this_value(span)) {
                        self.own = Some(with_slot(&before, slot, span));
                    }
                }
            }
            ExprKind::Field { base: outer, name, name_span } => {
                let before = self.eval(base);
                let value = with_slot(&before, slot, span);
                self.change(&before, &value, span);
                let slot = Slot::Named { key: name.clone(), key_span: *name_span, value };
                self.assign_slot(*outer, slot, span, depth + 1);
            }
            // `rows[0].slot = ..`: the list holds the changed object.
            ExprKind::Index { .. } if !self.module.lends => {
                let before = self.eval(base);
                let value = with_slot(&before, slot, span);
                // Of a list that is not written out, each element may be the changed one.
                if matches!(
                    before.kind,
                    ValueKind::Object { .. }
                        | ValueKind::Call(_)
                        | ValueKind::After { .. }
                        | ValueKind::Index(..)
                        | ValueKind::Element(_)
                ) {
                    self.change(&before, &value, span);
                }
            }
            _ => {}
        }
    }

    /// A member became what a call left of it: no assignment of the code.
    pub(super) fn hold(&mut self, base: ExprId, slot: Slot, span: Span) {
        match &self.module.expr(base).kind {
            ExprKind::Name(Binding::Local(local)) => {
                let before = self.local(*local, span);
                let value = with_slot(&before, slot, span);
                self.change(&before, &value, span);
                self.env.insert(*local, value);
            }
            ExprKind::This => self.own = self.own.as_ref().map(|own| with_slot(own, slot, span)),
            ExprKind::Field { base: outer, name, name_span } => {
                let seen = self.out.reads.len();
                let before = self.eval(base);
                self.out.reads.truncate(seen);
                let value = with_slot(&before, slot, span);
                self.change(&before, &value, span);
                let slot = Slot::Named { key: name.clone(), key_span: *name_span, value };
                self.hold(*outer, slot, span);
            }
            _ => {}
        }
    }

    /// A method ran on `this`: what it made of objects that variables hold too is what the fields hold now.
    pub(super) fn reread(&mut self, before: &Shared, after: &Shared, span: Span) {
        let ValueKind::Object { entries, .. } = &before.kind else { return };
        let mut changed: Vec<(LocalId, Shared)> = Vec::new();
        for entry in entries.iter().rev().take(WIDEST) {
            let Slot::Named { key, value: held, .. } = entry else { continue };
            if !matches!(held.kind, ValueKind::Object { .. } | ValueKind::Call(_) | ValueKind::After { .. }) {
                continue;
            }
            let aliases = self.env.iter().filter(|(_, value)| Arc::ptr_eq(value, held));
            changed.extend(aliases.map(|(local, _)| (*local, Value::field(after, key, span))));
        }
        for (local, value) in changed {
            self.set_local(local, value);
        }
    }
}

/// `value` with `after` where it holds `before`; `None` where it does not.
fn holding(value: &Shared, before: &Shared, after: &Shared, fuel: u8) -> Option<Shared> {
    let fuel = fuel.checked_sub(1)?;
    let part = |inner: &Shared| {
        if Arc::ptr_eq(inner, before) { Some(Arc::clone(after)) } else { holding(inner, before, after, fuel) }
    };
    match &value.kind {
        ValueKind::Object { base, entries } if entries.len() <= WIDEST => {
            let mut found = false;
            let entries = entries.iter().map(|entry| match entry {
                Slot::Named { key, key_span, value } => {
                    let changed = part(value);
                    found |= changed.is_some();
                    let value = changed.unwrap_or_else(|| Arc::clone(value));
                    Slot::Named { key: key.clone(), key_span: *key_span, value }
                }
                // What was spread was copied.
                entry => entry.clone(),
            });
            let entries = entries.collect();
            found.then(|| Value::new(ValueKind::Object { base: base.clone(), entries }, value.span))
        }
        ValueKind::Array(members) if members.len() <= WIDEST => {
            let mut found = false;
            let mut changed = |inner: &Shared, list: bool| {
                let changed = if list { holding(inner, before, after, fuel) } else { part(inner) };
                found |= changed.is_some();
                changed.unwrap_or_else(|| Arc::clone(inner))
            };
            let members = members.iter().map(|member| match member {
                Member::One(inner) => Member::One(changed(inner, false)),
                Member::Each(inner) => Member::Each(changed(inner, false)),
                Member::Spread(inner) => Member::Spread(changed(inner, true)),
            });
            let members = members.collect();
            found.then(|| Value::new(ValueKind::Array(members), value.span))
        }
        _ => None,
    }
}

/// Whether a value is an object, with what was assigned to it since.
fn stands_on(value: &Shared, object: &Shared) -> bool {
    let mut at = value;
    loop {
        if Arc::ptr_eq(at, object) {
            return true;
        }
        at = match &at.kind {
            ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } => base,
            _ => return false,
        };
    }
}

fn with_slot(before: &Shared, slot: Slot, span: Span) -> Shared {
    let kind = match &before.kind {
        ValueKind::Object { base, entries } => {
            let mut entries = entries.clone();
            entries.push(slot);
            ValueKind::Object { base: base.clone(), entries }
        }
        _ => ValueKind::Object { base: Some(Arc::clone(before)), entries: vec![slot] },
    };
    Value::new(kind, span)
}
