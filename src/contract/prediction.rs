//! What each configured cohort must show in the data, and whether it does.
//!
//! A cohort value stands for entry points. Where all issuing ones among them leave the column as it was, and no insert that such
//! users come through fills it, its rows must be NULL; where all store a token, its rows must be filled. `''` counts as NULL.
//! Data confirms a prediction when every row bears it out. It contradicts one when, by the interval of what was counted, surely fewer
//! than half do. Either takes at least [`ENOUGH_ROWS`] rows. What lies between is no evidence: rows from before, users who came in by
//! several ways.

use std::collections::BTreeSet;

use crate::config::Cohort;
use crate::contract::case::{Case, Counted};
use crate::contract::practice::{Practice, Stance, Write};
use crate::contract::{Expected, Prediction, PredictionOutcome, Way};
use crate::probe::{Counts, likely_share};
use crate::provenance::{EntryPoint, Origin};
use crate::rules::Operation;
use crate::source::{Gap, Span};

/// Fewer rows than these confirm and contradict nothing.
const ENOUGH_ROWS: u64 = 5;
/// A sample confirms only where no larger share of the rows that were not drawn can be otherwise.
const FEW: f64 = 0.05;

/// One a cohort value that stands for entry points and database that counted; none without counts.
pub(crate) fn predictions(case: &Case<'_>) -> Vec<Prediction> {
    let Some(config) = case.config else { return Vec::new() };
    let mut all = Vec::new();
    for Counted { database, counts, .. } in case.counted() {
        let values = config.cohorts.iter().flat_map(|cohort| cohort.path.iter().map(move |path| (cohort, path)));
        all.extend(values.map(|(cohort, (value, parts))| {
            let expected = expected(case, cohort, parts);
            Prediction {
                database: database.to_owned(),
                cohort: cohort.name.clone(),
                value: value.clone(),
                expected,
                outcome: outcome(case, expected, counts, cohort, (value, parts)),
            }
        }));
    }
    all
}

/// The ways of the entry points that the value of a prediction stands for; of all that issue, where it stands for none of them.
pub(crate) fn ways(case: &Case<'_>, prediction: &Prediction) -> Vec<Way> {
    let cohorts = case.config.iter().flat_map(|config| &config.cohorts);
    let values = cohorts.filter(|cohort| cohort.name == prediction.cohort).flat_map(|cohort| &cohort.path);
    let parts: Vec<String> =
        values.filter(|(value, _)| *value == prediction.value).flat_map(|(_, parts)| parts.iter().cloned()).collect();
    let own = case.ways(|practice| stands_for(&parts, practice.entry));
    if own.is_empty() { case.ways(|_| true) } else { own }
}

/// Cohort values that stand for no entry point which writes or issues the column, though some of these must be meant.
pub(crate) fn unmatched(case: &Case<'_>) -> Vec<Gap> {
    let Some(config) = case.config else { return Vec::new() };
    let Some(file) = &case.facts.config.shown else { return Vec::new() };
    let values = config.cohorts.iter().flat_map(|cohort| cohort.path.iter().map(move |path| (cohort, path)));
    let gaps = values.filter_map(|(cohort, (value, parts))| {
        let practices = &case.practices;
        let entries = practices.iter().map(|practice| practice.entry);
        let mut entries = entries.chain(case.writes.iter().map(|write| &write.path.entry));
        let matched = entries.any(|entry| stands_for(parts, entry));
        if matched || practices.is_empty() || expected(case, cohort, parts) != Expected::Open {
            return None;
        }
        let mut names: Vec<(f64, &str)> = practices
            .iter()
            .flat_map(|practice| [practice.entry.route.as_str(), practice.entry.name.as_str()])
            .filter(|name| !name.is_empty())
            .map(|name| (parts.iter().map(|part| closeness(part, name)).fold(0.0, f64::max), name))
            .collect();
        names.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        names.dedup();
        let closest: Vec<String> = names.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
        let wanted: Vec<String> = parts.iter().map(|part| format!("`{part}`")).collect();
        let why = format!(
            "{} `{value}` stands for {}, but no entry point that writes {} or issues its token is named so; closest: {}",
            cohort.name,
            wanted.join(", "),
            case.name,
            closest.join(", ")
        );
        Some(Gap { path: file.clone(), line: cohort.line, why })
    });
    gaps.collect()
}

