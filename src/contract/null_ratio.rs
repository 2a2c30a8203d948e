//! More rows without a token than the configuration allows.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::practice::Stance;
use crate::contract::{Finding, Level, Precision};
use crate::probe::likely_share;

pub(crate) const CHECK: Check = Check {
    id: "null-ratio",
    summary: "more rows are NULL or empty than max-null-ratio allows",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: None,
    believed: "proven by the rows that were counted; the paths are what the code says they leave",
    docs: include_str!("../../docs/checks/null-ratio.md"),
    run: Run::Column(run),
};

/// Fewer rows exceed nothing.
const ENOUGH_ROWS: u64 = 100;
/// So few rows without a token are nobody's concern, whatever their share.
const FLOOR: u64 = 10;

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some(limit) = case.config.and_then(|config| config.max_null_ratio) else { return };
    let Some(at) = case.anchor() else { return };
    let exceeds = |rows: u64, nulls: u64, empty: u64, effective: Option<f64>| {
        let bare = nulls.saturating_add(empty).min(rows);
        rows >= ENOUGH_ROWS && bare >= FLOOR && likely_share(bare, rows, effective).is_some_and(|[low, _]| low > limit)
    };
    for counted in case.counted() {
        let counts = counted.counts;
        let whole =
            exceeds(counts.rows, counts.nulls, counts.empty, counts.effective).then(|| (String::new(), String::new()));
        let cohorts = counts.cohorts.iter().filter(|part| exceeds(part.rows, part.nulls, part.empty, part.effective));
        let cohorts = cohorts.map(|part| {
            let value = part.value.as_deref().unwrap_or("NULL");
            (format!("{}={value}", part.name), format!(" where {} is `{value}`", part.name))
        });
        for (signature, place) in whole.into_iter().chain(cohorts) {
            let message = format!(
                "{} is NULL or ''{place} in a larger share of the rows{} than the {limit} that max-null-ratio allows",
                case.name,
                counted.place()
            );
            let signature = counted.signature(&signature);
            let finding = CHECK.finding(case, at.clone(), (&signature, "null"), message, Vec::new());
            findings.push(finding.resting_on(case.ways(|practice| practice.stance != Stance::Stores)));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::contract::bench::{Bench, NOWHERE, bench};
    use crate::probe::Outcome;

    const RATIO: &str = "null-ratio";

    fn with(rows: u64, nulls: u64, limit: Option<f64>) -> Bench {
        let mut bench = bench().cohorts(&[("web", "/web", rows, nulls), ("app", "/app", 4711, 0)]);
        bench.column().max_null_ratio = limit;
        bench
    }

    #[test]
    fn a_share_that_is_surely_above_the_limit_is_reported_without_a_live_number() {
        let bench = with(4711, 4711, Some(0.05));
        assert_eq!(bench.lines(RATIO), [3, 3], "the whole and the cohort");
        for finding in bench.findings(RATIO) {
            assert!(!finding.message.contains("4711"), "{}", finding.message);
        }
        assert!(bench.findings(RATIO)[1].message.contains("where client is `web`"), "{:?}", bench.findings(RATIO));
    }

    #[test]
    fn chance_few_rows_and_no_limit_are_not_reported() {
        assert_eq!(with(4711, 4711, None).lines(RATIO), NOWHERE);
        // 6 of 100 may be chance where 5 in 100 are allowed; 99 rows are too few; 9 rows are below the floor.
        assert_eq!(with(1000, 60, Some(0.05)).lines(RATIO), NOWHERE);
        assert_eq!(with(1000, 90, Some(0.05)).lines(RATIO), [3]);
        assert_eq!(with(99, 99, Some(0.05)).lines(RATIO), NOWHERE);
        assert_eq!(with(1000, 9, Some(0.0)).lines(RATIO), NOWHERE);
    }

    #[test]
    fn a_sample_is_worth_its_independent_rows() {
        let sampled = |effective| {
            let mut bench = with(1000, 300, Some(0.2));
            if let Outcome::Counted(counts) = &mut bench.probes[0].outcome {
                counts.cohorts.iter_mut().for_each(|cohort| cohort.effective = Some(effective));
            }
            bench.lines(RATIO)
        };
        assert_eq!(sampled(500.0), [3]);
        assert_eq!(sampled(20.0), NOWHERE);
    }
}
