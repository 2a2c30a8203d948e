//! Who lets requests with a token in, what each asks about the bearer, and whether a tracked column is load-bearing there.
//!
//! Input: the call graph, the schema, the traced columns. Output: [`Guards`].
//!
//! Invariants: a guard is found from a verification upward, or by a row that says that the library verifies; nothing is judged by
//! a name alone; a call with the claims that could not be followed makes the verdict [`Verdict::Unclear`], never a finding;
//! results are sorted by place.
//!
//! Worked example: `validate(payload) { return payload }` of a class that `extends PassportStrategy(Strategy)` of `passport-jwt` is handed
//! verified claims, hands them on, and asks nobody: [`Verdict::Unchecked`]. With `this.users.findById(payload.sub)`, followed to
//! `repository.findOneBy({ id })`, it is [`Verdict::Checked`] by that read.

mod absent;
mod added;
mod adding;
mod among;
mod asked;
mod asks;
mod behind;
mod beside;
mod bound;
mod callback;
mod called;
mod callers;
mod carried;
mod chain;
mod chosen;
mod claims;
mod cleanup;
mod columns;
mod comments;
mod configs;
mod cookies;
mod deciding;
mod decoded;
mod denylist;
mod duration;
mod elsewhere;
mod endless;
mod endpoints;
mod extractors;
mod handed;
mod held;
mod kept;
mod lacking;
mod lasting;
mod life;
mod lists;
mod marks;
mod matcher;
mod miss;
mod onward;
mod order;
mod parted;
mod paths;
mod pending;
mod procedures;
mod refused;
mod rejected;
mod risks;
mod root;
mod rotation;
mod routes;
mod same;
mod says;
mod scalar;
mod served;
mod settings;
mod shapes;
mod some;
mod stated;
mod status;
mod storage;
mod subject;
mod surroundings;
mod tested;
mod unless;
mod until;
mod uses;
mod verified;
mod walk;
mod web;

pub use columns::{Decision, Place};
pub use comments::{Comment, comments};
pub use life::{Exposure, Open};
pub use risks::Risk;
pub use rotation::{Ended, Rotation};
pub use web::{Hit, Problem, keeping_for_others};

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::guards::behind::Behind;
use crate::guards::beside::{Beside, Way};
use crate::guards::callers::above;
use crate::guards::chain::Link;
use crate::guards::configs::{Configured, config_guard};
use crate::guards::endpoints::Verifying;
use crate::guards::extractors::{extracted, extractors, takers};
use crate::guards::life::Lives;
use crate::guards::paths::Paths;
use crate::guards::root::Root;
use crate::guards::routes::Protected;
use crate::guards::shapes::Shapes;
use crate::guards::walk::Walk;
use crate::provenance::ColumnTrace;
use crate::rules::Asks;
use crate::schema::{ModelId, Schema};
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallSite, FunctionRef, Sharing};

/// What was found of letting in.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// Sorted by place.
    pub guards: Vec<Guard>,
    /// Reads of tracked columns by which a request is let in or not.
    pub decisions: Vec<Decision>,
    /// Reads that a NULL would break.
    pub risks: Vec<Risk>,
    /// What becomes of the rows that endpoints find by a tracked column, where it is not done in one step.
    pub rotations: Vec<Rotation>,
    /// How long tokens live that are signed to let in call by call, where the code says it.
    pub lives: Vec<Exposure>,
    /// Tokens that are kept in ways that give them away.
    pub hits: Vec<Hit>,
}

