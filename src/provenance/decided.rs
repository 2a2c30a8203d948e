//! What was decided and made so far on one run of an entry point, and what that says of conditions and values.

use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::Missing;
use crate::provenance::calls::mint_of;
use crate::provenance::conditions::{parts, un_negated};
use crate::provenance::constants::{is_nullish, same_constants};
use crate::provenance::kind::Kind;
use crate::provenance::path::Step;
use crate::rules::Tells;
use crate::source::Span;
use crate::summary::{CallSite, Shared, Slot, Value, ValueKind};

const DEEPEST: u8 = 40;

/// One run of an entry point, up to some point of it. Values are in terms of the entry point.
#[derive(Clone, Default)]
pub(super) struct Decided {
    /// The conditions that were decided, in their order.
    pub assumed: Vec<(Shared, bool)>,
    /// What the calls of the tree that were followed have returned.
    pub results: imbl::OrdMap<CallSite, Option<Shared>>,
    /// The times that the mint ran.
    pub minted: Vec<Minted>,
}

/// A time that the mint ran.
#[derive(Clone, Debug)]
pub(super) struct Minted {
    /// The call of the function that holds it; `None` where that is the entry point.
    pub by: Option<Span>,
    pub kind: Kind,
    /// From the entry point to it.
    pub steps: Vec<Step>,
}

/// The run, and what is asked of it.
pub(super) struct OnRun<'r, 'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub mint: CallSite,
    pub run: &'r Decided,
    /// Whether the token counts as being in a text that is made of it.
    pub in_texts: bool,
    /// Of the times that the mint ran the one that is asked for, by its call.
    pub by: Option<Span>,
}

