//! The traced paths held against what was promised, and against what the database says.
//!
//! Input: [`Facts`]. Output: a [`Judgement`]: findings of the checks, one verdict a column.
//!
//! Invariants: only production sites vote; drift is judged between issuing paths; a declared contract always wins over the
//! majority; findings come sorted and without live numbers in their messages.
//!
//! Worked example: mobile login writes `fresh`, web login writes `preserved`, both mint: `path-drift` on the web path with the mobile
//! path as counter-example, and `discarded-token` on its write.

mod finding;

pub use finding::{Anchor, Finding, Level, Related};

use crate::config::{Config, Contract};
use crate::probe::ColumnProbe;
use crate::provenance::ColumnTrace;
use crate::schema::Schema;
use crate::source::{SourceSet, Span};

/// All that checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub config: &'a Config,
    pub sources: &'a SourceSet,
    pub schema: &'a Schema,
    /// One a tracked column, in the order of [`Schema::columns`].
    pub traces: &'a [ColumnTrace],
    /// Empty without a database.
    pub probes: &'a [ColumnProbe],
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    pub findings: Vec<Finding>,
    /// One a tracked column, in the order of [`Schema::columns`].
    pub verdicts: Vec<Verdict>,
}

/// Whether the paths of a column agree, and what to do where they do not.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub agree: bool,
    /// The semantics that most issuing paths share; `None` at a tie.
    pub majority: Option<String>,
    /// `None` at a tie or with fewer than three issuing paths; a declared contract always wins.
    pub recommendation: Option<Contract>,
    /// To make every issuing path store the fresh token, change these.
    pub to_write: Vec<Change>,
    /// To stop writing, change these.
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
