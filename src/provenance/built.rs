//! Objects that builders make: `new UserBuilder().withToken(token).build()`.

use std::sync::Arc;

use crate::graph::Type;
use crate::provenance::cell::Cell;
use crate::provenance::row::Lookup;
use crate::summary::{ClassRef, Shared, Value, ValueKind};

impl Lookup<'_, '_> {
    /// The object that a chain of method calls starts from, where it is made there: the call that makes it, and its class.
    pub(super) fn made_in_chain(&self, value: &Shared) -> Option<(Shared, ClassRef)> {
        let ValueKind::Call(call) = &value.kind else { return None };
        let mut at = Arc::clone(call.receiver().filter(|_| !call.is_new)?);
        for _ in 0..20 {
            at = match &at.kind {
                ValueKind::Call(call) if call.is_new => match self.graph.type_of(&at) {
                    Type::Instance(class, _) => return Some((at, class)),
                    _ => return None,
                },
                ValueKind::Call(call) => Arc::clone(call.receiver()?),
                ValueKind::After { before, .. } => Arc::clone(before),
                _ => return None,
            };
        }
        None
    }

    /// A field of an object that was made here, where no method has assigned it yet: what its class puts there.
    pub(super) fn unset(&self, value: &Shared, made: &Shared, class: ClassRef, fuel: u8) -> Shared {
        let Some(fuel) = fuel.checked_sub(1) else { return Arc::clone(value) };
        match &value.kind {
            ValueKind::Object { base: Some(base), entries } => {
                let base = Some(self.unset(base, made, class, fuel));
                Value::new(ValueKind::Object { base, entries: entries.clone() }, value.span)
            }
            ValueKind::Field(base, name) if Arc::ptr_eq(base, made) => {
                let lookup = Lookup { graph: self.graph, schema: self.schema, key: name };
                match lookup.initial(class) {
                    Cell::Value { value, .. } => value,
                    _ => Arc::clone(value),
                }
            }
            _ => Arc::clone(value),
        }
    }
}
