//! `--format sarif`: SARIF 2.1.0 as GitHub code scanning reads it.
//!
//! One result a finding, its region on one line (an alert shows on a pull request only when all its lines are in the diff), related
//! places linked from the message, the code path as a code flow. Findings that the baseline has or a comment puts aside are marked,
//! not left out: a forge would call a missing one fixed. Limits: <https://docs.github.com/en/code-security/reference/code-scanning/sarif-support-for-code-scanning>.

mod fixes;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use crate::contract::{Anchor, CHECKS, Check, Finding, Related, Standing};
use crate::report::Report;
use crate::report::stream::{Each, compact};
use crate::source::Gap;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const PROJECT: &str = env!("CARGO_PKG_REPOSITORY");

/// A file with more results is refused.
const RESULTS: usize = 25_000;
/// Of a thousand locations of a result a hundred are kept.
const PLACES: usize = 100;
/// Places that a message links.
const LINKED: usize = 10;
/// Gaps that are listed one by one.
const GAPS: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<Results> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<Results>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<Results> {
    tool: Tool,
    automation_details: AutomationDetails,
    original_uri_base_ids: BTreeMap<&'static str, UriBase>,
    column_kind: &'static str,
    invocations: [Invocation; 1],
    results: Results,
}

#[derive(Serialize)]
struct AutomationDetails {
    id: String,
}

/// Without a URI: only whoever reads the log knows where the repository lies.
#[derive(Serialize)]
struct UriBase {
    description: Text,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    full_name: String,
    semantic_version: &'static str,
    information_uri: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    /// `None` where the id is a name already.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    short_description: Text,
    full_description: Text,
    help: Help,
    help_uri: String,
    default_configuration: DefaultConfiguration,
    properties: RuleProperties,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: &'static str,
}

#[derive(Serialize)]
struct DefaultConfiguration {
    level: &'static str,
}

#[derive(Serialize)]
struct RuleProperties {
    precision: &'static str,
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security_severity: Option<&'static str>,
    tags: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultOut {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    code_flows: Vec<CodeFlow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<fixes::FixOut>,
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
    suppressions: Vec<Suppression>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of SARIF")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    uri_base_id: &'static str,
}

/// `endColumn` is the column after the last.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeFlow {
    thread_flows: [ThreadFlow; 1],
}

#[derive(Serialize)]
struct ThreadFlow {
    locations: Vec<FlowLocation>,
}

#[derive(Serialize)]
struct FlowLocation {
    location: Location,
    importance: &'static str,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: String,
}

/// The report as one SARIF run, on one line.
pub(crate) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let kept = kept(report);
    let base = Text { text: "The root of the repository that holds the audited files.".to_owned() };
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: "tokendrift",
                full_name: format!("tokendrift {}", env!("CARGO_PKG_VERSION")),
                semantic_version: env!("CARGO_PKG_VERSION"),
                information_uri: PROJECT,
                rules: CHECKS.iter().map(rule).collect(),
            },
        },
        automation_details: AutomationDetails { id: format!("tokendrift/{}", report.below_repository) },
        original_uri_base_ids: BTreeMap::from([(BASE, UriBase { description: base })]),
        column_kind: "unicodeCodePoints",
        invocations: [Invocation {
            execution_successful: true,
            tool_execution_notifications: notifications(report, kept.len()),
        }],
        results: Each(|| kept.iter().map(|finding| result(report, finding))),
    };
    compact(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] }, out)
}

/// All findings, or as many of the gravest as a file may hold, in their order.
fn kept<'a>(report: &Report<'a>) -> Vec<&'a Finding> {
    let mut kept: Vec<(usize, &Finding)> = report.judgement.findings.iter().enumerate().collect();
    if kept.len() > RESULTS {
        kept.sort_by_key(|(at, finding)| (!finding.is_open(), std::cmp::Reverse(finding.level), *at));
        kept.truncate(RESULTS);
        kept.sort_by_key(|(at, _)| *at);
    }
    kept.into_iter().map(|(_, finding)| finding).collect()
}

fn rule(check: &Check) -> Rule {
    let mut tags = vec!["authentication", "consistency", "tokens"];
    if check.security_severity.is_some() {
        tags.push("security");
    }
    Rule {
        id: check.id,
        name: check.id.contains('-').then(|| pascal(check.id)),
        short_description: sentence(check.summary),
        full_description: sentence(check.summary),
        help: Help { text: format!("See `tokendrift explain {}`.", check.id), markdown: check.docs },
        help_uri: format!("{PROJECT}/blob/main/docs/checks/{}.md", check.id),
        default_configuration: DefaultConfiguration { level: check.level.word() },
        properties: RuleProperties {
            precision: check.precision.word(),
            security_severity: check.security_severity,
            tags,
        },
    }
}

/// `path-drift` -> `PathDrift`
fn pascal(id: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    id.split('-').map(capital).collect()
}

/// A capital at its start, a full stop at its end.
fn sentence(summary: &str) -> Text {
    let mut letters = summary.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    Text { text: first.into_iter().chain(letters).chain(['.']).collect() }
}

fn notifications(report: &Report, kept: usize) -> Vec<Notification> {
    let mut all: Vec<Notification> = report.gaps.iter().take(GAPS).map(|gap| gap_out(report, gap)).collect();
    let mut more = |level, text| all.push(Notification { level, message: Text { text }, locations: Vec::new() });
    if let Some(rest) = report.gaps.len().checked_sub(GAPS).filter(|rest| *rest > 0) {
        more("note", format!("{rest} more places could not be followed or read: --format json lists all."));
    }
    if let Some(rest) = report.judgement.findings.len().checked_sub(kept).filter(|rest| *rest > 0) {
        more(
            "warning",
            format!("{rest} more findings are left out, since a file holds {RESULTS}: --format json lists all."),
        );
    }
    all
}

