//! Who decides by a column and is no guard: endpoints that renew what it holds, clients that hand it to another service.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::guards::columns::is_at;
use crate::guards::endpoints::{is_endpoint, is_named};
use crate::guards::some::holds;
use crate::guards::walk::Walk;
use crate::provenance::ColumnTrace;
use crate::rules::Tells;
use crate::source::{Scope, Span};
use crate::summary::FunctionRef;

/// Whether a function is, or runs for, an endpoint that renews what it is handed; where no endpoint is known its own name tells.
pub(super) fn is_for_renewal(graph: &Graph, of: FunctionRef) -> bool {
    let renews = |at| is_named(graph, at, Tells::Refresh);
    let (mut open, mut seen) = (vec![(of, 0_u8)], BTreeSet::from([of]));
    let mut has_endpoint = false;
    while let Some((at, depth)) = open.pop() {
        if graph.scope(at) != Scope::Production || depth > 8 || seen.len() > 200 {
            continue;
        }
        if is_endpoint(graph, at) {
            if renews(at) {
                return true;
            }
            has_endpoint = true;
            continue;
        }
        let callers = graph.callers(at);
        let parent = graph.named_parent(at).filter(|parent| parent.id.0 != 0);
        let above = callers.iter().map(|edge| edge.caller).chain(parent);
        open.extend(above.filter(|caller| seen.insert(*caller)).map(|caller| (caller, depth + 1)));
    }
    !has_endpoint && renews(of)
}

/// Where a function that hands the column to another service refuses to do so without one.
pub(super) fn as_client(walk: &Walk, trace: &ColumnTrace, function: FunctionRef, read: Span, at: Span) -> Option<Span> {
    let calls = walk.graph.summary(function).map_or(&[][..], |summary| summary.calls.as_slice());
    let is_read = |span: Span| trace.reads.iter().any(|read| read.span == span);
    let is_handed = calls.iter().map(|event| &event.call).any(|call| {
        let holds_it = |arg: &crate::summary::Argument| {
            holds(&arg.value, &|value| is_read(value.span) && is_at(value, value.span), 8)
        };
        call.args.iter().any(holds_it) && walk.asks_elsewhere(call)
    });
    (is_handed && at == read && walk.parts_by(function, read)).then_some(at)
}
