//! Whether what a look-up finds decides anything, and whether it runs on every request.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Target;
use crate::guards::asks::Sought;
use crate::guards::claims::holds_call;
use crate::guards::held::Held;
use crate::guards::miss::Miss;
use crate::guards::onward::answers;
use crate::guards::walk::{Entered, Walk};
use crate::ir::{Binding, Expr, ExprKind, Missing};
use crate::rules::Asks;
use crate::source::Span;
use crate::summary::{CallSite, CallValue, Flow, FunctionRef, Shared, Slot, Summary, ValueKind};

/// Whether a way ends under a condition that holds something.
pub(super) fn parts_ways(flow: &[Flow], holds: &dyn Fn(&Shared) -> bool) -> bool {
    fn ends(flow: &[Flow]) -> bool {
        flow.iter().any(|step| match step {
            Flow::Call(_) => false,
            Flow::Branch(branch) => ends(&branch.then) || ends(&branch.otherwise),
            Flow::Try(tried) => ends(&tried.body) || ends(&tried.catch),
            Flow::Return(_) | Flow::Throw => true,
        })
    }
    flow.iter().any(|step| match step {
        Flow::Branch(branch) => {
            let arms = [&branch.then, &branch.otherwise];
            holds(&branch.cond) && arms.iter().any(|arm| ends(arm)) || arms.iter().any(|arm| parts_ways(arm, holds))
        }
        Flow::Try(tried) => parts_ways(&tried.body, holds) || parts_ways(&tried.catch, holds),
        Flow::Call(_) | Flow::Return(_) | Flow::Throw => false,
    })
}

/// What becomes of the result of a call in the function it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    None,
    /// It is looked at, and who was not found is let in all the same.
    Ignored,
    /// Who was not found is let in, and some who are found are not.
    Missed,
    /// So is who was not found, without what says who they are.
    Blanked,
    /// Where there is nothing the request goes on, and what runs behind may tell.
    GoesOn,
    Returned,
    Decided,
}

impl Walk<'_, '_> {
    /// As [`Self::used`], with what the function does where nobody was found; nobody in a list of what is revoked is as it should be.
    pub(super) fn told(&self, function: FunctionRef, site: CallSite, of_user: bool) -> Use {
        let used = self.use_of(function, site, self.answers && !of_user, 6);
        if used == Use::None {
            return if self.blanks(function, site) { Use::Blanked } else { used };
        }
        match self.on_a_miss(function, site, false) {
            Miss::LetsIn if self.blanks(function, site) => Use::Blanked,
            Miss::LetsIn => match (self.refuses_a_hit(function, site), of_user) {
                (true, true) => Use::Missed,
                (true, false) => used,
                (false, _) => Use::Ignored,
            },
            Miss::GoesOn if of_user || !self.refuses_a_hit(function, site) => Use::GoesOn,
            Miss::HandsBack => Use::Returned,
            _ => used,
        }
    }

    /// The same, with what becomes of what the function gives back.
    pub(super) fn fate(&self, function: FunctionRef, site: CallSite, of_user: bool, entered: &Entered) -> Use {
        if let Some(told) = self.becomes_of_answer(function, site, entered).filter(|_| of_user) {
            return told;
        }
        match self.told(function, site, of_user) {
            Use::Returned => {
                let plain = if of_user { entered.user } else { entered.result };
                let object = || self.becomes_of_object(function, site, entered);
                Some(plain).filter(|plain| *plain != Use::Decided).or_else(object).unwrap_or(plain)
            }
            Use::Decided => entered.swallowed.unwrap_or(Use::Decided),
            told => told,
        }
    }

    /// What becomes of what a look-up finds, where it fails by itself too.
    pub(super) fn judged(
        &self,
        function: FunctionRef,
        site: CallSite,
        call: &CallValue,
        of: Sought,
        entered: &Entered,
    ) -> Use {
        let of_user = of == Sought::User;
        if let Some(told) = self.told_by_callback(function, call, of_user) {
            return told;
        }
        let is_rust = self.graph.is_rust(function.file);
        let goes_on =
            || matches!(self.told(function, site, true), Use::Ignored | Use::Missed | Use::Blanked | Use::GoesOn);
        let counts = self.is_counted(call);
        if !counts && self.fails(call) && (!is_rust || self.propagates(call.site.span) || !goes_on()) {
            return match self.on_a_miss(function, site, true) {
                Miss::LetsIn => Use::Ignored,
                Miss::GoesOn => Use::GoesOn,
                _ => entered.swallowed.unwrap_or(Use::Decided),
            };
        }
        if self.refuses(call) && entered.swallowed.is_none() && (!counts || self.is_tested(call)) {
            return Use::Decided;
        }
        let told = if counts && !is_rust { self.becomes_of_count(function, site, call) } else { None };
        // A list is answered with whoever is there.
        let of_one = || of_user && !(self.answers && self.is_of_many(call));
        let told = told.unwrap_or_else(|| self.fate(function, site, of_one(), entered));
        // Whoever was found, the list is there; nobody in a list of what is revoked is as it should be.
        let list = || self.list_of(call).filter(|_| of != Sought::Other);
        let list = || list().and_then(|list| self.becomes_of_list(function, site, list, entered));
        if !matches!(told, Use::Decided | Use::Returned) {
            return told;
        }
        list().unwrap_or(if of == Sought::Session && self.passes_unless_told(function, site, entered) {
            Use::Missed
        } else {
            told
        })
    }

