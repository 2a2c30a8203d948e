//! The runs of an entry point that hand out a minted token and store none.
//!
//! Forward, from the entry point: a branch is taken both ways as far as what was decided before leaves both, the calls that lead on to the
//! mint or to a write are followed, and what throws is over. Where a run cannot be told to its end, nothing is said of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{Bindings, Graph};
use crate::provenance::constants::is_nullish;
use crate::provenance::decided::{Decided, OnRun, is_alike};
use crate::provenance::issuing::Issuing;
use crate::provenance::leaving::{Leaving, Token};
use crate::provenance::meaning::Evaluator;
use crate::provenance::overrides::{Owner, run_by};
use crate::rules::Operation;
use crate::source::Span;
use crate::summary::{Branch, CallSite, CallValue, Flow, FunctionRef, Shared, Summary, ValueKind};

/// An entry point with more runs than these is not judged.
const MOST_RUNS: usize = 64;

/// Calls that lie deeper are not followed.
const DEEPEST: usize = 12;

/// The writes of an entry point that give the column a value.
#[derive(Debug, Default)]
pub(super) struct Storing {
    pub spans: BTreeSet<Span>,
    /// Of these, upserts whose other half keeps the row as it is.
    pub creating: BTreeSet<Span>,
    pub functions: BTreeSet<FunctionRef>,
}

impl Storing {
    /// Adds a write with the functions that lead to it, its own first.
    pub(super) fn add(&mut self, span: Span, operation: Operation, functions: &[FunctionRef]) {
        let is_new = self.spans.insert(span);
        if operation == Operation::UpsertCreate && is_new {
            self.creating.insert(span);
        } else if operation != Operation::UpsertCreate {
            self.creating.remove(&span);
        }
        self.functions.extend(functions.first());
    }
}

/// What is asked.
pub(super) struct Question<'q, 'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub issuing: &'q Issuing<'g, 'a>,
    pub evaluator: &'q Evaluator<'q, 'a>,
    pub storing: &'q Storing,
    pub mint: CallSite,
    /// The calls from the entry point to the function of the mint.
    pub calls: &'q [Span],
}

/// A run that hands out the token and does not store it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unstored {
    /// Where the token is handed out.
    pub at: Span,
    /// The condition that keeps the run from storing it, and whether it holds then.
    pub decided: Option<(Span, bool)>,
}

#[derive(Clone, Default)]
struct Run {
    decided: Decided,
    stored: bool,
    answered: Option<Span>,
    /// Something happened that may have stored the token.
    is_doubtful: bool,
}

/// How the runs of a function went on.
#[derive(Default)]
struct Ended {
    returned: Vec<(Run, Option<Shared>)>,
    thrown: Vec<Run>,
}

/// A function as it was called.
struct Frame<'f> {
    function: FunctionRef,
    summary: &'f Summary,
    bindings: Option<Bindings>,
    /// The function that called this one.
    caller: Option<&'f Frame<'f>>,
    own: Option<Owner>,
    /// The calls that led here.
    calls: Vec<Span>,
}

struct Walk<'q, 'g, 'a> {
    question: &'q Question<'q, 'g, 'a>,
    token: Token<'q, 'a>,
    matters: RefCell<BTreeMap<FunctionRef, bool>>,
    /// The writes that some run came to.
    seen: RefCell<BTreeSet<Span>>,
    /// Whether there were too many runs.
    is_cut: RefCell<bool>,
}

