//! What a call reaches by a declared type alone.

use crate::graph::{Graph, Target, Type};
use crate::rules::Receiver;
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, Value, ValueKind};

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
                let mut found = self.targets(written).to_vec();
                for target in &mut found {
                    target.certain = false;
                }
                found
            }
            _ => Vec::new(),
        }
    }
}

impl Graph<'_> {
    /// Whether a parameter is what whoever asks has sent, whatever its type: `@Body() user: User`.
    pub fn is_input(&self, function: FunctionRef, at: u32) -> bool {
        let decorators = self.summary(function).and_then(|summary| summary.param_decorators.get(at as usize));
        let mut paths = decorators.into_iter().flatten().filter_map(|decorator| self.callee_path(decorator));
        paths.any(|path| self.rules.input().any(|row| row.decorator.matches(&path)))
    }
}

impl Graph<'_> {
    /// A function of the tree that a library call added to the object that it gives, which is one `of` the library:
    /// `repository.extend({ setToken(id) { .. } })`.
    pub(super) fn added_method(&self, of: &str, base: &Shared, name: &str, span: Span) -> Option<Shared> {
        // What gives such an object gives one of its own library.
        let is_its = |row: &&Receiver| row.call.module().is_none_or(|module| of.starts_with(module));
        let mut rows = self.rules.receiver().filter(|row| row.methods.is_some()).filter(is_its).peekable();
        rows.peek()?;
        let made = self.resolved(base);
        let ValueKind::Call(call) = &made.kind else { return None };
        let path = self.callee_path(call)?;
        let row = rows.find(|row| row.call.matches(&path))?;
        let added = row.methods.iter().flat_map(|methods| self.argument(call, methods)).next()?;
        let found = self.resolved(&Value::field(&added, name, span));
        if matches!(found.kind, ValueKind::Function(_)) {
            return Some(found);
        }
        self.added_method(of, call.receiver()?, name, span)
    }
}

impl Graph<'_> {
    /// The name of the model that a value is, where a library call declares it and writes the name out.
    pub(super) fn declared_model(&self, value: &Shared) -> Option<String> {
        let resolved = self.resolved(value);
        let ValueKind::Call(call) = &resolved.kind else { return None };
        let path = self.library_path(call)?;
        let row = self.rules.model().find(|row| row.call.matches(&path))?;
        let names = row.name.iter().flat_map(|at| self.argument(call, at));
        names.into_iter().find_map(|name| match &self.resolved(&name).kind {
            ValueKind::Text(name) => Some(name.clone()),
            _ => None,
        })
    }
}

/// What has no methods of the tree.
fn is_constant(value: &Value) -> bool {
    matches!(
        value.kind,
        ValueKind::Null | ValueKind::Undefined | ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_)
    )
}
