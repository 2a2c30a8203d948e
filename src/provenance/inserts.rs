//! A saved object -> whether saving it inserts: by the key that it carries, and by where it came from.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::provenance::calls::mint_of;
use crate::provenance::declared::{Key, declared};
use crate::provenance::meaning::Evaluator;
use crate::provenance::walk::conditions;
use crate::rules::{Operation, Undefined};
use crate::schema::{ModelId, Schema};
use crate::sites::{self, Candidate};
use crate::summary::{CallValue, Member, Shared, Slot, Value, ValueKind};

/// What an object says of the row that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// It was read from the table, or carries a key.
    Stored,
    /// It was made here, or its key was taken away.
    New,
    /// It is written out without a key.
    Keyless,
    /// It comes from elsewhere.
    Untold,
}

/// The property that is the key.
const KEY: &str = "id";

/// Whether `save(row)` inserts: a new object; an object that was read or carries its key is updated.
fn inserts(graph: &Graph, schema: &Schema, row: &Shared) -> bool {
    let told = Saved { graph, schema }.told(row, true, 40);
    matches!(told, Row::New | Row::Keyless)
}

/// Whether a model's rows come and go, as sessions do, where a user has but one of himself.
pub(super) fn is_one_of_many(graph: &Graph, schema: &Schema, model: ModelId) -> bool {
    let model = &schema.models[model.0];
    let names = || [model.name.as_str(), model.table.as_str()].into_iter();
    let columns = || model.properties.iter().map(|property| property.column.as_str());
    let is_user = graph.rules.bearer().any(|row| names().any(|name| row.is_table(name)) || row.has_column(columns()));
    !is_user || graph.rules.bearer().any(|row| names().any(|name| row.is_session(name)))
}

/// The rows that a write with this one writes: itself, or those of its model below it. With what is done with each, and with what
/// is undefined in it. Rows that stand under a condition which constants decide the other way are not written.
pub(super) fn rows_written(
    graph: &Graph,
    schema: &Schema,
    candidate: &Candidate,
    row: &Shared,
    evaluator: &Evaluator,
) -> Vec<(Operation, Undefined, Shared)> {
    let is_there = |nested: &Candidate| {
        conditions(&nested.guards).iter().all(|(cond, holds)| evaluator.holds(cond, 20) != Some(!holds))
    };
    let rows = match sites::below(graph, schema, candidate, row) {
        Some(below) => {
            below.rows.into_iter().filter(is_there).map(|row| (row.operation, row.undefined, row.row)).collect()
        }
        None => vec![(candidate.operation, candidate.undefined, Arc::clone(row))],
    };
    let mut all = Vec::new();
    for (operation, undefined, row) in rows {
        if operation != Operation::Save {
            all.push((operation, undefined, row));
            continue;
        }
        all.extend(saved(graph, schema, &row).into_iter().map(|(operation, row)| match operation {
            // What a new object holds as undefined is left out.
            Operation::Insert => (operation, Undefined::Skip, row),
            _ => (operation, undefined, row),
        }));
    }
    all
}

/// What `save(row)` does, and with which row: a row that was read or else made (`(await find(id)) ?? create()`) does both.
fn saved(graph: &Graph, schema: &Schema, row: &Shared) -> Vec<(Operation, Shared)> {
    if let Some((new, stored)) = (Saved { graph, schema }).apart(row, 8) {
        return vec![(Operation::Insert, new), (Operation::Update, stored)];
    }
    let operation = if inserts(graph, schema, row) { Operation::Insert } else { Operation::Update };
    vec![(operation, Arc::clone(row))]
}

struct Saved<'g, 'a> {
    graph: &'g Graph<'a>,
    schema: &'g Schema,
}

