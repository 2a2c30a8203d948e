//! The entry points that issue a token of a column and never write the column.
//!
//! Upward from the functions that hand out what one path stores. Whether an entry point writes is told by the ways that were found
//! from the writes, not by what it could reach: a helper that stores what it is handed stores nothing where nothing is handed in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::graph::{Edge, EdgeKind, Entry, Graph};
use crate::provenance::entries::{entry_point, is_registration};
use crate::provenance::issuing::Issuing;
use crate::provenance::kind::Kind;
use crate::provenance::leaving::Leaving;
use crate::provenance::meaning::Evaluator;
use crate::provenance::overrides::Overrides;
use crate::provenance::path::{EntryPoint, MissingWrite, Step};
use crate::provenance::stored::Stored;
use crate::provenance::unstored::{Question, Unstored};
use crate::provenance::walk::{conditions, is_of_another, step_along};
use crate::source::{Scope, Span};
use crate::summary::{CallSite, CallValue, FunctionRef, Shared};

/// Longer ways from an entry point to a mint are not followed.
const LONGEST: usize = 30;

/// What holds (or fails) where something runs.
type Conditions = Vec<(Shared, bool)>;

pub(super) struct Search<'i, 'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub issuing: &'i Issuing<'g, 'a>,
    pub evaluator: Evaluator<'i, 'a>,
    pub stored: &'i Stored,
}

/// On the way up from a mint.
#[derive(Clone)]
struct State {
    at: FunctionRef,
    steps: Vec<Step>,
    conditions: Conditions,
    /// What the mint is given, claims first, in terms of `at`.
    given: Vec<Shared>,
    /// Where the token went so far.
    leaving: Leaving,
    /// What it came through.
    through: Vec<FunctionRef>,
    /// A function on the way, and the call that made it: on this way no other did.
    made: Option<(FunctionRef, CallSite)>,
    /// Whether the way has left that of the stored value, or none tells: what was minted may be another token.
    may_differ: bool,
    overrides: Overrides,
}

/// An entry point that mints and does not write.
struct Silent {
    missing: MissingWrite,
    /// Whether all that happens to the token is that it is answered with.
    answers: bool,
    kind: Kind,
    may_differ: bool,
    /// A call on the way that may store the token after all.
    untold: Option<Span>,
}

/// Who issues and does not write.
#[derive(Debug)]
pub(super) struct Missing {
    pub found: Vec<MissingWrite>,
    /// Those that hand the token to a call that may store it, and that call.
    pub untold: BTreeSet<(Span, EntryPoint)>,
}

/// The tokens that a mint makes for the entry points above it.
#[derive(Default)]
struct Above {
    silent: Vec<Silent>,
    /// The kinds that those store which write.
    stored: BTreeSet<Kind>,
}

