//! The functions that a registration names: handlers, what wraps them, handlers by verb.

use std::sync::Arc;

use crate::graph::Graph;
use crate::graph::mounts::called_as;
use crate::ir::{ExprId, FunctionId};
use crate::summary::{CallSite, CallValue, FunctionRef, Member, Shared, Slot, Value, ValueKind};

/// `get(list).post(create)`: the handlers with the name of the call around each.
pub(super) fn verbs(graph: &Graph, value: &Shared) -> Vec<(String, FunctionRef)> {
    let mut found = Vec::new();
    let mut at = Arc::clone(value);
    for _ in 0..12 {
        let ValueKind::Call(call) = &at.kind else { break };
        let name = called_as(graph, call);
        let given: Vec<FunctionRef> = call.args.iter().flat_map(|arg| handlers(graph, &arg.value, 4)).collect();
        // `post().to(handler)`: the verb stands further left.
        let maker = match (name.as_deref(), call.receiver()) {
            (Some("to"), Some(receiver)) => match &receiver.kind {
                ValueKind::Call(maker) => called_as(graph, maker),
                _ => None,
            },
            _ => None,
        };
        let verb = maker.or(name).unwrap_or_default().to_uppercase();
        // `post(login).layer(from_fn(check))`: what stands around a handler is none.
        if VERBS.contains(&verb.as_str()) {
            found.extend(given.into_iter().map(|function| (verb.clone(), function)));
        }
        let Some(receiver) = call.receiver() else { break };
        at = Arc::clone(receiver);
    }
    found
}

/// What a handler is registered for.
const VERBS: [&str; 13] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "ANY", "ALL", "ON", "TO"];

/// Whether an argument can be a handler, by its shape alone.
pub(super) fn may_run(value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &value.kind {
        ValueKind::Function(_) | ValueKind::Import(..) | ValueKind::Captured(..) => true,
        // `controllers.auth.login`, but not `request.body.path`.
        ValueKind::Field(base, _) => {
            let is_root = matches!(
                base.kind,
                ValueKind::Import(..)
                    | ValueKind::This(_)
                    | ValueKind::Captured(..)
                    | ValueKind::Call(_)
                    | ValueKind::Class(_)
            );
            is_root || matches!(base.kind, ValueKind::Field(..)) && may_run(base, fuel)
        }
        ValueKind::Call(call) => {
            // `post(login).with_state(state)`
            let before = || call.receiver().filter(|receiver| matches!(receiver.kind, ValueKind::Call(_)));
            // `makeLogin(deps)`
            let makes = || !call.is_new && may_run(&call.callee, fuel);
            call.method() == Some("bind")
                || makes()
                || call.args.iter().any(|arg| may_run(&arg.value, fuel))
                || before().is_some_and(|receiver| may_run(receiver, fuel))
        }
        ValueKind::Array(members) => members.iter().any(|member| match member {
            Member::One(inner) => may_run(inner, fuel),
            _ => false,
        }),
        ValueKind::Object { entries, .. } => entries.iter().any(|entry| match entry {
            Slot::Named { value, .. } => may_run(value, fuel),
            _ => false,
        }),
        _ => false,
    }
}

/// A function, and the call that made it where one did.
pub(super) type Handler = (FunctionRef, Option<CallSite>);

/// The functions that a handler argument names: itself, what wraps it, the methods of an object.
pub(super) fn handlers(graph: &Graph, value: &Shared, fuel: u8) -> Vec<FunctionRef> {
    handlers_made(graph, value, fuel).into_iter().map(|(function, _)| function).collect()
}

