//! Values across functions: substitution of arguments for parameters, and one step of looking behind a name or a call.

use std::collections::HashMap;
use std::sync::Arc;

use crate::graph::{Graph, Resolved, Type};
use crate::ir::{FunctionId, FunctionKind, LocalId};
use crate::source::Span;
use crate::summary::{Argument, CallValue, FunctionRef, Member, Shared, Slot, Value, ValueKind};

/// What the parameters of one function are on one call.
#[derive(Clone, Debug)]
pub struct Bindings {
    pub function: FunctionRef,
    /// Index: parameter. Shorter than the parameters: the rest is `undefined`.
    pub params: Vec<Shared>,
    /// What `this` is in the function.
    pub this: Option<Shared>,
}

/// Larger values than this are cut off as opaque.
const BUDGET: usize = 30_000;

impl Graph<'_> {
    /// The arguments of a call as the parameters of `function` see them.
    pub fn bind(&self, call: &CallValue, function: FunctionRef) -> Bindings {
        let declared = self.function(function);
        let params = declared.map_or(&[][..], |f| f.params.as_slice());
        let span = call.site.span;
        let mut bound = Vec::with_capacity(params.len());
        let own = self.own_parameters(call, function);
        if own > 0 {
            bound.extend(call.receiver().cloned());
        }
        for (at, param) in params.iter().skip(own).enumerate() {
            if param.rest {
                let members = call.args.iter().skip(at).map(|arg| {
                    if arg.spread {
                        Member::Spread(Arc::clone(&arg.value))
                    } else {
                        Member::One(Arc::clone(&arg.value))
                    }
                });
                bound.push(Value::new(ValueKind::Array(members.collect()), span));
                break;
            }
            let spread = call.args.iter().take(at + 1).position(|arg| arg.spread);
            bound.push(match (spread, call.args.get(at)) {
                (Some(first), _) => {
                    let number = Value::new(ValueKind::Number((at - first).to_string()), span);
                    Value::index(&call.args[first].value, &number, span)
                }
                (None, Some(arg)) => Arc::clone(&arg.value),
                (None, None) => Value::new(ValueKind::Undefined, span),
            });
        }
        let this = call.receiver().filter(|receiver| !matches!(receiver.kind, ValueKind::Super(_))).cloned();
        Bindings { function, params: bound, this }
    }

    /// How many parameters stand before the arguments: the receiver, where a method takes it as one and is not called by its path.
    fn own_parameters(&self, call: &CallValue, function: FunctionRef) -> usize {
        if !self.function(function).is_some_and(|declared| declared.takes_self) {
            return 0;
        }
        let Some(receiver) = call.receiver() else { return 0 };
        let by_path = match &receiver.kind {
            ValueKind::Class(_) => true,
            ValueKind::Import(file, id) => match self.resolve_import(*file, *id) {
                Resolved::Namespace(_) => true,
                _ => matches!(self.type_of(receiver), Type::Object(_)),
            },
            _ => false,
        };
        usize::from(!by_path)
    }

    /// `value` with the parameters of one function replaced; variables of functions around are looked up first.
    pub fn substitute(&self, value: &Shared, bindings: &Bindings) -> Shared {
        Substitution { graph: self, bindings, done: HashMap::new(), spent: 0, depth: 0 }.apply(value)
    }

    /// One step behind a value: the variable of the function around, the imported constant, what a call of the tree returns.
    /// `None` where there is nothing behind it.
    pub fn expand(&self, value: &Shared) -> Option<Shared> {
        if !self.step() {
            return None;
        }
        let span = value.span;
        match &value.kind {
            ValueKind::Captured(closure, local) => self.captured(*closure, *local),
            ValueKind::Leaves(closure, local) => self.summary(*closure)?.leaves.get(local).cloned(),
            ValueKind::Import(file, id) => match self.resolve_import(*file, *id) {
                Resolved::Value(inner) => Some(inner),
                _ => None,
            },
            ValueKind::Field(base, name) => self.expand_field(base, name, span),
            ValueKind::Element(base) => Some(Value::element(&self.expand(base)?, span)),
            ValueKind::Index(base, index) => {
                if let Some(inner) = self.expand(base) {
                    return Some(Value::index(&inner, index, span));
                }
                let key = self.expand(index)?;
                match &key.kind {
                    ValueKind::Text(name) => Some(Value::field(base, name, span)),
                    _ => None,
                }
            }
            ValueKind::Rest(base, except) => {
                let inner = self.expand(base)?;
                Some(Value::new(ValueKind::Rest(inner, Arc::clone(except)), span))
            }
            ValueKind::Call(call) => self.results.get(value, None, || self.returned(call)),
            ValueKind::After { call, arg, before } => Some(self.after(call, *arg, before)),
            _ => None,
        }
    }

    fn expand_field(&self, base: &Shared, name: &str, span: Span) -> Option<Shared> {
        match &base.kind {
            ValueKind::Import(file, id) => {
                if let Resolved::Namespace(inner) = self.resolve_import(*file, *id) {
                    return match self.resolve_export(inner, name) {
                        Resolved::Value(value) => Some(value),
                        _ => None,
                    };
                }
            }
            ValueKind::This(class) | ValueKind::Class(class) => return self.own_field(*class, name),
            // Both ways of a branch, so that what each object holds under the key comes out.
            ValueKind::Cond { cond, then, otherwise } => {
                let then = Value::field(then, name, span);
                let otherwise = Value::field(otherwise, name, span);
                return Some(Value::new(ValueKind::Cond { cond: Arc::clone(cond), then, otherwise }, span));
            }
            ValueKind::Either(values) => {
                let values = values.iter().map(|inner| Value::field(inner, name, span)).collect();
                return Some(Value::new(ValueKind::Either(values), span));
            }
            ValueKind::Fallback { left, right, when } => {
                let (left, right) = (Value::field(left, name, span), Value::field(right, name, span));
                return Some(Value::new(ValueKind::Fallback { left, right, when: *when }, span));
            }
            ValueKind::And(_, right) => return Some(Value::field(right, name, span)),
            ValueKind::Rest(inner, except) if !except.iter().any(|key| key == name) => {
                return Some(Value::field(inner, name, span));
            }
            _ => {}
        }
        self.expand(base).map(|inner| Value::field(&inner, name, span))
    }

    /// What the class itself puts into one of its fields.
    fn own_field(&self, class: crate::summary::ClassRef, name: &str) -> Option<Shared> {
        for owner in self.lineage(class) {
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
            let first = values.first()?.span;
            // A constructor parameter that is stored as it is says no more than the field's type.
            if values.iter().all(|value| matches!(value.kind, ValueKind::Param(..))) {
                continue;
            }
            return Some(if values.len() == 1 {
                values.swap_remove(0)
            } else {
                Value::new(ValueKind::Either(values), first)
            });
        }
        None
    }

    /// The variable of a function around, as the closure sees it.
    fn captured(&self, closure: FunctionRef, local: LocalId) -> Option<Shared> {
        let module = self.module(closure.file)?;
        let owner = module.locals.get(local.at())?.function;
        let mut at = closure.id;
        for _ in 0..100 {
            let function = module.functions.get(at.at())?;
            let parent = if at.at() == 0 { return None } else { function.parent.unwrap_or(FunctionId(0)) };
            let around = FunctionRef { file: closure.file, id: parent };
            let seen =
                self.summary(around).and_then(|summary| summary.closures.get(&at)).and_then(|env| env.get(&local));
            if let Some(seen) = seen {
                let itself = matches!(seen.kind, ValueKind::Captured(c, l) if c == closure && l == local);
                return (!itself).then(|| Arc::clone(seen));
            }
            if parent == owner {
                return self.any_value_of(around, local);
            }
            if parent == at {
                return None;
            }
            at = parent;
        }
        None
    }

    /// What a call of a function of the tree returns, in terms of the caller.
    fn returned(&self, call: &CallValue) -> Option<Shared> {
        let targets = self.targets(call);
        let mut values: Vec<Shared> = Vec::new();
        for target in &targets {
            let Some(summary) = self.summary(target.function) else { continue };
            let Some(returns) = &summary.returns else { continue };
            let value = match &target.bindings {
                Some(bindings) => self.substitute(returns, bindings),
                None => self.substitute(returns, &self.bind(call, target.function)),
            };
            values.push(value);
        }
        if values.len() > 1 {
            return Some(Value::new(ValueKind::Either(values), call.site.span));
        }
        values.pop()
    }

    fn after(&self, call: &Arc<CallValue>, arg: Option<u32>, before: &Shared) -> Shared {
        let mut values: Vec<Shared> = Vec::new();
        for target in self.targets(call) {
            let own = u32::try_from(self.own_parameters(call, target.function)).unwrap_or(0);
            let at = match arg {
                Some(at) => at.saturating_add(own),
                None if own > 0 => 0,
                None => continue,
            };
            let Some(exit) = self.summary(target.function).and_then(|summary| summary.exits.get(&at)) else { continue };
            let mut bindings = self.bind(call, target.function);
            if let Some(slot) = bindings.params.get_mut(at as usize) {
                *slot = Arc::clone(before);
            }
            values.push(self.substitute(exit, &bindings));
        }
        match values.len() {
            0 => self.filled(call, arg).or_else(|| self.merged(call, arg, before)).unwrap_or_else(|| Arc::clone(before)),
            1 => values.swap_remove(0),
            _ => Value::new(ValueKind::Either(values), call.site.span),
        }
    }

    /// A buffer that a library call fills with what it makes: then it is the call's result.
    fn filled(&self, call: &Arc<CallValue>, arg: Option<u32>) -> Option<Shared> {
        let mut rows = self.rules.mint().filter(|row| row.into.is_some()).peekable();
        rows.peek()?;
        let path = self.callee_path(call)?;
        let row = rows.find(|row| row.call.matches(&path))?;
        let fills = row.into.as_ref().zip(arg).is_some_and(|(into, at)| into.base == crate::rules::ArgBase::Nth(at));
        fills.then(|| Value::new(ValueKind::Call(Arc::clone(call)), call.site.span))
    }

    /// What a library call that changes its argument in place makes of it: `repository.merge(into, other)`.
    fn merged(&self, call: &CallValue, arg: Option<u32>, before: &Shared) -> Option<Shared> {
        let path = self.callee_path(call)?;
        let row = self.rules.pass().find(|row| row.into.is_some() && row.call.matches(&path))?;
        let into = row.into.as_ref()?;
        if arg.is_none_or(|at| into.base != crate::rules::ArgBase::Nth(at)) {
            return None;
        }
        let others = row.from.iter().filter(|from| from.base != into.base);
        let entries = others.flat_map(|path| self.argument(call, path)).map(Slot::Spread).collect();
        Some(Value::new(ValueKind::Object { base: Some(Arc::clone(before)), entries }, call.site.span))
    }

    /// Behind names and calls until something else stands there.
    pub fn resolved(&self, value: &Shared) -> Shared {
        let mut at = Arc::clone(value);
        for _ in 0..24 {
            let next = match &at.kind {
                ValueKind::Captured(..)
                | ValueKind::Leaves(..)
                | ValueKind::Import(..)
                | ValueKind::Field(..)
                | ValueKind::Element(_)
                | ValueKind::Index(..)
                | ValueKind::After { .. } => self.expand(&at),
                ValueKind::Call(call) if !self.targets(call).is_empty() => self.expand(&at),
                _ => None,
            };
            match next {
                Some(next) if !Arc::ptr_eq(&next, &at) => at = next,
                _ => break,
            }
        }
        at
    }

    /// The model-bearing class behind a value: `User`, `() => User`, a `typeof User` parameter.
    pub fn class_behind(&self, value: &Shared) -> Option<crate::summary::ClassRef> {
        let resolved = self.resolved(value);
        match &resolved.kind {
            ValueKind::Class(class) => Some(*class),
            ValueKind::Function(function) => match &self.summary(*function)?.returns.as_ref()?.kind {
                ValueKind::Class(class) => Some(*class),
                _ => None,
            },
            _ => match self.type_of(value) {
                Type::Object(class) => Some(class),
                _ => None,
            },
        }
    }
}

