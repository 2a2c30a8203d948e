//! Issuing entry points disagree about storing the fresh token.

use crate::config::Contract;
use crate::contract::case::{Case, related_path};
use crate::contract::check::{Check, Run};
use crate::contract::identity::signature;
use crate::contract::practice::{Practice, Stance, group};
use crate::contract::verdict::Votes;
use crate::contract::wording::clause;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::provenance::EntryPoint;

pub(crate) const CHECK: Check = Check {
    id: "path-drift",
    summary: "entry points that issue the token disagree about storing it",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: None,
    believed: "every step of the path is proven or inferred as marked",
    docs: include_str!("../../docs/checks/path-drift.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // A contract says which side is wrong, and contract-broken reports it.
    if case.contract().is_some() {
        return;
    }
    let votes = Votes::count(&case.practices);
    if votes.agree() {
        return;
    }
    let known = case.practices.iter().filter(|practice| practice.stance != Stance::Unknown);
    let (storing, others): (Vec<&Practice<'_>>, Vec<&Practice<'_>>) =
        known.partition(|practice| practice.stance == Stance::Stores);
    // At a tie the side that does not store is shown: it is the one that leaves NULL.
    let (deviating, usual) = if votes.storing < votes.others { (storing, others) } else { (others, storing) };
    let Some(counter) = usual.iter().find(|practice| !practice.writes.is_empty()).or(usual.first()) else { return };
    let alike: Vec<&EntryPoint> =
        usual.iter().filter(|practice| practice.stance == counter.stance).map(|practice| practice.entry).collect();

    let writes = deviating.iter().flat_map(|practice| practice.writes.iter().copied());
    for ((stance, semantics), write, entries) in group(writes, |write| (write.stance(), write.path.meaning.semantics()))
    {
        let message = format!(
            "{} for {}, while {}: {}",
            clause(&entries, stance),
            case.name,
            clause(&alike, counter.stance),
            direction(votes),
        );
        let mut related: Vec<Related> = counter_example(case, counter).into_iter().collect();
        related.extend(related_path(write));
        let signature = signature(&case.facts, &entries, (write.site.span, &write.site.function));
        let at = Anchor::Code(write.site.value);
        findings.push(CHECK.finding(case, at, (&signature, &semantics), message, related).along(write));
    }
}

fn counter_example(case: &Case<'_>, counter: &Practice<'_>) -> Option<Related> {
    let span = match (counter.writes.first(), counter.missing) {
        // Where both sides end at the same write, the call that leads to it tells them apart.
        (Some(write), _) => write.path.steps.last().map_or(write.site.value, |step| step.span),
        (None, Some(missing)) => missing.span,
        (None, None) => return None,
    };
    let message = format!("counter-example: {} for {}", clause(&[counter.entry], counter.stance), case.name);
    Some(Related { at: Anchor::Code(span), message })
}

/// The counts, and what they recommend.
fn direction(votes: Votes) -> String {
    let all = votes.storing.saturating_add(votes.others);
    let counts = format!("{} of {all} issuing entry points store it", votes.storing);
    match votes.recommendation() {
        Some(Contract::WriteConsistently) => format!("{counts}, so this one should store it too"),
        Some(Contract::DropWrites) => format!("{counts}, so this write should be dropped"),
        None => format!("{counts}, which recommends no direction; declare a contract"),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Contract;
    use crate::contract::bench::{NOWHERE, bench, path};
    use crate::provenance::Origin;
    use crate::rules::Operation;
    use crate::source::Scope;

    const DRIFT: &str = "path-drift";

    #[test]
    fn at_a_tie_the_path_that_does_not_store_is_shown_with_the_one_that_does() {
        let bench =
            bench().update(10, vec![path("mobile", "fresh"), path("web", "preserved").through("Web.login", 50)]);
        let findings = bench.findings(DRIFT);
        assert_eq!(bench.lines(DRIFT), [11]);
        let finding = &findings[0];
        assert!(finding.message.contains("`POST /web` (web) writes the stored value back"), "{}", finding.message);
        assert!(finding.message.contains("`POST /mobile` (mobile) stores the fresh token"), "{}", finding.message);
        assert!(finding.message.contains("no direction"), "{}", finding.message);
        let related: Vec<u32> = finding.related.iter().map(|related| bench.line_of(&related.at)).collect();
        assert_eq!(related, [11, 100, 50]);
        assert_eq!(
            finding.identity,
            "path-drift|users.access_token|src/app.ts:web POST /web>src/app.ts:users.update10|preserved"
        );
    }

    #[test]
    fn three_of_four_store_so_the_fourth_deviates() {
        let bench = bench()
            .update(10, vec![path("a", "fresh"), path("b", "fresh"), path("c", "fresh|null")])
            .update(20, vec![path("d", "preserved")]);
        assert_eq!(bench.lines(DRIFT), [21]);
        assert!(bench.findings(DRIFT)[0].message.contains("3 of 4 issuing entry points store it, so this one should"));
    }

    #[test]
    fn one_of_four_stores_so_the_lone_writer_deviates() {
        let bench = bench()
            .update(10, vec![path("a", "fresh")])
            .update(20, vec![path("b", "preserved"), path("c", "preserved")])
            .missing("d", 30);
        assert_eq!(bench.lines(DRIFT), [11]);
        assert!(bench.findings(DRIFT)[0].message.contains("so this write should be dropped"));
    }

    #[test]
    fn an_entry_point_that_inserts_without_and_then_stores_agrees() {
        let bench = bench()
            .insert(10, vec![path("signup", "omitted")])
            .update(20, vec![path("signup", "fresh"), path("login", "fresh")]);
        assert_eq!(bench.lines(DRIFT), NOWHERE);
    }

    #[test]
    fn the_half_of_an_upsert_without_the_token_deviates() {
        let halves = |create: &str, update: &str| {
            let half = |operation, text: &str| (operation, vec![path("google", text)]);
            let login = bench().update(30, vec![path("login", "fresh")]).update(40, vec![path("mobile", "fresh")]);
            let halves = [half(Operation::UpsertCreate, create), half(Operation::UpsertUpdate, update)];
            halves.into_iter().fold(login, |bench, (operation, paths)| bench.site(operation, 10, paths))
        };
        assert_eq!(halves("omitted", "fresh").lines(DRIFT), [10]);
        assert_eq!(halves("fresh", "preserved>fresh").lines(DRIFT), [11]);
        assert_eq!(halves("fresh", "fresh").lines(DRIFT), NOWHERE);
        assert_eq!(halves("null", "fresh").lines(DRIFT), NOWHERE);
        let stored_for_both = halves("omitted", "fresh").update(20, vec![path("google", "fresh")]);
        assert_eq!(stored_for_both.lines(DRIFT), NOWHERE);
    }

    #[test]
    fn the_branch_of_a_condition_that_inserts_without_the_token_deviates() {
        let branches = |holds| {
            let new = vec![path("google", "omitted").only_if(&[(50, true)])];
            let known = vec![path("google", "fresh").only_if(&[(50, holds)])];
            bench().update(30, vec![path("login", "fresh")]).insert(10, new).update(20, known)
        };
        assert_eq!(branches(false).lines(DRIFT), [10]);
        assert_eq!(branches(true).lines(DRIFT), NOWHERE);
    }

    #[test]
    fn a_sign_up_that_mints_but_only_inserts_without_deviates() {
        let bench = bench().insert(10, vec![path("signup", "omitted")]).update(20, vec![path("login", "fresh")]);
        assert_eq!(bench.lines(DRIFT), [10]);
    }

    #[test]
    fn a_logout_is_no_drift() {
        let bench = bench().update(10, vec![path("login", "fresh")]).update(20, vec![path("logout", "null").revokes()]);
        assert_eq!(bench.lines(DRIFT), NOWHERE);
    }

    #[test]
    fn neither_tests_nor_seeds_nor_migrations_nor_scripts_vote() {
        for scope in [Scope::Test, Scope::Seed, Scope::Migration, Scope::Script] {
            let bench = bench().update(10, vec![path("login", "fresh")]).site_in(
                scope,
                crate::rules::Operation::Update,
                20,
                vec![path("other", "preserved")],
            );
            assert_eq!(bench.lines(DRIFT), NOWHERE, "{}", scope.word());
        }
        let bench = bench().update(10, vec![path("login", "fresh"), path("spec", "preserved").in_tests()]);
        assert_eq!(bench.lines(DRIFT), NOWHERE);
    }

    #[test]
    fn what_could_not_be_told_casts_no_vote() {
        let bench = bench().update(10, vec![path("a", "fresh"), path("b", Origin::Unknown.word())]);
        assert_eq!(bench.lines(DRIFT), NOWHERE);
    }

    #[test]
    fn several_entry_points_through_one_write_are_one_finding_and_two_semantics_two() {
        let bench = bench()
            .update(10, vec![path("a", "fresh"), path("b", "fresh"), path("c", "fresh"), path("x", "fresh")])
            .update(20, vec![path("d", "preserved"), path("e", "preserved"), path("f", "supplied")]);
        let findings = bench.findings(DRIFT);
        let ends: Vec<&str> = findings.iter().filter_map(|f| f.identity.splitn(3, '|').nth(2)).collect();
        assert_eq!(
            ends,
            [
                "src/app.ts:d POST /d,src/app.ts:e POST /e>src/app.ts:users.update20|preserved",
                "src/app.ts:f POST /f>src/app.ts:users.update20|supplied"
            ]
        );
    }

    #[test]
    fn a_declared_contract_takes_the_place_of_drift() {
        for contract in [Contract::WriteConsistently, Contract::DropWrites] {
            let bench = bench()
                .contract(contract)
                .update(10, vec![path("a", "fresh")])
                .update(20, vec![path("b", "preserved")]);
            assert_eq!(bench.lines(DRIFT), NOWHERE);
            assert!(bench.lines("contract-broken").contains(&21), "{}", contract.word());
        }
    }
}
