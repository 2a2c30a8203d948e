//! Which paths issue a token: the mints that lie on them, and the entry points that mint without ever writing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::ir::FunctionId;
use crate::provenance::calls::mint_of;
use crate::provenance::path::{EntryPoint, Hop, MissingWrite, Step};
use crate::provenance::walk::entry_point;
use crate::source::Scope;
use crate::summary::{CallSite, FunctionRef};

/// A mint that a function runs, itself or through what it calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Minting {
    pub site: CallSite,
    /// Whether the result is a credential by itself.
    pub credential: bool,
    pub what: String,
}

pub(super) struct Issuing<'g, 'a> {
    graph: &'g Graph<'a>,
    own: BTreeMap<FunctionRef, Vec<Minting>>,
    below: RefCell<BTreeMap<FunctionRef, BTreeSet<FunctionRef>>>,
}

/// More functions than these below one are not looked through.
const BUDGET: usize = 4_000;

impl<'g, 'a> Issuing<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>) -> Self {
        let mut own: BTreeMap<FunctionRef, Vec<Minting>> = BTreeMap::new();
        for (file, unit) in graph.units() {
            for (at, summary) in unit.summary.functions.iter().enumerate() {
                let function = FunctionRef { file, id: FunctionId::of(at) };
                for event in &summary.calls {
                    graph.refuel();
                    if let Some(mint) = mint_of(graph, &event.call) {
                        let (credential, what) = (mint.credential, mint.what.clone());
                        own.entry(function).or_default().push(Minting { site: event.call.site, credential, what });
                    }
                }
            }
        }
        Self { graph, own, below: RefCell::default() }
    }

    /// The function and all that it calls in the tree, closures included.
    fn below(&self, function: FunctionRef) -> BTreeSet<FunctionRef> {
        if let Some(known) = self.below.borrow().get(&function) {
            return known.clone();
        }
        let mut seen = BTreeSet::from([function]);
        let mut open = vec![function];
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
        self.below.borrow_mut().insert(function, seen.clone());
        seen
    }

    /// The mints on a path: those of its functions and of what the functions call.
    pub(super) fn on(&self, functions: &[FunctionRef]) -> BTreeSet<Minting> {
        let below: BTreeSet<FunctionRef> = functions.iter().flat_map(|function| self.below(*function)).collect();
        below.iter().filter_map(|function| self.own.get(function)).flatten().cloned().collect()
    }

    /// Whether a path with these mints issues a token of the column whose values are minted at `minted`.
    pub(super) fn issues<'m>(mints: &'m BTreeSet<Minting>, minted: &BTreeSet<CallSite>) -> Vec<&'m Minting> {
        let reaching: Vec<&Minting> = mints.iter().filter(|mint| minted.contains(&mint.site)).collect();
        if reaching.is_empty() { mints.iter().filter(|mint| mint.credential).collect() } else { reaching }
    }

    pub(super) fn hops(mints: &[&Minting]) -> Vec<Hop> {
        mints.iter().map(|mint| Hop { span: mint.site.span, what: mint.what.clone() }).collect()
    }

    /// The functions that hand a minted value of the column to their callers.
    pub(super) fn issuers(&self, minted: &BTreeSet<CallSite>) -> BTreeSet<FunctionRef> {
        self.own
            .iter()
            .filter(|(function, mints)| {
                let name = self.graph.name(**function).to_lowercase();
                let named = ["token", "jwt", "session", "secret"].iter().any(|word| name.contains(word));
                mints.iter().any(|mint| minted.contains(&mint.site) && (mint.credential || named))
                    && self.graph.summary(**function).is_some_and(|summary| summary.returns.is_some())
            })
            .map(|(function, _)| *function)
            .collect()
    }

    /// Entry points that reach an issuer and none of the functions that write.
    pub(super) fn missing(
        &self,
        issuers: &BTreeSet<FunctionRef>,
        writing: &BTreeSet<FunctionRef>,
    ) -> Vec<MissingWrite> {
        let mut found: BTreeMap<(EntryPoint, FunctionRef), MissingWrite> = BTreeMap::new();
        for issuer in issuers {
            let mut seen = BTreeSet::from([*issuer]);
            let mut open: Vec<(FunctionRef, Vec<Step>)> = vec![(*issuer, Vec::new())];
            while let Some((at, steps)) = open.pop() {
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
                    let span = steps.first().map_or(point.span, |step| step.span);
                    let reason = format!("{} gets a token from {name}() and never writes the column", point.name);
                    let missing = MissingWrite { entry: point.clone(), function: name, span, reason, steps };
                    found.entry((point, *issuer)).or_insert(missing);
                }
                for edge in callers.iter() {
                    if seen.insert(edge.caller) {
                        let mut steps = steps.clone();
                        steps.push(Step { function: self.graph.name(edge.caller), span: edge.span });
                        open.push((edge.caller, steps));
                    }
                }
            }
        }
        let mut entries = BTreeSet::new();
        found.into_values().filter(|missing| entries.insert(missing.entry.clone())).collect()
    }
}
