//! A refresh compares the stored token, then replaces it by a statement that does not compare it again; or it adds the next one and leaves
//! the old one as it is.

use std::collections::BTreeSet;

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::helper::contains;
use crate::contract::identity::place;
use crate::contract::practice::{Stance, Write, is_production};
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::guards::{Decision, Ended};
use crate::provenance::ReadKind;
use crate::rules::Operation;
use crate::source::Span;

pub(crate) const CHECK: Check = Check {
    id: "non-atomic-rotation",
    summary: "a refresh finds the stored token and ends it in a second step, or not at all, so that one token is good for several",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    believed: "proven: the comparison and the write are resolved, and neither a condition of the write nor a transaction joins them",
    docs: include_str!("../../docs/checks/non-atomic-rotation.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if case.facts.config.no_hygiene {
        return;
    }
    let sources = case.facts.sources;
    let in_endpoint = |decision: &&Decision| decision.place.is_endpoint() && is_production(sources, decision.at.file);
    let mut told: BTreeSet<Span> = BTreeSet::new();
    for decision in case.decisions().filter(in_endpoint) {
        let rotation = case.facts.guards.rotations.iter().find(|rotation| {
            (rotation.column, rotation.read) == (decision.column, decision.read)
                && rotation.function == decision.function
        });
        let ended = rotation.map(|rotation| rotation.ended);
        if ended == Some(Ended::Locked) {
            continue;
        }
        let unseen = |write: &Write<'_>| matches!(ended, Some(Ended::Apart(at)) if states(*write, at));
        let replaced = |write: &&Write<'_>| replaces(**write, decision) && (!compares(case, **write) || unseen(write));
        // Rows that are looked up among those that were just made; what a helper looks up may stand anywhere.
        let is_own = case.reads().any(|read| read.span == decision.read && read.function == decision.function);
        let follows = |write: &&Write<'_>| follows(**write, decision) && !(is_own && is_earlier(**write, decision));
        let replacing = case.writes.iter().find(replaced);
        let replacing = replacing.map(|write| (write, ended.filter(|_| compares(case, *write))));
        let following = || Some((case.writes.iter().find(follows)?, Some(ended?)));
        let Some((write, ended)) = replacing.or_else(following) else { continue };
        if !told.insert(write.site.value) {
            continue;
        }
        let (compared, by) = (&decision.function, &write.site.function);
        let message = match ended {
            None | Some(Ended::Locked) => format!(
                "{compared} compares the stored {}, and {by} then replaces it without comparing it again: of two requests \
                 with one token both get a new one, and a stolen one is not noticed",
                case.name
            ),
            Some(Ended::Apart(at)) => format!(
                "{compared} finds a row by {}, and ends it in a second step ({}) that nobody asks whether the row was still \
                 good: of two requests with one token both get a new one, and a stolen one is not noticed",
                case.name,
                case.place(at)
            ),
            Some(Ended::Never) => format!(
                "{compared} finds a row by {}, and {by} adds one with a new token while the old one stays: whoever has the old \
                 token goes on with it",
                case.name
            ),
        };
        let related =
            vec![Related { at: Anchor::Code(decision.at), message: format!("{} is compared here", case.name) }];
        let signature = format!(
            "{}>{}",
            place(&case.facts, decision.at, &decision.function),
            place(&case.facts, write.site.span, &write.site.function)
        );
        let at = Anchor::Code(write.site.value);
        findings.push(CHECK.finding(case, at, (&signature, "replaced"), message, related).along(*write));
    }
}

/// Whether the write stores a fresh token on a path through the function that compares.
fn replaces(write: Write<'_>, decision: &Decision) -> bool {
    let updates = matches!(write.site.operation, Operation::Update | Operation::UpsertUpdate | Operation::Save);
    updates && write.stance() == Stance::Stores && is_through(write, decision)
}

/// Whether the write adds a row with a fresh token on a path through the function that found the old one.
fn follows(write: Write<'_>, decision: &Decision) -> bool {
    let inserts = write.site.operation == Operation::Insert && write.stance() == Stance::Stores;
    inserts && is_through(write, decision)
}

/// Whether the write stands before the comparison, in the function that compares.
fn is_earlier(write: Write<'_>, decision: &Decision) -> bool {
    let (inserted, at) = (write.site.span, decision.at);
    inserted.file == at.file && write.site.function == decision.function && inserted.start < at.start
}

fn is_through(write: Write<'_>, decision: &Decision) -> bool {
    let path = write.path;
    let mut functions = path.steps.iter().map(|step| &step.function).chain([&path.entry.name, &write.site.function]);
    functions.any(|name| *name == decision.function)
}

/// Whether a place lies in the statement that writes.
fn states(write: Write<'_>, at: Span) -> bool {
    write.site.statement.iter().any(|part| contains(*part, at))
}

/// Whether the statement that writes asks for the old value too: `WHERE id = $1 AND token = $2`.
fn compares(case: &Case<'_>, write: Write<'_>) -> bool {
    let text = case.facts.sources.text(write.site.span);
    let names = [case.property(write.site.model), case.column.column.as_str()];
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let times = words.filter(|word| names.contains(word)).count();
    // Once to set it.
    times > 1 || case.reads().any(|read| read.kind != ReadKind::Export && states(write, read.span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{Bench, NOWHERE, bench_with, line, path};
    use crate::guards::Place;
    use crate::schema::ColumnId;

    const ROTATION: &str = "non-atomic-rotation";

    fn refreshing(statement: &'static str, place: Place) -> Bench {
        let mut bench =
            bench_with(&[(20, statement)]).update(20, vec![path("refresh", "fresh").through("Auth.refresh", 12)]);
        bench.guards.decisions.push(Decision {
            column: ColumnId(0),
            read: line(0, 10),
            at: line(0, 10),
            function: "Auth.refresh".into(),
            place,
        });
        bench
    }

    #[test]
    fn what_is_compared_first_and_replaced_later_is_told_at_the_write() {
        let bench = refreshing("update({ id }, { accessToken: next })", Place::Endpoint);
        assert_eq!(bench.lines(ROTATION), [21]);
        let finding = &bench.findings(ROTATION)[0];
        assert!(finding.message.starts_with("Auth.refresh compares the stored users.access_token"), "{finding:?}");
    }

    #[test]
    fn a_statement_that_compares_again_is_atomic() {
        let bench = refreshing("update({ id, accessToken: old }, { accessToken: next })", Place::Endpoint);
        assert_eq!(bench.lines(ROTATION), NOWHERE);
    }

    #[test]
    fn a_guard_in_front_of_another_endpoint_rotates_nothing() {
        let mut bench = refreshing("update({ id }, { accessToken: next })", Place::Guard);
        assert_eq!(bench.lines(ROTATION), NOWHERE);
        bench.guards.decisions[0].place = Place::Endpoint;
        bench.guards.decisions[0].function = "Sessions.list".into();
        assert_eq!(bench.lines(ROTATION), NOWHERE);
        bench.guards.decisions[0].function = "Auth.refresh".into();
        bench.config.no_hygiene = true;
        assert_eq!(bench.lines(ROTATION), NOWHERE);
    }
}
