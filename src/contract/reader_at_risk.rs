//! A reader would meet NULL and is not prepared for it.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::practice::Write;
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
    let issuing = || case.writes.iter().filter(|write| write.path.issues && !is_filled(case, **write));
    let leaving =
        issuing().find(|write| leaves(**write, true)).or_else(|| issuing().find(|write| leaves(**write, false)));
    // Before the first sign-in: the row is made without a token.
    let made = || case.writes.iter().find(|write| is_omitted(**write) && !is_filled(case, **write));
    let leaves_null = |entry| format!("{} leaves it NULL for a user who has none yet", entry_point(entry));
    let missing = case.trace.missing.first().filter(|_| leaving.is_none());
    let (at, who, way) = match (missing, leaving.or_else(made)) {
        (Some(missing), _) => {
            let way = Way::missing(leaves_null(&missing.entry), missing);
            (missing.span, &missing.entry.name, way)
        }
        (None, Some(write)) => {
            let way = Way::to(leaves_null(&write.path.entry), *write);
            (write.site.span, &write.path.entry.name, way)
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

fn is_omitted(write: Write<'_>) -> bool {
    write.path.meaning.origins().iter().eq([&Origin::Omitted])
}

/// Whether a row is made without the column and the same entry point stores something in it elsewhere: sign-up, then the token.
fn is_filled(case: &Case<'_>, write: Write<'_>) -> bool {
    let stores = |other: &Write<'_>| {
        let origins = other.path.meaning.origins();
        other.path.entry == write.path.entry
            && other.site.span != write.site.span
            && origins.iter().all(|origin| matches!(origin, Origin::Fresh | Origin::Supplied | Origin::Generated))
    };
    is_omitted(write) && case.writes.iter().any(stores)
}

/// Whether a path can leave the column NULL: on every branch, or on one that says so.
fn leaves(write: Write<'_>, always: bool) -> bool {
    // What was written back may never have been there.
    let leaves = |origin: &Origin| matches!(origin, Origin::Null | Origin::Omitted | Origin::Preserved);
    let empties = |origin: &Origin| matches!(origin, Origin::Null | Origin::Omitted);
    let chains = &write.path.meaning.chains;
    if always {
        !chains.is_empty() && chains.iter().flatten().all(leaves)
    } else {
        chains.iter().any(|chain| !chain.is_empty() && chain.iter().all(empties))
    }
}
