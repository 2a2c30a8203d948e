//! What could not be told of a column's writes, as people read it.

use crate::provenance::ColumnTracer;
use crate::provenance::path::EntryPoint;
use crate::sites::Candidate;
use crate::source::{Gap, Span};

impl ColumnTracer<'_, '_> {
    /// That an entry point hands its token to what may store it.
    pub(super) fn handed_on(&self, span: Span, entry: &EntryPoint) -> Gap {
        let shown = self.graph.shown(span, "a call");
        let entry = if entry.route.is_empty() { &entry.name } else { &entry.route };
        let what = format!("{} for `{entry}`: what {shown} does with the token could not be told", self.named());
        self.at(span, format!("may write {what}"))
    }

    /// That what a write is called on could not be told.
    pub(super) fn untold(&self, candidate: &Candidate) -> Option<Gap> {
        let shown = self.graph.shown(candidate.unresolved?, "the receiver");
        Some(self.at(candidate.span, format!("may write {}: what {shown} is could not be told", self.named())))
    }

    pub(super) fn over_budget(&self, candidate: &Candidate, what: &str) -> Gap {
        self.at(candidate.span, format!("budget: {what}"))
    }

    fn named(&self) -> String {
        let tracked = &self.schema.columns[self.column.0];
        format!("{}.{}", tracked.table, tracked.column)
    }

    fn at(&self, span: Span, why: String) -> Gap {
        let at = self.graph.sources.location(span);
        Gap { path: at.path, line: at.line, why }
    }
}