impl Saved<'_, '_> {
    /// `always`: not only on one of several ways, so that a key that comes from anywhere counts.
    fn told(&self, row: &Shared, always: bool, fuel: u8) -> Row {
        let Some(fuel) = fuel.checked_sub(1).filter(|_| self.graph.step()) else { return Row::Untold };
        match &row.kind {
            ValueKind::Object { base, entries } => {
                let mut told = Row::Keyless;
                for entry in entries.iter().rev() {
                    let one = match entry {
                        Slot::Named { key, value, .. } if key == KEY => self.keyed(value, always, fuel),
                        Slot::Spread(inner) => self.told(inner, always, fuel),
                        Slot::Named { .. } | Slot::Computed { .. } => Row::Keyless,
                    };
                    told = told.else_of(one);
                }
                match base {
                    Some(base) if !told.is_settled() => told.else_of(self.told(base, always, fuel)),
                    _ => told,
                }
            }
            ValueKind::Call(call) if call.is_new => Row::New,
            ValueKind::Call(call) => self.result(row, call, always, fuel),
            ValueKind::Rest(_, except) if except.iter().any(|key| key == KEY) => Row::New,
            ValueKind::Rest(base, _) | ValueKind::Subset(base, _) => self.told(base, always, fuel),
            ValueKind::Cond { then, otherwise, .. } => {
                let then = self.told(then, false, fuel);
                if then.is_settled() { then } else { then.else_of(self.told(otherwise, false, fuel)) }
            }
            ValueKind::Fallback { left, right, .. } => {
                let left = self.told(left, always, fuel);
                if left.is_settled() { left } else { left.else_of(self.told(right, always, fuel)) }
            }
            ValueKind::And(_, right) => self.told(right, always, fuel),
            ValueKind::Either(values) => {
                // A list that a loop fills is empty where the loop does not run.
                let is_empty = |value: &&Shared| matches!(&value.kind, ValueKind::Array(members) if members.is_empty());
                let filled: Vec<&Shared> = values.iter().filter(|value| !is_empty(value)).collect();
                match filled.as_slice() {
                    [only] => self.told(only, always, fuel),
                    several => self.first(several.iter().copied(), false, fuel),
                }
            }
            ValueKind::Array(members) => self.first(members.iter().map(Member::value), always, fuel),
            ValueKind::Undefined | ValueKind::Null => Row::Keyless,
            // What was saved has its key.
            ValueKind::After { call, arg: Some(_), .. } if self.saves(call) => Row::Stored,
            ValueKind::After { before, .. } => match self.graph.expand(row) {
                Some(inner) if !Arc::ptr_eq(&inner, row) => self.told(&inner, always, fuel),
                _ => self.told(before, always, fuel),
            },
            _ => match self.graph.expand(row) {
                Some(inner) if !Arc::ptr_eq(&inner, row) => self.told(&inner, always, fuel),
                _ => self.declared(row),
            },
        }
    }

    /// What is handed in: a DTO whose class has no key is no row that was read.
    fn declared(&self, row: &Shared) -> Row {
        let is_row = match self.graph.type_of(row) {
            Type::Instance(class, _) => sites::model_of_class(self.graph, self.schema, class).is_some(),
            _ => true,
        };
        let lacks_key = !is_row && declared(self.graph, row, KEY) == Some(Key::Absent);
        if lacks_key { Row::Keyless } else { Row::Untold }
    }

