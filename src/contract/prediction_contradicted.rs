//! The data of a cohort is not what its paths must leave.

use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::prediction::{predictions, ways};
use crate::contract::{Expected, Finding, Level, Precision, PredictionOutcome};

pub(crate) const CHECK: Check = Check {
    id: "prediction-contradicted",
    summary: "a cohort's rows are not what the paths it stands for must leave",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: None,
    believed: "the rows are counted; what they should be is told by the paths, each proven or inferred as marked, and by the entry points that the configuration says the cohort stands for",
    docs: include_str!("../../docs/checks/prediction-contradicted.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some(at) = case.anchor() else { return };
    let contradicted = predictions(case).into_iter().filter(|p| p.outcome == PredictionOutcome::Contradicted);
    for prediction in contradicted {
        let Some(counted) = case.counted().find(|counted| counted.database == prediction.database) else { continue };
        let (must, semantics) = match prediction.expected {
            Expected::Null => ("leave NULL, yet most of its rows hold a value", "null"),
            Expected::Filled => ("store a token, yet most of its rows hold none", "filled"),
            Expected::Open => continue,
        };
        let message = format!(
            "the paths of {} `{}` {must}{}: {} is written or cleared by something that the audit does not see",
            prediction.cohort,
            prediction.value,
            counted.place(),
            case.name
        );
        let signature = counted.signature(&format!("{}={}", prediction.cohort, prediction.value));
        let finding = CHECK.finding(case, at.clone(), (&signature, semantics), message, Vec::new());
        findings.push(finding.resting_on(ways(case, &prediction)));
    }
}

#[cfg(test)]
mod tests {
    use crate::contract::bench::{Bench, NOWHERE, bench, path};

    const LIVE: &str = "prediction-contradicted";

    fn drifted() -> Bench {
        bench().update(10, vec![path("mobile", "fresh"), path("web", "preserved")])
    }

    #[test]
    fn data_against_the_paths_is_reported_at_the_column_without_a_number() {
        let bench = drifted().cohorts(&[("web", "/web", 4711, 0), ("app", "mobile", 4711, 4711)]);
        assert_eq!(bench.lines(LIVE), [3, 3]);
        for finding in bench.findings(LIVE) {
            assert!(!finding.message.contains(|c: char| c.is_ascii_digit()), "{}", finding.message);
        }
    }

    #[test]
    fn data_that_bears_the_paths_out_is_not_reported() {
        assert_eq!(drifted().cohorts(&[("web", "/web", 40, 40), ("app", "mobile", 40, 0)]).lines(LIVE), NOWHERE);
        assert_eq!(drifted().lines(LIVE), NOWHERE);
    }
}
