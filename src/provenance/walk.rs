//! From a write up to the entry points: every way, with the row as that way writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{Edge, EdgeKind, Graph};
use crate::ir::FunctionKind;
use crate::provenance::entries::{entry_point, is_registration};
use crate::provenance::meaning::Evaluator;
use crate::provenance::overrides::Overrides;
use crate::provenance::path::{EntryPoint, Step};
use crate::provenance::row::Lookup;
use crate::sites::{self, Candidate};
use crate::source::{Scope, Span};
use crate::summary::{CallSite, FunctionRef, Guards, Shared, ValueKind};

/// The top of one way to a write.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub top: FunctionRef,
    pub entry: EntryPoint,
    /// The call that made the top, where one did.
    pub made: Option<CallSite>,
    /// Parameters of the top that an issuer hands in.
    pub fresh: Vec<u32>,
    /// The call in the entry point itself that leads on; `None` where it writes itself.
    pub entered: Option<Step>,
    pub steps: Vec<Step>,
    /// All functions on the way, the top last.
    pub functions: Vec<FunctionRef>,
    /// Under what each of them leads on.
    pub guards: Vec<Guards>,
    /// What runs before the top on the same request.
    pub ahead: Vec<FunctionRef>,
    /// The row in terms of the top.
    pub row: Shared,
    /// What holds (or fails) on this way.
    pub conditions: Vec<(Shared, bool)>,
    pub certain: bool,
    /// Whether this way tells the model, where only callers can.
    pub told: bool,
}

struct State {
    function: FunctionRef,
    row: Shared,
    conditions: Vec<(Shared, bool)>,
    /// So many of the conditions, the first ones, are known not to be ruled out as they stand.
    judged: usize,
    steps: Vec<Step>,
    functions: Vec<FunctionRef>,
    /// Under what each of the functions leads on to the one before.
    guards: Vec<Guards>,
    certain: bool,
    /// What tells the model further up, in terms of `function`.
    told_by: Option<Shared>,
    /// A function on the way, and the call that made it: on this way no other did.
    made: Option<(FunctionRef, CallSite)>,
    overrides: Overrides,
}

impl State {
    fn start(candidate: &Candidate) -> Self {
        Self {
            function: candidate.function,
            row: Arc::clone(&candidate.row),
            conditions: conditions(&candidate.guards),
            judged: 0,
            steps: Vec::new(),
            functions: vec![candidate.function],
            guards: vec![candidate.guards.clone()],
            certain: true,
            told_by: candidate.told_by.clone(),
            made: None,
            overrides: Overrides::default(),
        }
    }
}

pub(super) struct Walk<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub evaluator: Evaluator<'g, 'a>,
    pub lookup: Lookup<'g, 'a>,
    pub candidate: &'g Candidate,
}

/// More states than this for one site end the walk.
const BUDGET: usize = 3_000;
const LONGEST: usize = 30;
/// So do more steps of looking behind names and calls, over all states.
const STEPS: u64 = 600_000;

/// Where more callers than these are told by an interface alone, implementations that call one another are not followed in every order.
const WIDE: usize = 8;

/// All ways to a write, and whether the budget cut some off.
pub(super) struct Ways {
    pub ways: Vec<Way>,
    pub cut: bool,
}

impl Walk<'_, '_> {
    pub(super) fn ways(&self) -> Ways {
        let candidate = self.candidate;
        if let Some(action) = &candidate.run_by {
            return Ways { ways: vec![run_by_library(candidate, action)], cut: false };
        }
        let mut open = vec![State::start(candidate)];
        let mut ways = Vec::new();
        let mut spent = 0;
        let start = self.graph.steps_taken();
        while let Some(state) = open.pop() {
            spent += 1;
            self.graph.refuel();
            if spent > BUDGET || self.graph.steps_taken() - start > STEPS {
                return Ways { ways, cut: true };
            }
            if state.told_by.is_none()
                && !self.is_open(&state.row)
                && !state.conditions.iter().any(|(cond, _)| cond.is_open() && decides(cond, 8))
            {
                self.settled(&state, &mut ways);
                continue;
            }
            let ended = self.arrive(&state, &mut ways);
            let led_on = self.up(&state, &mut open);
            if !ended && (!led_on || self.is_tested_alone(state.function)) {
                self.emit(&state, &mut ways);
            }
        }
        // In a circle of calls nothing is called from outside; a write without any way to it is reported from its own function.
        if ways.is_empty() && candidate.told_by.is_none() {
            self.emit(&State::start(candidate), &mut ways);
        }
        Ways { ways, cut: false }
    }

