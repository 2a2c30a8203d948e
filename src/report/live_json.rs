//! The figures of the databases as JSON, the same in the report of an audit and in that of a probe.

use serde::Serialize;

use crate::contract::{Expected, Prediction, PredictionOutcome, Verdict};
use crate::probe::{Change, CohortCounts, Counts, Method, Statement, Tendency, Writer};

#[derive(Serialize)]
pub(crate) struct LiveOut<'a> {
    rows: u64,
    nulls: u64,
    empty: Option<u64>,
    null_text: Option<u64>,
    method: &'static str,
    /// Of the share of NULLs; `None` without rows.
    interval: Option<[f64; 2]>,
    table_rows: u64,
    rows_read: u64,
    statements: u64,
    elapsed_ms: u64,
    cohorts: Vec<CohortOut<'a>>,
    shapes: Option<Vec<ShapeOut>>,
    shapes_method: Option<&'static str>,
    expired: Option<u64>,
    duplicates: Option<DuplicatesOut>,
    orphans: Option<OrphansOut<'a>>,
    trends: Vec<TrendOut<'a>>,
    changes: Vec<ChangeOut<'a>>,
    declared: Option<DeclaredOut<'a>>,
    statements_seen: Vec<StatementOut<'a>>,
    skipped: &'a [String],
    incomplete: Option<&'a str>,
    predictions: Vec<PredictionOut<'a>>,
}

#[derive(Serialize)]
struct CohortOut<'a> {
    name: &'a str,
    value: Option<&'a str>,
    rows: u64,
    nulls: u64,
    empty: u64,
    interval: Option<[f64; 2]>,
}

#[derive(Serialize)]
struct ShapeOut {
    shape: &'static str,
    rows: u64,
}

#[derive(Serialize)]
struct DuplicatesOut {
    values: u64,
    rows: u64,
}

#[derive(Serialize)]
struct OrphansOut<'a> {
    users: &'a str,
    method: &'static str,
    tokens: u64,
    gone: u64,
    inactive: u64,
}

#[derive(Serialize)]
struct TrendOut<'a> {
    name: &'a str,
    since: &'a str,
    before: RowsOut,
    recent: RowsOut,
    tendency: &'static str,
}

#[derive(Serialize)]
struct ChangeOut<'a> {
    since: &'a str,
    /// `None`: all rows.
    cohort: Option<&'a str>,
    value: Option<&'a str>,
    before: RowsOut,
    now: RowsOut,
    tendency: &'static str,
}

#[derive(Serialize)]
struct RowsOut {
    rows: u64,
    without_token: u64,
}

#[derive(Serialize)]
struct DeclaredOut<'a> {
    nullable: bool,
    has_default: bool,
    is_generated: bool,
    mentions: Vec<MentionOut<'a>>,
    writers: Vec<WriterOut<'a>>,
}

#[derive(Serialize)]
struct WriterOut<'a> {
    kind: &'static str,
    name: &'a str,
    operation: &'static str,
    semantics: &'a str,
}

#[derive(Serialize)]
struct MentionOut<'a> {
    kind: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
struct StatementOut<'a> {
    operation: &'static str,
    semantics: &'a str,
    calls: u64,
    texts: u64,
}

#[derive(Serialize)]
struct PredictionOut<'a> {
    cohort: &'a str,
    value: &'a str,
    expected: &'static str,
    outcome: &'static str,
}

