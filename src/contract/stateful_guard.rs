//! A guard lets in by a column whose paths do not agree.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::verdict::verdict;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::guards::Place;

pub(crate) const CHECK: Check = Check {
    id: "stateful-guard",
    summary: "a guard lets in by the column, or a refresh endpoint renews by it, and not every path that issues a token keeps it up to date",
    level: Level::Error,
    precision: Precision::Medium,
    security_severity: None,
    believed: "the read is proven, for the row's type was resolved, and the request depends on the comparison; the paths are proven or inferred as marked",
    docs: include_str!("../../docs/checks/stateful-guard.md"),
    run: Run::Column(run),
};

/// Checks whose findings weigh more where a guard decides by the column.
pub(crate) const RAISED: [&str; 5] =
    ["path-drift", "discarded-token", "missing-write", "null-overwrite", "stale-relogin"];

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut deciding = case.decisions().filter(|decision| decision.place.lets_in());
    let Some(decision) = deciding.next() else { return };
    if case.practices.len() < 2 || verdict(case).agree {
        return;
    }
    let (does, locked_out) = match decision.place {
        Place::Renewal => ("renews a sign-in", "cannot renew it"),
        _ => ("lets requests in", "is locked out"),
    };
    let message = format!(
        "{} {does} by {}, and the paths that issue a token do not agree on it: who signs in on one of them {locked_out}, or an old token goes on",
        decision.function, case.name
    );
    let related = vec![Related { at: Anchor::Code(decision.read), message: format!("{} is read here", case.name) }];
    let finding = CHECK.finding(
        case,
        Anchor::Code(decision.at),
        (&place(&case.facts, decision.at, &decision.function), "stateful"),
        message,
        related,
    );
    findings.push(finding.resting_on(case.ways(|_| true)));
}
