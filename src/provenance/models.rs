//! The model whose row a value is.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::graph::Type;
use crate::provenance::chain::{Chain, one, unknown};
use crate::provenance::conditions::{asked, parts};
use crate::provenance::meaning::Evaluator;
use crate::provenance::path::Origin;
use crate::schema::ModelId;
use crate::sites::{self, RowsRead};
use crate::summary::{Shared, Value, ValueKind};

/// What values are rows of, by their address (kept alive): no column and no condition tells.
pub(super) type Rows = RefCell<FxHashMap<usize, (Shared, Option<RowsRead>)>>;

impl Evaluator<'_, '_> {
    /// The model whose row a value is: read by a call, or typed as an entity.
    pub(super) fn row_model(&self, value: &Shared) -> Option<ModelId> {
        self.row_of(value).map(|row| row.model)
    }

    /// Whether a condition that holds (or fails) tells that a row is missing.
    pub(super) fn lacks_row(&self, cond: &Shared, holds: bool) -> bool {
        parts(cond, holds).into_iter().any(|(part, holds)| {
            let (value, is_there) = asked(part, holds);
            self.graph.refuel();
            !is_there && self.row_model(Value::before_calls(value)).is_some()
        })
    }

    /// What a value is a row (or a list of rows) of.
    pub(super) fn row_of(&self, value: &Shared) -> Option<RowsRead> {
        if !matches!(value.kind, ValueKind::Call(_) | ValueKind::Field(..) | ValueKind::Captured(..)) {
            return self.row_at(value, 24);
        }
        let at = Arc::as_ptr(value).addr();
        if let Some((_, row)) = self.rows.borrow().get(&at) {
            return row.clone();
        }
        let (row, is_whole) = self.graph.asked(|| self.row_at(value, 24));
        if is_whole {
            self.rows.borrow_mut().insert(at, (Arc::clone(value), row.clone()));
        }
        row
    }

    fn row_at(&self, value: &Shared, fuel: u8) -> Option<RowsRead> {
        let fuel = fuel.checked_sub(1)?;
        let typed = || {
            // Of what is sent, the type says no more than its shape.
            let is_sent = matches!(&value.kind, ValueKind::Param(function, at) if self.graph.is_input(*function, *at));
            let model = self.model_of_type(&self.graph.type_of(value)).filter(|_| !is_sent)?;
            Some(RowsRead::whole(model))
        };
        match &value.kind {
            ValueKind::Call(call) => {
                if let Some(rows) = sites::rows_read(self.graph, self.schema, call) {
                    return Some(rows);
                }
                let behind = self.graph.expand(value).or_else(|| sites::handed_on(self.graph, call));
                behind.and_then(|inner| self.row_at(&inner, fuel)).or_else(typed)
            }
            ValueKind::Field(base, key) if let Some(rows) = sites::rows_under(self.graph, self.schema, base, key) => {
                Some(rows)
            }
            ValueKind::Field(base, key) if let Some(model) = self.related(base, key, fuel) => {
                Some(RowsRead::whole(model))
            }
            ValueKind::Element(base) | ValueKind::Index(base, _) | ValueKind::Object { base: Some(base), .. } => {
                self.row_at(base, fuel)
            }
            ValueKind::Cond { then, otherwise, .. } => self.row_at(then, fuel).or_else(|| self.row_at(otherwise, fuel)),
            ValueKind::Fallback { left, right, .. } => self.row_at(left, fuel).or_else(|| self.row_at(right, fuel)),
            ValueKind::Either(values) => values.iter().find_map(|value| self.row_at(value, fuel)),
            ValueKind::Object { base: None, .. } | ValueKind::Array(_) => None,
            _ => {
                let behind = self.graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
                behind.and_then(|inner| self.row_at(&inner, fuel)).or_else(typed)
            }
        }
    }

    /// The model on the other side of a relation, where a row was read with it: `organisation.portal`.
    fn related(&self, base: &Shared, key: &str, fuel: u8) -> Option<ModelId> {
        let models = &self.schema.models;
        let mut relations =
            models.iter().flat_map(|model| &model.properties).filter(|property| property.relation.is_some());
        // By the name first: hardly any is one of a relation.
        relations.any(|property| property.name == key).then_some(())?;
        let row = self.row_at(base, fuel)?;
        let property = models[row.model.0].properties.iter().find(|property| property.name == key)?;
        let target = property.relation.as_deref()?;
        models.iter().position(|model| model.name == target).map(ModelId)
    }

    /// What a row that was read has under a name.
    pub(super) fn column_of(&self, value: &Shared, row: &RowsRead, name: &str) -> Vec<Chain> {
        let table = &self.schema.models[row.model.0].table;
        match row.holds(self.schema, self.column, name) {
            Some(true) => one(
                Origin::Preserved,
                value,
                format!("`{}`, read from {table} at {}", self.graph.sources.text(value.span), self.place(value.span)),
            ),
            Some(false) => one(Origin::Supplied, value, format!("the value of another column, {table}.{name}")),
            None => unknown(value, format!("`{name}` of several tables that are joined")),
        }
    }

    fn model_of_type(&self, ty: &Type) -> Option<ModelId> {
        match ty {
            Type::Instance(class, _) => sites::model_of_class(self.graph, self.schema, *class)
                .filter(|model| self.schema.models[model.0].readable),
            // The generated type of a Prisma model: `import { User } from '@prisma/client'`.
            Type::External(path, _) => {
                let (module, name) = path.split_once('#')?;
                let generated = module.contains("prisma");
                let at = self
                    .schema
                    .models
                    .iter()
                    .position(|model| model.source == crate::schema::ModelSource::Prisma && model.name == name)?;
                generated.then_some(ModelId(at))
            }
            _ => None,
        }
    }
}
