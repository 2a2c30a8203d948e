//! One key of a row value: what stands under it, whether it can be absent.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::Kept;
use crate::provenance::cell::{Cell, is_handed_on};
use crate::provenance::declared::{Key, declared};
use crate::rules::ArgPath;
use crate::schema::Schema;
use crate::sites::{self, RowsRead};
use crate::summary::{ClassRef, Member, Shared, Slot, Value, ValueKind};

pub(super) struct Lookup<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub schema: &'g Schema,
    /// A property's name; with a dot where its class is embedded.
    pub key: &'g str,
}

const DEEPEST: u8 = 40;

impl Lookup<'_, '_> {
    pub(super) fn of(&self, row: &Shared) -> Cell {
        let Some((outer, inner)) = self.key.split_once('.') else { return self.at(row, DEEPEST) };
        let below = |key| Lookup { graph: self.graph, schema: self.schema, key };
        below(inner).within(below(outer).of(row), &below(outer))
    }

    /// The key below what stands under another.
    fn within(&self, cell: Cell, outer: &Lookup) -> Cell {
        match cell {
            // `user.tokens` with what was assigned to it; the rest is as it was read.
            Cell::Value { value, .. } => match (&value.kind, self.of(&value)) {
                (ValueKind::Object { base: Some(base), entries }, cell) => {
                    let is_assigned =
                        entries.iter().any(|slot| matches!(slot, Slot::Named { key, .. } if key == self.key));
                    if !is_assigned && outer.is_part_of_stored(base) { Cell::Stored } else { cell }
                }
                (_, _) if outer.is_part_of_stored(&value) => Cell::Stored,
                (_, cell) => cell,
            },
            Cell::Either(cells) => {
                Cell::Either(cells.into_iter().map(|cell| self.within(cell, outer)).collect()).flat()
            }
            Cell::Over(over, under) => self.within(*over, outer).over(self.within(*under, outer)),
            other => other,
        }
    }

    /// Whether a value is what a row that was read has under this key.
    fn is_part_of_stored(&self, value: &Shared) -> bool {
        matches!(&value.kind, ValueKind::Field(row, name) if name == self.key && matches!(self.of(row), Cell::Stored))
    }

