//! Where a minted token goes from a function: to whoever asked, or elsewhere (a mail, another store).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::graph::{Bindings, Graph};
use crate::rules::{Answer, Keeps};
use crate::source::Span;
use crate::summary::{CallSite, CallValue, FunctionRef, Shared, Value, ValueKind};

/// Deeper calls than this are not looked into.
const DEEPEST: u8 = 3;

/// Where the result of one mint goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaving {
    /// It is answered with.
    pub answered: bool,
    /// Something else is done with it.
    pub elsewhere: bool,
    /// A call that is handed it and may store it: nothing tells what it runs.
    pub untold: Option<Span>,
}

impl Leaving {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            answered: self.answered || other.answered,
            elsewhere: self.elsewhere || other.elsewhere,
            untold: self.untold.or(other.untold),
        }
    }
}

/// What is known of minted tokens and functions, whatever column and way asked for it.
#[derive(Debug, Default)]
pub(super) struct Leavings {
    done: RefCell<FxHashMap<(CallSite, FunctionRef), Leaving>>,
    sent: RefCell<FxHashMap<(CallSite, FunctionRef), bool>>,
    returned: RefCell<FxHashMap<(CallSite, FunctionRef), bool>>,
    /// By mint, and whether texts made of the token count: the values that it is not in.
    without: RefCell<FxHashMap<(CallSite, bool), FxHashMap<usize, Shared>>>,
}

fn once<K: Copy + Eq + Hash, T: Copy>(known: &RefCell<FxHashMap<K, T>>, key: K, work: impl FnOnce() -> T) -> T {
    if let Some(answer) = known.borrow().get(&key) {
        return *answer;
    }
    let answer = work();
    known.borrow_mut().insert(key, answer);
    answer
}

pub(super) struct Token<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub mint: CallSite,
    pub known: &'g Leavings,
}

impl Token<'_, '_> {
    /// What a function does with the token by its calls.
    pub(super) fn done_by(&self, function: FunctionRef) -> Leaving {
        once(&self.known.done, (self.mint, function), || {
            let calls = self.graph.summary(function).into_iter().flat_map(|summary| &summary.calls);
            calls.fold(Leaving::default(), |all, event| {
                self.graph.refuel();
                all.and(self.done_with(&event.call, DEEPEST))
            })
        })
    }

    /// The same where what the function (or what made it) is given is known.
    pub(super) fn done_by_bound(&self, function: FunctionRef, bindings: &Bindings) -> Leaving {
        self.done_bound(function, bindings, DEEPEST)
    }

    /// Whether a function returns the token as it is, alone or beside others; a text made of it (a link) is not it.
    pub(super) fn is_returned_by(&self, function: FunctionRef) -> bool {
        self.graph.refuel();
        let returned = self.graph.summary(function).and_then(|summary| summary.returns.as_ref());
        returned.is_some_and(|value| self.is_in(value))
    }

    /// Whether a row that is written holds the token as it is.
    pub(super) fn is_kept_in(&self, row: &Shared) -> bool {
        self.graph.refuel();
        self.is_in(row)
    }

    /// Whether a row that is written holds the token only as a default that something else takes the place of.
    pub(super) fn is_default_in(&self, row: &Shared) -> bool {
        self.graph.refuel();
        let mut open = vec![Arc::clone(row)];
        let mut seen = FxHashMap::default();
        let mut found = false;
        while let Some(value) = open.pop() {
            if seen.insert(Arc::as_ptr(&value).addr(), Arc::clone(&value)).is_some() {
                continue;
            }
            match &value.kind {
                ValueKind::Call(call) if call.site == self.mint => return false,
                ValueKind::Fallback { left, right, .. } => {
                    found |= self.is_in(right);
                    open.push(Arc::clone(left));
                }
                kind => kind.each(&mut |part| open.push(Arc::clone(part))),
            }
        }
        found
    }

