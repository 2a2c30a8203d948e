//! What a save of several rows writes, apart by model and by whether a row is new.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::Graph;
use crate::rules::{Operation, Write};
use crate::schema::{ModelId, Schema};
use crate::sites::models::{instance_of, made_by};
use crate::summary::{Member, Shared, Value, ValueKind};

/// `save([user, token])`: the rows of each model by themselves, and those that are made apart from those that were read.
pub(super) fn apart(
    graph: &Graph,
    schema: &Schema,
    row: &Write,
    model: ModelId,
    value: Shared,
) -> Vec<(ModelId, Shared)> {
    let values: Vec<Shared> = match &value.kind {
        ValueKind::Array(members) => members.iter().map(|member| Arc::clone(member.value())).collect(),
        ValueKind::Either(values) => values.clone(),
        _ => Vec::new(),
    };
    let is_list = |value: &Value| matches!(&value.kind, ValueKind::Array(members) if members.iter().any(|member| matches!(member, Member::Spread(_))));
    if row.operation != Operation::Save || values.len() < 2 || is_list(&value) {
        return vec![(model, value)];
    }
    let told_by_row = row.entity.contains(&row.row);
    let mut groups: BTreeMap<(ModelId, bool), Vec<Shared>> = BTreeMap::new();
    for value in values {
        let own = told_by_row.then(|| instance_of(graph, schema, &value)).flatten();
        groups.entry((own.unwrap_or(model), is_made(graph, schema, &value))).or_default().push(value);
    }
    if groups.len() < 2 {
        return vec![(model, value)];
    }
    let list = |values: Vec<Shared>| {
        let members = values.into_iter().map(Member::One).collect();
        Value::new(ValueKind::Array(members), value.span)
    };
    groups.into_iter().map(|((model, _), values)| (model, list(values))).collect()
}

/// Whether an object was made by the code, not read.
fn is_made(graph: &Graph, schema: &Schema, value: &Shared) -> bool {
    let mut at = Arc::clone(value);
    for _ in 0..24 {
        at = match &at.kind {
            ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } => Arc::clone(base),
            ValueKind::Call(call) if call.is_new || made_by(graph, schema, call).is_some() => return true,
            ValueKind::Captured(..) | ValueKind::Leaves(..) => match graph.expand(&at) {
                Some(next) if !Arc::ptr_eq(&next, &at) => next,
                _ => return false,
            },
            _ => return false,
        };
    }
    false
}
