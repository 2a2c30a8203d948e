//! The runs of an entry point that hand out a minted token and store none.
//!
//! Forward, from the entry point: a branch is taken both ways as far as what was decided before leaves both, the calls that lead on to the
//! mint or to a write are followed, and what throws is over. Where a run cannot be told to its end, nothing is said of it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{Bindings, Graph};
use crate::provenance::conditions::{asked, parts, un_negated};
use crate::provenance::decided::{Decided, Minted, OnRun, is_alike, is_none_of_several, is_set_outside};
use crate::provenance::issuing::Issuing;
use crate::provenance::kind::Kind;
use crate::provenance::leaving::{Leaving, Token};
use crate::provenance::meaning::Evaluator;
use crate::provenance::overrides::{Owner, run_by};
use crate::provenance::path::Step;
use crate::provenance::stored::Storing;
use crate::source::Span;
use crate::summary::{Branch, CallSite, CallValue, Flow, FunctionRef, Shared, Slot, Summary, ValueKind};

/// An entry point with more runs than these is not judged.
const MOST_RUNS: usize = 64;

/// Of those that have stored the token, more tell nothing.
const MOST_STORED: usize = 4;

/// Calls that lie deeper are not followed.
const DEEPEST: usize = 12;

/// An entry point that more calls are followed for is not judged.
const MOST_FOLLOWED: usize = 500;

/// What is asked.
pub(super) struct Question<'q, 'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub issuing: &'q Issuing<'g, 'a>,
    pub evaluator: &'q Evaluator<'q, 'a>,
    pub storing: &'q Storing,
    pub mint: CallSite,
}

/// A run that hands out a token and stores none.
#[derive(Clone, Debug)]
pub(super) struct Unstored {
    pub minted: Minted,
    /// Where the token is handed out.
    pub at: Span,
    /// The condition that keeps the run from storing it, and whether it holds then.
    pub decided: Option<(Span, bool)>,
}

#[derive(Clone, Default)]
struct Run {
    decided: Decided,
    stored: bool,
    /// Where the tokens of the mint were handed out, by their place among these.
    answered: BTreeMap<usize, Span>,
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
    steps: Vec<Step>,
}

struct Walk<'q, 'g, 'a> {
    question: &'q Question<'q, 'g, 'a>,
    token: Token<'q, 'a>,
    matters: RefCell<BTreeMap<FunctionRef, bool>>,
    /// The writes that some run came to.
    seen: RefCell<BTreeSet<Span>>,
    /// What these are told by which row to write.
    keys: RefCell<Vec<Shared>>,
    /// How many calls were followed.
    followed: Cell<usize>,
    /// Whether there were too many runs, or calls.
    is_cut: Cell<bool>,
}

impl Question<'_, '_, '_> {
    /// The runs of an entry point on which a token of the mint is handed out and none is stored, though others store one: the first for
    /// each call of the mint.
    pub(super) fn unstored(&self, entry: FunctionRef) -> Vec<Unstored> {
        let found = if self.storing.is_sure { None } else { self.runs(entry) };
        found.unwrap_or_default()
    }

    fn runs(&self, entry: FunctionRef) -> Option<Vec<Unstored>> {
        let walk = Walk {
            question: self,
            token: self.issuing.token(self.mint),
            matters: RefCell::default(),
            seen: RefCell::default(),
            keys: RefCell::default(),
            followed: Cell::default(),
            is_cut: Cell::default(),
        };
        let frame = Frame {
            function: entry,
            summary: self.graph.summary(entry)?,
            bindings: None,
            caller: None,
            own: None,
            steps: Vec::new(),
        };
        let ended = walk.function(&frame, vec![Run::default()]);
        if walk.is_cut.get() || !self.storing.writes.iter().all(|(span, _)| walk.seen.borrow().contains(span)) {
            return None;
        }
        let mut runs: Vec<Run> = Vec::new();
        for (mut run, value) in ended.returned {
            if let Some(value) = value {
                for at in walk.tokens_in(&run, &value, false) {
                    let place = walk.on(&run).made_at(&value);
                    run.answered.entry(at).or_insert(place);
                }
            }
            runs.push(run);
        }
        let (storing, others): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.stored);
        let tells = |run: &Run| {
            let differs = |(cond, holds): &&(Shared, bool)| {
                let decided = |other: &Run| walk.on(other).holds(cond) == Some(!holds);
                storing.iter().any(decided)
            };
            let found = run.decided.assumed.iter().find(differs);
            found.map(|(cond, holds)| (cond.span, *holds))
        };
        if storing.is_empty() {
            return None;
        }
        let mut found: BTreeMap<Option<Span>, Unstored> = BTreeMap::new();
        for run in others.iter().filter(|run| !run.is_doubtful && !walk.lacks_key(run)) {
            for (at, place) in &run.answered {
                let Some(minted) = run.decided.minted.get(*at) else { continue };
                let unstored = || Unstored { minted: minted.clone(), at: *place, decided: tells(run) };
                found.entry(minted.by).or_insert_with(unstored);
            }
        }
        Some(found.into_values().collect())
    }
}

