//! The paths below which routers are mounted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::graph::Graph;
use crate::graph::entries::text_at;
use crate::graph::handlers::handlers;
use crate::ir::FunctionId;
use crate::rules::Mount;
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallSite, CallValue, FunctionRef, Member, Shared, Value, ValueKind};

/// What routes are registered on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Router {
    Made(CallSite),
    /// A parameter: `export default (app) => { app.use('/auth', auth); }`.
    Param(FunctionRef, u32),
}

/// The paths that a router is mounted below (the innermost first), the router that it is mounted on, and where.
pub(super) type Place = (Vec<String>, Option<Router>, Span);

/// Where each router is mounted.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    below: BTreeMap<Router, BTreeSet<Place>>,
    /// Functions that are mounted by name, and where.
    functions: BTreeMap<FunctionRef, BTreeSet<Place>>,
}

/// Longer chains of routers on routers are circles.
const DEEPEST: usize = 12;

/// A router that is mounted at more places than these is shown below these.
const MOST: usize = 24;

impl Mounts {
    pub(super) fn find(graph: &Graph) -> Self {
        let mut mounts = Self::default();
        let mut rows: FxHashMap<Option<&str>, Vec<&Mount>> = FxHashMap::default();
        for row in graph.rules.mount() {
            rows.entry(row.call.last()).or_default().push(row);
        }
        if rows.is_empty() {
            return mounts;
        }
        let any: &[&Mount] = rows.get(&None).map_or(&[], Vec::as_slice);
        for (file, unit) in graph.units() {
            let functions = unit.summary.functions.iter().enumerate();
            let calls = functions.flat_map(|(at, summary)| summary.calls.iter().map(move |event| (at, event)));
            for (at, event) in calls {
                let call = &event.call;
                let named = call.method().and_then(|method| rows.get(&Some(method)));
                for row in named.into_iter().flatten().chain(any) {
                    let Some(router) = row.router.as_ref().filter(|_| !call.args.is_empty()) else { continue };
                    graph.refuel();
                    for call in elementwise(graph, call) {
                        let prefix = row.prefix.as_ref().map(|prefix| text_at(graph, &call, prefix));
                        let prefix = match prefix {
                            None => String::new(),
                            Some(Some(prefix)) => prefix,
                            Some(None) if row.plain && says_none(graph, &call, row) => String::new(),
                            Some(None) => continue,
                        };
                        let on = call.receiver().and_then(|receiver| router_behind(graph, receiver));
                        let outer = call.receiver().map_or_else(Vec::new, |receiver| own(graph, receiver));
                        let prefixes: Vec<String> = std::iter::once(prefix).chain(outer).collect();
                        let place = || (prefixes.clone(), on, call.site.span);
                        for value in graph.argument(&call, router) {
                            if row.configures {
                                for function in handlers(graph, &value, 4) {
                                    mounts.below.entry(Router::Param(function, 0)).or_default().insert(place());
                                }
                                continue;
                            }
                            if let Some(site) = router_behind(graph, &value).filter(|site| Some(*site) != on) {
                                mounts.below.entry(site).or_default().insert(place());
                            }
                            // Where a test mounts a handler is not where it stands.
                            let function = FunctionRef { file, id: FunctionId::of(at) };
                            if graph.scope(function) == Scope::Test {
                                continue;
                            }
                            for function in listed(graph, &value, 8) {
                                mounts.functions.entry(function).or_default().insert(place());
                            }
                        }
                    }
                }
            }
        }
        mounts.hand_over(graph);
        mounts
    }

