//! One finding in full: the path hop by hop, why each hop was believed, what makes it go away, and when it is wrong.

use std::collections::BTreeSet;

use crate::contract::{Anchor, CHECKS, Finding, Related, Standing, believed, page};
use crate::provenance::{Confidence, Hop, MissingWrite, Path, Step, WriteSite};
use crate::report::Report;
use crate::report::excerpt::known_names;
use crate::report::lines::{Style, clean, wrap};
use crate::report::live::sentences;
use crate::report::mask::mask;
use crate::source::Span;

/// Behind a step that was resolved.
const PROVEN: &str = " (proven)";

/// File and 1-based line of a place.
pub fn place_of<'a>(report: &Report<'a>, at: &Anchor) -> (&'a str, u32) {
    report.anchor(at)
}

/// The finding for people, as wide as `width`.
pub fn explanation(report: &Report, finding: &Finding, color: bool, width: usize) -> String {
    let style = Style::new(color, width);
    let mut out = Out { report, style, names: known_names(report), text: String::new() };
    out.title(&format!("{}[{}] {}", finding.level.word(), finding.check, finding.message));
    let (file, line) = report.anchor(&finding.at);
    out.fact("where", &format!("{file}:{line}"));
    if finding.flow.iter().all(|place| place.at != finding.at) {
        out.fact("", &out.source(&finding.at));
    }
    out.fact("identity", &finding.identity);
    match &finding.standing {
        Standing::Open => {}
        Standing::Baselined => out.fact("standing", "the baseline has it"),
        Standing::Suppressed { reason } => out.fact("standing", &format!("put aside by a comment: {reason}")),
    }

    out.fact("believed", believed(finding.check));

    let mut shown = out.path(finding);
    shown.extend(out.ways(finding));
    out.rows(finding);
    // Why there are no edits is told below.
    let is_told = |related: &&Related| {
        finding.held().is_some_and(|(at, why)| related.at == *at && related.message.ends_with(why))
    };
    let beside =
        finding.related.iter().filter(|related| !shown.contains(&related.at) && !is_told(related)).collect::<Vec<_>>();
    if !beside.is_empty() {
        out.head("What it is judged by");
        for related in beside {
            out.hop(&related.at, &related.message);
        }
    }
    let docs = page(finding.check).unwrap_or_default();
    // The pages speak of one column throughout.
    let docs = docs
        .replace("users.access_token", if finding.column.is_empty() { "users.access_token" } else { &finding.column });
    out.head("What would make it go away");
    if let Some(fix) = &finding.fix {
        let flags = if fix.is_safe { "--fix" } else { "--fix --unsafe-fixes" };
        let title = fix.title.chars().take(1).flat_map(char::to_uppercase).chain(fix.title.chars().skip(1));
        let title: String = title.collect();
        out.line(&format!("{title}: `tokendrift audit {flags}` does it, with --diff it shows the patch."));
    }
    if finding.fix.is_none() {
        out.unfixed(finding);
    }
    out.section(&docs, "## How to fix");
    out.head("When it is wrong");
    out.section(&docs, "## When it is wrong");
    out.text.push('\n');
    out.line(&format!("More: tokendrift explain {}", finding.check));
    out.text
}

/// The write and the path to it that some places show.
fn shown_path<'a>(report: &Report<'a>, flow: &[Related]) -> Option<(&'a WriteSite, &'a Path)> {
    let flow: Vec<Span> = flow.iter().map(|place| code(&place.at)).collect::<Option<_>>()?;
    let (first, rest) = flow.split_first()?;
    let (last, calls) = rest.split_last()?;
    let sites = report.traces.iter().flat_map(|trace| &trace.sites).filter(|site| site.value == *last);
    let mut paths = sites.flat_map(|site| site.paths.iter().map(move |path| (site, path)));
    paths.find(|(_, path)| path.entry.span == *first && path.calls().map(|step| &step.span).eq(calls))
}

/// Text without the addresses of its links: `[unknown-value](unknown-value.md)` is `unknown-value`.
fn unlinked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(word, behind)| Some((word, behind.split_once(')')?.1)));
        out.push_str(before);
        if let Some((word, behind)) = link.filter(|(word, _)| !word.contains(['[', ']'])) {
            out.push_str(word);
            rest = behind;
        } else {
            out.push('[');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Whether a path is proven, in words.
fn confidence(path: &Path) -> &'static str {
    match path.confidence {
        Confidence::Proven => "proven: every step was resolved",
        Confidence::Inferred if path.steps.iter().all(|step| step.certain) => {
            "inferred: the calls are known, but not all of what is written or on what; that is marked below"
        }
        Confidence::Inferred => "inferred: not all calls are known; those are marked below",
    }
}

/// Whether a related place only tells the path, which is shown anyway.
fn goes_on(message: &str) -> bool {
    message.contains(" calls on towards ")
}

fn code(at: &Anchor) -> Option<Span> {
    match at {
        Anchor::Code(span) => Some(*span),
        Anchor::Config { .. } => None,
    }
}

