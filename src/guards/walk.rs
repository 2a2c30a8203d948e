//! From a guard downward: what is asked about the bearer, and what could not be followed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{Bindings, Graph, Target};
use crate::guards::asks::{Question, Sought, UNNAMED, is_kept_global};
use crate::guards::claims::{Seeds, verifies};
use crate::guards::life::Exposure;
use crate::guards::onward::runs_by_key;
use crate::guards::root::Root;
use crate::guards::subject::chain;
use crate::guards::uses::Use;
use crate::guards::{Proof, Short, ShortBy};
use crate::rules::Asks;
use crate::schema::Schema;
use crate::source::Span;
use crate::summary::{Argument, CallSite, CallValue, FunctionRef, Guards as Conditions, Shared, ValueKind};

#[expect(clippy::struct_excessive_bools, reason = "what was met on the way, and how it is walked, each by itself")]
pub(super) struct Walk<'g, 'a> {
    pub(super) graph: &'g Graph<'a>,
    pub(super) schema: &'g Schema,
    pub(super) seeds: Seeds,
    pub(super) first: Vec<(FunctionRef, u32, Vec<String>)>,
    pub functions: BTreeSet<FunctionRef>,
    pub proofs: Vec<Proof>,
    pub short: Vec<Short>,
    pub unclear: Vec<Span>,
    /// The first verification on the way.
    pub verified: Option<Span>,
    /// What holds (or fails) where something is verified.
    pub verified_where: Vec<Vec<(Shared, bool)>>,
    pub keys: Vec<Shared>,
    pub foreign: bool,
    /// Where a verification is told to let in what has ended.
    pub expired: Option<Span>,
    /// How old a token may be that a verification lets in.
    pub oldest: Option<Exposure>,
    /// Whether a limit ended the walk somewhere: what lies behind was not seen.
    pub cut: bool,
    /// The handlers that it was handed to run, where some ask and some do not, with what each asks.
    pub parts: Vec<(FunctionRef, Option<Proof>)>,
    /// Whether claims are still being collected.
    pub(super) collecting: bool,
    /// Whether it starts from a handler: what is answered is data by which nobody is let in.
    pub(super) answers: bool,
    /// What it starts from.
    pub(super) root: Option<FunctionRef>,
    /// What answers with `true` where nobody gets in.
    pub(super) denying: BTreeSet<FunctionRef>,
    /// Whether what it starts from hands what it found to others: by that alone nobody is refused.
    pub(super) hands_on: bool,
    /// Whether a row of a table that is not told may be any, and shows nothing.
    only_named: bool,
    /// So many proofs are enough.
    most_proofs: usize,
    visits: u32,
    most_visits: u32,
}

/// Where a function was entered.
#[derive(Clone, Copy)]
pub(super) struct Entered<'v> {
    pub bindings: Option<&'v Bindings>,
    /// What holds (or fails) on the way.
    pub conditions: &'v [(Shared, bool)],
    /// What becomes of what the function returns, and where that is a user.
    pub result: Use,
    pub user: Use,
    /// What becomes of its errors where they end nothing.
    pub swallowed: Option<Use>,
    /// How the function was entered that calls it, and where.
    pub through: Option<(&'v Entered<'v>, CallSite)>,
    pub depth: u8,
}

const MOST_VISITS: u32 = 600;
const MOST_VISITS_OF_ENDPOINT: u32 = 150;
const DEEPEST: u8 = 12;

