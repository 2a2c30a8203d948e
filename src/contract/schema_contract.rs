//! The column's declaration against what its paths, its contract and the live database say.

use crate::config::Contract;
use crate::contract::case::{Case, Counted};
use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::practice::Write;
use crate::contract::wording::entry_point;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::probe::{Declared, Writer};
use crate::provenance::Origin;

pub(crate) const CHECK: Check = Check {
    id: "schema-contract",
    summary: "the column's declaration goes against its contract or the live database",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: None,
    believed: "proven: it is what the declaration, or the database's own catalogue, says",
    docs: include_str!("../../docs/checks/schema-contract.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    for counted in case.counted() {
        if let Some(declared) = &counted.counts.declared {
            live(case, &counted, declared, findings);
        }
    }
    // Under drop-writes nullability and default are part of the contract, which contract-broken judges.
    if case.contract() != Some(Contract::WriteConsistently) {
        return;
    }
    for property in case.declarations() {
        if property.default.is_some() {
            let message = format!(
                "{} is to be written consistently, but has a default: a path that leaves it out stores the default in \
                 place of a token",
                case.name
            );
            findings.push(CHECK.finding(
                case,
                Anchor::Code(property.span),
                (&place(&case.facts, property.span, &property.name), "default"),
                message,
                Vec::new(),
            ));
        }
        let writes_null = |write: &&Write<'_>| write.path.meaning.origins().contains(&Origin::Null);
        let clearing = case.writes.iter().find(writes_null).filter(|_| property.nullable == Some(false));
        if let Some(write) = clearing {
            let message = format!(
                "{} is declared not nullable, but `{}` writes NULL, from {}",
                case.name,
                write.site.function,
                entry_point(&write.path.entry)
            );
            let related =
                Related { at: Anchor::Code(write.site.value), message: "NULL or no token is written here".into() };
            findings.push(CHECK.finding(
                case,
                Anchor::Code(property.span),
                (&place(&case.facts, property.span, &property.name), "not-nullable"),
                message,
                vec![related],
            ));
        }
    }
}