    /// Whether the token, or something made of it, may be what a path answers with: its functions, the entry point last, and what makes
    /// the token for them.
    pub(super) fn may_be_answered(&self, functions: &[FunctionRef], makers: &BTreeSet<FunctionRef>) -> bool {
        let is_answered = |function: &FunctionRef| self.is_sent_by(*function) || self.done_by(*function).answered;
        let is_returned = |top: &FunctionRef| {
            once(&self.known.returned, (self.mint, *top), || {
                self.graph.refuel();
                let returned = self.graph.summary(*top).and_then(|summary| summary.returns.as_ref());
                returned.is_some_and(|value| self.is_made_in(value))
            })
        };
        functions.iter().chain(makers).any(is_answered) || functions.last().is_some_and(is_returned)
    }

    /// Whether a function answers with the token, or with something made of it.
    fn is_sent_by(&self, function: FunctionRef) -> bool {
        let calls = || self.graph.summary(function).into_iter().flat_map(|summary| &summary.calls);
        let is_sent = |call: &CallValue| call.args.iter().any(|arg| self.is_made_in(&arg.value));
        once(&self.known.sent, (self.mint, function), || {
            calls().any(|event| {
                self.graph.refuel();
                self.answers(&event.call).is_some() && is_sent(&event.call)
            })
        })
    }

    /// What a call does with the token, where it is handed any.
    pub(super) fn left_by(&self, call: &Arc<CallValue>) -> Leaving {
        self.done_with(call, DEEPEST)
    }

    fn done_with(&self, call: &Arc<CallValue>, fuel: u8) -> Leaving {
        let Some(fuel) = fuel.checked_sub(1).filter(|_| call.args.iter().any(|arg| self.is_made_in(&arg.value))) else {
            return Leaving::default();
        };
        let (is_answer, in_texts) = self.answers(call).map_or((false, false), |in_texts| (true, in_texts));
        let handed = || call.args.iter().any(|arg| self.is_in(&arg.value));
        if is_answer && (in_texts || handed()) {
            return Leaving { answered: true, ..Leaving::default() };
        }
        let targets = self.graph.targets(call);
        if targets.is_empty() {
            let kept = || self.is_in(&Value::new(ValueKind::Call(Arc::clone(call)), call.site.span));
            let elsewhere = !is_answer && !kept();
            let untold = (elsewhere && handed() && self.may_store(call)).then_some(call.callee.span);
            return Leaving { answered: false, elsewhere, untold };
        }
        targets.iter().fold(Leaving::default(), |all, target| {
            let bindings = self.graph.bind(call, target.function);
            all.and(self.done_bound(target.function, &bindings, fuel))
        })
    }

    fn done_bound(&self, function: FunctionRef, bindings: &Bindings, fuel: u8) -> Leaving {
        let calls = self.graph.summary(function).into_iter().flat_map(|summary| &summary.calls);
        calls.fold(Leaving::default(), |all, event| {
            self.graph.refuel();
            let whole = Value::new(ValueKind::Call(Arc::clone(&event.call)), event.call.site.span);
            match &self.graph.substitute(&whole, bindings).kind {
                ValueKind::Call(bound) => all.and(self.done_with(bound, fuel)),
                _ => all,
            }
        })
    }

    /// Whether nothing tells what a call that leaves the tree does with what it is handed: what it is called on is not known, it
    /// runs a job by a name that nobody answers to, or it lies in a file that is not there.
    fn may_store(&self, call: &CallValue) -> bool {
        let (graph, rules) = (self.graph, self.graph.rules);
        if matches!(call.callee.kind, ValueKind::Super(_)) || graph.heard(call).next().is_some() {
            return false;
        }
        let Some(path) = graph.library_path(call) else { return !call.is_new };
        let is_known = rules.harmless_matching(&path).next().is_some()
            || rules.passes_matching(&path).next().is_some()
            || rules.mints_matching(&path).next().is_some()
            || rules.verify().any(|row| row.call.matches(&path))
            || rules.web().any(|row| row.call.matches(&path));
        let is_unknown = path.starts_with(['?', '.']) || rules.emit().any(|row| row.call.matches(&path));
        !is_known && is_unknown
    }

    /// Whether a call sends what it is given to whoever asked; where it does, whether a text that is made of a token hands it out too.
    fn answers(&self, call: &CallValue) -> Option<bool> {
        let path = self.graph.library_path(call)?;
        let rules = self.graph.rules;
        let is_on_it = |row: &Answer| row.on.is_none_or(|on| self.is_handed_to_entry(call.receiver(), on));
        let mut rows = rules.answer().filter(|row| row.call.matches(&path) && is_on_it(row)).peekable();
        if rows.peek().is_some() {
            return Some(rows.any(|row| row.texts));
        }
        let mut cookies = rules.web().filter(|row| row.keeps == Keeps::Cookie);
        cookies.any(|row| row.call.matches(&path)).then_some(false)
    }