    /// Whether callers tell more of what is written of a row.
    fn is_open(&self, row: &Shared) -> bool {
        let below = |row| sites::below(self.graph, self.lookup.schema, self.candidate, row);
        match below(row) {
            Some(below) => below.is_open || below.rows.iter().any(|nested| self.lookup.of(&nested.row).is_open()),
            None => self.lookup.of(row).is_open(),
        }
    }

    /// Whether only tests call a function of production code: who runs it is not in the tree.
    fn is_tested_alone(&self, function: FunctionRef) -> bool {
        let is_test = |function| self.graph.scope(function) == Scope::Test;
        let callers = self.graph.callers(function);
        !callers.is_empty() && !is_test(function) && callers.iter().all(|edge| is_test(edge.caller))
    }

    /// Emits the entry points that a function is; whether it is one of its own right.
    fn arrive(&self, state: &State, ways: &mut Vec<Way>) -> bool {
        let has_callers = !self.graph.callers(state.function).is_empty();
        let entries = self.graph.entries(state.function);
        let direct = entries.iter().any(|entry| !(entry.indirect && has_callers));
        if direct {
            self.emit(state, ways);
        }
        direct
    }

    /// Goes on to the callers; whether there are any. Callers that a condition rules out, or that lie on the way already, are
    /// callers all the same: the function is no entry point for their sake.
    fn up(&self, state: &State, open: &mut Vec<State>) -> bool {
        let callers = self.graph.callers(state.function);
        if callers.is_empty() || state.functions.len() > LONGEST {
            // A closure that nothing visibly runs is taken to run where it is written.
            let registered = !self.graph.entries(state.function).is_empty();
            let unnamed = self.graph.function(state.function).is_some_and(|f| f.name == "<closure>");
            if let Some(parent) = self.graph.named_parent(state.function)
                && unnamed
                && !registered
                && self.graph.function(parent).is_some_and(|f| f.kind != FunctionKind::Module)
            {
                open.push(State {
                    function: parent,
                    row: Arc::clone(&state.row),
                    conditions: state.conditions.clone(),
                    judged: state.judged,
                    steps: state.steps.clone(),
                    functions: with(&state.functions, parent),
                    guards: with(&state.guards, None),
                    certain: state.certain,
                    told_by: state.told_by.clone(),
                    made: state.made,
                    overrides: state.overrides.clone(),
                });
                return true;
            }
            return false;
        }
        let registered = !self.graph.entries(state.function).is_empty();
        let mut led_on = false;
        for edge in callers.iter().rev() {
            // Who registers a handler does not run it.
            if (registered || is_registration(self.graph, edge, &callers)) && matches!(edge.kind, EdgeKind::Callback(_))
            {
                continue;
            }
            led_on = true;
            if state.functions.contains(&edge.caller) || is_of_another(self.graph, edge, state.function, state.made) {
                continue;
            }
            if !edge.certain && callers.len() > WIDE && self.has_gone_around(state, edge.caller) {
                continue;
            }
            self.graph.refuel();
            let Some(overrides) = state.overrides.along(self.graph, edge, state.function) else { continue };
            let (row, mut known, mut told_by) = match &edge.kind {
                EdgeKind::Call(call) => {
                    let bindings = self.graph.bind(call, state.function);
                    self.bound(state, &bindings)
                }
                EdgeKind::Callback(bindings) => self.bound(state, bindings),
                EdgeKind::Framework => (Arc::clone(&state.row), state.conditions.clone(), state.told_by.clone()),
            };
            // A caller with an instance of another model does not write this one.
            match told_by
                .as_ref()
                .and_then(|value| sites::stands_for(self.graph, self.lookup.schema, value, self.candidate.outer()))
            {
                Some(false) => continue,
                Some(true) => told_by = None,
                None => {}
            }
            if self.rules_out(state, &known) {
                continue;
            }
            let judged = known.len();
            known.extend(conditions(&edge.guards));
            known.truncate(60);
            let mut steps = state.steps.clone();
            push_step(&mut steps, step_along(self.graph, edge));
            open.push(State {
                function: edge.caller,
                row,
                conditions: known,
                judged,
                steps,
                functions: with(&state.functions, edge.caller),
                guards: with(&state.guards, edge.guards.clone()),
                certain: state.certain && edge.certain,
                told_by,
                made: edge.made.or(state.made.filter(|(made, _)| *made != state.function)),
                overrides,
            });
        }
        led_on
    }

