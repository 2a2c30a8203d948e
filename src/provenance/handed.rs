//! Of a path that writes the stored value back: which of its functions get hold of the token, and which calls hand it on.

use std::collections::BTreeSet;

use crate::provenance::ColumnTracer;
use crate::provenance::issuing::Minting;
use crate::provenance::overrides::run_by;
use crate::provenance::path::{OnPath, Path};
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared};

impl ColumnTracer<'_, '_> {
    /// Tells which calls on a path hand on a token that was minted, and which of its functions mint it, themselves or by a call.
    pub(super) fn follow_token(&self, path: &mut Path, functions: &[FunctionRef], issuing: &[&Minting]) {
        let evaluator = self.evaluator(None);
        let calls_of = |function: &FunctionRef| self.graph.summary(*function).map(|summary| &summary.calls);
        for step in path.entered.iter_mut().chain(&mut path.steps) {
            let mut calls = functions.iter().filter_map(calls_of).flatten();
            let Some(event) = calls.find(|event| event.call.site.span == step.span) else { continue };
            self.graph.refuel();
            let is_minted = |value: &Shared| evaluator.chains(value).iter().flatten().any(|atom| atom.mint.is_some());
            step.hands_token = event.call.args.iter().any(|arg| is_minted(&arg.value));
        }
        let leads_on: BTreeSet<Span> = path.calls().map(|step| step.span).collect();
        let makers: BTreeSet<FunctionRef> = issuing.iter().map(|mint| mint.site.function).collect();
        let mints = |call: &CallValue| {
            let is_below = |(called, _): (FunctionRef, _)| !self.issuing.below(called).is_disjoint(&makers);
            issuing.iter().any(|mint| mint.site == call.site)
                || !leads_on.contains(&call.site.span) && run_by(self.graph, call, None).into_iter().any(is_below)
        };
        let on_path = |function: &FunctionRef| {
            let span = self.graph.function(*function)?.span;
            let mints = calls_of(function).into_iter().flatten().any(|event| {
                self.graph.refuel();
                mints(&event.call)
            });
            Some(OnPath { span, mints })
        };
        path.functions = functions.iter().filter_map(on_path).collect();
    }
}
