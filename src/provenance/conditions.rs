//! Whether a condition holds, as far as constants and what is known of the path decide it.

use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::{Missing, Shape};
use crate::provenance::calls::mint_of;
use crate::provenance::constants::{is_nullish, same_constants, shaped};
use crate::provenance::meaning::Evaluator;
use crate::provenance::path::Origin;
use crate::rules::Tells;
use crate::schema::ModelId;
use crate::summary::{Shared, Value, ValueKind};

/// More functions than these that a call can reach do not agree on a condition.
const WIDE: usize = 8;

impl Evaluator<'_, '_> {
    /// Evaluates under a further condition.
    pub(super) fn assuming<T>(&self, cond: &Shared, holds: bool, work: impl FnOnce() -> T) -> T {
        let before = self.assumed.borrow().len();
        if before < 40 {
            self.assumed.borrow_mut().push((Arc::clone(cond), holds));
        }
        let result = work();
        self.assumed.borrow_mut().truncate(before);
        result
    }

    /// Whether a condition asks for the fresh token that a value is (or is made of), and whether the value is there where it holds.
    pub(super) fn is_issued(&self, cond: &Shared, value: &Shared, fuel: u8) -> Option<bool> {
        let (asked, holds) = asked_for(self.graph, cond, value)?;
        let chains = self.eval(&asked, fuel);
        chains.iter().flatten().any(|atom| atom.origin == Origin::Fresh).then_some(holds)
    }

    /// Whether a condition on the way tells that a value is there: `if (x)`, `if (!x) return`, `x != null`.
    pub(super) fn is_present(&self, value: &Shared) -> bool {
        self.is_told(value, Lacks::Both)
    }

    /// Whether a condition on the way tells that a value was handed in, which may be null: `x !== undefined`.
    pub(super) fn is_given(&self, value: &Shared) -> bool {
        self.is_told(value, Lacks::Undefined)
    }