/// What the database says of the column, held against the code.
fn live(case: &Case<'_>, counted: &Counted<'_>, declared: &Declared, findings: &mut Vec<Finding>) {
    let name = &case.name;
    // The sentences speak of "the database" already.
    let database = counted.place().replace(" in database", "");
    for property in case.declarations() {
        let (semantics, message) = match property.nullable {
            Some(false) if declared.nullable => (
                "live-nullable",
                format!(
                    "{name} is declared not nullable here, but in the database{database} it is: readers can meet NULL"
                ),
            ),
            Some(true) if !declared.nullable => (
                "live-not-nullable",
                format!(
                    "{name} is declared nullable here, but the database{database} takes no NULL: a write of NULL, or an insert without it, fails"
                ),
            ),
            _ => continue,
        };
        let at = Anchor::Code(property.span);
        findings.push(CHECK.finding(
            case,
            at,
            (&counted.signature(&place(&case.facts, property.span, &property.name)), semantics),
            message,
            Vec::new(),
        ));
    }
    let Some(at) = case.anchor() else { return };
    let mut report = |signature: &str, semantics: &str, message: String| {
        findings.push(CHECK.finding(case, at.clone(), (&counted.signature(signature), semantics), message, Vec::new()));
    };
    let mut declarations = case.declarations().peekable();
    let undeclared = declarations.peek().is_some() && declarations.all(|property| property.default.is_none());
    if case.contract() == Some(Contract::DropWrites) && (!declared.nullable || declared.has_default) {
        let why = if declared.has_default { "gives it a default" } else { "takes no NULL" };
        report(
            "",
            "live-drop",
            format!(
                "{name} is to be dropped, but the database{database} {why}: inserts without it store the default or fail"
            ),
        );
    } else if declared.has_default && !declared.is_generated && undeclared {
        report(
            "",
            "live-default",
            format!(
                "the database{database} gives {name} a default that nothing in the code declares: an insert without it stores that"
            ),
        );
    }
    if declared.is_generated && !case.writes.is_empty() {
        report(
            "",
            "live-generated",
            format!("the database{database} computes {name} itself: what the code writes fails"),
        );
    }
    let is_known = |name: &str| case.facts.sources.iter().any(|(_, file)| file.text.contains(name));
    for writer in declared.writers.iter().filter(|writer| !is_known(&writer.name)) {
        let Writer { kind, name: writer, operation, semantics } = writer;
        let message = format!(
            "the {kind} `{writer}` of the database{database} writes {name} ({operation}: {semantics}), and no file of the tree names it"
        );
        report(&format!("{kind} {writer}"), semantics, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{Bench, NOWHERE, bench, bench_with, path};
    use crate::probe::Outcome;

    const SCHEMA: &str = "schema-contract";

    fn declared(nullable: Option<bool>, default: Option<&str>) -> Bench {
        let mut bench = bench().contract(Contract::WriteConsistently);
        let property = &mut bench.schema.models[0].properties[0];
        property.nullable = nullable;
        property.default = default.map(str::to_owned);
        bench
    }

    fn in_database(nullable: bool, has_default: bool, writers: &[&str]) -> Declared {
        let writer = |name: &&str| Writer {
            kind: "trigger",
            name: (*name).into(),
            operation: "update",
            semantics: "null".into(),
        };
        let writers = writers.iter().map(writer).collect();
        Declared { nullable, has_default, is_generated: false, mentions: Vec::new(), writers }
    }

    fn told(mut bench: Bench, declared: Declared) -> Vec<(u32, String)> {
        bench = bench.cohorts(&[("web", "/web", 10, 0)]);
        if let Outcome::Counted(counts) = &mut bench.probes[0].outcome {
            counts.declared = Some(declared);
        }
        let findings = bench.findings(SCHEMA);
        let semantics = |finding: &Finding| finding.identity.rsplit('|').next().unwrap_or_default().to_owned();
        findings.iter().map(|finding| (bench.line_of(&finding.at), semantics(finding))).collect()
    }

    #[test]
    fn a_database_that_differs_from_the_declaration_is_reported() {
        assert_eq!(told(bench(), in_database(true, false, &[])), []);
        assert_eq!(told(bench(), in_database(false, false, &[])), [(190, "live-not-nullable".into())]);
        assert_eq!(told(declared(Some(false), None), in_database(true, false, &[])), [(190, "live-nullable".into())]);
        assert_eq!(told(bench(), in_database(true, true, &[])), [(3, "live-default".into())]);
        let dropping = bench().contract(Contract::DropWrites);
        assert_eq!(told(dropping, in_database(true, true, &[])), [(3, "live-drop".into())]);
    }

    #[test]
    fn a_trigger_that_no_file_names_is_a_write_that_the_audit_does_not_see() {
        assert_eq!(told(bench(), in_database(true, false, &["clear_token"])), [(3, "null".into())]);
        let named = bench_with(&[(20, "CREATE TRIGGER clear_token")]);
        assert_eq!(told(named, in_database(true, false, &["clear_token"])), []);
    }

    #[test]
    fn a_default_hides_a_missing_token() {
        assert_eq!(declared(Some(true), Some("''")).lines(SCHEMA), [190]);
        assert_eq!(declared(Some(true), None).lines(SCHEMA), NOWHERE);
    }

    #[test]
    fn a_logout_cannot_write_null_into_a_column_that_takes_none() {
        let logout = || vec![path("logout", "null").revokes()];
        assert_eq!(declared(Some(false), None).update(10, logout()).lines(SCHEMA), [190]);
        assert_eq!(declared(Some(true), None).update(10, logout()).lines(SCHEMA), NOWHERE);
        assert_eq!(declared(Some(false), None).update(10, vec![path("a", "fresh")]).lines(SCHEMA), NOWHERE);
    }

    #[test]
    fn under_drop_writes_the_schema_is_part_of_the_contract() {
        let bench = declared(Some(false), Some("''")).contract(Contract::DropWrites);
        assert_eq!(bench.lines(SCHEMA), NOWHERE);
        assert_eq!(bench.lines("contract-broken"), [190]);
    }
}
