//! `--format table`: what people read in a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};

use crate::config::Contract;
use crate::contract::{Change, Verdict};
use crate::provenance::{ColumnTrace, Confidence, EntryPoint, MissingWrite, Origin, Path, Step, WriteSite};
use crate::report::excerpt::{excerpt, known_names};
use crate::report::guards::triage_words;
use crate::report::lines::{Style, clean, count};
use crate::report::live;
use crate::report::mask::shown_default;
use crate::report::{ColumnView, Report, column_name, form_word, operation_word};
use crate::source::{Scope, Span};

/// Entry points named in one row.
const ENTRIES: usize = 5;
/// Gaps, reads, reasons that are listed.
const GAPS: usize = 10;
const READS: usize = 3;
/// Functions between an entry point and a site before the middle of them is counted instead.
const STEPS: usize = 3;

/// Between the functions of a path.
const ARROW: &str = " → ";

/// The report for a terminal of `width` columns (40 at least), with ANSI colours where `color` says so.
pub(crate) fn write(report: &Report, color: bool, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let style = Style::new(color, width);
    for view in report.columns() {
        writeln!(out, "{}", column(report, &view, style))?;
    }
    let names = known_names(report);
    // The worst first; among equals by place.
    let mut findings: Vec<_> = report.open().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    for finding in findings {
        writeln!(out, "{}\n", excerpt(report, finding, &names, style))?;
    }
    out.write_all(gaps(report, style).as_bytes())?;
    out.write_all(summary(report, style).as_bytes())
}

fn column(report: &Report, view: &ColumnView, style: Style) -> String {
    let tracked = view.tracked;
    let mut out = format!("{}\n", style.bold(&clean(&column_name(tracked))));
    let model = report.binding(tracked).map_or_else(
        || "no model of the tree declares this column".to_owned(),
        |(model, property)| format!("{}.{} ({})", model.name, property.name, at(report, property.span)),
    );
    out.push_str(&style.fact("model", &clean(&model)));
    out.push_str(&style.fact("stored", &clean(&stored(view))));
    let configured = report.config.columns.get(tracked.config);
    let contract = match configured.and_then(|column| column.contract) {
        Some(contract) => contract.word(),
        None => "undeclared",
    };
    let decision = configured.and_then(|column| column.decision.as_deref());
    let decision = decision.map(|file| format!(", decided in {file}")).unwrap_or_default();
    out.push_str(&style.fact("contract", &clean(&format!("{contract}{decision}"))));

    if view.trace.is_some() {
        out.push_str(&style.fact("triage", &clean(&triage_words(report, view.id))));
    }
    let sites = view.trace.map_or(&[][..], |trace| &trace.sites);
    let rows = rows(report, sites);
    if rows.is_empty() {
        out.push_str(&style.fact("writes", "no production code was found that writes it"));
    } else {
        out.push('\n');
        out.push_str(&grid(&rows, style));
        out.push('\n');
    }
    out.push_str(&elsewhere(sites, style));
    if let Some(trace) = view.trace {
        out.push_str(&unknowns(report, trace, style));
        out.push_str(&missing(report, &trace.missing, style));
        out.push_str(&style.fact("read by", &reads(report, trace)));
    }
    for probe in &view.probes {
        let mut sentences = live::sentences(probe, view.verdict);
        if view.probes.len() > 1
            && let Some(first) = sentences.first_mut()
        {
            *first = format!("{}: {first}", clean(&probe.database));
        }
        for (rank, sentence) in sentences.iter().enumerate() {
            out.push_str(&style.fact(if rank == 0 { "live" } else { "" }, sentence));
        }
    }
    if let Some(verdict) = view.verdict {
        let declared = configured.and_then(|column| column.contract);
        out.push_str(&style.fact("verdict", &judgement(verdict, declared, sites)));
        out.push_str(&changes(report, "To write consistently, change:", &verdict.to_write, style));
        out.push_str(&changes(report, "To drop the column, change:", &verdict.to_drop, style));
    }
    out
}

/// `nullable, no default`
fn stored(view: &ColumnView) -> String {
    let nullable = match view.tracked.nullable {
        Some(true) => "nullable",
        Some(false) => "NOT NULL",
        None => "nullability not declared",
    };
    match &view.tracked.default {
        Some(default) => format!("{nullable}, default {}", shown_default(default)),
        None => format!("{nullable}, no default"),
    }
}