    pub(super) fn at(&self, row: &Shared, fuel: u8) -> Cell {
        let unknown = |why: &str| Cell::Unknown { why: why.to_owned(), at: row.span };
        let Some(fuel) = fuel.checked_sub(1).filter(|_| self.graph.step()) else {
            return unknown("the row is built in too many steps to follow");
        };
        match &row.kind {
            ValueKind::Object { .. } if let Some(set) = self.graph.with_setters(row) => self.at(&set, fuel),
            ValueKind::Object { base, entries } => self.entries(base.as_ref(), entries, fuel),
            ValueKind::Cond { cond, then, otherwise } if self.constant(cond).is_some() => {
                self.at(if self.constant(cond) == Some(true) { then } else { otherwise }, fuel)
            }
            ValueKind::And(left, right) if self.constant(left).is_some() => {
                if self.constant(left) == Some(true) {
                    self.at(right, fuel)
                } else {
                    Cell::Absent
                }
            }
            ValueKind::Cond { cond, then, otherwise } => {
                Cell::by(self.graph, cond, self.at(then, fuel), self.at(otherwise, fuel))
            }
            ValueKind::And(left, right) => Cell::by(self.graph, left, self.at(right, fuel), Cell::Absent),
            ValueKind::Fallback { left, right, .. } => {
                Cell::Either(vec![self.at(left, fuel), self.at(right, fuel)]).flat()
            }
            ValueKind::Either(values) => Cell::Either(values.iter().map(|value| self.at(value, fuel)).collect()).flat(),
            ValueKind::Array(members) => {
                let cells = members.iter().map(|member| {
                    let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
                    self.at(inner, fuel)
                });
                Cell::Either(cells.collect()).flat()
            }
            ValueKind::Rest(_, except) if except.iter().any(|key| key == self.key) => Cell::Absent,
            ValueKind::Rest(base, _) => self.at(base, fuel),
            ValueKind::Subset(base, kept) => match (self.at(base, fuel), kept) {
                (Cell::Value { value, key }, Kept::There) => Cell::Given { asked: Arc::clone(&value), value, key },
                (cell, _) => Cell::Either(vec![cell, Cell::Absent]).flat(),
            },
            ValueKind::Undefined | ValueKind::Null | ValueKind::Bool(_) | ValueKind::Number(_) | ValueKind::Text(_) => {
                Cell::Absent
            }
            ValueKind::Call(_) | ValueKind::Field(..) if let Some(cell) = self.checked(row, fuel) => cell,
            ValueKind::Call(call) => self.call(row, call, fuel),
            ValueKind::Opaque(why, _) => unknown(why),
            ValueKind::After { call, arg, before } => {
                let left = match self.graph.expand(row) {
                    Some(inner) if !Arc::ptr_eq(&inner, row) => self.at(&inner, fuel),
                    _ => self.at(before, fuel),
                };
                // What a function does that is handed in, only callers can tell.
                let is_handed_in = arg.is_some() && matches!(call.callee.kind, ValueKind::Param(..));
                if is_handed_in && self.graph.targets(call).is_empty() {
                    return Cell::Over(Box::new(Cell::Open(Arc::clone(row))), Box::new(left));
                }
                if left.is_definite() {
                    return left;
                }
                match self.graph.may_change(call, *arg) {
                    Some(name) => {
                        let why = format!("{name} is handed the object and is not followed");
                        Cell::Over(Box::new(Cell::Unknown { why, at: call.site.span }), Box::new(left))
                    }
                    None => left,
                }
            }
            // A field of an object that a method ran on: what the method left in it.
            ValueKind::Field(base, _)
                if matches!(base.kind, ValueKind::After { .. })
                    && let Some(inner) = self.graph.expand(row)
                    && !Arc::ptr_eq(&inner, row) =>
            {
                self.at(&inner, fuel)
            }
            // A field of an object that was made here, and changed by methods that hand it back: `new Builder().withToken(token).user`.
            ValueKind::Field(base, _)
                if let Some((made, class)) = self.made_in_chain(base)
                    && let Some(inner) = self.graph.expand(row) =>
            {
                self.at(&self.unset(&inner, &made, class, 8), fuel)
            }
            ValueKind::Field(..) | ValueKind::Element(_) | ValueKind::Index(..)
                if !self.graph.is_rust(row.span.file)
                    && let Some(rows) = sites::rows_behind(self.graph, self.schema, row) =>
            {
                self.stored(&rows)
            }
            ValueKind::Param(..) => match self.stored_or_shaped(row) {
                // A caller may hand over a narrower object than the parameter's type says.
                Some(Cell::Absent) => Cell::Absent,
                _ => Cell::Open(Arc::clone(row)),
            },
            ValueKind::Captured(..) | ValueKind::Leaves(..) => self.behind(row, fuel),
            ValueKind::Field(..) | ValueKind::Element(_) | ValueKind::Index(..)
                if self.graph.is_rust(row.span.file)
                    && let Some(inner) = self.graph.expand(row)
                    && !Arc::ptr_eq(&inner, row) =>
            {
                self.told_by_type(row, self.at(&inner, fuel))
            }
            _ => {
                if let Some(cell) = self.stored_or_shaped(row)
                    && !matches!(cell, Cell::Value { .. })
                {
                    return cell;
                }
                match self.graph.expand(row) {
                    Some(inner) if !Arc::ptr_eq(&inner, row) => self.at(&inner, fuel),
                    _ if row.is_open() => Cell::Open(Arc::clone(row)),
                    _ => self.shaped(row).unwrap_or_else(|| unknown("an object whose keys cannot be told")),
                }
            }
        }
    }

    /// A variable as code around left it; where that leads nowhere, its type.
    fn behind(&self, row: &Shared, fuel: u8) -> Cell {
        let found = match self.graph.expand(row) {
            Some(inner) if !Arc::ptr_eq(&inner, row) => self.at(&inner, fuel),
            _ if row.is_open() => Cell::Open(Arc::clone(row)),
            _ => Cell::Unknown { why: "an object whose keys cannot be told".to_owned(), at: row.span },
        };
        self.told_by_type(row, found)
    }

