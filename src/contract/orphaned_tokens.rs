//! Tokens in the database whose user can no longer log in.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Finding, Level, Precision};

pub(crate) const CHECK: Check = Check {
    id: "orphaned-tokens",
    summary: "the database holds tokens whose user is gone or inactive",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: Some("6.5"),
    believed: "proven by the rows that were counted",
    docs: include_str!("../../docs/checks/orphaned-tokens.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some(at) = case.anchor() else { return };
    for counted in case.counted() {
        let Some(orphans) = &counted.counts.orphans else { continue };
        let what = match (orphans.gone > 0, orphans.inactive > 0) {
            (true, true) => "gone or inactive",
            (true, false) => "gone",
            (false, true) => "inactive",
            (false, false) => continue,
        };
        let message = format!(
            "{}{} holds tokens whose user in {} is {what}: whoever has one may still come in where the token alone is trusted",
            case.name,
            counted.place(),
            orphans.users
        );
        findings.push(CHECK.finding(case, at.clone(), (&counted.signature(""), what), message, Vec::new()));
    }
}

#[cfg(test)]
mod tests {
    use crate::contract::bench::{Bench, NOWHERE, bench};
    use crate::probe::{Method, Orphans, Outcome};

    const ORPHANED: &str = "orphaned-tokens";

    fn with(gone: u64, inactive: u64) -> Bench {
        let mut bench = bench().cohorts(&[("web", "/web", 4711, 0)]);
        if let Outcome::Counted(counts) = &mut bench.probes[0].outcome {
            counts.orphans =
                Some(Orphans { users: "users".into(), method: Method::Exact, tokens: 4711, gone, inactive });
        }
        bench
    }

    #[test]
    fn tokens_of_users_who_are_gone_or_inactive_are_reported_without_a_number() {
        assert_eq!(with(4711, 4711).lines(ORPHANED), [3]);
        let message = &with(0, 4711).findings(ORPHANED)[0].message;
        assert!(message.contains("is inactive") && !message.contains("4711"), "{message}");
        assert_eq!(with(0, 0).lines(ORPHANED), NOWHERE);
    }
}
