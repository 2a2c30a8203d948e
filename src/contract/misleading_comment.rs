//! A comment says what the code contradicts.

use std::collections::BTreeSet;

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::guards::{Place, Verdict};
use crate::provenance::Origin;
use crate::rules::Says;
use crate::source::Span;

pub(crate) const CHECK: Check = Check {
    id: "misleading-comment",
    summary: "a comment claims that the column is not used, read or written, or that a guard compares it, and production code contradicts it",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    believed: "inferred: the comment is read by its words; the code that contradicts it is resolved",
    docs: include_str!("../../docs/checks/misleading-comment.md"),
    run: Run::Column(run),
};

/// The guard that a comment speaks of, where none of its file lets in by the column and all that they ask was followed.
fn let_in_without(case: &Case<'_>, comment: Span) -> Option<(Span, String)> {
    let guards = || case.facts.guards.guards.iter().filter(|guard| guard.span.file == comment.file);
    let is_followed = guards().all(|guard| guard.verdict != Verdict::Unclear && guard.unclear.is_empty());
    let decides = case.decisions().next().is_some();
    let guard = guards().next().filter(|_| is_followed && !decides)?;
    Some((guard.span, format!("{} lets in without a look at it", guard.name)))
}

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let read = case.reads().next().map(|read| (read.span, format!("{} reads it", read.function)));
    let fresh = case.writes.iter().find(|write| write.path.meaning.origins().contains(&Origin::Fresh));
    let written = fresh.map(|write| (write.site.value, format!("{} writes a fresh token to it", write.site.function)));
    let guard = case.decisions().find(|decision| decision.place == Place::Guard);
    let guard = guard.map(|decision| (decision.at, format!("{} lets in by it", decision.function)));
    let mut told: BTreeSet<Span> = BTreeSet::new();
    for comment in case.facts.comments.iter().filter(|comment| comment.column == case.trace.column) {
        let against: Option<(Span, String)> = match comment.says {
            Says::Unread => read.clone(),
            Says::Unwritten => written.clone(),
            Says::Unused => read.clone().or_else(|| written.clone()),
            Says::Deprecated => read.clone().and(written.clone()),
            Says::Stateless => guard.clone(),
            Says::Compared => let_in_without(case, comment.span),
        };
        let Some((at, what)) = against.filter(|_| told.insert(comment.span)) else { continue };
        let message =
            format!("the comment says \"{}\" of {}, and {what} ({})", comment.phrase, case.name, case.place(at));
        let related = vec![Related { at: Anchor::Code(at), message: what }];
        let signature = place(&case.facts, comment.span, "");
        findings.push(CHECK.finding(case, Anchor::Code(comment.span), (&signature, &comment.phrase), message, related));
    }
}