    fn is_told(&self, value: &Shared, lacks: Lacks) -> bool {
        let constant = matches!(
            value.kind,
            ValueKind::Null | ValueKind::Undefined | ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_)
        );
        !constant && self.assumed.borrow().iter().any(|(cond, holds)| tells(cond, *holds, value, lacks, 12))
    }

    /// Whether the path runs under the very value of a condition: `const expired = ..; x = expired ? a : b; if (expired) store(x)`.
    pub(super) fn is_held(&self, cond: &Shared) -> Option<bool> {
        let (cond, asked) = un_negated(cond, true);
        let assumed = self.assumed.borrow();
        let mut parts = assumed.iter().flat_map(|(cond, holds)| parts(cond, *holds));
        parts.find_map(|(part, holds)| {
            let (part, holds) = un_negated(part, holds);
            Arc::ptr_eq(part, cond).then_some(holds == asked)
        })
    }

    /// Whether one of the conditions tells that no row of a model was found: `if (!row)`.
    pub(super) fn is_unless_found(&self, model: ModelId, conditions: &[(Shared, bool)]) -> bool {
        conditions.iter().any(|(cond, holds)| self.denies_row(model, cond, *holds, 12))
    }

    fn denies_row(&self, model: ModelId, cond: &Shared, holds: bool, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        match &cond.kind {
            ValueKind::Not(inner) => self.denies_row(model, inner, !holds, fuel),
            ValueKind::And(left, right) | ValueKind::Fallback { left, right, .. } => {
                self.denies_row(model, left, holds, fuel) || self.denies_row(model, right, holds, fuel)
            }
            ValueKind::Compare { left, right, equal }
                if is_nullish(right) || matches!(right.kind, ValueKind::Number(_)) =>
            {
                self.denies_row(model, left, holds != *equal, fuel)
            }
            // `rows.length`
            ValueKind::Field(base, _) if self.row_model(cond).is_none() => self.denies_row(model, base, holds, fuel),
            _ => !holds && self.row_model(cond) == Some(model),
        }
    }

    /// Whether a condition on the way tells that a value is missing: `x ? f(x) : x`.
    pub(super) fn is_missing(&self, value: &Shared) -> bool {
        let variable = matches!(value.kind, ValueKind::Param(..) | ValueKind::Captured(..) | ValueKind::Field(..));
        variable && self.assumed.borrow().iter().any(|(cond, holds)| refutes(cond, *holds, value, 12))
    }

    /// The ways of a result that the conditions on it or its other fields leave: `if (!result || result.error) throw ..`. `None` where they leave all.
    pub(super) fn told_apart(&self, base: &Shared) -> Option<Shared> {
        let assumed = self.assumed.borrow();
        let told = assumed.iter().flat_map(|(cond, holds)| parts(cond, *holds));
        let conditions: Vec<(Shared, bool)> =
            told.filter(|(cond, _)| is_about(cond, base, 4)).map(|(cond, holds)| (Arc::clone(cond), holds)).collect();
        drop(assumed);
        if conditions.is_empty() {
            return None;
        }
        let is_left = |way: &Shared| {
            conditions.iter().all(|(cond, holds)| {
                let of_way = on_way(cond, base, way, 4);
                of_way.and_then(|cond| self.constant(&cond)).is_none_or(|known| known == *holds)
            })
        };
        let left = self.pruned(base, &is_left, 40)?;
        (!is_nothing(&left)).then_some(left)
    }

    /// A value without the ways that are not left, under the conditions that it has; `None` where all are.
    fn pruned(&self, value: &Shared, is_left: &impl Fn(&Shared) -> bool, fuel: u8) -> Option<Shared> {
        let fuel = fuel.checked_sub(1).or_else(|| self.known.cut())?;
        let nothing = || Value::new(ValueKind::Either(Vec::new()), value.span);
        match &value.kind {
            ValueKind::Either(values) => {
                let pruned: Vec<Option<Shared>> =
                    values.iter().map(|value| self.pruned(value, is_left, fuel)).collect();
                pruned.iter().any(Option::is_some).then(|| {
                    let all = pruned
                        .into_iter()
                        .zip(values)
                        .map(|(pruned, value)| pruned.unwrap_or_else(|| Arc::clone(value)));
                    Value::new(ValueKind::Either(all.filter(|value| !is_nothing(value)).collect()), value.span)
                })
            }
            ValueKind::Cond { cond, then, otherwise } => {
                let (left, right) = (self.pruned(then, is_left, fuel), self.pruned(otherwise, is_left, fuel));
                (left.is_some() || right.is_some()).then(|| {
                    let then = left.unwrap_or_else(|| Arc::clone(then));
                    let otherwise = right.unwrap_or_else(|| Arc::clone(otherwise));
                    if is_nothing(&then) && is_nothing(&otherwise) {
                        return nothing();
                    }
                    Value::new(ValueKind::Cond { cond: Arc::clone(cond), then, otherwise }, value.span)
                })
            }
            ValueKind::Call(_) | ValueKind::Captured(..) | ValueKind::Import(..) => match self.graph.expand(value) {
                Some(inner) if !Arc::ptr_eq(&inner, value) => self.pruned(&inner, is_left, fuel),
                _ => (!is_left(value)).then(nothing),
            },
            _ => (!is_left(value)).then(nothing),
        }
    }

    /// Whether a condition holds, where what is written out decides it.
    fn constant(&self, cond: &Shared) -> Option<bool> {
        match &cond.kind {
            ValueKind::Bool(_)
            | ValueKind::Null
            | ValueKind::Undefined
            | ValueKind::Text(_)
            | ValueKind::Number(_)
            | ValueKind::Object { .. }
            | ValueKind::Is(..)
            | ValueKind::Compare { .. } => self.holds(cond, 4),
            ValueKind::Not(inner) => self.constant(inner).map(|value| !value),
            _ => None,
        }
    }

    /// Whether a condition holds, where constants decide it.
    pub(super) fn holds(&self, cond: &Shared, fuel: u8) -> Option<bool> {
        let fuel = fuel.checked_sub(1).or_else(|| self.known.cut())?;
        match &cond.kind {
            ValueKind::Bool(value) => Some(*value),
            ValueKind::Null | ValueKind::Undefined => Some(false),
            ValueKind::Text(text) => Some(!text.is_empty()),
            ValueKind::Number(text) => Some(text != "0"),
            ValueKind::Not(inner) => self.holds(inner, fuel).map(|value| !value),
            ValueKind::And(left, right) => match (self.holds(left, fuel), self.holds(right, fuel)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            ValueKind::Fallback { left, right, when: Missing::Falsy } => {
                match (self.holds(left, fuel), self.holds(right, fuel)) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }
            }
            // A default: `(user, withToken = false)`.
            ValueKind::Fallback { left, right, .. } => match self.settled(left).kind {
                ValueKind::Undefined => self.holds(right, fuel),
                ValueKind::Bool(value) => Some(value),
                _ => None,
            },
            ValueKind::Compare { left, right, equal } => {
                let same = self.same(left, right, fuel)?;
                Some(same == *equal)
            }
            ValueKind::Is(value, shape) => self.is_shaped(value, *shape, fuel),
            ValueKind::Object { .. } | ValueKind::Array(_) | ValueKind::Function(_) => Some(true),
            _ => {
                let resolved = self.settled(cond);
                if !Arc::ptr_eq(&resolved, cond) {
                    let simple = matches!(
                        resolved.kind,
                        ValueKind::Bool(_)
                            | ValueKind::Null
                            | ValueKind::Undefined
                            | ValueKind::Text(_)
                            | ValueKind::Number(_)
                    );
                    if simple {
                        return self.holds(&resolved, fuel);
                    }
                }
                if self.is_wide(cond) {
                    return None;
                }
                self.is_there(cond, fuel)
            }
        }
    }

    /// Behind names and calls; but a column of a row holds what is stored, whatever the class itself assigns to it.
    fn settled(&self, value: &Shared) -> Shared {
        if let ValueKind::Field(base, _) = &value.kind
            && matches!(base.kind, ValueKind::This(_))
            && self.row_model(base).is_some()
        {
            return Arc::clone(value);
        }
        self.without_default(self.graph.resolved(value), 6)
    }

    /// What is there, of a value with a default behind it: `(user, options = {}) => options.persist`.
    fn without_default(&self, value: Shared, fuel: u8) -> Shared {
        let ValueKind::Fallback { left, right, .. } = &value.kind else { return value };
        let Some(fuel) = fuel.checked_sub(1) else { return value };
        let given = self.without_default(self.graph.resolved(left), fuel);
        match given.kind {
            ValueKind::Undefined => self.without_default(self.graph.resolved(right), fuel),
            ValueKind::Bool(true) => given,
            ValueKind::Bool(false) if !matches!(&value.kind, ValueKind::Fallback { when: Missing::Falsy, .. }) => given,
            _ => value,
        }
    }

    /// Whether a value is, or may be, (a part of) the result of one of many functions: that they all agree is not worth asking.
    fn is_wide(&self, value: &Shared) -> bool {
        let mut open = vec![value];
        for _ in 0..40 {
            match open.pop().map(|value| &value.kind) {
                Some(ValueKind::Field(base, _) | ValueKind::Element(base) | ValueKind::Index(base, _)) => {
                    open.push(base);
                }
                // `await provider.refresh(..).catch(() => false)`
                Some(ValueKind::Cond { then, otherwise, .. }) => open.extend([otherwise, then]),
                Some(ValueKind::Either(ways)) => open.extend(ways),
                Some(ValueKind::Call(call)) if self.graph.targets(call).len() > WIDE => return true,
                Some(_) => {}
                None => return false,
            }
        }
        false
    }

    /// Whether a value is of a shape: what was minted as a text is one, and NULL is none.
    fn is_shaped(&self, value: &Shared, shape: Shape, fuel: u8) -> Option<bool> {
        let value = self.settled(value);
        shaped(&value, shape).or_else(|| {
            if shape != Shape::Text || self.is_wide(&value) {
                return None;
            }
            self.is_there(&value, fuel)
        })
    }

    /// Whether a value is there on every way: what was minted or handed in by an issuer on this path is, and NULL is not; an
    /// issuer's answer may lack a refresh token.
    fn is_there(&self, value: &Shared, fuel: u8) -> Option<bool> {
        let chains = self.eval(value, fuel.min(12));
        let all = |origin| chains.iter().all(|chain| matches!(chain.as_slice(), [only] if only.origin == origin));
        let is_answered = || chains.iter().flatten().any(|atom| atom.mint.is_some() && !atom.definite);
        let may_lack = || match &value.kind {
            ValueKind::Field(_, key) => {
                self.graph.rules.tells(Tells::PerhapsIssued, &key.replace('_', "").to_lowercase()) && is_answered()
            }
            _ => false,
        };
        match chains.as_slice() {
            [] => None,
            _ if all(Origin::Null) => Some(false),
            _ => (all(Origin::Fresh) && !may_lack()).then_some(true),
        }
    }

    fn same(&self, left: &Shared, right: &Shared, fuel: u8) -> Option<bool> {
        let asks_undefined = matches!(right.kind, ValueKind::Undefined);
        let (left, right) = (self.settled(left), self.settled(right));
        same_constants(&left, &right, asks_undefined).or_else(|| {
            // What was minted on this path is neither missing nor empty.
            let missing =
                |value: &Shared| is_nullish(value) || matches!(&value.kind, ValueKind::Text(t) if t.is_empty());
            let other = match (missing(&left), missing(&right)) {
                (true, false) => &right,
                (false, true) => &left,
                _ => return None,
            };
            if self.is_wide(other) {
                return None;
            }
            self.is_there(other, fuel).filter(|there| *there).map(|_| false)
        })
    }
}

