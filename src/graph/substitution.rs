//! Replaces the parameters in a value by what one call hands in.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::graph::{Bindings, Graph};
use crate::ir::ClassId;
use crate::summary::{Argument, CallValue, Member, Shared, Slot, Value, ValueKind};

/// Larger values than this are cut off as opaque.
const BUDGET: usize = 30_000;

/// So many parts of a value cost a step of the question: a question that makes large values anew again and again ends.
const STEP: usize = 64;

pub(super) struct Substitution<'g, 'a> {
    graph: &'g Graph<'a>,
    bindings: &'g Bindings,
    /// By address: values are shared, and each is kept alive by the value under substitution.
    done: FxHashMap<*const Value, (Shared, Shared)>,
    spent: usize,
    depth: u16,
}

impl<'g, 'a> Substitution<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>, bindings: &'g Bindings) -> Self {
        Self { graph, bindings, done: FxHashMap::default(), spent: 0, depth: 0 }
    }

    pub(super) fn apply(&mut self, value: &Shared) -> Shared {
        if !value.is_open() {
            return Arc::clone(value);
        }
        let key = Arc::as_ptr(value);
        if let Some((_, done)) = self.done.get(&key) {
            return Arc::clone(done);
        }
        self.spent += 1;
        let is_paid = !self.spent.is_multiple_of(STEP) || self.graph.step();
        if !is_paid || self.spent > BUDGET || self.depth > 300 {
            return Value::new(ValueKind::Opaque("too much to follow", Vec::new()), value.span);
        }
        self.depth += 1;
        let result = self.rebuilt(value);
        self.depth -= 1;
        self.done.insert(key, (Arc::clone(value), Arc::clone(&result)));
        result
    }

    fn rebuilt(&mut self, value: &Shared) -> Shared {
        let span = value.span;
        let kind = match &value.kind {
            ValueKind::Param(function, at) if *function == self.bindings.function => {
                return match self.bindings.params.get(*at as usize) {
                    Some(bound) => Arc::clone(bound),
                    None => Value::new(ValueKind::Undefined, span),
                };
            }
            ValueKind::This(class) => {
                return match &self.bindings.this {
                    // A function that is no method: whoever calls it says what it runs on.
                    Some(this) if class.id == ClassId::UNTOLD => Arc::clone(this),
                    // Only a receiver that says more than its type does: a new object with known fields.
                    Some(this)
                        if matches!(
                            this.kind,
                            ValueKind::Call(_) | ValueKind::Object { .. } | ValueKind::After { .. }
                        ) =>
                    {
                        Arc::clone(this)
                    }
                    _ => Arc::clone(value),
                };
            }
            ValueKind::Captured(..) | ValueKind::Leaves(..) => {
                return match self.graph.expand(value) {
                    Some(inner) if !Arc::ptr_eq(&inner, value) => self.apply(&inner),
                    _ => Arc::clone(value),
                };
            }
            ValueKind::Field(base, name) => return Value::field(&self.apply(base), name, span),
            ValueKind::Element(base) => return Value::element(&self.apply(base), span),
            ValueKind::Index(base, index) => return Value::index(&self.apply(base), &self.apply(index), span),
            ValueKind::Rest(base, except) => ValueKind::Rest(self.apply(base), Arc::clone(except)),
            ValueKind::Subset(base, kept) => ValueKind::Subset(self.apply(base), *kept),
            ValueKind::Not(inner) => ValueKind::Not(self.apply(inner)),
            ValueKind::Is(inner, shape) => ValueKind::Is(self.apply(inner), *shape),
            ValueKind::And(left, right) => ValueKind::And(self.apply(left), self.apply(right)),
            ValueKind::Fallback { left, right, when } => {
                return Value::fallback(self.apply(left), self.apply(right), *when, span);
            }
            ValueKind::Compare { left, right, equal } => {
                ValueKind::Compare { left: self.apply(left), right: self.apply(right), equal: *equal }
            }
            ValueKind::Cond { cond, then, otherwise } => {
                ValueKind::Cond { cond: self.apply(cond), then: self.apply(then), otherwise: self.apply(otherwise) }
            }
            ValueKind::Object { base, entries } => {
                let base = base.as_ref().map(|base| self.apply(base));
                let entries = entries
                    .iter()
                    .map(|entry| match entry {
                        Slot::Named { key, key_span, value } => {
                            Slot::Named { key: key.clone(), key_span: *key_span, value: self.apply(value) }
                        }
                        Slot::Computed { key, value } => {
                            let key = self.apply(key);
                            let value = self.apply(value);
                            match &key.kind {
                                ValueKind::Text(text) => Slot::Named { key: text.clone(), key_span: key.span, value },
                                _ => Slot::Computed { key, value },
                            }
                        }
                        Slot::Spread(inner) => Slot::Spread(self.apply(inner)),
                    })
                    .collect();
                ValueKind::Object { base, entries }
            }
            ValueKind::Array(members) => ValueKind::Array(
                members
                    .iter()
                    .map(|member| match member {
                        Member::One(inner) => Member::One(self.apply(inner)),
                        Member::Spread(inner) => Member::Spread(self.apply(inner)),
                        Member::Each(inner) => Member::Each(self.apply(inner)),
                    })
                    .collect(),
            ),
            ValueKind::Call(call) => {
                // A closure has no place for what it captures: what the call makes of it is taken here.
                if self.captures(call)
                    && let Some(inner) = self.graph.expand(value)
                    && !Arc::ptr_eq(&inner, value)
                {
                    return self.apply(&inner);
                }
                ValueKind::Call(self.call(call))
            }
            ValueKind::After { call, arg, before } => {
                ValueKind::After { call: self.call(call), arg: *arg, before: self.apply(before) }
            }
            ValueKind::Either(values) => ValueKind::Either(self.all(values)),
            ValueKind::Concat(values) => ValueKind::Concat(self.all(values)),
            ValueKind::Sql(text, values) => ValueKind::Sql(Arc::clone(text), self.all(values)),
            ValueKind::Opaque(why, values) => ValueKind::Opaque(why, self.all(values)),
            ValueKind::Text(_)
            | ValueKind::Number(_)
            | ValueKind::Bool(_)
            | ValueKind::Null
            | ValueKind::Undefined
            | ValueKind::Super(_)
            | ValueKind::Function(_)
            | ValueKind::Class(_)
            | ValueKind::Import(..)
            | ValueKind::Module(_)
            | ValueKind::Global(_)
            | ValueKind::Param(..)
            | ValueKind::Stored { .. } => return Arc::clone(value),
        };
        Value::new(kind, span)
    }

    /// Whether a call is handed a closure of the function whose parameters are replaced.
    fn captures(&self, call: &CallValue) -> bool {
        call.args.iter().any(|arg| match arg.value.kind {
            ValueKind::Function(closure) => self.graph.named_parent(closure) == Some(self.bindings.function),
            _ => false,
        })
    }

    fn all(&mut self, values: &[Shared]) -> Vec<Shared> {
        values.iter().map(|value| self.apply(value)).collect()
    }

    pub(super) fn call(&mut self, call: &Arc<CallValue>) -> Arc<CallValue> {
        let args = call.args.iter().map(|arg| Argument { value: self.apply(&arg.value), spread: arg.spread }).collect();
        // A method's receiver stays a field, so that the call still names its method.
        let callee = match &call.callee.kind {
            ValueKind::Field(base, name) => {
                let base = self.apply(base);
                Value::method(&base, name, call.callee.span)
            }
            _ => self.apply(&call.callee),
        };
        Arc::new(CallValue { site: call.site, callee, args, is_new: call.is_new, type_args: call.type_args.clone() })
    }
}
