//! Writes in a base class that is no model itself: `static createWithCtx(ctx, row) { return this.create(row) }` writes where a class
//! that inherits it calls it, and there the model is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{EdgeKind, Graph};
use crate::rules::{Target, Write};
use crate::schema::{ModelId, Schema};
use crate::sites::models::{instance_of, model_behind};
use crate::sites::{Candidate, is_tracked, model_of_class, nested};
use crate::summary::{CallValue, ClassRef, Event, FunctionRef, Guard, Guards, Shared, Value, ValueKind};

/// Base classes that call each other further than this are not followed.
const DEEPEST: usize = 4;

/// The writes of a call on `this` in a class that declares no table, at the calls that tell the model; whether it is such a call.
pub(super) fn find(
    graph: &Graph,
    schema: &Schema,
    row: &Write,
    function: FunctionRef,
    event: &Event,
    found: &mut Vec<Candidate>,
) -> bool {
    let on_class = row.on == Target::Static;
    let on_instance = row.on == Target::Instance && row.entity.is_empty();
    if !(on_class || on_instance) {
        return false;
    }
    let Some(class) = event.call.receiver().and_then(class_of_this) else { return false };
    if !leads_to_tracked(graph, schema, class) {
        return false;
    }
    let values = graph.argument(&event.call, &row.row);
    let mut open: Vec<State> = values
        .into_iter()
        .map(|value| State { function, row: value, guards: event.guards.clone(), seen: vec![function] })
        .collect();
    while let Some(state) = open.pop() {
        want_callers(graph, schema, state.function);
        for edge in graph.callers(state.function).iter() {
            let EdgeKind::Call(call) = &edge.kind else { continue };
            if state.seen.contains(&edge.caller) || state.seen.len() > DEEPEST {
                continue;
            }
            let mut bindings = graph.bind(call, state.function);
            bindings.this = bindings.this.map(|this| match &this.kind {
                ValueKind::Call(_) | ValueKind::Object { .. } => this,
                _ => {
                    let span = this.span;
                    Value::new(ValueKind::Object { base: Some(this), entries: Vec::new() }, span)
                }
            });
            let mut guards = edge.guards.clone();
            let mut inner = Vec::new();
            let mut at = &state.guards;
            while let Some(guard) = at {
                inner.push((graph.substitute(&guard.cond, &bindings), guard.holds, guard.throws));
                at = &guard.outer;
            }
            for (cond, holds, throws) in inner.into_iter().rev() {
                guards = Some(Arc::new(Guard { cond, holds, throws, outer: guards }));
            }
            let below = State {
                function: edge.caller,
                row: graph.substitute(&state.row, &bindings),
                guards,
                seen: state.seen.iter().copied().chain([edge.caller]).collect(),
            };
            match model_called(graph, schema, call, on_class) {
                Some(model) => write(graph, schema, row, model, call, edge.certain, below, found),
                // `super.save(..)`, `this.save(..)` of a class between.
                None if call.receiver().and_then(class_of_this).is_some() => open.push(below),
                None => {}
            }
        }
    }
    true
}

struct State {
    function: FunctionRef,
    row: Shared,
    guards: Guards,
    seen: Vec<FunctionRef>,
}

#[expect(clippy::too_many_arguments, reason = "what one write is made of")]
fn write(
    graph: &Graph,
    schema: &Schema,
    row: &Write,
    model: ModelId,
    call: &CallValue,
    certain: bool,
    state: State,
    found: &mut Vec<Candidate>,
) {
    let known = &schema.models[model.0].pack;
    if !row.pack.is_empty() && !known.is_empty() && row.pack != *known {
        return;
    }
    let candidate = Candidate {
        model,
        within: None,
        function: state.function,
        span: call.site.span,
        operation: row.operation,
        row: state.row,
        by_column: false,
        undefined: row.undefined,
        wrapper: row.wrapper.clone(),
        sql_functions: row.sql_functions,
        whole: row.whole,
        hooks: row.hooks,
        instance: row.on == Target::Instance,
        guards: state.guards,
        certain,
        unresolved: None,
        told_by: None,
        called: None,
        run_by: None,
    };
    nested::find(graph, schema, &candidate, found);
    if is_tracked(schema, model) {
        found.push(candidate);
    }
}

/// The model that the inherited method is called on.
fn model_called(graph: &Graph, schema: &Schema, call: &CallValue, on_class: bool) -> Option<ModelId> {
    let receiver = call.receiver()?;
    if let Some(model) = class_of_this(receiver).and_then(|class| model_of_class(graph, schema, class)) {
        return Some(model);
    }
    if on_class { model_behind(graph, schema, receiver) } else { instance_of(graph, schema, receiver) }
}

/// The class whose `this` a receiver is, with what was assigned to it.
pub(super) fn class_of_this(receiver: &Shared) -> Option<ClassRef> {
    let mut at = receiver;
    for _ in 0..60 {
        at = match &at.kind {
            ValueKind::This(class) | ValueKind::Super(class) => return Some(*class),
            ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } => base,
            ValueKind::Cond { then, .. } => then,
            _ => return None,
        };
    }
    None
}

/// Whether a class declares no table and one that inherits it is a tracked model, or leads to one by its relations.
fn leads_to_tracked(graph: &Graph, schema: &Schema, class: ClassRef) -> bool {
    if model_of_class(graph, schema, class).is_some() {
        return false;
    }
    let inherits = |model: &crate::schema::Model| model.class.is_some_and(|heir| graph.lineage(heir).contains(&class));
    let tracked = schema.columns.iter().flat_map(|column| &column.bindings);
    tracked.into_iter().any(|(model, _)| inherits(&schema.models[model.0]))
}

/// The files that mention both the method and a tracked model have to be lowered.
fn want_callers(graph: &Graph, schema: &Schema, function: FunctionRef) {
    let Some(declared) = graph.function(function) else { return };
    let mentioning = |name: &str| -> BTreeSet<_> { graph.sources.mentions(&[name]).into_iter().flatten().collect() };
    let calling = mentioning(&declared.name);
    for (model, _) in schema.columns.iter().flat_map(|column| &column.bindings) {
        for file in mentioning(&schema.models[model.0].name).intersection(&calling) {
            graph.ask(*file);
        }
    }
}
