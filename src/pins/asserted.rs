//! What the assertions of a test file want of the column.

use crate::config::Contract;
use crate::ir::{Arg, Call, Entry, ExprId, ExprKind, Item};
use crate::pins::code::{Code, Thing};
use crate::pins::contract;
use crate::rules::TestSays;

/// The contracts that the assertions hold the column to.
pub(super) fn wants<'c>(code: &'c Code<'_>) -> impl Iterator<Item = Contract> + 'c {
    code.tops().filter_map(|id| assertion(code, id)).map(contract)
}

/// Whether a chain asserts that the column has a value, or that it has none.
fn assertion(code: &Code<'_>, id: ExprId) -> Option<bool> {
    let steps = code.chain(id);
    let says = |what, name: &str| code.rules.says(what, name);
    let (matcher, called) = *steps.first()?;
    // `expect(subject).not.toBe(x)`, `subject.should.not.equal(x)`
    let start = steps.iter().position(|(name, call)| call.is_none() && says(TestSays::Should, name));
    let subject = match start {
        Some(at) => base_of(code, id, at),
        None => steps.last().and_then(|(name, call)| {
            let call = call.filter(|_| says(TestSays::Start, name) && steps.len() > 1)?;
            call.args.first().map(|arg| arg.value)
        }),
    };
    if let Some(subject) = subject {
        let words = &steps[..start.unwrap_or(steps.len() - 1)];
        let is_negated = words.iter().filter(|(name, _)| says(TestSays::Not, name)).count() % 2 == 1;
        let args = called.map_or(&[][..], |call| &call.args);
        return matches(code, matcher, subject, args, !is_negated);
    }
    // `assert.equal(a, b)`, `assert!(a)`
    let is_start = steps.len() == 1 && ["assert", "assert!", "assert_eq!", "assert_ne!"].contains(&matcher)
        || steps.last().is_some_and(|(name, call)| call.is_none() && says(TestSays::Start, name))
        || steps.len() == 1 && says(TestSays::Start, matcher);
    let (first, rest) = called.filter(|_| is_start)?.args.split_first()?;
    matches(code, matcher, first.value, rest, true)
}

/// What the steps before the nth from the right are called on.
fn base_of(code: &Code<'_>, mut id: ExprId, mut at: usize) -> Option<ExprId> {
    loop {
        match code.kind(id) {
            ExprKind::Call(call) => id = call.callee,
            ExprKind::Field { base, .. } if at == 0 => return Some(*base),
            ExprKind::Field { base, .. } => {
                at -= 1;
                id = *base;
            }
            ExprKind::Index { base, .. } | ExprKind::Element(base) => id = *base,
            _ => return None,
        }
    }
}

/// What a word that compares, and its arguments, say of the subject, or of its opposite.
fn matches(code: &Code<'_>, word: &str, subject: ExprId, args: &[Arg], holds: bool) -> Option<bool> {
    let says = |what| code.rules.says(what, word);
    let other = args.first().map(|arg| arg.value);
    let thing = code.thing(subject);
    if says(TestSays::Nothing) {
        return none_there(thing, holds);
    }
    if says(TestSays::Value) {
        return none_there(thing, !holds);
    }
    if says(TestSays::Truthy) {
        return truth(code, subject, holds);
    }
    if says(TestSays::Falsy) {
        return truth(code, subject, !holds);
    }
    if says(TestSays::Empty) {
        return no_element(thing, holds);
    }
    if says(TestSays::Length) {
        let is_zero = other.is_some_and(|other| is_zero(code, other));
        return no_element(thing, is_zero == holds).filter(|_| is_zero || thing == Thing::Column && holds);
    }
    if thing == Thing::Row && (says(TestSays::Holds) || says(TestSays::Equal)) {
        let wanted = same_row(code, args, !says(TestSays::Equal)).filter(|_| holds);
        if wanted.is_some() {
            return wanted;
        }
    }
    if says(TestSays::Equal) || says(TestSays::Different) {
        let other = other?;
        return equality(code, subject, other, says(TestSays::Equal) == holds);
    }
    // Whatever else is asserted of it, it is there.
    (thing == Thing::Column && holds).then_some(true)
}

/// What it says of the column that something is not there, or is.
fn none_there(thing: Thing, is_none: bool) -> Option<bool> {
    match thing {
        Thing::Column => Some(!is_none),
        // No row of those is found.
        Thing::Found { with_value } if is_none => Some(!with_value),
        _ => None,
    }
}

fn no_element(thing: Thing, is_empty: bool) -> Option<bool> {
    none_there(thing, is_empty)
}