impl OnRun<'_, '_, '_> {
    /// Whether a condition holds, where what was decided before tells.
    pub(super) fn holds(&self, cond: &Shared) -> Option<bool> {
        self.decide(cond, DEEPEST)
    }

    fn decide(&self, cond: &Shared, fuel: u8) -> Option<bool> {
        let fuel = fuel.checked_sub(1).filter(|_| self.graph.step())?;
        let (cond, asked) = un_negated(cond, true);
        let settled = match &cond.kind {
            ValueKind::Compare { .. } | ValueKind::Field(..) => self.settle(cond, fuel),
            _ => Arc::clone(cond),
        };
        self.of(&settled, fuel).map(|holds| holds == asked)
    }

    fn of(&self, cond: &Shared, fuel: u8) -> Option<bool> {
        if let Some(known) = self.told(cond) {
            return Some(known);
        }
        match &cond.kind {
            ValueKind::And(left, right) => match (self.decide(left, fuel), self.decide(right, fuel)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            ValueKind::Fallback { left, right, when: Missing::Falsy } => {
                match (self.decide(left, fuel), self.decide(right, fuel)) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }
            }
            ValueKind::Compare { left, right, equal } => self.same(left, right, fuel).map(|same| same == *equal),
            _ => self.present(cond, fuel),
        }
    }

    /// A condition in terms of what was decided.
    pub(super) fn settled(&self, cond: &Shared) -> Shared {
        self.settle(cond, DEEPEST)
    }

    fn settle(&self, cond: &Shared, fuel: u8) -> Shared {
        let Some(fuel) = fuel.checked_sub(1) else { return Arc::clone(cond) };
        let settle = |cond: &Shared| self.settle(cond, fuel);
        let kind = match &cond.kind {
            ValueKind::Not(inner) => ValueKind::Not(settle(inner)),
            ValueKind::And(left, right) => ValueKind::And(settle(left), settle(right)),
            ValueKind::Fallback { left, right, when: Missing::Falsy } => {
                ValueKind::Fallback { left: settle(left), right: settle(right), when: Missing::Falsy }
            }
            ValueKind::Compare { left, right, equal } => {
                ValueKind::Compare { left: settle(left), right: settle(right), equal: *equal }
            }
            _ => return self.behind(cond, fuel),
        };
        Value::new(kind, cond.span)
    }

    /// What a decided condition says of this one.
    fn told(&self, cond: &Shared) -> Option<bool> {
        let decided = self.run.assumed.iter().flat_map(|(cond, holds)| parts(cond, *holds));
        decided.into_iter().find_map(|(part, holds)| {
            let (part, holds) = un_negated(part, holds);
            says(part, holds, cond)
        })
    }

    fn same(&self, left: &Shared, right: &Shared, fuel: u8) -> Option<bool> {
        let (left, right) = (self.behind(left, fuel), self.behind(right, fuel));
        if let Some(same) = same_constants(&left, &right, false) {
            return Some(same);
        }
        match (is_nullish(&left), is_nullish(&right)) {
            (true, false) => self.present(&right, fuel).map(|present| !present),
            (false, true) => self.present(&left, fuel).map(|present| !present),
            _ if is_alike(&left, &right, 12) => Some(true),
            _ => (self.present(&left, fuel)? != self.present(&right, fuel)?).then_some(false),
        }
    }

    /// Whether a value is there: what was minted is.
    fn present(&self, value: &Shared, fuel: u8) -> Option<bool> {
        let fuel = fuel.checked_sub(1).filter(|_| self.graph.step())?;
        if let Some(known) = self.told(value) {
            return Some(known);
        }
        match &value.kind {
            ValueKind::Null | ValueKind::Undefined => Some(false),
            ValueKind::Bool(value) => Some(*value),
            ValueKind::Text(text) => Some(!text.is_empty()),
            ValueKind::Number(text) => Some(text != "0"),
            ValueKind::Object { .. } | ValueKind::Array(_) | ValueKind::Function(_) | ValueKind::Class(_) => Some(true),
            ValueKind::Call(call) => match self.run.results.get(&call.site) {
                Some(Some(result)) => self.present(result, fuel),
                Some(None) => Some(false),
                None => mint_of(self.graph, call).map(|_| true),
            },
            ValueKind::Cond { cond, then, otherwise } => match self.decide(cond, fuel) {
                Some(true) => self.present(then, fuel),
                Some(false) => self.present(otherwise, fuel),
                None => self.present(then, fuel).filter(|one| self.present(otherwise, fuel) == Some(*one)),
            },
            ValueKind::Fallback { left, right, .. } => match self.present(left, fuel) {
                Some(true) => Some(true),
                Some(false) => self.present(right, fuel),
                None => self.present(right, fuel).filter(|present| *present),
            },
            ValueKind::Not(_) | ValueKind::And(..) | ValueKind::Compare { .. } => self.decide(value, fuel),
            ValueKind::Field(base, name) => {
                let held = self.behind(base, fuel);
                let field = Value::field(&held, name, value.span);
                match &field.kind {
                    ValueKind::Field(base, _) => match &base.kind {
                        ValueKind::Call(call) => mint_of(self.graph, call).map(|_| true),
                        _ => self.present(base, fuel).filter(|present| !present),
                    },
                    _ => self.present(&field, fuel),
                }
            }
            ValueKind::After { before, .. } => self.present(before, fuel),
            ValueKind::Captured(..) | ValueKind::Import(..) => {
                let inner = self.graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value))?;
                self.present(&inner, fuel)
            }
            _ => None,
        }
    }

    /// What a value is on this run, as far as it was decided.
    fn behind(&self, value: &Shared, fuel: u8) -> Shared {
        self.told_behind(value, fuel).0
    }

    /// The same, and whether it came through the call that ran the mint.
    fn told_behind(&self, value: &Shared, fuel: u8) -> (Shared, bool) {
        let Some(fuel) = fuel.checked_sub(1).filter(|_| self.graph.step()) else { return (Arc::clone(value), false) };
        let next = match &value.kind {
            ValueKind::Call(call) => match self.run.results.get(&call.site) {
                Some(Some(result)) => {
                    let (result, is_told) = self.told_behind(result, fuel);
                    return (result, is_told || self.is_of_mint(call.site));
                }
                Some(None) => return (Value::new(ValueKind::Undefined, value.span), false),
                None => None,
            },
            ValueKind::Cond { cond, then, otherwise } => {
                self.decide(cond, fuel).map(|holds| Arc::clone(if holds { then } else { otherwise }))
            }
            ValueKind::Fallback { left, right, .. } => {
                self.present(left, fuel).map(|present| Arc::clone(if present { left } else { right }))
            }
            ValueKind::Field(base, name) => {
                let (held, is_told) = self.told_behind(base, fuel);
                if Arc::ptr_eq(&held, base) {
                    return (Arc::clone(value), false);
                }
                let field = Value::field(&held, name, value.span);
                if matches!(field.kind, ValueKind::Field(..)) {
                    return (field, is_told);
                }
                let (field, is_told_too) = self.told_behind(&field, fuel);
                return (field, is_told || is_told_too);
            }
            ValueKind::Captured(..) => self.graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value)),
            _ => None,
        };
        next.map_or_else(|| (Arc::clone(value), false), |next| self.told_behind(&next, fuel))
    }

    /// Whether a call ran the function of the mint.
    fn is_of_mint(&self, call: CallSite) -> bool {
        self.by == Some(call.span)
    }

    /// Where a value was put together on this run.
    pub(super) fn made_at(&self, value: &Shared) -> Span {
        self.behind(value, DEEPEST).span
    }

    /// Whether the token that was minted at some time is in a value.
    pub(super) fn is_token_in(&self, value: &Shared) -> bool {
        self.finds(value, self.by.is_none(), DEEPEST)
    }

    /// `is_told`: whether the value came through the call that ran the mint, of all calls of its function.
    fn finds(&self, value: &Shared, is_told: bool, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1).filter(|_| self.graph.step()) else { return false };
        let finds = |value: &Shared| self.finds(value, is_told, fuel);
        match &value.kind {
            ValueKind::Call(call) if call.site == self.mint => is_told,
            ValueKind::Call(call) => match self.run.results.get(&call.site) {
                Some(result) => {
                    let is_told = is_told || self.is_of_mint(call.site);
                    result.as_ref().is_some_and(|result| self.finds(result, is_told, fuel))
                }
                None => self.finds_behind_call(value, is_told, fuel),
            },
            ValueKind::Cond { cond, then, otherwise } => match self.decide(cond, fuel) {
                Some(true) => finds(then),
                Some(false) => finds(otherwise),
                None => finds(then) || finds(otherwise),
            },
            ValueKind::Fallback { left, right, .. } => match self.present(left, fuel) {
                Some(true) => finds(left),
                Some(false) => finds(right),
                None => finds(left) || finds(right),
            },
            ValueKind::And(left, right) => self.decide(left, fuel) != Some(false) && finds(right),
            ValueKind::Not(_) | ValueKind::Is(..) | ValueKind::Compare { .. } => false,
            ValueKind::Concat(_) | ValueKind::Sql(..) if !self.in_texts => false,
            ValueKind::Field(base, name) => {
                let (held, is_told_too) = self.told_behind(base, fuel);
                let finds = |value: &Shared| self.finds(value, is_told || is_told_too, fuel);
                let field = Value::field(&held, name, value.span);
                match &field.kind {
                    ValueKind::Field(base, _) => match self.graph.expand(&field) {
                        Some(inner) if !Arc::ptr_eq(&inner, &field) => finds(&inner),
                        _ => finds(base),
                    },
                    _ => finds(&field),
                }
            }
            ValueKind::Captured(..)
            | ValueKind::Leaves(..)
            | ValueKind::After { .. }
            | ValueKind::Element(_)
            | ValueKind::Index(..)
            | ValueKind::Rest(..) => match self.graph.expand(value) {
                Some(inner) if !Arc::ptr_eq(&inner, value) => finds(&inner),
                _ => self.finds_below(value, is_told, fuel),
            },
            _ => self.finds_below(value, is_told, fuel),
        }
    }

    /// Of a call that was not followed: what hands on what it is given, or a function that does nothing else that matters.
    fn finds_behind_call(&self, value: &Shared, is_told: bool, fuel: u8) -> bool {
        let ValueKind::Call(call) = &value.kind else { return false };
        if !self.graph.targets(call).is_empty() {
            let inner = self.graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
            return inner.is_some_and(|inner| self.finds(&inner, is_told, fuel));
        }
        let hands_on = |path: String| self.graph.rules.passes_matching(&path).next().is_some();
        (call.is_new || self.graph.callee_path(call).is_some_and(hands_on))
            && call.args.iter().map(|arg| &arg.value).chain(call.receiver()).any(|part| self.finds(part, is_told, fuel))
    }

    fn finds_below(&self, value: &Shared, is_told: bool, fuel: u8) -> bool {
        let mut parts = Vec::new();
        value.kind.each(&mut |part| parts.push(Arc::clone(part)));
        parts.iter().any(|part| self.finds(part, is_told, fuel))
    }
}

