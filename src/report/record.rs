//! Counts for later runs to be held against: one JSON line a column and database.

use std::io::{self, Write};

use serde::Serialize;

use crate::config::{Column, RECORD_SCHEMA};
use crate::contract::Day;
use crate::probe::{CohortCounts, Outcome};
use crate::report::ProbeReport;

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    at: &'a str,
    database: &'a str,
    column: &'a str,
    method: &'static str,
    table_rows: u64,
    rows: u64,
    nulls: u64,
    empty: u64,
    effective: Option<f64>,
    cohorts: Vec<Part<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    value: Option<&'a str>,
    rows: u64,
    nulls: u64,
    empty: u64,
    effective: Option<f64>,
}

/// What was counted, as `config::records` reads it; `seconds` after 1970 began. What was not counted has no line.
///
/// # Errors
/// Only those of `out`.
pub fn record(report: &ProbeReport<'_>, seconds: u64, out: &mut dyn Write) -> io::Result<()> {
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let at = format!("{}T{hour:02}:{minute:02}:{second:02}Z", Day::of_unix(seconds));
    let mut lines = Vec::new();
    for probe in report.probes {
        let Outcome::Counted(counts) = &probe.outcome else { continue };
        let column = report.config.columns.get(probe.column).map(Column::name).unwrap_or_default();
        let line = Line {
            schema: RECORD_SCHEMA,
            at: &at,
            database: &probe.database,
            column: &column,
            method: counts.method.word(),
            table_rows: counts.table_rows,
            rows: counts.rows,
            nulls: counts.nulls,
            empty: counts.empty,
            effective: counts.effective,
            cohorts: counts.cohorts.iter().map(part).collect(),
        };
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
    }
    // At once, so that two runs do not mix their lines.
    out.write_all(&lines)
}

fn part(part: &CohortCounts) -> Part<'_> {
    Part {
        name: &part.name,
        value: part.value.as_deref(),
        rows: part.rows,
        nulls: part.nulls,
        empty: part.empty,
        effective: part.effective,
    }
}