/// A place where requests with a verified token get in.
#[derive(Clone, Debug)]
pub struct Guard {
    /// `JwtStrategy.validate`
    pub name: String,
    pub span: Span,
    /// `passport-jwt strategy`
    pub what: String,
    /// What it protects where that can be told, sorted; empty: not told.
    pub routes: Vec<String>,
    /// The verifying call; `None` where the library verifies before.
    pub verification: Option<Span>,
    /// What is asked about the bearer on every request.
    pub proofs: Vec<Proof>,
    /// Look-ups that do not count, and why.
    pub short: Vec<Short>,
    /// Calls with the claims that could not be followed.
    pub unclear: Vec<Span>,
    pub verdict: Verdict,
    /// How long a token gets in, where the code tells it.
    pub exposure: Option<Exposure>,
    /// Whether the keys come from the issuer at run time, so that somebody else's tokens are let in.
    pub foreign: bool,
    /// Where it is told to let tokens in that have ended.
    pub expired: Option<Span>,
    /// A proof that reads a user without a look at the column that says whether the user is active.
    pub status: Option<StatusGap>,
    /// Whether all that it is known to stand before renews or ends what a token gives.
    pub renews: bool,
}

impl Guard {
    /// Whether the request goes on of whom it finds nobody: what runs behind decides.
    fn goes_on(&self) -> bool {
        self.verdict == Verdict::Unclear && self.short.iter().any(|short| short.why == ShortBy::GoesOn)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The bearer is asked about on every request.
    Checked,
    /// Some call with the claims could not be followed.
    Unclear,
    /// Nobody is asked: the signature alone lets in.
    Unchecked,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Unclear => "unclear",
            Self::Unchecked => "unchecked",
        }
    }
}

/// What shows that the bearer still may come in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    pub asks: Asks,
    pub span: Span,
    /// `a row of users`
    pub what: String,
    pub model: Option<ModelId>,
}

/// A look-up that does not show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Short {
    pub span: Span,
    pub what: String,
    pub why: ShortBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShortBy {
    /// It runs at the sign-in only.
    FirstLogin,
    /// Nothing depends on what it found.
    Unused,
    /// Some whom it finds are refused, and who is not found is let in.
    Missed,
    /// A cache may answer whose entries have no end.
    Kept,
    /// What it found is only added to what lets in anyway.
    Added,
    /// What it found becomes who the bearer is said to be, which is left empty where there is nobody.
    Blanked,
    /// Nobody waits for what it finds.
    Pending,
    /// It is about something else than the bearer.
    Another,
    /// It is made for bearers with certain claims, and the others get in without it.
    ForSome,
    /// Where it finds nobody the request goes on, without the user or after an answer: what runs behind may refuse it.
    GoesOn,
}

/// The schema knows whether a user is active, and the guard does not ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusGap {
    /// Where the user is read.
    pub read: Span,
    /// `users.is_active`
    pub column: String,
    /// Its declaration.
    pub declared: Span,
}

/// The guards, before it is known what each does.
#[derive(Debug)]
pub struct Survey<'g, 'a> {
    graph: &'g Graph<'a>,
    shapes: Shapes<'g>,
    roots: BTreeMap<FunctionRef, Root>,
    protected: Protected<'g, 'a>,
    configured: Vec<Configured>,
    /// Verifications that endpoints make for themselves.
    verifying: Vec<Verifying>,
    /// Files that hold guards which calls made: who imports them may put these in front of handlers.
    pub holding: BTreeSet<FileId>,
    /// Functions whose callers must be known for this to be complete.
    pub reached: BTreeSet<FunctionRef>,
    /// Handlers behind guards: where their routers are mounted must be known.
    pub handlers: BTreeSet<FunctionRef>,
}

