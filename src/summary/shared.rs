//! Equal values as one, while a program is being asked.
//!
//! What is kept of a value is kept by its address. Substitution makes the same values anew for each way through the program, so that
//! without this nothing kept of one would be found for the other.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::mem::discriminant;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::summary::{Argument, CallValue, Member, Shared, Slot, Value, ValueKind};

thread_local! {
    static KNOWN: RefCell<Table> = RefCell::default();
}

/// Values that nobody else holds are dropped when as many are known.
const LEAST: usize = 1 << 16;

#[derive(Default)]
struct Table {
    /// How many are asking.
    asking: usize,
    values: FxHashSet<Known>,
    sweep_at: usize,
}

impl Table {
    fn sweep(&mut self) {
        self.values.retain(|known| Arc::strong_count(&known.0) > 1);
        self.sweep_at = LEAST.max(self.values.len() * 2);
    }
}

/// As long as one of these lives on a thread, equal values that are made there are one.
#[derive(Debug)]
pub struct Sharing(PhantomData<Rc<()>>);

impl Sharing {
    pub fn start() -> Self {
        KNOWN.with_borrow_mut(|table| table.asking += 1);
        Self(PhantomData)
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        let unused = KNOWN.with_borrow_mut(|table| {
            table.asking -= 1;
            if table.asking == 0 { std::mem::take(table) } else { Table::default() }
        });
        drop(unused);
    }
}

/// A value, or the one that is known to equal it.
pub(super) fn one(value: Value) -> Shared {
    let value = Arc::new(value);
    KNOWN.with_borrow_mut(|table| {
        if table.asking == 0 {
            return value;
        }
        let value = Known(value);
        if let Some(known) = table.values.get(&value) {
            return Arc::clone(&known.0);
        }
        if table.values.len() >= table.sweep_at {
            table.sweep();
        }
        let shared = Arc::clone(&value.0);
        table.values.insert(value);
        shared
    })
}

/// A value by what it is, and by the addresses of what lies in it.
struct Known(Shared);

impl Eq for Known {}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.span == other.0.span && same(&self.0.kind, &other.0.kind)
    }
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Value { kind, span, .. } = &*self.0;
        span.hash(state);
        discriminant(kind).hash(state);
        match kind {
            ValueKind::Text(text) | ValueKind::Number(text) | ValueKind::Global(text) | ValueKind::Field(_, text) => {
                text.hash(state);
            }
            ValueKind::Param(function, at) => (function, at).hash(state),
            ValueKind::Captured(function, local) => (function, local).hash(state),
            ValueKind::Call(call) => call.site.hash(state),
            _ => {}
        }
        kind.each(&mut |inner| Arc::as_ptr(inner).hash(state));
    }
}

fn same(left: &ValueKind, right: &ValueKind) -> bool {
    use ValueKind as Kind;
    let is = Arc::ptr_eq;
    match (left, right) {
        (Kind::Text(a), Kind::Text(b)) | (Kind::Number(a), Kind::Number(b)) | (Kind::Global(a), Kind::Global(b)) => {
            a == b
        }
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Null, Kind::Null) | (Kind::Undefined, Kind::Undefined) => true,
        (Kind::Param(a, at), Kind::Param(b, other)) => a == b && at == other,
        (Kind::Captured(a, at), Kind::Captured(b, other)) => a == b && at == other,
        (Kind::Leaves(a, at, before), Kind::Leaves(b, other, held)) => a == b && at == other && is(before, held),
        (Kind::This(a), Kind::This(b)) | (Kind::Super(a), Kind::Super(b)) | (Kind::Class(a), Kind::Class(b)) => a == b,
        (Kind::Function(a), Kind::Function(b)) => a == b,
        (Kind::Import(a, at), Kind::Import(b, other)) => a == b && at == other,
        (Kind::Module(a), Kind::Module(b)) => a == b,
        (Kind::Field(a, name), Kind::Field(b, other)) => is(a, b) && name == other,
        (Kind::Element(a), Kind::Element(b)) | (Kind::Not(a), Kind::Not(b)) => is(a, b),
        (Kind::Subset(a, kept), Kind::Subset(b, other)) => kept == other && is(a, b),
        (Kind::Index(a, at), Kind::Index(b, other)) | (Kind::And(a, at), Kind::And(b, other)) => {
            is(a, b) && is(at, other)
        }
        (Kind::Rest(a, keys), Kind::Rest(b, others)) => is(a, b) && keys == others,
        (Kind::Is(a, shape), Kind::Is(b, other)) => is(a, b) && shape == other,
        (Kind::Object { base, entries }, Kind::Object { base: other, entries: others }) => {
            let is_base = match (base, other) {
                (Some(base), Some(other)) => is(base, other),
                (None, None) => true,
                _ => false,
            };
            is_base && all(entries, others, same_slot)
        }
        (Kind::Array(a), Kind::Array(b)) => all(a, b, same_member),
        (Kind::Call(a), Kind::Call(b)) => same_call(a, b),
        (Kind::After { call: a, arg, before }, Kind::After { call: b, arg: other, before: held }) => {
            arg == other && is(before, held) && same_call(a, b)
        }
        (Kind::Cond { cond: a, then, otherwise }, Kind::Cond { cond: b, then: on, otherwise: off }) => {
            is(a, b) && is(then, on) && is(otherwise, off)
        }
        (Kind::Fallback { left: a, right: b, when }, Kind::Fallback { left: c, right: d, when: other }) => {
            when == other && is(a, c) && is(b, d)
        }
        (Kind::Compare { left: a, right: b, equal }, Kind::Compare { left: c, right: d, equal: other }) => {
            equal == other && is(a, c) && is(b, d)
        }
        (Kind::Either(a), Kind::Either(b)) | (Kind::Concat(a), Kind::Concat(b)) => all(a, b, is),
        (Kind::Sql(text, a), Kind::Sql(other, b)) => Arc::ptr_eq(text, other) && all(a, b, is),
        (Kind::Stored { table, column }, Kind::Stored { table: other, column: of }) => table == other && column == of,
        (Kind::Opaque(why, a), Kind::Opaque(other, b)) => why == other && all(a, b, is),
        _ => false,
    }
}

