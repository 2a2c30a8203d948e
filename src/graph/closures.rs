//! What closures are handed: by the library that runs them, or by the code around that runs them where they are written.

use std::sync::Arc;

use crate::graph::calls::Target;
use crate::graph::{Bindings, Graph, Type};
use crate::ir::{FunctionId, FunctionKind};
use crate::rules::Handed;
use crate::summary::{CallValue, FunctionRef, Shared, Value, ValueKind};

impl Graph<'_> {
    /// What a parameter is of a closure that one call runs where it is written: an element of the list in
    /// `steps.map((step) => step(token))`.
    pub(super) fn applied_to(&self, closure: FunctionRef, at: u32) -> Option<Shared> {
        let declared = self.function(closure)?;
        let is_nameless = declared.kind == FunctionKind::Closure && declared.name == "<closure>";
        let run = self.only_run_of(closure).filter(|_| is_nameless && !self.is_rust(closure.file))?;
        run.args.get(at as usize).filter(|arg| !arg.spread).map(|arg| Arc::clone(&arg.value))
    }

    /// The call that a closure is handed to, where it is written as an argument.
    pub fn handed_to(&self, closure: FunctionRef) -> Option<&Arc<CallValue>> {
        let parent = FunctionRef { file: closure.file, id: self.function(closure)?.parent.unwrap_or(FunctionId(0)) };
        self.summary(parent)?
            .calls
            .iter()
            .map(|event| &event.call)
            .find(|call| call.args.iter().any(|arg| matches!(arg.value.kind, ValueKind::Function(f) if f == closure)))
    }

    /// The value that a library hands to a closure's parameter, where a rule row says that it is an argument of the call.
    pub fn handed_value(&self, closure: FunctionRef, at: u32) -> Option<Shared> {
        match self.handed(self.handed_to(closure)?, closure, at)? {
            Given::Value(value) => Some(value),
            Given::Type(_) => None,
        }
    }

    /// The type of a closure's parameter that a library, or the code around, hands in.
    pub(super) fn handed_type(&self, closure: FunctionRef, at: u32) -> Type {
        let Some(call) = self.handed_to(closure) else {
            return self.applied_to(closure, at).map_or(Type::Unknown, |given| self.type_of(&given));
        };
        match self.handed(call, closure, at) {
            Some(Given::Value(value)) => self.type_of(&value),
            Some(Given::Type(ty)) => ty,
            None => Type::Unknown,
        }
    }

    /// The function that a call hands what it comes to, and as which parameter: `find(query, (error, user) => ..)`, `find(query, done)`;
    /// and whether that is one row, or nothing, of what SQL text says.
    pub fn result_callback(&self, call: &CallValue) -> Option<(Shared, usize, bool)> {
        let path = self.callee_path(call)?;
        let rows = self.rules.callbacks_named(call.method()).filter(|row| row.call.matches(&path));
        rows.into_iter().find_map(|row| {
            let at = row.params.iter().position(|param| matches!(param, Handed::Result))?;
            let may_be_called = |value: &Shared| {
                matches!(value.kind, ValueKind::Function(_) | ValueKind::Param(..) | ValueKind::Captured(..))
            };
            self.argument(call, &row.function).into_iter().find(may_be_called).map(|value| (value, at, row.one))
        })
    }

    fn handed(&self, call: &CallValue, closure: FunctionRef, at: u32) -> Option<Given> {
        let method = call.method();
        let fits = |row: &&crate::rules::Callback| {
            self.callee_path(call).is_some_and(|path| row.call.matches(&path))
                && self
                    .argument(call, &row.function)
                    .iter()
                    .any(|value| matches!(value.kind, ValueKind::Function(f) if f == closure))
        };
        // A row that names the library knows more than one for any method of that name.
        let rows = || self.rules.callbacks_named(method);
        let row = rows().filter(|row| row.call.module().is_some()).find(fits).or_else(|| rows().find(fits))?;
        match row.params.get(at as usize)? {
            Handed::Unknown => None,
            Handed::Result => Some(Given::Value(Value::new(ValueKind::Call(Arc::new(call.clone())), call.site.span))),
            Handed::Argument(path) => self.argument(call, path).into_iter().next().map(Given::Value),
            Handed::Type(text) => {
                let argument = |at: usize| match call.args.get(at).map(|arg| self.type_of(&arg.value)) {
                    Some(Type::Object(class)) => Type::Instance(class, Vec::new()),
                    Some(other) => other,
                    None => Type::Unknown,
                };
                Some(Given::Type(Self::written_type(text, &argument, &[])))
            }
        }
    }
}

enum Given {
    Value(Shared),
    Type(Type),
}

/// What the parameters of a handed-over function are: what the called function of the tree passes on, or what a rule row says.
pub(super) fn handed_bindings(
    graph: &Graph,
    call: &CallValue,
    targets: &[Target],
    nth: usize,
    closure: FunctionRef,
) -> Bindings {
    let count = graph.function(closure).map_or(0, |f| f.params.len());
    let span = call.site.span;
    let unknown = || Value::new(ValueKind::Opaque("a parameter that the called library hands in", Vec::new()), span);
    for target in targets {
        let Some(summary) = graph.summary(target.function) else { continue };
        let inner = summary.calls.iter().find(|event| {
            matches!(event.call.callee.kind, ValueKind::Param(f, at) if f == target.function && at as usize == nth)
        });
        if let Some(inner) = inner {
            let outer = graph.bind(call, target.function);
            let params = (0..count)
                .map(|at| inner.call.args.get(at).map_or_else(unknown, |arg| graph.substitute(&arg.value, &outer)))
                .collect();
            return Bindings { function: closure, params, this: None };
        }
    }
    let params = (0..count)
        .map(|at| {
            let nth = u32::try_from(at).unwrap_or(u32::MAX);
            if let Some(Given::Value(value)) = graph.handed(call, closure, nth) {
                return value;
            }
            let span = graph.function(closure).and_then(|f| f.params.get(at)).map_or(span, |param| param.span);
            Value::new(ValueKind::Param(closure, nth), span)
        })
        .collect();
    Bindings { function: closure, params, this: None }
}