    /// Whether what a caller hands in decides a condition of the way the other way. What was judged and has not changed is not
    /// judged again.
    fn rules_out(&self, state: &State, known: &[(Shared, bool)]) -> bool {
        known.iter().zip(&state.conditions).enumerate().any(|(at, ((cond, holds), (before, _)))| {
            let is_judged = at < state.judged && Arc::ptr_eq(cond, before);
            !is_judged && self.evaluator.holds(cond, 20).is_some_and(|value| value != *holds)
        })
    }

    /// Whether the way has been through two methods of the caller's name: `next.handle(..)` in each of many handlers. Whoever calls the
    /// first of them calls each by the interface, so nothing is left out but the orders.
    fn has_gone_around(&self, state: &State, caller: FunctionRef) -> bool {
        let method = |at: FunctionRef| self.graph.function(at).filter(|function| function.class.is_some());
        let Some(calling) = method(caller) else { return false };
        let same = |at: &&FunctionRef| method(**at).is_some_and(|function| function.name == calling.name);
        state.functions.iter().filter(same).count() >= 2
    }

    fn bound(&self, state: &State, bindings: &crate::graph::Bindings) -> (Shared, Vec<(Shared, bool)>, Option<Shared>) {
        // Together, so that what row and conditions share stays shared.
        let mut values = vec![Arc::clone(&state.row)];
        values.extend(state.conditions.iter().map(|(cond, _)| Arc::clone(cond)));
        let mut values = self.graph.substitute_all(&values, bindings).into_iter();
        let row = values.next().unwrap_or_else(|| Arc::clone(&state.row));
        let conditions = values.zip(&state.conditions).map(|(cond, (_, holds))| (cond, *holds)).collect();
        let told_by = state.told_by.as_ref().map(|value| self.graph.substitute(value, bindings));
        (row, conditions, told_by)
    }

    /// What is written depends on nothing further up: one way to each entry point is enough.
    fn settled(&self, state: &State, ways: &mut Vec<Way>) {
        // What each call of a factory makes is a caller of its own.
        let none = Overrides::default;
        let mut seen: BTreeSet<_> = state.functions.iter().map(|function| (*function, None, none())).collect();
        let mut layer = vec![State {
            function: state.function,
            row: Arc::clone(&state.row),
            conditions: state.conditions.clone(),
            judged: state.judged,
            steps: state.steps.clone(),
            functions: state.functions.clone(),
            guards: state.guards.clone(),
            certain: state.certain,
            told_by: None,
            made: state.made,
            overrides: state.overrides.clone(),
        }];
        while !layer.is_empty() {
            let mut next: BTreeMap<_, State> = BTreeMap::new();
            for at in &layer {
                let ended = self.arrive(at, ways);
                let mut above = Vec::new();
                self.up_settled(at, &mut above);
                if !ended && (above.is_empty() || self.is_tested_alone(at.function)) {
                    self.emit(at, ways);
                }
                for state in above {
                    let key = (state.function, state.made, state.overrides.clone());
                    if seen.insert(key.clone()) {
                        next.insert(key, state);
                    }
                }
            }
            layer = next.into_values().collect();
        }
    }

    fn up_settled(&self, state: &State, above: &mut Vec<State>) {
        if self.graph.callers(state.function).is_empty() {
            self.up(state, above);
            return;
        }
        let registered = !self.graph.entries(state.function).is_empty();
        let callers = self.graph.callers(state.function);
        for edge in callers.iter() {
            if is_of_another(self.graph, edge, state.function, state.made) {
                continue;
            }
            if (registered || is_registration(self.graph, edge, &callers)) && matches!(edge.kind, EdgeKind::Callback(_))
            {
                continue;
            }
            let Some(overrides) = state.overrides.along(self.graph, edge, state.function) else { continue };
            let mut steps = state.steps.clone();
            push_step(&mut steps, step_along(self.graph, edge));
            above.push(State {
                function: edge.caller,
                row: Arc::clone(&state.row),
                conditions: state.conditions.clone(),
                judged: state.judged,
                steps,
                functions: with(&state.functions, edge.caller),
                guards: with(&state.guards, edge.guards.clone()),
                certain: state.certain && edge.certain,
                told_by: None,
                made: edge.made.or(state.made.filter(|(made, _)| *made != state.function)),
                overrides,
            });
        }
    }