    /// Whether who has no session gets in, and some who have one do not, for what it says: `if (session?.revokedAt) refuse()`.
    fn passes_unless_told(&self, function: FunctionRef, site: CallSite, entered: &Entered) -> bool {
        let (mut at, mut function, mut site) = (entered, function, site);
        for _ in 0..8 {
            match self.on_a_miss(function, site, false) {
                Miss::LetsIn | Miss::GoesOn => {
                    return self.refuses_a_hit(function, site)
                        && self.where_it_is(function, site.expr, Some(Held::Yes)) == Miss::LetsIn;
                }
                Miss::HandsBack => match at.through {
                    Some((outer, call)) => (at, function, site) = (outer, call.function, call),
                    None => return false,
                },
                Miss::Refuses => return false,
            }
        }
        false
    }

    /// What becomes of the errors of what a call of the tree asks, where they come to nothing: it is caught, or made a `None` that refuses
    /// nobody.
    pub(super) fn swallows(&self, function: FunctionRef, site: CallSite, told: Use) -> Option<Use> {
        let goes_on = matches!(told, Use::Ignored | Use::Missed | Use::Blanked | Use::GoesOn);
        if self.graph.is_rust(site.span.file) {
            return (goes_on && !self.propagates(site.span)).then_some(Use::GoesOn);
        }
        match self.on_a_miss(function, site, true) {
            Miss::LetsIn => Some(Use::Ignored),
            Miss::GoesOn => Some(Use::GoesOn),
            _ if goes_on && self.chain_behind(site.span).trim_start().starts_with(".catch") => Some(Use::GoesOn),
            _ => None,
        }
    }

    /// `as_data`: what is answered says no more than what there is.
    fn use_of(&self, function: FunctionRef, site: CallSite, as_data: bool, fuel: u8) -> Use {
        let (Some(summary), Some(fuel)) = (self.graph.summary(function), fuel.checked_sub(1)) else {
            return Use::Decided;
        };
        let holds = |value: &Shared| holds_call(value, site);
        let mut most = Use::None;
        for event in &summary.calls {
            let mut at = event.guards.as_ref();
            while let Some(guard) = at {
                if holds(&guard.cond) {
                    return Use::Decided;
                }
                at = guard.outer.as_ref();
            }
            let call = &event.call;
            if call.site == site {
                continue;
            }
            let handed = call.args.iter().any(|arg| holds(&arg.value));
            let is_rust = self.graph.is_rust(function.file);
            let then = if handed && (self.only_tells(call) || self.hands_to_tellers(call, &holds, fuel)) {
                // A log line.
                Use::None
            } else if handed && as_data && answers(self.graph, call) {
                // The sessions of the bearer, as a page shows them.
                Use::None
            } else if !handed && is_rust && holds(&call.callee) {
                // A chain goes on: `query(..).fetch_optional(..)`.
                self.use_of(function, call.site, as_data, fuel)
            } else if handed || holds(&call.callee) {
                Use::Decided
            } else {
                Use::None
            };
            match then {
                Use::Decided => return Use::Decided,
                Use::Returned => most = Use::Returned,
                _ => {}
            }
        }
        // `if user.is_none() { return Err(GONE) }` calls nothing.
        if parts_ways(&summary.flow, &holds) {
            return Use::Decided;
        }
        let rest = summary.exits.values().chain(&summary.this_exit).chain(summary.leaves.values());
        if !as_data && rest.into_iter().any(|value| passes_on(value, site)) || self.kept(summary, site) {
            return Use::Decided;
        }
        if summary.returns.as_ref().is_some_and(|returned| passes_on(returned, site)) { Use::Returned } else { most }
    }

    /// Whether a call only writes down what it is handed.
    pub(super) fn only_tells(&self, call: &CallValue) -> bool {
        let Some(path) = self.graph.library_path(call) else { return false };
        self.graph.rules.harmless_matching(&path).any(|row| row.tells)
    }

    /// Whether functions of the tree only write down all that a call hands them.
    pub(super) fn is_told_to_tellers(&self, call: &CallValue) -> bool {
        self.hands_to_tellers(call, &|_| true, 4)
    }

