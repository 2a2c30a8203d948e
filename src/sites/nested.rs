//! Rows written through the relations of a row: `data.accounts.create`.

use std::collections::HashSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::rules::{ArgBase, Pass};
use crate::schema::{ModelId, Schema};
use crate::sites::{Candidate, is_tracked};
use crate::summary::{CallValue, Member, Shared, Slot, Value, ValueKind};

/// Relations of relations of relations are followed this far.
const DEEPEST: u8 = 6;

/// A row is not taken apart further than into so many objects.
const MOST: usize = 500;

pub(super) fn find(graph: &Graph, schema: &Schema, outer: &Candidate, found: &mut Vec<Candidate>) {
    if schema.models[outer.model.0].properties.iter().any(|property| property.relation.is_some()) {
        below(graph, schema, outer, &outer.row, DEEPEST, found);
    }
}

fn below(graph: &Graph, schema: &Schema, outer: &Candidate, row: &Shared, fuel: u8, found: &mut Vec<Candidate>) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    for entries in objects(graph, row) {
        for (key, value) in entries {
            let Some((model, cascades)) = related(schema, outer.model, &key) else { continue };
            let mut taken: Vec<&str> = Vec::new();
            let pack = &schema.models[outer.model.0].pack;
            for rule in graph.rules.nested().filter(|rule| rule.pack == *pack && (cascades || !rule.cascades)) {
                let first = rule.key.split('.').next().unwrap_or("");
                if taken.contains(&first) && !rule.key.contains('.') {
                    continue;
                }
                let mut rows = vec![graph.resolved(&value)];
                if rule.key.is_empty() {
                    let listed = lists(&rows);
                    rows = rows.iter().flat_map(|row| members(graph, row)).collect();
                    // What a list is made of here are rows, whoever hands them in.
                    let open = |row: &Shared| matches!(row.kind, ValueKind::Param(..) | ValueKind::Field(..));
                    rows.retain(|row| matches!(row.kind, ValueKind::Object { .. }) || (listed && open(row)));
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
                    let (operation, undefined) = (rule.operation, rule.undefined);
                    let nested = Candidate { model, operation, undefined, row, called: None, ..outer.clone() };
                    below(graph, schema, &nested, &nested.row.clone(), fuel, found);
                    if is_tracked(schema, model) {
                        found.push(nested);
                    }
                }
            }
        }
    }
}

/// Whether a list is written out, on some way.
fn lists(rows: &[Shared]) -> bool {
    rows.iter().any(|row| match &row.kind {
        ValueKind::Array(items) => items.iter().any(|item| matches!(item, Member::One(_))),
        ValueKind::Cond { then, otherwise, .. } => lists(&[Arc::clone(then), Arc::clone(otherwise)]),
        _ => false,
    })
}

/// The model on the other side, and whether its rows are written with the row.
fn related(schema: &Schema, model: ModelId, property: &str) -> Option<(ModelId, bool)> {
    let property = schema.models[model.0].properties.iter().find(|p| p.name == property)?;
    let other = property.relation.as_ref()?;
    let at = schema.models.iter().position(|model| model.name == *other)?;
    Some((ModelId(at), property.cascades))
}

/// The named entries of every object that a row can be.
fn objects(graph: &Graph, row: &Shared) -> Vec<Vec<(String, Shared)>> {
    let mut all = Vec::new();
    for row in members(graph, row) {
        let mut entries = Vec::new();
        // Spreads share their objects: each is taken apart once.
        let mut seen = HashSet::new();
        let mut open = vec![row];
        while let Some(at) = open.pop() {
            if !seen.insert(Arc::as_ptr(&at)) || seen.len() > MOST {
                continue;
            }
            let ValueKind::Object { base, entries: slots } = &at.kind else { continue };
            for slot in slots {
                match slot {
                    Slot::Named { key, value, .. } => entries.push((key.clone(), value.clone())),
                    Slot::Spread(inner) => open.extend(members(graph, inner)),
                    Slot::Computed { .. } => {}
                }
            }
            open.extend(base.clone());
        }
        all.push(entries);
    }
    all
}

/// The object itself, the elements of an array, the ways of a branch.
fn members(graph: &Graph, row: &Shared) -> Vec<Shared> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![row.clone()];
    while let Some(at) = open.pop() {
        if !seen.insert(Arc::as_ptr(&at)) || seen.len() > MOST {
            continue;
        }
        let at = if matches!(at.kind, ValueKind::Object { .. }) { at } else { graph.resolved(&at) };
        match &at.kind {
            ValueKind::Array(items) => open.extend(items.iter().rev().map(Member::value).cloned()),
            ValueKind::Cond { then, otherwise, .. } => open.extend([otherwise.clone(), then.clone()]),
            ValueKind::Either(values) => open.extend(values.iter().rev().cloned()),
            ValueKind::And(_, right) => open.push(right.clone()),
            ValueKind::Undefined | ValueKind::Null => {}
            ValueKind::Call(call) => match copied(graph, call) {
                given if given.is_empty() => found.push(at),
                given => open.extend(given),
            },
            _ => found.push(at),
        }
    }
    found
}

/// What a call of a library makes an object from: `users.create({ session: { secret } })`.
fn copied(graph: &Graph, call: &CallValue) -> Vec<Shared> {
    // A list with more in it is what was put in: what it held is saved as it was.
    let grows =
        |row: &Pass| row.into.as_ref().is_some_and(|into| into.base == ArgBase::Receiver && row.from.contains(into));
    let copies = |row: &&Pass| row.key.is_none() && (row.into.is_none() || grows(row)) && row.form.is_none();
    let mut rows = graph.rules.passes_named(call.method()).filter(copies).peekable();
    if call.method().is_none() || rows.peek().is_none() {
        return Vec::new();
    }
    let Some(path) = graph.library_path(call) else { return Vec::new() };
    let Some(row) = rows.find(|row| row.call.matches(&path)) else { return Vec::new() };
    let put_in = row.from.iter().filter(|from| row.into.as_ref() != Some(*from));
    put_in.flat_map(|from| graph.argument(call, from)).collect()
}

fn key_of(graph: &Graph, row: &Shared, key: &str) -> Option<Shared> {
    if !matches!(row.kind, ValueKind::Object { .. }) {
        return None;
    }
    let value = Value::field(row, key, row.span);
    let value = if value.is_open() { value } else { graph.resolved(&value) };
    (!matches!(value.kind, ValueKind::Undefined | ValueKind::Null)).then_some(value)
}
