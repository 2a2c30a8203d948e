//! No production code gives the column a value.

use crate::config::Contract;
use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::provenance::Origin;

pub(crate) const CHECK: Check = Check {
    id: "unwritten-column",
    summary: "no production code gives the column a value",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    believed: "what is left when no resolved write, statement or migration gives the column a value",
    docs: include_str!("../../docs/checks/unwritten-column.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let gives_value = |origin: &Origin| !matches!(origin, Origin::Null | Origin::Omitted | Origin::Preserved);
    // What may write the column but could not be told is no proof that nobody does.
    if case.contract() == Some(Contract::DropWrites)
        || !case.trace.gaps.is_empty()
        || case.writes.iter().any(|write| write.path.meaning.origins().iter().any(gives_value))
    {
        return;
    }
    let Some(at) = case.anchor() else { return };
    let related = case.reads().map(|read| Related {
        at: Anchor::Code(read.span),
        message: format!("`{}` reads what nobody writes", read.function),
    });
    let message = format!("no production code was found that gives {} a value", case.name);
    findings.push(CHECK.finding(case, at, ("", "unwritten"), message, related.collect()));
}

#[cfg(test)]
mod tests {
    use crate::config::Contract;
    use crate::contract::bench::{NOWHERE, bench, path};
    use crate::provenance::ReadKind;
    use crate::rules::Operation;
    use crate::source::Scope;

    const UNWRITTEN: &str = "unwritten-column";

    #[test]
    fn null_and_seeds_give_no_value_and_readers_are_shown() {
        let bench = bench()
            .insert(10, vec![path("signup", "omitted")])
            .update(20, vec![path("logout", "null").revokes()])
            .site_in(Scope::Seed, Operation::Insert, 30, vec![path("seed", "supplied")])
            .read(0, 150, ReadKind::Guard);
        assert_eq!(bench.lines(UNWRITTEN), [3]);
        assert_eq!(bench.findings(UNWRITTEN)[0].related.len(), 1);
    }

    #[test]
    fn one_value_even_an_unknown_one_is_enough() {
        for value in ["fresh", "supplied", "generated", "unknown", "fresh|null"] {
            assert_eq!(bench().insert(10, vec![path("a", value)]).lines(UNWRITTEN), NOWHERE, "{value}");
        }
    }

    #[test]
    fn where_writes_are_to_be_dropped_none_is_right() {
        assert_eq!(bench().contract(Contract::DropWrites).lines(UNWRITTEN), NOWHERE);
    }
}