/// How much a name, or a part of it, is like what was typed.
fn closeness(typed: &str, name: &str) -> f64 {
    let parts = name.split(|c: char| !c.is_alphanumeric()).chain([name]);
    parts.map(|part| strsim::jaro_winkler(&typed.to_lowercase(), &part.to_lowercase())).fold(0.0, f64::max)
}

fn inserts(write: &Write<'_>) -> bool {
    matches!(write.site.operation, Operation::Insert | Operation::UpsertCreate)
}

fn stands_for(parts: &[String], entry: &EntryPoint) -> bool {
    parts.iter().any(|part| entry.route.contains(part.as_str()) || entry.name.contains(part.as_str()))
}

fn expected(case: &Case<'_>, cohort: &Cohort, parts: &[String]) -> Expected {
    let own: Vec<&Practice<'_>> = case.practices.iter().filter(|practice| stands_for(parts, practice.entry)).collect();
    let is_written = case.writes.iter().any(|write| stands_for(parts, &write.path.entry));
    let leaves_alone = |practice: &&Practice<'_>| {
        matches!(practice.stance, Stance::Missing | Stance::Omits | Stance::Clears | Stance::Keeps)
    };
    if own.is_empty() && is_written {
        // Whatever such users come through that is not for others alone.
        if starts_empty(case, cohort, parts) && stays_empty(case, cohort, parts) {
            Expected::Null
        } else {
            Expected::Open
        }
    } else if own.is_empty() {
        // Where nothing at all fills the column, it does not matter which entry points the value stands for.
        let empty = |origin: Origin| matches!(origin, Origin::Omitted | Origin::Null);
        let nobody_fills = case.column.default.is_none()
            && case.trace.gaps.is_empty()
            && case.writes.iter().any(inserts)
            && case.writes.iter().flat_map(|write| write.path.meaning.origins()).all(empty);
        if nobody_fills { Expected::Null } else { Expected::Open }
    } else if own.iter().all(leaves_alone) && starts_empty(case, cohort, parts) {
        Expected::Null
    } else if own.iter().all(|practice| always_fills(case, practice)) {
        Expected::Filled
    } else {
        Expected::Open
    }
}

/// Whether every row that these entry points, or ones that stand for no value of the cohort, insert starts with NULL.
fn starts_empty(case: &Case<'_>, cohort: &Cohort, parts: &[String]) -> bool {
    case.column.default.is_none()
        && case
            .writes
            .iter()
            .filter(|write| inserts(write))
            .filter(|write| !is_of_other_value(cohort, parts, &write.path.entry))
            .flat_map(|write| write.path.meaning.origins())
            .all(|origin| matches!(origin, Origin::Omitted | Origin::Null))
}

/// Whether nothing that stands for no other value of the cohort puts anything into the column later.
fn stays_empty(case: &Case<'_>, cohort: &Cohort, parts: &[String]) -> bool {
    let own = case.writes.iter().filter(|write| !is_of_other_value(cohort, parts, &write.path.entry));
    let empty = |origin: Origin| matches!(origin, Origin::Omitted | Origin::Null | Origin::Preserved);
    own.flat_map(|write| write.path.meaning.origins()).all(empty)
}

fn is_of_other_value(cohort: &Cohort, parts: &[String], entry: &EntryPoint) -> bool {
    !stands_for(parts, entry) && cohort.path.iter().any(|(_, others)| stands_for(others, entry))
}

