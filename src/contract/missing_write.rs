//! A path mints the token and never writes the column.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::identity::signature;
use crate::contract::practice::is_production;
use crate::contract::wording::entry_point;
use crate::contract::{Anchor, Finding, Level, Precision, Related};

pub(crate) const CHECK: Check = Check {
    id: "missing-write",
    summary: "a path mints the token and never writes the column",
    level: Level::Warning,
    precision: Precision::Medium,
    security_severity: None,
    believed: "every step of the path is proven or inferred as marked",
    docs: include_str!("../../docs/checks/missing-write.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // Under drop-writes not writing is right; under write-consistently contract-broken reports the same place.
    if case.contract().is_some() {
        return;
    }
    let sources = case.facts.sources;
    for missing in case.trace.missing.iter().filter(|missing| is_production(sources, missing.entry.span.file)) {
        let never = if missing.partly { "hands it out here without writing" } else { "never writes" };
        let message = format!(
            "{} issues a token in `{}` and {never} {}",
            entry_point(&missing.entry),
            missing.function,
            case.name
        );
        let mut related: Vec<Related> = missing
            .steps
            .iter()
            .map(|step| Related {
                at: Anchor::Code(step.span),
                message: format!("`{}` calls on towards the mint", step.function),
            })
            .collect();
        let example = case.practices.iter().find_map(|practice| practice.writes.first().map(|write| (practice, write)));
        related.extend(example.map(|(practice, write)| Related {
            at: Anchor::Code(write.site.value),
            message: format!("counter-example: {} writes {} here", entry_point(practice.entry), case.name),
        }));
        let signature = signature(&case.facts, &[&missing.entry], (missing.span, &missing.function));
        let at = Anchor::Code(missing.span);
        findings.push(CHECK.finding(case, at, (&signature, "missing"), message, related).along_missing(missing));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Contract;
    use crate::contract::bench::{NOWHERE, bench, path};

    const MISSING: &str = "missing-write";

    #[test]
    fn each_missing_write_is_shown_at_its_mint_with_a_path_that_writes() {
        let bench = bench().update(10, vec![path("login", "fresh")]).missing("sso", 70);
        assert_eq!(bench.lines(MISSING), [70]);
        let finding = &bench.findings(MISSING)[0];
        assert!(finding.message.contains("`POST /sso` (sso) issues a token in `ssoService`"), "{}", finding.message);
        assert_eq!(finding.related.len(), 1);
    }

    #[test]
    fn paths_that_all_write_miss_nothing() {
        assert_eq!(bench().update(10, vec![path("login", "fresh")]).lines(MISSING), NOWHERE);
    }

    #[test]
    fn a_contract_forbids_the_write_or_reports_its_absence_itself() {
        for (contract, broken) in [(Contract::DropWrites, vec![]), (Contract::WriteConsistently, vec![70])] {
            let bench = bench().contract(contract).missing("sso", 70);
            assert_eq!(bench.lines(MISSING), NOWHERE);
            assert_eq!(bench.lines("contract-broken"), broken);
        }
    }
}
