//! What a function returns at several places, as one value.

use std::sync::Arc;

use crate::source::Span;
use crate::summary::execute::{Execution, conjunction};
use crate::summary::{Guards, Shared, Value, ValueKind};

/// What a function returns at one place.
pub(super) struct Returned {
    pub guards: Guards,
    pub value: Shared,
    /// In a `try` whose `catch` goes on: where the returns of the `try` end, behind which those stand that may be reached instead.
    pub caught: Option<usize>,
    /// In a `catch` or a loop, which may not run.
    pub sometimes: bool,
}

impl Execution<'_> {
    /// Notes that what is returned from a place on stands in what may not run.
    pub(super) fn passed_over(&mut self, first: usize) {
        self.returns[first..].iter_mut().for_each(|within| within.sometimes = true);
    }

    /// `Cond(guards of the first, the first, Cond(.., the second, ..))`.
    pub(super) fn joined_returns(&mut self, ended: bool, span: Span) -> Option<Shared> {
        let returns = std::mem::take(&mut self.returns);
        let mut result = if ended || returns.is_empty() { None } else { Some(Value::new(ValueKind::Undefined, span)) };
        // What is returned from each place on.
        let mut from = vec![None; returns.len()];
        for (at, Returned { guards, value, caught, sometimes }) in returns.into_iter().enumerate().rev() {
            let span = value.span;
            let mut joined = match (result, conjunction(&guards)) {
                (Some(otherwise), Some(cond)) => Value::new(ValueKind::Cond { cond, then: value, otherwise }, span),
                (Some(otherwise), None) if sometimes => Value::new(ValueKind::Either(vec![value, otherwise]), span),
                _ => value,
            };
            if let Some(instead) = caught.and_then(|behind| from.get(behind)).cloned().flatten() {
                joined = Value::new(ValueKind::Either(vec![joined, instead]), span);
            }
            from[at] = Some(Arc::clone(&joined));
            result = Some(joined);
        }
        result
    }
}
