//! Conditions that are built of what stands for columns where these are declared, and name no model: `filter(users::token.eq(x))`,
//! `filter(Column::Token.eq(x))`, `and_where(Expr::col((Users::Table, Users::Token)).eq(x))`.

use std::sync::Arc;

use crate::graph::Graph;
use crate::schema::{ColumnId, Schema, TrackedColumn};
use crate::sites::models::model_behind;
use crate::source::Span;
use crate::summary::{CallValue, Shared, Slot, ValueKind};

/// No more parts of a condition than these are looked at.
const LARGEST: usize = 400;

/// Where the condition that a call is handed compares a column.
pub(super) fn compared(graph: &Graph, schema: &Schema, call: &CallValue, column: ColumnId) -> Option<Span> {
    let method = call.method()?;
    let mut path = None;
    for row in graph.rules.condition().filter(|row| row.call.last() == Some(method)) {
        let mut parts = graph.argument(call, &row.of);
        parts.retain(|part| !matches!(part.kind, ValueKind::Function(_)));
        if parts.is_empty() {
            continue;
        }
        let path = path.get_or_insert_with(|| graph.library_path(call)).as_ref();
        if !path.is_some_and(|path| row.call.matches(path)) {
            continue;
        }
        let tracked = &schema.columns[column.0];
        let found = if row.by_key {
            let model = call.receiver().and_then(|receiver| model_behind(graph, schema, receiver));
            let is_key = |(of, at): &(crate::schema::ModelId, usize)| {
                Some(*of) == model && schema.models[of.0].properties[*at].is_key
            };
            tracked.bindings.iter().any(is_key).then_some(call.site.span)
        } else {
            parts.iter().find_map(|part| within(graph, schema, tracked, part))
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The call in a condition that is of the column.
fn within(graph: &Graph, schema: &Schema, tracked: &TrackedColumn, condition: &Shared) -> Option<Span> {
    let mut open = vec![(Arc::clone(condition), condition.span)];
    for _ in 0..LARGEST {
        let (at, around) = open.pop().filter(|_| graph.step())?;
        if stands_for(graph, schema, tracked, &at) {
            return Some(around);
        }
        match &at.kind {
            ValueKind::Function(_) => {}
            ValueKind::Call(call) => {
                // `filter(by_token(x))`
                let inner = if graph.targets(call).is_empty() { None } else { graph.expand(&at) };
                if let Some(inner) = inner.filter(|inner| !Arc::ptr_eq(inner, &at)) {
                    open.push((inner, at.span));
                    continue;
                }
                open.extend(call.receiver().map(|receiver| (Arc::clone(receiver), at.span)));
                open.extend(call.args.iter().map(|arg| (Arc::clone(&arg.value), at.span)));
            }
            ValueKind::Captured(..) => {
                let inner = graph.expand(&at).filter(|inner| !Arc::ptr_eq(inner, &at));
                open.extend(inner.map(|inner| (inner, around)));
            }
            kind => kind.each(&mut |inner| open.push((Arc::clone(inner), around))),
        }
    }
    None
}

/// Whether a value stands for the column: it is what declares it, or a name of it beside the name of its table.
fn stands_for(graph: &Graph, schema: &Schema, tracked: &TrackedColumn, value: &Shared) -> bool {
    let text = |value: &Shared| match &graph.resolved(value).kind {
        ValueKind::Text(text) => Some(text.clone()),
        _ => None,
    };
    match &value.kind {
        ValueKind::Field(..) | ValueKind::Import(..) | ValueKind::Captured(..) => {
            let resolved = graph.resolved(value);
            let ValueKind::Text(name) = &resolved.kind else { return false };
            declares(graph, schema, tracked, resolved.span)
                || name.eq_ignore_ascii_case(&tracked.column) && is_of_table(graph, tracked, value)
        }
        // `(Users::Table, Users::Token)`
        ValueKind::Object { base: None, entries } => match entries.as_slice() {
            [Slot::Named { value: table, .. }, Slot::Named { value: column, .. }] => {
                text(table).is_some_and(|table| table.eq_ignore_ascii_case(&tracked.table))
                    && text(column).is_some_and(|column| column.eq_ignore_ascii_case(&tracked.column))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether a model or a table declares the column there.
fn declares(graph: &Graph, schema: &Schema, tracked: &TrackedColumn, at: Span) -> bool {
    let by_model = tracked.bindings.iter().any(|(model, nth)| schema.models[model.0].properties[*nth].span == at);
    let mut tables = graph.module(at.file).into_iter().flat_map(|module| &module.tables);
    by_model
        || tables.any(|table| {
            let is_it = |column: &crate::ir::ColumnDecl| column.span == at && column.name == tracked.column;
            table.name.eq_ignore_ascii_case(&tracked.table) && table.columns.iter().any(is_it)
        })
}

/// Whether a value is a variant of an enum of names that has the table's too.
fn is_of_table(graph: &Graph, tracked: &TrackedColumn, value: &Shared) -> bool {
    let ValueKind::Field(base, _) = &value.kind else { return false };
    let Some(class) = graph.class_behind(base) else { return false };
    let fields = graph.unit(class.file).map(|unit| &unit.summary.fields);
    let table = fields.and_then(|fields| fields.get(&(class.id, "Table".to_owned())));
    table.is_some_and(|table| matches!(&table.kind, ValueKind::Text(name) if name.eq_ignore_ascii_case(&tracked.table)))
}
