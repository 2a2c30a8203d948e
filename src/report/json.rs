//! `--format json`: what scripts read. The shape is published as `docs/report.schema.json`.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use crate::contract::{Change, Finding, Level, Related, Standing, Verdict};
use crate::fix::Edit;
use crate::probe::{ColumnProbe, Outcome};
use crate::provenance::{EntryPoint, MissingWrite, Origin, Path, ReadSite, Step, WriteSite};
use crate::report::guards::{TriageOut, guards, triage};
use crate::report::live_json::{LiveOut, live};
use crate::report::mask::shown_default;
use crate::report::stream::{Each, pretty};
use crate::report::{ColumnView, Report, column_name, form_word, operation_word};
use crate::source::{Gap, Span, Tally};

/// The schema that a JSON report names.
pub const SCHEMA: &str = "tokendrift-report/1";

#[derive(Serialize)]
struct Document<Columns, Guards, Findings, Gaps> {
    schema: &'static str,
    tool: Tool,
    columns: Columns,
    guards: Guards,
    findings: Findings,
    gaps: Gaps,
    summary: Summary,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct ColumnOut<'a> {
    column: String,
    contract: Option<&'static str>,
    model: Option<ModelOut<'a>>,
    nullable: Option<bool>,
    default: Option<String>,
    write_sites: Vec<SiteOut<'a>>,
    missing_writes: Vec<MissingOut<'a>>,
    read_sites: Vec<ReadOut<'a>>,
    triage: TriageOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<LiveOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_error: Option<&'a str>,
    /// Each, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    databases: Vec<AnswerOut<'a>>,
    verdict: VerdictOut<'a>,
}

#[derive(Default, Serialize)]
struct AnswerOut<'a> {
    database: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<LiveOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_error: Option<&'a str>,
}

#[derive(Serialize)]
struct ModelOut<'a> {
    name: &'a str,
    property: &'a str,
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct SiteOut<'a> {
    file: String,
    line: u32,
    column: u32,
    value_line: u32,
    operation: &'static str,
    scope: &'static str,
    function: &'a str,
    origins: Vec<&'static str>,
    semantics: String,
    form: &'static str,
    confidence: &'static str,
    paths: Vec<PathOut<'a>>,
}

#[derive(Serialize)]
struct PathOut<'a> {
    entry_point: EntryOut<'a>,
    steps: Vec<StepOut<'a>>,
    issues_token: bool,
    origins: Vec<&'static str>,
    semantics: String,
    form: &'static str,
    confidence: &'static str,
    reason: &'a str,
}

#[derive(Serialize)]
struct EntryOut<'a> {
    name: &'a str,
    route: &'a str,
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct StepOut<'a> {
    function: &'a str,
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct MissingOut<'a> {
    file: &'a str,
    line: u32,
    function: &'a str,
    entry_point: EntryOut<'a>,
    steps: Vec<StepOut<'a>>,
    reason: &'a str,
}

#[derive(Serialize)]
struct ReadOut<'a> {
    file: &'a str,
    line: u32,
    function: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct VerdictOut<'a> {
    agree: bool,
    majority: Option<&'a str>,
    recommendation: Option<&'static str>,
    changes: Vec<ChangeOut<'a>>,
}

#[derive(Serialize)]
struct ChangeOut<'a> {
    #[serde(rename = "for")]
    purpose: &'static str,
    file: &'a str,
    line: u32,
    edit: &'a str,
}

#[derive(Serialize)]
struct FindingOut<'a> {
    check: &'a str,
    level: &'static str,
    column: &'a str,
    message: &'a str,
    file: &'a str,
    line: u32,
    identity: &'a str,
    standing: &'static str,
    /// Why it is suppressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    related: Vec<RelatedOut<'a>>,
    path: Vec<RelatedOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<FixOut<'a>>,
}

#[derive(Serialize)]
struct FixOut<'a> {
    title: &'a str,
    is_safe: bool,
    edits: Vec<EditOut<'a>>,
}

/// 1-based; what begins at the start and ends before the end gives way to the text.
#[derive(Serialize)]
struct EditOut<'a> {
    file: &'a str,
    start: PlaceOut,
    end: PlaceOut,
    text: &'a str,
}

#[derive(Serialize)]
struct PlaceOut {
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct RelatedOut<'a> {
    file: &'a str,
    line: u32,
    message: &'a str,
}