/// One row of the grid: the paths to one site that write the same.
struct Row {
    paths: Vec<String>,
    writes: String,
    inferred: bool,
    form: &'static str,
    place: String,
    operation: &'static str,
}

fn rows(report: &Report, sites: &[WriteSite]) -> Vec<Row> {
    let mut rows = Vec::new();
    for site in sites.iter().filter(|site| site.scope == Scope::Production) {
        let mut groups: BTreeMap<(String, &str), Vec<&Path>> = BTreeMap::new();
        for path in &site.paths {
            groups.entry((path.meaning.semantics(), path.form.map_or("-", form_word))).or_default().push(path);
        }
        if groups.is_empty() {
            groups.insert((site.semantics(), "-"), Vec::new());
        }
        for ((writes, form), paths) in groups {
            rows.push(Row {
                paths: ways(&paths, site),
                writes,
                inferred: paths.iter().any(|path| path.confidence == Confidence::Inferred),
                form,
                place: clean(&at(report, site.span)),
                operation: operation_word(site.operation),
            });
        }
    }
    rows
}

/// The ways to a site, each once: at most [`ENTRIES`], and how many more there are.
fn ways(paths: &[&Path], site: &WriteSite) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut ways: Vec<String> = Vec::new();
    for path in paths {
        let way = way(&path.entry, &path.steps);
        if seen.insert(way.clone()) {
            ways.push(way);
        }
    }
    if ways.is_empty() {
        ways.push(format!("{} (no caller was found)", clean(&site.function)));
    }
    let more = ways.len().saturating_sub(ENTRIES);
    if more > 0 {
        ways.truncate(ENTRIES);
        ways.push(format!("and {more} more"));
    }
    ways
}

/// `POST /v1/web/login → AuthService.login → UsersService.rotate`
fn way(entry: &EntryPoint, steps: &[Step]) -> String {
    let mut way = match (entry.route.as_str(), entry.name.as_str()) {
        ("", name) => clean(name),
        // What a procedure is called says more than that it is one: `mutation auth.login`.
        (verb, name) if name != verb && !verb.contains([' ', '/']) => clean(&format!("{verb} {name}")),
        (route, _) => clean(route),
    };
    let mut step = |name: &str| {
        way.push_str(ARROW);
        way.push_str(name);
    };
    match steps {
        [first, middle @ .., last] if steps.len() > STEPS => {
            step(&clean(&first.function));
            step(&format!("({} more)", middle.len()));
            step(&clean(&last.function));
        }
        _ => steps.iter().for_each(|each| step(&clean(&each.function))),
    }
    way
}