fn gap_out(report: &Report, gap: &Gap) -> Notification {
    let region = Region { start_line: gap.line.max(1), start_column: 1, end_line: gap.line.max(1), end_column: 1 };
    let uri = uri(&format!("{}{}", report.below_repository, gap.path));
    let physical_location = PhysicalLocation { artifact_location: ArtifactLocation { uri, uri_base_id: BASE }, region };
    Notification {
        level: "note",
        message: Text { text: full_stop(escaped(&gap.why)) },
        locations: vec![Location { id: None, physical_location, message: None }],
    }
}

const BASE: &str = "%SRCROOT%";

fn result(report: &Report, finding: &Finding) -> ResultOut {
    let related = &finding.related[..finding.related.len().min(PLACES)];
    // A path that is too long keeps its start and its end.
    let flow = || {
        let cut = finding.flow.len().saturating_sub(PLACES);
        finding.flow.iter().enumerate().filter(move |(at, _)| *at < PLACES / 2 || *at >= PLACES / 2 + cut)
    };
    let mut suppressions = Vec::new();
    match &finding.standing {
        Standing::Open => {}
        Standing::Baselined => suppressions
            .push(Suppression { kind: "external", justification: "The baseline has this finding.".to_owned() }),
        Standing::Suppressed { reason } => {
            suppressions.push(Suppression { kind: "inSource", justification: reason.clone() });
        }
    }
    ResultOut {
        rule_id: finding.check,
        rule_index: CHECKS.iter().position(|check| check.id == finding.check).unwrap_or_default(),
        level: finding.level.word(),
        message: message(finding, related),
        locations: [location(report, &finding.at, None, None)],
        related_locations: related
            .iter()
            .zip(1..)
            .map(|(related, id)| location(report, &related.at, Some(id), Some(&related.message)))
            .collect(),
        code_flows: if finding.flow.is_empty() {
            Vec::new()
        } else {
            let at = |place: &Related| FlowLocation {
                location: location(report, &place.at, None, Some(&place.message)),
                importance: "essential",
            };
            vec![CodeFlow { thread_flows: [ThreadFlow { locations: flow().map(|(_, place)| at(place)).collect() }] }]
        },
        fixes: finding.fix.iter().map(|fix| fixes::fix(report, fix)).collect(),
        partial_fingerprints: BTreeMap::from([("tokendrift/v1", finding.identity.clone())]),
        baseline_state: report.has_baseline.then_some(match finding.standing {
            Standing::Baselined => "unchanged",
            Standing::Open | Standing::Suppressed { .. } => "new",
        }),
        suppressions,
    }
}

/// The finding's own words, then each related place as a link to its location.
fn message(finding: &Finding, related: &[Related]) -> Text {
    let mut text = full_stop(escaped(&finding.message));
    for (related, id) in related.iter().zip(1..=LINKED) {
        text.push_str(if id == 1 { " See: [" } else { "; [" });
        text.push_str(&escaped(&related.message));
        _ = write!(text, "]({id})");
    }
    if let Some(more) = related.len().checked_sub(LINKED).filter(|more| *more > 0) {
        _ = write!(text, "; and {more} more related places");
    }
    if !related.is_empty() {
        text.push('.');
    }
    Text { text }
}

/// Brackets in plain text would read as links.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn full_stop(mut text: String) -> String {
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

fn location(report: &Report, at: &Anchor, id: Option<usize>, message: Option<&str>) -> Location {
    let (path, line) = report.in_repository(at);
    let characters = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX - 1);
    let (start_column, length) = match at {
        Anchor::Code(span) => {
            let first = report.sources.text(*span).lines().next().unwrap_or("");
            (report.sources.location(*span).column, characters(first))
        }
        Anchor::Config { line } => {
            let text = report.config.text.lines().nth((*line as usize).saturating_sub(1)).unwrap_or("");
            (1, characters(text))
        }
    };
    Location {
        id,
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: uri(&path), uri_base_id: BASE },
            region: Region {
                start_line: line,
                start_column,
                end_line: line,
                end_column: start_column.saturating_add(length),
            },
        },
        message: message.map(|text| Text { text: full_stop(escaped(text)) }),
    }
}

/// A relative path as a relative reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'('
            | b')'
            | b'+'
            | b'@'
            | b',' => {
                out.push(char::from(byte));
            }
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_reference_that_every_reader_takes_apart_the_same() {
        assert_eq!(uri("app/[id]/a b#1?.ts"), "app/%5Bid%5D/a%20b%231%3F.ts");
        assert_eq!(uri("src/(auth)/é.ts"), "src/(auth)/%C3%A9.ts");
        assert_eq!(uri("a:b.ts"), "a%3Ab.ts");
    }

    #[test]
    fn brackets_of_a_message_are_no_links() {
        assert_eq!(escaped("row[0] and \\"), "row\\[0\\] and \\\\");
    }

    #[test]
    fn every_rule_keeps_the_limits() {
        for check in CHECKS {
            let rule = rule(check);
            assert!(
                rule.name.as_ref().is_none_or(|name| name.len() <= 255)
                    && rule.full_description.text.len() <= 1024
                    && rule.properties.tags.len() <= 10
            );
            let severity = check.security_severity.map(|severity| severity.parse::<f32>().unwrap());
            assert!(severity.is_none_or(|severity| (0.1..=10.0).contains(&severity)), "{}", check.id);
        }
    }
}