    /// Whether functions of the tree do nothing with what they are handed but write it down: `audit(user)`.
    fn hands_to_tellers(&self, call: &CallValue, holds: &dyn Fn(&Shared) -> bool, fuel: u8) -> bool {
        let targets = self.graph.targets(call);
        let handed = || (0..).zip(&call.args).filter(|(_, arg)| holds(&arg.value)).map(|(at, _)| at);
        let told = |target: &Target| handed().all(|at| self.only_told_by(target.function, at, fuel));
        !targets.is_empty() && handed().next().is_some() && targets.iter().all(told)
    }

    /// Whether a function does no more with a parameter than to write it down, itself or through others.
    fn only_told_by(&self, function: FunctionRef, at: u32, fuel: u8) -> bool {
        let (Some(summary), Some(fuel)) = (self.graph.summary(function), fuel.checked_sub(1)) else { return false };
        let Some(module) = self.graph.module(function.file) else { return false };
        let Some(param) = module.function(function.id).params.get(at as usize) else { return false };
        let within = |outer: Span, inner: Span| outer.start <= inner.start && inner.end <= outer.end;
        let is_it = |expr: &&Expr| matches!(expr.kind, ExprKind::Name(Binding::Local(local)) if local == param.local);
        module.exprs.iter().filter(is_it).all(|mention| {
            let mut around: Vec<&CallValue> = summary.calls.iter().map(|event| &*event.call).collect();
            around.retain(|call| within(call.site.span, mention.span));
            around.sort_by_key(|call| call.site.span.end - call.site.span.start);
            let keeps = |call: &&&CallValue| self.only_tells(call) || self.is_sent_off(function, call);
            around.iter().any(|call| keeps(&call)) && self.graph.targets(around[0]).is_empty()
                || around.first().is_some_and(|call| {
                    let holds = |value: &Shared| within(value.span, mention.span);
                    self.hands_to_tellers(call, &holds, fuel)
                })
        })
    }

    /// Whether a call only stores what it is handed, or sends it to another service whose answer nobody looks at.
    fn is_sent_off(&self, function: FunctionRef, call: &CallValue) -> bool {
        if self.only_writes(call) {
            return !self.fails(call);
        }
        let Some(path) = self.graph.library_path(call) else { return false };
        self.graph.rules.consults_matching(&path).any(|row| row.asks == Asks::Issuer)
            && self.use_of(function, call.site, false, 4) == Use::None
            && matches!(self.on_a_miss(function, call.site, true), Miss::LetsIn)
    }

    /// What stands behind a call in the same expression.
    pub(super) fn chain_behind(&self, span: Span) -> &str {
        let text = self.graph.sources.get(span.file).text.get(span.end as usize..).unwrap_or_default();
        let mut depth = 0_u32;
        let ends = |at: char| match at {
            '(' | '[' => {
                depth += 1;
                false
            }
            ')' | ']' if depth > 0 => {
                depth -= 1;
                false
            }
            ')' | ']' => true,
            '{' | '}' | ';' | ',' => depth == 0,
            _ => false,
        };
        text.split(ends).next().unwrap_or_default()
    }

    /// Whether an error of a call in Rust ends the function.
    pub(super) fn propagates(&self, span: Span) -> bool {
        let rest = self.chain_behind(span);
        ["?", ".unwrap()", ".expect("].iter().any(|ends| rest.contains(ends))
    }

    /// Whether `cond` being true (or false) means a sign-in: a parameter is there that only a sign-in has, or the claims lack what
    /// the function is about to put there.
    pub(super) fn only_at_first(&self, function: FunctionRef, cond: &Shared, holds: bool, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        let only = |cond, holds| self.only_at_first(function, cond, holds, fuel);
        match &cond.kind {
            ValueKind::Not(inner) => only(inner, !holds),
            ValueKind::And(left, right) if holds => only(left, true) || only(right, true),
            ValueKind::Fallback { left, right, .. } => {
                let (left, right) = (only(left, holds), only(right, holds));
                if holds { left && right } else { left || right }
            }
            ValueKind::Compare { left, right, equal } => {
                let absent = |side: &Shared| matches!(side.kind, ValueKind::Null | ValueKind::Undefined);
                let (one, other) = if absent(left) { (right, left) } else { (left, right) };
                if absent(other) && *equal == holds && self.is_kept_claim(function, one) {
                    return true;
                }
                let (first, other) = match (self.is_first(left), self.is_first(right)) {
                    (true, _) => (true, right),
                    (_, true) => (true, left),
                    _ => return false,
                };
                // `trigger === 'signIn'`, `user !== undefined`.
                first && (*equal == holds) != absent(other)
            }
            // `['signIn', 'signUp'].includes(trigger)`
            ValueKind::Call(call) if holds && call.method() == Some("includes") => {
                let is_list = |value: &Shared| matches!(self.graph.resolved(value).kind, ValueKind::Array(_));
                call.receiver().is_some_and(is_list) && call.args.first().is_some_and(|arg| self.is_first(&arg.value))
            }
            _ if holds => self.is_first(cond),
            _ => self.is_kept_claim(function, cond),
        }
    }

