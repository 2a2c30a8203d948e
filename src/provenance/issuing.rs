//! Which paths issue a token: the mints that lie on them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::{Edge, EdgeKind, Graph};
use crate::ir::FunctionId;
use crate::provenance::calls::mint_of;
use crate::provenance::kind::Kind;
use crate::provenance::leaving::{Leavings, Token};
use crate::provenance::overrides::{Owner, run_by};
use crate::provenance::path::Hop;
use crate::rules::{Gives, Mint};
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallSite, CallValue, FunctionRef, Guard, Guards, Shared, ValueKind};

/// A mint that a function runs, itself or through what it calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Minting {
    pub site: CallSite,
    /// Whether the result is a credential by itself.
    pub credential: bool,
    /// Whether the function says one of the result's keys that are tokens, where only these are: most responses hold none.
    pub keyed: bool,
    pub what: String,
    pub gives: Option<Gives>,
}

/// A path that stores no fresh value.
pub(super) struct OnWay<'s> {
    /// The entry point last.
    pub functions: &'s [FunctionRef],
    /// The calls that fresh values of the column come through, on whatever path.
    pub through: &'s BTreeSet<Span>,
    /// Whether it writes back what is stored.
    pub preserves: bool,
    /// What it writes.
    pub row: &'s Shared,
}

/// Which mints issue a token of one column.
pub(super) struct Evidence {
    /// Mints whose value reaches the column.
    minted: BTreeSet<CallSite>,
    /// The kinds of credentials among them: a JWT signed elsewhere is one too.
    kinds: BTreeSet<String>,
    /// Mints on the paths that store a fresh value which are of none: the access token that is signed beside a refresh token.
    beside: BTreeSet<CallSite>,
    /// Whether anything fresh reaches the column on any path; where nothing does, every credential counts.
    any_fresh: bool,
}

impl Evidence {
    pub(super) fn among<'m>(&self, mints: &'m BTreeSet<Minting>) -> Vec<&'m Minting> {
        let of_kind =
            |mint: &Minting| mint.credential && mint.keyed && (self.kinds.contains(&mint.what) || !self.any_fresh);
        mints.iter().filter(|mint| self.minted.contains(&mint.site) || of_kind(mint)).collect()
    }

    /// Those whose value reaches the column on some path.
    pub(super) fn stored<'m>(&self, mints: &'m BTreeSet<Minting>) -> impl Iterator<Item = &'m Minting> {
        mints.iter().filter(|mint| self.minted.contains(&mint.site))
    }
}

#[derive(Debug)]
pub(super) struct Issuing<'g, 'a> {
    graph: &'g Graph<'a>,
    minting: Rc<BTreeSet<FileId>>,
    own: RefCell<BTreeMap<FunctionRef, Rc<Vec<Minting>>>>,
    below: RefCell<BTreeMap<FunctionRef, Rc<BTreeSet<FunctionRef>>>>,
    minted_below: RefCell<BTreeMap<FunctionRef, Rc<BTreeSet<Minting>>>>,
    leavings: Leavings,
}

/// Conditions, innermost first.
pub(super) fn around(guards: &Guards) -> impl Iterator<Item = &Guard> {
    std::iter::successors(guards.as_deref(), |guard| guard.outer.as_deref())
}

/// More functions than these below one are not looked through.
const BUDGET: usize = 4_000;