fn all<T>(left: &[T], right: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| same(a, b))
}

fn same_call(left: &Arc<CallValue>, right: &Arc<CallValue>) -> bool {
    let same_arg = |a: &Argument, b: &Argument| a.spread == b.spread && Arc::ptr_eq(&a.value, &b.value);
    Arc::ptr_eq(left, right)
        || left.site == right.site
            && left.is_new == right.is_new
            && Arc::ptr_eq(&left.callee, &right.callee)
            && all(&left.args, &right.args, same_arg)
            && left.type_args == right.type_args
}

fn same_slot(left: &Slot, right: &Slot) -> bool {
    match (left, right) {
        (Slot::Named { key, key_span, value }, Slot::Named { key: other, key_span: at, value: held }) => {
            Arc::ptr_eq(value, held) && key_span == at && key == other
        }
        (Slot::Computed { key, value }, Slot::Computed { key: other, value: held }) => {
            Arc::ptr_eq(key, other) && Arc::ptr_eq(value, held)
        }
        (Slot::Spread(value), Slot::Spread(held)) => Arc::ptr_eq(value, held),
        _ => false,
    }
}

fn same_member(left: &Member, right: &Member) -> bool {
    match (left, right) {
        (Member::One(a), Member::One(b))
        | (Member::Spread(a), Member::Spread(b))
        | (Member::Each(a), Member::Each(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span};

    fn text(text: &str, start: u32) -> Shared {
        Value::new(ValueKind::Text(text.to_owned()), Span { file: FileId(0), start, end: start + 1 })
    }

    #[test]
    fn equal_values_are_one_while_somebody_asks() {
        let alone = (text("a", 0), text("a", 0));
        assert!(!Arc::ptr_eq(&alone.0, &alone.1));
        let sharing = Sharing::start();
        let first = Value::field(&Value::element(&text("a", 0), text("x", 3).span), "token", text("x", 3).span);
        {
            let _other = Sharing::start();
        }
        let second = Value::field(&Value::element(&text("a", 0), text("x", 3).span), "token", text("x", 3).span);
        assert!(Arc::ptr_eq(&first, &second));
        drop(sharing);
        assert!(!Arc::ptr_eq(&text("a", 0), &text("a", 0)));
    }

    #[test]
    fn what_differs_in_a_part_or_in_its_place_stays_apart() {
        let _sharing = Sharing::start();
        assert!(!Arc::ptr_eq(&text("a", 0), &text("b", 0)));
        assert!(!Arc::ptr_eq(&text("a", 0), &text("a", 1)));
        let list = |members: Vec<Member>| Value::new(ValueKind::Array(members), text("x", 9).span);
        let (one, each) = (list(vec![Member::One(text("a", 0))]), list(vec![Member::Each(text("a", 0))]));
        assert!(!Arc::ptr_eq(&one, &each));
        assert!(Arc::ptr_eq(&one, &list(vec![Member::One(text("a", 0))])));
    }

    #[test]
    fn what_nobody_holds_is_swept_out() {
        let _sharing = Sharing::start();
        let held = text("held", 0);
        for at in 1..200_000 {
            text("left", at);
        }
        assert!(KNOWN.with_borrow(|table| table.values.len() <= 2 * LEAST));
        assert!(Arc::ptr_eq(&held, &text("held", 0)));
    }
}