    /// What was found; where that is nothing, or what a library makes of a callback, what the row's type says.
    fn told_by_type(&self, row: &Shared, found: Cell) -> Cell {
        match &found {
            Cell::Unknown { .. } => self.stored_or_shaped(row).unwrap_or(found),
            Cell::Open(value) if self.graph.is_rust(row.span.file) && !matches!(value.kind, ValueKind::Param(..)) => {
                match self.stored_or_shaped(row) {
                    Some(Cell::Stored) => Cell::Stored,
                    _ => found,
                }
            }
            _ => found,
        }
    }

    fn entries(&self, base: Option<&Shared>, entries: &[Slot], fuel: u8) -> Cell {
        let Some((last, before)) = entries.split_last() else {
            return base.map_or(Cell::Absent, |base| self.at(base, fuel));
        };
        match last {
            Slot::Named { key, key_span, value }
                if key == self.key && !base.is_some_and(|base| is_handed_on(base, last)) =>
            {
                Cell::Value { value: Arc::clone(value), key: *key_span }
            }
            Slot::Named { .. } => self.entries(base, before, fuel),
            Slot::Computed { key, value } => {
                if let Some(names) = self.constants(key) {
                    let rest = self.entries(base, before, fuel);
                    if !names.iter().any(|name| name == self.key) {
                        return rest;
                    }
                    let cell = Cell::Value { value: Arc::clone(value), key: key.span };
                    if names.len() == 1 {
                        return cell;
                    }
                    return Cell::Either(vec![cell, rest]).flat();
                }
                let unknown = Cell::Unknown { why: "a key that is computed at run time".to_owned(), at: key.span };
                Cell::Either(vec![unknown, self.entries(base, before, fuel)]).flat()
            }
            Slot::Spread(inner) => {
                let first = self.at(inner, fuel);
                if matches!(first, Cell::Absent) {
                    return self.entries(base, before, fuel);
                }
                if first.is_definite() {
                    return first;
                }
                Cell::Over(Box::new(first), Box::new(self.entries(base, before, fuel)))
            }
        }
    }

    /// What rows that were read have under the key.
    fn stored(&self, rows: &RowsRead) -> Cell {
        if rows.lack(self.graph, self.key) { Cell::Absent } else { Cell::Stored }
    }

    fn call(&self, row: &Shared, call: &crate::summary::CallValue, fuel: u8) -> Cell {
        if call.is_new {
            return self.made(row, call, fuel);
        }
        if let Some(rows) = sites::rows_read(self.graph, self.schema, call).filter(RowsRead::is_of_one_table) {
            return self.stored(&rows);
        }
        if !self.graph.targets(call).is_empty() {
            if let Some(inner) = self.graph.expand(row) {
                return self.told_by_type(row, self.at(&inner, fuel));
            }
            return self
                .stored_or_shaped(row)
                .unwrap_or_else(|| Cell::Unknown { why: "a function that returns nothing".into(), at: row.span });
        }
        if let Some(path) = self.graph.callee_path(call) {
            for pass in self.graph.rules.passes_matching(&path).filter(|pass| pass.key.is_none()) {
                let leaves_out = |path: &Option<ArgPath>, wanted: bool| {
                    let path = path.as_ref().filter(|path| !self.graph.argument(call, path).is_empty());
                    path.map(|path| {
                        self.names(call, path).map(|names| names.iter().any(|name| name == self.key) != wanted)
                    })
                };
                match (leaves_out(&pass.only, true), leaves_out(&pass.except, false)) {
                    (Some(Some(true)), _) | (_, Some(Some(true))) => return Cell::Absent,
                    (Some(None), _) | (_, Some(None)) => {
                        let why = "an object whose keys are named where that cannot be told".to_owned();
                        return Cell::Unknown { why, at: row.span };
                    }
                    _ => {}
                }
                let cells: Vec<Cell> = pass
                    .from
                    .iter()
                    .flat_map(|path| self.graph.argument(call, path))
                    .map(|value| self.at(&value, fuel))
                    .collect();
                if pass.constructs || !cells.is_empty() && !pass.merge {
                    let given = if cells.is_empty() { Cell::Absent } else { Cell::Either(cells).flat() };
                    return match self.graph.type_of(row) {
                        Type::Instance(class, _) if pass.constructs => given.over(self.initial(class)),
                        _ => given,
                    };
                }
                if !cells.is_empty() {
                    // Later arguments win over earlier ones, as in `Object.assign` and `repository.merge`.
                    let mut cells = cells.into_iter().rev();
                    let last = cells.next().unwrap_or(Cell::Absent);
                    return cells.fold(last, Cell::over);
                }
            }
        }
        if self.graph.is_rust(row.span.file)
            && let Some(inner) = self.graph.expand(row).filter(|inner| !Arc::ptr_eq(inner, row))
        {
            return self.at(&inner, fuel);
        }
        if row.is_open() && call.args.iter().any(|arg| matches!(arg.value.kind, ValueKind::Param(..))) {
            return self.stored_or_shaped(row).unwrap_or_else(|| Cell::Open(Arc::clone(row)));
        }
        let name = call.method().unwrap_or("a library");
        self.stored_or_shaped(row).unwrap_or_else(|| Cell::Unknown {
            why: format!("the object is made by {name}(), which no rule describes"),
            at: row.span,
        })
    }

