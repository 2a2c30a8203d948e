//! Look-ups that depend on how the program is run or on what is asked of it: `if (process.env.STRICT)`, `if (req.method !== 'GET')`,
//! `protect({ lookup: false })`, or on how its handler is marked: `if (!this.reflector.get('roles', handler))`.

use std::sync::Arc;

use crate::graph::EdgeKind;
use crate::guards::columns::innermost;
use crate::guards::handed::handed;
use crate::guards::some::holds;
use crate::guards::walk::Walk;
use crate::ir::{Binding, ExprKind, Missing};
use crate::rules::Tells;
use crate::source::Scope;
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

/// What is known of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It is about something else.
    Nothing,
    /// It is always so where the program is run for its users.
    Is(bool),
    /// It is so for some requests, or by a setting.
    Varies,
}

impl Walk<'_, '_> {
    /// Whether a look-up behind a condition is left out for some requests, or by a setting. What is asked before there are claims is
    /// about who comes without a token.
    pub(super) fn is_left_out(&self, cond: &Shared, holds: bool, asked: &CallValue) -> bool {
        match self.known(cond, 8) {
            Known::Nothing => false,
            Known::Is(is) => is != holds && self.is_behind_claims(cond, asked),
            Known::Varies => self.is_behind_claims(cond, asked),
        }
    }

    fn known(&self, cond: &Shared, fuel: u8) -> Known {
        let Some(fuel) = fuel.checked_sub(1) else { return Known::Nothing };
        let of = |value: &Shared| self.known(value, fuel);
        match &cond.kind {
            ValueKind::Bool(is) => Known::Is(*is),
            ValueKind::Null | ValueKind::Undefined => Known::Is(false),
            ValueKind::Not(inner) => match of(inner) {
                Known::Is(is) => Known::Is(!is),
                known => known,
            },
            ValueKind::And(left, right) => both(of(left), of(right), false),
            ValueKind::Fallback { left, right, when: Missing::Falsy } => both(of(left), of(right), true),
            ValueKind::Compare { left, right, .. } if self.is_marked(left) || self.is_marked(right) => Known::Varies,
            ValueKind::Compare { left, right, equal } => {
                let (left, right) = (self.graph.resolved(left), self.graph.resolved(right));
                let (side, other) = if self.is_setting(&right) { (right, left) } else { (left, right) };
                match &other.kind {
                    ValueKind::Text(word) if self.is_setting(&side) => {
                        if self.graph.rules.tells(Tells::Live, word) {
                            Known::Is(*equal)
                        } else if self.graph.rules.tells(Tells::Trial, word) {
                            Known::Is(!*equal)
                        } else {
                            Known::Varies
                        }
                    }
                    _ if self.is_setting(&side) || self.is_asked(&side) || self.is_asked(&other) => Known::Varies,
                    _ => Known::Nothing,
                }
            }
            _ if self.is_marked(cond) => Known::Varies,
            // `req.path.startsWith('/public')`, `['GET', 'HEAD'].includes(req.method)`
            ValueKind::Call(call) if call.args.len() == 1 => {
                let parts = call.receiver().into_iter().chain(call.args.iter().map(|arg| &arg.value));
                if parts.into_iter().any(|part| self.is_asked(part)) { Known::Varies } else { Known::Nothing }
            }
            _ if self.is_setting(cond) => Known::Varies,
            ValueKind::Captured(..) | ValueKind::Import(..) | ValueKind::Field(..) | ValueKind::Param(..) => {
                let inner = self.graph.resolved(cond);
                if Arc::ptr_eq(&inner, cond) { self.as_made(cond) } else { of(&inner) }
            }
            _ => Known::Nothing,
        }
    }

    /// Whether a value comes from how the program is run: `process.env.STRICT`.
    fn is_setting(&self, value: &Shared) -> bool {
        let path = match &value.kind {
            ValueKind::Field(..) => self.graph.path(value),
            ValueKind::Call(call) => self.graph.library_path(call),
            _ => return false,
        };
        path.is_some_and(|path| self.graph.rules.tells(Tells::Setting, &path))
    }

    /// Whether a value comes from how a handler is marked: `roles.length`, `isPublic(context)`.
    pub(super) fn is_marked(&self, value: &Shared) -> bool {
        let is_mark = |part: &Shared| match &part.kind {
            ValueKind::Call(call) => {
                let path = self.graph.library_path(call);
                path.is_some_and(|path| self.graph.rules.tells(Tells::Marked, &path))
            }
            _ => false,
        };
        let of_tree = || match &value.kind {
            ValueKind::Call(call) => !self.graph.targets(call).is_empty(),
            _ => false,
        };
        holds(value, &is_mark, 8)
            || of_tree() && self.graph.expand(value).is_some_and(|inner| holds(&inner, &is_mark, 8))
    }

    /// Whether a value says what a request asks for: `req.method`.
    fn is_asked(&self, value: &Shared) -> bool {
        self.says(value, Tells::Asked)
    }