/// Finds what lets in, from the verifications upward.
pub fn survey<'g, 'a>(graph: &'g Graph<'a>, traces: &[ColumnTrace]) -> Survey<'g, 'a> {
    let shapes = Shapes::find(graph);
    let mut roots: BTreeMap<FunctionRef, Root> = shapes.handed(graph);
    let mut reached = BTreeSet::new();
    let verifying = claims::verifying(graph);
    for (function, sites) in &verifying {
        for (guard, shape) in above(graph, &shapes, *function, &mut reached) {
            let root = roots.entry(guard).or_insert_with(|| Root::of(&shape));
            root.verifications.extend(sites.iter().copied());
        }
    }
    for read in traces.iter().flat_map(|trace| &trace.reads).filter(|read| columns::may_decide(read)) {
        let function = columns::innermost(graph, read.span);
        function.map(|function| above(graph, &shapes, function, &mut reached));
    }
    let verifying = endpoints::find(graph, &shapes, &verifying, &mut reached);
    reached.extend(endless::signing_for_others(graph));
    let guards: BTreeSet<FunctionRef> =
        roots.keys().copied().filter(|function| graph.scope(*function) == Scope::Production).collect();
    routes::open_behind(graph, &guards);
    reached.extend(routes::naming(graph, &shapes, &guards));
    let protected = Protected::find(graph, &shapes);
    let takers: BTreeSet<FunctionRef> = guards.iter().flat_map(|guard| takers(graph, *guard)).collect();
    let mut handlers = protected.behind(&guards);
    handlers.extend(protected.behind(&takers));
    reached.extend(takers);
    handlers.extend(verifying.iter().flat_map(|found| &found.endpoints));
    reached.extend(marks::setting(graph, &guards));
    reached.extend(guards);
    let configured = configs::find(graph);
    let made = configured.iter().filter_map(|config| config.call);
    let made = made.filter(|site| graph.scope(site.function) == Scope::Production);
    let (held, given): (Vec<CallSite>, Vec<CallSite>) = made.partition(|site| site.function.id.0 == 0);
    // `function authorize() { return [expressjwt({ .. }), load]; }`
    reached.extend(given.into_iter().flat_map(|site| routes::around(graph, site)));
    handlers.extend(held.iter().flat_map(|site| protected.by_call(*site).handlers));
    let holding = held.into_iter().map(|site| site.function.file).collect();
    Survey { graph, shapes, roots, protected, configured, verifying, holding, reached, handlers }
}

impl Survey<'_, '_> {
    /// Tells what each does.
    pub fn finish(self, schema: &Schema, traces: &[ColumnTrace]) -> Guards {
        let _sharing = Sharing::start();
        find(&self, schema, traces)
    }
}

