//! What becomes of a request where a look-up finds nobody.
//!
//! The function that the look-up stands in is executed once more with its result absent: `if (!user) return token` lets in all the same.
//! What cannot be told counts for the look-up.

use std::collections::{BTreeMap, BTreeSet};

use crate::guards::held::Held;
use crate::guards::lacking::Lacks;
use crate::guards::onward::runs_the_rest;
use crate::guards::served::Service;
use crate::guards::walk::Walk;
use crate::ir::{ExprId, ExprKind, FunctionId, LocalId, Module, Place, Stmt};
use crate::summary::{CallSite, FunctionRef, ValueKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// The request goes on as if somebody had been found.
    LetsIn,
    /// Who called is handed what says that nobody was.
    HandsBack,
    /// What runs behind is run without the user, or after an answer: it may refuse.
    GoesOn,
    /// It is refused, or this does not tell.
    Refuses,
}

/// What a function does, and what it hands back.
pub(super) struct Outcome {
    pub miss: Miss,
    /// The keys that are the same, where an object is handed back that lacks who was looked for.
    pub keys: Option<BTreeSet<String>>,
    pub handed: Option<Held>,
    /// What it gives back, whatever that says.
    pub gave: Option<Held>,
}

/// One way through the function.
#[expect(clippy::struct_excessive_bools, reason = "what lies behind on the way, each by itself")]
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    pub(super) variables: BTreeMap<LocalId, Held>,
    /// What was set to it, by the path of the field: `req.user`.
    pub(super) kept: BTreeMap<String, Held>,
    /// Whether the look-up is behind.
    pub(super) seen: bool,
    /// Whether the request was let on before the look-up.
    pub(super) let_on: bool,
    /// Whether something that outlives the function says that nobody was found, or lacks who was.
    pub(super) marked: bool,
    /// Whether the request was answered because nobody was found.
    pub(super) answered: bool,
    /// Whether the request was let on behind the look-up.
    pub(super) passed: bool,
    /// Whether something was put on the request because nobody was found.
    pub(super) stood_in: bool,
    /// Whether who was found has left before: `if (user) return user; return 'not found'`.
    pub(super) left: bool,
    /// Of a handler.
    pub(super) service: Service,
}

#[expect(clippy::struct_excessive_bools, reason = "what was met on the ways, each by itself")]
pub(super) struct Run<'r, 'g, 'a> {
    pub(super) walk: &'r Walk<'g, 'a>,
    pub(super) module: &'r Module,
    pub(super) function: FunctionRef,
    /// The look-up, or the comparison.
    pub(super) asked: ExprId,
    /// What it is then; `None`: it fails by itself.
    pub(super) finds: Option<Held>,
    /// Whether what is asked is a test, whatever it is of.
    pub(super) only_tests: bool,
    pub(super) way: Way,
    /// How many branches around this run because nobody was found.
    pub(super) in_miss: u32,
    /// How often what is absent was read.
    pub(super) looks: u32,
    /// Whether it was asked whether it is there.
    pub(super) examined: bool,
    /// The last expression whose value nothing takes.
    pub(super) dropped: Option<ExprId>,
    /// What each `try` around this catches.
    pub(super) thrown: Vec<Option<Way>>,
    /// Whether a promise was rejected whose handler is the next to run.
    pub(super) rejected: bool,
    /// What such a handler gives back, while it runs.
    pub(super) given: Option<Vec<Held>>,
    /// The handlers that run.
    pub(super) within: Vec<FunctionId>,
    /// Whether something runs only where somebody was found.
    pub(super) gated: bool,
    pub(super) refused: bool,
    pub(super) lets_in: bool,
    pub(super) hands_back: bool,
    pub(super) goes_on: bool,
    /// Whether the function is a handler, which answers.
    pub(super) serves: bool,
    /// What it gives back, while that is told.
    pub(super) returned: Option<ExprId>,
    /// Of what was asked, where it is an object that lacks who was looked for.
    pub(super) lacks: Lacks,
    /// Of what is handed back the keys that are the same all the same, where it is such an object whichever way.
    pub(super) objects: Option<BTreeSet<String>>,
    /// Whether something else is handed back.
    pub(super) hands_bare: bool,
    /// What is handed back.
    pub(super) handed: Option<Held>,
    /// What is given back behind the look-up, whatever that says.
    pub(super) gave: Option<Held>,
    /// Whether the function lets on by calling what it is handed.
    pub(super) calls_on: bool,
    pub(super) returns_values: bool,
    pub(super) is_rust: bool,
    pub(super) fuel: u32,
    pub(super) depth: u32,
}

