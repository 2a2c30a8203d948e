//! From a function upward: the guards that it runs for.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{EdgeKind, Graph};
use crate::guards::shapes::{Shape, Shapes};
use crate::guards::uses::Use;
use crate::guards::walk::Walk;
use crate::schema::Schema;
use crate::source::{Scope, Span};
use crate::summary::{CallValue, FunctionRef, Value, ValueKind};

/// The nearest functions above that the framework runs before handlers.
pub(super) fn above(
    graph: &Graph,
    shapes: &Shapes,
    from: FunctionRef,
    reached: &mut BTreeSet<FunctionRef>,
) -> Vec<(FunctionRef, Shape)> {
    let mut found = Vec::new();
    let mut open = vec![(from, 0_u8)];
    let mut seen = BTreeSet::from([from]);
    while let Some((at, depth)) = open.pop() {
        reached.insert(at);
        if let Some(shape) = shapes.of(graph, at) {
            found.push((at, shape));
            continue;
        }
        if depth > 10 || seen.len() > 300 {
            continue;
        }
        let mut next: Vec<FunctionRef> = graph.callers(at).iter().map(|edge| edge.caller).collect();
        // A closure runs for the function around it: `new Promise((resolve) => verify(..))`.
        next.extend(graph.named_parent(at).filter(|parent| parent.id.0 != 0));
        open.extend(next.into_iter().filter(|caller| seen.insert(*caller)).map(|caller| (caller, depth + 1)));
    }
    found
}

/// The guards that let in by what a function finds: they call that function, themselves or through others, and each hands on what it
/// found or refuses where there is nothing.
pub(super) fn letting_in(
    graph: &Graph,
    schema: &Schema,
    shapes: &Shapes,
    from: FunctionRef,
    query: Span,
) -> BTreeSet<FunctionRef> {
    let walk = Walk::new(graph, schema);
    let decides = |within: Span| {
        let summary = graph.summary(from)?;
        let around = summary.calls.iter().filter(|event| {
            let span = event.span();
            span.file == within.file && span.start <= within.start && within.end <= span.end
        });
        let call = &around.max_by_key(|event| event.span().end - event.span().start)?.call;
        Some(walk.fails(call) || walk.refuses(call) || walk.told(from, call.site, false) == Use::Decided)
    };
    let mut guards = BTreeSet::new();
    let mut open = vec![(from, decides(query).unwrap_or(false), 0_u8)];
    let mut seen = BTreeSet::from([from]);
    while let Some((at, decided, depth)) = open.pop() {
        if graph.sources.get(at.file).scope != Scope::Production || depth > 8 || seen.len() > 200 {
            continue;
        }
        if depth > 0 && shapes.of(graph, at).is_some() {
            guards.insert(at);
            continue;
        }
        graph.refuel();
        for edge in graph.callers(at).iter() {
            let decides = match &edge.kind {
                EdgeKind::Call(call) => match walk.told(edge.caller, call.site, false) {
                    Use::Decided => Some(true),
                    Use::Returned | Use::GoesOn => Some(decided),
                    Use::None | Use::Ignored | Use::Missed | Use::Blanked => decided.then_some(true),
                },
                EdgeKind::Callback(_) => Some(decided),
                EdgeKind::Framework => None,
            };
            if let Some(decides) = decides.filter(|_| seen.insert(edge.caller)) {
                open.push((edge.caller, decides, depth + 1));
            }
        }
        let parent = graph.named_parent(at).filter(|parent| parent.id.0 != 0 && seen.insert(*parent));
        open.extend(parent.map(|parent| (parent, decided, depth + 1)));
    }
    guards
}

/// A call as the production callers of a function that hands it something make it: with what each hands in, at its own place.
pub(super) fn as_called(graph: &Graph, of: FunctionRef, call: &CallValue) -> Vec<(FunctionRef, CallValue)> {
    let callers = graph.callers(of);
    let production = callers.iter().take(60).filter(|edge| graph.scope(edge.caller) == Scope::Production);
    let bound = production.filter_map(|edge| {
        let EdgeKind::Call(outer) = &edge.kind else { return None };
        graph.refuel();
        let bindings = graph.bind(outer, of);
        let inner = Value::new(ValueKind::Call(Arc::new(call.clone())), edge.span);
        let ValueKind::Call(bound) = &graph.substitute(&inner, &bindings).kind else { return None };
        let mut bound = CallValue::clone(bound);
        bound.site.span = edge.span;
        Some((edge.caller, bound))
    });
    bound.collect()
}
