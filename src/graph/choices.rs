//! Receivers that are one of several objects: `kind ? this.mobile : this.web`, `services[kind]`.

use std::sync::Arc;

use crate::graph::{Graph, Target, Type};
use crate::summary::{ClassRef, FunctionRef, Member, Shared, Slot, ValueKind};

/// Of more objects than these to choose from, none is followed.
const MOST: usize = 32;
/// So many choices inside choices are told apart.
const DEEPEST: u8 = 4;

impl Graph<'_> {
    /// What a method reaches that is called on one of several objects; `None` where there is no choice.
    pub(super) fn methods_of_choice(
        &self,
        base: &Shared,
        methods: &dyn Fn(&Shared) -> Vec<Target>,
    ) -> Option<Vec<Target>> {
        let choices = self.choices(base)?;
        let mut all: Vec<Target> = Vec::new();
        for choice in &choices {
            for target in methods(choice) {
                if all.iter().all(|known| known.function != target.function) {
                    all.push(target);
                }
            }
        }
        Some(all)
    }

    /// That of the objects to choose from which runs a method of this class; what was there to choose from where that is not told.
    pub(super) fn chosen(&self, receiver: &Shared, function: FunctionRef) -> Shared {
        let class = || Some(ClassRef { file: function.file, id: self.function(function)?.class? });
        let chosen = self.choices(receiver).and_then(|choices| {
            let class = class()?;
            let mut fitting = choices.into_iter().filter(|choice| match self.type_of(choice) {
                Type::Instance(of, _) => self.lineage(of).contains(&class) || self.lineage(class).contains(&of),
                _ => true,
            });
            fitting.next().filter(|_| fitting.next().is_none())
        });
        chosen.unwrap_or_else(|| Arc::clone(receiver))
    }

    /// The objects that a receiver is one of; `None` where it is but one, or too many.
    pub fn choices(&self, base: &Shared) -> Option<Vec<Shared>> {
        // In Rust all of them are of one type.
        if self.is_rust(base.span.file) {
            return None;
        }
        let mut found = Vec::new();
        self.choose(base, DEEPEST, &mut found);
        (found.len() > 1 && found.len() <= MOST).then_some(found)
    }

    fn choose(&self, value: &Shared, fuel: u8, found: &mut Vec<Shared>) {
        let whole = || Arc::clone(value);
        let Some(fuel) = fuel.checked_sub(1).filter(|_| self.step()) else { return found.push(whole()) };
        let behind = match &value.kind {
            ValueKind::Captured(..) | ValueKind::Leaves(..) | ValueKind::Index(..) => self.resolved(value),
            // What a declared type says is more than what one of its ways gives back.
            ValueKind::Call(call) if !call.is_new && self.is_untyped(call) => self.resolved(value),
            _ => whole(),
        };
        match &behind.kind {
            ValueKind::Cond { then: left, otherwise: right, .. } | ValueKind::Fallback { left, right, .. } => {
                self.choose(left, fuel, found);
                self.choose(right, fuel, found);
            }
            ValueKind::Either(values) => values.iter().for_each(|value| self.choose(value, fuel, found)),
            ValueKind::Index(table, _) => match self.held_in(table) {
                Some(held) => held.iter().for_each(|value| self.choose(value, fuel, found)),
                None => found.push(whole()),
            },
            ValueKind::Null | ValueKind::Undefined => {}
            _ => found.push(whole()),
        }
    }

    /// The objects of a table or list that is written out.
    fn held_in(&self, table: &Shared) -> Option<Vec<Shared>> {
        match &self.resolved(table).kind {
            ValueKind::Object { base: None, entries } => {
                let value = |entry: &Slot| match entry {
                    Slot::Named { value, .. } | Slot::Computed { value, .. } => Some(Arc::clone(value)),
                    Slot::Spread(_) => None,
                };
                entries.iter().map(value).collect()
            }
            ValueKind::Array(members) => {
                let value = |member: &Member| match member {
                    Member::One(value) | Member::Each(value) => Some(Arc::clone(value)),
                    Member::Spread(_) => None,
                };
                members.iter().map(value).collect()
            }
            _ => None,
        }
    }

    /// Whether no function that a call reaches says what it gives back.
    fn is_untyped(&self, call: &crate::summary::CallValue) -> bool {
        let is_untyped = |target: &Target| self.function(target.function).is_some_and(|f| f.returns.is_none());
        self.targets(call).iter().all(is_untyped)
    }
}