/// What a condition tells by each of its parts: `if (!x || !x.token) return`.
pub(super) fn parts(cond: &Shared, holds: bool) -> Vec<(&Shared, bool)> {
    let (mut open, mut parts) = (vec![(cond, holds)], Vec::new());
    while let Some((cond, holds)) = open.pop() {
        match &cond.kind {
            ValueKind::And(left, right) if holds => open.extend([(right, true), (left, true)]),
            ValueKind::Fallback { left, right, when: Missing::Falsy } if !holds => {
                open.extend([(right, false), (left, false)]);
            }
            _ => parts.push((cond, holds)),
        }
    }
    parts
}

/// A condition without the `!` before it, and whether it holds.
pub(super) fn un_negated(mut cond: &Shared, mut holds: bool) -> (&Shared, bool) {
    while let ValueKind::Not(inner) = &cond.kind {
        (cond, holds) = (inner, !holds);
    }
    (cond, holds)
}

/// The value that a condition asks for, and whether it is there where that holds (or fails): `x`, `!x`, `x != null`.
pub(super) fn asked(cond: &Shared, holds: bool) -> (&Shared, bool) {
    let (cond, holds) = un_negated(cond, holds);
    match &cond.kind {
        ValueKind::Compare { left, right, equal } if is_nullish(right) => (left, holds != *equal),
        ValueKind::Compare { left, right, equal } if is_nullish(left) => (right, holds != *equal),
        _ => (cond, holds),
    }
}

