//! A reader would meet NULL and is not prepared for it.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::provenance::Origin;

pub(crate) const CHECK: Check = Check {
    id: "reader-at-risk",
    summary: "an issuing path can leave the column NULL, and a reader would break on it",
    level: Level::Warning,
    precision: Precision::Medium,
    security_severity: None,
    docs: include_str!("../../docs/checks/reader-at-risk.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // What was written back may never have been there.
    let leaves = |origin: &Origin| matches!(origin, Origin::Null | Origin::Omitted | Origin::Preserved);
    let write = case.writes.iter().filter(|write| write.path.issues).find(|write| {
        let origins = write.path.meaning.origins();
        !origins.is_empty() && origins.iter().all(leaves)
    });
    let missing = case.trace.missing.first();
    let (at, who) = match (write, missing) {
        (Some(write), _) => (write.site.span, &write.path.entry.name),
        (None, Some(missing)) => (missing.span, &missing.entry.name),
        (None, None) => return,
    };
    for risk in case.facts.guards.risks.iter().filter(|risk| risk.column == case.trace.column) {
        if !case.reads().any(|read| read.span == risk.read) {
            continue;
        }
        let message = format!(
            "{} reads {} and {} without asking whether it is there; after {who} it can be NULL",
            risk.function, case.name, risk.what
        );
        let related = vec![Related {
            at: Anchor::Code(at),
            message: format!("{who} leaves it NULL for a user who has none yet"),
        }];
        findings.push(CHECK.finding(
            case,
            Anchor::Code(risk.read),
            (&place(&case.facts, risk.read, &risk.function), "null"),
            message,
            related,
        ));
    }
}