    /// Whether a value is what a request says by such a key: `new URL(req.url).pathname`.
    pub(super) fn says(&self, value: &Shared, tells: Tells) -> bool {
        let (base, name) = match &value.kind {
            ValueKind::Field(base, name) => (base, name.as_str()),
            ValueKind::Call(call) if call.args.is_empty() => match (call.receiver(), call.method()) {
                (Some(base), Some(name)) => (base, name),
                _ => return false,
            },
            ValueKind::Call(call) if call.is_new => {
                return call.args.first().is_some_and(|arg| self.says(&arg.value, tells));
            }
            _ => return false,
        };
        let of_request = || {
            let mut at = base;
            while let ValueKind::Field(base, _) | ValueKind::After { before: base, .. } = &at.kind {
                at = base;
            }
            matches!(at.kind, ValueKind::Param(..))
        };
        self.graph.rules.tells(tells, name) && of_request() || self.says(base, tells)
    }

    /// What an option of a guard is where the guards are made: `protect({ lookup: false })`.
    fn as_made(&self, option: &Shared) -> Known {
        let graph = self.graph;
        let Some((of, value)) = handed(graph, option, 8).filter(|(of, _)| !self.functions.contains(of)) else {
            return Known::Nothing;
        };
        let callers = graph.callers(of);
        let made = callers.iter().take(60).filter(|edge| graph.scope(edge.caller) == Scope::Production);
        let each = made.filter_map(|edge| match &edge.kind {
            EdgeKind::Call(outer) => {
                graph.refuel();
                let value = graph.resolved(&graph.substitute(&value, &graph.bind(outer, of)));
                match value.kind {
                    ValueKind::Bool(is) => Some(is),
                    ValueKind::Null | ValueKind::Undefined => Some(false),
                    _ => None,
                }
            }
            EdgeKind::Callback(_) | EdgeKind::Framework => None,
        });
        let each: Vec<bool> = each.collect();
        match each.as_slice() {
            [] => Known::Nothing,
            [first, rest @ ..] if rest.iter().all(|is| is == first) => Known::Is(*first),
            _ => Known::Varies,
        }
    }

    /// Whether the claims that a look-up is handed were there when a condition was asked.
    fn is_behind_claims(&self, cond: &Shared, asked: &CallValue) -> bool {
        let Some(function) = innermost(self.graph, cond.span) else { return false };
        let mut start = None;
        let given = asked.receiver().into_iter().chain(asked.args.iter().map(|arg| &arg.value));
        given.into_iter().for_each(|value| self.earliest(value, function, &mut start, 8));
        let start = start.or_else(|| self.leads_to_claims(function, 4));
        start.is_none_or(|start| start < self.place(cond, function, asked))
    }

    /// Where a condition is asked: what was kept in a variable is so where the variable is named last before the look-up.
    fn place(&self, cond: &Shared, of: FunctionRef, asked: &CallValue) -> u32 {
        let (Some(module), Some(summary)) = (self.graph.module(of.file), self.graph.summary(of)) else {
            return cond.span.start;
        };
        let is_kept = |local| {
            let values = summary.assigned.get(local).into_iter().flatten();
            values.into_iter().any(|value| value.span == cond.span)
        };
        let end = if asked.site.function == of { asked.site.span.start } else { u32::MAX };
        let named = module.exprs.iter().filter(|expr| expr.span.start < end).filter_map(|expr| match &expr.kind {
            ExprKind::Name(Binding::Local(local)) if is_kept(local) => Some(expr.span.start),
            _ => None,
        });
        named.max().unwrap_or(cond.span.start)
    }

    /// Where the first call of a function stands behind which a token is verified.
    fn leads_to_claims(&self, of: FunctionRef, fuel: u8) -> Option<u32> {
        let fuel = fuel.checked_sub(1)?;
        let leads = |call: &CallValue| {
            self.seeds.sites.contains(&call.site)
                || self.graph.targets(call).iter().any(|target| self.leads_to_claims(target.function, fuel).is_some())
        };
        let calls = self.graph.summary(of)?.calls.iter().filter(|event| leads(&event.call));
        calls.map(|event| event.call.site.span.start).min()
    }

    /// Where the first call of a function stands that gives claims to a value.
    fn earliest(&self, value: &Shared, of: FunctionRef, start: &mut Option<u32>, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        if let ValueKind::Call(call) = &value.kind
            && call.site.function == of
            && self.seeds.lie_in(self.graph, value)
        {
            let at = call.site.span.start;
            *start = Some(start.map_or(at, |known: u32| known.min(at)));
        }
        value.kind.each(&mut |inner| self.earliest(inner, of, start, fuel));
    }
}

/// `left && right`, or with `or` `left || right`.
fn both(left: Known, right: Known, or: bool) -> Known {
    match (left, right) {
        (Known::Is(is), other) | (other, Known::Is(is)) => {
            if is == or {
                Known::Is(or)
            } else {
                other
            }
        }
        (Known::Varies, _) | (_, Known::Varies) => Known::Varies,
        _ => Known::Nothing,
    }
}