/// Whether each token that an entry point issues stands in the column afterwards: stored whatever the conditions, and not taken out again.
fn always_fills(case: &Case<'_>, practice: &Practice<'_>) -> bool {
    let is_sure = |write: &&Write<'_>| {
        let filled = |chain: &Vec<Origin>| chain.contains(&Origin::Fresh);
        write.path.meaning.chains.iter().all(filled)
    };
    let sure: Vec<Write<'_>> = practice.writes.iter().filter(is_sure).copied().collect();
    let empties = |write: &&Write<'_>| {
        let origins = write.path.meaning.origins();
        write.path.entry == *practice.entry
            && !origins.contains(&Origin::Fresh)
            && (origins.contains(&Origin::Null) || origins.contains(&Origin::Preserved))
    };
    let is_emptied =
        || case.writes.iter().filter(empties).any(|other| sure.iter().all(|write| may_follow(*other, *write)));
    let ways: Vec<&BTreeSet<(Span, bool)>> = sure.iter().flat_map(|write| &write.path.only_if).collect();
    matches!(practice.stance, Stance::Stores | Stance::Fills) && !sure.is_empty() && covers(&ways, 6) && !is_emptied()
}

/// Whether one of the ways is taken whatever the conditions: none has any, or there is one for either outcome.
fn covers(ways: &[&BTreeSet<(Span, bool)>], fuel: u8) -> bool {
    let first = ways.iter().find_map(|way| way.first().copied());
    let Some((cond, _)) = first.filter(|_| !ways.iter().any(|way| way.is_empty())) else { return true };
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    [true, false].into_iter().all(|holds| {
        let rest: Vec<BTreeSet<(Span, bool)>> = ways
            .iter()
            .filter(|way| !way.contains(&(cond, !holds)))
            .map(|way| way.iter().copied().filter(|of| of.0 != cond).collect())
            .collect();
        !rest.is_empty() && covers(&rest.iter().collect::<Vec<_>>(), fuel)
    })
}

/// Whether a write may run after another of the same entry point: where their ways part, its call stands behind, or in another file.
fn may_follow(write: Write<'_>, other: Write<'_>) -> bool {
    let calls = |of: Write<'_>| of.path.calls().map(|step| step.span).chain([of.site.span]).collect::<Vec<_>>();
    let (own, before) = (calls(write), calls(other));
    let parting = own.iter().zip(&before).find(|(own, before)| own != before);
    parting.is_none_or(|(own, before)| own.file != before.file || own.start > before.start)
}

fn outcome(
    case: &Case<'_>,
    expected: Expected,
    counts: &Counts,
    cohort: &Cohort,
    (value, parts): (&str, &[String]),
) -> PredictionOutcome {
    let row = counts.cohorts.iter().find(|row| row.name == cohort.name && row.value.as_deref() == Some(value));
    let Some(row) = row.filter(|row| row.rows > 0) else { return PredictionOutcome::NoEvidence };
    let nulls = row.nulls.saturating_add(row.empty).min(row.rows);
    let (bearing_out, excused) = match expected {
        Expected::Null => (nulls, false),
        Expected::Filled => (row.rows - nulls, is_revoked(case, cohort, parts)),
        Expected::Open => return PredictionOutcome::NoEvidence,
    };
    let Some([low, high]) = likely_share(bearing_out, row.rows, row.effective) else {
        return PredictionOutcome::NoEvidence;
    };
    if bearing_out == row.rows && row.rows >= ENOUGH_ROWS && (row.effective.is_none() || low >= 1.0 - FEW) {
        PredictionOutcome::Confirmed
    } else if high < 0.5 && row.rows >= ENOUGH_ROWS && !excused {
        PredictionOutcome::Contradicted
    } else {
        PredictionOutcome::NoEvidence
    }
}

