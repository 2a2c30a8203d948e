//! Everything -> bytes: one file a format, each with its own output structs.
//!
//! Input: a [`Report`]. Output: the bytes of one format.
//!
//! Invariants: renderers are pure; the same report gives the same bytes; no string literal of the audited source that stands on a
//! tracked column's line is copied into an output; nothing is left out without a word that says how much.
//!
//! Worked example: a column with one production site, written `fresh` from the mobile login and `preserved` from the web login, is
//! one element of `columns` with one `write_sites` element of two `paths` in [`json()`], and a table of two rows in [`table()`].

mod excerpt;
mod json;
mod lines;
mod live;
mod mask;
mod table;

pub use json::json;
pub use table::table;

use crate::config::Config;
use crate::contract::{Anchor, Judgement, Level, Verdict};
use crate::probe::{ColumnProbe, Outcome};
use crate::provenance::ColumnTrace;
use crate::rules::{Form, Operation};
use crate::schema::{Model, Property, Schema, TrackedColumn};
use crate::source::{Gap, SourceSet, Span};

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

/// All that a report says of one tracked column, found by its rank.
#[derive(Clone, Copy, Debug)]
struct ColumnView<'a> {
    tracked: &'a TrackedColumn,
    trace: Option<&'a ColumnTrace>,
    verdict: Option<&'a Verdict>,
    probe: Option<&'a Outcome>,
}

impl<'a> Report<'a> {
    /// The tracked columns with everything that belongs to them, in the order of the configuration.
    fn columns(&self) -> impl Iterator<Item = ColumnView<'a>> {
        let (traces, probes, judgement) = (self.traces, self.probes, self.judgement);
        self.schema.columns.iter().enumerate().map(move |(rank, tracked)| ColumnView {
            tracked,
            trace: traces.iter().find(|trace| trace.column.0 == rank),
            verdict: judgement.verdicts.get(rank),
            probe: probes.iter().find(|probe| probe.column == tracked.config).map(|probe| &probe.outcome),
        })
    }

    /// The model that binds a column: one that code uses before one that only SQL knows.
    fn binding(&self, column: &TrackedColumn) -> Option<(&'a Model, &'a Property)> {
        let schema = self.schema;
        let bound = column.bindings.iter().filter_map(|(model, property)| {
            let model = schema.models.get(model.0)?;
            Some((model, model.properties.get(*property)?))
        });
        bound.min_by_key(|(model, _)| model.source == crate::schema::ModelSource::Sql)
    }

    /// File and 1-based line.
    fn place(&self, span: Span) -> (&'a str, u32) {
        let file = self.sources.get(span.file);
        (file.path.as_str(), file.line(span.start))
    }

    fn anchor(&self, at: &Anchor) -> (&'a str, u32) {
        match at {
            Anchor::Code(span) => self.place(*span),
            Anchor::Config { line } => (self.config.shown.as_deref().unwrap_or("tokendrift.toml"), *line),
        }
    }

    fn findings_of(&self, level: Level) -> usize {
        self.judgement.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// `users.access_token`
fn column_name(column: &TrackedColumn) -> String {
    format!("{}.{}", column.table, column.column)
}

fn operation_word(operation: Operation) -> &'static str {
    match operation {
        Operation::Insert => "insert",
        // A `save` is told apart into insert and update before it is reported; of an existing row it updates.
        Operation::Update | Operation::Save => "update",
        Operation::UpsertCreate => "upsert-create",
        Operation::UpsertUpdate => "upsert-update",
    }
}

fn form_word(form: Form) -> &'static str {
    match form {
        Form::Plain => "plain",
        Form::Hashed => "hashed",
        Form::Encrypted => "encrypted",
        Form::Unknown => "unknown",
    }
}

#[cfg(test)]
mod example;
#[cfg(test)]
mod tests;
