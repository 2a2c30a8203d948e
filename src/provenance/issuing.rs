//! Which paths issue a token: the mints that lie on them, and the entry points that mint without ever writing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::{Edge, EdgeKind, Graph};
use crate::provenance::calls::mint_of;
use crate::provenance::meaning::Evaluator;
use crate::provenance::path::{EntryPoint, Hop, MissingWrite, Step};
use crate::provenance::walk::{conditions, entry_point, step_along};
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallSite, FunctionRef, Shared};

/// A mint that a function runs, itself or through what it calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Minting {
    pub site: CallSite,
    /// Whether the result is a credential by itself.
    pub credential: bool,
    pub what: String,
}

/// Which mints issue a token of one column.
pub(super) struct Evidence {
    /// Mints whose value reaches the column.
    minted: BTreeSet<CallSite>,
    /// The kinds of credentials among them: a JWT signed elsewhere is one too.
    kinds: BTreeSet<String>,
    /// Whether anything fresh reaches the column on any path; where nothing does, every credential counts.
    any_fresh: bool,
}

impl Evidence {
    pub(super) fn among<'m>(&self, mints: &'m BTreeSet<Minting>) -> Vec<&'m Minting> {
        let of_kind = |mint: &Minting| mint.credential && (self.kinds.contains(&mint.what) || !self.any_fresh);
        mints.iter().filter(|mint| self.minted.contains(&mint.site) || of_kind(mint)).collect()
    }
}

#[derive(Debug)]
pub(super) struct Issuing<'g, 'a> {
    graph: &'g Graph<'a>,
    minting: Rc<BTreeSet<FileId>>,
    own: RefCell<BTreeMap<FunctionRef, Rc<Vec<Minting>>>>,
    below: RefCell<BTreeMap<FunctionRef, Rc<BTreeSet<FunctionRef>>>>,
    minted_below: RefCell<BTreeMap<FunctionRef, Rc<BTreeSet<Minting>>>>,
}

/// More functions than these below one are not looked through.
const BUDGET: usize = 4_000;

/// Longer ways from an entry point to a mint are not followed.
const LONGEST: usize = 30;

/// What holds (or fails) where something runs.
type Conditions = Vec<(Shared, bool)>;

