//! Look-ups that are made for some bearers only: `if (claims.role === 'admin') user = await find(claims.sub)`.

use crate::guards::columns::innermost;
use crate::guards::held::Held;
use crate::guards::miss::Miss;
use crate::guards::walk::Walk;
use crate::ir::{ExprId, Missing};
use crate::summary::{CallValue, Shared, ValueKind};

impl Walk<'_, '_> {
    /// Whether a condition around a look-up tells bearers apart, by a claim (when the token ends too) or by another look-up, and the others are let in without it. A look at whether
    /// the claim that is looked up by is there at all tells nobody apart. The same of a condition that depends on a setting or on what is
    /// asked for.
    pub(super) fn is_for_some(&self, conditions: &[(Shared, bool)], asked: &CallValue) -> bool {
        conditions.iter().any(|(cond, holds)| {
            (self.tells_apart(cond, asked, 8) || self.is_left_out(cond, *holds, asked))
                && self.lets_others_in(cond, *holds)
        })
    }

    fn tells_apart(&self, cond: &Shared, asked: &CallValue, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        // `if (user) await check(user)`: whoever was not found is let in without.
        if let ValueKind::Call(call) = &cond.kind
            && self.asks(call, true).is_some()
        {
            return true;
        }
        // What only a sign-in has tells a sign-in from later requests, not the bearers of these.
        if self.is_first(cond) {
            return false;
        }
        let of = |cond: &Shared| self.tells_apart(cond, asked, fuel);
        let is_constant = |side: &Shared| {
            matches!(
                self.graph.resolved(side).kind,
                ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_) | ValueKind::Array(_)
            )
        };
        match &cond.kind {
            ValueKind::Not(inner) => of(inner),
            ValueKind::And(left, right) | ValueKind::Fallback { left, right, when: Missing::Falsy } => {
                of(left) || of(right)
            }
            ValueKind::Compare { left, right, .. } if self.is_first(left) || self.is_first(right) => false,
            ValueKind::Compare { left, right, .. } => {
                self.is_claim(left).is_some() && is_constant(right)
                    || self.is_claim(right).is_some() && is_constant(left)
            }
            // `claims.roles.includes('admin')`, `['admin'].includes(claims.role)`
            ValueKind::Call(call) if ["includes", "contains"].iter().any(|name| call.method() == Some(name)) => {
                let (list, member) = (call.receiver(), call.args.first().map(|arg| &arg.value));
                list.zip(member).is_some_and(|(list, member)| {
                    self.is_claim(list).is_some() && is_constant(member)
                        || self.is_claim(member).is_some() && is_constant(list)
                })
            }
            // `claims.exp - now < 300`, `now - claims.iat > 3600`
            ValueKind::Opaque("a comparison", sides) => sides.iter().any(|side| self.holds_other_claim(side, asked)),
            // `isAfter(new Date(claims.exp * 1000), soon)`, `needsRenewal(claims)`
            ValueKind::Call(call) if self.graph.targets(call).is_empty() => {
                let given = call.receiver().into_iter().chain(call.args.iter().map(|arg| &arg.value));
                given.into_iter().any(|given| self.holds_other_claim(given, asked))
            }
            ValueKind::Call(_) => self.graph.expand(cond).is_some_and(|inner| {
                let is_test = matches!(inner.kind, ValueKind::Opaque("a comparison", _) | ValueKind::Compare { .. });
                is_test && of(&inner)
            }),
            _ => self.is_claim(cond).is_some_and(|name| self.is_asked_by_another(name, asked)),
        }
    }

    /// Whether a claim lies in a value by which a look-up is not made.
    fn holds_other_claim(&self, value: &Shared, asked: &CallValue) -> bool {
        let is_it = |part: &Shared| self.is_claim(part).is_some_and(|name| self.is_asked_by_another(name, asked));
        holds(value, &is_it, 12)
    }

    /// Whether a look-up is made by something else than the claim of that name.
    fn is_asked_by_another(&self, name: &str, asked: &CallValue) -> bool {
        let own = |arg: &Shared| self.is_claim(arg).is_some_and(|other| other == name);
        !asked.args.iter().any(|arg| holds(&arg.value, &own, 8))
    }

    /// The name of a claim: a key of what a verification gave.
    fn is_claim<'v>(&self, value: &'v Shared) -> Option<&'v str> {
        let ValueKind::Field(base, name) = &value.kind else { return None };
        self.holds_claims(base, 12).then_some(name)
    }

    fn holds_claims(&self, value: &Shared, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        let found = match &value.kind {
            ValueKind::Call(call) => self.seeds.sites.contains(&call.site),
            ValueKind::Param(..) => self.seeds.lie_in(self.graph, value),
            ValueKind::Field(base, _) => self.holds_claims(base, fuel),
            // `try { return verify(token) } catch { return null }`
            ValueKind::Cond { then, otherwise, .. } => {
                self.holds_claims(then, fuel) || self.holds_claims(otherwise, fuel)
            }
            ValueKind::Either(values) => values.iter().any(|value| self.holds_claims(value, fuel)),
            _ => false,
        };
        let inner = || Some(self.graph.resolved(value)).filter(|inner| !std::sync::Arc::ptr_eq(inner, value));
        found || inner().is_some_and(|inner| self.holds_claims(&inner, fuel))
    }

    fn lets_others_in(&self, cond: &Shared, holds: bool) -> bool {
        let Some(function) = innermost(self.graph, cond.span) else { return false };
        let Some(module) = self.graph.module(function.file) else { return false };
        let mut at = module.exprs.iter().enumerate().filter(|(_, expr)| expr.span == cond.span);
        let (Some((at, _)), None) = (at.next(), at.next()) else { return false };
        let otherwise = if holds { Held::No } else { Held::Yes };
        match self.where_it_is(function, ExprId::of(at), Some(otherwise)) {
            Miss::LetsIn => true,
            Miss::GoesOn => self.handles(function),
            _ => false,
        }
    }
}

/// Whether something lies in a value.
pub(super) fn holds(value: &Shared, is_it: &dyn Fn(&Shared) -> bool, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    if is_it(value) {
        return true;
    }
    let mut found = false;
    value.kind.each(&mut |inner| found = found || holds(inner, is_it, fuel));
    found
}
