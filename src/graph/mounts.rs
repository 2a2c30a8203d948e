//! The paths below which routers are mounted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::Graph;
use crate::graph::entries::text_at;
use crate::summary::{CallSite, CallValue, Shared, ValueKind};

/// Where a router was made -> the path it is mounted below, and the router that it is mounted on.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    below: BTreeMap<CallSite, (String, Option<CallSite>)>,
}

/// Longer chains of routers on routers are circles.
const DEEPEST: usize = 12;

impl Mounts {
    pub(super) fn find(graph: &Graph) -> Self {
        let mut mounts = Self::default();
        for (_, unit) in graph.units() {
            for event in unit.summary.functions.iter().flat_map(|summary| &summary.calls) {
                let call = &event.call;
                let method = call.method();
                for row in graph.rules.mount() {
                    let Some(router) = &row.router else { continue };
                    if row.call.last().is_some_and(|last| method != Some(last)) || call.args.len() < 2 {
                        continue;
                    }
                    graph.refuel();
                    let Some(prefix) = text_at(graph, call, &row.prefix) else { continue };
                    let on = call.receiver().and_then(|receiver| made_at(graph, receiver));
                    for value in graph.argument(call, router) {
                        if let Some(site) = made_at(graph, &value) {
                            mounts.below.entry(site).or_insert_with(|| (prefix.clone(), on));
                        }
                    }
                }
            }
        }
        mounts
    }

    /// The paths in front of a route that a call registers, the outermost first.
    pub(super) fn before(&self, graph: &Graph, call: &CallValue) -> Vec<String> {
        let mut paths = Vec::new();
        let mut at = call.receiver().map(unchanged);
        for _ in 0..40 {
            let Some(ValueKind::Call(inner)) = at.as_ref().map(|value| &value.kind) else { break };
            let row = graph.rules.mount().find(|row| row.router.is_none() && row.call.last() == inner.method());
            paths.extend(row.and_then(|row| text_at(graph, inner, &row.prefix)));
            at = inner.receiver().map(unchanged);
        }
        let mut site = call.receiver().and_then(|receiver| made_at(graph, receiver));
        for _ in 0..DEEPEST {
            let Some((prefix, on)) = site.and_then(|site| self.below.get(&site)) else { break };
            paths.push(prefix.clone());
            site = *on;
        }
        paths.reverse();
        paths
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
