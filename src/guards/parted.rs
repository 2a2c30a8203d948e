//! A wrapper runs the handlers that it is handed: what is true of those that ask is not of the rest.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::guards::endpoints::is_endpoint;
use crate::guards::root::Root;
use crate::guards::routes::route_names;
use crate::guards::uses::Use;
use crate::guards::walk::{Entered, Walk};
use crate::guards::{Guard, Proof, ShortBy, Verdict};
use crate::summary::{CallValue, FunctionRef, Shared};

impl Walk<'_, '_> {
    /// The endpoint that a call runs.
    pub(super) fn handler_of(&self, call: &CallValue) -> Option<FunctionRef> {
        match &self.graph.targets(call)[..] {
            [only] if is_endpoint(self.graph, only.function) => Some(only.function),
            _ => None,
        }
    }

    /// Walks a handler that it was handed to run: what that answers is its own business, as in an endpoint that verifies by itself.
    pub(super) fn serve(
        &mut self,
        handler: FunctionRef,
        call: &CallValue,
        conditions: &[(Shared, bool)],
        entered: &Entered,
    ) {
        let bindings = self.graph.bind(call, handler);
        let around = (self.root.replace(handler), std::mem::replace(&mut self.answers, true));
        self.visit(
            handler,
            &Entered {
                bindings: Some(&bindings),
                conditions,
                result: Use::None,
                user: Use::Decided,
                through: None,
                ..*entered
            },
        );
        (self.root, self.answers) = around;
    }

    /// What is said of a guard that was walked from there.
    pub(super) fn verdict(&self, root: &Root) -> Verdict {
        // A verification above which the guard stands, and that the way down did not meet: what the guard does with it was not seen.
        let unmet = root.claims.is_empty() && self.verified.is_none();
        let is_told = |why: ShortBy| {
            matches!(why, ShortBy::FirstLogin | ShortBy::Unused | ShortBy::Missed | ShortBy::Added | ShortBy::Another)
        };
        if !self.proofs.is_empty() {
            Verdict::Checked
        } else if !self.unclear.is_empty() || self.cut || unmet || self.short.iter().any(|short| !is_told(short.why)) {
            Verdict::Unclear
        } else {
            Verdict::Unchecked
        }
    }
}

/// The guard as it stands in front of the handlers that ask by themselves, with these; what is left of it is in front of the others.
pub(super) fn asking(
    graph: &Graph,
    guard: &mut Guard,
    parts: Vec<(FunctionRef, Option<Proof>)>,
) -> Option<(Guard, BTreeSet<FunctionRef>)> {
    if guard.verdict == Verdict::Checked || parts.is_empty() {
        return None;
    }
    let (asking, silent): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(_, proof)| proof.is_some());
    let routes = |handlers: &[(FunctionRef, Option<Proof>)]| {
        let names: BTreeSet<String> = handlers.iter().flat_map(|(handler, _)| route_names(graph, *handler)).collect();
        names.into_iter().collect()
    };
    guard.routes = routes(&silent);
    let asked = Guard {
        routes: routes(&asking),
        verdict: Verdict::Checked,
        short: Vec::new(),
        unclear: Vec::new(),
        proofs: asking.iter().filter_map(|(_, proof)| proof.clone()).collect(),
        ..guard.clone()
    };
    Some((asked, asking.into_iter().map(|(handler, _)| handler).collect()))
}
