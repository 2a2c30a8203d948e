//! The column is written and never read.

use std::collections::BTreeSet;

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Finding, Level, Precision};
use crate::provenance::Origin;

pub(crate) const CHECK: Check = Check {
    id: "unread-column",
    summary: "production code writes the column and never reads it",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    believed: "the writes are proven or inferred as marked; that nobody reads is what is left when no resolved field, query or export names the column",
    docs: include_str!("../../docs/checks/unread-column.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // A contract settles the column's fate: whoever keeps it up has a reader outside this tree in mind.
    if case.contract().is_some() || case.reads().next().is_some() {
        return;
    }
    // Who may write the column but could not be told may read it as well.
    if !case.trace.gaps.is_empty() {
        return;
    }
    // A library that writes a table by itself reads it by itself.
    if case.writes.iter().any(|write| write.site.by_library) {
        return;
    }
    let origins: BTreeSet<Origin> = case.writes.iter().flat_map(|write| write.path.meaning.origins()).collect();
    // What is written back was read before, and what could not be told may have been.
    let read = |origin: &Origin| matches!(origin, Origin::Preserved | Origin::Unknown);
    let written = |origin: &Origin| matches!(origin, Origin::Fresh | Origin::Supplied | Origin::Generated);
    if origins.iter().any(read) || !origins.iter().any(written) {
        return;
    }
    let Some(at) = case.anchor() else { return };
    let message = format!("production code writes {} and no production code was found that reads it", case.name);
    let finding = CHECK.finding(case, at, ("", "unread"), message, Vec::new());
    findings.push(finding.resting_on(case.all_ways()));
}

#[cfg(test)]
mod tests {
    use crate::config::Contract;
    use crate::contract::bench::{NOWHERE, bench, path};
    use crate::provenance::ReadKind;

    const UNREAD: &str = "unread-column";

    #[test]
    fn a_column_that_only_tests_read_is_unread() {
        let bench = bench().update(10, vec![path("a", "fresh")]).read(1, 20, ReadKind::Query);
        assert_eq!(bench.lines(UNREAD), [3]);
    }

    #[test]
    fn without_a_configuration_file_the_declaration_is_the_place() {
        let mut bench = bench().update(10, vec![path("a", "fresh")]);
        bench.column().line = None;
        assert_eq!(bench.lines(UNREAD), [190]);
    }

    #[test]
    fn what_may_write_the_column_may_read_it() {
        assert_eq!(bench().update(10, vec![path("a", "fresh")]).gap().lines(UNREAD), NOWHERE);
    }

    #[test]
    fn a_reader_a_contract_or_no_writer_leave_nothing_to_report() {
        let written = || bench().update(10, vec![path("a", "fresh")]);
        assert_eq!(written().read(0, 20, ReadKind::Service).lines(UNREAD), NOWHERE);
        assert_eq!(written().contract(Contract::WriteConsistently).lines(UNREAD), NOWHERE);
        assert_eq!(bench().update(10, vec![path("a", "null")]).lines(UNREAD), NOWHERE);
        assert_eq!(bench().update(10, vec![path("a", "fresh"), path("b", "preserved")]).lines(UNREAD), NOWHERE);
    }
}
