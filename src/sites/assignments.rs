//! Rows written column by column: diesel's `users::token.eq(value)` and tuples of them.

use std::sync::Arc;

use crate::graph::Graph;
use crate::summary::{Member, Shared, Slot, Value, ValueKind};

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