impl<'g, 'a> Walk<'_, 'g, 'a> {
    fn on<'r>(&'r self, run: &'r Run) -> OnRun<'r, 'g, 'a> {
        let Question { graph, mint, .. } = *self.question;
        OnRun { graph, mint, run: &run.decided, in_texts: false, by: None }
    }

    /// Which of the tokens that were minted are in a value.
    fn tokens_in(&self, run: &Run, value: &Shared, in_texts: bool) -> Vec<usize> {
        let is_in = |by| OnRun { in_texts, by, ..self.on(run) }.is_token_in(value);
        run.decided.minted.iter().enumerate().filter(|(_, minted)| is_in(minted.by)).map(|(at, _)| at).collect()
    }

    fn function(&self, frame: &Frame, runs: Vec<Run>) -> Ended {
        let mut ended = Ended::default();
        let on = self.block(&frame.summary.flow, frame, runs, &mut ended);
        ended.returned.extend(on.into_iter().map(|run| (run, None)));
        ended
    }

    /// The runs that come to the end of a block.
    fn block(&self, flow: &[Flow], frame: &Frame, mut runs: Vec<Run>, ended: &mut Ended) -> Vec<Run> {
        for step in flow {
            keep_apart(&mut runs);
            if runs.len() + ended.returned.len() > MOST_RUNS {
                self.is_cut.set(true);
            }
            if runs.is_empty() || self.is_cut.get() {
                return Vec::new();
            }
            self.question.graph.refuel();
            runs = match step {
                Flow::Call(at) => self.call(*at, frame, runs, ended),
                Flow::Branch(branch) => self.branch(branch, frame, runs, ended),
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

    fn seen_by_entry(&self, value: &Shared, frame: &Frame) -> Shared {
        let graph = self.question.graph;
        around(frame, graph).fold(Arc::clone(value), |value, bindings| graph.substitute(&value, bindings))
    }

    fn call_seen_by_entry(&self, call: &Arc<CallValue>, frame: &Frame) -> Arc<CallValue> {
        let graph = self.question.graph;
        around(frame, graph).fold(Arc::clone(call), |call, bindings| graph.substitute_call(&call, bindings))
    }

    fn branch(&self, branch: &Branch, frame: &Frame, runs: Vec<Run>, ended: &mut Ended) -> Vec<Run> {
        let cond = self.seen_by_entry(&branch.cond, frame);
        self.question.graph.refuel();
        let constant = self.question.evaluator.holds(&cond, 20);
        let matters =
            constant.is_some() || self.does_matter(&branch.then, frame) || self.does_matter(&branch.otherwise, frame);
        let (mut then, mut otherwise, mut on) = (Vec::new(), Vec::new(), Vec::new());
        for run in runs {
            self.question.graph.refuel();
            let cond = self.on(&run).settled(&cond);
            match constant.or_else(|| self.on(&run).holds(&cond)) {
                Some(true) => then.push(run),
                Some(false) => otherwise.push(run),
                None if !matters => on.push(run),
                None => {
                    then.push(self.assuming(run.clone(), &cond, true));
                    otherwise.push(self.assuming(run, &cond, false));
                }
            }
        }
        on.extend(self.block(&branch.then, frame, then, ended));
        on.extend(self.block(&branch.otherwise, frame, otherwise, ended));
        on
    }

    fn assuming(&self, mut run: Run, cond: &Shared, holds: bool) -> Run {
        run.decided.assumed.push((Arc::clone(cond), holds));
        run.is_doubtful |= is_none_of_several(&run.decided.assumed)
            || self.question.evaluator.lacks_row(cond, holds)
            || is_set_outside(self.question.graph, cond)
            || self.is_stored_one(cond, holds, &run);
        run
    }

    /// Whether a condition compares the token: what equals something else is not new.
    fn is_stored_one(&self, cond: &Shared, holds: bool, run: &Run) -> bool {
        let is_token = |value: &Shared| !self.tokens_in(run, value, false).is_empty();
        let is_equal = |(part, holds): (&Shared, bool)| {
            let (part, holds) = un_negated(part, holds);
            match &part.kind {
                ValueKind::Compare { left, right, equal } if holds == *equal => is_token(left) || is_token(right),
                _ => false,
            }
        };
        parts(cond, holds).into_iter().any(is_equal)
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
                let hands_closure = || event.call.args.iter().any(|arg| self.closure(&arg.value).is_some());
                self.is_asked_for(&event.call, frame) || hands_closure() || leaves()
            }),
        })
    }

    fn is_asked_for(&self, call: &CallValue, frame: &Frame) -> bool {
        call.site == self.question.mint || self.question.storing.made_by(call, frame.function).is_some()
    }

    /// Whether a function leads on to the mint or to a write.
    fn leads_on(&self, function: FunctionRef) -> bool {
        if let Some(known) = self.matters.borrow().get(&function) {
            return *known;
        }
        let below = self.question.issuing.below(function);
        let leads = below.contains(&self.question.mint.function)
            || self.question.storing.writes.iter().any(|(_, function)| below.contains(function));
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

    fn call(&self, at: u32, frame: &Frame, mut runs: Vec<Run>, ended: &mut Ended) -> Vec<Run> {
        let graph = self.question.graph;
        let Some(event) = frame.summary.calls.get(at as usize) else { return runs };
        let call = self.call_seen_by_entry(&event.call, frame);
        if let Some(write) = self.question.storing.made_by(&call, frame.function) {
            self.seen.borrow_mut().insert(write);
            for run in &runs {
                call.args.iter().for_each(|arg| self.keys_in(run, &arg.value, 6));
            }
            let found = if self.question.storing.creating.contains(&write) { runs.clone() } else { Vec::new() };
            for run in &mut runs {
                run.stored = true;
            }
            return runs.into_iter().chain(found).collect();
        }
        if call.site == self.question.mint {
            let given: Vec<Shared> = call.args.iter().map(|arg| Arc::clone(&arg.value)).collect();
            let by = frame.steps.last().map(|step| step.span);
            let minted = Minted { by, kind: Kind::of(graph, &given), steps: frame.steps.clone() };
            let is_alike = |known: &Minted| known.by == minted.by && known.kind == minted.kind;
            for run in runs.iter_mut().filter(|run| !run.decided.minted.iter().any(is_alike)) {
                run.decided.minted.push(minted.clone());
            }
            return runs;
        }
        let followed = self.followed(&call, frame);
        let is_lost = match followed.as_slice() {
            [] => false,
            [(function, _)] => frame.steps.len() >= DEEPEST || is_within(frame, *function),
            // Any of them may be served; of an interface, which is bound is not told.
            several => {
                let chosen = call.receiver().unwrap_or(&call.callee);
                let choices = graph.choices(&graph.resolved(chosen)).or_else(|| graph.choices(chosen));
                choices.is_none_or(|choices| choices.len() != several.len())
            }
        };
        if is_lost || graph.heard(&call).any(|heard| self.leads_on(heard)) {
            for run in &mut runs {
                run.is_doubtful = true;
            }
            return runs;
        }
        if !followed.is_empty() {
            let follow = |(function, own): &(FunctionRef, Option<Owner>)| {
                self.follow(&call, *function, *own, frame, runs.clone(), ended)
            };
            return followed.iter().flat_map(follow).collect();
        }
        let mut closures = call.args.iter().filter_map(|arg| self.closure(&arg.value)).peekable();
        if closures.peek().is_some() {
            return closures.fold(runs, |runs, closure| self.follow(&call, closure, frame.own, frame, runs, ended));
        }
        for run in runs.iter_mut().filter(|run| !run.decided.minted.is_empty()) {
            graph.refuel();
            self.hand_over(&call, run);
        }
        runs
    }

    /// What becomes of the tokens that a call is handed which is not followed.
    fn hand_over(&self, call: &Arc<CallValue>, run: &mut Run) {
        let handed: BTreeSet<usize> = call.args.iter().flat_map(|arg| self.tokens_in(run, &arg.value, true)).collect();
        if handed.is_empty() {
            return;
        }
        let leaving = self.token.left_by(call);
        if leaving.answered {
            run.answered.extend(handed.into_iter().map(|at| (at, call.site.span)));
        }
        run.is_doubtful |= leaving.untold.is_some() || leaving.elsewhere && !self.is_harmless(call);
    }

    /// Notes what a write is handed beside the object that holds the token.
    fn keys_in(&self, run: &Run, value: &Shared, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let value = self.on(run).settled(value);
        match &value.kind {
            ValueKind::Object { entries, .. } => {
                let is_data = |slot: &Slot| match slot {
                    Slot::Named { value, .. } if !matches!(value.kind, ValueKind::Object { .. }) => {
                        !self.tokens_in(run, value, true).is_empty()
                    }
                    _ => false,
                };
                if !entries.iter().any(is_data) {
                    value.kind.each(&mut |value| self.keys_in(run, value, fuel));
                }
            }
            _ => self.keys.borrow_mut().push(value),
        }
    }

    /// Whether a run goes past the writes because what tells their row is missing.
    fn lacks_key(&self, run: &Run) -> bool {
        let keys = self.keys.borrow();
        let is_key = |value: &Shared| keys.iter().any(|key| is_alike(key, value, 12));
        run.decided.assumed.iter().flat_map(|(cond, holds)| parts(cond, *holds)).any(|(part, holds)| {
            let (value, is_there) = asked(part, holds);
            !is_there && is_key(value)
        })
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
        runs: Vec<Run>,
        ended: &mut Ended,
    ) -> Vec<Run> {
        let graph = self.question.graph;
        let Some(summary) = graph.summary(function) else { return runs };
        self.followed.set(self.followed.get() + 1);
        if self.followed.get() > MOST_FOLLOWED {
            self.is_cut.set(true);
        }
        // A closure that a library runs is handed what nobody knows.
        let is_called = graph.targets(call).iter().any(|target| target.function == function);
        let bindings = is_called.then(|| graph.bind(call, function));
        let mut steps = frame.steps.clone();
        if is_called {
            let name = graph.name(frame.function);
            steps.push(Step { function: name, span: call.site.span, certain: true, hands_token: false });
        }
        let called = Frame { function, summary, bindings, caller: Some(frame), own, steps };
        let mut of_call = self.function(&called, runs);
        ended.thrown.append(&mut of_call.thrown);
        let on = of_call.returned.into_iter().map(|(mut run, value)| {
            run.decided.results.insert(call.site, value);
            run
        });
        on.collect()
    }
}

/// Of the runs that have stored the token, which differ in nothing that is asked, only the first few go on.
fn keep_apart(runs: &mut Vec<Run>) {
    let mut stored = 0;
    runs.retain(|run| {
        stored += usize::from(run.stored);
        !run.stored || stored <= MOST_STORED
    });
}

/// Whether a function is under way already.
fn is_within(frame: &Frame, function: FunctionRef) -> bool {
    std::iter::successors(Some(frame), |at| at.caller).any(|at| at.function == function)
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