pub(crate) fn live<'a>(counts: &'a Counts, database: &str, verdict: Option<&'a Verdict>) -> LiveOut<'a> {
    let predictions = verdict.map_or(&[][..], |verdict| &verdict.predictions);
    let shapes = counts.shapes.as_ref();
    LiveOut {
        rows: counts.rows,
        nulls: counts.nulls,
        empty: Some(counts.empty).filter(|_| counts.method != Method::Statistics),
        null_text: Some(counts.null_text).filter(|_| counts.method != Method::Statistics),
        method: counts.method.word(),
        interval: counts.interval().map(rounded),
        table_rows: counts.table_rows,
        rows_read: counts.rows_read(),
        statements: counts.cost.statements,
        elapsed_ms: u64::try_from(counts.cost.took.as_millis()).unwrap_or(u64::MAX),
        cohorts: counts.cohorts.iter().map(cohort).collect(),
        shapes: shapes.map(|shapes| {
            shapes.rows.iter().map(|(shape, rows)| ShapeOut { shape: shape.word(), rows: *rows }).collect()
        }),
        shapes_method: shapes.map(|shapes| shapes.method.word()),
        expired: shapes.map(|shapes| shapes.expired),
        duplicates: counts.duplicates.map(|shared| DuplicatesOut { values: shared.values, rows: shared.rows }),
        orphans: counts.orphans.as_ref().map(|orphans| OrphansOut {
            users: &orphans.users,
            method: orphans.method.word(),
            tokens: orphans.tokens,
            gone: orphans.gone,
            inactive: orphans.inactive,
        }),
        trends: counts
            .trends
            .iter()
            .map(|trend| TrendOut {
                name: &trend.name,
                since: &trend.since,
                before: rows(trend.before),
                recent: rows(trend.recent),
                tendency: tendency(trend.tendency),
            })
            .collect(),
        changes: counts.changes.iter().map(change).collect(),
        declared: counts.declared.as_ref().map(|declared| DeclaredOut {
            nullable: declared.nullable,
            has_default: declared.has_default,
            is_generated: declared.is_generated,
            mentions: declared.mentions.iter().map(|(kind, name)| MentionOut { kind, name }).collect(),
            writers: declared.writers.iter().map(writer).collect(),
        }),
        statements_seen: counts.statements_seen.iter().map(statement).collect(),
        skipped: &counts.skipped,
        incomplete: counts.incomplete.as_deref(),
        predictions: predictions.iter().filter(|prediction| prediction.database == database).map(prediction).collect(),
    }
}

fn writer(writer: &Writer) -> WriterOut<'_> {
    WriterOut { kind: writer.kind, name: &writer.name, operation: writer.operation, semantics: &writer.semantics }
}

fn statement(seen: &Statement) -> StatementOut<'_> {
    StatementOut { operation: seen.operation, semantics: &seen.semantics, calls: seen.calls, texts: seen.texts }
}

fn rows((rows, without_token): (u64, u64)) -> RowsOut {
    RowsOut { rows, without_token }
}

fn tendency(tendency: Tendency) -> &'static str {
    match tendency {
        Tendency::Falls => "falls",
        Tendency::Level => "level",
        Tendency::Rises => "rises",
    }
}

fn change(change: &Change) -> ChangeOut<'_> {
    let (cohort, value) = change.cohort.as_ref().map_or((None, None), |(name, value)| (Some(name), value.as_deref()));
    ChangeOut {
        since: &change.since,
        cohort: cohort.map(String::as_str),
        value,
        before: rows(change.before),
        now: rows(change.now),
        tendency: tendency(change.tendency),
    }
}

fn cohort(part: &CohortCounts) -> CohortOut<'_> {
    CohortOut {
        name: &part.name,
        value: part.value.as_deref(),
        rows: part.rows,
        nulls: part.nulls,
        empty: part.empty,
        interval: part.interval().map(rounded),
    }
}

/// To the sixth digit.
fn rounded(interval: [f64; 2]) -> [f64; 2] {
    interval.map(|share| (share * 1e6).round() / 1e6)
}

fn prediction(prediction: &Prediction) -> PredictionOut<'_> {
    PredictionOut {
        cohort: &prediction.cohort,
        value: &prediction.value,
        expected: match prediction.expected {
            Expected::Null => "null",
            Expected::Filled => "filled",
            Expected::Open => "open",
        },
        outcome: match prediction.outcome {
            PredictionOutcome::Confirmed => "confirmed",
            PredictionOutcome::Contradicted => "contradicted",
            PredictionOutcome::NoEvidence => "no-evidence",
        },
    }
}