fn find(survey: &Survey, schema: &Schema, traces: &[ColumnTrace]) -> Guards {
    let Survey { graph, shapes, roots, protected, configured, verifying, .. } = survey;
    let graph = *graph;
    let mut found = Guards::default();
    let lives = Lives::find(graph);
    let mut walked: BTreeSet<FunctionRef> = BTreeSet::new();
    let mut seen_in_config: BTreeSet<FunctionRef> = BTreeSet::new();
    // The endpoints that a guard stands in front of.
    let mut guarded: BTreeSet<FunctionRef> = BTreeSet::new();
    // Those in front of which one stands that asks nobody.
    let mut let_in: BTreeSet<FunctionRef> = BTreeSet::new();
    let mut ways: Vec<Way> = Vec::new();
    let mut behind = Behind::new(graph, schema, shapes, roots, configured);
    for config in configured {
        seen_in_config.extend(config.roots.iter().map(|(function, _)| *function));
        if let Some((mut guard, functions, seeds)) = config_guard(graph, schema, config, &lives, &mut behind) {
            let said = config.routes.as_ref().and_then(|said| matcher::matched(graph, config.span.file, said));
            let by_call = config.call.into_iter().flat_map(|site| protected.by_call(site).handlers);
            let handlers: BTreeSet<FunctionRef> = by_call.filter(|_| config.except.is_empty()).collect();
            guarded.extend(&handlers);
            let made = config.call.filter(|_| said.is_none()).into_iter().flat_map(|site| {
                let by_call = protected.by_call(site).names;
                by_call.into_iter().chain(matcher::handed_on(graph, site))
            });
            let routes = said.into_iter().flatten().chain(made).collect::<BTreeSet<String>>();
            guard.routes = config.except.narrow(routes);
            found.guards.push(guard);
            walked.extend(functions.iter().copied());
            let links = config.call.map(Link::Call).into_iter().collect();
            ways.push(Way { functions, seeds, links, handlers });
        }
    }
    for (function, root) in roots.iter().filter(|(function, _)| !seen_in_config.contains(function)) {
        if graph.scope(*function) != Scope::Production {
            continue;
        }
        let mut walk = Walk::new(graph, schema);
        walk.run(*function, root);
        walked.extend(walk.functions.iter().copied());
        let mut routes = protected.by(*function, root.shape.as_ref());
        let asked_for = walk.asked_for(*function);
        let handlers = if asked_for == Paths::Every { routes.handlers.clone() } else { Vec::new() };
        if walk.proofs.is_empty() {
            let extractions = extractors(graph, *function).into_values();
            let is_before = |taker: &FunctionRef| !protected.behind(&BTreeSet::from([*taker])).is_empty();
            let takers = takers(graph, *function).into_iter().filter(is_before);
            let asking: BTreeMap<FunctionRef, Proof> = extractions
                .chain(takers)
                .filter(|other| other != function)
                .filter_map(|other| Some((other, behind.asks(other)?)))
                .collect();
            if !asking.is_empty() {
                let rest = extracted(protected, graph, *function, &asking);
                if rest.handlers.is_empty() && rest.open {
                    walk.cut = true;
                } else if rest.handlers.is_empty() {
                    walk.proofs.extend(asking.into_values());
                } else {
                    routes = rest;
                }
            }
        }
        if walk.proofs.is_empty() && routes.known {
            // A guard in front of a few handlers that ask themselves: the refresh strategy and its one endpoint.
            // A row of a table that is not told may be any that the handler is about.
            let asks = |handler: &FunctionRef| behind.asks(*handler).filter(|proof| proof.what != asks::UNNAMED);
            let each: Option<Vec<Proof>> = routes.handlers.iter().map(asks).collect();
            // Those that could not be told may ask nobody.
            walk.cut |= routes.open && each.is_some();
            // Each asks, or may.
            let may = |handler: &FunctionRef| behind.asks(*handler).is_some() || behind.may_ask(*handler);
            walk.cut |= each.is_none() && routes.handlers.iter().all(may);
            walk.proofs.extend(each.filter(|_| !routes.open).unwrap_or_default());
        }
        if walk.proofs.is_empty() {
            walk.proofs.extend(behind.asked(*function));
        }
        if walk.proofs.is_empty() {
            let names = root.shape.as_ref().map_or(&[][..], |shape| shape.before.as_slice());
            let asking = shapes.called(names).find_map(|next| behind.asks(next));
            let parts = if names.is_empty() {
                Vec::new()
            } else {
                procedures::asked(graph, shapes, names, &mut |of| behind.asks(of))
            };
            if parts.iter().all(|(_, proof)| proof.is_some()) {
                walk.proofs.extend(asking);
            } else {
                // What is not told of one may be so of any.
                walk.cut |= parts.iter().any(|(of, proof)| proof.is_none() && behind.may_ask(*of));
                walk.parts = parts;
            }
        }
        let verification = walk.verified.or_else(|| root.verifications.first().map(|site| site.span));
        let keys = root.key.iter().chain(&walk.keys);
        let expired = root.expired.or(walk.expired);
        let foreign = walk.foreign || root.key.as_ref().is_some_and(|key| life::is_foreign(graph, key));
        // How long somebody else's tokens live, no signer of this tree says.
        let limited = || Exposure::shorter(lives.of(graph, keys).filter(|_| !foreign), walk.oldest.take());
        let exposure = expired.map(Exposure::without_end).or_else(limited);
        let mut guard = Guard {
            name: endpoints::name_of(graph, *function),
            span: graph
                .function(*function)
                .map_or_else(|| Span { file: function.file, start: 0, end: 0 }, |f| f.name_span),
            what: root.what.clone(),
            routes: asked_for.narrow(routes.names),
            verification,
            verdict: walk.verdict(root),
            proofs: std::mem::take(&mut walk.proofs),
            short: std::mem::take(&mut walk.short),
            unclear: std::mem::take(&mut walk.unclear),
            exposure,
            expired,
            foreign,
            status: None,
            renews: false,
        };
        match guard.verdict {
            Verdict::Unchecked => let_in.extend(handlers),
            _ if guard.goes_on() => {}
            _ => guarded.extend(handlers),
        }
        if let Some((asking, handlers)) = parted::asking(graph, &mut guard, std::mem::take(&mut walk.parts)) {
            let_in.retain(|handler| !handlers.contains(handler));
            guarded.extend(&handlers);
            found.guards.push(asking);
            let (functions, seeds) = (walk.functions.clone(), walk.seeds.clone());
            ways.push(Way { functions, seeds, links: behind.links(*function), handlers });
        }
        found.guards.push(guard);
        let handlers = routes.handlers.into_iter().collect();
        ways.push(Way { functions: walk.functions, seeds: walk.seeds, links: behind.links(*function), handlers });
    }
    let (unchecked, others): (Vec<&Guard>, Vec<&Guard>) =
        found.guards.iter().filter(|guard| !guard.goes_on()).partition(|guard| guard.verdict == Verdict::Unchecked);
    for (guards, by_them) in [(unchecked, &mut let_in), (others, &mut guarded)] {
        let said: BTreeSet<&String> = guards.into_iter().flat_map(|guard| &guard.routes).collect();
        let is_said = |route: &String| said.iter().any(|said| routes::has(said, route));
        let endpoints = verifying.iter().flat_map(|own| own.endpoints.iter().copied());
        by_them.extend(endpoints.filter(|endpoint| routes::route_names(graph, *endpoint).iter().all(is_said)));
    }
    let by_guards = found.guards.len();
    for own in verifying {
        let (guards, own): (Vec<_>, Vec<_>) =
            endpoints::guards(graph, schema, &lives, own, (&guarded, &let_in)).into_iter().unzip();
        found.guards.extend(guards);
        ways.extend(own.into_iter().map(|(functions, seeds)| Way { functions, seeds, ..Way::default() }));
    }
    let further = behind.functions.iter().copied();
    let beside = Beside::find((graph, schema), (shapes, protected), |of| roots.contains_key(of), further);
    for (guard, way) in found.guards.iter_mut().zip(ways) {
        guard.proofs.sort();
        guard.proofs.dedup();
        let asked = status::asked(graph, schema, &way.seeds, way.functions.into_iter()).and(&beside.everywhere);
        let gap = |asked: &status::Asked| status::gap(graph, schema, guard, asked);
        guard.status = gap(&asked)
            .and_then(|_| gap(&asked.and(&beside.on(&way.handlers))))
            .and_then(|_| gap(&asked.and(&behind.status(&way.links))));
        guard.renews = endpoints::only_renews(graph, guard);
    }
    let by_endpoints = found.guards.split_off(by_guards);
    found.guards.extend(endpoints::together(by_endpoints));
    for guard in found.guards.iter_mut().filter(|guard| guard.verdict == Verdict::Unclear) {
        // What was not followed has a place, if only that where it would begin.
        if guard.short.is_empty() && guard.unclear.is_empty() {
            guard.unclear.push(guard.verification.unwrap_or(guard.span));
        }
    }
    found.guards.sort_by(|a, b| a.span.cmp(&b.span).then_with(|| a.name.cmp(&b.name)));
    found.decisions = columns::decisions(graph, schema, traces, shapes, &walked);
    found.rotations = rotation::rotations(graph, schema, &found.decisions);
    found.risks = risks::risks(graph, schema, traces);
    found.lives = lives.letting_in();
    found.hits = web::find(graph, schema, &lives);
    found
}
