//! Functions below a configuration object that a framework runs: the callbacks of Auth.js.

use std::collections::BTreeMap;

use crate::graph::entries::{Entry, add};
use crate::graph::handlers::handlers;
use crate::graph::{Graph, Type};
use crate::ir::FunctionId;
use crate::rules::{ArgPath, CallPattern, Entry as EntryRow, EntryKind};
use crate::source::FileId;
use crate::summary::{FunctionRef, Shared, Value};

/// `NextAuth({ callbacks: { signIn } })`, `const options: NextAuthOptions = { callbacks: { signIn } }`.
pub(super) fn configured(
    graph: &Graph,
    rows: &[&EntryRow],
    file: FileId,
    found: &mut BTreeMap<FunctionRef, Vec<Entry>>,
) {
    let rows: Vec<&EntryRow> = rows.iter().filter(|row| row.kind == EntryKind::Config).copied().collect();
    let Some(unit) = graph.unit(file).filter(|_| !rows.is_empty()) else { return };
    let is_about = |path: &str| rows.iter().any(|row| row.path.as_ref().is_some_and(|pattern| pattern.matches(path)));
    let mut add_all = |path: &str, argument: &dyn Fn(&ArgPath) -> Vec<Shared>| {
        for row in rows.iter().filter(|row| row.path.as_ref().is_some_and(|pattern| pattern.matches(path))) {
            for value in row.handler.iter().flat_map(argument) {
                for function in handlers(graph, &value, 4) {
                    add(graph, row, (function, None), String::new(), Vec::new(), found);
                }
            }
        }
    };
    for (at, summary) in unit.summary.functions.iter().enumerate() {
        for call in summary.calls.iter().map(|event| &event.call).filter(|call| !call.args.is_empty()) {
            let is_named = |row: &&EntryRow| {
                let last = row.path.as_ref().and_then(CallPattern::last);
                last.is_none() && call.method().is_none() || last.is_some() && last == call.method()
            };
            if rows.iter().any(is_named) {
                graph.refuel();
                if let Some(path) = graph.fitting_path(call, is_about) {
                    add_all(&path, &|at| graph.argument(call, at));
                }
            }
        }
        let owner = FunctionRef { file, id: FunctionId::of(at) };
        for local in summary.assigned.keys() {
            let declared = unit.module.locals.get(local.at()).and_then(|local| local.ty.as_ref());
            let Some(Type::External(path, _)) = declared.map(|ty| graph.resolve_type(file, ty)) else { continue };
            let Some(value) = graph.any_value_of(owner, *local) else { continue };
            add_all(&path, &|at| {
                let inside = at
                    .keys
                    .iter()
                    .fold(graph.resolved(&value), |inner, key| graph.resolved(&Value::field(&inner, key, inner.span)));
                vec![inside]
            });
        }
    }
}