impl Question<'_, '_, '_> {
    /// The first run of an entry point on which the token of the mint is handed out and not stored, though others store it.
    pub(super) fn unstored(&self, entry: FunctionRef) -> Option<Unstored> {
        let walk = Walk {
            question: self,
            token: self.issuing.token(self.mint),
            matters: RefCell::default(),
            seen: RefCell::default(),
            is_cut: RefCell::default(),
        };
        let frame =
            Frame { function: entry, summary: self.graph.summary(entry)?, bindings: None, caller: None, own: None, calls: Vec::new() };
        let ended = walk.function(&frame, Run::default());
        if *walk.is_cut.borrow() || *walk.seen.borrow() != self.storing.spans {
            return None;
        }
        let mut runs: Vec<Run> = Vec::new();
        for (mut run, value) in ended.returned {
            if let Some(value) = value
                && run.answered.is_none()
                && walk.on(&run).is_token_in(&value)
            {
                run.answered = Some(walk.on(&run).made_at(&value));
            }
            runs.push(run);
        }
        let (storing, others): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.stored);
        let tells = |run: &Run| {
            let differs = |(cond, holds): &&(Shared, bool)| {
                let decided = |other: &Run| {
                    let on = OnRun { graph: self.graph, mint: self.mint, run: &other.decided, in_texts: false };
                    on.holds(cond) == Some(!holds)
                };
                storing.iter().any(decided)
            };
            let found = run.decided.assumed.iter().find(differs);
            found.map(|(cond, holds)| (cond.span, *holds))
        };
        let unstored = others.iter().filter(|run| !run.is_doubtful && run.decided.minted.is_some());
        let found = unstored.filter_map(|run| Some(Unstored { at: run.answered?, decided: tells(run) }));
        found.min().filter(|_| !storing.is_empty())
    }
}

impl<'q, 'g, 'a> Walk<'q, 'g, 'a> {
    fn on<'r>(&'r self, run: &'r Run) -> OnRun<'r, 'g, 'a> {
        OnRun { graph: self.question.graph, mint: self.question.mint, run: &run.decided, in_texts: false }
    }

    fn function(&self, frame: &Frame, run: Run) -> Ended {
        let mut ended = Ended::default();
        let on = self.block(&frame.summary.flow, frame, vec![run], &mut ended);
        ended.returned.extend(on.into_iter().map(|run| (run, None)));
        ended
    }

    /// The runs that come to the end of a block.
    fn block(&self, flow: &[Flow], frame: &Frame, mut runs: Vec<Run>, ended: &mut Ended) -> Vec<Run> {
        for step in flow {
            if runs.len() + ended.returned.len() > MOST_RUNS {
                *self.is_cut.borrow_mut() = true;
            }
            if runs.is_empty() || *self.is_cut.borrow() {
                return Vec::new();
            }
            self.question.graph.refuel();
            runs = match step {
                Flow::Call(at) => self.each(runs, |run| self.call(*at, frame, run, ended)),
                Flow::Branch(branch) => self.each(runs, |run| self.branch(branch, frame, run, ended)),
                Flow::Try(tried) => {
                    let thrown = ended.thrown.len();
                    let mut on = self.block(&tried.body, frame, runs, ended);
                    let thrown = ended.thrown.split_off(thrown);
                    on.extend(self.block(&tried.catch, frame, thrown, ended));
                    on
                }
                Flow::Return(value) => {
                    let value = value.as_ref().map(|value| self.seen_by_entry(value, frame));
                    ended.returned.extend(runs.into_iter().map(|run| (run, value.clone())));
                    return Vec::new();
                }
                Flow::Throw => {
                    ended.thrown.append(&mut runs);
                    return Vec::new();
                }
            };
        }
        runs
    }

    fn each(&self, runs: Vec<Run>, mut step: impl FnMut(Run) -> Vec<Run>) -> Vec<Run> {
        runs.into_iter().flat_map(|run| { self.question.graph.refuel(); step(run) }).collect()
    }

    fn seen_by_entry(&self, value: &Shared, frame: &Frame) -> Shared {
        let graph = self.question.graph;
        around(frame, graph).fold(Arc::clone(value), |value, bindings| graph.substitute(&value, bindings))
    }

    fn call_seen_by_entry(&self, call: &Arc<CallValue>, frame: &Frame) -> Arc<CallValue> {
        let graph = self.question.graph;
        around(frame, graph).fold(Arc::clone(call), |call, bindings| graph.substitute_call(&call, bindings))
    }

