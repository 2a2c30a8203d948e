//! The decision record that the configuration names is not there, or is about something else.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Finding, Level, Precision};

pub(crate) const CHECK: Check = Check {
    id: "decision-missing",
    summary: "the decision record that the configuration names does not exist, or does not name the column",
    level: Level::Warning,
    precision: Precision::VeryHigh,
    security_severity: None,
    believed: "proven: the file was looked for where the configuration says",
    docs: include_str!("../../docs/checks/decision-missing.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some((config, decision)) = case.config.and_then(|config| Some((config, config.decision.as_ref()?))) else {
        return;
    };
    let (what, semantics) = match (config.decision_exists, config.decision_names) {
        (Some(false), _) => ("which does not exist", "absent"),
        (_, Some(false)) => ("which does not name both the table and the column", "silent"),
        _ => return,
    };
    let Some(at) = case.anchor() else { return };
    let message = format!("the decision about {} is said to stand in `{decision}`, {what}", case.name);
    findings.push(CHECK.finding(case, at, (decision, semantics), message, Vec::new()));
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
        bench.column().decision_names = Some(true);
        assert_eq!(bench.lines(DECISION), NOWHERE);
        bench.column().decision_names = Some(false);
        assert_eq!(bench.lines(DECISION), [3]);
        assert!(bench.findings(DECISION)[0].message.contains("does not name both"));
    }

    #[test]
    fn no_record_is_no_missing_record() {
        assert_eq!(bench().lines(DECISION), NOWHERE);
    }
}
