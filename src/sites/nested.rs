//! Rows written through the relations of a row: `data.accounts.create`.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::graph::Graph;
use crate::rules::{ArgBase, Pass};
use crate::schema::{ModelId, Schema};
use crate::sites::{Below, Candidate, is_read, is_tracked};
use crate::summary::{CallValue, Guard, Guards, Member, Shared, Slot, Value, ValueKind};

/// Relations of relations of relations are followed this far.
const DEEPEST: u8 = 6;

/// A row is not taken apart further than into so many objects.
const MOST: usize = 500;

/// Rows of tracked models below one row are looked for through so many relations where callers hand them in.
const DEEPEST_HANDED: u8 = 2;

pub(super) fn find(graph: &Graph, schema: &Schema, outer: &Candidate, found: &mut Vec<Candidate>) {
    let mut search = Search { graph, schema, rows: Vec::new(), open: Vec::new() };
    search.below(outer, &outer.row, DEEPEST);
    let Search { rows, open, .. } = search;
    found.extend(rows.into_iter().filter(|nested| is_tracked(schema, nested.model)));
    for (of, row) in open {
        let models = related_to(graph, schema, of).into_iter().filter(|model| is_tracked(schema, *model));
        found.extend(models.map(|model| Candidate {
            model,
            within: Some(of),
            row: Arc::clone(&row),
            called: None,
            ..outer.clone()
        }));
    }
}

/// What a candidate whose row is of the model `outer` writes of its own model, each under what the row itself puts it.
pub(super) fn below(graph: &Graph, schema: &Schema, candidate: &Candidate, outer: ModelId, row: &Shared) -> Below {
    let mut search = Search { graph, schema, rows: Vec::new(), open: Vec::new() };
    search.below(&Candidate { model: outer, guards: None, ..candidate.clone() }, row, DEEPEST);
    let Search { mut rows, open, .. } = search;
    rows.retain(|nested| nested.model == candidate.model);
    Below { rows, is_open: !open.is_empty() }
}

/// The models of which rows can be written with one of the model.
fn related_to(graph: &Graph, schema: &Schema, model: ModelId) -> BTreeSet<ModelId> {
    let mut seen = BTreeSet::new();
    let mut layer = vec![model];
    for _ in 0..DEEPEST_HANDED {
        let next: Vec<ModelId> = layer.iter().flat_map(|model| written_with(graph, schema, *model)).collect();
        layer = next.into_iter().filter(|model| seen.insert(*model)).collect();
    }
    seen
}

/// The untracked models with whose rows those of a tracked one are written.
pub(super) fn around_tracked(graph: &Graph, schema: &Schema) -> Vec<ModelId> {
    let models = (0..schema.models.len()).map(ModelId).filter(|model| !is_tracked(schema, *model));
    let has = |model: &ModelId| written_with(graph, schema, *model).iter().any(|below| is_tracked(schema, *below));
    models.filter(has).collect()
}

/// The models of which rows stand right below one of the model.
fn written_with(graph: &Graph, schema: &Schema, model: ModelId) -> Vec<ModelId> {
    let of = &schema.models[model.0];
    let any = |cascades| graph.rules.nested().any(|rule| rule.pack == of.pack && (cascades || !rule.cascades));
    let properties = of.properties.iter().filter(|property| property.relation.is_some());
    let related = properties.filter_map(|property| related(schema, model, &property.name));
    related.filter(|(_, cascades)| any(*cascades)).map(|(model, _)| model).collect()
}

struct Search<'s, 'a> {
    graph: &'s Graph<'a>,
    schema: &'s Schema,
    rows: Vec<Candidate>,
    /// What may have such rows, but only callers can tell, and the model that it is a row of.
    open: Vec<(ModelId, Shared)>,
}

