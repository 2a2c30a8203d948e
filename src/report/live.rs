//! What the database says, in sentences.

use crate::contract::{Expected, Prediction, PredictionOutcome, Verdict};
use crate::probe::{CohortCounts, ColumnProbe, Counts, Method, Outcome};
use crate::report::figures::{self, percent};
use crate::report::lines::{clean, count};

/// Cohort values that are listed without a prediction.
const SHOWN: usize = 12;

/// One line a statement: the whole column, then each prediction, then the cohort values without one.
pub(crate) fn sentences(probe: &ColumnProbe, verdict: Option<&Verdict>) -> Vec<String> {
    let counts = match &probe.outcome {
        Outcome::Counted(counts) => counts,
        Outcome::Failed(why) => return vec![format!("not counted: {}", clean(why))],
    };
    let mut out = vec![whole(counts)];
    out.extend(figures::method(counts));
    let predictions = verdict.map_or(&[][..], |verdict| &verdict.predictions).iter();
    let predictions: Vec<&Prediction> =
        predictions.filter(|prediction| prediction.database == probe.database).collect();
    out.extend(predictions.iter().map(|prediction| predicted(prediction, counts)));
    let is_predicted = |part: &&CohortCounts| {
        predictions
            .iter()
            .any(|prediction| prediction.cohort == part.name && part.value.as_ref() == Some(&prediction.value))
    };
    let rest: Vec<&CohortCounts> = counts.cohorts.iter().filter(|part| !is_predicted(part)).collect();
    out.extend(rest.iter().take(SHOWN).map(|part| unpredicted(part)));
    if rest.len() > SHOWN {
        out.push(format!("and {} more cohort values: --format json lists all", rest.len() - SHOWN));
    }
    out.extend(figures::rest(counts));
    out
}

fn whole(counts: &Counts) -> String {
    if counts.rows == 0 {
        return "no rows, so the data says nothing".to_owned();
    }
    let rows = count(counts.rows, "row", "rows");
    let nulls = format!("{rows}, {} NULL ({})", counts.nulls, percent(counts.nulls, counts.rows));
    match counts.method {
        // What they do not tell stands in the line about the method.
        Method::Statistics => nulls,
        Method::Exact | Method::Sample => format!("{nulls}, {} empty", counts.empty),
    }
}

/// `web must be NULL: 40 of 40 rows are (confirmed)`
fn predicted(prediction: &Prediction, counts: &Counts) -> String {
    let (rows, nulls, empty) = counts
        .cohorts
        .iter()
        .find(|part| part.name == prediction.cohort && part.value.as_ref() == Some(&prediction.value))
        .map_or((0, 0, 0), |part| (part.rows, part.nulls, part.empty));
    let value = clean(&prediction.value);
    let expectation = match prediction.expected {
        Expected::Null => format!("{value} must be NULL"),
        Expected::Filled => format!("{value} must hold a token"),
        Expected::Open => format!("{value}: the paths do not tell"),
    };
    if rows == 0 {
        return format!("{expectation}: there are no such rows (no evidence)");
    }
    let of = count(rows, "row", "rows");
    let data = match prediction.expected {
        Expected::Null => {
            let are = |number: u64| if number == 1 { "is" } else { "are" };
            let blank = if empty == 0 { String::new() } else { format!(", {empty} {} ''", are(empty)) };
            format!("{expectation}: {nulls} of {of} {}{blank}", are(nulls))
        }
        Expected::Filled => {
            let filled = rows.saturating_sub(nulls).saturating_sub(empty);
            format!("{expectation}: {filled} of {of} {}", if filled == 1 { "does" } else { "do" })
        }
        Expected::Open => format!("{expectation}; {nulls} of {of} are NULL"),
    };
    match (prediction.expected, prediction.outcome) {
        (Expected::Open, _) => data,
        (_, PredictionOutcome::Confirmed) => format!("{data} (confirmed)"),
        (_, PredictionOutcome::Contradicted) => format!("{data} (CONTRADICTED)"),
        (_, PredictionOutcome::NoEvidence) => format!("{data} (no evidence)"),
    }
}

fn unpredicted(part: &CohortCounts) -> String {
    let value = part.value.as_deref().map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", clean(value)));
    let rows = count(part.rows, "row", "rows");
    let sure = match part.interval().filter(|_| part.effective.is_some()) {
        Some([low, high]) => format!("; NULL in {:.1} % to {:.1} % (95 % sure)", low * 100.0, high * 100.0),
        None => String::new(),
    };
    format!(
        "{} = {value}: {rows}, {} NULL ({}), {} empty{sure}",
        clean(&part.name),
        part.nulls,
        percent(part.nulls, part.rows),
        part.empty
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::Cost;

    fn part(value: &str, rows: u64, nulls: u64) -> CohortCounts {
        CohortCounts { name: "client".into(), value: Some(value.into()), rows, nulls, ..CohortCounts::default() }
    }

    fn probe(outcome: Outcome) -> ColumnProbe {
        ColumnProbe { column: 0, database: "replica".into(), outcome }
    }

    fn prediction(value: &str, expected: Expected, outcome: PredictionOutcome) -> Prediction {
        Prediction { database: "replica".into(), cohort: "client".into(), value: value.into(), expected, outcome }
    }

    #[test]
    fn predictions_are_held_against_the_data_and_other_values_are_listed() {
        let counts = Counts {
            rows: 121,
            nulls: 41,
            empty: 0,
            cost: Cost { statements: 9, took: Duration::from_secs(12) },
            cohorts: vec![part("cli", 1, 1), part("mobile", 80, 0), part("web", 40, 40)],
            ..Counts::default()
        };
        let verdict = Verdict {
            predictions: vec![
                prediction("web", Expected::Null, PredictionOutcome::Confirmed),
                prediction("mobile", Expected::Filled, PredictionOutcome::Confirmed),
                prediction("tv", Expected::Null, PredictionOutcome::NoEvidence),
            ],
            ..Verdict::default()
        };
        assert_eq!(
            sentences(&probe(Outcome::Counted(counts)), Some(&verdict)),
            [
                "121 rows, 41 NULL (34 %), 0 empty",
                "every row was looked at, in 9 statements and 12 s",
                "web must be NULL: 40 of 40 rows are (confirmed)",
                "mobile must hold a token: 80 of 80 rows do (confirmed)",
                "tv must be NULL: there are no such rows (no evidence)",
                "client = 'cli': 1 row, 1 NULL (100 %), 0 empty",
            ]
        );
    }

    #[test]
    fn empty_texts_that_count_as_null_are_said() {
        let web = CohortCounts { empty: 1, ..part("web", 2, 1) };
        let counts = Counts { rows: 2, nulls: 1, empty: 1, cohorts: vec![web], ..Counts::default() };
        let prediction = prediction("web", Expected::Null, PredictionOutcome::Confirmed);
        assert_eq!(predicted(&prediction, &counts), "web must be NULL: 1 of 2 rows is, 1 is '' (confirmed)");
    }

    #[test]
    fn an_empty_table_and_a_failure_are_no_shares() {
        let nothing = Counts::default();
        assert_eq!(sentences(&probe(Outcome::Counted(nothing)), None), ["no rows, so the data says nothing"]);
        assert_eq!(sentences(&probe(Outcome::Failed("no table".into())), None), ["not counted: no table"]);
    }
}