/// Whether no way is left of a value.
fn is_nothing(value: &Value) -> bool {
    matches!(&value.kind, ValueKind::Either(ways) if ways.is_empty())
}

/// What a value that is there is not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lacks {
    Undefined,
    /// Null, undefined or empty.
    Both,
}

/// What a condition asks for and a value is, or is made of: `x` of `x && encrypt(x)`; and whether the value is there where the condition
/// holds.
pub(super) fn asked_for(graph: &Graph, cond: &Shared, value: &Shared) -> Option<(Shared, bool)> {
    let (asked, holds) = asked(cond, true);
    let is_value = matches!(
        asked.kind,
        ValueKind::Param(..) | ValueKind::Captured(..) | ValueKind::Field(..) | ValueKind::Call(_)
    );
    if !is_value {
        return None;
    }
    let is_made_of = || match &value.kind {
        ValueKind::Call(call) if mint_of(graph, call).is_none() => {
            call.args.iter().any(|arg| is_same(asked, &arg.value, 12))
        }
        _ => false,
    };
    (is_same(asked, value, 12) || is_made_of()).then(|| (Arc::clone(asked), holds))
}

/// Whether `cond` being true (or false) means that `value` is none of what `lacks` says.
fn tells(cond: &Shared, holds: bool, value: &Shared, lacks: Lacks, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &cond.kind {
        ValueKind::Not(inner) => tells(inner, !holds, value, lacks, fuel),
        ValueKind::And(left, right) if holds => {
            tells(left, true, value, lacks, fuel) || tells(right, true, value, lacks, fuel)
        }
        ValueKind::Fallback { left, right, when: Missing::Falsy } if !holds => {
            tells(left, false, value, lacks, fuel) || tells(right, false, value, lacks, fuel)
        }
        ValueKind::Compare { left, right, equal } => {
            let missing = |side: &Shared| match &side.kind {
                ValueKind::Undefined => lacks == Lacks::Undefined,
                ValueKind::Null => true,
                ValueKind::Text(text) => text.is_empty(),
                _ => false,
            };
            let compared = match (missing(left), missing(right)) {
                (true, false) => right,
                (false, true) => left,
                _ => return false,
            };
            *equal != holds && is_same(compared, value, fuel)
        }
        // `typeof null` is `object`.
        ValueKind::Is(of, shape) => {
            holds && (lacks == Lacks::Undefined || *shape != Shape::Object) && is_same(of, value, fuel)
        }
        _ => holds && is_same(cond, value, fuel),
    }
}

