//! The decision record that the configuration names is not there.

use crate::contract::case::Case;
use crate::contract::check::Check;
use crate::contract::{Finding, Level};

pub(crate) const CHECK: Check = Check {
    id: "decision-missing",
    summary: "the decision record that the configuration names does not exist",
    level: Level::Warning,
    docs: include_str!("../../docs/checks/decision-missing.md"),
    run,
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some(config) = case.config.filter(|config| config.decision_exists == Some(false)) else { return };
    let (Some(decision), Some(at)) = (&config.decision, case.anchor()) else { return };
    let message = format!("the decision about {} is said to stand in `{decision}`, which does not exist", case.name);
    findings.push(CHECK.finding(case, at, (decision, "absent"), message, Vec::new()));
}

#[cfg(test)]
mod tests {
    use crate::contract::bench::{NOWHERE, bench};

    const DECISION: &str = "decision-missing";

    #[test]
    fn a_named_record_must_exist() {
        let mut bench = bench();
        bench.column().decision = Some("docs/adr/7.md".into());
        bench.column().decision_exists = Some(false);
        assert_eq!(bench.lines(DECISION), [3]);
        assert!(bench.findings(DECISION)[0].message.contains("`docs/adr/7.md`"));
        bench.column().decision_exists = Some(true);
        assert_eq!(bench.lines(DECISION), NOWHERE);
    }

    #[test]
    fn no_record_is_no_missing_record() {
        assert_eq!(bench().lines(DECISION), NOWHERE);
    }
}