    fn emit(&self, state: &State, ways: &mut Vec<Way>) {
        let mut steps: Vec<Step> = state.steps.clone();
        steps.reverse();
        let top_name = self.graph.name(state.function);
        let entries = self.graph.entries(state.function);
        // What a factory makes is known by its route: the factory is a step of the way.
        let is_made = entries.iter().any(|entry| entry.made.is_some());
        let enters = !is_made && steps.first().is_some_and(|step| step.function == top_name);
        let entered = enters.then(|| steps.remove(0));
        let way = |entry: EntryPoint, made: Option<CallSite>| Way {
            top: state.function,
            entry,
            made,
            fresh: Vec::new(),
            entered: entered.clone(),
            steps: steps.clone(),
            functions: state.functions.clone(),
            guards: state.guards.clone(),
            ahead: Vec::new(),
            row: Arc::clone(&state.row),
            conditions: state.conditions.clone(),
            certain: state.certain,
            told: state.told_by.is_none(),
        };
        if entries.is_empty() {
            ways.push(way(entry_point(self.graph, state.function, None), None));
        }
        for entry in entries {
            if state.made.is_some_and(|(made, site)| made == state.function && entry.made != Some(site)) {
                continue;
            }
            let mut way = way(entry_point(self.graph, state.function, Some(entry)), entry.made);
            way.fresh.clone_from(&entry.fresh);
            if let Some(bindings) = entry.made.and_then(|site| self.graph.made_at(site)) {
                (way.row, way.conditions, _) = self.bound(state, &bindings);
                if self.rules_out(state, &way.conditions) {
                    continue;
                }
            }
            if let Some(bindings) = self.graph.left_ahead(state.function, &entry.ahead) {
                let told_by;
                (way.row, way.conditions, told_by) = self.bound(state, &bindings);
                let told = told_by.and_then(|value| {
                    sites::stands_for(self.graph, self.lookup.schema, &value, self.candidate.outer())
                });
                if told == Some(false) {
                    continue;
                }
                way.told |= told == Some(true);
                way.ahead.clone_from(&entry.ahead);
                if self.rules_out(state, &way.conditions) {
                    continue;
                }
            }
            ways.push(way);
        }
    }
}

/// Whether a call is of what another call of the same factory made.
pub(super) fn is_of_another(
    graph: &Graph,
    edge: &Edge,
    called: FunctionRef,
    made: Option<(FunctionRef, CallSite)>,
) -> bool {
    let (Some((_, site)), EdgeKind::Call(call)) = (made.filter(|(made, _)| *made == called), &edge.kind) else {
        return false;
    };
    graph.maker_behind(&call.callee, called).is_some_and(|other| other != site)
}

/// The only way to what a library writes by itself.
fn run_by_library(candidate: &Candidate, action: &str) -> Way {
    let state = State::start(candidate);
    let span = Span { end: candidate.span.start, ..candidate.span };
    Way {
        top: state.function,
        entry: EntryPoint { name: action.to_owned(), route: String::new(), span },
        made: None,
        entered: None,
        fresh: Vec::new(),
        steps: Vec::new(),
        functions: state.functions,
        guards: state.guards,
        ahead: Vec::new(),
        row: state.row,
        conditions: state.conditions,
        certain: true,
        told: true,
    }
}

/// The step that a call is, seen from what it calls.
pub(super) fn step_along(graph: &Graph, edge: &Edge) -> Step {
    Step { function: graph.name(edge.caller), span: edge.span, certain: edge.certain, hands_token: false }
}

fn push_step(steps: &mut Vec<Step>, step: Step) {
    // A closure counts as the function around it: its call is the first that leads on. Another file's function may have its name.
    let is_around = |last: &Step| last.function == step.function && last.span.file == step.span.file;
    if steps.last().is_some_and(is_around) {
        return;
    }
    steps.push(step);
}

fn with<T: Clone>(before: &[T], next: T) -> Vec<T> {
    let mut all = before.to_vec();
    all.push(next);
    all
}

/// What holds (or fails) where guarded code runs.
pub(super) fn conditions(guards: &Guards) -> Vec<(Shared, bool)> {
    let mut all = Vec::new();
    let mut at = guards.as_ref();
    while let Some(guard) = at {
        all.push((Arc::clone(&guard.cond), guard.holds));
        at = guard.outer.as_ref();
    }
    all
}

/// Whether a caller's constant could decide a condition: one on a parameter itself, not on what a call returns.
fn decides(cond: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &cond.kind {
        ValueKind::Param(..) | ValueKind::Captured(..) => true,
        ValueKind::Field(base, _) | ValueKind::Not(base) | ValueKind::Is(base, _) => decides(base, fuel),
        ValueKind::And(left, right)
        | ValueKind::Compare { left, right, .. }
        | ValueKind::Fallback { left, right, .. } => decides(left, fuel) || decides(right, fuel),
        _ => false,
    }
}
