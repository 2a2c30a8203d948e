//! Writes on receivers whose type cannot be told: `repository.update(id, { accessToken })` where `repository` is `any`, or typed by
//! a module that is not in the tree. Where the model is named, the site is inferred; else the write is a gap.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::rules::{Target, Write};
use crate::schema::{ModelId, ModelSource, Schema};
use crate::sites::Candidate;
use crate::sites::models::{chain_calls, is_called};
use crate::summary::{CallValue, Event, FunctionRef, Member, Shared, Slot, ValueKind};

/// What is known about the model that a call writes.
enum Told {
    /// The name of an entity that does not lie in the tree.
    Name(String),
    /// Nothing: any model could be behind the receiver.
    Nothing,
}

/// The writes that a call may be by its method's name, where no row could tell the model. `rows` are those that fit the method.
pub(super) fn find(
    graph: &Graph,
    schema: &Schema,
    rows: &[&Write],
    function: FunctionRef,
    event: &Event,
    found: &mut Vec<Candidate>,
) {
    let call = &event.call;
    let Some(receiver) = call.receiver() else { return };
    let from = found.len();
    for row in rows {
        let tracked = schema.columns.iter().flat_map(|column| &column.bindings);
        let about: Vec<(ModelId, usize)> =
            tracked.filter(|(model, _)| is_about(row, schema, *model)).copied().collect();
        if about.is_empty() {
            continue;
        }
        // What a file hides that does not mention the model is not the model.
        let Some(Some(told)) = graph.unlimited(|| told(graph, row, call, receiver)) else { continue };
        let values = graph.argument(call, &row.row);
        for (model, property) in about {
            let known = &schema.models[model.0];
            let certain_name = match &told {
                Told::Name(name) => {
                    if known.name != *name || schema.models.iter().filter(|other| other.name == *name).count() > 1 {
                        continue;
                    }
                    true
                }
                Told::Nothing => false,
            };
            for value in &values {
                if !certain_name && !holds(value, &known.properties[property].name, 6) && !is_handed_in(value) {
                    continue;
                }
                let same =
                    |other: &Candidate| other.model == model && (!certain_name || other.operation == row.operation);
                if found[from..].iter().any(same) {
                    continue;
                }
                found.push(Candidate {
                    model,
                    function,
                    span: event.span(),
                    operation: row.operation,
                    row: Arc::clone(value),
                    by_column: false,
                    undefined: row.undefined,
                    wrapper: row.wrapper.clone(),
                    whole: row.whole,
                    guards: event.guards.clone(),
                    certain: false,
                    hooks: row.hooks,
                    instance: false,
                    unresolved: (!certain_name).then_some(receiver.span),
                });
            }
        }
    }
}

/// Whether a row writes models of that kind. Only the pack that declares a model knows its writes, and Prisma's its own.
fn is_about(row: &Write, schema: &Schema, model: ModelId) -> bool {
    let model = &schema.models[model.0];
    match row.on {
        Target::Model => model.source == ModelSource::Prisma,
        Target::Relation | Target::Assigned => false,
        _ => model.source != ModelSource::Prisma && !model.pack.is_empty() && row.pack == model.pack,
    }
}

/// What tells the model; `None` where the call is no write of a model at all.
fn told(graph: &Graph, row: &Write, call: &CallValue, receiver: &Shared) -> Option<Told> {
    match row.on {
        Target::Type => handle(graph, row, receiver).or_else(|| untyped(graph, receiver)),
        Target::Static => named(graph, receiver).or_else(|| untyped(graph, receiver)),
        Target::Model | Target::Instance => untyped(graph, receiver),
        Target::Argument => {
            let entity = row.entity.iter().flat_map(|path| graph.argument(call, path)).next()?;
            named(graph, &entity)
        }
        Target::Chain => {
            let chain = chain_calls(graph, receiver);
            let after =
                chain.iter().find(|call| row.after.as_deref().is_none_or(|name| is_called(graph, call, name)))?;
            if row.entity.is_empty() {
                return handle(graph, row, after.receiver()?).or_else(|| untyped(graph, after.receiver()?));
            }
            let entity = row.entity.iter().flat_map(|path| graph.argument(after, path)).next()?;
            named(graph, &entity)
        }
        Target::Relation | Target::Assigned => None,
    }
}

