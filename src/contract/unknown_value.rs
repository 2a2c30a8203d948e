//! What a production path writes could not be told.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::identity::signature;
use crate::contract::practice::{Write, group};
use crate::contract::wording::list;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::provenance::Origin;

pub(crate) const CHECK: Check = Check {
    id: "unknown-value",
    summary: "what a path writes to the column could not be told",
    level: Level::Note,
    precision: Precision::High,
    security_severity: None,
    believed: "every step of the path is proven or inferred as marked",
    docs: include_str!("../../docs/checks/unknown-value.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let unknown = |write: &Write<'_>| write.path.meaning.origins().contains(&Origin::Unknown);
    let writes = case.writes.iter().copied().filter(unknown);
    for ((), write, entries) in group(writes, |_| ()) {
        let reason = &write.path.reason;
        let message = format!(
            "what `{}` writes to {} could not be told on the way from {}: {reason}",
            write.site.function,
            case.name,
            list(&entries)
        );
        let related =
            write.path.trail.iter().map(|hop| Related { at: Anchor::Code(hop.span), message: hop.what.clone() });
        let signature = signature(&case.facts, &entries, (write.site.span, &write.site.function));
        let semantics = write.path.meaning.semantics();
        let at = Anchor::Code(write.site.value);
        findings.push(CHECK.finding(case, at, (&signature, &semantics), message, related.collect()).along(write));
    }
}

#[cfg(test)]
mod tests {
    use crate::contract::bench::{NOWHERE, bench, path};
    use crate::rules::Operation;
    use crate::source::Scope;

    const UNKNOWN: &str = "unknown-value";

    #[test]
    fn an_unknown_value_is_shown_with_its_reason() {
        let bench = bench().update(10, vec![path("a", "fresh|unknown"), path("b", "fresh")]);
        assert_eq!(bench.lines(UNKNOWN), [11]);
        assert!(bench.findings(UNKNOWN)[0].message.ends_with("from `POST /a` (a): reason of a"));
    }

    #[test]
    fn paths_of_one_reason_are_one_finding() {
        let mut other = path("b", "unknown");
        other.reason = "reason of a".into();
        let bench = bench().update(10, vec![path("a", "unknown"), other]);
        assert_eq!(bench.lines(UNKNOWN), [11]);
    }

    #[test]
    fn known_values_and_tests_are_not_reported() {
        let bench = bench().update(10, vec![path("a", "fresh"), path("b", "null")]).site_in(
            Scope::Test,
            Operation::Update,
            20,
            vec![path("spec", "unknown")],
        );
        assert_eq!(bench.lines(UNKNOWN), NOWHERE);
    }
}