const MOST_STEPS: u32 = 20_000;

impl Walk<'_, '_> {
    /// What the function of a look-up (or of a call that hands its result on) does where there is nothing to be found.
    pub(super) fn on_a_miss(&self, function: FunctionRef, site: CallSite, fails: bool) -> Miss {
        if site.function != function {
            return Miss::Refuses;
        }
        self.where_it_is(function, site.expr, (!fails).then_some(Held::Absent))
    }

    /// Whether the function of a look-up refuses where there is something to be found: it asks a list of what is revoked.
    pub(super) fn refuses_a_hit(&self, function: FunctionRef, site: CallSite) -> bool {
        site.function != function || self.where_it_is(function, site.expr, Some(Held::Found)) == Miss::Refuses
    }

    pub(super) fn where_it_is(&self, function: FunctionRef, asked: ExprId, finds: Option<Held>) -> Miss {
        self.where_it_lacks(function, asked, finds, Lacks::default()).miss
    }

    /// The same of a test, because of which something may be kept on the request that lets nobody in.
    pub(super) fn where_it_tests(&self, function: FunctionRef, asked: ExprId, finds: Held) -> Miss {
        self.executed(function, asked, Some(finds), Lacks::default(), true, Way::default()).miss
    }

    /// The same of an object that lacks who was looked for.
    pub(super) fn where_it_lacks(
        &self,
        function: FunctionRef,
        asked: ExprId,
        finds: Option<Held>,
        lacks: Lacks,
    ) -> Outcome {
        self.executed(function, asked, finds, lacks, false, Way::default())
    }

    /// `way`: what lies behind where the function starts.
    pub(super) fn executed(
        &self,
        function: FunctionRef,
        asked: ExprId,
        finds: Option<Held>,
        lacks: Lacks,
        only_tests: bool,
        way: Way,
    ) -> Outcome {
        let (Some(module), Some(summary)) = (self.graph.module(function.file), self.graph.summary(function)) else {
            return Outcome { miss: Miss::Refuses, keys: None, handed: None, gave: None };
        };
        let declared = module.function(function.id);
        let serves = self.serves(function, module, summary);
        let calls_on = !serves
            && summary.calls.iter().any(|event| match &event.call.callee.kind {
                ValueKind::Param(..) => true,
                ValueKind::Captured(_, local) => is_param(module, *local),
                _ => runs_the_rest(self.graph, &event.call),
            });
        let mut run = Run {
            walk: self,
            module,
            function,
            asked,
            finds,
            only_tests,
            way,
            in_miss: 0,
            looks: 0,
            examined: false,
            dropped: None,
            thrown: Vec::new(),
            rejected: false,
            given: None,
            within: Vec::new(),
            gated: false,
            refused: false,
            lets_in: false,
            hands_back: false,
            goes_on: false,
            serves,
            returned: None,
            lacks,
            objects: None,
            hands_bare: false,
            handed: None,
            gave: None,
            calls_on,
            returns_values: returns_value(&declared.body),
            is_rust: self.graph.is_rust(function.file),
            fuel: MOST_STEPS,
            depth: 0,
        };
        let ended = run.block(&declared.body);
        if !ended && run.way.seen {
            run.reaches_end();
        }
        // In Rust `?` and `.ok_or(..)` vanish at lowering: only of what is asked whether it is there is known that it may not be.
        let told = !run.refused && run.fuel > 0 && (!run.is_rust || run.examined);
        let miss = match (told, run.lets_in, run.hands_back) {
            (true, ..) if run.goes_on => Miss::GoesOn,
            (true, true, false) => Miss::LetsIn,
            (true, false, true) => Miss::HandsBack,
            _ => Miss::Refuses,
        };
        Outcome { miss, keys: run.objects.filter(|_| !run.hands_bare), handed: run.handed, gave: run.gave }
    }
}

/// Whether a variable is a parameter of a function.
pub(super) fn is_param(module: &Module, local: LocalId) -> bool {
    let Some(declared) = module.locals.get(local.at()) else { return false };
    module.function(declared.function).params.iter().any(|param| param.local == local)
}

fn returns_value(statements: &[Stmt]) -> bool {
    statements.iter().any(|statement| match statement {
        Stmt::Return(value) => value.is_some(),
        Stmt::If { then, otherwise, .. } => returns_value(then) || returns_value(otherwise),
        Stmt::Loop { body } => returns_value(body),
        Stmt::Try { body, catch, finally } => returns_value(body) || returns_value(catch) || returns_value(finally),
        _ => false,
    })
}