#[derive(Serialize)]
struct GapOut<'a> {
    file: &'a str,
    line: u32,
    why: &'a str,
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    bytes: u64,
    files_lowered: usize,
    skipped: Skipped,
    findings: Levels,
    baselined: usize,
    suppressed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_ms: Option<u64>,
}

#[derive(Serialize)]
struct Skipped {
    oversized: usize,
    minified: usize,
    binary: usize,
    unreadable: usize,
    /// Read, but not as valid UTF-8.
    lossy: usize,
    /// `.d.ts` files: they declare, they do not run.
    declarations: usize,
    /// Code in a language that is not read.
    other_languages: usize,
}

#[derive(Serialize)]
struct Levels {
    error: usize,
    warning: usize,
    note: usize,
}

/// The report as a JSON document of schema `tokendrift-report/1`, indented.
pub(crate) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: SCHEMA,
        tool: Tool { name: "tokendrift", version: env!("CARGO_PKG_VERSION") },
        columns: Each(|| report.columns().map(|view| column(report, &view))),
        guards: Each(|| guards(report).into_iter()),
        findings: Each(|| report.judgement.findings.iter().map(|found| finding(report, found))),
        gaps: Each(|| report.gaps.iter().map(gap)),
        summary: summary(report),
    };
    pretty(&document, out)
}

fn column<'a>(report: &Report<'a>, view: &ColumnView<'a>) -> ColumnOut<'a> {
    let tracked = view.tracked;
    let configured = report.config.columns.get(tracked.config);
    let model = report.binding(tracked).map(|(model, property)| {
        let (file, line) = report.place(property.span);
        ModelOut { name: &model.name, property: &property.name, file, line }
    });
    let several = if view.probes.len() > 1 { view.probes.as_slice() } else { &[] };
    let shown = |probe: &'a ColumnProbe| answer(probe, view.verdict);
    let AnswerOut { live, live_error, .. } = view.probe().map(shown).unwrap_or_default();
    ColumnOut {
        column: column_name(tracked),
        contract: configured.and_then(|column| column.contract).map(crate::config::Contract::word),
        model,
        nullable: tracked.nullable,
        default: tracked.default.as_deref().map(shown_default),
        write_sites: view.trace.map_or(&[][..], |trace| &trace.sites).iter().map(|at| site(report, at)).collect(),
        missing_writes: view
            .trace
            .map_or(&[][..], |trace| &trace.missing)
            .iter()
            .map(|at| missing(report, at))
            .collect(),
        read_sites: view.trace.map_or(&[][..], |trace| &trace.reads).iter().map(|at| read(report, at)).collect(),
        triage: triage(report, view.id),
        live,
        live_error,
        databases: several.iter().map(|probe| shown(probe)).collect(),
        verdict: verdict(report, view.verdict),
    }
}

fn answer<'a>(probe: &'a ColumnProbe, verdict: Option<&'a Verdict>) -> AnswerOut<'a> {
    let (live, live_error) = match &probe.outcome {
        Outcome::Counted(counts) => (Some(live(counts, &probe.database, verdict)), None),
        Outcome::Failed(why) => (None, Some(why.as_str())),
    };
    AnswerOut { database: &probe.database, live, live_error }
}

fn site<'a>(report: &Report<'a>, site: &'a WriteSite) -> SiteOut<'a> {
    let at = report.sources.location(site.span);
    SiteOut {
        file: at.path,
        line: at.line,
        column: at.column,
        value_line: report.sources.line(site.value),
        operation: operation_word(site.operation),
        scope: site.scope.word(),
        function: &site.function,
        origins: words(&site.origins()),
        semantics: site.semantics(),
        form: form_word(site.form()),
        confidence: site.confidence().word(),
        paths: site.paths.iter().map(|on| path(report, on)).collect(),
    }
}

fn path<'a>(report: &Report<'a>, path: &'a Path) -> PathOut<'a> {
    PathOut {
        entry_point: entry(report, &path.entry),
        steps: steps(report, &path.steps),
        issues_token: path.issues,
        origins: words(&path.meaning.origins()),
        semantics: path.meaning.semantics(),
        // No value, no form of its own: as a site without any form is reported.
        form: path.form.map_or("plain", form_word),
        confidence: path.confidence.word(),
        reason: &path.reason,
    }
}