    /// Whether a value is a claim that the function itself puts among the claims: `if (!token.role) token.role = await ..`.
    fn is_kept_claim(&self, function: FunctionRef, value: &Shared) -> bool {
        let ValueKind::Field(base, name) = &value.kind else { return false };
        let Some(summary) = self.graph.summary(function) else { return false };
        let puts = || summary.exits.values().chain(&summary.returns).any(|value| puts_key(value, name, 12));
        self.seeds.lie_in(self.graph, base) && puts()
    }

    /// Whether a value is, or is a key of, a parameter that only a sign-in has.
    pub(super) fn is_first(&self, value: &Shared) -> bool {
        let mut keys: Vec<&str> = Vec::new();
        let mut at = value;
        loop {
            match &at.kind {
                ValueKind::Field(base, name) => {
                    keys.insert(0, name);
                    at = base;
                }
                ValueKind::Param(function, index) => {
                    return self.first.iter().any(|(f, i, wanted)| {
                        f == function
                            && i == index
                            && wanted.iter().zip(&keys).all(|(a, b)| a == b)
                            && keys.len() >= wanted.len()
                    });
                }
                _ => return false,
            }
        }
    }

    /// Whether a closure or a further read takes the result.
    fn kept(&self, summary: &Summary, site: CallSite) -> bool {
        let mut reads = summary.reads.iter();
        // A read with a default beside it is seen where it goes.
        let defaulted = defaults(summary);
        reads.any(|read| holds_call(read, site) && !defaulted.contains(&read.span) && !self.takes_rows(read, site))
    }

    /// Whether something that only a sign-in has lies in a value.
    pub(super) fn holds_first(&self, value: &Shared, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        if self.is_first(value) {
            return true;
        }
        let mut found = false;
        value.kind.each(&mut |inner| found = found || self.holds_first(inner, fuel));
        found
    }
}

/// Where fields are read that a default stands in for: `user?.name ?? 'gone'`.
fn defaults(summary: &Summary) -> BTreeSet<crate::source::Span> {
    fn visit(value: &Shared, found: &mut BTreeSet<crate::source::Span>, seen: &mut BTreeSet<usize>) {
        if seen.len() > 2_000 || !seen.insert(Arc::as_ptr(value).addr()) {
            return;
        }
        if let ValueKind::Fallback { left, when: Missing::Nullish | Missing::Falsy, .. } = &value.kind {
            let mut at = left;
            while let ValueKind::Field(base, _) = &at.kind {
                found.insert(at.span);
                at = base;
            }
        }
        value.kind.each(&mut |inner| visit(inner, found, seen));
    }
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let values = summary.exits.values().chain(&summary.returns).chain(&summary.this_exit);
    values.for_each(|value| visit(value, &mut found, &mut seen));
    found
}

/// Whether a value depends on what a call finds: with `user?.name ?? 'gone'` nothing does.
fn passes_on(value: &Shared, site: CallSite) -> bool {
    fn visit(value: &Shared, site: CallSite, seen: &mut BTreeSet<usize>) -> bool {
        if seen.len() > 5_000 || !seen.insert(Arc::as_ptr(value).addr()) {
            return false;
        }
        match &value.kind {
            ValueKind::Call(call) if call.site == site => true,
            ValueKind::Fallback { left, right, when: Missing::Nullish | Missing::Falsy }
                if matches!(left.kind, ValueKind::Field(..)) =>
            {
                visit(right, site, seen)
            }
            kind => {
                let mut found = false;
                kind.each(&mut |inner| found = found || visit(inner, site, seen));
                found
            }
        }
    }
    visit(value, site, &mut BTreeSet::new())
}

/// Whether a value has a key that is written out.
fn puts_key(value: &Shared, name: &str, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &value.kind {
        ValueKind::Object { base, entries } => {
            let own = entries.iter().any(|slot| match slot {
                Slot::Named { key, .. } => key == name,
                Slot::Spread(inner) => puts_key(inner, name, fuel),
                Slot::Computed { .. } => false,
            });
            own || base.as_ref().is_some_and(|base| puts_key(base, name, fuel))
        }
        ValueKind::Cond { then, otherwise, .. } => puts_key(then, name, fuel) || puts_key(otherwise, name, fuel),
        ValueKind::Either(values) => values.iter().any(|value| puts_key(value, name, fuel)),
        _ => false,
    }
}
