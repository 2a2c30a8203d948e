//! `audit`: the command line -> a request, the report -> outputs and exit code.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokendrift::config::{self, Baseline, Config};
use tokendrift::contract::{Finding, Level};
use tokendrift::probe::{ColumnProbe, Outcome, SecretUrl, Target};
use tokendrift::provenance::Origin;
use tokendrift::report::{self, Format, ProbeReport, Report};
use tokendrift::{Audit, Request};

use crate::cli::args::{AuditArgs, FailOn, FormatName};
use crate::cli::inputs::{self, setting};
use crate::cli::interrupt::Asking;
use crate::cli::output::{Output, Sink};
use crate::cli::terminal::{Streams, note};
use crate::cli::{Exit, Ran, fix, reference};

/// Runs the audit. An error is why it could not run, in words for people.
pub(crate) fn run(args: &AuditArgs, streams: &Streams) -> Result<Ran, String> {
    let started = Instant::now();
    let (quiet, verbose) = (args.input.quiet, args.input.verbose);
    let sinks = sinks(args)?;
    if args.fix && !args.diff {
        fix::apply(args, streams)?;
    }
    let mut request = inputs::request(&args.input)?;
    let Targets { databases, unasked } = if args.offline {
        Targets::default()
    } else {
        targets(&request.config, args.database_url.as_deref(), streams)?
    };
    for sink in &sinks {
        if let (_, Sink::File(path)) = sink {
            inputs::spare_decisions(path, &request.config)?;
        }
    }
    request.databases = databases;
    let config = &request.config;
    let fail_on = setting(
        args.fail_on.map(FailOn::level),
        "TOKENDRIFT_FAIL_ON",
        (Level::of, "error, warning or note"),
        config.fail_on,
    )?;
    let number = |text: &str| text.parse().ok();
    let max_unknown =
        setting(args.max_unknown, "TOKENDRIFT_MAX_UNKNOWN", (number, "a whole number, 0 or more"), config.max_unknown)?;
    request.probe.records = earlier(args.record.as_deref())?;
    let progress = streams.progress("auditing", quiet);
    request.suppressions = !args.no_ignores;
    request.baseline = baseline(args, &request)?;
    let asked = started.elapsed();
    let asking = (!request.databases.is_empty()).then(Asking::start);
    let audit = tokendrift::audit(request).map_err(|error| error.to_string())?;
    drop(asking);
    drop(progress);
    let audited = started.elapsed();

    if verbose {
        for gap in &audit.gaps {
            note(&format!("{}:{}: {}", gap.path, gap.line, gap.why));
        }
    }
    if !quiet {
        for warning in &audit.warnings {
            streams.warning(warning);
        }
    }
    let report = audit.report(None);
    let mut incomplete = incomplete(&report, max_unknown);
    incomplete.extend(unasked);
    for why in &incomplete {
        streams.warning(&format!("incomplete: {why}"));
    }
    if args.timings && !quiet {
        tell_timings(asked, &audit.timings);
    }
    let exit = exit(&report, fail_on.unwrap_or(Level::Warning), !incomplete.is_empty());
    let elapsed_ms = u64::try_from(audited.as_millis()).unwrap_or(u64::MAX);
    let elapsed_ms = (!quiet).then_some(elapsed_ms);
    let audit = Rc::new(audit);
    let recorded = args.record.clone().map(|file| {
        let audit: Rc<Audit> = Rc::clone(&audit);
        let render = move |out: &mut dyn Write| {
            let shown = ProbeReport { config: &audit.config, probes: &audit.probes };
            report::record(&shown, inputs::seconds(), out)
        };
        Output { sink: Sink::End(file), quiet, render: Box::new(render) }
    });
    let take_unsafe = args.unsafe_fixes;
    let output = |(format, sink): (Option<FormatName>, Sink)| {
        let audit: Rc<Audit> = Rc::clone(&audit);
        let Some(format) = format else {
            if !quiet {
                fix::say_what_waits(&audit, take_unsafe);
            }
            let patch = move |out: &mut dyn Write| out.write_all(fix::patch(&audit, take_unsafe).as_bytes());
            return Output { sink, quiet, render: Box::new(patch) };
        };
        let to_file = sink != Sink::Stdout;
        let format = match format {
            FormatName::Table => {
                Format::Table { color: streams.color(args.color, to_file), width: streams.width(to_file) }
            }
            FormatName::Json => Format::Json,
            FormatName::Sarif => Format::Sarif,
            FormatName::Github => Format::Github,
            FormatName::Gitlab => Format::Gitlab,
            FormatName::Markdown => Format::Markdown,
            FormatName::Html => Format::Html,
        };
        Output { sink, quiet, render: Box::new(move |out| report::render(&audit.report(elapsed_ms), format, out)) }
    };
    Ok(Ran { exit, outputs: recorded.into_iter().chain(sinks.into_iter().map(output)).collect() })
}

/// What earlier runs counted.
pub(crate) fn earlier(record: Option<&Path>) -> Result<Vec<config::Record>, String> {
    record.map_or_else(|| Ok(Vec::new()), config::records).map_err(|error| error.to_string())
}

