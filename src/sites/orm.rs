//! Writes and reads through ORM calls, as rule rows describe them.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::FunctionId;
use crate::rules::{ArgPath, CallPattern, Target, Write};
use crate::schema::{ModelId, Schema};
use crate::sites::{Candidate, is_tracked, model_of_accessor, model_of_class, nested};
use crate::summary::{CallValue, Event, FunctionRef, Member, Shared, Slot, Value, ValueKind};

pub(super) fn find(graph: &Graph, schema: &Schema) -> Vec<Candidate> {
    let mut found = Vec::new();
    let rows: Vec<&Write> = graph.rules.write().collect();
    for (file, unit) in graph.units() {
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            for event in &summary.calls {
                graph.refuel();
                written(graph, schema, &rows, function, event, &mut found);
            }
        }
    }
    found
}

fn written(
    graph: &Graph,
    schema: &Schema,
    rows: &[&Write],
    function: FunctionRef,
    event: &Event,
    found: &mut Vec<Candidate>,
) {
    let call = &event.call;
    let Some(method) = call.method() else { return };
    let mut path = None;
    for row in rows {
        if row.call.last().is_some_and(|last| last != method) {
            continue;
        }
        let path = path.get_or_insert_with(|| library_path(graph, call));
        if !path.as_ref().is_some_and(|path| row.call.matches(path)) {
            continue;
        }
        let named = Named { on: row.on, types: &row.types, entity: &row.entity, after: row.after.as_deref() };
        let Some((model, certain)) = named.model(graph, schema, call) else { continue };
        if let Some(required) = &row.requires
            && !has(graph, call, required)
        {
            continue;
        }
        for value in graph.argument(call, &row.row) {
            let assigned = row.assign.as_deref().and_then(|method| assignments(graph, &value, method, 6));
            let by_column = assigned.is_some();
            let value = assigned.unwrap_or(value);
            let candidate = Candidate {
                model,
                function,
                span: event.span(),
                operation: row.operation,
                row: value,
                by_column,
                undefined: row.undefined,
                wrapper: row.wrapper.clone(),
                whole: row.whole,
                guards: event.guards.clone(),
                certain,
            };
            nested::find(graph, schema, &candidate, found);
            if is_tracked(schema, model) {
                found.push(candidate);
            }
        }
    }
}

/// The callable path, where the call leaves the tree.
fn library_path(graph: &Graph, call: &CallValue) -> Option<String> {
    if graph.targets(call).iter().any(|target| target.certain) {
        return None;
    }
    graph.callee_path(call)
}

/// Whether an argument path is there; an argument that is not known as an object may have it.
fn has(graph: &Graph, call: &CallValue, path: &ArgPath) -> bool {
    graph.argument(call, path).iter().any(|value| !matches!(value.kind, ValueKind::Undefined | ValueKind::Null))
}

struct Named<'r> {
    on: Target,
    types: &'r [CallPattern],
    entity: &'r [ArgPath],
    after: Option<&'r str>,
}

