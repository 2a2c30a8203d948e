//! A declared contract that no test holds.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Finding, Level, Precision};

pub(crate) const CHECK: Check = Check {
    id: "contract-unpinned",
    summary: "no test fails when a path breaks the declared contract",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    believed: "proven as far as tests tell: none that runs holds the column to the contract, by its mark or by what it asserts of rows that it reads",
    docs: include_str!("../../docs/checks/contract-unpinned.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let (Some(contract), Some(at)) = (case.contract(), case.anchor()) else { return };
    if case.facts.pinned.get(case.trace.column.0).is_some_and(|pinned| *pinned) {
        return;
    }
    let message = format!(
        "{} is declared `{}`, and no test fails when a path breaks that: `tokendrift pin {}` writes one",
        case.name,
        contract.word(),
        case.name
    );
    let finding = CHECK.finding(case, at, (contract.word(), "unpinned"), message, Vec::new());
    findings.push(finding.resting_on(case.all_ways()));
}

#[cfg(test)]
mod tests {
    use crate::config::Contract;
    use crate::contract::bench::{NOWHERE, bench, path};

    const UNPINNED: &str = "contract-unpinned";

    #[test]
    fn a_contract_that_no_test_holds_is_reported_at_its_column() {
        let bench = bench().contract(Contract::WriteConsistently).update(10, vec![path("a", "fresh")]);
        assert_eq!(bench.lines(UNPINNED), [3]);
    }

    #[test]
    fn without_a_contract_there_is_nothing_to_pin() {
        assert_eq!(bench().update(10, vec![path("a", "fresh")]).lines(UNPINNED), NOWHERE);
    }

    #[test]
    fn a_contract_that_a_test_holds_is_none_to_report() {
        let mut bench = bench().contract(Contract::WriteConsistently).update(10, vec![path("a", "fresh")]);
        bench.pinned = vec![true];
        assert_eq!(bench.lines(UNPINNED), NOWHERE);
    }
}
