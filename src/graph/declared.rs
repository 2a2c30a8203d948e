//! What a call reaches by a declared type alone.

use crate::graph::{Graph, Target, Type};
use crate::summary::{CallValue, Value, ValueKind};

impl Graph<'_> {
    /// What a call reaches by the type that its function declares of the receiver, where nothing is known of what is handed in:
    /// `run(provider: Provider)` with `registry.get(name)`.
    pub(super) fn as_declared(&self, call: &CallValue) -> Vec<Target> {
        let ValueKind::Field(base, _) = &call.callee.kind else { return Vec::new() };
        let is_told = is_constant(base) || matches!(base.kind, ValueKind::Param(..) | ValueKind::Object { .. });
        if is_told || self.type_of(base) != Type::Unknown {
            return Vec::new();
        }
        let Some(summary) = self.summary(call.site.function) else { return Vec::new() };
        let written = summary.calls.iter().map(|event| &event.call).find(|written| written.site == call.site);
        let Some(written) = written else { return Vec::new() };
        match &written.callee.kind {
            ValueKind::Field(receiver, _) if matches!(receiver.kind, ValueKind::Param(..)) => {
                let mut found = self.targets(written);
                for target in &mut found {
                    target.certain = false;
                }
                found
            }
            _ => Vec::new(),
        }
    }
}

/// What has no methods of the tree.
fn is_constant(value: &Value) -> bool {
    matches!(
        value.kind,
        ValueKind::Null | ValueKind::Undefined | ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_)
    )
}
