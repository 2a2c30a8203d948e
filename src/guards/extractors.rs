//! The extractors of Rust that a guard is, or is taken by.

use std::collections::BTreeMap;

use crate::graph::Graph;
use crate::ir::FunctionId;
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