    fn branch(&self, branch: &Branch, frame: &Frame, run: Run, ended: &mut Ended) -> Vec<Run> {
        let cond = self.seen_by_entry(&branch.cond, frame);
        let known = self.on(&run).holds(&cond).or_else(|| {
            self.question.graph.refuel();
            self.question.evaluator.holds(&cond, 20)
        });
        let is_void = || !self.does_matter(&branch.then, frame) && !self.does_matter(&branch.otherwise, frame);
        match known {
            Some(true) => self.block(&branch.then, frame, vec![run], ended),
            Some(false) => self.block(&branch.otherwise, frame, vec![run], ended),
            None if is_void() => vec![run],
            None => {
                let under = |holds| {
                    let mut run = run.clone();
                    run.decided.assumed.push((Arc::clone(&cond), holds));
                    run.is_doubtful |= is_none_of_several(&run.decided.assumed);
                    vec![run]
                };
                let mut on = self.block(&branch.then, frame, under(true), ended);
                on.extend(self.block(&branch.otherwise, frame, under(false), ended));
                on
            }
        }
    }

    /// Whether anything happens in a block that a run is judged by.
    fn does_matter(&self, flow: &[Flow], frame: &Frame) -> bool {
        flow.iter().any(|step| match step {
            Flow::Return(_) | Flow::Throw => true,
            Flow::Branch(branch) => self.does_matter(&branch.then, frame) || self.does_matter(&branch.otherwise, frame),
            Flow::Try(tried) => self.does_matter(&tried.body, frame) || self.does_matter(&tried.catch, frame),
            Flow::Call(at) => frame.summary.calls.get(*at as usize).is_some_and(|event| {
                self.question.graph.refuel();
                let leaves = || {
                    let call = self.call_seen_by_entry(&event.call, frame);
                    !self.followed(&call, frame).is_empty() || self.token.left_by(&call) != Leaving::default()
                };
                self.is_asked_for(&event.call) || leaves()
            }),
        })
    }

    fn is_asked_for(&self, call: &CallValue) -> bool {
        call.site == self.question.mint || self.question.storing.spans.contains(&call.site.span)
    }

    /// Whether a function leads on to the mint or to a write.
    fn leads_on(&self, function: FunctionRef) -> bool {
        if let Some(known) = self.matters.borrow().get(&function) {
            return *known;
        }
        let below = self.question.issuing.below(function);
        let leads = below.contains(&self.question.mint.function) || !below.is_disjoint(&self.question.storing.functions);
        self.matters.borrow_mut().insert(function, leads);
        leads
    }

    /// The functions of the tree that a call runs, where they matter.
    fn followed(&self, call: &CallValue, frame: &Frame) -> Vec<(FunctionRef, Option<Owner>)> {
        let called = run_by(self.question.graph, call, frame.own);
        let is_handed = call.args.iter().any(|arg| self.closure(&arg.value).is_some());
        if is_handed || called.iter().any(|(function, _)| self.leads_on(*function)) { called } else { Vec::new() }
    }

    /// The function that is handed over, where it matters.
    fn closure(&self, value: &Shared) -> Option<FunctionRef> {
        match value.kind {
            ValueKind::Function(function) if self.leads_on(function) => Some(function),
            _ => None,
        }
    }