impl Run<'_, '_, '_> {
    /// Executes statements; true where the end is never reached.
    pub(super) fn block(&mut self, statements: &[Stmt]) -> bool {
        let mut at = 0;
        while let Some(statement) = statements.get(at) {
            at += 1;
            if self.statement(statement) {
                match self.handler(statement, &statements[at..]) {
                    Some(passed) => at += passed,
                    None => return true,
                }
            }
        }
        false
    }

    fn statement(&mut self, statement: &Stmt) -> bool {
        match statement {
            Stmt::Assign { target, value, .. } => {
                let looks = self.looks;
                let Some(held) = self.eval(*value) else { return true };
                self.assign(target, self.as_code(target, *value, self.looks > looks, held));
                false
            }
            Stmt::Expr(value) => {
                self.dropped = Some(*value);
                self.eval(*value).is_none()
            }
            Stmt::If { cond, then, otherwise } => self.branch(*cond, then, otherwise),
            Stmt::Loop { body } => {
                let before = self.way.clone();
                self.block(body);
                self.join(before);
                false
            }
            Stmt::Return(value) => {
                let written = *value;
                self.returned = written.filter(|_| self.serves && self.given.is_none());
                let value = match value {
                    Some(value) => {
                        let held = self.eval(*value).map(|held| self.as_success(*value, held));
                        // `return deny(res)`: it may refuse by what it does as well as by an error that is caught here.
                        let calls = matches!(self.module.expr(*value).kind, ExprKind::Call(_)) && *value != self.asked;
                        self.refused |= held.is_none() && calls && self.calls_on && self.in_miss > 0;
                        held
                    }
                    None => Some(Held::No),
                };
                if let (Some(given), Some(value)) = (&mut self.given, value) {
                    given.push(value);
                    return true;
                }
                match (value, self.way.seen) {
                    (Some(_), true) if self.serves => self.serves_end(written),
                    (Some(value), true) => self.ends_by(written, value),
                    _ => {}
                }
                true
            }
            Stmt::Throw(value) => {
                value.and_then(|value| self.eval(value));
                self.throw();
                true
            }
            Stmt::Try { body, catch, finally } => {
                self.thrown.push(None);
                let mut ended = self.block(body);
                let thrown = self.thrown.pop().flatten();
                let swallows = !catch.is_empty() || finally.is_empty();
                if let (Some(thrown), true) = (thrown.clone(), swallows) {
                    let rest = std::mem::replace(&mut self.way, thrown);
                    self.in_miss += 1;
                    let catch_ended = self.block(catch);
                    self.in_miss -= 1;
                    match (ended, catch_ended) {
                        (_, true) => self.way = rest,
                        (true, false) => {}
                        (false, false) => self.join(rest),
                    }
                    ended = ended && catch_ended;
                } else if thrown.is_some() {
                    self.refused = true;
                }
                self.block(finally) || ended
            }
        }
    }

    fn branch(&mut self, cond: ExprId, then: &[Stmt], otherwise: &[Stmt]) -> bool {
        let looks = self.looks;
        let Some(held) = self.asked(cond) else { return true };
        let looked = self.looks > looks || held.shows();
        self.in_miss += u32::from(looked);
        let ended = if let Some(truth) = held.truth() {
            let (taken, passed_over) = if truth { (then, otherwise) } else { (otherwise, then) };
            self.gated |= looked && self.does_something(passed_over);
            if looked && self.way.seen && self.serves {
                self.passes_over(passed_over);
            }
            self.way.marked |= looked && self.way.seen && self.calls_on && self.attaches(passed_over);
            let ended = self.block(taken);
            self.way.left |= looked && self.way.seen && matches!(passed_over.last(), Some(Stmt::Return(_)));
            ended
        } else {
            let before = self.way.clone();
            let then_ended = self.block(then);
            let after_then = std::mem::replace(&mut self.way, before);
            let otherwise_ended = self.block(otherwise);
            match (then_ended, otherwise_ended) {
                (false, false) => self.join(after_then),
                (false, true) => self.way = after_then,
                _ => {}
            }
            then_ended && otherwise_ended
        };
        self.in_miss -= u32::from(looked);
        ended
    }

    fn join(&mut self, other: Way) {
        for (local, held) in other.variables {
            let mine = self.way.variables.entry(local).or_insert(Held::Same);
            if *mine != held {
                *mine = if mine.tells() || held.tells() { Held::Touched } else { Held::Same };
            }
        }
        for (path, held) in other.kept {
            let mine = self.way.kept.entry(path).or_insert(Held::Same);
            if *mine != held {
                *mine = if mine.tells() || held.tells() { Held::Touched } else { Held::Same };
            }
        }
        // Only ways behind the look-up matter.
        self.way.marked = match (self.way.seen, other.seen) {
            (true, false) => self.way.marked,
            (false, true) => other.marked,
            _ => self.way.marked && other.marked,
        };
        self.way.answered |= other.answered;
        self.way.service.join(other.service);
        self.way.seen |= other.seen;
        self.way.let_on |= other.let_on;
        self.way.passed &= other.passed;
        self.way.left &= other.left;
        self.way.stood_in &= other.stood_in;
    }

    /// Whether a variable is one of what is executed.
    pub(super) fn is_own(&self, local: LocalId) -> bool {
        let function = self.module.locals[local.at()].function;
        function == self.function.id || self.within.contains(&function)
    }

    fn assign(&mut self, target: &Place, value: Held) {
        match target {
            Place::Local(local) if self.is_own(*local) => {
                self.way.variables.insert(*local, value);
            }
            // Where stored and handed differ, the one is made the other.
            _ => {
                self.way.marked |= self.way.seen && (value.tells() || self.in_miss > 0 && !self.compares());
                self.way.stood_in |= self.way.seen && self.in_miss > 0 && value == Held::Same;
                self.keep(target, value);
            }
        }
    }

    fn throw(&mut self) {
        let way = self.way.clone();
        match self.thrown.last_mut() {
            Some(caught) => {
                if way.seen && (self.in_miss > 0 || caught.is_none()) {
                    *caught = Some(way);
                }
            }
            None => self.refused |= way.seen && self.in_miss > 0,
        }
    }

    /// Ends a way by an error that comes of what is absent.
    pub(super) fn fail(&mut self) -> Option<Held> {
        self.in_miss += 1;
        self.throw();
        self.in_miss -= 1;
        None
    }

    pub(super) fn returns(&mut self, value: Held) {
        let value = if value == Held::Code { Held::Same } else { value };
        if self.walk.denying.contains(&self.function) && self.denies(value) {
            // `if (!user) return true` of `isRevoked`.
        } else if self.way.passed {
            // `return next()`: what becomes of it is told already.
        } else if self.way.let_on {
            self.lets_in = true;
        } else if self.way.answered {
            self.refused = true;
        } else if self.calls_on {
            self.refused |= self.in_miss > 0;
        } else if self.way.stood_in && value == Held::Yes {
            // `catch { req.user = claims } return true`
            self.lets_in = true;
        } else if value.tells() || self.way.marked {
            self.hands_back = true;
        } else {
            match value {
                Held::Same | Held::Yes => self.lets_in = true,
                Held::No if self.in_miss > 0 || self.returns_values => self.hands_back = true,
                Held::No => self.reaches_end(),
                _ => self.refused = true,
            }
        }
    }

    /// What is answered where `true` says that nobody gets in; false where the answer has nothing to do with what was found.
    pub(super) fn denies(&mut self, value: Held) -> bool {
        let truth = value.truth();
        // `(await redis.exists(key)) === 1` may hold.
        self.refused |= truth == Some(true) || value == Held::Touched;
        self.lets_in |= truth == Some(false);
        truth.is_some() || value == Held::Touched
    }

    /// Whether a function that is called is handed to what denies: `done(null, true)`.
    pub(super) fn denies_by(&self, local: LocalId) -> bool {
        let mut denying = self.walk.denying.iter().filter(|of| of.file == self.function.file);
        denying.any(|of| self.module.function(of.id).params.iter().any(|param| param.local == local))
    }

    /// The end of the function, without a value.
    fn reaches_end(&mut self) {
        if self.serves {
            self.serves_end(None);
        } else if self.way.let_on {
            self.lets_in = true;
        } else if self.way.answered {
            self.refused = true;
        } else if self.calls_on {
            // Nothing was called on: the request hangs, or was answered, unless a closure goes on.
            self.refused |= !(self.lets_in || self.hands_back || self.goes_on);
        } else if self.returns_values || self.way.marked {
            self.hands_back = true;
        } else if self.gated {
            self.refused = true;
        } else {
            self.lets_in = true;
        }
    }
}