/// Every format that is asked for (`None`: the patch), and where it goes; files first, so that a reader of stdout who leaves costs none of them.
fn sinks(args: &AuditArgs) -> Result<Vec<(Option<FormatName>, Sink)>, String> {
    let more = [
        (FormatName::Json, &args.json_output),
        (FormatName::Sarif, &args.sarif_output),
        (FormatName::Gitlab, &args.gitlab_output),
        (FormatName::Markdown, &args.markdown_output),
        (FormatName::Html, &args.html_output),
    ];
    let more = more.into_iter().filter_map(|(format, path)| Some((Some(format), Sink::of(path.clone()?))));
    let main = args.output.clone().map_or(Sink::Stdout, Sink::of);
    let format = (!args.diff).then_some(args.format);
    let mut sinks: Vec<(Option<FormatName>, Sink)> = more.chain([(format, main)]).collect();
    let mut seen = BTreeSet::new();
    for sink in sinks.iter().map(|(_, sink)| sink).chain(&args.record.clone().map(Sink::End)) {
        let place = match sink {
            Sink::Stdout => PathBuf::from("-"),
            Sink::File(path) | Sink::New(path) | Sink::End(path) => {
                std::path::absolute(path).unwrap_or_else(|_| path.clone())
            }
        };
        if let Sink::File(path) = sink {
            inputs::spare(path, args.input.config.as_deref(), args.baseline.as_deref())?;
        }
        if !seen.insert(place) {
            let place = match sink {
                Sink::Stdout => "stdout".to_owned(),
                Sink::File(path) | Sink::New(path) | Sink::End(path) => path.display().to_string(),
            };
            return Err(format!("two results would go to {place}: give each a file of its own"));
        }
    }
    sinks.sort_by_key(|(_, sink)| *sink == Sink::Stdout);
    Ok(sinks)
}

/// The databases to ask.
#[derive(Default)]
pub(crate) struct Targets {
    pub(crate) databases: Vec<Target>,
    /// Why others that the configuration names cannot be asked, one each.
    pub(crate) unasked: Vec<String>,
}

/// The databases to ask: the one named on the command line, on the terms of the first `[[database]]`, or every `[[database]]` whose
/// environment variable is set.
pub(crate) fn targets(config: &Config, url: Option<&str>, streams: &Streams) -> Result<Targets, String> {
    // An empty variable is one that is not set.
    let given = |url: &str| !url.trim().is_empty();
    if let Some(url) = url.filter(|url| given(url)) {
        let url = SecretUrl::parse(url).map_err(|error| error.to_string())?;
        let others: Vec<&str> = config.databases.iter().skip(1).map(|database| database.name.as_str()).collect();
        if let (Some(first), false) = (config.databases.first(), others.is_empty()) {
            let (first, others) = (&first.name, others.join(", "));
            streams.warning(&format!("the database URL given stands for {first}; not asked: {others}"));
        }
        let databases = vec![Target::new(url, config.databases.first())];
        return Ok(Targets { databases, ..Targets::default() });
    }
    // What an unset variable or secret leaves behind: nothing to ask, but somebody meant to.
    if url.is_some() {
        streams.warning("the database URL given is empty");
    }
    let mut targets = Targets::default();
    for database in &config.databases {
        let (name, variable) = (&database.name, &database.url_env);
        let Some(url) = crate::cli::inputs::variable(variable) else {
            let why = format!("database {name} is not asked: the environment variable {variable} is not set");
            targets.unasked.push(why);
            continue;
        };
        let url = SecretUrl::parse(&url).map_err(|error| format!("database {name}: {error}"))?;
        targets.databases.push(Target::new(url, Some(database)));
    }
    Ok(targets)
}

/// What is known already: from a file, or from a revision.
pub(crate) fn baseline(args: &AuditArgs, request: &Request) -> Result<Option<Baseline>, String> {
    if let Some(reference) = &args.baseline_ref {
        return reference::baseline(reference, &args.input.columns, request).map(Some);
    }
    let configured = request.config.baseline.clone();
    let path = |path: &str| Some(PathBuf::from(path));
    let file = setting(args.baseline.clone(), "TOKENDRIFT_BASELINE", (path, "a path"), configured)?;
    file.map(|file| Baseline::load(&file)).transpose().map_err(|error| error.to_string())
}

/// Findings that fail outrank what is missing: they hold whatever the rest would have shown.
fn exit(report: &Report, fail_on: Level, incomplete: bool) -> Exit {
    let fails = |finding: &Finding| finding.is_open() && finding.level >= fail_on;
    if report.judgement.findings.iter().any(fails) {
        Exit::Findings
    } else if incomplete {
        Exit::Incomplete
    } else {
        Exit::Clean
    }
}

/// Why the run did not see everything that it was asked to see.
fn incomplete(report: &Report, max_unknown: Option<usize>) -> Vec<String> {
    let mut why = Vec::new();
    why.extend(unanswered(report.config, report.probes));
    let sites = report.traces.iter().flat_map(|trace| &trace.sites);
    let unknown =
        sites.flat_map(|site| &site.paths).filter(|path| path.meaning.origins().contains(&Origin::Unknown)).count();
    if let Some(limit) = max_unknown.filter(|limit| unknown > *limit) {
        why.push(format!(
            "on {unknown} code path{} the written value could not be told, more than --max-unknown {limit}",
            if unknown == 1 { "" } else { "s" }
        ));
    }
    why
}

/// What the databases were asked and did not answer.
pub(crate) fn unanswered(config: &Config, probes: &[ColumnProbe]) -> Vec<String> {
    let mut why = Vec::new();
    for probe in probes {
        let column = config.columns.get(probe.column).map(config::Column::name).unwrap_or_default();
        match &probe.outcome {
            Outcome::Failed(reason) => why.push(format!("{} has no answer for {column}: {reason}", probe.database)),
            Outcome::Counted(counts) => {
                why.extend(counts.incomplete.iter().map(|reason| format!("{}: {column}: {reason}", probe.database)));
            }
        }
    }
    why
}

fn tell_timings(asked: Duration, stages: &[(&str, Duration)]) {
    for (part, took) in std::iter::once(("configuration", asked)).chain(stages.iter().copied()) {
        note(&format!("{part:<14}{:>10.1} ms", took.as_secs_f64() * 1000.0));
    }
}