impl<'g, 'a> Issuing<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>) -> Self {
        let names: Vec<&str> =
            graph.rules.mint().filter(|row| row.credential).filter_map(|row| row.call.last()).collect();
        let minting = Rc::new(graph.sources.mentions(&names).into_iter().flatten().collect());
        Self {
            graph,
            minting,
            own: RefCell::default(),
            below: RefCell::default(),
            minted_below: RefCell::default(),
            leavings: Leavings::default(),
        }
    }

    /// The token that a call mints, with what is known of where it goes.
    pub(super) fn token(&self, mint: CallSite) -> Token<'_, 'a> {
        Token { graph: self.graph, mint, known: &self.leavings }
    }

    /// The mints that a function runs itself.
    pub(super) fn own(&self, function: FunctionRef) -> Rc<Vec<Minting>> {
        if let Some(known) = self.own.borrow().get(&function) {
            return Rc::clone(known);
        }
        let calls = self.graph.summary(function).into_iter().flat_map(|summary| &summary.calls);
        let text = self.graph.function(function).map_or("", |declared| self.graph.sources.text(declared.span));
        let says = |key: &String| key.rsplit('.').next().is_some_and(|key| text.contains(key));
        let mints = calls.filter_map(|event| {
            self.graph.refuel();
            let mint = mint_of(self.graph, &event.call)?;
            Some(Minting {
                site: event.call.site,
                credential: mint.credential,
                keyed: mint.keys.is_empty() || mint.keys.iter().any(says),
                what: mint.what.clone(),
                gives: mint.gives,
            })
        });
        let found: Rc<Vec<Minting>> = Rc::new(mints.collect());
        self.own.borrow_mut().insert(function, Rc::clone(&found));
        found
    }

    /// The mints elsewhere of the same kind as those of `minted`: the same call, given the same claims, life and key.
    pub(super) fn alike(&self, minted: &BTreeSet<CallSite>) -> BTreeSet<CallSite> {
        let mut stored: BTreeSet<(&str, Kind)> = BTreeSet::new();
        let mut files: BTreeSet<FileId> = BTreeSet::new();
        for (row, kinds) in
            minted.iter().flat_map(|site| self.credentials(site.function, |at| at == site)).map(|(_, made)| made)
        {
            let names: Vec<&str> = row.call.last().into_iter().collect();
            let speaks = |file: &FileId| {
                let file = self.graph.sources.get(*file);
                file.scope == Scope::Production && row.call.module().is_none_or(|module| file.text.contains(module))
            };
            files.extend(self.graph.sources.mentions(&names).into_iter().flatten().filter(speaks));
            stored.insert((row.call.text(), kinds));
        }
        let mut found = BTreeSet::new();
        for file in files {
            self.graph.ask(file);
            let functions = self.graph.module(file).map_or(0, |module| module.functions.len());
            for function in (0..functions).map(|at| FunctionRef { file, id: FunctionId::of(at) }) {
                let others = self.credentials(function, |site| !minted.contains(site));
                let is_alike = |made: &(&Mint, Kind)| stored.contains(&(made.0.call.text(), made.1.clone()));
                found.extend(others.into_iter().filter(|(_, made)| is_alike(made)).map(|(site, _)| site));
            }
        }
        found
    }

    /// The credentials that a function mints itself, by what rule, and of which kind; only those whose claims are written out.
    fn credentials(
        &self,
        function: FunctionRef,
        wanted: impl Fn(&CallSite) -> bool,
    ) -> Vec<(CallSite, (&'g Mint, Kind))> {
        let own = self.own(function);
        let credentials: BTreeSet<&CallSite> =
            own.iter().filter(|mint| mint.credential && wanted(&mint.site)).map(|mint| &mint.site).collect();
        let calls = self.graph.summary(function).into_iter().flat_map(|summary| &summary.calls);
        let calls = calls.filter(|event| credentials.contains(&event.call.site));
        calls
            .filter_map(|event| {
                self.graph.refuel();
                let given: Vec<Shared> = event.call.args.iter().map(|arg| Arc::clone(&arg.value)).collect();
                let claims = self.graph.resolved(given.first()?);
                if !matches!(claims.kind, ValueKind::Object { .. }) {
                    return None;
                }
                Some((event.call.site, (mint_of(self.graph, &event.call)?, Kind::of(self.graph, &given))))
            })
            .collect()
    }

    /// The function and all that it calls in the tree, closures included. A method of a base class runs the methods of the object that
    /// it is called on.
    pub(super) fn below(&self, function: FunctionRef) -> Rc<BTreeSet<FunctionRef>> {
        if let Some(known) = self.below.borrow().get(&function) {
            return Rc::clone(known);
        }
        let graph = self.graph;
        let mut seen: BTreeSet<(FunctionRef, Option<Owner>)> = BTreeSet::from([(function, None)]);
        let mut open = vec![(function, None)];
        // Only a file that names a mint can add one to what is below.
        let _limit = graph.limit(Rc::clone(&self.minting));
        while let Some((at, own)) = open.pop() {
            if seen.len() > BUDGET {
                break;
            }
            let Some(summary) = graph.summary(at) else { continue };
            graph.refuel();
            let mut next: Vec<(FunctionRef, Option<Owner>)> = Vec::new();
            for event in &summary.calls {
                next.extend(run_by(graph, &event.call, own));
                next.extend(graph.heard(&event.call).map(|heard| (heard, None)));
            }
            let closures = summary.closures.keys().map(|id| FunctionRef { file: at.file, id: *id });
            // Who registers a handler does not run it.
            let closures = closures.filter(|closure| graph.entries(*closure).iter().all(|entry| entry.indirect));
            next.extend(closures.map(|closure| (closure, own)));
            open.extend(next.into_iter().filter(|reached| seen.insert(*reached)));
        }
        let seen = Rc::new(seen.into_iter().map(|(function, _)| function).collect());
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

    /// The mints on a path, the entry point last: those of its functions and of what the functions call. What lies below a function
    /// above is what that one runs.
    pub(super) fn on(&self, functions: &[FunctionRef]) -> BTreeSet<Minting> {
        let mut found = BTreeSet::new();
        let mut seen: BTreeSet<FunctionRef> = BTreeSet::new();
        for function in functions.iter().rev() {
            if !seen.contains(function) {
                seen.extend(self.below(*function).iter());
                found.extend(self.minted_below(*function).iter().cloned());
            }
        }
        found
    }

    /// Whether a mint on a path that stores no fresh value, or the stored one besides, makes a token of the column there: one whose value
    /// the column gets on other paths, made in a function of this one or through the same call, one like it that is written beside, or one
    /// that is answered with. What is signed for something else (a link in a mail, the access token beside the refresh token) makes nobody
    /// issue; random bytes of a helper count where whoever calls it hands them on.
    pub(super) fn is_of_column(&self, mint: &Minting, evidence: &Evidence, way: &OnWay) -> bool {
        let maker = mint.site.function;
        let is_stored = evidence.minted.contains(&mint.site);
        let token = self.token(mint.site);
        // `(id, token = randomUUID())`, called with the stored one.
        if is_stored && token.is_default_in(way.row) {
            return false;
        }
        if is_stored && way.functions.contains(&maker) || mint.credential && !evidence.any_fresh {
            return true;
        }
        if !evidence.beside.is_empty() && self.is_another_kind(mint, evidence) {
            return false;
        }
        let is_below = |caller: &FunctionRef| way.functions.iter().any(|of| self.below(*of).contains(caller));
        let callers = self.graph.callers(maker);
        let is_handed_on = |edge: &Edge| {
            way.through.contains(&edge.span)
                || !mint.credential && (token.done_by(edge.caller).answered || token.is_returned_by(edge.caller))
        };
        if callers.iter().filter(|edge| is_below(&edge.caller)).any(is_handed_on) {
            return true;
        }
        if !mint.credential || is_stored && self.is_signed_otherwise(mint, way) {
            return false;
        }
        let mut makers = BTreeSet::from([maker]);
        let mut open = vec![maker];
        while let Some(at) = open.pop() {
            let callers = self.graph.callers(at);
            let above = callers.iter().map(|edge| edge.caller).filter(is_below);
            open.extend(above.filter(|caller| makers.insert(*caller)));
        }
        // A refresh response whose access token is stored beside.
        let is_kept = || way.preserves || token.is_kept_in(way.row);
        self.may_be_stored(mint, evidence) && is_kept() || token.may_be_answered(way.functions, &makers)
    }

    /// Whether the calls of a signer on this way give it other claims or options than those that the stored values come through:
    /// `sign(id, ACCESS, '15m')` beside `sign(id, REFRESH, '30d')`.
    fn is_signed_otherwise(&self, mint: &Minting, way: &OnWay) -> bool {
        let maker = mint.site.function;
        let calls = self.graph.summary(maker).into_iter().flat_map(|summary| &summary.calls);
        let Some(event) = calls.into_iter().find(|event| event.call.site == mint.site) else { return false };
        let given: Vec<Shared> = event.call.args.iter().map(|arg| Arc::clone(&arg.value)).collect();
        let kind = |edge: &Edge| match &edge.kind {
            EdgeKind::Call(call) => {
                self.graph.refuel();
                let bindings = self.graph.bind(call, maker);
                Some(Kind::by_names(self.graph, &self.graph.substitute_all(&given, &bindings)))
            }
            _ => None,
        };
        let is_below = |caller: &FunctionRef| way.functions.iter().any(|of| self.below(*of).contains(caller));
        let callers = self.graph.callers(maker);
        let (through, others): (Vec<&Edge>, Vec<&Edge>) =
            callers.iter().partition(|edge| way.through.contains(&edge.span));
        let stored: Vec<Kind> = through.into_iter().filter_map(kind).collect();
        let own: Vec<Kind> = others.into_iter().filter(|edge| is_below(&edge.caller)).filter_map(kind).collect();
        let is_alike = |own: &Kind| stored.iter().any(|stored| own.may_be(stored));
        !stored.is_empty() && !own.is_empty() && !own.iter().any(is_alike)
    }

    /// The conditions under which alone a way writes, though a token is made where they fail: those of its calls that no mint of the
    /// column's tokens stands under. Where they throw instead nothing is issued.
    pub(super) fn skipped(
        &self,
        functions: &[FunctionRef],
        guards: &[Guards],
        evidence: &Evidence,
    ) -> BTreeSet<(Span, bool)> {
        let makers: BTreeSet<FunctionRef> = evidence.minted.iter().map(|site| site.function).collect();
        let issues = |call: &CallValue| {
            let is_below = |(called, _): (FunctionRef, _)| !self.below(called).is_disjoint(&makers);
            evidence.minted.contains(&call.site) || run_by(self.graph, call, None).into_iter().any(is_below)
        };
        let mut skipped = BTreeSet::new();
        for (function, guards) in functions.iter().zip(guards) {
            let own: Vec<&Guard> = around(guards).filter(|guard| !guard.throws).collect();
            if own.is_empty() {
                continue;
            }
            let events = self.graph.summary(*function).into_iter().flat_map(|summary| &summary.calls);
            let left = events.filter(|event| issues(&event.call)).map(|event| {
                let stands_under = |guard: &Guard| {
                    around(&event.guards).any(|of| of.holds == guard.holds && Arc::ptr_eq(&of.cond, &guard.cond))
                };
                own.iter().copied().filter(|guard| !stands_under(guard)).collect::<Vec<_>>()
            });
            let fewest = left.min_by_key(Vec::len).unwrap_or(own);
            skipped.extend(fewest.into_iter().map(|guard| (guard.cond.span, guard.holds)));
        }
        skipped
    }

    /// Whether neither claims nor options tell a mint from those whose value the column gets.
    fn may_be_stored(&self, mint: &Minting, evidence: &Evidence) -> bool {
        let own = self.kinds(&mint.site);
        let stored: Vec<Kind> = evidence.minted.iter().flat_map(|site| self.kinds(site)).collect();
        own.is_empty() || stored.is_empty() || stored.iter().any(|stored| own.iter().any(|own| own.may_be(stored)))
    }

    /// Whether a mint makes what is made beside the stored value where that is stored, and its claims or options tell it from that.
    fn is_another_kind(&self, mint: &Minting, evidence: &Evidence) -> bool {
        let is_beside = || {
            let own = self.kinds(&mint.site);
            let beside = evidence.beside.iter().flat_map(|site| self.kinds(site));
            evidence.beside.contains(&mint.site)
                || beside.into_iter().any(|kind| own.iter().any(|own| own.may_be(&kind)))
        };
        !self.may_be_stored(mint, evidence) && is_beside()
    }

    /// The kinds of tokens that a mint makes for its callers.
    fn kinds(&self, site: &CallSite) -> Vec<Kind> {
        let made = self.credentials(site.function, |other| other == site).into_iter();
        made.map(|(_, (_, kind))| kind).collect()
    }

    /// What makes a path an issuing one, told from the mints whose value reaches the column on any path.
    pub(super) fn evidence<'s>(
        &self,
        minted: BTreeSet<CallSite>,
        storing: impl Iterator<Item = &'s [FunctionRef]>,
    ) -> Evidence {
        let kinds = minted
            .iter()
            .flat_map(|site| self.own(site.function).as_ref().clone())
            .filter(|mint| mint.credential && minted.contains(&mint.site))
            .map(|mint| mint.what)
            .collect();
        let mut storing = storing.peekable();
        let any_fresh = storing.peek().is_some();
        let ways: BTreeSet<&[FunctionRef]> = storing.collect();
        let on_ways = ways.into_iter().flat_map(|functions| self.on(functions)).map(|mint| mint.site);
        let beside = on_ways.filter(|site| !minted.contains(site)).collect();
        Evidence { minted, kinds, beside, any_fresh }
    }

    pub(super) fn hops(mints: &[&Minting]) -> Vec<Hop> {
        let hop = |mint: &Minting| Hop { gives: mint.gives, ..Hop::proven(mint.site.span, mint.what.clone()) };
        mints.iter().map(|mint| hop(mint)).collect()
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
}

#[cfg(test)]
mod tests {
    use crate::graph::bench::{PRELUDE, Tree};
    use crate::graph::{Graph, Units};
    use crate::provenance::survey;

    #[test]
    fn a_survey_asks_for_what_its_ways_run() {
        let app = "import { note } from './note'; function tell(id) { note(id); } export function login(id) {
          tell(id); return db.user.update({ where: { id }, data: { token: randomUUID() } }); }";
        let tree = Tree::of(&[
            ("src/app.ts", &format!("{PRELUDE}{app}")),
            ("src/note.ts", "export function note(id) { return id; }"),
        ]);
        let file = |path: &str| tree.sources.find(path).unwrap();
        let units = Units::new(&tree.sources, crate::READERS);
        units.lower(&tree.sources, ["schema.prisma", "src/app.ts"].map(file));
        let graph = Graph::new(&tree.sources, &tree.rules, &units);
        survey(&graph, &tree.schema);
        assert!(units.get(file("src/note.ts")).is_some());
    }
}