/// What a condition that holds (or fails) says of another one.
fn says(part: &Shared, holds: bool, cond: &Shared) -> Option<bool> {
    if is_alike(part, cond, 12) {
        return Some(holds);
    }
    match (&part.kind, &cond.kind) {
        (ValueKind::Compare { left, right, equal }, ValueKind::Compare { left: of, right: with, equal: asked })
            if is_alike(left, of, 12) =>
        {
            let is_equal = holds == *equal;
            let same = if is_alike(right, with, 12) {
                Some(is_equal)
            } else {
                // It is one constant, so no other.
                same_constants(right, with, false).filter(|_| is_equal)
            };
            same.map(|same| same == *asked)
        }
        // `user != null` tells of `user`.
        (ValueKind::Compare { left, right, equal }, _) => {
            let of = match (is_nullish(left), is_nullish(right)) {
                (true, false) => right,
                (false, true) => left,
                _ => return None,
            };
            is_alike(of, cond, 12).then_some(holds != *equal)
        }
        // `user?.isActive` holds, so there is a user.
        (ValueKind::Field(base, _), _) if holds && is_alike(base, cond, 12) => Some(true),
        _ => None,
    }
}

/// Whether two values are written alike: what is asked twice is answered alike.
pub(super) fn is_alike(left: &Shared, right: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    let (left, right) = (Value::before_calls(left), Value::before_calls(right));
    let alike = |left: &Shared, right: &Shared| is_alike(left, right, fuel);
    let all = |left: &[Shared], right: &[Shared]| {
        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_alike(left, right, fuel))
    };
    Arc::ptr_eq(left, right)
        || match (&left.kind, &right.kind) {
            (ValueKind::Text(a), ValueKind::Text(b))
            | (ValueKind::Number(a), ValueKind::Number(b))
            | (ValueKind::Global(a), ValueKind::Global(b)) => a == b,
            (ValueKind::Bool(a), ValueKind::Bool(b)) => a == b,
            (ValueKind::Null, ValueKind::Null) | (ValueKind::Undefined, ValueKind::Undefined) => true,
            (ValueKind::Param(a, x), ValueKind::Param(b, y)) => (a, x) == (b, y),
            // A variable is the same one in whatever closure.
            (ValueKind::Captured(a, x), ValueKind::Captured(b, y)) => (a.file, x) == (b.file, y),
            (ValueKind::Import(a, x), ValueKind::Import(b, y)) => (a, x) == (b, y),
            (ValueKind::This(a), ValueKind::This(b)) => a == b,
            (ValueKind::Field(a, x), ValueKind::Field(b, y)) => x == y && alike(a, b),
            (ValueKind::Index(a, x), ValueKind::Index(b, y)) | (ValueKind::And(a, x), ValueKind::And(b, y)) => {
                alike(a, b) && alike(x, y)
            }
            (ValueKind::Not(a), ValueKind::Not(b)) => alike(a, b),
            (ValueKind::Is(a, x), ValueKind::Is(b, y)) => x == y && alike(a, b),
            (
                ValueKind::Compare { left: a, right: x, equal },
                ValueKind::Compare { left: b, right: y, equal: other },
            ) => equal == other && alike(a, b) && alike(x, y),
            (
                ValueKind::Fallback { left: a, right: x, when },
                ValueKind::Fallback { left: b, right: y, when: other },
            ) => when == other && alike(a, b) && alike(x, y),
            (ValueKind::Opaque(a, x), ValueKind::Opaque(b, y)) => a == b && all(x, y),
            (ValueKind::Object { base: None, entries: a }, ValueKind::Object { base: None, entries: b }) => {
                let is_slot = |(a, b): (&Slot, &Slot)| match (a, b) {
                    (Slot::Named { key: a, value: x, .. }, Slot::Named { key: b, value: y, .. }) => {
                        a == b && alike(x, y)
                    }
                    (Slot::Spread(a), Slot::Spread(b)) => alike(a, b),
                    _ => false,
                };
                a.len() == b.len() && a.iter().zip(b).all(is_slot)
            }
            (ValueKind::Array(a), ValueKind::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a.value(), b.value()))
            }
            (ValueKind::Call(a), ValueKind::Call(b)) => {
                let args =
                    a.args.len() == b.args.len() && a.args.iter().zip(&b.args).all(|(a, b)| alike(&a.value, &b.value));
                args && (a.site == b.site || alike(&a.callee, &b.callee))
            }
            _ => false,
        }
}

/// Whether the environment decides: it says where the code runs, not who asks.
pub(super) fn is_set_outside(graph: &Graph, cond: &Shared) -> bool {
    let mut open = vec![cond];
    while let Some(value) = open.pop() {
        if graph.path(value).is_some_and(|path| graph.rules.tells(Tells::Setting, &path)) {
            return true;
        }
        match &value.kind {
            ValueKind::Field(base, _) | ValueKind::Not(base) => open.push(base),
            ValueKind::And(left, right)
            | ValueKind::Compare { left, right, .. }
            | ValueKind::Fallback { left, right, .. } => open.extend([left, right]),
            _ => {}
        }
    }
    false
}

/// Whether a value was found to be none of several constants: `switch (role)` names all that there are.
pub(super) fn is_none_of_several(assumed: &[(Shared, bool)]) -> bool {
    let refused = assumed.iter().filter_map(|(cond, holds)| match &cond.kind {
        ValueKind::Compare { left, right, equal } if holds != equal && !is_nullish(right) => Some(left),
        _ => None,
    });
    let refused: Vec<&Shared> = refused.collect();
    refused.split_last().is_some_and(|(last, before)| before.iter().any(|other| is_alike(other, last, 12)))
}