/// What it says of the column that an expression is true, or false.
fn truth(code: &Code<'_>, id: ExprId, holds: bool) -> Option<bool> {
    match code.kind(id) {
        ExprKind::Not(inner) => truth(code, *inner, !holds),
        ExprKind::Compare { left, right, equal } => equality(code, *left, *right, *equal == holds),
        ExprKind::And { left, right } if holds => truth(code, *left, true).or_else(|| truth(code, *right, true)),
        ExprKind::Is { value, .. } => none_there(code.thing(*value), !holds).filter(|_| holds),
        ExprKind::Call(call) => called_truth(code, id, call, holds),
        _ => none_there(code.thing(id), !holds),
    }
}

/// The truth of `rows.every((row) => row.token !== null)`, `rows.is_empty()`, `existsBy(..)`.
fn called_truth(code: &Code<'_>, id: ExprId, call: &Call, holds: bool) -> Option<bool> {
    let ExprKind::Field { base, name, .. } = code.kind(call.callee) else {
        return none_there(code.thing(id), !holds);
    };
    let closure = call.args.first().and_then(|arg| match code.kind(arg.value) {
        ExprKind::Closure(function) => Some(*function),
        _ => None,
    });
    match (name.as_str(), closure) {
        ("every" | "all", Some(each)) if holds => {
            code.returned(each).iter().find_map(|value| truth(code, *value, true))
        }
        ("some" | "any", Some(each)) if !holds => {
            code.returned(each).iter().find_map(|value| truth(code, *value, false))
        }
        _ if code.rules.says(TestSays::Empty, name) => no_element(code.thing(*base), holds),
        _ => none_there(code.thing(id), !holds),
    }
}

/// What it says of the column that two expressions are equal, or that they are not.
fn equality(code: &Code<'_>, left: ExprId, right: ExprId, equal: bool) -> Option<bool> {
    let (subject, other) = if code.thing(left) == Thing::Other { (right, left) } else { (left, right) };
    let thing = code.thing(subject);
    match code.kind(other) {
        ExprKind::Null | ExprKind::Undefined => none_there(thing, equal),
        ExprKind::Bool(value) => truth(code, subject, *value == equal),
        ExprKind::Array(items) if items.is_empty() => no_element(thing, equal),
        _ if is_zero(code, other) => no_element(thing, equal).filter(|_| thing != Thing::Column),
        _ if thing == Thing::Other => {
            let value = [left, right].into_iter().find_map(|id| match code.kind(id) {
                ExprKind::Bool(value) => Some(*value),
                _ => None,
            })?;
            let tested = if matches!(code.kind(left), ExprKind::Bool(_)) { right } else { left };
            truth(code, tested, value == equal)
        }
        _ => (thing == Thing::Column && equal).then_some(true),
    }
}

fn is_zero(code: &Code<'_>, id: ExprId) -> bool {
    match code.kind(id) {
        ExprKind::Number(number) => {
            let digits = number.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '_');
            digits == "0" || ["0n", "0i64", "0u64", "0_i64", "0usize"].contains(&number.as_str())
        }
        ExprKind::Text(text) => text == "0",
        // `[{ n: 0 }]`
        ExprKind::Array(items) => {
            matches!(items.as_slice(), [Item::One(item)] if is_zero(code, *item))
        }
        ExprKind::Object(entries) => {
            matches!(entries.as_slice(), [Entry::Named { value, .. }] if is_zero(code, *value))
        }
        _ => false,
    }
}

/// What a row that has these keys and values says of the column: `{ accessToken: token }`, or, `by_key`, `'accessToken', token`.
fn same_row(code: &Code<'_>, args: &[Arg], by_key: bool) -> Option<bool> {
    let [first, rest @ ..] = args else { return None };
    if by_key && code.text(first.value).is_some_and(|key| code.names.is_column(key)) {
        return Some(rest.first().is_none_or(|value| !is_nothing(code, value.value)));
    }
    match code.kind(first.value) {
        ExprKind::Object(entries) => entries.iter().find_map(|entry| match entry {
            Entry::Named { key, value, .. } if code.names.is_column(key) => Some(!is_nothing(code, *value)),
            _ => None,
        }),
        // `expect.objectContaining({ .. })`
        ExprKind::Call(call) => same_row(code, &call.args, false),
        ExprKind::Array(items) => items.iter().find_map(|item| match item {
            Item::One(value) => same_row(code, &[Arg { value: *value, spread: false }], false),
            _ => None,
        }),
        _ => None,
    }
}

fn is_nothing(code: &Code<'_>, id: ExprId) -> bool {
    matches!(code.kind(id), ExprKind::Null | ExprKind::Undefined)
}
