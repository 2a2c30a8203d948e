//! The extractors of Rust that a guard is, or is taken by, and what takes these.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{EdgeKind, Graph};
use crate::guards::Proof;
use crate::guards::routes::{Protected, Routes, classes, has_route, route_names};
use crate::ir::{Class, ClassKind, FunctionId};
use crate::summary::{FunctionRef, Summary};

/// The class of an extractor, and those whose own extraction begins with it: `Admin` that takes a `Caller` and looks at the role.
pub(super) fn extractors<'a>(graph: &'a Graph<'_>, guard: FunctionRef) -> BTreeMap<&'a str, FunctionRef> {
    let mut classes = BTreeMap::new();
    if !graph.is_rust(guard.file) {
        return classes;
    }
    let mut open = vec![guard];
    while let Some(at) = open.pop() {
        let Some(function) = graph.function(at) else { continue };
        let class = function.class.and_then(|id| graph.module(at.file)?.classes.get(id.at()));
        if class.is_some_and(|class| classes.insert(class.name.as_str(), at).is_none()) {
            let same = |caller: &FunctionRef| graph.function(*caller).is_some_and(|f| f.name == function.name);
            open.extend(graph.callers(at).iter().map(|edge| edge.caller).filter(same));
            let class = class.map_or("", |class| class.name.as_str());
            open.extend(demanding(graph, class).filter(same));
        }
    }
    classes
}

/// The functions that have the framework make a value of a class: `request.guard::<Auth>()`.
fn demanding<'a>(graph: &'a Graph<'_>, class: &'a str) -> impl Iterator<Item = FunctionRef> + 'a {
    let units = graph.units().filter(|(file, _)| graph.is_rust(*file));
    units.flat_map(move |(file, unit)| {
        let demands = |summary: &Summary| {
            let types = summary.calls.iter().flat_map(|event| &event.call.type_args);
            types.into_iter().any(|ty| ty.name.rsplit('.').next() == Some(class))
        };
        let functions = unit.summary.functions.iter().enumerate().filter(move |(_, summary)| demands(summary));
        functions.map(move |(at, _)| FunctionRef { file, id: FunctionId::of(at) })
    })
}

/// The functions that take a value of a class: handlers, and what runs before handlers.
fn taking(graph: &Graph, class: &str) -> BTreeSet<FunctionRef> {
    let mut found = BTreeSet::new();
    // `pub type AuthGuard = Claims;`
    let classes = graph.units().flat_map(|(_, unit)| &unit.module.classes);
    let is_alias = |of: &&Class| of.kind == ClassKind::Alias && of.extends.iter().any(|ty| last(&ty.name) == class);
    let names: BTreeSet<&str> = classes.filter(is_alias).map(|of| of.name.as_str()).chain([class]).collect();
    for (file, unit) in graph.units() {
        for (at, function) in unit.module.functions.iter().enumerate() {
            let takes = function.params.iter().filter_map(|param| param.ty.as_ref());
            let mut takes = takes.flat_map(|ty| std::iter::once(ty).chain(&ty.args));
            if takes.any(|ty| names.contains(last(&ty.name))) {
                found.insert(FunctionRef { file, id: FunctionId::of(at) });
            }
        }
    }
    found
}

/// The functions without a route of their own that take what an extractor gives, or an extractor that begins with it: middleware, where these
/// stand in front of handlers.
pub(super) fn takers(graph: &Graph, guard: FunctionRef) -> BTreeSet<FunctionRef> {
    let all = extractors(graph, guard).into_keys().flat_map(|class| taking(graph, class));
    all.filter(|taker| !has_route(graph, *taker)).collect()
}

/// Where the framework runs an extractor: for the handlers that take it, before those that a middleware which takes it stands in front of,
/// and where a layer names it (`from_extractor::<Auth>()`). Not where one of those that ask by themselves runs it.
pub(super) fn extracted(
    protected: &Protected,
    graph: &Graph,
    guard: FunctionRef,
    asking: &BTreeMap<FunctionRef, Proof>,
) -> Routes {
    let (mut names, mut handlers, mut asked) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut open = false;
    for (class, extraction) in extractors(graph, guard) {
        if asking.contains_key(&extraction) {
            continue;
        }
        let mut before = vec![protected.before(&BTreeSet::new(), &classes(graph, extraction))];
        for taker in taking(graph, class) {
            if has_route(graph, taker) {
                names.extend(route_names(graph, taker));
                handlers.insert(taker);
                continue;
            }
            let behind = protected.before(&BTreeSet::from([taker]), &BTreeSet::new());
            // A handler or a middleware, perhaps, whose routes could not be told.
            open |=
                behind.is_empty() && !graph.callers(taker).iter().any(|edge| matches!(edge.kind, EdgeKind::Call(_)));
            if asking.contains_key(&taker) {
                asked.extend(behind.into_values().flatten());
            } else {
                before.push(behind);
            }
        }
        for (handler, routes) in before.into_iter().flatten() {
            handlers.insert(handler);
            names.extend(routes);
        }
    }
    names.retain(|name| !asked.contains(name));
    handlers.retain(|handler| {
        let own = route_names(graph, *handler);
        own.is_empty() || own.iter().any(|name| !asked.contains(name))
    });
    Routes { open, ..Routes::of(names, handlers) }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