impl Named<'_> {
    /// The model and whether it is certain.
    fn model(&self, graph: &Graph, schema: &Schema, call: &CallValue) -> Option<(ModelId, bool)> {
        let receiver = call.receiver()?;
        match self.on {
            Target::Model => {
                let ValueKind::Field(client, accessor) = &receiver.kind else {
                    // `const users = prisma.user; users.update(..)`
                    let inner = graph.resolved(receiver);
                    let ValueKind::Field(_, accessor) = &inner.kind else { return None };
                    return model_of_accessor(schema, accessor).map(|model| (model, false));
                };
                let model = model_of_accessor(schema, accessor)?;
                let certain = match graph.type_of(client) {
                    Type::External(..) => true,
                    Type::Instance(class, _) => graph.base_path(class).is_some(),
                    _ => false,
                };
                Some((model, certain))
            }
            Target::Type => self.by_type(graph, schema, receiver).map(|model| (model, true)),
            Target::Argument => {
                let entities = self.entity.iter().flat_map(|path| graph.argument(call, path));
                let fits = self.types.is_empty() || self.type_fits(graph, receiver);
                entities.filter(|_| fits).find_map(|value| entity_of(graph, schema, &value)).map(|model| (model, true))
            }
            Target::Instance => {
                let named = self.entity.iter().flat_map(|path| graph.argument(call, path)).next();
                let instance = if self.entity.is_empty() { receiver } else { named.as_ref()? };
                let class = match graph.type_of(instance) {
                    Type::Instance(class, _) => class,
                    Type::Array(inner) => match *inner {
                        Type::Instance(class, _) => class,
                        _ => return None,
                    },
                    _ => return None,
                };
                self.base_fits(graph, class)
                    .then(|| model_of_class(graph, schema, class))
                    .flatten()
                    .map(|model| (model, true))
            }
            Target::Static => {
                let class = graph.class_behind(receiver)?;
                self.base_fits(graph, class)
                    .then(|| model_of_class(graph, schema, class))
                    .flatten()
                    .map(|model| (model, true))
            }
            Target::Chain => self.by_chain(graph, schema, call).map(|model| (model, true)),
        }
    }

    fn base_fits(&self, graph: &Graph, class: crate::summary::ClassRef) -> bool {
        self.types.is_empty()
            || graph.base_path(class).is_some_and(|path| self.types.iter().any(|pattern| pattern.matches(&path)))
    }

    fn type_fits(&self, graph: &Graph, receiver: &Shared) -> bool {
        let path = match graph.type_of(receiver) {
            Type::External(path, _) => Some(path),
            Type::Instance(class, _) => graph.base_path(class),
            _ => None,
        };
        path.is_some_and(|path| self.types.iter().any(|pattern| pattern.matches(&path)))
    }

    /// `Repository<User>`, or a class of the tree that extends it.
    fn by_type(&self, graph: &Graph, schema: &Schema, receiver: &Shared) -> Option<ModelId> {
        let ty = graph.type_of(receiver);
        let entity = match &ty {
            Type::External(path, args) if self.types.iter().any(|pattern| pattern.matches(path)) => {
                args.first().cloned()
            }
            Type::Instance(class, _) => graph.lineage(*class).into_iter().find_map(|class| {
                graph.class(class)?.extends.iter().find_map(|base| match graph.resolve_type(class.file, base) {
                    Type::External(path, args) if self.types.iter().any(|pattern| pattern.matches(&path)) => {
                        args.into_iter().next()
                    }
                    _ => None,
                })
            }),
            _ => None,
        };
        match entity? {
            Type::Instance(class, _) | Type::Object(class) => model_of_class(graph, schema, class),
            _ => None,
        }
    }

    /// An entity named in the call `after` further left, or the type of what the chain starts from.
    fn by_chain(&self, graph: &Graph, schema: &Schema, call: &CallValue) -> Option<ModelId> {
        let chain = call.receiver().map_or_else(Vec::new, |receiver| chain_calls(graph, receiver));
        let named = |call: &CallValue| {
            let arguments = self.entity.iter().flat_map(|path| graph.argument(call, path));
            arguments.into_iter().find_map(|value| entity_of(graph, schema, &value))
        };
        let after = match self.after {
            Some(method) => Some(chain.iter().position(|call| is_called(graph, call, method))?),
            None => None,
        };
        if !self.entity.is_empty() {
            return match after {
                Some(at) => named(&chain[at]),
                None => named(call),
            };
        }
        let first = after.unwrap_or(0);
        chain[first.min(chain.len())..]
            .iter()
            .filter_map(|call| call.receiver())
            .find_map(|receiver| self.by_type(graph, schema, receiver).or_else(|| table_of(graph, schema, receiver)))
    }
}

