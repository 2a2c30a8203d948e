//! Rows written through the relations of a row: `data.accounts.create`.

use crate::graph::Graph;
use crate::schema::{ModelId, Schema};
use crate::sites::{Candidate, is_tracked};
use crate::summary::{Member, Shared, Slot, Value, ValueKind};

/// Relations of relations of relations are followed this far.
const DEEPEST: u8 = 6;

pub(super) fn find(graph: &Graph, schema: &Schema, outer: &Candidate, found: &mut Vec<Candidate>) {
    below(graph, schema, outer, &outer.row, DEEPEST, found);
}

fn below(graph: &Graph, schema: &Schema, outer: &Candidate, row: &Shared, fuel: u8, found: &mut Vec<Candidate>) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    for entries in objects(graph, row) {
        for (key, value) in entries {
            let Some(model) = related(schema, outer.model, &key) else { continue };
            let mut taken: Vec<&str> = Vec::new();
            let pack = &schema.models[outer.model.0].pack;
            for rule in graph.rules.nested().filter(|rule| rule.pack == *pack) {
                let first = rule.key.split('.').next().unwrap_or("");
                if taken.contains(&first) && !rule.key.contains('.') {
                    continue;
                }
                let mut rows = vec![graph.resolved(&value)];
                if rule.key.is_empty() {
                    rows = rows.iter().flat_map(|row| members(graph, row)).collect();
                    rows.retain(|row| matches!(row.kind, ValueKind::Object { .. }));
                }
                for key in rule.key.split('.').filter(|key| !key.is_empty()) {
                    rows = rows
                        .iter()
                        .flat_map(|row| members(graph, row))
                        .filter_map(|row| key_of(graph, &row, key))
                        .collect();
                }
                if !rows.is_empty() {
                    taken.push(first);
                }
                for row in rows {
                    let nested =
                        Candidate { model, operation: rule.operation, undefined: rule.undefined, row, ..outer.clone() };
                    below(graph, schema, &nested, &nested.row.clone(), fuel, found);
                    if is_tracked(schema, model) {
                        found.push(nested);
                    }
                }
            }
        }
    }
}

fn related(schema: &Schema, model: ModelId, property: &str) -> Option<ModelId> {
    let property = schema.models[model.0].properties.iter().find(|p| p.name == property)?;
    let other = property.relation.as_ref()?;
    schema.models.iter().position(|model| model.name == *other).map(ModelId)
}

/// The named entries of every object that a row can be.
fn objects(graph: &Graph, row: &Shared) -> Vec<Vec<(String, Shared)>> {
    members(graph, row)
        .into_iter()
        .filter_map(|row| match &row.kind {
            ValueKind::Object { entries, .. } => Some(
                entries
                    .iter()
                    .flat_map(|entry| match entry {
                        Slot::Named { key, value, .. } => vec![(key.clone(), value.clone())],
                        Slot::Spread(inner) => objects(graph, inner).into_iter().flatten().collect(),
                        Slot::Computed { .. } => Vec::new(),
                    })
                    .collect(),
            ),
            _ => None,
        })
        .collect()
}

/// The object itself, the elements of an array, the ways of a branch.
fn members(graph: &Graph, row: &Shared) -> Vec<Shared> {
    let row = if matches!(row.kind, ValueKind::Object { .. }) { row.clone() } else { graph.resolved(row) };
    match &row.kind {
        ValueKind::Array(items) => items
            .iter()
            .flat_map(|item| match item {
                Member::One(inner) | Member::Each(inner) | Member::Spread(inner) => members(graph, inner),
            })
            .collect(),
        ValueKind::Cond { then, otherwise, .. } => {
            members(graph, then).into_iter().chain(members(graph, otherwise)).collect()
        }
        ValueKind::Either(values) => values.iter().flat_map(|value| members(graph, value)).collect(),
        ValueKind::And(_, right) => members(graph, right),
        ValueKind::Undefined | ValueKind::Null => Vec::new(),
        _ => vec![row],
    }
}

fn key_of(graph: &Graph, row: &Shared, key: &str) -> Option<Shared> {
    if !matches!(row.kind, ValueKind::Object { .. }) {
        return None;
    }
    let value = Value::field(row, key, row.span);
    let value = if value.is_open() { value } else { graph.resolved(&value) };
    (!matches!(value.kind, ValueKind::Undefined | ValueKind::Null)).then_some(value)
}