    /// The paths in front of the routes of a function that is handed over by name, `.mount("/api", routes![login])`: one list for each
    /// place.
    pub(super) fn of_function(&self, function: FunctionRef) -> Vec<Vec<String>> {
        let places = self.functions.get(&function).into_iter().flatten();
        let mut found: Vec<Vec<String>> =
            places.flat_map(|(prefixes, on, _)| self.above(prefixes.clone(), *on)).take(MOST).collect();
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            found.push(Vec::new());
        }
        found
    }

    /// A router that is handed to a function stands below what the caller's router does.
    fn hand_over(&mut self, graph: &Graph) {
        let takes: BTreeSet<(FunctionRef, u32)> = graph
            .units()
            .flat_map(|(_, unit)| unit.summary.functions.iter().flat_map(|summary| &summary.calls))
            .filter(|event| {
                let method = event.call.method();
                graph.rules.mount().any(|row| row.call.last() == method)
            })
            .filter_map(|event| match unchanged(event.call.receiver()?).kind {
                ValueKind::Param(function, at) => Some((function, at)),
                _ => None,
            })
            .collect();
        if takes.is_empty() {
            return;
        }
        let functions: BTreeSet<FunctionRef> = takes.iter().map(|(function, _)| *function).collect();
        for at in graph.calls_towards(&functions) {
            let Some(call) = graph.call_at(at) else { continue };
            graph.refuel();
            for target in graph.targets(call).iter() {
                for (function, at) in takes.iter().filter(|(function, _)| *function == target.function) {
                    let given = call.args.get(*at as usize);
                    if let Some(router) = given.and_then(|arg| router_behind(graph, &arg.value)) {
                        let param = Router::Param(*function, *at);
                        self.below.entry(param).or_default().insert((Vec::new(), Some(router), call.site.span));
                    }
                }
            }
        }
    }

    /// The paths in front of a route that a call registers, the outermost first: one list for each place where its router is mounted.
    pub(super) fn before(&self, graph: &Graph, call: &CallValue) -> Vec<Vec<String>> {
        let first = call.receiver().map_or_else(Vec::new, |receiver| own(graph, receiver));
        self.above(first, call.receiver().and_then(|receiver| router_behind(graph, receiver)))
    }

    /// Some paths, the innermost first, with all that stand in front of a router.
    fn above(&self, first: Vec<String>, router: Option<Router>) -> Vec<Vec<String>> {
        let mut found: Vec<Vec<String>> = Vec::new();
        let mut open = vec![(first, router, 0)];
        while let Some((paths, router, depth)) = open.pop().filter(|_| found.len() < MOST) {
            let Some(places) = router.and_then(|router| self.below.get(&router)).filter(|_| depth < DEEPEST) else {
                found.push(paths);
                continue;
            };
            open.extend(places.iter().rev().map(|(prefixes, on, _)| {
                let paths = paths.iter().chain(prefixes).cloned().collect();
                (paths, *on, depth + 1)
            }));
        }
        for paths in &mut found {
            paths.retain(|path| !path.is_empty());
            paths.reverse();
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Where a router is mounted, if at one place alone.
    pub(super) fn only_place(&self, router: Router) -> Option<&Place> {
        let mut places = self.below.get(&router)?.iter();
        places.next().filter(|_| places.next().is_none())
    }

    /// The files of the routers in front of a route that a call registers.
    pub(super) fn files(&self, graph: &Graph, call: &CallValue) -> BTreeSet<FileId> {
        let first = call.receiver().and_then(|receiver| router_behind(graph, receiver));
        let mut seen: BTreeSet<Router> = first.into_iter().collect();
        let mut open: Vec<Router> = seen.iter().copied().collect();
        let mut files = BTreeSet::from([call.site.function.file]);
        while let Some(router) = open.pop() {
            files.insert(match router {
                Router::Made(site) => site.function.file,
                Router::Param(function, _) => function.file,
            });
            let above = self.below.get(&router).into_iter().flatten().filter_map(|(_, on, _)| *on);
            open.extend(above.filter(|on| seen.insert(*on)));
        }
        files
    }
}

/// A route below each of the places where its router is mounted.
pub(super) fn mounted(places: Vec<Vec<String>>, own: Option<&String>) -> Vec<Option<String>> {
    let below = |before: Vec<String>| {
        if before.is_empty() {
            return own.cloned();
        }
        Some(slashed(&before.into_iter().chain(own.cloned()).collect::<Vec<_>>()))
    };
    places.into_iter().map(below).collect()
}

/// Whether nothing stands where a path may, or a router: `app.use(router)`.
fn says_none(graph: &Graph, call: &CallValue, row: &Mount) -> bool {
    let values: Vec<Shared> = row.prefix.iter().flat_map(|at| graph.argument(call, at)).collect();
    values.into_iter().all(|value| {
        matches!(graph.resolved(&value).kind, ValueKind::Undefined) || router_behind(graph, &value).is_some()
    })
}

/// `[{ path, route }, ..].forEach((each) => app.use(each.path, each.route))` is a call for each element.
fn elementwise(graph: &Graph, call: &Arc<CallValue>) -> Vec<Arc<CallValue>> {
    let element = call.args.iter().find_map(|arg| match &arg.value.kind {
        ValueKind::Field(base, _) => Some(base),
        _ => None,
    });
    let Some(element) = element else { return vec![Arc::clone(call)] };
    let given = match &element.kind {
        ValueKind::Param(closure, at) => handed_to(graph, *closure, *at),
        _ => Some(Arc::clone(element)),
    };
    let Some(given) = given.map(|given| graph.resolved(&given)) else { return vec![Arc::clone(call)] };
    let values = match &given.kind {
        ValueKind::Either(values) => values.as_slice(),
        ValueKind::Object { .. } => std::slice::from_ref(&given),
        _ => return vec![Arc::clone(call)],
    };
    let of = |value: &Shared, one: &Shared| match &value.kind {
        ValueKind::Field(base, name) if Arc::ptr_eq(base, element) => Value::field(one, name, value.span),
        _ => Arc::clone(value),
    };
    let each = values.iter().take(MOST).map(|one| {
        let mut each = CallValue::clone(call);
        each.args.iter_mut().for_each(|arg| arg.value = of(&arg.value, one));
        Arc::new(each)
    });
    each.collect()
}

/// What the only call of a closure where it is written hands to its parameter.
fn handed_to(graph: &Graph, closure: FunctionRef, at: u32) -> Option<Shared> {
    let around = FunctionRef { file: closure.file, id: graph.function(closure)?.parent.unwrap_or(FunctionId(0)) };
    let calls = graph.summary(around)?.calls.iter().map(|event| &event.call);
    let mut of_closure = calls.filter(|call| matches!(call.callee.kind, ValueKind::Function(f) if f == closure));
    let given = of_closure.next()?.args.get(at as usize)?;
    of_closure.next().is_none().then(|| Arc::clone(&given.value))
}

/// The paths that a chain of calls itself puts in front of what is registered on it, the innermost first.
pub(super) fn own(graph: &Graph, receiver: &Shared) -> Vec<String> {
    let mut paths = Vec::new();
    let mut at = Some(unchanged(receiver));
    for _ in 0..200 {
        let Some(ValueKind::Call(inner)) = at.as_ref().map(|value| &value.kind) else { break };
        let name = inner.method();
        // A router's path stands alone: `.route("/x", handler)` beside it registers.
        let fits = |row: &&crate::rules::Mount| {
            row.router.is_none()
                && match name {
                    Some(name) => row.call.last() == Some(name),
                    None => graph.callee_path(inner).is_some_and(|path| row.call.matches(&path)),
                }
        };
        if inner.args.len() == 1
            && let Some(prefix) = graph.rules.mount().find(fits).and_then(|row| row.prefix.as_ref())
        {
            paths.extend(text_at(graph, inner, prefix));
        }
        at = inner.receiver().map(unchanged);
    }
    paths
}

/// The functions in a list that a call hands over, itself or as what functions return.
fn listed(graph: &Graph, value: &Shared, fuel: u8) -> Vec<FunctionRef> {
    let Some(fuel) = fuel.checked_sub(1).filter(|_| graph.step()) else { return Vec::new() };
    let again = |inner: &Shared| listed(graph, inner, fuel);
    match &value.kind {
        ValueKind::Function(function) => vec![*function],
        ValueKind::Call(call) if !graph.targets(call).is_empty() => {
            graph.expand(value).map_or_else(Vec::new, |inner| again(&inner))
        }
        ValueKind::Call(call) => {
            // What the call mounts itself is found at it.
            let method = call.method();
            let mounts =
                method.is_some() && graph.rules.mount().any(|row| row.router.is_some() && row.call.last() == method);
            let args = if mounts { &[][..] } else { call.args.as_slice() };
            args.iter().flat_map(|arg| again(&arg.value)).chain(call.receiver().into_iter().flat_map(again)).collect()
        }
        ValueKind::After { call, before, .. } => {
            again(before).into_iter().chain(call.args.iter().flat_map(|arg| again(&arg.value))).collect()
        }
        ValueKind::Array(members) => members
            .iter()
            .flat_map(|member| {
                let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
                again(inner)
            })
            .collect(),
        ValueKind::Import(..) | ValueKind::Field(..) | ValueKind::Captured(..) => match graph.expand(value) {
            Some(inner) if !Arc::ptr_eq(&inner, value) => again(&inner),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A variable is the same router after each call on it.
fn unchanged(value: &Shared) -> Shared {
    let mut at = Arc::clone(value);
    loop {
        at = match &at.kind {
            ValueKind::After { before, .. } => Arc::clone(before),
            // `module.exports = router; module.exports.name = ..`
            ValueKind::Object { base: Some(base), .. } => Arc::clone(base),
            _ => return at,
        };
    }
}

/// The parameter, or the call that made a router: the first of a chain.
pub(super) fn router_behind(graph: &Graph, value: &Shared) -> Option<Router> {
    let mut at = unchanged(value);
    for _ in 0..40 {
        // By its own name: a layer of the tree has a method `layer` too.
        let is_named_alike = match &at.kind {
            ValueKind::Call(call) => graph.targets(call).iter().all(|target| !target.certain),
            _ => false,
        };
        let resolved = if is_named_alike { Arc::clone(&at) } else { unchanged(&graph.resolved(&at)) };
        let call = match &resolved.kind {
            ValueKind::Call(call) => call,
            ValueKind::Param(function, at) => return Some(Router::Param(*function, *at)),
            _ => return None,
        };
        match call.receiver().map(unchanged) {
            Some(next) if matches!(graph.resolved(&next).kind, ValueKind::Call(_) | ValueKind::Param(..)) => at = next,
            _ => return Some(Router::Made(call.site)),
        }
    }
    None
}

/// The parts of a route, joined.
pub(super) fn slashed(parts: &[String]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_matches('/')).filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// The name of a called method or function.
pub(super) fn called_as(graph: &Graph, call: &CallValue) -> Option<String> {
    let by_path = || graph.callee_path(call).and_then(|path| path.rsplit(['.', '#']).next().map(str::to_owned));
    call.method().map(str::to_owned).or_else(by_path)
}

#[cfg(test)]
mod tests {
    use crate::graph::bench::Tree;

    #[test]
    fn a_route_stands_below_the_paths_that_its_router_is_mounted_on() {
        let tree = Tree::one(
            "import express, { Router } from 'express';\n\
             const app = express(); const v1 = Router(); const auth = Router();\n\
             auth.post('/login', function login(req, res) { res.end(); });\n\
             auth.route('/token').get(function token(req, res) { res.end(); });\n\
             app.get('/health', function health(req, res) { res.end(); });\n\
             v1.use('/auth', auth); app.use('/v1', v1);",
        );
        let graph = tree.graph();
        let route = |name: &str| graph.entries(tree.function(&graph, name)).first().map(|entry| entry.route.clone());
        assert_eq!(route("login").as_deref(), Some("POST /v1/auth/login"));
        assert_eq!(route("token").as_deref(), Some("GET /v1/auth/token"));
        assert_eq!(route("health").as_deref(), Some("GET /health"));
    }

    fn routes(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::of(files);
        let graph = tree.graph();
        let all = graph.entries(tree.function(&graph, "login"));
        all.iter().map(|entry| entry.route.clone()).collect()
    }

    const HANDLER: (&str, &str) = ("src/ctl.ts", "export const login = async (req, res) => { res.end(); };");

    #[test]
    fn routers_are_mounted_across_files_at_every_place() {
        let found = routes(&[
            HANDLER,
            (
                "src/auth.ts",
                "import { Router } from 'express'; import { login } from './ctl'; const r = Router(); r.post('/login', login); export default r;",
            ),
            (
                "src/routes/index.ts",
                "import { Router } from 'express'; import auth from '../auth'; const r = Router(); r.use('/auth', auth); export default r;",
            ),
            (
                "src/app.ts",
                "import express from 'express'; import routes from './routes'; const app = express(); app.use('/api', routes); app.use('/v2', routes);",
            ),
        ]);
        assert_eq!(found, ["POST /api/auth/login", "POST /v2/auth/login"]);
    }

    #[test]
    fn what_require_gives_is_mounted_where_it_stands() {
        let found = routes(&[
            HANDLER,
            (
                "src/auth.js",
                "const express = require('express'); const { login } = require('./ctl'); const router = express.Router(); router.route('/login').post(login); module.exports = router;",
            ),
            ("src/app.js", "const app = require('express')(); app.use('/v1', require('./auth'));"),
        ]);
        assert_eq!(found, ["POST /v1/login"]);
    }

    #[test]
    fn a_list_of_routes_is_mounted_element_by_element() {
        let found = routes(&[
            HANDLER,
            ("src/auth.ts", "import { Router } from 'express'; import { login } from './ctl'; export const auth = Router(); auth.post('/login', login); export const docs = Router();"),
            ("src/app.ts", "import express from 'express'; import { auth, docs } from './auth'; const app = express();
              const all = [{ path: '/docs', route: docs }, { path: '/auth', route: auth }]; all.forEach((each) => { app.use(each.path, each.route); });"),
        ]);
        assert_eq!(found, ["POST /auth/login"]);
    }

    #[test]
    fn a_router_that_is_handed_over_is_the_callers() {
        let found = routes(&[
            HANDLER,
            (
                "src/auth.ts",
                "import { Router } from 'express'; import { login } from './ctl'; const r = Router(); export default (app) => { app.use('/auth', r); r.post('/login', login); };",
            ),
            (
                "src/app.ts",
                "import express, { Router } from 'express'; import auth from './auth'; const app = express(); const api = Router(); auth(api); app.use('/api', api);",
            ),
        ]);
        assert_eq!(found, ["POST /api/auth/login"]);
    }

    #[test]
    fn routers_that_are_mounted_on_each_other_end() {
        let found = routes(&[
            HANDLER,
            (
                "src/app.ts",
                "import { Router } from 'express'; import { login } from './ctl'; const a = Router(); const b = Router(); a.use('/a', b); b.use('/b', a); a.get('/x', login);",
            ),
        ]);
        assert!(found.iter().all(|route| route.starts_with("GET /") && route.ends_with("/x")), "{found:?}");
    }

    #[test]
    fn a_router_with_a_layer_of_the_tree_stands_below_the_path_that_it_is_nested_at() {
        let found = routes(&[(
            "src/main.rs",
            "use axum::{routing::get, Router};
            use tower::Layer;
            #[derive(Clone)] struct Auth;
            impl<S> Layer<S> for Auth { type Service = Checked<S>; fn layer(&self, inner: S) -> Checked<S> { Checked { inner } } }
            struct Checked<S> { inner: S }
            async fn login() -> &'static str { \"me\" }
            fn app() -> Router { Router::new().nest(\"/api\", Router::new().route(\"/me\", get(login)).layer(Auth)) }",
        )]);
        assert_eq!(found, ["GET /api/me"]);
    }
}
