//! A path that is no revocation can replace a live token by NULL.

use crate::config::Contract;
use crate::contract::case::{Case, related_mints};
use crate::contract::check::{Check, Run};
use crate::contract::helper::contains;
use crate::contract::identity::signature;
use crate::contract::practice::{Stance, Write, group};
use crate::contract::wording::list;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::provenance::Origin;
use crate::rules::Operation;

pub(crate) const CHECK: Check = Check {
    id: "null-overwrite",
    summary: "a path that issues or refreshes can replace a stored token by NULL",
    level: Level::Warning,
    precision: Precision::Medium,
    security_severity: None,
    believed: "every step of the path is proven or inferred as marked",
    docs: include_str!("../../docs/checks/null-overwrite.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // A column that is only ever handed in, and that rows start without, holds no token that was issued here.
    let has = |origin: Origin| case.writes.iter().any(|write| write.path.meaning.origins().contains(&origin));
    let is_optional_input = !has(Origin::Fresh) && has(Origin::Supplied) && has(Origin::Omitted);
    if case.contract() == Some(Contract::DropWrites) || is_optional_input {
        return;
    }
    let writes = case.writes.iter().copied().filter(|write| overwrites(case, *write));
    for (semantics, write, entries) in group(writes, |write| write.path.meaning.semantics()) {
        let (can, one) = (write.stance() != Stance::Clears, entries.len() == 1);
        let verb = match (can, one) {
            (true, _) => "can replace",
            (false, true) => "replaces",
            (false, false) => "replace",
        };
        let message = format!(
            "{} {verb} a stored {} by NULL, though {} a token and revokes none",
            list(&entries),
            case.name,
            if one { "it issues" } else { "each issues" },
        );
        let mut related = related_mints(write);
        related.extend(
            write.path.trail.iter().map(|hop| Related { at: Anchor::Code(hop.span), message: hop.what.clone() }),
        );
        let signature = signature(&case.facts, &entries, (write.site.span, &write.site.function));
        let at = Anchor::Code(write.site.value);
        findings.push(CHECK.finding(case, at, (&signature, &semantics), message, related).along(write));
    }
}

fn overwrites(case: &Case<'_>, write: Write<'_>) -> bool {
    let origins = write.path.meaning.origins();
    let updates = matches!(write.site.operation, Operation::Update | Operation::UpsertUpdate | Operation::Save);
    let issues = write.issues() || origins.contains(&Origin::Fresh);
    // The other half of an insert of a row that was made elsewhere, or of a whole row: it runs when that very row is there already.
    let of_new_row = write.site.operation == Operation::UpsertUpdate
        && (!contains(write.site.span, write.site.value) || !write.names_column());
    if !updates || !issues || of_new_row || !can_be_null(write) {
        return false;
    }
    // Clearing beside a write of the fresh token is a step of a rotation, or the branch that refuses.
    let stores_besides = || {
        let stores = |other: &&Write<'_>| other.path.entry == write.path.entry && other.stance() == Stance::Stores;
        case.practices.iter().any(|other| *other.entry == write.path.entry && other.stance == Stance::Stores)
            && case.writes.iter().filter(stores).any(|other| !write.is_other_choice(*other))
    };
    match write.stance() {
        Stance::Clears => !stores_besides(),
        _ => origins.contains(&Origin::Fresh) || origins.contains(&Origin::Supplied),
    }
}

/// Whether some chain can end as NULL: one that ends in it, not one that goes on after it, and not one that would have taken the
/// stored value first, where NULL only replaces NULL.
fn can_be_null(write: Write<'_>) -> bool {
    let ends_null = |chain: &Vec<Origin>| chain.last() == Some(&Origin::Null) && !chain.contains(&Origin::Preserved);
    write.path.meaning.chains.iter().any(ends_null)
}

#[cfg(test)]
mod tests {
    use crate::config::Contract;
    use crate::contract::bench::{NOWHERE, bench, path};

    const NULL: &str = "null-overwrite";

    #[test]
    fn a_fresh_token_that_may_be_absent_can_overwrite_with_null() {
        let bench = bench().update(10, vec![path("refresh", "fresh>null"), path("sso", "supplied|null")]);
        assert_eq!(bench.lines(NULL), [11, 11]);
        assert!(bench.findings(NULL)[0].message.contains("can replace a stored users.access_token by NULL"));
    }

    #[test]
    fn an_issuing_path_that_writes_null_alone_overwrites_unless_it_stores_besides() {
        let alone = bench().update(10, vec![path("login", "null")]);
        assert_eq!(alone.lines(NULL), [11]);
        let rotation = bench().update(10, vec![path("refresh", "null")]).update(20, vec![path("refresh", "fresh")]);
        assert_eq!(rotation.lines(NULL), NOWHERE);
    }

    #[test]
    fn of_the_services_that_one_call_chooses_from_the_one_that_writes_null_overwrites() {
        let lines = |function: &str| {
            let cleared = path("login", "null").through("AuthService.login", 40).through("Web.run", 60);
            let stored = path("login", "fresh").through("AuthService.login", 40).through(function, 61);
            bench().update(10, vec![cleared]).update(20, vec![stored]).lines(NULL)
        };
        assert_eq!(lines("Mobile.run"), [11]);
        assert_eq!(lines("Web.run"), NOWHERE);
    }

    #[test]
    fn revocations_inserts_and_fallbacks_after_null_overwrite_nothing() {
        let bench = bench()
            .update(
                10,
                vec![path("logout", "null").revokes(), path("a", "null>fresh"), path("b", "fresh|preserved>null")],
            )
            .insert(20, vec![path("signup", "fresh|null")]);
        assert_eq!(bench.lines(NULL), NOWHERE);
    }

    #[test]
    fn a_column_that_is_only_handed_in_and_starts_unset_may_be_unset_again() {
        let with = |of: &str| {
            let started = bench().insert(10, vec![path("signup", of)]);
            started.update(20, vec![path("profile", "supplied|null")])
        };
        assert_eq!(with("omitted").lines(NULL), NOWHERE);
        assert_eq!(with("fresh").lines(NULL), [21]);
    }

    #[test]
    fn where_writes_are_to_be_dropped_null_is_welcome() {
        let bench = bench().contract(Contract::DropWrites).update(10, vec![path("refresh", "fresh|null")]);
        assert_eq!(bench.lines(NULL), NOWHERE);
    }
}