/// `Repository<User>`, where `User` comes from a module that is not in the tree.
fn handle(graph: &Graph, row: &Write, receiver: &Shared) -> Option<Told> {
    let Type::External(path, args) = graph.type_of(receiver) else { return None };
    if !row.types.iter().any(|types| types.matches(&path)) {
        return None;
    }
    match args.first() {
        Some(Type::External(path, _)) => Some(name_in(path).map_or(Told::Nothing, Told::Name)),
        None | Some(Type::Unknown) => Some(Told::Nothing),
        Some(_) => None,
    }
}

/// An entity class that was imported from a module that is not in the tree.
fn named(graph: &Graph, value: &Shared) -> Option<Told> {
    if !matches!(value.kind, ValueKind::Import(..) | ValueKind::Field(..)) {
        return None;
    }
    graph.path(value).as_deref().and_then(name_in).map(Told::Name)
}

/// `User` of `@app/entities#User`.
fn name_in(path: &str) -> Option<String> {
    let (_, name) = path.rsplit_once('#')?;
    let is_class = name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric);
    is_class.then(|| name.to_owned())
}

/// A receiver of which neither the type nor the library is known.
fn untyped(graph: &Graph, receiver: &Shared) -> Option<Told> {
    let could_be = !matches!(
        receiver.kind,
        ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_) | ValueKind::Array(_) | ValueKind::Global(_)
    );
    let nothing = |ty: &Type| match ty {
        Type::Unknown => true,
        Type::External(path, _) => matches!(path.as_str(), "global#any" | "global#unknown" | "global#object"),
        _ => false,
    };
    // A member of what a library gives is not unknown: no row describes it.
    let of_library = match &receiver.kind {
        ValueKind::Field(base, _) => {
            matches!(graph.type_of(base), Type::External(..)) && !nothing(&graph.type_of(base))
        }
        _ => false,
    };
    let ty = graph.type_of(receiver);
    let is_builtin = || ty == Type::Unknown && graph.path(receiver).is_some_and(|path| path.starts_with("global#"));
    (could_be && nothing(&ty) && !of_library && !is_builtin()).then_some(Told::Nothing)
}

/// A row that only callers can tell.
fn is_handed_in(row: &Shared) -> bool {
    match &row.kind {
        ValueKind::Param(..) => true,
        ValueKind::Object { base, entries } => {
            let spread =
                |entry: &Slot| matches!(entry, Slot::Spread(inner) if matches!(inner.kind, ValueKind::Param(..)));
            base.is_none() && entries.iter().any(spread)
        }
        _ => false,
    }
}

/// Whether a row that is written out names the property.
fn holds(row: &Shared, property: &str, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &row.kind {
        ValueKind::Object { base, entries } => {
            let named = entries.iter().any(|entry| match entry {
                Slot::Named { key, .. } => key == property,
                Slot::Spread(inner) => holds(inner, property, fuel),
                Slot::Computed { .. } => false,
            });
            named || base.as_ref().is_some_and(|base| holds(base, property, fuel))
        }
        ValueKind::Array(members) => members.iter().any(|member| {
            let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
            holds(inner, property, fuel)
        }),
        ValueKind::Cond { then, otherwise, .. } => holds(then, property, fuel) || holds(otherwise, property, fuel),
        ValueKind::Fallback { left, right, .. } => holds(left, property, fuel) || holds(right, property, fuel),
        ValueKind::And(_, right) => holds(right, property, fuel),
        ValueKind::Either(values) => values.iter().any(|value| holds(value, property, fuel)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::bench::Tree;
    use crate::sites::find;

    #[test]
    fn a_write_on_an_untyped_receiver_is_kept_as_unresolved() {
        let tree = Tree::one(
            "export function run(anything: any, id: number) {
               anything.update({ where: { id }, data: { token: 't' } });
               anything.update({ where: { id }, data: { email: 't' } });
               anything.log({ data: { token: 't' } });
             }",
        );
        let graph = tree.graph();
        let found = find(&graph, &tree.schema);
        assert_eq!(found.len(), 1);
        assert!(found[0].unresolved.is_some());
    }
}
