//! What a condition says to be a claim: behind `if (claims.sub !== req.params.id) return refuse()` the path names the bearer.

use crate::guards::claims::place;
use crate::guards::walk::Walk;
use crate::ir::Missing;
use crate::rules::Tells;
use crate::schema;
use crate::summary::{FunctionRef, Shared, ValueKind};

/// What a value goes by that holds what a claim holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    Param(FunctionRef, u32),
    /// `req.params.id`
    Place(String),
}

impl Walk<'_, '_> {
    /// What conditions say to hold what a claim holds.
    pub(super) fn established(&self, conditions: &[(Shared, bool)]) -> Vec<Named> {
        let mut found = Vec::new();
        for (cond, holds) in conditions {
            self.told_same(cond, *holds, &mut found, 8);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn told_same(&self, cond: &Shared, holds: bool, found: &mut Vec<Named>, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        match &cond.kind {
            ValueKind::Not(inner) => self.told_same(inner, !holds, found, fuel),
            ValueKind::And(left, right) if holds => {
                for side in [left, right] {
                    self.told_same(side, holds, found, fuel);
                }
            }
            ValueKind::Fallback { left, right, when: Missing::Falsy } if !holds => {
                for side in [left, right] {
                    self.told_same(side, holds, found, fuel);
                }
            }
            ValueKind::Compare { left, right, equal } if *equal == holds => {
                let (left, right) = (self.bare(left), self.bare(right));
                let is_claim = |value: &Shared| self.seeds.is_claim(self.graph, value) && !self.is_common(value);
                let other = match (is_claim(&left), is_claim(&right)) {
                    (true, false) => right,
                    (false, true) => left,
                    _ => return,
                };
                if self.seeds.lie_in(self.graph, &other) {
                    return;
                }
                found.extend(match other.kind {
                    ValueKind::Param(function, at) => Some(Named::Param(function, at)),
                    _ => place(&other).map(Named::Place),
                });
            }
            _ => {}
        }
    }

    /// A value without what only makes another type of it: `String(id)`, `id.toString()`.
    fn bare(&self, value: &Shared) -> Shared {
        let value = self.graph.resolved(value);
        let ValueKind::Call(call) = &value.kind else { return value };
        let Some(path) = self.graph.library_path(call) else { return value };
        let from = || self.graph.rules.passes_matching(&path).flat_map(|row| &row.from);
        let through = from().flat_map(|from| self.graph.argument(call, from)).next();
        through.map_or(value, |inner| self.graph.resolved(&inner))
    }

    /// Whether a value is a key by which many are found alike.
    pub(super) fn is_common(&self, value: &Shared) -> bool {
        matches!(&value.kind, ValueKind::Field(_, name)
            if self.graph.rules.tells_name(Tells::Common, &schema::words(name)))
    }
}
