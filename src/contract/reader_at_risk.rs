//! A reader would meet NULL and is not prepared for it.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::wording::entry_point;
use crate::contract::{Anchor, Finding, Level, Precision, Related, Way};
use crate::provenance::Origin;

pub(crate) const CHECK: Check = Check {
    id: "reader-at-risk",
    summary: "an issuing path can leave the column NULL, and a reader would break on it",
    level: Level::Warning,
    precision: Precision::Medium,
    security_severity: None,
    believed: "the read is proven, for the row's type was resolved, and no condition of the function asks for it; the path that leaves NULL is proven or inferred as marked",
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
    let leaves_null = |entry| format!("{} leaves it NULL for a user who has none yet", entry_point(entry));
    let (at, who, way) = match (write, missing) {
        (Some(write), _) => {
            let way = Way::to(leaves_null(&write.path.entry), *write);
            (write.site.span, &write.path.entry.name, way)
        }
        (None, Some(missing)) => {
            let way = Way::missing(leaves_null(&missing.entry), missing);
            (missing.span, &missing.entry.name, way)
        }
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
        let finding = CHECK.finding(
            case,
            Anchor::Code(risk.read),
            (&place(&case.facts, risk.read, &risk.function), "null"),
            message,
            related,
        );
        findings.push(finding.resting_on(vec![way.clone()]));
    }
}
