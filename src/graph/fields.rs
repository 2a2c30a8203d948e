//! What classes of the tree put into the fields of their instances: initial values, getters, constructors, `super(..)`.

use std::sync::Arc;

use crate::graph::kept::held;
use crate::graph::{Bindings, Graph, Type};
use crate::ir::FunctionKind;
use crate::summary::{CallValue, ClassRef, Event, FunctionRef, Shared, Slot, Value, ValueKind};

impl Graph<'_> {
    /// What a constructor puts into a field of the object that it is called for.
    pub(super) fn constructed(&self, call: &CallValue, class: ClassRef, name: &str) -> Option<Shared> {
        let line = self.lineage(class);
        let constructor = line.iter().find_map(|owner| self.method(*owner, "constructor"))?;
        let mut assigned = self.summary(constructor)?.this_fields.iter().filter(|(field, _)| field == name);
        let (_, value) = assigned.next_back()?;
        Some(self.substitute(value, &self.bind(call, constructor)))
    }

    /// What a getter of the value's class gives, on that value.
    pub(super) fn got(&self, base: &Shared, name: &str) -> Option<Shared> {
        let is_getter = |function: &FunctionRef| {
            self.function(*function).is_some_and(|f| f.kind == FunctionKind::Getter && f.name == name && !f.is_static)
        };
        self.by_name.get(name)?.iter().find(|function| is_getter(function))?;
        let Type::Instance(class, _) = self.type_of(base) else { return None };
        let getter = self.lineage(class).iter().find_map(|owner| {
            let methods = self.class(*owner)?.methods.iter().map(|id| FunctionRef { file: owner.file, id: *id });
            methods.into_iter().find(is_getter)
        })?;
        let returns = self.summary(getter)?.returns.as_ref()?;
        let base = &self.with_setters(base).unwrap_or_else(|| Arc::clone(base));
        let this = match &base.kind {
            ValueKind::Call(_) | ValueKind::Object { .. } | ValueKind::This(_) => Arc::clone(base),
            _ => Value::new(ValueKind::Object { base: Some(Arc::clone(base)), entries: Vec::new() }, base.span),
        };
        Some(self.substitute(returns, &Bindings { function: getter, params: Vec::new(), this: Some(this) }))
    }

    /// An object to which something was assigned that its class has setters for, with these run; `None` where it has none.
    pub fn with_setters(&self, object: &Shared) -> Option<Shared> {
        let ValueKind::Object { base: Some(base), entries } = &object.kind else { return None };
        let is_setter =
            |function: &FunctionRef| self.function(*function).is_some_and(|f| f.kind == FunctionKind::Setter);
        let may_set = |slot: &Slot| match slot {
            Slot::Named { key, .. } => self.functions_named(key).iter().any(is_setter),
            _ => false,
        };
        if !entries.iter().any(may_set) {
            return None;
        }
        let Type::Instance(class, _) = self.type_of(base) else { return None };
        let line = self.lineage(class);
        let setter = |slot: &Slot| match slot {
            Slot::Named { key, value, .. } => {
                let method = line.iter().find_map(|owner| self.method(*owner, key)).filter(is_setter)?;
                let left = self.summary(method).filter(|summary| !summary.calls.iter().any(is_on_this))?;
                Some((method, Arc::clone(value), Arc::clone(left.this_exit.as_ref()?)))
            }
            _ => None,
        };
        let mut at = Arc::clone(base);
        let mut has_run = false;
        for slot in entries {
            let (run, entries) = match setter(slot) {
                Some(run) => (Some(run), Vec::new()),
                None => (None, vec![slot.clone()]),
            };
            at = Value::new(ValueKind::Object { base: Some(at), entries }, object.span);
            if let Some((function, value, left)) = run {
                at = self.substitute(&left, &Bindings { function, params: vec![value], this: Some(at) });
                has_run = true;
            }
        }
        has_run.then_some(at)
    }

    /// What the class itself puts into one of its fields.
    pub fn own_field(&self, class: ClassRef, name: &str) -> Option<Shared> {
        self.stored(class, name, false)
    }

    /// As [`Self::own_field`]; a parameter too that an heir's constructor hands up, which may be typed better than the base's.
    pub fn handed_field(&self, class: ClassRef, name: &str) -> Option<Shared> {
        self.stored(class, name, true)
    }

    fn stored(&self, class: ClassRef, name: &str, with_parameters: bool) -> Option<Shared> {
        let line = self.lineage(class);
        for (at, owner) in line.iter().copied().enumerate() {
            let unit = self.unit(owner.file)?;
            let mut values: Vec<Shared> = Vec::new();
            values.extend(unit.summary.fields.get(&(owner.id, name.to_owned())).cloned());
            for method in &self.class(owner)?.methods {
                let reference = FunctionRef { file: owner.file, id: *method };
                let Some(function) = self.function(reference) else { continue };
                if function.kind == FunctionKind::Getter && function.name == name {
                    values.extend(self.summary(reference).and_then(|summary| summary.returns.clone()));
                }
                let assigned = self.summary(reference).into_iter().flat_map(|summary| &summary.this_fields);
                values.extend(assigned.filter(|(field, _)| field == name).map(|(_, value)| Arc::clone(value)));
            }
            let Some(first) = values.first().map(|value| value.span) else { continue };
            // A constructor parameter that is stored as it is says no more than the field's type, but where an heir hands it in.
            if values.iter().all(|value| matches!(value.kind, ValueKind::Param(..))) {
                let handed = line[..at]
                    .iter()
                    .rev()
                    .try_fold(values.swap_remove(0), |value, heir| self.through_super(*heir, value));
                let says_more = |value: &Shared| with_parameters || !matches!(value.kind, ValueKind::Param(..));
                match handed.filter(|value| at > 0 && says_more(value)) {
                    Some(handed) => return Some(handed),
                    None => continue,
                }
            }
            let is_itself = |value: &Shared| matches!(&value.kind, ValueKind::Field(this, field) if field == name && matches!(this.kind, ValueKind::This(_)));
            return Some(held(values, first, &is_itself));
        }
        None
    }

    /// A value in terms of a base's constructor, in terms of the heir's: what `super(..)` is given. An heir without a constructor hands on.
    fn through_super(&self, heir: ClassRef, value: Shared) -> Option<Shared> {
        let ValueKind::Param(base, _) = &value.kind else { return Some(value) };
        let Some(constructor) = self.method(heir, "constructor").filter(|own| own != base) else { return Some(value) };
        let calls = &self.summary(constructor)?.calls;
        let above = calls.iter().find(|event| matches!(event.call.callee.kind, ValueKind::Super(_)))?;
        Some(self.substitute(&value, &self.bind(&above.call, *base)))
    }
}

/// `this.setDataValue(..)`: where the value goes is not told by what is assigned.
fn is_on_this(event: &Event) -> bool {
    event.call.receiver().is_some_and(|receiver| matches!(receiver.kind, ValueKind::This(_)))
}