/// The same, with the calls that made them.
pub(super) fn handlers_made(graph: &Graph, value: &Shared, fuel: u8) -> Vec<Handler> {
    let handlers = handlers_made;
    let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
    let value = Value::before_calls(value);
    match &value.kind {
        ValueKind::Function(function) => vec![(*function, None)],
        // `asyncHandler(f)`, `controller.login.bind(controller)`
        ValueKind::Call(call) => {
            let mut all: Vec<Handler> = call.args.iter().flat_map(|arg| handlers(graph, &arg.value, fuel)).collect();
            if call.method() == Some("bind") {
                all.extend(call.receiver().into_iter().flat_map(|receiver| handlers(graph, receiver, fuel)));
                return all;
            }
            // `makeLogin(deps)`: what it makes is the handler, and what it was given is a part of that.
            let given = all.len();
            all.retain(|(function, _)| !graph.is_part(call, *function));
            if (given == 0 || all.len() < given)
                && let Some((made, _)) = graph.made_by(call)
            {
                all.extend(made.into_iter().map(|function| (function, Some(call.site))));
            }
            all
        }
        ValueKind::Array(members) => members
            .iter()
            .flat_map(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                handlers(graph, inner, fuel)
            })
            .collect(),
        ValueKind::Object { entries, .. } => entries
            .iter()
            .filter_map(|entry| match entry {
                Slot::Named { value, .. } => Some(handlers(graph, value, fuel)),
                _ => None,
            })
            .flatten()
            .collect(),
        ValueKind::Either(values) => values.iter().flat_map(|inner| handlers(graph, inner, fuel)).collect(),
        ValueKind::Field(..) | ValueKind::Import(..) | ValueKind::Captured(..) => {
            let behind = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
            // `const login = asyncHandler(f)` elsewhere: the handler is `f`, not what the wrapper makes of it.
            if let Some(inner) = behind.as_ref().filter(|inner| matches!(inner.kind, ValueKind::Call(_))) {
                let wrapped = handlers(graph, inner, fuel);
                if !wrapped.is_empty() {
                    return wrapped;
                }
            }
            let probe = CallValue {
                site: CallSite {
                    function: FunctionRef { file: value.span.file, id: FunctionId(0) },
                    expr: ExprId(u32::MAX),
                    span: value.span,
                },
                callee: Arc::clone(value),
                args: Vec::new(),
                is_new: false,
                type_args: Vec::new(),
            };
            let direct: Vec<Handler> = graph.targets(&probe).iter().map(|target| (target.function, None)).collect();
            if !direct.is_empty() {
                return direct;
            }
            behind.map_or_else(Vec::new, |inner| handlers(graph, &inner, fuel))
        }
        _ => Vec::new(),
    }
}

/// The calls of the tree whose results a registration names, or that wrap what it names: `requireRole('admin')`, `withAuth(handler)`.
pub(super) fn made(graph: &Graph, value: &Shared, fuel: u8) -> Vec<CallSite> {
    let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
    let value = Value::before_calls(value);
    match &value.kind {
        ValueKind::Call(call) => {
            let inner = call.args.iter().flat_map(|arg| made(graph, &arg.value, fuel));
            // `authorize('admin')`: what is in the list that it gives runs, or what it has a library make.
            let given = Some(value).filter(|_| !graph.targets(call).is_empty()).and_then(|value| graph.expand(value));
            let runs = |given: &Shared| match &given.kind {
                ValueKind::Array(_) => true,
                ValueKind::Call(made) => graph.targets(made).is_empty(),
                _ => false,
            };
            let listed = given.filter(runs);
            let listed = listed.iter().flat_map(|list| made(graph, list, fuel));
            // `expressjwt({ .. }).unless({ .. })`
            let before = call.receiver().filter(|receiver| matches!(receiver.kind, ValueKind::Call(_)));
            let before = before.into_iter().flat_map(|receiver| made(graph, receiver, fuel));
            std::iter::once(call.site).chain(inner).chain(listed).chain(before).collect()
        }
        ValueKind::Array(members) => members
            .iter()
            .flat_map(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                made(graph, inner, fuel)
            })
            .collect(),
        // What was handed to a router before is the same still.
        ValueKind::After { before, .. } => made(graph, before, fuel),
        ValueKind::Object { entries, .. } => {
            let named = entries.iter().filter_map(|entry| match entry {
                Slot::Named { value, .. } => Some(made(graph, value, fuel)),
                _ => None,
            });
            named.flatten().collect()
        }
        ValueKind::Field(..) | ValueKind::Import(..) | ValueKind::Captured(..) => {
            let behind = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
            let is_made = behind
                .filter(|inner| matches!(Value::before_calls(inner).kind, ValueKind::Call(_) | ValueKind::Array(_)));
            is_made.map_or_else(Vec::new, |inner| made(graph, &inner, fuel))
        }
        _ => Vec::new(),
    }
}