    /// Whether a value is what an entry point gets as its nth parameter.
    fn is_handed_to_entry(&self, value: Option<&Shared>, nth: u32) -> bool {
        let value = value.map(|value| self.graph.resolved(value));
        value.is_some_and(|value| match value.kind {
            ValueKind::Param(function, at) => at == nth && !self.graph.entries(function).is_empty(),
            _ => false,
        })
    }

    fn is_in(&self, value: &Shared) -> bool {
        self.is_found_in(value, false)
    }

    /// Also where only a text is made of it.
    fn is_made_in(&self, value: &Shared) -> bool {
        self.is_found_in(value, true)
    }

    fn is_found_in(&self, value: &Shared, in_texts: bool) -> bool {
        let key = (self.mint, in_texts);
        let without = self.known.without.borrow_mut().remove(&key).unwrap_or_default();
        let mut search = Search { token: self, in_texts, seen: FxHashMap::default(), without };
        let is_found = search.finds(value);
        let Search { seen, mut without, .. } = search;
        // Nothing that was looked at leads to the token, where all of it was looked at.
        if !is_found && !self.graph.is_spent() {
            without.extend(seen);
        }
        self.known.without.borrow_mut().insert(key, without);
        is_found
    }
}

struct Search<'t, 'g, 'a> {
    token: &'t Token<'g, 'a>,
    in_texts: bool,
    /// What was looked at, by its address and kept, so that no other takes it.
    seen: FxHashMap<usize, Shared>,
    /// What earlier searches did not find it in.
    without: FxHashMap<usize, Shared>,
}

impl Search<'_, '_, '_> {
    fn finds(&mut self, value: &Shared) -> bool {
        let graph = self.token.graph;
        let address = Arc::as_ptr(value).addr();
        if self.without.contains_key(&address)
            || !graph.step()
            || self.seen.insert(address, Arc::clone(value)).is_some()
        {
            return false;
        }
        match &value.kind {
            ValueKind::Call(call) if call.site == self.token.mint => true,
            ValueKind::Call(call) if !graph.targets(call).is_empty() => self.behind(value),
            ValueKind::Call(call) => {
                let hands_on = |path: &String| graph.rules.passes_matching(path).next().is_some();
                let keeps = self.in_texts
                    || call.is_new
                    || self.token.answers(call).is_some()
                    || graph.callee_path(call).as_ref().is_some_and(hands_on);
                // `randomBytes(32).toString('hex')`
                keeps && call.args.iter().map(|arg| &arg.value).chain(call.receiver()).any(|part| self.finds(part))
            }
            ValueKind::Cond { then, otherwise, .. } => self.finds(then) || self.finds(otherwise),
            ValueKind::And(_, value) => self.finds(value),
            ValueKind::Not(_) | ValueKind::Is(..) | ValueKind::Compare { .. } => false,
            ValueKind::Concat(_) | ValueKind::Sql(..) if !self.in_texts => false,
            ValueKind::Field(base, _) => match graph.expand(value) {
                Some(inner) if !Arc::ptr_eq(&inner, value) => self.finds(&inner),
                _ => self.finds(base),
            },
            ValueKind::Captured(..)
            | ValueKind::Leaves(..)
            | ValueKind::After { .. }
            | ValueKind::Element(_)
            | ValueKind::Index(..)
            | ValueKind::Rest(..) => self.behind(value) || self.below(value),
            _ => self.below(value),
        }
    }

    fn behind(&mut self, value: &Shared) -> bool {
        match self.token.graph.expand(value) {
            Some(inner) if !Arc::ptr_eq(&inner, value) => self.finds(&inner),
            _ => false,
        }
    }

    fn below(&mut self, value: &Shared) -> bool {
        let mut parts = Vec::new();
        value.kind.each(&mut |part| parts.push(Arc::clone(part)));
        parts.iter().any(|part| self.finds(part))
    }
}
