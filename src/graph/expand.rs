//! Values across functions: substitution of arguments for parameters, and one step of looking behind a name or a call.

use std::sync::Arc;

use crate::graph::kept::{held, is_variable};
use crate::graph::substitution::Substitution;
use crate::graph::{Graph, Resolved, Type};
use crate::rules::ArgBase;
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

impl Graph<'_> {
    /// The arguments of a call as the parameters of `function` see them.
    pub fn bind(&self, call: &CallValue, function: FunctionRef) -> Bindings {
        if let Some(whole) = self.with_bound(call) {
            return self.bind(&whole, function);
        }
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
        Bindings { function, params: bound, this: self.this_of(call, function) }
    }

    /// `f.bind(null, a)` called with `b` is `f(a, b)`.
    fn with_bound(&self, call: &CallValue) -> Option<CallValue> {
        let callee = match &call.callee.kind {
            ValueKind::Call(_) => Arc::clone(&call.callee),
            ValueKind::Captured(closure, local) => self.captured(*closure, *local)?,
            _ => return None,
        };
        let (bound, given) = bound_by(&callee)?;
        let args = given.iter().chain(&call.args).cloned().collect();
        Some(CallValue { callee: Arc::clone(bound), args, ..call.clone() })
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
        Substitution::new(self, bindings).apply(value)
    }

    /// Several values at once: what they share stays shared.
    pub fn substitute_all(&self, values: &[Shared], bindings: &Bindings) -> Vec<Shared> {
        let mut work = Substitution::new(self, bindings);
        values.iter().map(|value| work.apply(value)).collect()
    }

    /// A call with the parameters of the function that it stands in replaced; still that call, whatever is known of its result.
    pub fn substitute_call(&self, call: &Arc<CallValue>, bindings: &Bindings) -> Arc<CallValue> {
        Substitution::new(self, bindings).call(call)
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
            ValueKind::This(_) => self.lent(value),
            ValueKind::Leaves(closure, local, before) => {
                let left = Arc::clone(self.summary(*closure)?.leaves.get(local)?);
                let of_each = left.changed_from().is_some_and(|list| is_variable(list, *local));
                if of_each || self.runs_once(*closure) {
                    return Some(left);
                }
                let is_itself = |value: &Shared| Arc::ptr_eq(value, before) || is_variable(value, *local);
                Some(held(vec![Arc::clone(before), left], span, &is_itself))
            }
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
            ValueKind::Call(call) => self.results.get(value, None, &self.horizon, || {
                let result = self.returned(call).or_else(|| self.given_back(call));
                let result = result.or_else(|| self.made_by_derive(call)).or_else(|| self.promised(call));
                let result = result.or_else(|| self.looked_up(call)).or_else(|| self.enumerated(call));
                let result = result.or_else(|| self.map_of_pairs(value));
                result.or_else(|| self.listened(call)).or_else(|| self.kept_by_call(call))
            }),
            ValueKind::After { call, arg, before } => {
                Some(self.map_of_pairs(value).unwrap_or_else(|| self.after(call, *arg, before)))
            }
            _ => None,
        }
    }

    fn expand_field(&self, base: &Shared, name: &str, span: Span) -> Option<Shared> {
        if let Some(got) = self.got(base, name) {
            return Some(got);
        }
        if let Some(inner) = self.namespace(base) {
            return self.resolve_export(inner, name).value();
        }
        match &base.kind {
            // `this.constructor` of a row.
            ValueKind::This(_)
                if name == "constructor"
                    && let Some(model) = self.lending(base) =>
            {
                return Some(model);
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
            ValueKind::Call(call) => {
                if let Some(inside) = self.kept_under(call, name) {
                    return Some(inside);
                }
                if call.is_new
                    && let Type::Instance(class, _) = self.type_of(base)
                {
                    return self.constructed(call, class, name).or_else(|| self.own_field(class, name));
                }
            }
            ValueKind::Object { .. } => return Some(Value::field(base, name, span)),
            ValueKind::Rest(inner, except) if !except.iter().any(|key| key == name) => {
                return Some(Value::field(inner, name, span));
            }
            _ => {}
        }
        let inner = self.expand(base).map(|inner| Value::field(&inner, name, span));
        inner.or_else(|| self.kept_in_field(base, name, span))
    }

    /// What a call of a function of the tree returns, in terms of the caller.
    fn returned(&self, call: &CallValue) -> Option<Shared> {
        let targets = self.targets(call);
        let mut values: Vec<Shared> = Vec::new();
        for target in targets.iter() {
            let Some(summary) = self.summary(target.function) else { continue };
            let Some(returns) = &summary.returns else { continue };
            let returns = &self.run_inside(returns);
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

    /// What a function returns that hands a closure of its own to a library to run: what the closure returns, so that the variables it
    /// captures are looked up on this call.
    fn run_inside(&self, returns: &Shared) -> Shared {
        let mut at = Arc::clone(returns);
        for _ in 0..4 {
            let ValueKind::Call(call) = &at.kind else { break };
            let runs = |arg: &crate::summary::Argument| matches!(arg.value.kind, ValueKind::Function(_));
            if !call.args.iter().any(runs) {
                break;
            }
            let Some(inner) = self.given_back(call) else { break };
            at = inner;
        }
        at
    }

    fn after(&self, call: &CallValue, arg: Option<u32>, before: &Shared) -> Shared {
        let mut values: Vec<Shared> = Vec::new();
        if arg.is_none() && !self.is_called_on(call, before) {
            return Arc::clone(before);
        }
        for target in self.targets(call).iter() {
            let Some(summary) = self.summary(target.function) else { continue };
            let own = u32::try_from(self.own_parameters(call, target.function)).unwrap_or(0);
            // Where the method takes what it is called on as a parameter, that is the argument before the first.
            let arg = match arg {
                Some(at) => Some(at.saturating_add(own)),
                None if own > 0 => Some(0),
                None => None,
            };
            let exit = match arg {
                Some(at) => summary.exits.get(&at),
                None => summary.this_exit.as_ref(),
            };
            let Some(exit) = exit else { continue };
            let mut bindings = self.bind(call, target.function);
            if let Some(at) = arg {
                if let Some(slot) = bindings.params.get_mut(at as usize) {
                    *slot = Arc::clone(before);
                }
            } else {
                let kind = ValueKind::Object { base: Some(Arc::clone(before)), entries: Vec::new() };
                bindings.this = Some(Value::new(kind, before.span));
            }
            values.push(self.substitute(exit, &bindings));
        }
        match values.len() {
            0 => self.merged(call, arg, before).unwrap_or_else(|| Arc::clone(before)),
            1 => values.swap_remove(0),
            _ => Value::new(ValueKind::Either(values), call.site.span),
        }
    }

    /// Whether a method runs on an object that a chain of calls starts from: all before it hand back what they are called on.
    fn is_called_on(&self, call: &CallValue, object: &Shared) -> bool {
        let mut root = object;
        while let ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } = &root.kind {
            root = base;
        }
        let mut at = call.receiver();
        while let Some(receiver) = at {
            let ValueKind::Call(inner) = &receiver.kind else { return true };
            let is_object = matches!(&root.kind, ValueKind::Call(made) if made.site == inner.site);
            // `wrap(user).assign(..)` is called on the user.
            if inner.is_new || inner.receiver().is_none() || is_object {
                return true;
            }
            let targets = self.targets(inner);
            let hands_back = |target: &crate::graph::Target| {
                let returns = self.summary(target.function).and_then(|summary| summary.returns.as_ref());
                returns.is_some_and(is_this)
            };
            if targets.is_empty() || !targets.iter().all(hands_back) {
                return false;
            }
            at = inner.receiver();
        }
        true
    }

    /// What a library call keeps under a key of its result: `E.right(x)` is `{ right: x }`.
    fn kept_under(&self, call: &CallValue, name: &str) -> Option<Shared> {
        let mut rows = self.rules.passes_named(call.method()).filter(|row| row.key.is_some()).peekable();
        rows.peek()?;
        let path = self.library_path(call)?;
        let row = rows.find(|row| row.call.matches(&path))?;
        if row.key.as_deref() != Some(name) {
            // `E.left(x)` has no `right`.
            return Some(Value::new(ValueKind::Either(Vec::new()), call.site.span));
        }
        row.from.iter().flat_map(|from| self.argument(call, from)).next()
    }

    /// What a library call that runs a function returns of it: `$transaction(async (tx) => x)` is `x`.
    fn given_back(&self, call: &CallValue) -> Option<Shared> {
        let method = call.method();
        let mut rows = self.rules.callbacks_named(method).filter(|row| row.returns).peekable();
        rows.peek()?;
        let path = self.library_path(call)?;
        let row = rows.find(|row| row.call.matches(&path))?;
        let run = self.argument(call, &row.function).into_iter().next()?;
        match &run.kind {
            ValueKind::Function(function) => self.summary(*function)?.returns.clone(),
            // `$transaction([a, b])`
            ValueKind::Array(_) => Some(run),
            _ => None,
        }
    }

    /// The callable path of a call that leaves the tree.
    pub fn library_path(&self, call: &CallValue) -> Option<String> {
        // Most calls: what stands in the same file needs no search.
        if matches!(call.callee.kind, ValueKind::Function(_)) {
            return None;
        }
        if self.targets(call).is_empty() { self.callee_path(call) } else { None }
    }

    /// The callable path of a call that leaves the tree, where `fits` says that it is one of those asked for. Telling where a call leads
    /// costs more than telling its path, and may ask for more files.
    pub fn fitting_path(&self, call: &CallValue, fits: impl FnOnce(&str) -> bool) -> Option<String> {
        if matches!(call.callee.kind, ValueKind::Function(_)) {
            return None;
        }
        let path = self.callee_path(call).filter(|path| fits(path))?;
        self.targets(call).is_empty().then_some(path)
    }

    /// What a library call that changes its argument in place makes of it: `repository.merge(into, other)`.
    fn merged(&self, call: &CallValue, arg: Option<u32>, before: &Shared) -> Option<Shared> {
        let at = arg.map_or(ArgBase::Receiver, ArgBase::Nth);
        let fills = |into: &Option<crate::rules::ArgPath>| into.as_ref().is_some_and(|into| into.base == at);
        let method = call.method();
        let mut mints = self.rules.mints_named(method).filter(|row| fills(&row.into)).peekable();
        let mut passes = self.rules.passes_named(method).filter(|row| fills(&row.into)).peekable();
        if mints.peek().is_none() && passes.peek().is_none() {
            return None;
        }
        let path = self.library_path(call)?;
        if mints.any(|row| row.call.matches(&path)) {
            return Some(Value::new(ValueKind::Call(Arc::new(call.clone())), call.site.span));
        }
        let row = passes.find(|row| row.call.matches(&path))?;
        let into = row.into.as_ref()?;
        if row.empties {
            return Some(Value::new(ValueKind::Text(String::new()), call.site.span));
        }
        if let Some(left) = &row.leaves {
            return self.argument(call, left).into_iter().next().filter(|_| call.args.len() == 1);
        }
        // A digest in the making: what it is called on becomes what the call returns.
        if at == ArgBase::Receiver && row.from.contains(into) && !row.merge {
            return Some(Value::new(ValueKind::Call(Arc::new(call.clone())), call.site.span));
        }
        // `set('key', value)` beside `set({ key: value })`
        let named = row.name.as_ref().and_then(|path| self.argument(call, path).into_iter().next());
        let named = named.map(|name| self.resolved(&name)).and_then(|name| match &name.kind {
            ValueKind::Text(text) => Some((text.clone(), name.span)),
            _ => None,
        });
        let value = match &row.value {
            Some(path) => self.argument(call, path).into_iter().next(),
            None => call.args.get(1).map(|arg| Arc::clone(&arg.value)),
        };
        let entries = if let (Some((key, key_span)), Some(value)) = (named, value.clone()) {
            vec![Slot::Named { key, key_span, value }]
        } else if let (Some(path), Some(value)) = (row.name.as_ref().filter(|_| row.value.is_some()), value) {
            let keys = self.argument(call, path).into_iter();
            keys.map(|key| Slot::Computed { key, value: Arc::clone(&value) }).collect()
        } else {
            let others = row.from.iter().filter(|from| from.base != into.base);
            others.flat_map(|path| self.argument(call, path)).map(Slot::Spread).collect()
        };
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
                | ValueKind::This(_)
                | ValueKind::After { .. } => self.expand(&at),
                ValueKind::Call(call) if !self.targets(call).is_empty() => self.expand(&at),
                ValueKind::Call(call) => self.looked_up(call).or_else(|| self.kept_by_call(call)),
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
            // `this.constructor`
            ValueKind::Field(base, name) if name == "constructor" => match self.type_of(base) {
                Type::Instance(class, _) => Some(class),
                _ => None,
            },
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

/// `this`, with what was assigned to it.
fn is_this(value: &Shared) -> bool {
    let mut at = value;
    while let ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } = &at.kind {
        at = base;
    }
    matches!(at.kind, ValueKind::This(_))
}

/// The function that `f.bind(this, ..)` binds, and the arguments that it is given for good.
pub(super) fn bound_by(value: &Shared) -> Option<(&Shared, &[Argument])> {
    let ValueKind::Call(call) = &value.kind else { return None };
    let function = call.receiver().filter(|_| call.method() == Some("bind") && !call.is_new)?;
    Some((function, call.args.get(1..)?))
}
