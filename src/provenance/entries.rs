//! How entry points are named, and which calls only register them.

use crate::graph::{Edge, EdgeKind, Entry, Graph};
use crate::ir::FunctionKind;
use crate::provenance::path::EntryPoint;
use crate::source::Span;
use crate::summary::FunctionRef;

/// How an entry point is named: its function; a module's own code by its file.
pub(super) fn entry_point(graph: &Graph, function: FunctionRef, entry: Option<&Entry>) -> EntryPoint {
    let mut route = entry.map_or_else(String::new, |entry| entry.route.clone());
    if route.is_empty() {
        // A job is known by the constant that it is registered under.
        route = graph.labels(function).first().map_or_else(String::new, |label| format!("job {label}"));
    }
    let declared = graph.function(function);
    let unnamed = declared.is_some_and(|f| f.name == "<closure>");
    // What a factory makes stands where it is made.
    let made = entry.and_then(|entry| entry.made).map(|site| Span { end: site.span.start, ..site.span });
    let declared = declared
        .map_or(Span { file: function.file, start: 0, end: 0 }, |f| Span { end: f.name_span.end, ..f.name_span });
    let span = made.unwrap_or(declared);
    let mut name = graph.name(function);
    let is_unnamed = made.is_some() && unnamed;
    if name == "<module>" || name == "<closure>" || is_unnamed && !route.is_empty() {
        let path = &graph.sources.get(function.file).path;
        name = if route.is_empty() { path.rsplit('/').next().unwrap_or(path).to_owned() } else { route.clone() };
    }
    EntryPoint { name, route, span }
}

/// A module's own code that hands a function to a library registers it: the library runs it later. Handed to a function of the
/// tree, it is wrapped where others call the result: `export default traced(provision)`.
pub(super) fn is_registration(graph: &Graph, edge: &Edge, callers: &[Edge]) -> bool {
    let at_module = graph.function(edge.caller).is_some_and(|f| f.kind == FunctionKind::Module);
    let is_called =
        || callers.iter().any(|other| matches!(other.kind, EdgeKind::Call(_)) && other.caller != edge.caller);
    at_module && (edge.to_library || is_called())
}
