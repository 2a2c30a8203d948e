//! Rows written column by column: diesel's `users::token.eq(value)` and tuples of them, columns and values side by side.

use std::sync::Arc;

use crate::graph::Graph;
use crate::rules::Write;
use crate::schema::Property;
use crate::sites::models::{chain_calls, is_called};
use crate::summary::{CallValue, Member, Shared, Slot, Value, ValueKind};

/// A row written as calls of a method of its columns, as an object; `None` where it is not.
pub(super) fn assignments(graph: &Graph, row: &Shared, method: &str, fuel: u8) -> Option<Shared> {
    let fuel = fuel.checked_sub(1)?;
    let row = if matches!(row.kind, ValueKind::Object { .. }) { Arc::clone(row) } else { graph.resolved(row) };
    let object = |entries| Value::new(ValueKind::Object { base: None, entries }, row.span);
    match &row.kind {
        ValueKind::Call(call) if call.method() == Some(method) => {
            let column = call.receiver()?;
            let key = match (&column.kind, &graph.resolved(column).kind) {
                (_, ValueKind::Text(name)) | (ValueKind::Field(_, name) | ValueKind::Global(name), _) => name.clone(),
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

/// `excluded(token)` is what the insert further left would have stored in the column.
pub(super) fn excluded<'s>(
    graph: &Graph,
    properties: impl Fn(&Shared) -> &'s [Property],
    call: &CallValue,
    row: &Write,
    value: &Shared,
) -> Shared {
    let (Some(function), Some(method)) = (&row.inserted, &row.assign) else { return Arc::clone(value) };
    let chain = call.receiver().map_or_else(Vec::new, |receiver| chain_calls(graph, receiver));
    let inserted = chain.iter().find(|call| call.method() == Some("values")).and_then(|call| call.args.first());
    let Some(inserted) = inserted.map(|arg| Arc::clone(&arg.value)) else { return Arc::clone(value) };
    let by_column = assignments(graph, &inserted, method, 6);
    let stored = |column: &str| {
        if let Some(row) = &by_column {
            return Value::field(row, column, row.span);
        }
        let property = properties(&inserted).iter().find(|property| property.column == column);
        let name = property.map_or(column, |property| property.name.as_str());
        Value::field(&graph.resolved(&inserted), name, inserted.span)
    };
    replaced(graph, value, function, &stored, 6)
}

fn replaced(graph: &Graph, row: &Shared, function: &str, stored: &dyn Fn(&str) -> Shared, fuel: u8) -> Shared {
    let (Some(fuel), ValueKind::Object { base, entries }) = (fuel.checked_sub(1), &row.kind) else {
        return Arc::clone(row);
    };
    let entries = entries.iter().map(|entry| match entry {
        Slot::Named { key, key_span, value } => {
            let is_it = matches!(&value.kind, ValueKind::Call(call) if is_called(graph, call, function));
            let value = if is_it { stored(key) } else { Arc::clone(value) };
            Slot::Named { key: key.clone(), key_span: *key_span, value }
        }
        Slot::Spread(inner) => Slot::Spread(replaced(graph, inner, function, stored, fuel)),
        entry @ Slot::Computed { .. } => entry.clone(),
    });
    Value::new(ValueKind::Object { base: base.clone(), entries: entries.collect() }, row.span)
}

/// A row whose columns stand beside its values, as an object; `None` where the rule row says nothing of the kind.
pub(super) fn listed(graph: &Graph, call: &CallValue, row: &Write, value: &Shared) -> Option<Shared> {
    let slot = |column: &Shared, value: &Shared, key_span| match &graph.resolved(column).kind {
        ValueKind::Text(key) => Some(Slot::Named { key: key.clone(), key_span, value: Arc::clone(value) }),
        _ => None,
    };
    let entries: Vec<Slot> = if let Some(path) = &row.column {
        graph.argument(call, path).iter().filter_map(|column| slot(column, value, column.span)).collect()
    } else if let Some(method) = &row.columns {
        let chain = call.receiver().map_or_else(Vec::new, |receiver| chain_calls(graph, receiver));
        let columns = parts(graph, &chain.iter().find(|call| call.method() == Some(method))?.args.first()?.value);
        columns.iter().zip(&parts(graph, value)).filter_map(|(column, one)| slot(column, one, value.span)).collect()
    } else if row.pairs {
        let pairs = parts(graph, value).into_iter().map(|pair| parts(graph, &pair));
        pairs.filter_map(|pair| slot(pair.first()?, pair.get(1)?, pair.first()?.span)).collect()
    } else {
        return None;
    };
    Some(Value::new(ValueKind::Object { base: None, entries }, value.span))
}

/// The elements of an array or a tuple.
fn parts(graph: &Graph, value: &Shared) -> Vec<Shared> {
    match &graph.resolved(value).kind {
        ValueKind::Array(members) => members
            .iter()
            .map(|member| {
                let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
                Arc::clone(inner)
            })
            .collect(),
        ValueKind::Object { base: None, entries } => entries
            .iter()
            .filter_map(|entry| match entry {
                Slot::Named { value, .. } => Some(Arc::clone(value)),
                Slot::Computed { .. } | Slot::Spread(_) => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
