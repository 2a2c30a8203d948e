//! The column's declaration against what its paths and its contract say.

use crate::config::Contract;
use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::practice::Write;
use crate::contract::wording::entry_point;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::provenance::Origin;

pub(crate) const CHECK: Check = Check {
    id: "schema-contract",
    summary: "the column's nullability or default goes against its contract",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: None,
    docs: include_str!("../../docs/checks/schema-contract.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
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
                (&property.name, "default"),
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
                (&property.name, "not-nullable"),
                message,
                vec![related],
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{Bench, NOWHERE, bench, path};

    const SCHEMA: &str = "schema-contract";

    fn declared(nullable: Option<bool>, default: Option<&str>) -> Bench {
        let mut bench = bench().contract(Contract::WriteConsistently);
        let property = &mut bench.schema.models[0].properties[0];
        property.nullable = nullable;
        property.default = default.map(str::to_owned);
        bench
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
