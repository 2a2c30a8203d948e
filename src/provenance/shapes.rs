//! Keys of objects that a library checks against a schema: `schema.parse(body)` has those that the schema names, and no others.

use crate::provenance::cell::Cell;
use crate::provenance::row::Lookup;
use crate::rules::{ArgPath, SchemaShape};
use crate::summary::{CallValue, Member, Shared, Slot, Value, ValueKind};

/// Schemas are made of others no deeper than this.
const DEEPEST: u8 = 12;

/// What a schema says of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Required,
    Optional,
    Not,
}

impl Lookup<'_, '_> {
    /// What a checked object has under the key; `None` where nothing says what it was checked against.
    pub(super) fn checked(&self, row: &Shared, fuel: u8) -> Option<Cell> {
        let (call, under) = match &row.kind {
            ValueKind::Call(call) => (call, None),
            // `schema.safeParse(body).data`
            ValueKind::Field(base, name) => match &base.kind {
                ValueKind::Call(call) => (call, Some(name.as_str())),
                _ => return None,
            },
            _ => return None,
        };
        let rows = self.graph.rules.passes_named(call.method());
        let mut rows = rows.filter(|pass| pass.shape.is_some() && pass.key.as_deref() == under).peekable();
        rows.peek()?;
        let path = self.graph.library_path(call)?;
        let pass = rows.find(|pass| pass.call.matches(&path))?;
        let schema = self.graph.argument(call, pass.shape.as_ref()?).into_iter().next()?;
        let named = self.named(&schema, DEEPEST)?;
        if named == Named::Not {
            return Some(Cell::Absent);
        }
        let given = pass.from.iter().flat_map(|path| self.graph.argument(call, path)).next()?;
        let given = self.at(&given, fuel);
        if given.is_definite() || matches!(given, Cell::Absent) {
            return Some(given);
        }
        let found = Cell::Value { value: Value::field(row, self.key, row.span), key: row.span };
        Some(if named == Named::Optional { Cell::Either(vec![found, Cell::Absent]) } else { found })
    }

    fn named(&self, schema: &Shared, fuel: u8) -> Option<Named> {
        let fuel = fuel.checked_sub(1).filter(|_| self.graph.step())?;
        let schema = self.graph.resolved(schema);
        let ValueKind::Call(call) = &schema.kind else { return None };
        let row = self.row_of(call)?;
        let lists = |path: &Option<ArgPath>| match path {
            Some(path) => self.lists(call, path).map(Some),
            None => Some(None),
        };
        if lists(&row.keeps)? == Some(false) || lists(&row.drops)? == Some(true) {
            return Some(Named::Not);
        }
        let own = row.keys.iter().flat_map(|path| self.graph.argument(call, path)).next();
        let mut found = own.map_or(Some(Named::Not), |keys| self.among(&keys, fuel))?;
        for other in row.of.iter().flat_map(|path| self.graph.argument(call, path)) {
            if found != Named::Not {
                break;
            }
            found = self.named(&other, fuel)?;
        }
        Some(if found == Named::Required && row.optional { Named::Optional } else { found })
    }

    /// What an object with a schema for each key says.
    fn among(&self, keys: &Shared, fuel: u8) -> Option<Named> {
        let keys = self.graph.resolved(keys);
        match &keys.kind {
            ValueKind::Object { base: None, entries } => {
                for entry in entries.iter().rev() {
                    let found = match entry {
                        Slot::Named { key, value, .. } if key == self.key => {
                            if self.is_optional(value) {
                                Named::Optional
                            } else {
                                Named::Required
                            }
                        }
                        Slot::Named { .. } => Named::Not,
                        Slot::Spread(inner) => self.among(inner, fuel.checked_sub(1)?)?,
                        Slot::Computed { .. } => return None,
                    };
                    if found != Named::Not {
                        return Some(found);
                    }
                }
                Some(Named::Not)
            }
            // `...base.shape`
            ValueKind::Field(schema, name) if name == "shape" => self.named(schema, fuel),
            _ => None,
        }
    }

    fn is_optional(&self, schema: &Shared) -> bool {
        let mut at = self.graph.resolved(schema);
        for _ in 0..DEEPEST {
            let ValueKind::Call(call) = &at.kind else { return false };
            if self.row_of(call).is_some_and(|row| row.optional) {
                return true;
            }
            let Some(next) = call.receiver() else { return false };
            at = self.graph.resolved(next);
        }
        false
    }

    fn row_of(&self, call: &CallValue) -> Option<&SchemaShape> {
        let mut rows = self.graph.rules.shapes_named(call.method()).peekable();
        rows.peek()?;
        let path = self.graph.library_path(call)?;
        rows.find(|row| row.call.matches(&path))
    }

    /// Whether an object that lists keys has this one.
    fn lists(&self, call: &CallValue, path: &ArgPath) -> Option<bool> {
        let list = self.graph.argument(call, path).into_iter().next()?;
        let list = self.graph.resolved(&list);
        let ValueKind::Object { base: None, entries } = &list.kind else { return None };
        let mut has = false;
        for entry in entries {
            let Slot::Named { key, .. } = entry else { return None };
            has |= key == self.key;
        }
        Some(has)
    }

    /// The names that arguments say, one by one or as lists; `None` where there are none or one cannot be told.
    pub(super) fn names(&self, call: &crate::summary::CallValue, path: &crate::rules::ArgPath) -> Option<Vec<String>> {
        let mut found = Vec::new();
        for value in self.graph.argument(call, path) {
            let value = self.graph.resolved(&value);
            match &value.kind {
                ValueKind::Text(name) => found.push(name.clone()),
                ValueKind::Array(members) => {
                    for member in members {
                        let Member::One(name) = member else { return None };
                        let ValueKind::Text(name) = &self.graph.resolved(name).kind else { return None };
                        found.push(name.clone());
                    }
                }
                _ => return None,
            }
        }
        (!found.is_empty()).then_some(found)
    }
}
