//! Verifications that no guard stands above: endpoints that verify by themselves, and what endpoints call to do so.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{EdgeKind, Graph};
use crate::guards::asks::UNNAMED;
use crate::guards::carried::{is_carried, is_for_errands};
use crate::guards::claims::{Seeds, verifies};
use crate::guards::life::Lives;
use crate::guards::root::Root;
use crate::guards::routes::route_names;
use crate::guards::shapes::Shapes;
use crate::guards::walk::Walk;
use crate::guards::{Exposure, Guard, Short, ShortBy, Verdict};
use crate::rules::Tells;
use crate::schema::Schema;
use crate::source::{Scope, Span};
use crate::summary::{CallSite, FunctionRef, Shared};

/// A function that verifies who sends a request, and the endpoints that reach it with no guard in between.
#[derive(Debug)]
pub(super) struct Verifying {
    pub function: FunctionRef,
    pub sites: Vec<CallSite>,
    pub endpoints: BTreeSet<FunctionRef>,
    /// The functions from the one to the others, both among them.
    pub between: BTreeSet<FunctionRef>,
}

/// Of more endpoints than these it is not told what each asks.
const MOST_ENDPOINTS: usize = 300;

/// Those of these functions, with the functions whose callers must be known for that.
pub(super) fn find(
    graph: &Graph,
    shapes: &Shapes,
    verifying: &BTreeMap<FunctionRef, Vec<CallSite>>,
    reached: &mut BTreeSet<FunctionRef>,
) -> Vec<Verifying> {
    let all = verifying.iter().map(|(function, sites)| {
        let mut between = BTreeSet::new();
        let endpoints = sites.iter().flat_map(|site| above(graph, shapes, *function, *site, &mut between)).collect();
        reached.extend(between.iter().copied());
        Verifying { function: *function, sites: sites.clone(), endpoints, between }
    });
    all.filter(|found| !found.endpoints.is_empty()).collect()
}

/// The endpoints that hand a verification what their request says who sends it by, or call what takes it from there.
fn above(
    graph: &Graph,
    shapes: &Shapes,
    from: FunctionRef,
    site: CallSite,
    between: &mut BTreeSet<FunctionRef>,
) -> BTreeSet<FunctionRef> {
    let mut found = BTreeSet::new();
    let Some((call, row)) = graph.call_of(site).and_then(|call| Some((call, verifies(graph, call)?))) else {
        return found;
    };
    let first = |path| graph.argument(call, path).into_iter().next();
    if row.key.iter().filter_map(first).any(|key| is_for_errands(graph, &key)) {
        return found;
    }
    // Nothing: it is known where the token comes from.
    let token = row.token.as_ref().filter(|_| !row.request).and_then(first);
    let mut open: Vec<(FunctionRef, Option<Shared>, u8)> = vec![(from, token, 0)];
    let mut seen = BTreeSet::new();
    while let Some((at, token, depth)) = open.pop() {
        graph.refuel();
        let token = token.filter(|token| !is_carried(graph, token));
        if depth > 10 || seen.len() > 600 || !seen.insert((at, token.is_none())) {
            continue;
        }
        if graph.scope(at) != Scope::Production || shapes.of(graph, at).is_some() {
            continue;
        }
        between.insert(at);
        if is_endpoint(graph, at) {
            if token.is_none() && !renews(graph, at) {
                found.insert(at);
            }
            continue;
        }
        for edge in graph.callers(at).iter().filter(|edge| edge.certain) {
            graph.refuel();
            let handed = match (&token, &edge.kind) {
                (None, _) => None,
                (Some(token), EdgeKind::Call(call)) => Some(graph.substitute(token, &graph.bind(call, at))),
                (Some(token), EdgeKind::Callback(bindings)) => Some(graph.substitute(token, bindings)),
                (Some(_), EdgeKind::Framework) => continue,
            };
            open.push((edge.caller, handed, depth + 1));
        }
        // A closure runs for the function around it.
        if let Some(parent) = graph.named_parent(at).filter(|parent| parent.id.0 != 0) {
            open.push((parent, token.map(|token| graph.resolved(&token)), depth + 1));
        }
    }
    found
}

pub(super) fn is_endpoint(graph: &Graph, function: FunctionRef) -> bool {
    let mut entries = graph.entries(function).iter();
    entries.any(|entry| !entry.covers && !entry.indirect && !entry.route.is_empty())
}

/// Whether an endpoint is there to renew or to end what a token gives.
fn renews(graph: &Graph, endpoint: FunctionRef) -> bool {
    is_named(graph, endpoint, Tells::Renewal)
}

/// Whether a guard stands before such endpoints alone.
pub(super) fn only_renews(graph: &Graph, guard: &Guard) -> bool {
    !guard.routes.is_empty() && guard.routes.iter().all(|route| says(graph, route, Tells::Renewal))
}

/// Whether the route or the name of a function says something of it.
pub(super) fn is_named(graph: &Graph, function: FunctionRef, what: Tells) -> bool {
    let mut names = route_names(graph, function).into_iter().chain([graph.name(function)]);
    names.any(|name| says(graph, &name, what))
}

