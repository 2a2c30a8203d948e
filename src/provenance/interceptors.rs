//! Functions that a library runs around the writes of a model: a client's query extensions, its middleware.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::provenance::hooks::Hook;
use crate::rules::{ArgBase, ArgPath, Around, Interceptor};
use crate::schema::{ModelId, Schema};
use crate::sites::Called;
use crate::summary::{CallSite, CallValue, FunctionRef, Guards, Shared, Slot, Value, ValueKind};

/// A function that is run around writes, and around which.
#[derive(Clone, Debug)]
pub(super) struct Intercepting<'g> {
    row: &'g Interceptor,
    function: Shared,
    /// Where the functions are handed over, and to what.
    site: CallSite,
    receiver: Option<Shared>,
    /// The accessor of the model, and the method; `None`: any.
    accessor: Option<String>,
    method: Option<String>,
}

/// All of the tree, in the order of the files.
pub(super) fn find<'g>(graph: &Graph<'g>) -> Vec<Intercepting<'g>> {
    let mut found = Vec::new();
    if graph.rules.interceptor().next().is_none() {
        return found;
    }
    for (_, unit) in graph.units() {
        for event in unit.summary.functions.iter().flat_map(|summary| &summary.calls) {
            graph.refuel();
            let call = &event.call;
            let named = |row: &&Interceptor| row.call.last().is_none_or(|last| call.method() == Some(last));
            for row in graph.rules.interceptor().filter(named) {
                if graph.library_path(call).is_some_and(|path| row.call.matches(&path)) {
                    handed(graph, row, call, &mut found);
                }
            }
        }
    }
    found
}

fn handed<'g>(graph: &Graph<'g>, row: &'g Interceptor, call: &CallValue, found: &mut Vec<Intercepting<'g>>) {
    let mut add = |function: Shared, accessor: Option<String>, method: Option<String>| {
        let is_named = |name: &String| !row.any.contains(name);
        let (accessor, method) = (accessor.filter(is_named), method.filter(is_named));
        let receiver = call.receiver().cloned();
        found.push(Intercepting { row, function, site: call.site, receiver, accessor, method });
    };
    for given in graph.argument(call, &row.function) {
        if !row.table {
            add(graph.resolved(&given), None, None);
            continue;
        }
        for (accessor, methods) in named(graph, &given) {
            if function_of(graph, &methods).is_some() {
                add(methods, None, Some(accessor));
                continue;
            }
            for (method, function) in named(graph, &methods) {
                add(function, Some(accessor.clone()), Some(method));
            }
        }
    }
}

fn function_of(graph: &Graph, value: &Shared) -> Option<FunctionRef> {
    match graph.resolved(value).kind {
        ValueKind::Function(function) => Some(function),
        _ => None,
    }
}

/// What an object holds, by name.
fn named(graph: &Graph, value: &Shared) -> Vec<(String, Shared)> {
    let value = graph.resolved(value);
    let ValueKind::Object { entries, .. } = &value.kind else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Slot::Named { key, value, .. } => found.push((key.clone(), graph.resolved(value))),
            Slot::Spread(inner) => found.extend(named(graph, inner)),
            Slot::Computed { .. } => {}
        }
    }
    found
}

/// The hooks that the interceptors of a call are to the row that it writes.
pub(super) fn of_call(
    graph: &Graph,
    schema: &Schema,
    model: ModelId,
    called: &Called,
    interceptors: &[Intercepting],
) -> Vec<Hook> {
    let name = &schema.models[model.0].name;
    let fits = |intercepting: &&Intercepting| {
        let is_model = |accessor: &String| accessor.eq_ignore_ascii_case(name);
        intercepting.row.pack == called.pack
            && intercepting.accessor.as_ref().is_none_or(is_model)
            && intercepting.method.as_ref().is_none_or(|method| *method == called.method)
            && match intercepting.row.client {
                Around::Any => true,
                Around::Result => may_be_given(graph, called.client.as_ref(), intercepting.site),
                Around::Receiver => may_be_same(graph, called.client.as_ref(), intercepting.receiver.as_ref()),
            }
    };
    interceptors
        .iter()
        .filter(fits)
        .filter_map(|intercepting| hook(graph, schema, intercepting, model, called))
        .collect()
}

