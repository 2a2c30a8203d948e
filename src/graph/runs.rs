//! Closures that have run when the call that they are handed to is over, and what a promise comes to whose executor is one.

use std::sync::Arc;

use crate::graph::Graph;
use crate::graph::closures::handed_bindings;
use crate::ir::FunctionId;
use crate::summary::{Argument, CallValue, FunctionRef, Shared, Value, ValueKind};

impl Graph<'_> {
    /// Whether a closure is run where it is written, whatever happens: by a transaction, as the executor of a promise, by a function of
    /// the tree that calls what it is handed, on the spot.
    pub(super) fn runs_once(&self, closure: FunctionRef) -> bool {
        let Some(declared) = self.function(closure) else { return false };
        let parent = FunctionRef { file: closure.file, id: declared.parent.unwrap_or(FunctionId(0)) };
        let is_it = |kind: &ValueKind| matches!(kind, ValueKind::Function(function) if *function == closure);
        let Some(summary) = self.summary(parent) else { return false };
        summary.calls.iter().any(|event| {
            let call = &event.call;
            if is_it(&call.callee.kind) {
                // With an element of a list it runs as often as there are some.
                let is_sure = |arg: &Argument| !matches!(arg.value.kind, ValueKind::Element(_) | ValueKind::Either(_));
                return call.callee.span == declared.span && call.args.iter().all(is_sure);
            }
            let handed = call.args.iter().position(|arg| is_it(&arg.value.kind));
            handed.is_some_and(|at| self.runs_argument(call, closure, at))
        })
    }

    fn runs_argument(&self, call: &CallValue, closure: FunctionRef, at: usize) -> bool {
        if call.is_new {
            return at == 0 && matches!(&call.callee.kind, ValueKind::Global(name) if name == "Promise");
        }
        let is_it = |value: &Shared| matches!(value.kind, ValueKind::Function(f) if f == closure);
        match &*self.targets(call) {
            [] => {
                let mut rows = self.rules.callbacks_named(call.method()).filter(|row| row.once).peekable();
                rows.peek().is_some()
                    && self.callee_path(call).is_some_and(|path| {
                        rows.any(|row| row.call.matches(&path) && self.argument(call, &row.function).iter().any(is_it))
                    })
            }
            [only] => self.summary(only.function).is_some_and(|summary| {
                summary.calls.iter().any(|event| {
                    let is_run = matches!(event.call.callee.kind, ValueKind::Param(of, nth)
                        if of == only.function && nth as usize == at);
                    is_run && event.guards.is_none()
                })
            }),
            _ => false,
        }
    }

    /// What `new Promise((resolve, reject) => ..)` comes to: all that is handed to `resolve`.
    pub fn promised(&self, call: &CallValue) -> Option<Shared> {
        let is_promise = call.is_new && matches!(&call.callee.kind, ValueKind::Global(name) if name == "Promise");
        let ValueKind::Function(executor) = call.args.first().filter(|_| is_promise)?.value.kind else { return None };
        let unit = self.unit(executor.file)?;
        let resolve = unit.module.functions.get(executor.id.at())?.params.first()?.local;
        let mut values = Vec::new();
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file: executor.file, id: FunctionId::of(at) };
            let resolves = |callee: &Shared| match callee.kind {
                ValueKind::Param(of, 0) => of == executor,
                ValueKind::Captured(of, local) => of == function && local == resolve,
                _ => false,
            };
            let calls = summary.calls.iter().filter(|event| resolves(&event.call.callee));
            let handed = calls.filter_map(|event| event.call.args.first());
            // `db.get(text, (error, row) => resolve(row))`: what the library hands in.
            values.extend(handed.map(|arg| match self.handed_to(function).filter(|_| arg.value.is_open()) {
                Some(call) => self.substitute(&arg.value, &handed_bindings(self, call, &[], 0, function)),
                None => Arc::clone(&arg.value),
            }));
        }
        match values.len() {
            0 => None,
            1 => values.pop(),
            _ => Some(Value::new(ValueKind::Either(values), call.site.span)),
        }
    }
}
