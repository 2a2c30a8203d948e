//! Handlers that are marked for guards to let in: `@Public()`, which sets what `reflector.get('isPublic', handler)` reads.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::guards::routes::route_names;
use crate::ir::{FunctionId, FunctionKind};
use crate::rules::Tells;
use crate::source::Scope;
use crate::summary::{CallValue, FunctionRef, ValueKind};

/// What a call reads or sets a mark by: its first argument, where that is a text.
fn key(graph: &Graph, call: &CallValue, tells: Tells) -> Option<String> {
    graph.refuel();
    let path = graph.library_path(call)?;
    let ValueKind::Text(key) = &graph.resolved(&call.args.first()?.value).kind else { return None };
    graph.rules.tells(tells, &path).then(|| key.clone())
}

/// The key of the mark that a call reads.
pub(super) fn read(graph: &Graph, call: &CallValue) -> Option<String> {
    key(graph, call, Tells::Marked)
}

/// The functions that set a mark which a guard reads: whoever names them marks handlers.
pub(super) fn setting(graph: &Graph, guards: &BTreeSet<FunctionRef>) -> BTreeSet<FunctionRef> {
    let of_guards = guards.iter().filter_map(|guard| graph.summary(*guard)).flat_map(|summary| &summary.calls);
    let keys: BTreeSet<String> = of_guards.filter_map(|event| read(graph, &event.call)).collect();
    let mut found = BTreeSet::new();
    for (file, unit) in graph.units().filter(|_| !keys.is_empty()) {
        for (at, summary) in unit.summary.functions.iter().enumerate().skip(1) {
            let sets = |call: &CallValue| key(graph, call, Tells::Mark).is_some_and(|key| keys.contains(&key));
            if summary.calls.iter().any(|event| sets(&event.call)) {
                found.insert(FunctionRef { file, id: FunctionId::of(at) });
            }
        }
    }
    found
}

/// The routes of the handlers that are marked under a key, by themselves or with their class.
pub(super) fn marked(graph: &Graph, wanted: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (file, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
        for (at, function) in unit.module.functions.iter().enumerate() {
            let handler = FunctionRef { file, id: FunctionId::of(at) };
            if function.kind != FunctionKind::Method || graph.entries(handler).is_empty() {
                continue;
            }
            let class = function.class.and_then(|id| unit.summary.class_decorators.get(id.at()));
            let own = unit.summary.functions.get(at).map_or(&[][..], |summary| summary.decorators.as_slice());
            let decorators = class.map_or(&[][..], Vec::as_slice).iter().chain(own);
            let mut set = decorators.flat_map(|decorator| graph.composed(decorator));
            if set.any(|call| key(graph, &call, Tells::Mark).is_some_and(|key| key == wanted)) {
                found.extend(route_names(graph, handler));
            }
        }
    }
    found
}
