//! The database was asked and gave no counts.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Finding, Level, Precision};
use crate::probe::Outcome;

pub(crate) const CHECK: Check = Check {
    id: "live-incomplete",
    summary: "the database was asked about the column and gave no counts",
    level: Level::Note,
    precision: Precision::VeryHigh,
    security_severity: None,
    docs: include_str!("../../docs/checks/live-incomplete.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some(Outcome::Failed(why)) = case.probe().map(|probe| &probe.outcome) else { return };
    let Some(at) = case.anchor() else { return };
    let message = format!("{} could not be counted in the database: {why}", case.name);
    findings.push(CHECK.finding(case, at, ("", "incomplete"), message, Vec::new()));
}

#[cfg(test)]
mod tests {
    use crate::contract::bench::{NOWHERE, bench};
    use crate::probe::{ColumnProbe, Outcome};

    const INCOMPLETE: &str = "live-incomplete";

    #[test]
    fn a_failed_count_is_reported_with_its_reason() {
        let mut bench = bench();
        let outcome = Outcome::Failed("no column `acess_token` in users".into());
        bench.probes = vec![ColumnProbe { column: 0, outcome }];
        assert_eq!(bench.lines(INCOMPLETE), [3]);
        assert!(bench.findings(INCOMPLETE)[0].message.contains("`acess_token`"));
    }

    #[test]
    fn counts_and_no_database_are_complete() {
        assert_eq!(bench().cohorts(&[("web", "/web", 1, 1)]).lines(INCOMPLETE), NOWHERE);
        assert_eq!(bench().lines(INCOMPLETE), NOWHERE);
    }
}
