//! Who reads the column: fields of rows, queries that name it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::graph::Graph;
use crate::ir::{FunctionId, SqlStatement};
use crate::provenance::meaning::{Evaluator, Known};
use crate::provenance::path::{ReadKind, ReadSite};
use crate::rules::ArgBase;
use crate::schema::{ColumnId, Schema};
use crate::sites;
use crate::source::{Scope, Span};
use crate::summary::{FunctionRef, Member, Shared, Slot, ValueKind};

/// Read sites in production code, sorted by place.
pub(super) fn find(graph: &Graph, schema: &Schema, column: ColumnId) -> Vec<ReadSite> {
    let tracked = &schema.columns[column.0];
    let names: Vec<&str> = tracked.bindings.iter().map(|(id, _)| schema.models[id.0].name.as_str()).collect();
    let _limit = graph.limit(Rc::new(graph.sources.mentions(&names).into_iter().flatten().collect()));
    let evaluator =
        Evaluator { graph, schema, column, top: None, assumed: RefCell::default(), known: Known::default() };
    let mut found: BTreeMap<Span, ReadSite> = BTreeMap::new();
    for (file, unit) in graph.units() {
        if graph.sources.get(file).scope != Scope::Production {
            continue;
        }
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            let mut add = |span: Span, kind| {
                found.entry(span).or_insert_with(|| ReadSite { span, function: graph.name(function), kind });
            };
            for read in &summary.reads {
                let ValueKind::Field(base, name) = &read.kind else { continue };
                graph.refuel();
                let bound = tracked.bindings.iter().any(|(model, property)| {
                    schema.models[model.0].properties[*property].name == *name
                        && evaluator.row_model(base) == Some(*model)
                });
                if bound {
                    add(read.span, kind(graph, function));
                }
            }
            for event in &summary.calls {
                // By its shape first: hardly any call compares the column, and telling its model costs more.
                let compared = tracked.bindings.iter().find_map(|(model, property)| {
                    let property = schema.models[model.0].properties[*property].name.as_str();
                    let method = event.call.method();
                    let is_row = |at: usize| {
                        let rows = graph.rules.writes_named(Some(method.unwrap_or_default()));
                        rows.map(|row| &row.row).any(|path| {
                            path.keys.is_empty() && u32::try_from(at).is_ok_and(|at| path.base == ArgBase::Nth(at))
                        })
                    };
                    let mut args = event.call.args.iter().enumerate();
                    let (at, span) = args.find_map(|(at, arg)| Some((at, condition_on(&arg.value, property, 8)?)))?;
                    (!is_row(at)).then_some((*model, span))
                });
                graph.refuel();
                for (model, property) in &tracked.bindings {
                    let property = &schema.models[model.0].properties[*property];
                    let names = [property.name.as_str(), property.column.as_str()];
                    // By its shape first here too.
                    let shape = event.call.args.iter().any(|arg| names_one(&arg.value, names));
                    if shape {
                        let conditions = sites::compared(graph, schema, &event.call);
                        let found = conditions.iter().find(|(of, value)| of == model && names_one(value, names));
                        if let Some((_, value)) = found {
                            add(condition_on(value, names[0], 8).unwrap_or(value.span), query_kind(graph, function));
                        }
                    }
                }
                if let Some((model, span)) = compared
                    && sites::model_read(graph, schema, &event.call) == Some(model)
                {
                    add(span, query_kind(graph, function));
                }
            }
            for (text, _) in &summary.sql {
                let ValueKind::Sql(text, _) = &text.kind else { continue };
                for statement in &text.statements {
                    if let SqlStatement::Select { tables, columns, span } = statement
                        && tables.iter().any(|table| table.eq_ignore_ascii_case(&tracked.table))
                        && columns.iter().any(|name| name.eq_ignore_ascii_case(&tracked.column))
                    {
                        add(*span, ReadKind::Query);
                    }
                }
            }
        }
    }
    found.into_values().collect()
}

/// Keys of a query's options that do not select rows.
const NO_CONDITION: [&str; 8] = ["data", "select", "create", "update", "include", "orderBy", "relations", "order"];

/// Where a query's options compare the column: `{ where: { token } }`, compound keys and `AND` lists included.
fn condition_on(value: &Shared, property: &str, fuel: u8) -> Option<Span> {
    let fuel = fuel.checked_sub(1)?;
    match &value.kind {
        ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
            Slot::Named { key, key_span, .. } if key == property => Some(*key_span),
            Slot::Named { key, value, .. } if !NO_CONDITION.contains(&key.as_str()) => {
                condition_on(value, property, fuel)
            }
            Slot::Spread(inner) => condition_on(inner, property, fuel),
            Slot::Named { .. } | Slot::Computed { .. } => None,
        }),
        ValueKind::Array(members) => members.iter().find_map(|member| {
            let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
            condition_on(inner, property, fuel)
        }),
        _ => None,
    }
}

/// Whether a condition names the property (or, in a text, the column).
fn names_one(value: &Shared, names: [&str; 2]) -> bool {
    let in_text = |text: &str| {
        let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.any(|word| names.contains(&word))
    };
    match &value.kind {
        ValueKind::Text(text) => in_text(text),
        ValueKind::Concat(parts) => parts.iter().any(|part| names_one(part, names)),
        _ => condition_on(value, names[0], 8).is_some(),
    }
}

fn query_kind(graph: &Graph, function: FunctionRef) -> ReadKind {
    if kind(graph, function) == ReadKind::Guard { ReadKind::Guard } else { ReadKind::Query }
}

/// A guard by what its class is called and does: guards, strategies and middleware decide on a request.
fn kind(graph: &Graph, function: FunctionRef) -> ReadKind {
    let name = graph.name(function);
    let owner = name.split('.').next().unwrap_or("");
    let decides = ["Guard", "Strategy", "Middleware"].iter().any(|ending| owner.ends_with(ending))
        || name.ends_with(".canActivate");
    if decides { ReadKind::Guard } else { ReadKind::Service }
}