impl Search<'_, '_> {
    fn below(&mut self, outer: &Candidate, row: &Shared, fuel: u8) {
        let (graph, schema) = (self.graph, self.schema);
        let Some(fuel) = fuel.checked_sub(1) else { return };
        if schema.models[outer.model.0].properties.iter().all(|property| property.relation.is_none()) {
            return;
        }
        let Objects { named, open } = objects(graph, row, &outer.guards);
        self.open.extend(open.into_iter().map(|part| (outer.model, part)));
        for (key, value, guards) in named.into_iter().flatten() {
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
                    // What was read and put there as it was is not made with the row.
                    rows.retain(|row| rule.cascades || !is_read(graph, schema, root(row)));
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
                    let guards = guards.clone();
                    let nested = Candidate { model, operation, undefined, row, guards, called: None, ..outer.clone() };
                    self.below(&nested, &nested.row.clone(), fuel);
                    self.rows.push(nested);
                }
            }
            if members(graph, &value).iter().any(is_handed_in) {
                let span = value.span;
                let entries = vec![Slot::Named { key, key_span: span, value }];
                self.open.push((outer.model, Value::new(ValueKind::Object { base: None, entries }, span)));
            }
        }
    }
}

/// The object that others were put on top of.
fn root(row: &Shared) -> &Shared {
    let mut at = row;
    while let ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } = &at.kind {
        at = base;
    }
    at
}

/// Whether callers hand a value in.
fn is_handed_in(value: &Shared) -> bool {
    !matches!(value.kind, ValueKind::Object { .. }) && value.is_open()
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

/// What is known of a row.
struct Objects {
    /// The named entries of every object that it can be, with what holds where they are there.
    named: Vec<Vec<(String, Shared, Guards)>>,
    /// The parts of it that callers hand in.
    open: Vec<Shared>,
}

fn objects(graph: &Graph, row: &Shared, under: &Guards) -> Objects {
    let mut all = Objects { named: Vec::new(), open: Vec::new() };
    for (row, guards) in ways(graph, row, under) {
        let mut entries = Vec::new();
        // Spreads share their objects: each is taken apart once.
        let mut seen = HashSet::new();
        let mut open = vec![(row, guards)];
        while let Some((at, guards)) = open.pop() {
            if !seen.insert(Arc::as_ptr(&at)) || seen.len() > MOST {
                continue;
            }
            let ValueKind::Object { base, entries: slots } = &at.kind else {
                all.open.extend(is_handed_in(&at).then_some(at));
                continue;
            };
            for slot in slots {
                match slot {
                    Slot::Named { key, value, .. } => entries.push((key.clone(), value.clone(), guards.clone())),
                    Slot::Spread(inner) => open.extend(ways(graph, inner, &guards)),
                    Slot::Computed { .. } => {}
                }
            }
            open.extend(base.clone().map(|base| (base, guards)));
        }
        all.named.push(entries);
    }
    all
}

/// The object itself, the elements of an array, the ways of a branch.
fn members(graph: &Graph, row: &Shared) -> Vec<Shared> {
    ways(graph, row, &None).into_iter().map(|(row, _)| row).collect()
}

/// As [`members`], each with what holds (or fails) where it is that.
fn ways(graph: &Graph, row: &Shared, under: &Guards) -> Vec<(Shared, Guards)> {
    let mut found: Vec<(Shared, Guards)> = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![(row.clone(), under.clone())];
    while let Some((at, guards)) = open.pop() {
        if !seen.insert(Arc::as_ptr(&at)) || seen.len() > MOST {
            // What more than one way leads to is there whatever holds.
            for (_, guards) in &mut found {
                guards.clone_from(under);
            }
            continue;
        }
        let at = if matches!(at.kind, ValueKind::Object { .. }) { at } else { graph.resolved(&at) };
        let when = |cond: &Shared, holds| {
            Some(Arc::new(Guard { cond: Arc::clone(cond), holds, throws: false, outer: guards.clone() }))
        };
        match &at.kind {
            ValueKind::Array(items) => {
                open.extend(items.iter().rev().map(|item| (item.value().clone(), guards.clone())));
            }
            ValueKind::Cond { cond, then, otherwise } => {
                open.extend([(otherwise.clone(), when(cond, false)), (then.clone(), when(cond, true))]);
            }
            ValueKind::Either(values) => open.extend(values.iter().rev().map(|value| (value.clone(), guards.clone()))),
            ValueKind::And(left, right) => open.push((right.clone(), when(left, true))),
            ValueKind::Undefined | ValueKind::Null => {}
            ValueKind::Call(call) => match copied(graph, call) {
                given if given.is_empty() => found.push((at, guards)),
                given => open.extend(given.into_iter().map(|value| (value, guards.clone()))),
            },
            _ => found.push((at, guards)),
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
