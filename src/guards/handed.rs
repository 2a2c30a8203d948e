//! What a guard is handed to ask by: the function or the object that its factory or its constructor is given.

use std::sync::Arc;

use crate::graph::{EdgeKind, Graph};
use crate::guards::walk::Walk;
use crate::sites;
use crate::source::Scope;
use crate::summary::{CallValue, ClassRef, FunctionRef, Shared, Value, ValueKind};

impl Walk<'_, '_> {
    /// What a call of something that was handed in comes to, with what each maker of the guard hands in; empty where no maker is
    /// known. `None`: it calls nothing that was handed in, or a library's.
    pub(super) fn handed_in(&self, call: &CallValue) -> Option<Vec<Arc<CallValue>>> {
        let graph = self.graph;
        // Most calls: what a closure, an object or a parameter holds is called by a field or a variable.
        if !matches!(call.callee.kind, ValueKind::Field(..) | ValueKind::Captured(..) | ValueKind::Param(..)) {
            return None;
        }
        if graph.callee_path(call).is_some_and(|path| self.is_known(&path)) {
            return None;
        }
        let (of, callee) = handed(graph, &call.callee, 8).filter(|(of, _)| !self.functions.contains(of))?;
        if sites::model_read(graph, self.schema, call).is_some() {
            return None;
        }
        let callers = graph.callers(of);
        let production = callers.iter().take(60).filter(|edge| graph.scope(edge.caller) == Scope::Production);
        let made = production.filter_map(|edge| match &edge.kind {
            EdgeKind::Call(outer) => {
                graph.refuel();
                let callee = graph.substitute(&callee, &graph.bind(outer, of));
                Some(Arc::new(CallValue { callee, ..call.clone() }))
            }
            EdgeKind::Callback(_) | EdgeKind::Framework => None,
        });
        Some(made.collect())
    }

    /// Whether a path says whose the function is, or rules know it by its name.
    fn is_known(&self, path: &str) -> bool {
        let is_named = path.starts_with('?') || path.strip_prefix("global#").is_some_and(|name| !name.contains('.'));
        !is_named || self.graph.rules.consults_matching(path).next().is_some()
    }
}

/// The function by whose parameter a value is told, and the value in terms of that parameter.
pub(super) fn handed(graph: &Graph, value: &Shared, fuel: u8) -> Option<(FunctionRef, Shared)> {
    let fuel = fuel.checked_sub(1)?;
    if let ValueKind::Param(of, _) = &value.kind {
        return Some((*of, Arc::clone(value)));
    }
    if !matches!(value.kind, ValueKind::Field(..) | ValueKind::Captured(..)) {
        return None;
    }
    let inner = graph.resolved(value);
    if !Arc::ptr_eq(&inner, value) {
        return handed(graph, &inner, fuel);
    }
    let ValueKind::Field(base, name) = &value.kind else { return None };
    if let ValueKind::This(class) = &base.kind {
        return constructed(graph, *class, name);
    }
    let (of, base) = handed(graph, base, fuel)?;
    Some((of, Value::field(&base, name, value.span)))
}

/// The parameter of a constructor that a field holds as it is.
fn constructed(graph: &Graph, class: ClassRef, name: &str) -> Option<(FunctionRef, Shared)> {
    let constructor = graph.method(class, "constructor")?;
    let fields = graph.summary(constructor)?.this_fields.iter();
    let mut stored = fields.filter(|(field, _)| field == name).map(|(_, value)| value);
    let (Some(value), None) = (stored.next(), stored.next()) else { return None };
    matches!(value.kind, ValueKind::Param(of, _) if of == constructor).then(|| (constructor, Arc::clone(value)))
}
