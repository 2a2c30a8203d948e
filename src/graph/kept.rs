//! What is kept between calls: variables of a function around as a closure finds them, and lists that one function starts and others
//! put into: a queue of a class, a buffer of a module.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::graph::calls::EdgeKind;
use crate::ir::{FunctionId, FunctionKind, LocalId};
use crate::source::{FileId, Span};
use crate::summary::{FunctionRef, Member, Shared, Summary, Value, ValueKind};

impl Graph<'_> {
    /// The variable of a function around, as the closure sees it.
    pub(super) fn captured(&self, closure: FunctionRef, local: LocalId) -> Option<Shared> {
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
                return (!itself).then(|| self.seen_later(closure, local, seen));
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

    /// A variable that a closure finds in the function around; where the closure may run later, with what others leave there.
    fn seen_later(&self, closure: FunctionRef, local: LocalId, seen: &Shared) -> Shared {
        let mut known = vec![closure.id];
        let mut before = seen;
        while let ValueKind::Leaves(by, _, inner) = &before.kind {
            known.push(by.id);
            before = inner;
        }
        let mut values = vec![Arc::clone(seen)];
        values.extend(self.left_in(closure.file, local, &known));
        if values.len() > 1 && self.runs_once(closure) {
            values.truncate(1);
        }
        held(values, seen.span, &|value| is_variable(value, local) || Arc::ptr_eq(value, seen))
    }

    /// What the callers of a function hand it as a parameter, for what it keeps: `setToken(token) { this.token = token }`. Nothing where
    /// it keeps nothing, one of them does not tell, or there are too many.
    pub fn handed_by_callers(&self, function: FunctionRef, parameter: u32) -> Vec<Shared> {
        let keeps = |summary: &Summary| {
            let fields = summary.this_fields.iter().map(|(_, value)| value);
            fields.chain(summary.leaves.values()).any(|value| is_made_of(value, function, parameter, 4))
        };
        // What a constructor keeps is told by the object.
        let is_constructor = self.function(function).is_some_and(|declared| declared.kind == FunctionKind::Constructor);
        if is_constructor || !self.summary(function).is_some_and(keeps) {
            return Vec::new();
        }
        self.sought.borrow_mut().insert(function);
        let callers = self.callers(function);
        if callers.len() > MOST_CALLERS {
            return Vec::new();
        }
        let handed = callers.iter().map(|edge| {
            let bindings = match &edge.kind {
                EdgeKind::Call(call) => &self.bind(call, function),
                EdgeKind::Callback(bindings) => bindings,
                EdgeKind::Framework => return None,
            };
            bindings.params.get(parameter as usize).cloned()
        });
        handed.collect::<Option<Vec<Shared>>>().unwrap_or_default()
    }

    /// The functions whose callers were asked for by what they are handed.
    pub fn sought(&self) -> BTreeSet<FunctionRef> {
        self.sought.borrow().clone()
    }

    /// What the functions in the scope of a variable leave in it, but for some; what they leave as it was is left out.
    pub(super) fn left_in(&self, file: FileId, local: LocalId, but: &[FunctionId]) -> Vec<Shared> {
        let by = self.unit(file).and_then(|unit| unit.summary.left.get(&local));
        let others = by.into_iter().flatten().filter(|by| !but.contains(by));
        let left = others.filter_map(|by| self.summary(FunctionRef { file, id: *by })?.leaves.get(&local));
        left.filter_map(|value| assigned(value, local, DEEPEST)).collect()
    }
}

/// Who is called by more hands on what nobody can list.
const MOST_CALLERS: usize = 16;

/// How deep alternatives lie in one another.
const DEEPEST: u8 = 8;

/// What a function assigns to a variable around, without the alternatives in which it stays what it was. An object whose fields are
/// assigned has those fields.
fn assigned(value: &Shared, local: LocalId, fuel: u8) -> Option<Shared> {
    if is_variable(value, local) {
        return None;
    }
    let Some(fuel) = fuel.checked_sub(1) else { return Some(Arc::clone(value)) };
    let inner = |value: &Shared| assigned(value, local, fuel);
    let kind = match &value.kind {
        ValueKind::Cond { cond, then, otherwise } => match (inner(then), inner(otherwise)) {
            (Some(then), Some(otherwise)) => ValueKind::Cond { cond: Arc::clone(cond), then, otherwise },
            (one, other) => return one.or(other),
        },
        ValueKind::Fallback { left, right, when } => match (inner(left), inner(right)) {
            (Some(left), Some(right)) => ValueKind::Fallback { left, right, when: *when },
            (one, other) => return one.or(other),
        },
        ValueKind::Either(values) => ValueKind::Either(values.iter().filter_map(inner).collect()),
        ValueKind::Object { base: Some(base), entries } => {
            let nothing = || Value::new(ValueKind::Either(Vec::new()), base.span);
            ValueKind::Object { base: Some(inner(base).unwrap_or_else(nothing)), entries: entries.clone() }
        }
        _ => return Some(Arc::clone(value)),
    };
    Some(Value::new(kind, value.span))
}

/// Whether a parameter lies in a value.
fn is_made_of(value: &Shared, function: FunctionRef, parameter: u32, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1).filter(|_| value.is_open()) else { return false };
    let mut found = matches!(value.kind, ValueKind::Param(of, at) if of == function && at == parameter);
    value.kind.each(&mut |inner| found |= is_made_of(inner, function, parameter, fuel));
    found
}

/// Whether a value is a variable as some closure finds it.
pub(super) fn is_variable(value: &Shared, local: LocalId) -> bool {
    matches!(value.kind, ValueKind::Captured(_, at) | ValueKind::Leaves(_, at, _) if at == local)
}

/// What a variable or a field holds at one time or another. Of lists that something was put into later, any number of all that was;
/// `is_itself` tells what reads the variable itself.
pub(super) fn held(mut values: Vec<Shared>, span: Span, is_itself: &dyn Fn(&Shared) -> bool) -> Shared {
    let mut put = Vec::new();
    let mut grows = false;
    for value in &values {
        grows |= gather(value, is_itself, &mut put);
    }
    if grows {
        return Value::new(ValueKind::Array(put), span);
    }
    if values.len() == 1 { filled(values.swap_remove(0)) } else { Value::new(ValueKind::Either(values), span) }
}

/// A list that is kept for later and starts empty is there to be filled, by whom one sees or not: nothing can be told from its being
/// empty.
pub(super) fn filled(list: Shared) -> Shared {
    let ValueKind::Array(members) = &list.kind else { return list };
    if !members.is_empty() {
        return list;
    }
    let unknown = Value::new(ValueKind::Opaque("what is put into a list", Vec::new()), list.span);
    Value::new(ValueKind::Array(vec![Member::Spread(unknown)]), list.span)
}

/// Adds what a list holds, one alternative of a variable; whether the list is made of what the variable held before.
fn gather(value: &Shared, is_itself: &dyn Fn(&Shared) -> bool, put: &mut Vec<Member>) -> bool {
    let ValueKind::Array(members) = &value.kind else {
        put.push(Member::Spread(Arc::clone(value)));
        return false;
    };
    let mut grows = false;
    for member in members {
        match member {
            Member::Spread(list) if is_itself(list) => grows = true,
            Member::Spread(list) => grows |= gather(list, is_itself, put),
            Member::One(each) | Member::Each(each) => put.push(Member::Each(Arc::clone(each))),
        }
    }
    grows
}
