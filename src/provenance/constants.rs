//! What constants and mints decide about a row: conditions on its keys, keys that are computed.

use crate::ir::{Missing, Shape};
use crate::provenance::calls::mint_of;
use crate::provenance::row::Lookup;
use crate::summary::{Shared, Value, ValueKind};

pub(super) fn is_nullish(value: &Shared) -> bool {
    matches!(value.kind, ValueKind::Null | ValueKind::Undefined)
}

/// Whether two values are the same, where what is written out decides it: `x !== undefined` (`asks_undefined`) lets null through,
/// `x != null` neither.
pub(super) fn same_constants(left: &Shared, right: &Shared, asks_undefined: bool) -> Option<bool> {
    let constant = |value: &Shared| match &value.kind {
        ValueKind::Text(text) | ValueKind::Number(text) => Some(text.clone()),
        ValueKind::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    match (constant(left), constant(right)) {
        (Some(left), Some(right)) => Some(left == right),
        (Some(_), None) => is_nullish(right).then_some(false),
        (None, Some(_)) => is_nullish(left).then_some(false),
        (None, None) if asks_undefined && matches!(left.kind, ValueKind::Null) => Some(false),
        (None, None) => (is_nullish(left) && is_nullish(right)).then_some(true),
    }
}

/// Whether a value is of a shape, where what is written out decides it.
pub(super) fn shaped(value: &Shared, shape: Shape) -> Option<bool> {
    Some(match &value.kind {
        ValueKind::Text(_) | ValueKind::Concat(_) => shape == Shape::Text,
        ValueKind::Number(_) => shape == Shape::Number,
        ValueKind::Bool(_) | ValueKind::Not(_) | ValueKind::Compare { .. } | ValueKind::Is(..) => shape == Shape::Bool,
        ValueKind::Null | ValueKind::Object { .. } => shape == Shape::Object,
        ValueKind::Undefined => false,
        ValueKind::Array(_) => matches!(shape, Shape::Object | Shape::List),
        ValueKind::Function(_) | ValueKind::Class(_) => shape == Shape::Function,
        _ => return None,
    })
}

impl Lookup<'_, '_> {
    /// Whether a condition that is a constant holds.
    pub(super) fn constant(&self, cond: &Shared) -> Option<bool> {
        match &self.given(cond, 6).kind {
            ValueKind::Bool(value) => Some(*value),
            ValueKind::Null | ValueKind::Undefined => Some(false),
            ValueKind::Text(text) => Some(!text.is_empty()),
            ValueKind::Number(text) => Some(text != "0"),
            ValueKind::Not(inner) => self.constant(inner).map(|value| !value),
            ValueKind::And(left, right) => match (self.constant(left), self.constant(right)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            ValueKind::Compare { left, right, equal } => self.same(left, right).map(|same| same == *equal),
            ValueKind::Is(value, shape) => shaped(&self.graph.resolved(value), *shape)
                .or_else(|| (*shape == Shape::Text && self.is_minted(value)).then_some(true)),
            _ if self.is_minted(cond) => Some(true),
            _ => None,
        }
    }

    /// What a value is; where it has a default, what is handed in or else the default, as far as constants decide that:
    /// `(id, token, remember = true)`.
    fn given(&self, value: &Shared, fuel: u8) -> Shared {
        let value = self.graph.resolved(value);
        let Some(fuel) = fuel.checked_sub(1) else { return value };
        match &value.kind {
            ValueKind::Fallback { left, right, when } => {
                let left = self.given(left, fuel);
                let is_missing = match (&left.kind, when) {
                    (ValueKind::Undefined, _) | (ValueKind::Null, Missing::Nullish | Missing::Falsy) => true,
                    (ValueKind::Bool(there), Missing::Falsy) => !there,
                    (ValueKind::Text(_) | ValueKind::Number(_), Missing::Falsy) => return value,
                    (
                        ValueKind::Null
                        | ValueKind::Bool(_)
                        | ValueKind::Text(_)
                        | ValueKind::Number(_)
                        | ValueKind::Object { .. },
                        _,
                    ) => false,
                    _ => return value,
                };
                if is_missing { self.given(right, fuel) } else { left }
            }
            // `(id, token, { remember = true } = {})`
            ValueKind::Field(base, name) if matches!(base.kind, ValueKind::Fallback { .. }) => {
                let base = self.given(base, fuel);
                match base.kind {
                    ValueKind::Object { .. } => self.given(&Value::field(&base, name, value.span), fuel),
                    _ => value,
                }
            }
            _ => value,
        }
    }

    /// What was minted is there.
    fn is_minted(&self, value: &Shared) -> bool {
        match &self.graph.resolved(value).kind {
            ValueKind::Call(call) => mint_of(self.graph, call).is_some_and(|mint| mint.keys.is_empty()),
            _ => false,
        }
    }

    /// Whether two values are the same, where constants and mints decide it.
    fn same(&self, left: &Shared, right: &Shared) -> Option<bool> {
        // What the code assigns to a field is not what a stored row has in it.
        let is_own = |value: &Shared| matches!(&value.kind, ValueKind::Field(base, _) if matches!(base.kind, ValueKind::This(_)));
        if is_own(left) || is_own(right) {
            return None;
        }
        let asks_undefined = matches!(right.kind, ValueKind::Undefined);
        let (left, right) = (self.given(left, 6), self.given(right, 6));
        same_constants(&left, &right, asks_undefined)
            .or_else(|| (is_nullish(&right) && self.is_minted(&left)).then_some(false))
    }

    /// The texts that a computed key can be, where it runs through a list of constants.
    pub(super) fn constants(&self, key: &Shared) -> Option<Vec<String>> {
        match &self.graph.resolved(key).kind {
            ValueKind::Text(text) => Some(vec![text.clone()]),
            ValueKind::Either(values) => {
                let texts: Vec<Vec<String>> =
                    values.iter().map(|value| self.constants(value)).collect::<Option<_>>()?;
                Some(texts.into_iter().flatten().collect())
            }
            _ => None,
        }
    }
}