/// The entity that an argument names: its class, or the name of its table or model.
fn entity_of(graph: &Graph, schema: &Schema, value: &Shared) -> Option<ModelId> {
    if let Some(class) = graph.class_behind(value) {
        return model_of_class(graph, schema, class);
    }
    match &graph.resolved(value).kind {
        ValueKind::Text(name) => {
            schema.models.iter().position(|model| model.table == *name || model.name == *name).map(ModelId)
        }
        _ => None,
    }
}

pub(super) fn model_read(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<ModelId> {
    let method = call.method()?;
    let mut path = None;
    graph.rules.read().find_map(|row| {
        if row.call.last().is_some_and(|last| last != method) {
            return None;
        }
        let path = path.get_or_insert_with(|| library_path(graph, call)).as_ref()?;
        if !row.call.matches(path) {
            return None;
        }
        let named = Named { on: row.on, types: &row.types, entity: &row.entity, after: row.after.as_deref() };
        named.model(graph, schema, call).map(|(model, _)| model)
    })
}

/// The table that a chain starts from: `users::table.filter(..)`.
fn table_of(graph: &Graph, schema: &Schema, receiver: &Shared) -> Option<ModelId> {
    if !matches!(receiver.kind, ValueKind::Field(..) | ValueKind::Import(..)) {
        return None;
    }
    match &graph.resolved(receiver).kind {
        ValueKind::Text(name) => schema.models.iter().position(|model| model.table == *name).map(ModelId),
        _ => None,
    }
}

/// Whether a call is of a method or a function of that name.
pub(super) fn is_called(graph: &Graph, call: &CallValue, name: &str) -> bool {
    match call.method() {
        Some(method) => method == name,
        None => graph.callee_path(call).is_some_and(|path| path.rsplit(['.', '#']).next() == Some(name)),
    }
}

/// A row written as calls of a method of its columns, as an object; `None` where it is not.
fn assignments(graph: &Graph, row: &Shared, method: &str, fuel: u8) -> Option<Shared> {
    let fuel = fuel.checked_sub(1)?;
    let row = if matches!(row.kind, ValueKind::Object { .. }) { Arc::clone(row) } else { graph.resolved(row) };
    let object = |entries| Value::new(ValueKind::Object { base: None, entries }, row.span);
    match &row.kind {
        ValueKind::Call(call) if call.method() == Some(method) => {
            let column = call.receiver()?;
            let key = match (&column.kind, &graph.resolved(column).kind) {
                (_, ValueKind::Text(name)) => name.clone(),
                (ValueKind::Field(_, name) | ValueKind::Global(name), _) => name.clone(),
                _ => return None,
            };
            let value = Arc::clone(&call.args.first()?.value);
            Some(object(vec![Slot::Named { key, key_span: call.site.span, value }]))
        }
        // A tuple: its parts together are the row.
        ValueKind::Object { base: None, entries } => {
            let mut any = false;
            let parts: Vec<Slot> = entries
                .iter()
                .filter_map(|entry| match entry {
                    Slot::Named { value, .. } => Some(match assignments(graph, value, method, fuel) {
                        Some(part) => {
                            any = true;
                            Slot::Spread(part)
                        }
                        None => Slot::Spread(Arc::clone(value)),
                    }),
                    Slot::Computed { .. } | Slot::Spread(_) => None,
                })
                .collect();
            any.then(|| object(parts))
        }
        ValueKind::Array(members) => {
            let mut rows = Vec::new();
            for member in members {
                let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
                rows.push(Member::Each(assignments(graph, inner, method, fuel)?));
            }
            (!rows.is_empty()).then(|| Value::new(ValueKind::Array(rows), row.span))
        }
        _ => None,
    }
}

/// The calls of a chain, the last first.
pub(super) fn chain_calls(graph: &Graph, value: &Shared) -> Vec<Arc<CallValue>> {
    let mut calls = Vec::new();
    let mut at = graph.resolved(value);
    for _ in 0..60 {
        let ValueKind::Call(call) = &at.kind else { break };
        calls.push(Arc::clone(call));
        let Some(next) = call.receiver() else { break };
        at = graph.resolved(next);
    }
    calls
}