struct Substitution<'g, 'a> {
    graph: &'g Graph<'a>,
    bindings: &'g Bindings,
    /// By address: values are shared, and each is kept alive by the value under substitution.
    done: HashMap<*const Value, (Shared, Shared)>,
    spent: usize,
    depth: u16,
}

impl Substitution<'_, '_> {
    fn apply(&mut self, value: &Shared) -> Shared {
        if !value.is_open() {
            return Arc::clone(value);
        }
        let key = Arc::as_ptr(value);
        if let Some((_, done)) = self.done.get(&key) {
            return Arc::clone(done);
        }
        self.spent += 1;
        if self.spent > BUDGET || self.depth > 300 {
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
            ValueKind::This(_) => {
                return match &self.bindings.this {
                    // Only a receiver that says more than its type does: a new object with known fields.
                    Some(this) if matches!(this.kind, ValueKind::Call(_) | ValueKind::Object { .. }) => {
                        Arc::clone(this)
                    }
                    _ => Arc::clone(value),
                };
            }
            ValueKind::Captured(..) => {
                return match self.graph.expand(value) {
                    Some(inner) if !Arc::ptr_eq(&inner, value) => self.apply(&inner),
                    _ => Arc::clone(value),
                };
            }
            ValueKind::Leaves(..) | ValueKind::Param(..) => return Arc::clone(value),
            ValueKind::Field(base, name) => return Value::field(&self.apply(base), name, span),
            ValueKind::Element(base) => return Value::element(&self.apply(base), span),
            ValueKind::Index(base, index) => return Value::index(&self.apply(base), &self.apply(index), span),
            ValueKind::Rest(base, except) => ValueKind::Rest(self.apply(base), Arc::clone(except)),
            ValueKind::Subset(base) => ValueKind::Subset(self.apply(base)),
            ValueKind::Not(inner) => ValueKind::Not(self.apply(inner)),
            ValueKind::And(left, right) => ValueKind::And(self.apply(left), self.apply(right)),
            ValueKind::Fallback { left, right, when } => {
                ValueKind::Fallback { left: self.apply(left), right: self.apply(right), when: *when }
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
            ValueKind::Call(call) => ValueKind::Call(self.call(call)),
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
            | ValueKind::Global(_)
            | ValueKind::Stored { .. } => return Arc::clone(value),
        };
        Value::new(kind, span)
    }

    fn all(&mut self, values: &[Shared]) -> Vec<Shared> {
        values.iter().map(|value| self.apply(value)).collect()
    }

    fn call(&mut self, call: &Arc<CallValue>) -> Arc<CallValue> {
        let args = call.args.iter().map(|arg| Argument { value: self.apply(&arg.value), spread: arg.spread }).collect();
        // A method's receiver stays a field, so that the call still names its method.
        let callee = match &call.callee.kind {
            ValueKind::Field(base, name) => {
                Value::method(self.apply(base), name, call.callee.span)
            }
            _ => self.apply(&call.callee),
        };
        Arc::new(CallValue { site: call.site, callee, args, is_new: call.is_new, type_args: call.type_args.clone() })
    }
}
