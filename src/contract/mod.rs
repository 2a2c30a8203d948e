//! The traced paths held against what was promised, and against what the database says.
//!
//! Input: [`Facts`]. Output: a [`Judgement`]: findings of the checks, one verdict a column.
//!
//! Invariants: only production sites vote; drift is judged between issuing paths; a declared contract always wins over the
//! majority; findings come sorted and without live numbers in their messages.
//!
//! A [`check`](Check) is one file named after its id, with a page in `docs/checks/`; [`CHECKS`] registers it. All checks of a column look
//! at one `Case`, in which the paths are grouped by entry point: what an entry point does is what the strongest of its issuing
//! paths does.
//!
//! Worked example: mobile login writes `fresh`, web login writes `preserved`, both mint: `path-drift` on the web path with the mobile
//! path as counter-example, and `discarded-token` on its write.

#[cfg(test)]
mod bench;
mod case;
mod changes;
mod check;
mod day;
mod finding;
mod helper;
mod identity;
mod practice;
mod prediction;
mod verdict;
mod wording;

mod contract_broken;
mod contract_undeclared;
mod contract_unpinned;
mod decision_missing;
mod denylist_by_hash;
mod discarded_token;
mod form_drift;
mod insecure_cookie;
mod live_incomplete;
mod misleading_comment;
mod missing_write;
mod non_atomic_rotation;
mod null_overwrite;
mod null_ratio;
mod orphaned_tokens;
mod path_drift;
mod prediction_contradicted;
mod reader_at_risk;
mod schema_contract;
mod stale_relogin;
mod stateful_guard;
mod suppression;
mod token_in_storage;
mod unbounded_token;
mod unchecked_status;
mod unchecked_user;
mod unknown_value;
mod unread_column;
mod unwritten_column;

pub use check::{CHECKS, Check, Precision, believed, page};
pub use day::Day;
pub use finding::{Anchor, Finding, Related, Standing, Way};
pub use suppression::Suppression;

pub use crate::config::Level;

use std::collections::BTreeMap;

use crate::config::{Baseline, Config, Contract};
use crate::contract::case::Case;
use crate::graph::Units;
use crate::guards::{Comment, Guards};
use crate::probe::ColumnProbe;
use crate::provenance::ColumnTrace;
use crate::schema::{ColumnId, Schema};
use crate::source::{Gap, SourceSet, Span};

/// All that checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub config: &'a Config,
    pub sources: &'a SourceSet,
    pub schema: &'a Schema,
    /// One a tracked column, in the order of [`Schema::columns`].
    pub traces: &'a [ColumnTrace],
    pub guards: &'a Guards,
    pub comments: &'a [Comment],
    /// One a tracked column, in the order of [`Schema::columns`]: whether a test holds it to its contract.
    pub pinned: &'a [bool],
    /// The lowered files, for what edits have to know of them.
    pub units: &'a Units,
    /// Empty without a database.
    pub probes: &'a [ColumnProbe],
    /// For suppressions that expire.
    pub today: Day,
    /// The root seen from the root of its repository, with `/` at its end, so that identities are the same from whatever folder an
    /// audit starts.
    pub below_repository: &'a str,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    pub findings: Vec<Finding>,
    /// One a tracked column, in the order of [`Schema::columns`].
    pub verdicts: Vec<Verdict>,
    /// What the configuration says of the code and nothing in the code bears out.
    pub gaps: Vec<Gap>,
    /// The comments that put findings aside, by place.
    pub suppressions: Vec<Suppression>,
}

/// Whether the paths of a column agree, and what to do where they do not.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub agree: bool,
    /// The semantics that most issuing entry points share (`missing`: they never write); `None` at a tie.
    pub majority: Option<String>,
    /// `None` at a tie or with fewer than three issuing paths; a declared contract always wins.
    pub recommendation: Option<Contract>,
    /// Why nothing is recommended although most issuing paths leave the column without a fresh token, as in `it is read`.
    pub kept_by: Option<&'static str>,
    /// To make every issuing path store the fresh token, change these.
    pub to_write: Vec<Change>,
    /// To stop writing, change these: readers first, then writers, then the column itself.
    pub to_drop: Vec<Change>,
    /// What the static result says a cohort must show, held against the data; empty without a database.
    pub predictions: Vec<Prediction>,
}

/// One edit, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub at: Span,
    pub edit: String,
}

/// `web must be NULL: 40 of 40 rows are`.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The database whose rows it is held against, by its name in the configuration.
    pub database: String,
    pub cohort: String,
    pub value: String,
    pub expected: Expected,
    pub outcome: PredictionOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Every path of the cohort leaves NULL for a user who only ever came in this way.
    Null,
    /// Every path stores a token.
    Filled,
    /// The paths do not tell.
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PredictionOutcome {
    Confirmed,
    Contradicted,
    NoEvidence,
}

/// Runs every check on every traced column.
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    for id in (0..facts.schema.columns.len()).map(ColumnId) {
        let Some(case) = Case::new(facts, id) else {
            judgement.verdicts.push(Verdict::default());
            continue;
        };
        for check in CHECKS {
            check.run(&case, &mut judgement.findings);
        }
        if case.decisions().any(|decision| decision.place.lets_in()) {
            raise(&case.name, &mut judgement.findings);
        }
        judgement.verdicts.push(verdict::verdict(&case));
        judgement.gaps.extend(prediction::unmatched(&case));
    }
    for check in CHECKS {
        check.run_on_tree(facts, &mut judgement.findings);
    }
    judgement.suppressions = suppression::apply(facts, &mut judgement.findings);
    let place = |finding: &Finding| (finding.at.clone(), finding.column.clone());
    judgement.findings.iter_mut().for_each(Finding::name_each_place_once);
    judgement.findings.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    judgement.findings.dedup();
    tell_apart(&mut judgement.findings);
    judgement
}

impl Judgement {
    /// Lets every finding count that a comment put aside. What is wrong with a comment stays a finding.
    pub fn disregard_suppressions(&mut self) {
        for finding in &mut self.findings {
            if matches!(finding.standing, Standing::Suppressed { .. }) {
                finding.standing = Standing::Open;
            }
        }
    }

    /// Marks what the baseline has.
    pub fn hold_against(&mut self, baseline: &Baseline) {
        for finding in self.findings.iter_mut().filter(|finding| finding.is_open()) {
            if baseline.identities.contains(&finding.identity) {
                finding.standing = Standing::Baselined;
            }
        }
    }
}

/// Where a guard lets in by the column, drift locks people out.
fn raise(column: &str, findings: &mut [Finding]) {
    let raised = |finding: &&mut Finding| finding.column == column && stateful_guard::RAISED.contains(&finding.check);
    for finding in findings.iter_mut().filter(raised) {
        finding.level = finding.level.max(Level::Error);
    }
}

/// Two findings of one identity (two writes in one function, say) are numbered in the order of their places.
fn tell_apart(findings: &mut [Finding]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        let count = seen.entry(finding.identity.clone()).or_default();
        *count += 1;
        if *count > 1 {
            finding.identity = format!("{}#{count}", finding.identity);
        }
    }
}

#[cfg(test)]
mod tests;