impl Search<'_, '_, '_> {
    /// Entry points that reach an issuer and are on no way to a write. A call whose constants switch the mint off
    /// (`present(user, false)`) does not reach it.
    ///
    /// `alike` are mints of the same kind that nobody stores: who answers with one and does nothing else with it has forgotten to; of
    /// who hands one to a call that may store it, that cannot be told.
    pub(super) fn missing(&self, issuers: &BTreeSet<FunctionRef>, alike: &BTreeSet<CallSite>) -> Missing {
        let mut found: BTreeMap<(EntryPoint, FunctionRef), MissingWrite> = BTreeMap::new();
        let mut untold = BTreeSet::new();
        let holders: BTreeSet<FunctionRef> = self.stored.minted.iter().map(|mint| mint.function).collect();
        for issuer in &holders {
            let is_utility = self.is_utility(*issuer);
            // A random value is what its callers make of it; a signed token is one whoever asks for it.
            let is_credential = self.issuing.own(*issuer).iter().any(|mint| mint.credential);
            if is_utility && !is_credential {
                continue;
            }
            // One that hands nothing on is judged by its branches alone.
            let is_judged = |silent: &Silent| silent.missing.partly || issuers.contains(issuer);
            let may_differ = is_utility || !is_credential;
            let calls = self.graph.summary(*issuer).into_iter().flat_map(|summary| &summary.calls);
            for event in calls.filter(|event| self.stored.minted.contains(&event.call.site)) {
                let mint = &event.call;
                let Above { silent, stored } = self.above(*issuer, mint, conditions(&event.guards), may_differ);
                let is_of_kind = |silent: &Silent| {
                    let is_alike = |known: &Kind| known.may_be(&silent.kind);
                    if silent.may_differ {
                        (silent.answers || silent.untold.is_some()) && stored.contains(&silent.kind)
                    } else {
                        stored.is_empty() || stored.iter().any(is_alike)
                    }
                };
                for silent in silent.into_iter().filter(is_judged).filter(is_of_kind) {
                    if let Some(span) = silent.untold {
                        untold.insert((span, silent.missing.entry));
                        continue;
                    }
                    found.entry((silent.missing.entry.clone(), *issuer)).or_insert(silent.missing);
                }
            }
        }
        for site in alike {
            let calls = self.graph.summary(site.function).into_iter().flat_map(|summary| &summary.calls);
            for event in calls.filter(|event| event.call.site == *site) {
                let above = self.above(site.function, &event.call, conditions(&event.guards), true);
                for silent in above.silent {
                    if let Some(span) = silent.untold {
                        untold.insert((span, silent.missing.entry));
                    } else if silent.answers {
                        found.entry((silent.missing.entry.clone(), site.function)).or_insert(silent.missing);
                    }
                }
            }
        }
        let mut entries = BTreeSet::new();
        untold.retain(|(_, entry)| !found.keys().any(|(other, _)| other == entry));
        let found = found.into_values().filter(|missing| entries.insert(missing.entry.clone())).collect();
        Missing { found, untold }
    }

    /// A helper that most callers use for something else (a mail link, another column): who calls it issues a token of this column
    /// only where the same claims are signed and nothing is done with the token but answer with it.
    fn is_utility(&self, issuer: FunctionRef) -> bool {
        let writes = |function: &FunctionRef| {
            self.stored.on_way.contains(function)
                || self.stored.ahead.iter().any(|(ahead, _)| ahead == function)
                || !self.issuing.below(*function).is_disjoint(&self.stored.doubtful)
        };
        let callers: BTreeSet<FunctionRef> = self.graph.callers(issuer).iter().map(|edge| edge.caller).collect();
        let tops: Vec<bool> = callers
            .iter()
            .filter(|caller| self.graph.sources.get(caller.file).scope == Scope::Production)
            .map(|caller| writes(caller) || self.graph.callers(*caller).iter().any(|edge| writes(&edge.caller)))
            .collect();
        let writing = tops.iter().filter(|writes| **writes).count();
        let is_credential = self.issuing.own(issuer).iter().any(|mint| mint.credential);
        if is_credential { writing * 2 < tops.len() } else { writing * 2 <= tops.len() && tops.len() > writing }
    }

    /// Whether a stored value comes through the call.
    fn is_through(&self, edge: &Edge) -> bool {
        self.stored.through.contains(&edge.span)
    }

    /// Whether a function makes the stored value for others that hand it on: `sign` below `accessToken` and `refreshToken`. Who
    /// calls it past those makes another token, as far as its kind does not tell that it is the same.
    fn is_shared(&self, function: FunctionRef) -> bool {
        let callers = self.graph.callers(function);
        let mut through = callers.iter().filter(|edge| self.is_through(edge)).peekable();
        let hands_on = |edge: &Edge| self.graph.callers(edge.caller).iter().any(|above| self.is_through(above));
        through.peek().is_some() && through.all(hands_on)
    }

    /// The entry points above a mint that do not write, and the kinds of tokens that those above it store.
    fn above(
        &self,
        issuer: FunctionRef,
        mint: &Arc<CallValue>,
        conditions_of_mint: Conditions,
        may_differ: bool,
    ) -> Above {
        let token = self.issuing.token(mint.site);
        let mut found = Above::default();
        let mut done: BTreeMap<FunctionRef, Leaving> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut walked = BTreeSet::new();
        // One call of `sign` makes the access token, another the refresh token that is stored.
        let is_told = self.graph.callers(issuer).iter().any(|edge| self.is_through(edge));
        let mut open = vec![State {
            at: issuer,
            steps: Vec::new(),
            conditions: conditions_of_mint,
            given: mint.args.iter().map(|arg| Arc::clone(&arg.value)).collect(),
            leaving: Leaving::default(),
            through: Vec::new(),
            made: None,
            may_differ,
            overrides: Overrides::default(),
        }];
        while let Some(mut state) = open.pop() {
            let at = state.at;
            state.through.push(at);
            // What goes elsewhere on the way is no answer, whatever is done with it above.
            if state.may_differ && !state.leaving.elsewhere {
                let done = *done.entry(at).or_insert_with(|| token.done_by(at));
                state.leaving = state.leaving.and(done);
            }
            let is_stored = state.steps.first().is_none_or(|step| !is_told || self.stored.through.contains(&step.span));
            if self.starts_write(at) && is_stored {
                found.stored.insert(Kind::of(self.graph, &state.given));
            }
            let callers = self.graph.callers(at);
            let entries = self.graph.entries(at);
            // Only what is run from outside by a rule: a helper that nobody calls is no sign-in.
            for entry in entries.iter().filter(|entry| !entry.indirect || callers.is_empty()) {
                if self.writes(at, entry) {
                    if walked.insert((at, entry.made)) {
                        found.silent.extend(self.on_branches(at, entry, mint.site, may_differ));
                    }
                    continue;
                }
                if self.writes_behind(at, entry)
                    || state.made.is_some_and(|(made, site)| made == at && entry.made != Some(site))
                    || self.is_switched_off(&state, entry)
                    || self.graph.sources.get(at.file).scope != Scope::Production
                {
                    continue;
                }
                let answers = state.may_differ
                    && !state.leaving.elsewhere
                    && (state.leaving.answered || token.is_returned_by(at));
                let missing = self.at(at, entry, issuer, &state.steps);
                let made = entry.made.and_then(|site| self.graph.made_at(site));
                let told = |function: &FunctionRef| match &made {
                    Some(bindings) if *function == at => token.done_by_bound(at, bindings),
                    _ => *done.entry(*function).or_insert_with(|| token.done_by(*function)),
                };
                let untold = state.through.iter().map(told).find_map(|leaving| leaving.untold);
                let kind = Kind::of(self.graph, &state.given);
                found.silent.push(Silent { missing, answers, kind, may_differ: state.may_differ, untold });
            }
            let is_shared = self.is_shared(at);
            for edge in callers.iter() {
                let is_run = entries.is_empty() && !is_registration(self.graph, edge, &callers);
                if !is_run && matches!(edge.kind, EdgeKind::Callback(_))
                    || is_of_another(self.graph, edge, at, state.made)
                {
                    continue;
                }
                let Some(overrides) = state.overrides.along(self.graph, edge, at) else { continue };
                let (mut known, given) = self.seen_by(edge, &state);
                let refuted = |(cond, holds): &(Shared, bool)| self.evaluator.holds(cond, 20) == Some(!holds);
                self.graph.refuel();
                if state.steps.len() > LONGEST
                    || known.iter().any(refuted)
                    || !seen.insert((edge.caller, edge.span, edge.made, overrides.clone()))
                {
                    continue;
                }
                known.extend(conditions(&edge.guards));
                known.truncate(60);
                let mut steps = state.steps.clone();
                steps.push(step_along(self.graph, edge));
                let may_differ = state.may_differ || is_shared && !self.is_through(edge);
                open.push(State {
                    at: edge.caller,
                    steps,
                    conditions: known,
                    given,
                    leaving: state.leaving,
                    through: state.through.clone(),
                    made: edge.made.or(state.made.filter(|(made, _)| *made != at)),
                    may_differ,
                    overrides,
                });
            }
        }
        found
    }

    /// The branches of an entry point that stores the column on which it hands out a token of the mint without.
    fn on_branches(&self, at: FunctionRef, entry: &Entry, mint: CallSite, may_differ: bool) -> Vec<Silent> {
        let known = self.stored.storing.get(&at).filter(|_| {
            self.stored.tops.contains(&(at, entry.made)) && self.issuing.below(at).is_disjoint(&self.stored.doubtful)
        });
        let Some(storing) = known else { return Vec::new() };
        let (graph, issuing, evaluator) = (self.graph, self.issuing, &self.evaluator);
        let unstored = Question { graph, issuing, evaluator, storing, mint }.unstored(at).into_iter();
        let is_shared = self.is_shared(mint.function);
        let silent = unstored.map(|Unstored { minted, at: span, decided }| {
            let mut missing = self.at(at, entry, mint.function, &[]);
            if let Some((cond, holds)) = decided {
                let word = if holds { "holds" } else { "fails" };
                let _ = write!(missing.reason, ", where the condition at {} {word}", self.evaluator.place(cond));
            }
            let is_through = minted.by.is_some_and(|by| self.stored.through.contains(&by));
            Silent {
                missing: MissingWrite { partly: true, span, steps: minted.steps, ..missing },
                answers: true,
                kind: minted.kind,
                may_differ: may_differ || is_shared && !is_through,
                untold: None,
            }
        });
        silent.collect()
    }

    fn at(&self, top: FunctionRef, entry: &Entry, issuer: FunctionRef, steps: &[Step]) -> MissingWrite {
        let entry = entry_point(self.graph, top, Some(entry));
        let steps: Vec<Step> = steps.iter().rev().cloned().collect();
        let function = self.graph.name(issuer);
        let span = steps.last().map_or(entry.span, |step| step.span);
        let reason = format!("no write of the column follows {function}(), which makes the token");
        MissingWrite { entry, partly: false, function, span, reason, steps }
    }

    /// Whether what runs behind an entry point on the same request writes.
    fn writes_behind(&self, at: FunctionRef, entry: &Entry) -> bool {
        let mut routes = self.stored.ahead.iter().filter(|(ahead, _)| *ahead == at);
        routes.any(|(_, route)| entry.covers || *route == entry.route)
    }

    /// Whether what a factory was given rules the way out.
    fn is_switched_off(&self, state: &State, entry: &Entry) -> bool {
        let Some(bindings) = entry.made.and_then(|site| self.graph.made_at(site)) else { return false };
        let conditions: Vec<Shared> = state.conditions.iter().map(|(cond, _)| Arc::clone(cond)).collect();
        let known = self.graph.substitute_all(&conditions, &bindings).into_iter().zip(&state.conditions);
        known.into_iter().any(|(cond, (_, holds))| self.evaluator.holds(&cond, 20) == Some(!holds))
    }

    fn writes(&self, at: FunctionRef, entry: &Entry) -> bool {
        self.stored.tops.contains(&(at, entry.made)) || !self.issuing.below(at).is_disjoint(&self.stored.doubtful)
    }

    fn starts_write(&self, at: FunctionRef) -> bool {
        self.stored.tops.range((at, None)..).next().is_some_and(|(top, _)| *top == at)
    }

    /// Conditions of a function, and what the mint is given there, as one of its callers sees them.
    fn seen_by(&self, edge: &Edge, state: &State) -> (Conditions, Vec<Shared>) {
        let call;
        let bindings = match &edge.kind {
            EdgeKind::Call(written) => {
                call = self.graph.bind(written, state.at);
                &call
            }
            EdgeKind::Callback(bindings) => bindings,
            EdgeKind::Framework => return (state.conditions.clone(), state.given.clone()),
        };
        let mut values: Vec<Shared> = state.conditions.iter().map(|(cond, _)| Arc::clone(cond)).collect();
        values.extend(state.given.iter().cloned());
        let mut values = self.graph.substitute_all(&values, bindings).into_iter();
        let known = values.by_ref().take(state.conditions.len()).collect::<Vec<_>>();
        let known = known.into_iter().zip(&state.conditions).map(|(cond, (_, holds))| (cond, *holds)).collect();
        (known, values.collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::bench::Tree;
    use crate::provenance::survey;

    #[test]
    fn a_token_like_the_stored_ones_that_goes_to_an_unknown_call_is_a_gap_and_no_missing_write() {
        let tree = Tree::one(
            "declare class Publisher { publish(name: string, what: object): Promise<void> }
             const publisher = new Publisher();
             app.post('/login', async (q, s) => {
               const token = jwt.sign({ id: q.id }, 's');
               await db.user.update({ where: { id: q.id }, data: { token } });
               s.json({ token });
             });
             app.post('/sent', async (q, s) => {
               const token = jwt.sign({ id: q.id }, 's');
               await publisher.publish('token.made', { id: q.id, token });
               s.json({ token });
             });
             app.post('/link', async (q, s) => {
               const token = jwt.sign({ id: q.id, purpose: 'reset' }, 'other');
               await publisher.publish('mail', { token });
               s.end();
             });
             app.post('/only', (q, s) => s.json({ token: jwt.sign({ id: q.id }, 's') }));",
        );
        let graph = tree.graph();
        let found = survey(&graph, &tree.schema).finish().remove(0);
        let missing: Vec<&str> = found.missing.iter().map(|missing| missing.entry.route.as_str()).collect();
        assert_eq!(missing, ["POST /only"]);
        let gaps: Vec<&str> = found.gaps.iter().map(|gap| gap.why.as_str()).collect();
        let why =
            "may write users.token for `POST /sent`: what `publisher.publish` does with the token could not be told";
        assert_eq!(gaps, [why]);
    }

    #[test]
    fn a_middleware_that_mints_for_several_routes_issues_on_each() {
        let tree = Tree::one(
            "const sign = (id: number) => jwt.sign({ id }, 's');
             const issue = (q, s, next) => { q.token = sign(q.id); next(); };
             app.post('/login', issue, async (q, s) => {
               await db.user.update({ where: { id: q.id }, data: { token: q.token } });
               s.json({ token: q.token });
             });
             app.post('/web', issue, (q, s) => s.json({ token: q.token }));",
        );
        let graph = tree.graph();
        let found = survey(&graph, &tree.schema).finish().remove(0);
        let missing: Vec<&str> = found.missing.iter().map(|missing| missing.entry.route.as_str()).collect();
        assert_eq!(missing, ["POST /web"]);
    }

    #[test]
    fn calls_that_fan_out_are_followed_within_a_budget() {
        let layer = |at: usize| {
            let next = if at == 0 { "jwt.sign({ id }, 's')".to_owned() } else { format!("f{}(id)", at - 1) };
            format!(
                "const f{at} = (id) => {{ const a = {next}; const b = {next}; const c = {next}; return [a, b, c][0]; }};"
            )
        };
        let layers: Vec<String> = (0..11).map(layer).collect();
        let tree = Tree::one(&format!(
            "{}
             app.post('/login', async (q, s) => {{
               const token = f10(q.id);
               if (q.mobile) {{ await db.user.update({{ where: {{ id: q.id }}, data: {{ token }} }}); }}
               s.json({{ token }});
             }});",
            layers.join("\n")
        ));
        let graph = tree.graph();
        let found = survey(&graph, &tree.schema).finish().remove(0);
        assert!(found.missing.is_empty());
    }

    #[test]
    fn a_claim_that_is_empty_makes_no_other_kind_of_token() {
        let tree = Tree::one(
            "const sign = (id: number, email: string) => jwt.sign({ id, email }, 's');
             app.post('/login', async (q, s) => {
               const token = sign(q.id, q.email);
               await db.user.update({ where: { id: q.id }, data: { token } });
               s.json({ token });
             });
             app.post('/again', (q, s) => s.json({ token: sign(q.id, '') }));
             app.post('/once', (q, s) => s.json({ token: sign(q.id, 'guest') }));
             app.post('/mail', (q, s) => { mailer.send(sign(q.id, 'confirm')); s.end(); });",
        );
        let graph = tree.graph();
        let found = survey(&graph, &tree.schema).finish().remove(0);
        let missing: Vec<&str> = found.missing.iter().map(|missing| missing.entry.route.as_str()).collect();
        assert_eq!(missing, ["POST /again"]);
    }
}