/// Whether a client may be the one that a call gives; `new PrismaClient()` and what another call gives are not.
fn may_be_given(graph: &Graph, client: Option<&Shared>, site: CallSite) -> bool {
    let Some(client) = client else { return true };
    let mut at = graph.resolved(client);
    for _ in 0..20 {
        match &at.kind {
            ValueKind::Call(call) if call.site == site => return true,
            ValueKind::Call(call) if call.is_new => return false,
            ValueKind::Call(call) => match call.receiver() {
                Some(receiver) => at = graph.resolved(receiver),
                None => return true,
            },
            // A class that extends the library's client is that client, but for what it makes of itself.
            _ => {
                let Type::Instance(class, _) = graph.type_of(&at) else { return true };
                let is_own = |function: FunctionRef| {
                    let own = graph.function(function).and_then(|declared| declared.class);
                    own.is_some_and(|id| graph.lineage(class).iter().any(|c| c.id == id && c.file == function.file))
                };
                return graph.base_path(class).is_none() || is_own(site.function);
            }
        }
    }
    true
}

/// Whether two clients may be one: those that are made at two places are not.
fn may_be_same(graph: &Graph, client: Option<&Shared>, other: Option<&Shared>) -> bool {
    let made = |value: Option<&Shared>| {
        let mut at = graph.resolved(value?);
        for _ in 0..20 {
            let ValueKind::Call(call) = &at.kind else { return None };
            if call.is_new {
                return Some(call.site);
            }
            at = graph.resolved(call.receiver()?);
        }
        None
    };
    match (made(client), made(other)) {
        (Some(client), Some(other)) => client == other,
        _ => true,
    }
}

fn hook(graph: &Graph, schema: &Schema, intercepting: &Intercepting, model: ModelId, called: &Called) -> Option<Hook> {
    let row = intercepting.row;
    let ArgBase::Nth(param) = row.argument.base else { return None };
    let (function, exit) = if let Some(function) = function_of(graph, &intercepting.function) {
        (function, handed_on(graph, function, &row.next)?)
    } else {
        let span = intercepting.function.span;
        let text = graph.sources.text(span);
        let tracked = schema.columns.iter().flat_map(|column| &column.bindings).filter(|(id, _)| *id == model);
        let mut names = tracked.map(|(_, at)| schema.models[model.0].properties[*at].name.as_str());
        names.find(|name| text.contains(name))?;
        let why = "what an interceptor makes of the row could not be told";
        (intercepting.site.function, Value::new(ValueKind::Opaque(why, Vec::new()), span))
    };
    let below = |keys: &[String]| keys.iter().chain(&called.keys).cloned().collect::<Vec<_>>();
    let told = [(&row.model, schema.models[model.0].name.as_str()), (&row.method, called.method.as_str())];
    let told = told.into_iter().filter_map(|(key, name)| Some((key.clone()?, name.to_owned()))).collect();
    Some(Hook {
        function,
        param: Some(param),
        under: below(&row.argument.keys),
        left: below(&row.below),
        told,
        before: None,
        instance: false,
        new: None,
        new_at: None,
        exit,
    })
}

/// What the function calls the next one with: of several calls, by their conditions. Where it calls none, the write does not happen.
fn handed_on(graph: &Graph, function: FunctionRef, next: &ArgPath) -> Option<Shared> {
    let is_next = |callee: &Shared| match (&callee.kind, next.keys.as_slice()) {
        (ValueKind::Param(of, at), []) => *of == function && ArgBase::Nth(*at) == next.base,
        (ValueKind::Field(base, name), [key]) => {
            name == key
                && matches!(base.kind, ValueKind::Param(of, at) if of == function && ArgBase::Nth(at) == next.base)
        }
        _ => false,
    };
    let calls = graph.summary(function)?.calls.iter().filter(|event| is_next(&event.call.callee));
    let given = calls.filter_map(|event| Some((&event.guards, Arc::clone(&event.call.args.first()?.value))));
    let mut given: Vec<(&Guards, Shared)> = given.collect();
    if let Some((_, last)) = given.pop() {
        return Some(given.into_iter().rev().fold(last, |rest, (guards, value)| guarded(guards, value, &rest)));
    }
    // `span(() => query(args))`
    let inside = graph.calls_inside(function).into_iter().filter(|call| is_next(&graph.resolved(&call.callee)));
    let given: Vec<Shared> = inside.filter_map(|call| Some(graph.resolved(&call.args.first()?.value))).collect();
    let span = given.first()?.span;
    Some(Value::new(ValueKind::Either(given), span))
}

/// `value` where the conditions hold, else `rest`.
fn guarded(guards: &Guards, value: Shared, rest: &Shared) -> Shared {
    let mut at = guards;
    let mut value = value;
    while let Some(guard) = at {
        let (then, otherwise) = if guard.holds { (value, Arc::clone(rest)) } else { (Arc::clone(rest), value) };
        let span = then.span;
        value = Value::new(ValueKind::Cond { cond: Arc::clone(&guard.cond), then, otherwise }, span);
        at = &guard.outer;
    }
    value
}
