//! The paths below which routers are mounted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::Graph;
use crate::graph::entries::text_at;
use crate::summary::{CallSite, CallValue, FunctionRef, Member, Shared, ValueKind};

/// Where a router was made -> the paths it is mounted below (the innermost first), and the router that it is mounted on.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    below: BTreeMap<CallSite, (Vec<String>, Option<CallSite>)>,
    /// Functions that are mounted by name.
    functions: BTreeMap<FunctionRef, String>,
}

/// Longer chains of routers on routers are circles.
const DEEPEST: usize = 12;

impl Mounts {
    pub(super) fn find(graph: &Graph) -> Self {
        let mut mounts = Self::default();
        if graph.rules.mount().next().is_none() {
            return mounts;
        }
        for (_, unit) in graph.units() {
            for event in unit.summary.functions.iter().flat_map(|summary| &summary.calls) {
                let call = &event.call;
                let method = call.method();
                for row in graph.rules.mount() {
                    let Some(router) = &row.router else { continue };
                    if row.call.last().is_some_and(|last| method != Some(last)) || call.args.is_empty() {
                        continue;
                    }
                    graph.refuel();
                    let prefix = row.prefix.as_ref().map(|prefix| text_at(graph, call, prefix));
                    let prefix = match prefix {
                        None => String::new(),
                        Some(Some(prefix)) => prefix,
                        Some(None) => continue,
                    };
                    let on = call.receiver().and_then(|receiver| made_at(graph, receiver));
                    for value in graph.argument(call, router) {
                        if let Some(site) = made_at(graph, &value) {
                            let outer = call.receiver().map_or_else(Vec::new, |receiver| own(graph, receiver));
                            let prefixes = std::iter::once(prefix.clone()).chain(outer).collect();
                            mounts.below.entry(site).or_insert((prefixes, on));
                        }
                        for function in listed(graph, &value, 8) {
                            mounts.functions.entry(function).or_insert_with(|| prefix.clone());
                        }
                    }
                }
            }
        }
        mounts
    }

    /// The path in front of the routes of a function that is handed over by name: `.mount("/api", routes![login])`.
    pub(super) fn of_function(&self, function: FunctionRef) -> Option<&str> {
        self.functions.get(&function).map(String::as_str)
    }

    /// The paths in front of a route that a call registers, the outermost first.
    pub(super) fn before(&self, graph: &Graph, call: &CallValue) -> Vec<String> {
        let mut paths = call.receiver().map_or_else(Vec::new, |receiver| own(graph, receiver));
        let mut site = call.receiver().and_then(|receiver| made_at(graph, receiver));
        for _ in 0..DEEPEST {
            let Some((prefixes, on)) = site.and_then(|site| self.below.get(&site)) else { break };
            paths.extend(prefixes.iter().filter(|prefix| !prefix.is_empty()).cloned());
            site = *on;
        }
        paths.reverse();
        paths
    }
}

/// The paths that a chain of calls itself puts in front of what is registered on it, the innermost first.
fn own(graph: &Graph, receiver: &Shared) -> Vec<String> {
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
        ValueKind::Call(call) => call
            .args
            .iter()
            .flat_map(|arg| again(&arg.value))
            .chain(call.receiver().into_iter().flat_map(again))
            .collect(),
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
    while let ValueKind::After { before, .. } = &at.kind {
        at = Arc::clone(before);
    }
    at
}

/// The call that made a router: the first of a chain.
fn made_at(graph: &Graph, value: &Shared) -> Option<CallSite> {
    let mut at = unchanged(value);
    for _ in 0..40 {
        let resolved = unchanged(&graph.resolved(&at));
        let ValueKind::Call(call) = &resolved.kind else { return None };
        match call.receiver().map(unchanged) {
            Some(next) if matches!(graph.resolved(&next).kind, ValueKind::Call(_)) => at = next,
            _ => return Some(call.site),
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
}
