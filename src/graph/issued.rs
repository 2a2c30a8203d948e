//! What an issuer hands to the verify callbacks of strategies, by position: `(accessToken, refreshToken, profile, done)`.

use std::collections::BTreeMap;

use crate::graph::Graph;
use crate::graph::entries::Entry;
use crate::rules::Entry as EntryRow;
use crate::summary::{CallValue, ClassRef, FunctionRef, Shared, Value, ValueKind};

/// Adds to the entry that was just found what an issuer hands to the callback of a strategy of one of these modules.
pub(super) fn hand_in(
    graph: &Graph,
    entry: &EntryRow,
    (modules, options): (&[impl AsRef<str>], Option<&Shared>),
    callback: FunctionRef,
    found: &mut BTreeMap<FunctionRef, Vec<Entry>>,
) {
    let row = graph.rules.issued().find(|row| modules.iter().any(|module| row.is_from(module.as_ref())));
    let Some((row, options)) = row.zip(options).filter(|_| !entry.fresh.is_empty()) else { return };
    let option = graph.resolved(&Value::field(&graph.resolved(options), &row.shift, options.span));
    let shift = match option.kind {
        ValueKind::Bool(true) => 1,
        ValueKind::Bool(false) | ValueKind::Undefined => 0,
        // Then only their names tell the parameters.
        _ => return,
    };
    let count = graph.function(callback).map_or(0, |declared| declared.params.len());
    if let Some(entry) = found.get_mut(&callback).and_then(|entries| entries.last_mut()) {
        entry.fresh.extend(row.at.iter().map(|at| at + shift).filter(|at| (*at as usize) < count));
        entry.fresh.sort_unstable();
        entry.fresh.dedup();
    }
}

/// What a class hands up to its base: `super({ clientID, passReqToCallback })`.
pub(super) fn options_of<'g>(graph: &Graph<'g>, class: ClassRef) -> Option<&'g Shared> {
    let constructor = graph.method(class, "constructor")?;
    let calls = graph.summary(constructor)?.calls.iter().map(|event| event.call.as_ref());
    calls.into_iter().find(|call| matches!(call.callee.kind, ValueKind::Super(_))).and_then(first)
}

/// The first argument of a call.
pub(super) fn first(call: &CallValue) -> Option<&Shared> {
    call.args.first().map(|arg| &arg.value)
}
