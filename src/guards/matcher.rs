//! What files of guards say that they run for: `export const config = { matcher: ['/app/:path*'] }`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{Graph, Resolved};
use crate::guards::claims::holds_call;
use crate::guards::routes::EVERYWHERE;
use crate::ir::Export;
use crate::rules::GuardKind;
use crate::source::{FileId, Scope};
use crate::summary::{CallSite, Member, Shared, Slot, Value, ValueKind};

/// What the export beside a guard says that it runs for: `export const config = { matcher: ['/app/:path*'] }`.
pub(super) fn matched(graph: &Graph, file: FileId, said: &str) -> Option<BTreeSet<String>> {
    let (name, keys) = said.split_once('.').unwrap_or((said, ""));
    let exports = &graph.module(file)?.exports;
    let is_it = |export: &&Export| matches!(export, Export::Named { name: own, .. } if own == name);
    if !exports.iter().any(|export| is_it(&export)) {
        return Some(BTreeSet::from([EVERYWHERE.to_owned()]));
    }
    let crate::graph::Resolved::Value(value) = graph.resolve_export(file, name) else { return None };
    let at = keys.split('.').filter(|key| !key.is_empty()).fold(value, |at, key| {
        let at = graph.resolved(&at);
        Value::field(&at, key, at.span)
    });
    let texts = texts(graph, &at);
    Some(if texts.is_empty() { BTreeSet::from([EVERYWHERE.to_owned()]) } else { texts })
}

/// The texts of a list, or of the objects in it that say a `source`.
pub(super) fn texts(graph: &Graph, value: &Shared) -> BTreeSet<String> {
    let value = graph.resolved(value);
    match &value.kind {
        ValueKind::Text(text) => BTreeSet::from([text.clone()]),
        ValueKind::Array(members) => members
            .iter()
            .flat_map(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                texts(graph, inner)
            })
            .collect(),
        ValueKind::Object { entries, .. } => entries
            .iter()
            .filter_map(|slot| match slot {
                Slot::Named { key, value, .. } if key == "source" => Some(texts(graph, value)),
                _ => None,
            })
            .flatten()
            .collect(),
        _ => BTreeSet::new(),
    }
}

/// What a library's middleware runs for that a call makes, where files of guards hand it on: `export { auth as middleware } from './auth'`,
/// `export default auth((req) => ..)`.
pub(super) fn handed_on(graph: &Graph, made: CallSite) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for row in graph.rules.guard().filter(|row| row.kind == GuardKind::File) {
        let (Some(globs), Some(said)) = (row.files(), &row.routes) else { continue };
        let files = graph.units().map(|(file, _)| (file, graph.sources.get(file)));
        for (file, _) in files.filter(|(_, of)| of.scope == Scope::Production && globs.is_match(&of.path)) {
            if row.method.iter().any(|name| leads_to(graph, file, name, made)) {
                found.extend(matched(graph, file, said).into_iter().flatten());
            }
        }
    }
    found
}

/// Whether an export is what a call made, or is made of it.
fn leads_to(graph: &Graph, file: FileId, name: &str, made: CallSite) -> bool {
    graph.refuel();
    let Resolved::Value(value) = graph.resolve_export(file, name) else { return false };
    let mut at = value;
    for _ in 0..8 {
        at = graph.resolved(&at);
        if holds_call(&at, made) {
            return true;
        }
        at = match &at.kind {
            ValueKind::Field(base, _) => Arc::clone(base),
            ValueKind::Call(call) => Arc::clone(&call.callee),
            // `export default function middleware(request) { return auth(request) }`
            ValueKind::Function(function) => {
                let calls = graph.summary(*function).map_or(&[][..], |summary| summary.calls.as_slice());
                let mut callees = calls.iter().map(|event| graph.resolved(&event.call.callee));
                return callees.any(|callee| holds_call(&callee, made) || is_of(graph, &callee, made));
            }
            _ => return false,
        };
    }
    false
}

/// Whether a value is taken out of what a call made.
fn is_of(graph: &Graph, value: &Shared, made: CallSite) -> bool {
    matches!(&value.kind, ValueKind::Field(base, _) if holds_call(&graph.resolved(base), made))
}
