//! The model whose row a value is.

use std::sync::Arc;

use crate::graph::Type;
use crate::provenance::meaning::Evaluator;
use crate::schema::ModelId;
use crate::sites;
use crate::summary::{Shared, ValueKind};

impl Evaluator<'_, '_> {
    /// The model whose row a value is: read by a call, or typed as an entity.
    pub(super) fn row_model(&self, value: &Shared) -> Option<ModelId> {
        self.row_model_at(value, 24)
    }

    fn row_model_at(&self, value: &Shared, fuel: u8) -> Option<ModelId> {
        let fuel = fuel.checked_sub(1)?;
        match &value.kind {
            ValueKind::Call(call) => {
                if let Some(model) = sites::model_read(self.graph, self.schema, call) {
                    return Some(model);
                }
                let typed = || self.model_of_type(&self.graph.type_of(value));
                match self.graph.expand(value) {
                    Some(inner) => self.row_model_at(&inner, fuel).or_else(typed),
                    None => typed(),
                }
            }
            ValueKind::Element(base) | ValueKind::Index(base, _) | ValueKind::Object { base: Some(base), .. } => {
                self.row_model_at(base, fuel)
            }
            ValueKind::Cond { then, otherwise, .. } => {
                self.row_model_at(then, fuel).or_else(|| self.row_model_at(otherwise, fuel))
            }
            ValueKind::Fallback { left, right, .. } => {
                self.row_model_at(left, fuel).or_else(|| self.row_model_at(right, fuel))
            }
            ValueKind::Either(values) => values.iter().find_map(|value| self.row_model_at(value, fuel)),
            ValueKind::Object { base: None, .. } | ValueKind::Array(_) => None,
            _ => {
                let behind = self.graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
                behind
                    .and_then(|inner| self.row_model_at(&inner, fuel))
                    .or_else(|| self.model_of_type(&self.graph.type_of(value)))
            }
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
