//! A column of the configuration file without a contract.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Anchor, Finding, Level, Precision};

pub(crate) const CHECK: Check = Check {
    id: "contract-undeclared",
    summary: "the configuration does not say what is to become of the column",
    level: Level::Warning,
    precision: Precision::VeryHigh,
    security_severity: None,
    believed: "proven: the configuration has no `contract` for the column",
    docs: include_str!("../../docs/checks/contract-undeclared.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // A column of the command line is a question, not a decision that somebody put off: it has no line.
    let Some((config, line)) = case.config.and_then(|config| Some((config, config.line?))) else { return };
    if config.contract.is_some() {
        return;
    }
    let message = format!(
        "no contract says what is to become of {}: declare `write-consistently` or `drop-writes`; keeping it for \
         compatibility puts the decision off",
        case.name
    );
    let finding = CHECK.finding(case, Anchor::Config { line }, ("", "undeclared"), message, Vec::new());
    findings.push(finding.resting_on(case.all_ways()));
}

#[cfg(test)]
mod tests {
    use crate::config::Contract;
    use crate::contract::bench::{NOWHERE, bench};

    const UNDECLARED: &str = "contract-undeclared";

    #[test]
    fn a_configured_column_without_a_contract_is_reported_at_its_line() {
        assert_eq!(bench().lines(UNDECLARED), [3]);
    }

    #[test]
    fn a_contract_or_the_command_line_leave_nothing_to_report() {
        assert_eq!(bench().contract(Contract::DropWrites).lines(UNDECLARED), NOWHERE);
        let mut asked = bench();
        asked.column().line = None;
        assert_eq!(asked.findings(UNDECLARED), []);
    }
}
