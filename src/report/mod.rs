//! Everything -> bytes: one file a format, each with its own output structs.
//!
//! Input: a [`Report`]. Output: the bytes of one format.
//!
//! Invariants: renderers are pure; the same report gives the same bytes; no string literal of the audited source that stands on a
//! tracked column's line is copied into an output.

use crate::config::Config;
use crate::contract::Judgement;
use crate::probe::ColumnProbe;
use crate::provenance::ColumnTrace;
use crate::schema::Schema;
use crate::source::{Gap, SourceSet};

/// The products of all stages.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub config: &'a Config,
    pub sources: &'a SourceSet,
    pub schema: &'a Schema,
    pub traces: &'a [ColumnTrace],
    pub probes: &'a [ColumnProbe],
    pub judgement: &'a Judgement,
    /// Of all stages, sorted, each once.
    pub gaps: &'a [Gap],
    pub files_lowered: usize,
    /// `None` leaves it out.
    pub elapsed_ms: Option<u64>,
}
