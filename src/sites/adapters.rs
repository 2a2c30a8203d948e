//! Rows that a library writes by itself, once a call hands it the database: `PrismaAdapter(prisma)`; and by what the application calls on
//! that.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::FunctionId;
use crate::rules::{Adapter, ArgPath};
use crate::schema::{ModelId, Schema};
use crate::sites::models::entity_of;
use crate::sites::{Candidate, is_tracked};
use crate::source::{FileId, Scope};
use crate::summary::{CallValue, Event, FunctionRef, Shared, Slot, Value, ValueKind};

pub(super) fn find(graph: &Graph, schema: &Schema) -> Vec<Candidate> {
    let mut found = Vec::new();
    // Rows are known by the names of their calls and of what these run; hardly any file has one.
    let rows = || graph.rules.adapter();
    let names: BTreeSet<&str> =
        rows().filter_map(|row| row.call.last()).chain(rows().map(|row| row.runs.as_str())).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let files: BTreeSet<FileId> = graph.sources.mentions(&names).into_iter().flatten().collect();
    for file in files {
        let Some(unit) = graph.units().find(|(known, _)| *known == file).map(|(_, unit)| unit) else { continue };
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            for event in &summary.calls {
                graph.refuel();
                handed(graph, schema, function, event, &mut found);
                called(graph, schema, function, event, &mut found);
            }
        }
    }
    found.dedup_by_key(|candidate| (candidate.span, candidate.model, candidate.operation, candidate.run_by.clone()));
    found
}

fn handed(graph: &Graph, schema: &Schema, function: FunctionRef, event: &Event, found: &mut Vec<Candidate>) {
    let call = &event.call;
    let is_one = |path: &str| graph.rules.adapter().any(|row| row.call.matches(path));
    let Some(path) = graph.fitting_path(call, is_one) else { return };
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
        found.push(candidate(row, model, function, event, written(graph, row, call)));
    }
}

/// Whether production code has what the library needs to do it, and nothing that keeps it from it.
fn has_needed(graph: &Graph, row: &Adapter) -> bool {
    let says = |words: &[String]| {
        let mut files = graph.sources.iter().filter(|(_, file)| file.scope == Scope::Production);
        files.any(|(_, file)| words.iter().any(|word| file.text.contains(word.as_str())))
    };
    (row.needs.is_empty() || says(&row.needs)) && (row.lacks.is_empty() || !says(&row.lacks))
}

/// A call of the application on what the adapter made: `adapter.linkAccount({ .. })` writes what it is handed.
fn called(graph: &Graph, schema: &Schema, function: FunctionRef, event: &Event, found: &mut Vec<Candidate>) {
    let call = &event.call;
    let (Some(name), Some(receiver), Some(given)) = (call.method(), call.receiver(), call.args.first()) else { return };
    let mut rows = graph.rules.adapter().filter(|row| row.runs == name).peekable();
    if rows.peek().is_none() {
        return;
    }
    let made = graph.resolved(receiver);
    let ValueKind::Call(adapter) = &made.kind else { return };
    let Some(path) = graph.library_path(adapter) else { return };
    let Some(row) = rows.find(|row| row.call.matches(&path)) else { return };
    let Some(model) = model(graph, schema, row, adapter).filter(|model| is_tracked(schema, *model)) else { return };
    found.push(Candidate { run_by: None, ..candidate(row, model, function, event, Arc::clone(&given.value)) });
}

/// The write of a row by what an adapter's row describes.
fn candidate(row: &Adapter, model: ModelId, function: FunctionRef, event: &Event, written: Shared) -> Candidate {
    Candidate {
        model,
        within: None,
        function,
        span: event.span(),
        operation: row.operation,
        row: written,
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
    }
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