    /// The row where it is made here, and where it was read, if it can be both.
    fn apart(&self, row: &Shared, fuel: u8) -> Option<(Shared, Shared)> {
        let fuel = fuel.checked_sub(1).filter(|_| self.graph.step())?;
        let with = |base: Shared| match &row.kind {
            ValueKind::Object { entries, .. } => {
                Value::new(ValueKind::Object { base: Some(base), entries: entries.clone() }, row.span)
            }
            ValueKind::After { call, arg, .. } => {
                let call = Arc::clone(call);
                Value::new(ValueKind::After { call, arg: *arg, before: base }, row.span)
            }
            _ => base,
        };
        match &row.kind {
            ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } => {
                let (new, stored) = self.apart(base, fuel)?;
                Some((with(new), with(stored)))
            }
            ValueKind::Fallback { left, right, .. } | ValueKind::Cond { then: left, otherwise: right, .. } => {
                let is_new = |value: &Shared| {
                    matches!(self.told(value, false, 20), Row::New | Row::Keyless)
                        && matches!(value.kind, ValueKind::Call(_) | ValueKind::Object { .. } | ValueKind::After { .. })
                };
                let is_read = |value: &Shared| sites::is_read(self.graph, self.schema, value);
                if is_read(left) && is_new(right) {
                    Some((Arc::clone(right), Arc::clone(left)))
                } else if is_read(right) && is_new(left) {
                    Some((Arc::clone(left), Arc::clone(right)))
                } else {
                    None
                }
            }
            // `[row, next].map((one) => repository.save(one))`
            ValueKind::Either(values) => {
                let told = |value: &Shared| self.told(value, false, 20);
                let is_new = |value: &Shared| matches!(told(value), Row::New | Row::Keyless);
                let (new, stored): (Vec<Shared>, Vec<Shared>) = values.iter().cloned().partition(is_new);
                let one_of = |values| Value::new(ValueKind::Either(values), row.span);
                let is_both = !new.is_empty() && stored.iter().any(|value| told(value) == Row::Stored);
                is_both.then(|| (one_of(new), one_of(stored)))
            }
            ValueKind::Captured(..) | ValueKind::Leaves(..) | ValueKind::Element(_) => {
                self.apart(&self.graph.expand(row)?, fuel)
            }
            _ => None,
        }
    }

    /// Whether a call saves what it is handed.
    fn saves(&self, call: &CallValue) -> bool {
        let Some(receiver) = call.receiver() else { return false };
        let mut rows = self.graph.rules.writes_named(call.method()).filter(|row| row.operation == Operation::Save);
        let handle = match self.graph.type_of(receiver) {
            Type::External(path, _) => path,
            Type::Instance(class, _) => self.graph.base_path(class).unwrap_or_default(),
            _ => return false,
        };
        let path = self.graph.callee_path(call).unwrap_or_default();
        rows.any(|row| {
            row.types.iter().any(|types| types.matches(&handle))
                || row.call.module().is_some() && row.call.matches(&path)
        })
    }

    fn first<'v>(&self, values: impl Iterator<Item = &'v Shared>, always: bool, fuel: u8) -> Row {
        let mut told = Row::Keyless;
        for value in values {
            told = told.else_of(self.told(value, always, fuel));
            if told.is_settled() {
                break;
            }
        }
        told
    }

    fn result(&self, row: &Shared, call: &CallValue, always: bool, fuel: u8) -> Row {
        if sites::model_read(self.graph, self.schema, call).is_some() {
            return Row::Stored;
        }
        let path = self.graph.callee_path(call);
        let pass = path.as_ref().and_then(|path| self.graph.rules.passes_matching(path).find(|row| row.key.is_none()));
        if let Some(pass) = pass {
            let given: Vec<Shared> = pass.from.iter().flat_map(|path| self.graph.argument(call, path)).collect();
            // Of what is merged, the last that has a key gives it.
            let count = if pass.merge { given.len() } else { 1 };
            let mut told = Row::Keyless;
            for value in given.iter().take(count).rev() {
                told = told.else_of(self.told(value, always, fuel));
                if told.is_settled() {
                    return told;
                }
            }
            // `repository.create(x)` makes a new row, whatever `x` turns out to be.
            if pass.constructs || !given.is_empty() && call.method() == Some("create") {
                return Row::New;
            }
            if !given.is_empty() {
                return told;
            }
        }
        match self.graph.expand(row) {
            Some(inner) if !Arc::ptr_eq(&inner, row) => self.told(&inner, always, fuel),
            _ => Row::Untold,
        }
    }

    /// What the value of the key says.
    fn keyed(&self, value: &Shared, always: bool, fuel: u8) -> Row {
        let Some(fuel) = fuel.checked_sub(1) else { return Row::Stored };
        let value = self.graph.resolved(value);
        match &value.kind {
            ValueKind::Undefined | ValueKind::Null => Row::New,
            // A key that is made here is of a new row.
            ValueKind::Call(call) if mint_of(self.graph, call).is_some() => Row::New,
            ValueKind::Field(base, _) if sites::is_read(self.graph, self.schema, base) => Row::Stored,
            ValueKind::Fallback { left, right, .. } | ValueKind::Cond { then: left, otherwise: right, .. } => {
                self.one_of(&[Arc::clone(left), Arc::clone(right)], always, fuel)
            }
            ValueKind::Either(values) if !values.is_empty() => self.one_of(values, always, fuel),
            ValueKind::And(_, right) => self.keyed(right, always, fuel),
            _ if always => Row::Stored,
            _ => Row::Keyless,
        }
    }

    /// The key is one of several values: of a stored row where any is.
    fn one_of(&self, values: &[Shared], always: bool, fuel: u8) -> Row {
        let told: Vec<Row> = values.iter().map(|value| self.keyed(value, false, fuel)).collect();
        if told.contains(&Row::Stored) {
            Row::Stored
        } else if told.iter().all(|told| *told == Row::New) {
            Row::New
        } else if always {
            Row::Stored
        } else {
            Row::Keyless
        }
    }
}

impl Row {
    fn is_settled(self) -> bool {
        matches!(self, Self::Stored | Self::New)
    }

    /// What stands first settles it; else what stands below.
    fn else_of(self, below: Self) -> Self {
        match (self, below) {
            (told, _) if told.is_settled() => told,
            (_, below) if below.is_settled() => below,
            (Self::Untold, _) | (_, Self::Untold) => Self::Untold,
            _ => Self::Keyless,
        }
    }
}