impl<'g, 'a> Walk<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>, schema: &'g Schema) -> Self {
        Self {
            graph,
            schema,
            seeds: Seeds::default(),
            first: Vec::new(),
            functions: BTreeSet::new(),
            proofs: Vec::new(),
            short: Vec::new(),
            unclear: Vec::new(),
            verified: None,
            verified_where: Vec::new(),
            keys: Vec::new(),
            foreign: false,
            expired: None,
            oldest: None,
            cut: false,
            parts: Vec::new(),
            collecting: true,
            answers: false,
            root: None,
            denying: BTreeSet::new(),
            hands_on: false,
            only_named: false,
            most_proofs: usize::MAX,
            visits: 0,
            most_visits: MOST_VISITS,
        }
    }

    /// From an endpoint, which does much besides: to the first proof, and not as far.
    pub(super) fn of_endpoint(graph: &'g Graph<'a>, schema: &'g Schema) -> Self {
        let most_visits = MOST_VISITS_OF_ENDPOINT;
        Self { answers: true, only_named: true, most_proofs: 1, most_visits, ..Self::new(graph, schema) }
    }

    /// Stops at the first proof: what else is asked, and what cannot be followed, is then not told.
    pub(super) fn run_to_first_proof(&mut self, function: FunctionRef, root: &Root) {
        self.most_proofs = 1;
        self.run(function, root);
    }

    /// Walks from `function`: once to find what carries claims, once to see what is asked with them.
    pub(super) fn run(&mut self, function: FunctionRef, root: &Root) {
        self.root = Some(function);
        self.denying.extend(root.denies.then_some(function));
        self.seeds.params.extend(root.claims.iter().map(|(at, keys)| (function, *at, keys.clone())));
        self.first.extend(root.first.iter().map(|(at, keys)| (function, *at, keys.clone())));
        for collecting in [true, false] {
            self.collecting = collecting;
            self.visits = 0;
            self.seeds.forget();
            self.visit(
                function,
                &Entered {
                    bindings: None,
                    conditions: &[],
                    result: if self.answers || self.hands_on { Use::None } else { Use::Decided },
                    user: if self.hands_on { Use::None } else { Use::Decided },
                    swallowed: None,
                    through: None,
                    depth: 0,
                },
            );
        }
        self.unclear.sort_unstable();
        self.unclear.dedup();
        self.short.sort();
        self.short.dedup();
        let proven: BTreeSet<Span> = self.proofs.iter().map(|proof| proof.span).collect();
        self.short.retain(|short| !proven.contains(&short.span));
    }

    pub(super) fn visit(&mut self, function: FunctionRef, entered: &Entered) {
        self.visits += 1;
        if self.visits > self.most_visits || entered.depth > DEEPEST {
            self.cut = true;
            return;
        }
        let Some(summary) = self.graph.summary(function) else { return };
        self.functions.insert(function);
        for event in &summary.calls {
            if self.proofs.len() >= self.most_proofs {
                return;
            }
            self.graph.refuel();
            let call = match entered.bindings {
                Some(bindings) => &self.graph.substitute_call(&event.call, bindings),
                None => &event.call,
            };
            let mut conditions = entered.conditions.to_vec();
            conditions.extend(self.conditions(&event.guards, entered.bindings));
            let before = self.proofs.len();
            let same = self.established(&conditions);
            self.seeds.hold_in(&same, true);
            self.call(function, &event.call, call, &conditions, entered);
            self.seeds.hold_in(&same, false);
            self.take_back(function, call, &conditions, entered.depth, before);
        }
    }

    pub(super) fn conditions(&self, guards: &Conditions, bindings: Option<&Bindings>) -> Vec<(Shared, bool)> {
        let mut all = Vec::new();
        let mut at = guards.as_ref();
        while let Some(guard) = at {
            let cond = match bindings {
                Some(bindings) => self.graph.substitute(&guard.cond, bindings),
                None => Arc::clone(&guard.cond),
            };
            all.push((cond, guard.holds));
            at = guard.outer.as_ref();
        }
        all
    }

    fn call(
        &mut self,
        function: FunctionRef,
        written: &CallValue,
        call: &Arc<CallValue>,
        conditions: &[(Shared, bool)],
        entered: &Entered,
    ) {
        if !self.collecting && self.may_find_bearer(call) {
            self.unclear.push(call.site.span);
        }
        let fate = |of_user| self.fate(function, written.site, of_user, entered);
        if let Some(row) = verifies(self.graph, call) {
            self.verification(row, call);
            if !self.collecting {
                self.verified_where.push(conditions.to_vec());
            }
            self.run_with(row, conditions, entered);
            if let (Some(asks), false) = (row.asks, self.collecting)
                && row.when.as_ref().is_none_or(|path| self.is_true(call, path))
            {
                self.proofs.push(Proof { asks, span: call.site.span, what: "what verifies it".into(), model: None });
            }
            self.closures(function, call, conditions, entered, true);
            return;
        }
        let targets = self.graph.targets(call);
        if !targets.is_empty() && !self.stands_around(call, &targets) {
            let refuses = self.refuses(call);
            let [result, user] = [false, true].map(|of_user| if refuses { Use::Decided } else { fate(of_user) });
            let own = || self.swallows(function, written.site, user);
            let swallowed = entered.swallowed.or_else(|| (!self.collecting).then(own).flatten());
            let (before, mut silent) = (self.proofs.len(), false);
            for target in targets.iter().take(4) {
                let so_far = self.proofs.len();
                let bindings = target.bindings.clone().unwrap_or_else(|| self.graph.bind(call, target.function));
                let depth = entered.depth + 1;
                self.visit(
                    target.function,
                    &Entered {
                        bindings: Some(&bindings),
                        conditions,
                        result,
                        user,
                        swallowed,
                        through: Some((entered, written.site)),
                        depth,
                    },
                );
                silent |= self.proofs.len() == so_far;
            }
            // A method that the name alone leads to may not be the one that is called, which runs what it is handed.
            let is_closure = |arg: &Argument| matches!(arg.value.kind, ValueKind::Function(_));
            if targets.iter().all(|target| !target.certain) && call.args.iter().any(is_closure) {
                let through = call.args.iter().any(|arg| self.seeds.lie_in(self.graph, &arg.value));
                self.closures(function, call, conditions, entered, through);
            }
            // What one class fills in for the guard that it inherits says nothing of the others.
            let is_own = call.receiver().is_some_and(|receiver| matches!(receiver.kind, ValueKind::This(_)));
            if is_own && silent && targets.len() > 1 && self.proofs.len() > before {
                self.proofs.truncate(before);
                self.unclear.push(call.site.span);
            }
            return;
        }
        let heard: Vec<FunctionRef> = self.graph.heard(call).collect();
        if !heard.is_empty() {
            let [result, user] = [false, true].map(fate);
            for listener in heard {
                if self.collecting && call.args.iter().any(|arg| self.seeds.lie_in(self.graph, &arg.value)) {
                    self.seeds.params.insert((listener, 0, Vec::new()));
                }
                let depth = entered.depth + 1;
                self.visit(
                    listener,
                    &Entered { bindings: None, conditions, result, user, swallowed: None, through: None, depth },
                );
            }
            return;
        }
        if let Some(calls) = self.handed_in(call) {
            self.each_made(function, written, call, &calls, conditions, entered);
            return;
        }
        let hands = call.args.iter().any(|arg| self.seeds.lie_in(self.graph, &arg.value));
        let through = hands
            || call.receiver().is_some_and(|receiver| self.seeds.lie_in(self.graph, receiver))
            || crate::sites::model_read(self.graph, self.schema, call).is_some()
                && chain(call).iter().flat_map(|call| &call.args).any(|arg| self.is_handed_within(&arg.value, 3));
        if !self.collecting
            && through
            && let Some(question) = self.asks(call, hands)
        {
            // What a statement only adds to a query is asked where the query is.
            let adds_to = self.adds_to(function, written);
            let is_asked =
                |begun: &Arc<CallValue>| begun.args.iter().any(|arg| self.seeds.lie_in(self.graph, &arg.value));
            // Of a chain the last that asks is judged.
            if adds_to.is_some_and(|begun| is_asked(&begun)) || self.asks_further_on(function, written.site) {
                self.closures(function, call, conditions, entered, through);
                return;
            }
            let told = self.judged(function, written.site, call, question.of, entered);
            self.unclear.extend(self.unjudged(function, call, told));
            self.lookup(question, call, function, conditions, told);
            self.closures(function, call, conditions, entered, through);
            return;
        }
        if !self.collecting && !through && self.at_first(function, conditions) {
            let of_first = call.args.iter().any(|arg| self.holds_first(&arg.value, 8));
            if let Some(question) = of_first.then(|| self.asks(call, true)).flatten() {
                self.lookup(question, call, function, conditions, Use::Decided);
            }
        }
        self.closures(function, call, conditions, entered, through);
        if !self.collecting && hands && !self.is_harmless(call) {
            self.unclear.push(call.site.span);
        }
    }

    /// What is asked by something that was handed in: each of those that may be has to ask.
    fn each_made(
        &mut self,
        function: FunctionRef,
        written: &CallValue,
        call: &CallValue,
        made: &[Arc<CallValue>],
        conditions: &[(Shared, bool)],
        entered: &Entered,
    ) {
        let before = self.proofs.len();
        let hands = !self.collecting && call.args.iter().any(|arg| self.seeds.lie_in(self.graph, &arg.value));
        let mut silent = made.is_empty() || entered.depth >= DEEPEST;
        let mut parts = Vec::new();
        if silent && hands {
            self.unclear.push(call.site.span);
            return;
        }
        for call in made {
            let so_far = self.proofs.len();
            let depth = entered.depth + 1;
            match self.handler_of(call) {
                Some(handler) => {
                    self.serve(handler, call, conditions, &Entered { depth, ..*entered });
                    parts.push((handler, self.proofs.get(so_far).cloned()));
                }
                None => self.call(function, written, call, conditions, &Entered { depth, ..*entered }),
            }
            silent |= self.proofs.len() == so_far;
        }
        if silent && self.proofs.len() > before {
            self.proofs.truncate(before);
            if parts.len() == made.len() {
                self.parts = parts;
            } else {
                self.unclear.push(call.site.span);
            }
        }
    }

    /// Whether something on the way holds at a sign-in only.
    fn at_first(&self, function: FunctionRef, conditions: &[(Shared, bool)]) -> bool {
        conditions.iter().any(|(cond, holds)| self.only_at_first(function, cond, *holds, 12))
    }

    fn lookup(
        &mut self,
        question: Question,
        call: &CallValue,
        function: FunctionRef,
        conditions: &[(Shared, bool)],
        told: Use,
    ) {
        let Question { asks, what, model, of_bearer, of } = question;
        let span = call.site.span;
        let why = match told {
            _ if !of_bearer || asks == Asks::Row && !self.is_by_bearer(call) => ShortBy::Another,
            _ if self.at_first(function, conditions) => ShortBy::FirstLogin,
            Use::None | Use::Ignored => ShortBy::Unused,
            Use::Missed => {
                // It may be that sessions are marked as ended, and never deleted.
                self.cut |= of == Sought::Session;
                ShortBy::Missed
            }
            Use::Blanked => ShortBy::Blanked,
            _ if self.is_for_some(conditions, call) => ShortBy::ForSome,
            Use::GoesOn => ShortBy::GoesOn,
            Use::Decided if self.acts_before(function, call) => ShortBy::GoesOn,
            Use::Decided | Use::Returned if self.only_named && what == UNNAMED => {
                self.cut = true;
                return;
            }
            Use::Decided | Use::Returned => {
                self.proofs.push(Proof { asks, span, what, model });
                return;
            }
        };
        self.short.push(Short { span, what, why });
    }

    /// Whether the functions of the tree that a call leads to only stand around the library's own query:
    /// `$extends({ query: { user: { findUnique: ({ args, query }) => query(args) } } })`.
    fn stands_around(&self, call: &CallValue, targets: &[Target]) -> bool {
        let is_held = |target: &Target| {
            self.graph.function(target.function).is_some_and(|f| f.class.is_none() && f.parent.is_some())
        };
        targets.iter().all(is_held) && crate::sites::model_read(self.graph, self.schema, call).is_some()
    }

    /// Closures that are handed to a call run too; of a call with claims they may be handed these.
    fn closures(
        &mut self,
        function: FunctionRef,
        call: &CallValue,
        conditions: &[(Shared, bool)],
        entered: &Entered,
        with_claims: bool,
    ) {
        for arg in &call.args {
            let ValueKind::Function(closure) = &arg.value.kind else { continue };
            if closure.file != function.file || self.graph.entries(*closure).iter().any(|e| !e.route.is_empty()) {
                continue;
            }
            if with_claims && self.collecting {
                let params = self.graph.function(*closure).map_or(0, |f| f.params.len());
                let params = (0..params).filter_map(|at| u32::try_from(at).ok());
                self.seeds.params.extend(params.map(|at| (*closure, at, Vec::new())));
            }
            let (bindings, depth) = (entered.bindings, entered.depth + 1);
            self.visit(
                *closure,
                &Entered {
                    bindings,
                    conditions,
                    result: Use::Decided,
                    user: Use::Decided,
                    swallowed: entered.swallowed,
                    through: None,
                    depth,
                },
            );
        }
    }

    pub(super) fn is_true(&self, call: &CallValue, path: &crate::rules::ArgPath) -> bool {
        let values = self.graph.argument(call, path);
        values.iter().any(|value| matches!(self.graph.resolved(value).kind, ValueKind::Bool(true)))
    }

    /// `({ ctx, next }) => next({ ctx: { userId: claims.sub } })`
    fn calls_on_by_key(&self, callee: &Shared) -> bool {
        let ValueKind::Field(base, name) = &callee.kind else { return false };
        matches!(base.kind, ValueKind::Param(..)) && runs_by_key(self.graph, callee.span.file, name)
    }

    fn is_harmless(&self, call: &CallValue) -> bool {
        // What a library hands in to be called: `next()`, `done(null, payload)`.
        if matches!(call.callee.kind, ValueKind::Param(..) | ValueKind::Super(_)) || self.calls_on_by_key(&call.callee)
        {
            return true;
        }
        // A method of the claims themselves: `payload.roles.includes(payload.role)`.
        if call.receiver().is_some_and(|receiver| self.seeds.lie_in(self.graph, receiver)) {
            return true;
        }
        let Some(path) = self.graph.library_path(call) else { return call.is_new };
        // A function that goes by its type alone may be anybody's: `lookup: (id: number) => Promise<User>`.
        let is_typed = path.strip_prefix("global#").is_some_and(|name| !name.contains('.'));
        if is_typed && !matches!(self.graph.resolved(&call.callee).kind, ValueKind::Global(_)) {
            return false;
        }
        // Who answers lies elsewhere.
        if self.graph.rules.emit().any(|row| row.returns && row.call.matches(&path)) {
            return false;
        }
        self.only_writes(call)
            || self.graph.rules.harmless_matching(&path).any(|row| row.tells || !is_kept_global(&path))
            || self.graph.rules.passes_matching(&path).next().is_some()
            // A condition: `eq(users.id, claims.sub)`.
            || self.graph.rules.reads_matching(&path).any(|row| !row.column.is_empty())
            || self.graph.rules.mints_matching(&path).next().is_some()
    }
}