impl<'g, 'a> Issuing<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>) -> Self {
        let names: Vec<&str> =
            graph.rules.mint().filter(|row| row.credential).filter_map(|row| row.call.last()).collect();
        let minting = Rc::new(graph.sources.mentions(&names).into_iter().flatten().collect());
        Self { graph, minting, own: RefCell::default(), below: RefCell::default(), minted_below: RefCell::default() }
    }

    /// The mints that a function runs itself.
    fn own(&self, function: FunctionRef) -> Rc<Vec<Minting>> {
        if let Some(known) = self.own.borrow().get(&function) {
            return Rc::clone(known);
        }
        let calls = self.graph.summary(function).into_iter().flat_map(|summary| &summary.calls);
        let mints = calls.filter_map(|event| {
            self.graph.refuel();
            let mint = mint_of(self.graph, &event.call)?;
            Some(Minting { site: event.call.site, credential: mint.credential, what: mint.what.clone() })
        });
        let found: Rc<Vec<Minting>> = Rc::new(mints.collect());
        self.own.borrow_mut().insert(function, Rc::clone(&found));
        found
    }

    /// The function and all that it calls in the tree, closures included.
    fn below(&self, function: FunctionRef) -> Rc<BTreeSet<FunctionRef>> {
        if let Some(known) = self.below.borrow().get(&function) {
            return Rc::clone(known);
        }
        let mut seen = BTreeSet::from([function]);
        let mut open = vec![function];
        // Only a file that names a mint can add one to what is below.
        let _limit = self.graph.limit(Rc::clone(&self.minting));
        while let Some(at) = open.pop() {
            if seen.len() > BUDGET {
                break;
            }
            let Some(summary) = self.graph.summary(at) else { continue };
            self.graph.refuel();
            let called = summary.calls.iter().flat_map(|event| self.graph.targets(&event.call));
            let closures = summary.closures.keys().map(|id| FunctionRef { file: at.file, id: *id });
            let next: Vec<FunctionRef> = called.map(|target| target.function).chain(closures).collect();
            open.extend(next.into_iter().filter(|function| seen.insert(*function)));
        }
        let seen = Rc::new(seen);
        self.below.borrow_mut().insert(function, Rc::clone(&seen));
        seen
    }

    /// The mints of a function and of all that it calls.
    fn minted_below(&self, function: FunctionRef) -> Rc<BTreeSet<Minting>> {
        if let Some(known) = self.minted_below.borrow().get(&function) {
            return Rc::clone(known);
        }
        let below = self.below(function);
        let found = Rc::new(below.iter().flat_map(|function| self.own(*function).as_ref().clone()).collect());
        self.minted_below.borrow_mut().insert(function, Rc::clone(&found));
        found
    }

    /// Conditions of a function as one of its callers sees them.
    fn seen_by(&self, edge: &Edge, function: FunctionRef, known: &Conditions) -> Conditions {
        let call;
        let bindings = match &edge.kind {
            EdgeKind::Call(written) => {
                call = self.graph.bind(written, function);
                &call
            }
            EdgeKind::Callback(bindings) => bindings,
            EdgeKind::Framework => return known.clone(),
        };
        let values: Vec<Shared> = known.iter().map(|(cond, _)| Arc::clone(cond)).collect();
        let values = self.graph.substitute_all(&values, bindings);
        values.into_iter().zip(known).map(|(cond, (_, holds))| (cond, *holds)).collect()
    }

    /// The mints on a path: those of its functions and of what the functions call.
    pub(super) fn on(&self, functions: &[FunctionRef]) -> BTreeSet<Minting> {
        functions.iter().flat_map(|function| self.minted_below(*function).as_ref().clone()).collect()
    }

    /// What makes a path an issuing one, told from the mints whose value reaches the column on any path.
    pub(super) fn evidence(&self, minted: BTreeSet<CallSite>, any_fresh: bool) -> Evidence {
        let kinds = minted
            .iter()
            .flat_map(|site| self.own(site.function).as_ref().clone())
            .filter(|mint| mint.credential && minted.contains(&mint.site))
            .map(|mint| mint.what)
            .collect();
        Evidence { minted, kinds, any_fresh }
    }

    pub(super) fn hops(mints: &[&Minting]) -> Vec<Hop> {
        mints.iter().map(|mint| Hop { span: mint.site.span, what: mint.what.clone() }).collect()
    }

    /// The functions that hand a minted value of the column to their callers.
    pub(super) fn issuers(&self, minted: &BTreeSet<CallSite>) -> BTreeSet<FunctionRef> {
        let functions: BTreeSet<FunctionRef> = minted.iter().map(|site| site.function).collect();
        functions
            .into_iter()
            .filter(|function| {
                let name = self.graph.name(*function).to_lowercase();
                let named = ["token", "jwt", "session", "secret"].iter().any(|word| name.contains(word));
                self.own(*function).iter().any(|mint| minted.contains(&mint.site) && (mint.credential || named))
                    && self.graph.summary(*function).is_some_and(|summary| summary.returns.is_some())
            })
            .collect()
    }

    /// A helper that most callers use for something else (a mail link, another column) does not issue tokens of this one.
    fn is_utility(&self, issuer: FunctionRef, writing: &BTreeSet<FunctionRef>) -> bool {
        let callers: BTreeSet<FunctionRef> = self.graph.callers(issuer).iter().map(|edge| edge.caller).collect();
        let tops: Vec<bool> = callers
            .iter()
            .filter(|caller| self.graph.sources.get(caller.file).scope == Scope::Production)
            .map(|caller| {
                let near = self.graph.callers(*caller).iter().any(|edge| !self.below(edge.caller).is_disjoint(writing));
                near || !self.below(*caller).is_disjoint(writing)
            })
            .collect();
        let reaching = tops.iter().filter(|reaches| **reaches).count();
        // A signed token is one whoever asks for it; a random value is what its callers make of it, so most have to store it.
        let is_credential = self.own(issuer).iter().any(|mint| mint.credential);
        if is_credential { reaching * 2 < tops.len() } else { reaching * 2 <= tops.len() && tops.len() > reaching }
    }

    /// The conditions under which a function runs the mints among these: one list for each, none where a mint runs always.
    fn conditions(&self, function: FunctionRef, minted: &BTreeSet<CallSite>) -> Vec<Conditions> {
        let calls = self.graph.summary(function).into_iter().flat_map(|summary| &summary.calls);
        let mints = calls.filter(|event| minted.contains(&event.call.site));
        mints.map(|event| conditions(&event.guards)).collect()
    }

    /// Entry points that reach an issuer and none of the functions that write. A call whose constants switch the mint off
    /// (`present(user, false)`) does not reach it.
    pub(super) fn missing(
        &self,
        issuers: &BTreeSet<FunctionRef>,
        minted: &BTreeSet<CallSite>,
        writing: &BTreeSet<FunctionRef>,
        evaluator: &Evaluator,
    ) -> Vec<MissingWrite> {
        let mut found: BTreeMap<(EntryPoint, FunctionRef), MissingWrite> = BTreeMap::new();
        for issuer in issuers {
            // Whoever calls one that writes itself gets there through it.
            if writing.contains(issuer) || self.is_utility(*issuer, writing) {
                continue;
            }
            let mut seen: BTreeSet<(FunctionRef, Span)> = BTreeSet::new();
            let mut open: Vec<(FunctionRef, Vec<Step>, Conditions)> = self
                .conditions(*issuer, minted)
                .into_iter()
                .map(|conditions| (*issuer, Vec::new(), conditions))
                .collect();
            while let Some((at, steps, known)) = open.pop() {
                let callers = self.graph.callers(at);
                let entries = self.graph.entries(at);
                // Only what is run from outside by a rule: a helper that nobody calls is no sign-in.
                for entry in entries.iter().filter(|entry| !entry.indirect || callers.is_empty()) {
                    let writes = !self.below(at).is_disjoint(writing);
                    let production = self.graph.sources.get(at.file).scope == Scope::Production;
                    if writes || !production {
                        continue;
                    }
                    let point = entry_point(self.graph, at, entry.route.clone());
                    let mut steps = steps.clone();
                    steps.reverse();
                    let name = self.graph.name(*issuer);
                    let span = steps.last().map_or(point.span, |step| step.span);
                    let reason = format!("no write of the column follows {name}(), which makes the token");
                    let missing = MissingWrite { entry: point.clone(), function: name, span, reason, steps };
                    found.entry((point, *issuer)).or_insert(missing);
                }
                for edge in callers.iter() {
                    let mut known = self.seen_by(edge, at, &known);
                    let refuted = |(cond, holds): &(Shared, bool)| evaluator.holds(cond, 20) == Some(!holds);
                    self.graph.refuel();
                    if steps.len() > LONGEST || known.iter().any(refuted) || !seen.insert((edge.caller, edge.span)) {
                        continue;
                    }
                    // Some calls lead only upward: a job is not called by who asks for it.
                    if !self.below(edge.caller).is_disjoint(writing) {
                        continue;
                    }
                    known.extend(conditions(&edge.guards));
                    known.truncate(60);
                    let mut steps = steps.clone();
                    steps.push(step_along(self.graph, edge));
                    open.push((edge.caller, steps, known));
                }
            }
        }
        let mut entries = BTreeSet::new();
        found.into_values().filter(|missing| entries.insert(missing.entry.clone())).collect()
    }
}
