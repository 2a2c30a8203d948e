//! Rows that a library writes by itself, once a call hands it the database: `PrismaAdapter(prisma)`.

use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::FunctionId;
use crate::rules::{Adapter, ArgPath};
use crate::schema::{ModelId, Schema};
use crate::sites::models::entity_of;
use crate::sites::{Candidate, is_tracked};
use crate::source::Scope;
use crate::summary::{CallValue, Event, FunctionRef, Shared, Slot, Value, ValueKind};

pub(super) fn find(graph: &Graph, schema: &Schema) -> Vec<Candidate> {
    let mut found = Vec::new();
    // Rows are known by the names of their calls; hardly any file has one.
    let names: Vec<&str> = graph.rules.adapter().filter_map(|row| row.call.last()).collect();
    for file in graph.sources.mentions(&names).into_iter().flatten() {
        let Some(unit) = graph.units().find(|(known, _)| *known == file).map(|(_, unit)| unit) else { continue };
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            for event in &summary.calls {
                graph.refuel();
                handed(graph, schema, function, event, &mut found);
            }
        }
    }
    found.dedup_by_key(|candidate| (candidate.span, candidate.model, candidate.operation, candidate.run_by.clone()));
    found
}

fn handed(graph: &Graph, schema: &Schema, function: FunctionRef, event: &Event, found: &mut Vec<Candidate>) {
    let call = &event.call;
    let Some(path) = graph.library_path(call) else { return };
    for row in graph.rules.adapter().filter(|row| row.call.matches(&path)) {
        let flag = |path: &ArgPath| {
            graph.argument(call, path).iter().find_map(|value| match graph.resolved(value).kind {
                ValueKind::Bool(said) => Some(said),
                _ => None,
            })
        };
        let is_there = |path: &ArgPath| graph.argument(call, path).iter().any(is_said);
        if row.when.as_ref().is_some_and(|path| flag(path) == Some(false) || !is_there(path))
            || row.unless.as_ref().is_some_and(|path| flag(path) == Some(false))
            || !has_needed(graph, row)
        {
            continue;
        }
        let Some(model) = model(graph, schema, row, call).filter(|model| is_tracked(schema, *model)) else { continue };
        found.push(Candidate {
            model,
            function,
            span: event.span(),
            operation: row.operation,
            row: written(graph, row, call),
            by_column: false,
            undefined: crate::rules::Undefined::Skip,
            wrapper: None,
            whole: false,
            hooks: false,
            instance: false,
            guards: event.guards.clone(),
            certain: true,
            sql_functions: false,
            unresolved: None,
            told_by: None,
            called: None,
            run_by: Some(row.runs.clone()),
        });
    }
}

/// Whether production code has what the library needs to do it.
fn has_needed(graph: &Graph, row: &Adapter) -> bool {
    let is_in = |text: &str| row.needs.iter().any(|needed| text.contains(needed.as_str()));
    let mut files = graph.sources.iter();
    row.needs.is_empty() || files.any(|(_, file)| file.scope == Scope::Production && is_in(&file.text))
}

/// The model that the call names, else the one of a usual name.
fn model(graph: &Graph, schema: &Schema, row: &Adapter, call: &CallValue) -> Option<ModelId> {
    let said = row.entity.iter().flat_map(|path| graph.argument(call, path)).next();
    if let Some(value) = said.filter(is_said) {
        return entity_of(graph, schema, &value).or_else(|| match &graph.resolved(&value).kind {
            ValueKind::Text(name) => named(schema, name),
            _ => None,
        });
    }
    row.model.iter().find_map(|name| named(schema, name))
}

/// Whether an option is there: a key of an object that is not there is nothing.
fn is_said(value: &Shared) -> bool {
    match &value.kind {
        ValueKind::Undefined | ValueKind::Null => false,
        ValueKind::Either(values) => !values.is_empty(),
        _ => true,
    }
}

fn named(schema: &Schema, name: &str) -> Option<ModelId> {
    schema.models.iter().position(|model| model.name.eq_ignore_ascii_case(name)).map(ModelId)
}

/// `{ access_token: adapter.linkAccount().access_token, .. }`
fn written(graph: &Graph, row: &Adapter, call: &CallValue) -> Shared {
    let span = call.site.span;
    let adapter = Value::new(ValueKind::Call(Arc::new(call.clone())), span);
    let callee = Value::new(ValueKind::Field(adapter, row.runs.clone()), span);
    let run = CallValue { site: call.site, callee, args: Vec::new(), is_new: false, type_args: Vec::new() };
    let run = Value::new(ValueKind::Call(Arc::new(run)), span);
    let names = row.renamed.iter().flat_map(|path| graph.argument(call, path)).next();
    let entry = |key: &String| {
        let renamed = names.as_ref().map(|names| graph.resolved(&Value::field(names, key, span)));
        let name = match renamed.as_ref().map(|value| &value.kind) {
            Some(ValueKind::Text(name)) => name.clone(),
            _ => key.clone(),
        };
        let value = Value::new(ValueKind::Field(Arc::clone(&run), key.clone()), span);
        Slot::Named { key: name, key_span: span, value }
    };
    Value::new(ValueKind::Object { base: None, entries: row.keys.iter().map(entry).collect() }, span)
}
