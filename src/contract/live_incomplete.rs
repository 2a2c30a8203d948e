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
    believed: "proven: the database was asked and did not answer",
    docs: include_str!("../../docs/checks/live-incomplete.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some(at) = case.anchor() else { return };
    for probe in case.probes() {
        let why = match &probe.outcome {
            Outcome::Failed(why) => why,
            Outcome::Counted(counts) => match &counts.incomplete {
                Some(why) => why,
                None => continue,
            },
        };
        let message = format!("{} could not be counted in database {}: {why}", case.name, probe.database);
        findings.push(CHECK.finding(case, at.clone(), (&probe.database, "incomplete"), message, Vec::new()));
    }
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
        bench.probes = vec![ColumnProbe { column: 0, database: "replica".into(), outcome }];
        assert_eq!(bench.lines(INCOMPLETE), [3]);
        assert!(bench.findings(INCOMPLETE)[0].message.contains("`acess_token`"));
    }

    #[test]
    fn counts_and_no_database_are_complete() {
        assert_eq!(bench().cohorts(&[("web", "/web", 1, 1)]).lines(INCOMPLETE), NOWHERE);
        assert_eq!(bench().lines(INCOMPLETE), NOWHERE);
    }
}