struct Out<'r, 'a> {
    report: &'r Report<'a>,
    style: Style,
    names: BTreeSet<&'a str>,
    text: String,
}

impl<'a> Out<'_, 'a> {
    fn title(&mut self, words: &str) {
        for line in wrap(&clean(words), self.style.width) {
            self.text.push_str(&self.style.bold(&line));
            self.text.push('\n');
        }
    }

    fn fact(&mut self, label: &str, words: &str) {
        self.text.push_str(&self.style.fact(label, &clean(words)));
    }

    fn head(&mut self, words: &str) {
        self.text.push('\n');
        self.text.push_str(&self.style.bold(words));
        self.text.push('\n');
    }

    fn line(&mut self, words: &str) {
        self.text.push_str(&self.style.paragraph(2, &clean(words)));
    }

    /// The source line at a place.
    fn source(&self, at: &Anchor) -> String {
        let (_, line) = self.report.anchor(at);
        let Some(span) = code(at) else { return self.configured(line) };
        let text = self.report.sources.get(span.file).line_text(line).trim();
        clean(&mask(text, &self.names, 0).text)
    }

    /// A line of the configuration; of a header (`[[column]]`) with what stands below it.
    fn configured(&self, line: u32) -> String {
        let code = |line: &str| line.split_once(" #").map_or(line, |(code, _)| code).trim().to_owned();
        let mut lines = self.report.config.text.lines().skip(line.saturating_sub(1) as usize);
        let first = code(lines.next().unwrap_or_default());
        let below =
            lines.map(code).take_while(|line| first.starts_with('[') && !line.is_empty() && !line.starts_with('['));
        let all: Vec<String> = below.filter(|line| !line.starts_with('#')).collect();
        if all.is_empty() { clean(&first) } else { clean(&format!("{first} {}", all.join(", "))) }
    }

    /// What happens at a place, and the source line that stands there.
    fn hop(&mut self, at: &Anchor, words: &str) {
        self.text.push_str(&self.style.bullet(&clean(words)));
        let (file, line) = self.report.anchor(at);
        let source = self.source(at);
        let place = format!("{file}:{line}");
        let room = self.style.width.saturating_sub(6 + 2 + place.chars().count());
        let shown = |room: usize| source.chars().take(room).collect::<String>();
        let line = match source.chars().count() {
            0 => format!("      {}\n", self.style.dim(&place)),
            length if length <= room => format!("      {}  {source}\n", self.style.dim(&place)),
            _ => format!("      {}\n        {}\n", self.style.dim(&place), shown(self.style.width.saturating_sub(8))),
        };
        self.text.push_str(&line);
    }

    /// The code path, and what was shown of it.
    fn path(&mut self, finding: &Finding) -> BTreeSet<Anchor> {
        let found = shown_path(self.report, &finding.flow);
        let mut shown: BTreeSet<Anchor> = finding.flow.iter().map(|place| place.at.clone()).collect();
        if finding.flow.is_empty() {
            return shown;
        }
        self.head("The path");
        if let Some((_, path)) = found {
            self.line(&format!("It writes {}. That is {}.", path.meaning.semantics(), confidence(path)));
        }
        if let Some(missing) = self.missing(&finding.flow) {
            let is_known = missing.steps.iter().all(|step| step.certain);
            let believed = if is_known {
                "proven: every step was resolved"
            } else {
                "inferred: some calls are not known; those are marked below"
            };
            self.line(&format!("It writes nothing. That is {believed}."));
        }
        self.hops(finding, &finding.flow);
        if let Some((_, path)) = found.filter(|(_, path)| !path.mints.is_empty()) {
            self.head("The tokens made on it");
            for mint in &path.mints {
                let at = Anchor::Code(mint.span);
                self.hop(&at, &mint.what);
                shown.insert(at);
            }
        }
        if let Some((_, path)) = found.filter(|(_, path)| !path.trail.is_empty()) {
            self.head("From the written value back to where it comes from");
            shown.extend(self.trail(path));
        }
        shown
    }

    /// The path without a write that some places show.
    fn missing(&self, flow: &[Related]) -> Option<&'a MissingWrite> {
        if shown_path(self.report, flow).is_some() {
            return None;
        }
        let (first, last) = (&flow.first()?.at, &flow.last()?.at);
        let mut all = self.report.traces.iter().flat_map(|trace| &trace.missing);
        all.find(|missing| Anchor::Code(missing.span) == *last && Anchor::Code(missing.entry.span) == *first)
    }

    /// The places of a path in the order in which it runs.
    fn hops(&mut self, finding: &Finding, flow: &[Related]) {
        let steps: Vec<&Step> = match shown_path(self.report, flow) {
            Some((_, path)) => path.calls().collect(),
            None => self.missing(flow).map_or(Vec::new(), |missing| missing.steps.iter().collect()),
        };
        for place in flow {
            let step = steps.iter().find(|step| Anchor::Code(step.span) == place.at);
            let how = match step.map(|step| step.certain) {
                Some(true) => PROVEN,
                Some(false) => " (inferred: by its name, or one of several that it may call)",
                None => "",
            };
            // Where the finding says more of a place than that the path goes on.
            let held = finding.held().map(|(_, why)| why);
            let more = finding.related.iter().filter(|related| {
                related.at == place.at
                    && !goes_on(&related.message)
                    && !held.is_some_and(|why| related.message.ends_with(why))
            });
            let mut words = format!("{}{how}", place.message);
            for related in more {
                words.push_str("; ");
                words.push_str(&related.message);
            }
            self.hop(&place.at, &words);
        }
    }

    /// From the written value back to its sources.
    fn trail(&mut self, path: &Path) -> Vec<Anchor> {
        let hop = |out: &mut Self, hop: &Hop| {
            let at = Anchor::Code(hop.span);
            out.hop(&at, &format!("{}{}", hop.what, if hop.certain { PROVEN } else { " (inferred)" }));
            at
        };
        // Ways that end alike tell one thing once.
        let mut told = BTreeSet::new();
        let once = path.trail.iter().filter(|hop| told.insert((hop.span, hop.what.as_str(), hop.certain)));
        once.map(|one| hop(self, one)).collect()
    }

    /// The ways that the finding rests on beside its own path, each from its entry point to its end and back to the value.
    fn ways(&mut self, finding: &Finding) -> Vec<Anchor> {
        let mut shown = Vec::new();
        for (at, way) in finding.ways.iter().enumerate() {
            if at == 0 {
                self.head(if finding.ways.len() == 1 {
                    "The path that it rests on"
                } else {
                    "The paths that it rests on"
                });
            } else {
                self.text.push('\n');
            }
            let found = shown_path(self.report, &way.flow);
            let believed = found.map_or_else(String::new, |(_, path)| format!(" That is {}.", confidence(path)));
            self.line(&format!("{}.{believed}", way.title));
            self.hops(finding, &way.flow);
            shown.extend(way.flow.iter().map(|place| place.at.clone()));
            if let Some((_, path)) = found.filter(|(_, path)| !path.trail.is_empty()) {
                self.line("From the written value back to where it comes from:");
                shown.extend(self.trail(path));
            }
        }
        shown
    }

    /// Why it carries no edits.
    fn unfixed(&mut self, finding: &Finding) {
        let others = &self.report.judgement.findings;
        let beside =
            others.iter().find(|other| other.at == finding.at && other.column == finding.column && other.fix.is_some());
        let (file, line) = self.report.anchor(&finding.at);
        match (finding.held(), beside) {
            (Some((at, why)), _) => {
                let (held_file, held_line) = self.report.anchor(at);
                let place = if (held_file, held_line) == (file, line) {
                    String::new()
                } else {
                    format!(" ({held_file}:{held_line})")
                };
                self.line(&format!("No fix is offered: {why}{place}."));
            }
            (None, Some(other)) => {
                self.line(&format!(
                    "The edit is that of {} at the same place: `tokendrift audit --fix` does it.",
                    other.check
                ));
            }
            (None, None) => self.line("No fix is offered: what is right here takes a decision."),
        }
    }

    /// What was counted, for a finding that is told by rows.
    fn rows(&mut self, finding: &Finding) {
        let check = CHECKS.iter().find(|check| check.id == finding.check);
        if !check.is_some_and(|check| check.is_live(&finding.at)) {
            return;
        }
        let columns = self.report.schema.columns.iter().zip(&self.report.judgement.verdicts);
        let own = columns.filter(|(column, _)| format!("{}.{}", column.table, column.column) == finding.column);
        let probes = own.flat_map(|(column, verdict)| {
            let probes = self.report.probes.iter().filter(|probe| probe.column == column.config);
            probes.map(move |probe| (probe, verdict))
        });
        for (probe, verdict) in probes.collect::<Vec<_>>() {
            self.head(&format!("What database {} says", clean(&probe.database)));
            for sentence in sentences(probe, Some(verdict)) {
                self.text.push_str(&self.style.bullet(&sentence));
            }
        }
    }

    /// A section of the check's page, without its examples.
    fn section(&mut self, docs: &str, heading: &str) {
        let after = docs.split_once(heading).map_or("", |(_, after)| after);
        let section = after.split("\n## ").next().unwrap_or("");
        let mut fenced = false;
        let mut paragraph = String::new();
        for line in section.lines().chain([""]) {
            let is_fence = line.starts_with("```");
            fenced ^= is_fence;
            let skipped = fenced || is_fence || line.starts_with("<!--");
            let starts = line.starts_with("- ") || line.is_empty() || skipped;
            if starts && !paragraph.is_empty() {
                let mut done = std::mem::take(&mut paragraph);
                // What announces an example, which is left out.
                if done.ends_with(':') {
                    done.pop();
                    done.push('.');
                }
                let done = unlinked(&done);
                match done.strip_prefix("- ") {
                    Some(item) => self.text.push_str(&self.style.bullet(item)),
                    None => self.line(&done),
                }
            }
            if !skipped && !line.is_empty() {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(line.trim());
            }
        }
    }
}