fn says(graph: &Graph, name: &str, what: Tells) -> bool {
    graph.rules.tells(what, &name.replace(['-', '_'], "").to_lowercase())
}

/// A guard, with what it goes through.
type Told = (Guard, (BTreeSet<FunctionRef>, Seeds));

/// What each endpoint asks that no guard in front of it does, one guard an endpoint; one for all where the function that verifies refuses who is gone.
pub(super) fn guards(
    graph: &Graph,
    schema: &Schema,
    lives: &Lives,
    found: &Verifying,
    (guarded, let_in): (&BTreeSet<FunctionRef>, &BTreeSet<FunctionRef>),
) -> Vec<Told> {
    let own: Vec<FunctionRef> = found.endpoints.difference(guarded).copied().collect();
    let what = if own.as_slice() == [found.function] { "endpoint that verifies" } else { "verification by endpoints" };
    if own.is_empty() {
        return Vec::new();
    }
    if own.as_slice() != [found.function] {
        let mut walk = Walk::new(graph, schema);
        walk.hands_on = true;
        walk.run(found.function, &Root::default());
        walk.proofs.retain(|proof| proof.what != UNNAMED);
        if !walk.proofs.is_empty() {
            // Whether the user is active may be asked on the way.
            walk.functions.extend(found.between.iter().copied());
            let routes = own.iter().flat_map(|endpoint| route_names(graph, *endpoint)).collect();
            return vec![told(graph, lives, found, what, routes, walk)];
        }
    }
    let walked = own.into_iter().enumerate().map(|(at, endpoint)| {
        let mut walk = Walk::of_endpoint(graph, schema);
        if at < MOST_ENDPOINTS {
            walk.run(endpoint, &Root::default());
        } else {
            walk.cut = true;
        }
        // What an endpoint does with what it finds is as manifold as endpoints are.
        let own = graph.function(endpoint).map(|function| function.span);
        let is_own =
            |at: Span| own.is_some_and(|own| own.file == at.file && own.start <= at.start && at.end <= own.end);
        // What becomes of it in the endpoint itself is told.
        let is_about_bearer = |short: &Short| match short.why {
            ShortBy::Another | ShortBy::FirstLogin => false,
            ShortBy::Unused | ShortBy::Missed => !is_own(short.span),
            _ => true,
        };
        walk.cut |= walk.short.iter().any(is_about_bearer);
        (endpoint, told(graph, lives, found, what, route_names(graph, endpoint), walk))
    });
    // Whom the guard in front lets in is said there.
    let adds = |endpoint: &FunctionRef, guard: &Guard| guard.verdict == Verdict::Checked || !let_in.contains(endpoint);
    walked.filter(|(endpoint, (guard, _))| adds(endpoint, guard)).map(|(_, told)| told).collect()
}

fn told(graph: &Graph, lives: &Lives, found: &Verifying, what: &str, routes: Vec<String>, mut walk: Walk) -> Told {
    let verdict = walk.verdict(&Root::default());
    if verdict == Verdict::Checked {
        // What else an endpoint is about.
        walk.short.clear();
        walk.unclear.clear();
    }
    let limited =
        || Exposure::shorter(lives.of(graph, walk.keys.iter()).filter(|_| !walk.foreign), walk.oldest.clone());
    let guard = Guard {
        name: graph.name(found.function),
        span: graph.function(found.function).map_or(found.sites[0].span, |function| function.name_span),
        what: what.to_owned(),
        routes,
        verification: found.sites.first().map(|site| site.span),
        verdict,
        exposure: walk.expired.map(Exposure::without_end).or_else(limited),
        expired: walk.expired,
        foreign: walk.foreign,
        status: None,
        renews: false,
        proofs: walk.proofs,
        short: walk.short,
        unclear: walk.unclear,
    };
    (guard, (walk.functions, walk.seeds))
}

/// Makes one of those endpoints of a verification of which the same is true.
pub(super) fn together(guards: Vec<Guard>) -> Vec<Guard> {
    let mut found: Vec<Guard> = Vec::new();
    for guard in guards {
        let is_same = |other: &&mut Guard| {
            (other.span, other.verdict, other.status.is_some()) == (guard.span, guard.verdict, guard.status.is_some())
        };
        let Some(known) = found.iter_mut().find(is_same) else {
            found.push(guard);
            continue;
        };
        known.routes.extend(guard.routes);
        known.proofs.extend(guard.proofs);
        known.short.extend(guard.short);
        known.unclear.extend(guard.unclear);
    }
    for guard in &mut found {
        guard.routes.sort();
        guard.routes.dedup();
        guard.proofs.sort();
        guard.proofs.dedup();
        guard.short.sort();
        guard.short.dedup();
        guard.unclear.sort_unstable();
        guard.unclear.dedup();
    }
    found
}

/// What a guard is called: one without a name, in a file's own code, by the file.
pub(super) fn name_of(graph: &Graph, function: FunctionRef) -> String {
    let name = graph.name(function);
    let path = &graph.sources.get(function.file).path;
    if name == "<module>" { path.rsplit('/').next().unwrap_or(path).to_owned() } else { name }
}
