//! What the databases say, without the code: as text, as JSON, and as the plan of what would be asked.

use serde::Serialize;

use crate::config::{Column, Config};
use crate::probe::{ColumnProbe, Outcome, Planned};
use crate::report::live::sentences;
use crate::report::live_json::{LiveOut, live};

const SCHEMA: &str = "tokendrift-probe/1";

/// The figures of all databases.
#[derive(Clone, Copy, Debug)]
pub struct ProbeReport<'a> {
    pub config: &'a Config,
    pub probes: &'a [ColumnProbe],
}

impl ProbeReport<'_> {
    fn name(&self, probe: &ColumnProbe) -> String {
        self.config.columns.get(probe.column).map(Column::name).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tool: Tool,
    columns: Vec<ColumnOut<'a>>,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct ColumnOut<'a> {
    column: String,
    database: &'a str,
    live: Option<LiveOut<'a>>,
    live_error: Option<&'a str>,
}

/// A JSON document of schema `tokendrift-probe/1`, published as `docs/probe.schema.json`, indented, with a newline at its end.
pub fn probe_json(report: &ProbeReport<'_>) -> String {
    let document = Document {
        schema: SCHEMA,
        tool: Tool { name: "tokendrift", version: env!("CARGO_PKG_VERSION") },
        columns: report.probes.iter().map(|probe| column(report, probe)).collect(),
    };
    // Only maps with keys that are not text, and writers, can make this fail: the document has neither.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn column<'a>(report: &ProbeReport<'a>, probe: &'a ColumnProbe) -> ColumnOut<'a> {
    let (figures, live_error) = match &probe.outcome {
        Outcome::Counted(counts) => (Some(live(counts, &probe.database, None)), None),
        Outcome::Failed(why) => (None, Some(why.as_str())),
    };
    ColumnOut { column: report.name(probe), database: &probe.database, live: figures, live_error }
}

/// For people: a paragraph a column and database.
pub fn probe_text(report: &ProbeReport<'_>) -> String {
    let paragraphs = report.probes.iter().map(|probe| {
        let lines: Vec<String> = sentences(probe, None).into_iter().map(|line| format!("  {line}\n")).collect();
        format!("{} in {}\n{}", report.name(probe), probe.database, lines.concat())
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

/// The statements of a plan, as SQL that can be read and run as it is.
pub fn plan(planned: &[Planned]) -> String {
    let statement = |planned: &Planned| {
        let Planned { database, purpose, sql, estimate } = planned;
        format!("-- {database}: {purpose} ({estimate})\n{sql};\n\n")
    };
    planned.iter().map(statement).collect()
}
