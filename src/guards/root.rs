//! Where a walk from a guard starts.

use crate::guards::shapes::Shape;
use crate::source::Span;
use crate::summary::{CallSite, Shared};

/// Where a walk starts.
#[derive(Clone, Debug, Default)]
pub(super) struct Root {
    pub what: String,
    /// Parameters that hold verified claims, with the keys below which they stand.
    pub claims: Vec<(u32, Vec<String>)>,
    /// Parameters that are there at a sign-in only.
    pub first: Vec<(u32, Vec<String>)>,
    pub verifications: Vec<CallSite>,
    pub key: Option<Shared>,
    /// Where what verifies before is told to let in what has ended.
    pub expired: Option<Span>,
    pub shape: Option<Shape>,
    /// Whether what it answers with is that nobody gets in.
    pub denies: bool,
}

impl Root {
    pub(super) fn of(shape: &Shape) -> Self {
        Self {
            what: shape.what.clone(),
            key: shape.key.clone(),
            expired: shape.expired,
            shape: Some(shape.clone()),
            ..Self::default()
        }
    }
}