fn grid(rows: &[Row], style: Style) -> String {
    let widths = Widths::of(rows, style.width);
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(style.width).unwrap_or(u16::MAX));
    table.set_header(["path", "writes", "form", "where"]);
    if style.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for row in rows {
        let mut writes = break_behind(&row.writes, "-or-", widths.writes);
        if row.inferred {
            writes.push_str("\n(inferred)");
        }
        let color = match row.writes.as_str() {
            "fresh" => Color::Green,
            "preserved" | "omitted" | "null" => Color::Yellow,
            _ => Color::Magenta,
        };
        let place = format!("{}\n{}", break_behind(&row.place, "/", widths.place), row.operation);
        table.add_row([
            Cell::new(row.paths.iter().map(|way| break_way(way, widths.path)).collect::<Vec<_>>().join("\n")),
            Cell::new(writes).fg(color),
            Cell::new(row.form),
            Cell::new(place),
        ]);
    }
    for (at, width) in [widths.path, widths.writes, widths.form, widths.place].into_iter().enumerate() {
        if let Some(column) = table.column_mut(at) {
            // A constraint counts the padding of one column on each side.
            column
                .set_constraint(ColumnConstraint::Absolute(Width::Fixed(u16::try_from(width + 2).unwrap_or(u16::MAX))));
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// How wide the contents of the grid's columns may be.
struct Widths {
    path: usize,
    writes: usize,
    form: usize,
    place: usize,
}

impl Widths {
    fn of(rows: &[Row], total: usize) -> Self {
        // Five borders, two blanks a column.
        let free = total.saturating_sub(5 + 8);
        let widest = |cells: &mut dyn Iterator<Item = usize>, least: usize| cells.max().unwrap_or(0).max(least);
        let form = widest(&mut rows.iter().map(|row| row.form.len()), "form".len());
        let inferred = if rows.iter().any(|row| row.inferred) { "(inferred)".len() } else { 0 };
        let writes = widest(&mut rows.iter().map(|row| row.writes.len().max(inferred)), "writes".len()).min(13);
        let rest = free.saturating_sub(form + writes);
        let path = widest(&mut rows.iter().flat_map(|row| &row.paths).map(|path| path.chars().count()), "path".len());
        let place =
            widest(&mut rows.iter().map(|row| row.place.chars().count().max(row.operation.len())), "where".len());
        if path + place <= rest {
            return Self { path, writes, form, place };
        }
        // The place must be short to be read and copied; the path breaks well at its arrows.
        let place = place.min((rest * 45 / 100).max(rest.saturating_sub(path))).max(1);
        Self { path: rest.saturating_sub(place).max(1), writes, form, place }
    }
}

/// Breaks a path that is wider than `width` before its arrows, and a name that is wider still inside.
fn break_way(way: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (at, name) in way.split(ARROW).enumerate() {
        let part = if at == 0 { name.to_owned() } else { format!("{}{name}", ARROW.trim_start()) };
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + part.chars().count() <= width => {
                line.push(' ');
                line.push_str(&part);
            }
            _ => lines.push(part),
        }
    }
    let inside = |line: &String| {
        let mark = if line.contains('/') { "/" } else { "." };
        break_behind(line, mark, width).replace('\n', "\n  ")
    };
    lines.iter().map(inside).collect::<Vec<_>>().join("\n")
}

/// Breaks a text that is wider than `width` behind `mark`s.
fn break_behind(text: &str, mark: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for part in text.split_inclusive(mark) {
        let length = part.chars().count();
        if used > 0 && used + length > width {
            out.push('\n');
            used = 0;
        }
        out.push_str(part);
        used += length;
    }
    out
}

/// Sites that do not vote, in one line.
fn elsewhere(sites: &[WriteSite], style: Style) -> String {
    let mut by_scope: BTreeMap<Scope, u64> = BTreeMap::new();
    for site in sites.iter().filter(|site| site.scope != Scope::Production) {
        *by_scope.entry(site.scope).or_default() += 1;
    }
    if by_scope.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = by_scope
        .iter()
        .map(|(scope, number)| {
            let place = match scope {
                Scope::Production => "production",
                Scope::Test => "tests",
                Scope::Seed => "seeds",
                Scope::Migration => "migrations",
                Scope::Script => "scripts",
            };
            format!("{place}: {}", count(*number, "site", "sites"))
        })
        .collect();
    style.fact("elsewhere", &format!("{} (listed by --format json)", parts.join(", ")))
}

/// Why a value could not be told: an unknown is never without a reason.
fn unknowns(report: &Report, trace: &ColumnTrace, style: Style) -> String {
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for site in trace.sites.iter().filter(|site| site.scope == Scope::Production) {
        for path in site.paths.iter().filter(|path| path.meaning.origins().contains(&Origin::Unknown)) {
            *reasons.entry(format!("{}: {}", at(report, site.span), path.reason)).or_default() += 1;
        }
    }
    let mut out = String::new();
    for (rank, (reason, paths)) in reasons.iter().take(GAPS).enumerate() {
        let paths = if *paths > 1 { format!(" ({paths} paths)") } else { String::new() };
        out.push_str(&style.fact(if rank == 0 { "unknown" } else { "" }, &clean(&format!("{reason}{paths}"))));
    }
    if reasons.len() > GAPS {
        out.push_str(&style.fact("", &format!("and {} more: --format json lists all", reasons.len() - GAPS)));
    }
    out
}

fn missing(report: &Report, missing: &[MissingWrite], style: Style) -> String {
    let mut out = String::new();
    for (rank, write) in missing.iter().take(GAPS).enumerate() {
        let path = way(&write.entry, &write.steps);
        let text = format!("{path}: mints at {} in {}; {}", at(report, write.span), write.function, write.reason);
        out.push_str(&style.fact(if rank == 0 { "missing" } else { "" }, &clean(&text)));
    }
    if missing.len() > GAPS {
        out.push_str(&style.fact("", &format!("and {} more: --format json lists all", missing.len() - GAPS)));
    }
    out
}

fn reads(report: &Report, trace: &ColumnTrace) -> String {
    if trace.reads.is_empty() {
        return "no code that was found".to_owned();
    }
    // Guards first: whether one reads the column decides how much a drift matters.
    let mut reads: Vec<_> = trace.reads.iter().collect();
    reads.sort_by_key(|read| read.kind);
    let shown: Vec<String> = reads
        .iter()
        .take(READS)
        .map(|read| format!("{} {} ({})", read.kind.word(), clean(&read.function), clean(&at(report, read.span))))
        .collect();
    let more = reads.len().saturating_sub(READS);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn judgement(verdict: &Verdict, declared: Option<Contract>, sites: &[WriteSite]) -> String {
    let issues = sites
        .iter()
        .filter(|site| site.scope == Scope::Production)
        .flat_map(|site| &site.paths)
        .any(|path| path.issues);
    let paths = match (&verdict.majority, verdict.agree) {
        (Some(majority), true) => format!("all issuing paths agree: {majority}"),
        (None, true) if issues => "the issuing paths agree".to_owned(),
        (None, true) => {
            "no path was found that issues this token and writes it, so there is nothing to compare".to_owned()
        }
        (Some(majority), false) => format!("the issuing paths disagree; most write {majority}"),
        (None, false) => "the issuing paths disagree, and no way of writing has a majority".to_owned(),
    };
    let advice = match (declared, verdict.recommendation) {
        (Some(contract), _) => format!("the declared contract decides: {}", contract.word()),
        (None, Some(contract)) => format!("recommended: {}", contract.word()),
        (None, None) if verdict.kept_by.is_some() => format!(
            "no recommendation: most leave it without a fresh token, but {}",
            verdict.kept_by.unwrap_or_default()
        ),
        (None, None) if verdict.agree => "no contract is declared".to_owned(),
        (None, None) => {
            "no recommendation (a tie, or fewer than three issuing paths): decide and declare it".to_owned()
        }
    };
    format!("{paths}; {advice}")
}

fn changes(report: &Report, heading: &str, changes: &[Change], style: Style) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let mut out = style.paragraph(2, heading);
    for change in changes {
        out.push_str(&style.bullet(&clean(&format!("{}: {}", at(report, change.at), change.edit))));
    }
    out
}

fn gaps(report: &Report, style: Style) -> String {
    if report.gaps.is_empty() {
        return String::new();
    }
    let number = u64::try_from(report.gaps.len()).unwrap_or(u64::MAX);
    let heading = format!("{} could not be followed or read:", count(number, "place", "places"));
    let mut out = style.paragraph(0, &heading);
    for gap in report.gaps.iter().take(GAPS) {
        out.push_str(&style.bullet(&clean(&format!("{}:{}: {}", gap.path, gap.line, gap.why))));
    }
    if report.gaps.len() > GAPS {
        out.push_str(&style.bullet(&format!("and {} more: --format json lists all", report.gaps.len() - GAPS)));
    }
    out.push('\n');
    out
}

fn summary(report: &Report, style: Style) -> String {
    let tally = &report.sources.tally;
    let skipped: Vec<String> = [
        (tally.oversized, "oversized"),
        (tally.minified, "minified"),
        (tally.other_languages, "in languages that are not read"),
        (tally.binary, "binary"),
        (tally.unreadable, "unreadable"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    let skipped =
        if skipped.is_empty() { "none skipped".to_owned() } else { format!("skipped: {}", skipped.join(", ")) };
    let lossy = if tally.lossy > 0 { format!(" {} not valid UTF-8.", tally.lossy) } else { String::new() };
    let found = report.counts();
    let files = count(tally.files as u64, "file", "files");
    let elapsed = report.elapsed_ms.map(|elapsed| format!(" {}.", seconds(elapsed))).unwrap_or_default();
    let lowered = report.files_lowered;
    style.paragraph(
        0,
        &format!("{found}. {files} ({}) read, {lowered} lowered; {skipped}.{lossy}{elapsed}", size(tally.bytes)),
    )
}

/// `1.4 MB`
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut tenths = bytes / 100;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `420 ms`, `1.4 s`
fn seconds(milliseconds: u64) -> String {
    if milliseconds < 1000 {
        format!("{milliseconds} ms")
    } else {
        format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
    }
}

/// `src/users/users.service.ts:40`
fn at(report: &Report, span: Span) -> String {
    let (path, line) = report.place(span);
    format!("{path}:{line}")
}
