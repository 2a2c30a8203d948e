//! Everything -> bytes: one file a format, each with its own output structs.
//!
//! Input: a [`Report`]. Output: the bytes of one [`Format`], handed on piece by piece: no renderer holds more than one finding or one
//! column of its output.
//!
//! Invariants: renderers are pure; the same report gives the same bytes; no string literal of the audited source that stands on a
//! tracked column's line is copied into an output; nothing is left out without a word that says how much. Formats that a forge
//! reads name files from the repository's root, the others from the audited root.
//!
//! Worked example: a column with one production site, written `fresh` from the mobile login and `preserved` from the web login, is
//! one element of `columns` with one `write_sites` element of two `paths` in [`Format::Json`], and a table of two rows in
//! [`Format::Table`].

mod accepted;
mod excerpt;
mod explanation;
mod figures;
mod github;
mod gitlab;
mod guards;
mod html;
mod json;
mod lines;
mod live;
mod live_json;
mod markdown;
mod mask;
mod probe;
mod record;
mod sarif;
mod stream;
mod table;

pub use accepted::{baseline, suppressions};
pub use explanation::{explanation, place_of};
pub use json::SCHEMA;
pub use probe::{ProbeReport, plan, probe_json, probe_text};
pub use record::record;

use std::io;

use crate::config::Config;
use crate::contract::{Anchor, Finding, Judgement, Level, Standing, Verdict};
use crate::guards::Guards;
use crate::probe::{ColumnProbe, Outcome};
use crate::provenance::ColumnTrace;
use crate::rules::{Form, Operation};
use crate::schema::{ColumnId, Model, Property, Schema, TrackedColumn};
use crate::source::{Gap, SourceSet, Span};

/// What to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For people: `width` columns of a terminal (40 at least), with ANSI colours where `color` says so.
    Table { color: bool, width: usize },
    /// For scripts: schema `tokendrift-report/1`, published as `docs/report.schema.json`.
    Json,
    /// SARIF 2.1.0, within the limits of GitHub code scanning.
    Sarif,
    /// Workflow commands of GitHub Actions: annotations on the lines of a pull request.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// A comment on a pull request.
    Markdown,
    /// One page for a browser, which holds all that it needs.
    Html,
}

/// Writes `report` as `format`, with a newline at its end.
///
/// # Errors
/// Only those of `out`.
pub fn render(report: &Report, format: Format, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Table { color, width } => table::write(report, color, width, out),
        Format::Json => json::write(report, out),
        Format::Sarif => sarif::write(report, out),
        Format::Github => github::write(report, out),
        Format::Gitlab => gitlab::write(report, out),
        Format::Markdown => markdown::write(report, out),
        Format::Html => html::write(report, out),
    }
}

/// The products of all stages.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub config: &'a Config,
    pub sources: &'a SourceSet,
    pub schema: &'a Schema,
    pub traces: &'a [ColumnTrace],
    pub guards: &'a Guards,
    pub probes: &'a [ColumnProbe],
    pub judgement: &'a Judgement,
    /// Of all stages, sorted, each once.
    pub gaps: &'a [Gap],
    pub files_lowered: usize,
    /// `None` leaves it out.
    pub elapsed_ms: Option<u64>,
    /// Whether the findings were held against a baseline.
    pub has_baseline: bool,
    /// The audited root seen from the repository's root, with `/` at its end; empty where they are one.
    pub below_repository: &'a str,
}

/// All that a report says of one tracked column, found by its rank.
#[derive(Clone, Debug)]
struct ColumnView<'a> {
    id: ColumnId,
    tracked: &'a TrackedColumn,
    trace: Option<&'a ColumnTrace>,
    verdict: Option<&'a Verdict>,
    /// What each database said.
    probes: Vec<&'a ColumnProbe>,
}

impl<'a> ColumnView<'a> {
    /// The first database that answered, else the first.
    fn probe(&self) -> Option<&'a ColumnProbe> {
        let is_counted = |probe: &&&ColumnProbe| matches!(probe.outcome, Outcome::Counted(_));
        self.probes.iter().find(is_counted).or(self.probes.first()).copied()
    }
}

impl<'a> Report<'a> {
    /// The tracked columns with everything that belongs to them, in the order of the configuration.
    fn columns(&self) -> impl Iterator<Item = ColumnView<'a>> {
        let (traces, probes, judgement) = (self.traces, self.probes, self.judgement);
        self.schema.columns.iter().enumerate().map(move |(rank, tracked)| ColumnView {
            id: ColumnId(rank),
            tracked,
            trace: traces.iter().find(|trace| trace.column.0 == rank),
            verdict: judgement.verdicts.get(rank),
            probes: probes.iter().filter(|probe| probe.column == tracked.config).collect(),
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

    /// File and line as a forge knows them: from the repository's root.
    fn in_repository(&self, at: &Anchor) -> (String, u32) {
        let (path, line) = self.anchor(at);
        (folded(&format!("{}{path}", self.below_repository)), line)
    }

    /// The findings that nothing put aside.
    fn open(&self) -> impl Iterator<Item = &'a Finding> {
        self.judgement.findings.iter().filter(|finding| finding.is_open())
    }

    fn findings_of(&self, level: Level) -> usize {
        self.open().filter(|finding| finding.level == level).count()
    }

    fn aside(&self, wanted: fn(&Standing) -> bool) -> usize {
        self.judgement.findings.iter().filter(|finding| wanted(&finding.standing)).count()
    }

    /// `2 errors, 1 warning, 0 notes`, and what was put aside.
    fn counts(&self) -> String {
        let found = [
            (Level::Error, "error", "errors"),
            (Level::Warning, "warning", "warnings"),
            (Level::Note, "note", "notes"),
        ]
        .map(|(level, one, many)| count(self.findings_of(level), one, many))
        .join(", ");
        let found = if self.open().next().is_none() { "No findings".to_owned() } else { found };
        let put_aside: Vec<String> = [
            (self.aside(|standing| *standing == Standing::Baselined), "in the baseline"),
            (self.aside(|standing| matches!(standing, Standing::Suppressed { .. })), "suppressed"),
        ]
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
        if put_aside.is_empty() { found } else { format!("{found} ({})", put_aside.join(", ")) }
    }
}

/// `packages/api/../tokendrift.toml` without the way down and up again. What lies outside the repository has no path there: its name.
fn folded(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        if part == ".." && parts.pop().is_none() {
            return path.rsplit('/').next().unwrap_or(path).to_owned();
        }
        if part != ".." {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// `1 row`, `40 rows`
fn count(number: usize, one: &str, many: &str) -> String {
    lines::count(u64::try_from(number).unwrap_or(u64::MAX), one, many)
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