    fn call(&self, at: u32, frame: &Frame, mut run: Run, ended: &mut Ended) -> Vec<Run> {
        let graph = self.question.graph;
        let Some(event) = frame.summary.calls.get(at as usize) else { return vec![run] };
        let call = self.call_seen_by_entry(&event.call, frame);
        if self.question.storing.spans.contains(&call.site.span) {
            self.seen.borrow_mut().insert(call.site.span);
            let found = self.question.storing.creating.contains(&call.site.span).then(|| run.clone());
            run.stored = true;
            return std::iter::once(run).chain(found).collect();
        }
        if call.site == self.question.mint {
            let mut way = self.question.calls.iter();
            if frame.calls.iter().all(|span| way.any(|call| call == span)) {
                run.decided.minted = Some(frame.calls.last().copied());
            }
            return vec![run];
        }
        if graph.heard(&call).any(|heard| self.leads_on(heard)) {
            run.is_doubtful = true;
        }
        match self.followed(&call, frame).as_slice() {
            [] => {}
            [(function, own)] if frame.calls.len() < DEEPEST && frame.function != *function => {
                return self.follow(&call, *function, *own, frame, run, ended);
            }
            _ => {
                run.is_doubtful = true;
                return vec![run];
            }
        }
        let closures: Vec<FunctionRef> = call.args.iter().filter_map(|arg| self.closure(&arg.value)).collect();
        if !closures.is_empty() {
            return closures.into_iter().fold(vec![run], |runs, closure| {
                self.each(runs, |run| self.follow(&call, closure, frame.own, frame, run, ended))
            });
        }
        let on = OnRun { in_texts: true, ..self.on(&run) };
        if call.args.iter().any(|arg| on.is_token_in(&arg.value)) {
            graph.refuel();
            let leaving = self.token.left_by(&call);
            if leaving.answered {
                run.answered.get_or_insert(call.site.span);
            }
            run.is_doubtful |= leaving.untold.is_some() || leaving.elsewhere && !self.is_harmless(&call);
        }
        vec![run]
    }

    fn is_harmless(&self, call: &CallValue) -> bool {
        let graph = self.question.graph;
        graph.library_path(call).is_some_and(|path| graph.rules.harmless_matching(&path).next().is_some())
    }

    fn follow(
        &self,
        call: &Arc<CallValue>,
        function: FunctionRef,
        own: Option<Owner>,
        frame: &Frame,
        run: Run,
        ended: &mut Ended,
    ) -> Vec<Run> {
        let graph = self.question.graph;
        let Some(summary) = graph.summary(function) else { return vec![run] };
        // A closure that a library runs is handed what nobody knows.
        let is_called = graph.targets(call).iter().any(|target| target.function == function);
        let bindings = is_called.then(|| graph.bind(call, function));
        let mut calls = frame.calls.clone();
        if is_called {
            calls.push(call.site.span);
        }
        let called = Frame { function, summary, bindings, caller: Some(frame), own, calls };
        let mut of_call = self.function(&called, run);
        ended.thrown.append(&mut of_call.thrown);
        let on = of_call.returned.into_iter().map(|(mut run, value)| {
            run.decided.results.insert(call.site, value);
            run
        });
        on.collect()
    }
}

/// What a function was called with, and what those were called with whose variables it sees.
fn around<'f>(frame: &'f Frame<'f>, graph: &Graph) -> impl Iterator<Item = &'f Bindings> {
    let parent = |of: &&'f Frame<'f>| {
        let parent = graph.function(of.function)?.parent?;
        let is_parent = |at: &&Frame| at.function == FunctionRef { file: of.function.file, id: parent };
        std::iter::successors(of.caller, |at| at.caller).find(is_parent)
    };
    let frames: Vec<&'f Frame<'f>> = std::iter::successors(Some(frame), parent).collect();
    frames.into_iter().filter_map(|frame| frame.bindings.as_ref())
}

/// Whether a value was found to be none of several constants: `switch (role)` names all that there are.
fn is_none_of_several(assumed: &[(Shared, bool)]) -> bool {
    let refused = assumed.iter().filter_map(|(cond, holds)| match &cond.kind {
        ValueKind::Compare { left, right, equal } if holds != equal && !is_nullish(right) => Some(left),
        _ => None,
    });
    let refused: Vec<&Shared> = refused.collect();
    refused.split_last().is_some_and(|(last, before)| before.iter().any(|other| is_alike(other, last, 12)))
}
