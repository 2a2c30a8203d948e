//! The token is stored when the row is made and never again.

use crate::config::Contract;
use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::helper::contains;
use crate::contract::identity::signature;
use crate::contract::practice::{Stance, Write, group};
use crate::contract::wording::list;
use crate::contract::{Anchor, Finding, Level, Precision};
use crate::provenance::Hop;
use crate::rules::Operation;

pub(crate) const CHECK: Check = Check {
    id: "stale-relogin",
    summary: "the token is stored at sign-up or linking and never again at later sign-ins",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    believed: "every step of the path is proven or inferred as marked",
    docs: include_str!("../../docs/checks/stale-relogin.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let inserts = |operation| matches!(operation, Operation::Insert | Operation::UpsertCreate);
    let only_inserts = case.writes.iter().all(|write| inserts(write.site.operation));
    // Where a row cannot be without its token, the row is the token (a session): each sign-in makes a new one. An upsert finds
    // the row of an earlier sign-in in any case.
    let outlives = case.column.nullable == Some(true)
        || case.writes.iter().any(|write| write.site.operation == Operation::UpsertCreate && !is_born_with_row(*write));
    let are_many = case.writes.iter().any(|write| write.path.adds_row);
    // What may write the column but could not be told may update it.
    if case.contract() == Some(Contract::DropWrites)
        || !only_inserts
        || !outlives
        || are_many
        || !case.trace.gaps.is_empty()
    {
        return;
    }
    let stores = |write: &Write<'_>| write.path.issues && write.stance() == Stance::Stores && !is_born_with_row(*write);
    for ((), write, entries) in group(case.writes.iter().copied().filter(stores), |_| ()) {
        let message = format!(
            "{} {} the fresh token only when the row is inserted: no production code updates {}, so later sign-ins \
             leave the first token",
            list(&entries),
            if entries.len() == 1 { "stores" } else { "store" },
            case.name
        );
        let signature = signature(&case.facts, &entries, (write.site.span, &write.site.function));
        let at = Anchor::Code(write.site.value);
        findings.push(CHECK.finding(case, at, (&signature, "fresh"), message, Vec::new()).along(write));
    }
}

/// A value that is made inside the statement is known to nobody else: it names the row and cannot go stale. Other mints of the path
/// are of other tokens.
fn is_born_with_row(write: Write<'_>) -> bool {
    let mints = &write.path.mints;
    let is_written = |mint: &&Hop| write.path.trail.iter().any(|hop| hop.span == mint.span);
    let written: Vec<&Hop> = mints.iter().filter(is_written).collect();
    let told = if written.is_empty() { mints.iter().collect() } else { written };
    !told.is_empty() && told.iter().all(|mint| contains(write.site.span, mint.span))
}

#[cfg(test)]
mod tests {
    use crate::contract::bench::{NOWHERE, bench, path};
    use crate::rules::Operation;

    const STALE: &str = "stale-relogin";

    #[test]
    fn a_token_stored_at_inserts_alone_goes_stale() {
        let bench = bench().insert(10, vec![path("signup", "fresh")]).insert(20, vec![path("link", "fresh")]);
        assert_eq!(bench.lines(STALE), [11, 21]);
    }

    #[test]
    fn any_update_in_production_keeps_the_column_alive() {
        let bench =
            bench().insert(10, vec![path("signup", "fresh")]).update(20, vec![path("logout", "null").revokes()]);
        assert_eq!(bench.lines(STALE), NOWHERE);
    }

    #[test]
    fn a_row_that_cannot_be_without_its_token_is_a_session_unless_it_is_upserted() {
        let mut sessions = bench().insert(10, vec![path("login", "fresh")]);
        sessions.schema.columns[0].nullable = Some(false);
        assert_eq!(sessions.lines(STALE), NOWHERE);
        let mut upserted = bench().site(Operation::UpsertCreate, 10, vec![path("login", "fresh")]);
        upserted.schema.columns[0].nullable = Some(false);
        assert_eq!(upserted.lines(STALE), [11]);
    }

    #[test]
    fn a_table_that_every_sign_in_adds_a_row_to_is_of_sessions() {
        let bench = bench().insert(10, vec![path("login", "fresh").adds_row()]).insert(20, vec![path("link", "fresh")]);
        assert_eq!(bench.lines(STALE), NOWHERE);
    }

    #[test]
    fn what_may_write_the_column_may_keep_it_alive() {
        let bench = bench().insert(10, vec![path("signup", "fresh")]).gap();
        assert_eq!(bench.lines(STALE), NOWHERE);
    }

    #[test]
    fn a_value_that_is_made_in_the_statement_itself_names_the_row() {
        let mut born = path("create", "fresh");
        born.mints[0].span = crate::contract::bench::line(0, 10);
        assert_eq!(bench().insert(10, vec![born.clone()]).lines(STALE), NOWHERE);
        // A mint of something else on the same path says nothing of it.
        let mut other = born.mints[0].clone();
        other.span = crate::contract::bench::line(0, 40);
        born.trail.push(born.mints[0].clone());
        born.mints.push(other);
        assert_eq!(bench().insert(10, vec![born]).lines(STALE), NOWHERE);
    }

    #[test]
    fn an_insert_that_stores_no_token_of_its_own_cannot_go_stale() {
        let bench = bench().insert(10, vec![path("signup", "omitted"), path("import", "supplied").revokes()]);
        assert_eq!(bench.lines(STALE), NOWHERE);
    }
}