/// Whether `cond` being true (or false) means that `value` is null or empty.
fn refutes(cond: &Shared, holds: bool, value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &cond.kind {
        ValueKind::Not(inner) => refutes(inner, !holds, value, fuel),
        ValueKind::And(left, right) if holds => refutes(left, true, value, fuel) || refutes(right, true, value, fuel),
        ValueKind::Fallback { left, right, when: Missing::Falsy } if !holds => {
            refutes(left, false, value, fuel) || refutes(right, false, value, fuel)
        }
        ValueKind::And(..) | ValueKind::Fallback { .. } | ValueKind::Compare { .. } | ValueKind::Is(..) => false,
        _ => !holds && is_same(cond, value, fuel),
    }
}

/// Whether a condition is on `base` or a field of it.
fn is_about(cond: &Shared, base: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &cond.kind {
        _ if is_same(cond, base, 12) => true,
        ValueKind::Field(of, _) => is_same(of, base, 12),
        ValueKind::Not(inner) | ValueKind::Is(inner, _) => is_about(inner, base, fuel),
        ValueKind::Compare { left, right, .. } => is_about(left, base, fuel) || is_about(right, base, fuel),
        _ => false,
    }
}

/// A condition on `base` or a field of it, where `base` is this way of it.
fn on_way(cond: &Shared, base: &Shared, way: &Shared, fuel: u8) -> Option<Shared> {
    let fuel = fuel.checked_sub(1)?;
    let side = |side: &Shared| on_way(side, base, way, fuel).unwrap_or_else(|| Arc::clone(side));
    Some(match &cond.kind {
        _ if is_same(cond, base, 12) => Arc::clone(way),
        ValueKind::Field(of, name) if is_same(of, base, 12) => Value::field(way, name, cond.span),
        ValueKind::Not(inner) => Value::new(ValueKind::Not(on_way(inner, base, way, fuel)?), cond.span),
        ValueKind::Is(inner, shape) => Value::new(ValueKind::Is(on_way(inner, base, way, fuel)?, *shape), cond.span),
        ValueKind::Compare { left, right, equal } => {
            let kind = ValueKind::Compare { left: side(left), right: side(right), equal: *equal };
            Value::new(kind, cond.span)
        }
        _ => return None,
    })
}

/// Whether two values are the same variable or field.
fn is_same(left: &Shared, right: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    Arc::ptr_eq(left, right)
        || match (&left.kind, &right.kind) {
            (ValueKind::Field(a, x), ValueKind::Field(b, y)) => x == y && is_same(a, b, fuel),
            (ValueKind::Param(a, x), ValueKind::Param(b, y)) => a == b && x == y,
            (ValueKind::Captured(a, x), ValueKind::Captured(b, y)) => a == b && x == y,
            (ValueKind::Call(a), ValueKind::Call(b)) => {
                a.site == b.site && a.args.iter().zip(&b.args).all(|(x, y)| is_same(&x.value, &y.value, fuel))
            }
            // `await refresh(..).catch(() => false)`: the same place, the same ways as far as they are left.
            (ValueKind::Cond { then: a, otherwise: x, .. }, ValueKind::Cond { then: b, otherwise: y, .. }) => {
                let is_alike = |a: &Shared, b: &Shared| is_nothing(a) || is_nothing(b) || is_same(a, b, fuel);
                left.span == right.span && is_alike(a, b) && is_alike(x, y)
            }
            (ValueKind::Text(a), ValueKind::Text(b)) => a == b,
            (ValueKind::Bool(a), ValueKind::Bool(b)) => a == b,
            (ValueKind::Null, ValueKind::Null) | (ValueKind::Undefined, ValueKind::Undefined) => true,
            _ => false,
        }
}