    /// `new User()`, `new User({ .. })`: initial values, then what the constructor assigns.
    fn made(&self, row: &Shared, call: &crate::summary::CallValue, fuel: u8) -> Cell {
        // A library's class whose constructor takes the row, or a class of the tree that inherits it.
        if self.graph.targets(call).is_empty()
            && let Some(path) = self.graph.callee_path(call)
            && let Some(pass) = self.graph.rules.passes_matching(&path).find(|pass| pass.into.is_none())
        {
            let row = pass.from.iter().flat_map(|path| self.graph.argument(call, path)).next();
            return row.map_or(Cell::Absent, |row| self.at(&row, fuel));
        }
        let Type::Instance(class, _) = self.graph.type_of(row) else {
            return Cell::Unknown { why: "an object of a class outside the tree".to_owned(), at: row.span };
        };
        for target in self.graph.targets(call).iter() {
            let Some(summary) = self.graph.summary(target.function) else { continue };
            let assigned = summary.this_fields.iter().rev().find(|(field, _)| field == self.key);
            if let Some((_, value)) = assigned {
                let bindings = self.graph.bind(call, target.function);
                let value = self.graph.substitute(value, &bindings);
                let key = value.span;
                return Cell::Value { value, key };
            }
            // `Object.assign(this, partial)`
            if let Some(param) = call.args.first()
                && summary.this_fields.is_empty()
                && self.graph.function(target.function).is_some_and(|f| f.params.len() == 1)
            {
                return self.at(&param.value, fuel);
            }
        }
        self.initial(class)
    }

    /// What a class puts under the key before its constructor runs.
    pub(super) fn initial(&self, class: ClassRef) -> Cell {
        for owner in self.graph.lineage(class).iter().copied() {
            let init = self.graph.unit(owner.file).and_then(|u| u.summary.fields.get(&(owner.id, self.key.to_owned())));
            if let Some(value) = init {
                return Cell::Value { value: Arc::clone(value), key: value.span };
            }
        }
        Cell::Absent
    }

    fn stored_or_shaped(&self, row: &Shared) -> Option<Cell> {
        match self.graph.type_of(row) {
            Type::Instance(class, _) => {
                if sites::model_of_class(self.graph, self.schema, class)
                    .is_some_and(|model| self.schema.models[model.0].readable)
                    && !matches!(row.kind, ValueKind::Param(..))
                {
                    return Some(Cell::Stored);
                }
                self.shaped(row)
            }
            _ => None,
        }
    }

    /// What the declared type of a row says of the key.
    pub(super) fn shaped(&self, row: &Shared) -> Option<Cell> {
        let optional = match declared(self.graph, row, self.key)? {
            Key::Absent => return Some(Cell::Absent),
            Key::Optional => true,
            Key::Required => false,
        };
        let value = Value::new(ValueKind::Field(Arc::clone(row), self.key.to_owned()), row.span);
        let found = Cell::Value { value, key: row.span };
        Some(if optional { Cell::Either(vec![found, Cell::Absent]) } else { found })
    }
}