/// Sorted by word.
fn words(origins: &BTreeSet<Origin>) -> Vec<&'static str> {
    let mut words: Vec<&str> = origins.iter().map(|origin| origin.word()).collect();
    words.sort_unstable();
    words
}

fn entry<'a>(report: &Report<'a>, entry: &'a EntryPoint) -> EntryOut<'a> {
    let (file, line) = report.place(entry.span);
    EntryOut { name: &entry.name, route: &entry.route, file, line }
}

fn steps<'a>(report: &Report<'a>, steps: &'a [Step]) -> Vec<StepOut<'a>> {
    let out = |step: &'a Step| {
        let (file, line) = report.place(step.span);
        StepOut { function: &step.function, file, line }
    };
    steps.iter().map(out).collect()
}

fn missing<'a>(report: &Report<'a>, missing: &'a MissingWrite) -> MissingOut<'a> {
    let (file, line) = report.place(missing.span);
    MissingOut {
        file,
        line,
        function: &missing.function,
        entry_point: entry(report, &missing.entry),
        steps: steps(report, &missing.steps),
        reason: &missing.reason,
    }
}

fn read<'a>(report: &Report<'a>, read: &'a ReadSite) -> ReadOut<'a> {
    let (file, line) = report.place(read.span);
    ReadOut { file, line, function: &read.function, kind: read.kind.word() }
}

fn verdict<'a>(report: &Report<'a>, verdict: Option<&'a Verdict>) -> VerdictOut<'a> {
    let Some(verdict) = verdict else {
        return VerdictOut { agree: true, majority: None, recommendation: None, changes: Vec::new() };
    };
    let change = |purpose, change: &'a Change| {
        let (file, line) = report.place(change.at);
        ChangeOut { purpose, file, line, edit: &change.edit }
    };
    let to_write = verdict.to_write.iter().map(|at| change("write-consistently", at));
    let to_drop = verdict.to_drop.iter().map(|at| change("drop-writes", at));
    VerdictOut {
        agree: verdict.agree,
        majority: verdict.majority.as_deref(),
        recommendation: verdict.recommendation.map(crate::config::Contract::word),
        changes: to_write.chain(to_drop).collect(),
    }
}

fn finding<'a>(report: &Report<'a>, finding: &'a Finding) -> FindingOut<'a> {
    let (file, line) = report.anchor(&finding.at);
    let place = |related: &'a Related| {
        let (file, line) = report.anchor(&related.at);
        RelatedOut { file, line, message: &related.message }
    };
    FindingOut {
        check: finding.check,
        level: finding.level.word(),
        column: &finding.column,
        message: &finding.message,
        file,
        line,
        identity: &finding.identity,
        standing: finding.standing.word(),
        reason: match &finding.standing {
            Standing::Suppressed { reason } => Some(reason),
            Standing::Open | Standing::Baselined => None,
        },
        related: finding.related.iter().map(place).collect(),
        path: finding.flow.iter().map(place).collect(),
        fix: finding.fix.as_ref().map(|fix| FixOut {
            title: &fix.title,
            is_safe: fix.is_safe,
            edits: fix.edits.iter().map(|edit| self::edit(report, edit)).collect(),
        }),
    }
}

fn edit<'a>(report: &Report<'a>, edit: &'a Edit) -> EditOut<'a> {
    let place = |offset| {
        let at = report.sources.location(Span { start: offset, ..edit.at });
        PlaceOut { line: at.line, column: at.column }
    };
    let file = report.sources.get(edit.at.file).path.as_str();
    EditOut { file, start: place(edit.at.start), end: place(edit.at.end), text: &edit.text }
}

fn gap(gap: &Gap) -> GapOut<'_> {
    GapOut { file: &gap.path, line: gap.line, why: &gap.why }
}

fn summary(report: &Report) -> Summary {
    let Tally { files, bytes, oversized, minified, binary, lossy, unreadable, declarations, other_languages } =
        report.sources.tally;
    Summary {
        files,
        bytes,
        files_lowered: report.files_lowered,
        skipped: Skipped { oversized, minified, binary, unreadable, lossy, declarations, other_languages },
        findings: Levels {
            error: report.findings_of(Level::Error),
            warning: report.findings_of(Level::Warning),
            note: report.findings_of(Level::Note),
        },
        baselined: report.aside(|standing| *standing == Standing::Baselined),
        suppressed: report.aside(|standing| matches!(standing, Standing::Suppressed { .. })),
        elapsed_ms: report.elapsed_ms,
    }
}