/// Whether some path that such users can come through takes a token away again, which explains NULL in rows that were filled.
fn is_revoked(case: &Case<'_>, cohort: &Cohort, parts: &[String]) -> bool {
    case.writes.iter().any(|write| {
        !write.path.issues
            && !inserts(write)
            && write.path.meaning.origins().contains(&Origin::Null)
            && !is_of_other_value(cohort, parts, &write.path.entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{Bench, bench, path};
    use crate::probe::Outcome;
    use crate::provenance::Path;

    type Told = Vec<(String, Expected, PredictionOutcome)>;

    fn told(bench: &Bench) -> Told {
        let predictions = bench.judge().verdicts.remove(0).predictions;
        predictions.into_iter().map(|p| (p.value, p.expected, p.outcome)).collect()
    }

    fn drifted() -> Bench {
        bench().update(10, vec![path("mobile", "fresh"), path("web", "preserved")])
    }

    #[test]
    fn the_preserving_cohort_must_be_null_and_the_storing_one_filled() {
        let bench = drifted().cohorts(&[("web", "/web", 40, 40), ("app", "mobile", 80, 0)]);
        assert_eq!(
            told(&bench),
            [
                ("web".into(), Expected::Null, PredictionOutcome::Confirmed),
                ("app".into(), Expected::Filled, PredictionOutcome::Confirmed),
            ]
        );
    }

    #[test]
    fn most_rows_against_a_prediction_contradict_it_and_some_do_not() {
        let outcomes = |web, app| {
            let bench = drifted().cohorts(&[("web", "/web", 40, web), ("app", "mobile", 40, app)]);
            let told = told(&bench);
            (told[0].2, told[1].2)
        };
        assert_eq!(outcomes(3, 37), (PredictionOutcome::Contradicted, PredictionOutcome::Contradicted));
        assert_eq!(outcomes(30, 10), (PredictionOutcome::NoEvidence, PredictionOutcome::NoEvidence));
    }

    #[test]
    fn no_rows_no_entry_points_or_a_handful_of_rows_are_no_evidence() {
        let bench = drifted().cohorts(&[("web", "/web", 0, 0), ("tv", "/tv", 40, 40), ("app", "mobile", 4, 4)]);
        assert_eq!(
            told(&bench),
            [
                ("web".into(), Expected::Null, PredictionOutcome::NoEvidence),
                ("tv".into(), Expected::Open, PredictionOutcome::NoEvidence),
                ("app".into(), Expected::Filled, PredictionOutcome::NoEvidence),
            ]
        );
        let few = drifted().cohorts(&[("web", "/web", 4, 4), ("app", "mobile", 4, 0)]);
        assert!(told(&few).iter().all(|(_, _, outcome)| *outcome == PredictionOutcome::NoEvidence));
    }

    #[test]
    fn where_nothing_fills_the_column_every_cohort_must_be_null() {
        let bench = bench().insert(20, vec![path("register", "omitted")]).cohorts(&[("tv", "/tv", 40, 40)]);
        assert_eq!(told(&bench), [("tv".into(), Expected::Null, PredictionOutcome::Confirmed)]);
    }

    #[test]
    fn a_cohort_whose_entry_points_only_write_is_predicted_and_not_called_unnamed() {
        let bench =
            drifted().insert(20, vec![path("guest", "omitted").revokes(), path("import", "supplied").revokes()]);
        let bench = bench.cohorts(&[("guest", "guest", 40, 40), ("import", "import", 40, 0), ("app", "mobile", 40, 0)]);
        assert_eq!(
            told(&bench)[..2],
            [
                ("guest".into(), Expected::Null, PredictionOutcome::Confirmed),
                ("import".into(), Expected::Open, PredictionOutcome::NoEvidence),
            ]
        );
        assert!(bench.judge().gaps.is_empty());
    }

    #[test]
    fn what_fills_the_rows_of_everybody_opens_the_prediction_of_who_only_writes() {
        let bench = drifted().insert(20, vec![path("guest", "omitted").revokes()]);
        assert_eq!(told(&bench.cohorts(&[("guest", "guest", 40, 40)]))[0].1, Expected::Open);
    }

    #[test]
    fn a_write_under_a_condition_is_sure_only_together_with_the_other_outcome() {
        let expected = |paths: Vec<Path>| told(&bench().update(10, paths).cohorts(&[("app", "app", 40, 40)]))[0].1;
        assert_eq!(expected(vec![path("app", "fresh").only_if(&[(50, true)])]), Expected::Open);
        let one = || path("app", "fresh").only_if(&[(50, true)]);
        assert_eq!(expected(vec![one(), path("app", "fresh").only_if(&[(50, false)])]), Expected::Filled);
        assert_eq!(expected(vec![one(), path("app", "fresh").only_if(&[(50, false), (51, true)])]), Expected::Open);
        assert_eq!(expected(vec![one(), path("app", "fresh")]), Expected::Filled);
    }

    #[test]
    fn a_token_that_the_same_entry_point_empties_afterwards_is_not_expected() {
        let storing = |at: u32| bench().update(at, vec![path("app", "fresh")]);
        let expected = |bench: Bench| told(&bench.cohorts(&[("app", "app", 40, 40)]))[0].1;
        assert_eq!(expected(storing(10).update(20, vec![path("app", "null")])), Expected::Open);
        assert_eq!(expected(storing(20).update(10, vec![path("app", "null")])), Expected::Filled);
    }

    #[test]
    fn a_cohort_that_stands_for_no_entry_point_is_said_with_the_closest() {
        let gaps = drifted().cohorts(&[("web", "/wbe", 40, 40), ("app", "mobile", 4, 4)]).judge().gaps;
        let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
        assert!(gap.why.contains("`/wbe`") && gap.why.contains("closest: `POST /web`"), "{}", gap.why);
    }

    #[test]
    fn a_shared_sign_up_that_stores_opens_the_prediction_and_one_of_another_cohort_does_not() {
        let parts = [("web", "/web", 40, 40), ("app", "mobile", 80, 0)];
        let shared = drifted().insert(20, vec![path("register", "fresh")]).cohorts(&parts);
        assert_eq!(told(&shared)[0].1, Expected::Open);
        let other = drifted().insert(20, vec![path("mobileRegister", "fresh")]).cohorts(&parts);
        assert_eq!(told(&other)[0].1, Expected::Null);
    }

    #[test]
    fn null_in_a_filled_cohort_contradicts_nothing_where_a_logout_clears_the_column() {
        let bench = drifted().update(30, vec![path("logout", "null").revokes()]).cohorts(&[("app", "mobile", 40, 39)]);
        assert_eq!(told(&bench), [("app".into(), Expected::Filled, PredictionOutcome::NoEvidence)]);
    }

    #[test]
    fn what_only_others_are_signed_out_by_and_rows_without_a_token_excuse_nothing() {
        let revoking = || drifted().insert(30, vec![path("guest", "null").revokes()]);
        let bench = revoking().update(40, vec![path("webLogout", "null").revokes()]);
        let bench = bench.cohorts(&[("app", "mobile", 40, 39), ("web", "web", 40, 40)]);
        assert_eq!(told(&bench)[0], ("app".into(), Expected::Filled, PredictionOutcome::Contradicted));
    }

    #[test]
    fn a_sample_contradicts_and_confirms_by_its_interval() {
        let outcomes = |effective, web, app| {
            let mut bench = drifted().cohorts(&[("web", "/web", 400, web), ("app", "mobile", 400, app)]);
            if let Outcome::Counted(counts) = &mut bench.probes[0].outcome {
                counts.cohorts.iter_mut().for_each(|cohort| cohort.effective = Some(effective));
            }
            let told = told(&bench);
            (told[0].2, told[1].2)
        };
        assert_eq!(outcomes(300.0, 400, 0), (PredictionOutcome::Confirmed, PredictionOutcome::Confirmed));
        // The same rows, but drawn together: they could be all that there are of their kind.
        assert_eq!(outcomes(10.0, 400, 0), (PredictionOutcome::NoEvidence, PredictionOutcome::NoEvidence));
        assert_eq!(outcomes(300.0, 100, 300), (PredictionOutcome::Contradicted, PredictionOutcome::Contradicted));
        assert_eq!(outcomes(10.0, 150, 250), (PredictionOutcome::NoEvidence, PredictionOutcome::NoEvidence));
    }

    #[test]
    fn without_a_database_nothing_is_predicted() {
        let mut bench = drifted().cohorts(&[("web", "/web", 40, 40)]);
        bench.probes.clear();
        assert_eq!(told(&bench), []);
    }
}
