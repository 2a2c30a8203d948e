//! `audit`: the command line -> a request, the report -> text and exit code.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokendrift::Request;
use tokendrift::config::{self, Config};
use tokendrift::contract::Level;
use tokendrift::discover::common_root;
use tokendrift::probe::{Outcome, SecretUrl};
use tokendrift::provenance::Origin;
use tokendrift::report::{self, Report};

use crate::cli::args::{AuditArgs, Format};
use crate::cli::output::Sink;
use crate::cli::terminal::{Streams, note};
use crate::cli::{Exit, Ran};

/// Runs the audit. An error is why it could not run, in words for people.
pub(crate) fn run(args: &AuditArgs, streams: &Streams) -> Result<Ran, String> {
    let started = Instant::now();
    let request = request(args, streams)?;
    let asked = started.elapsed();
    if args.verbose {
        tell_request(&request);
    }
    let audit = {
        let _progress = streams.progress("auditing", args.quiet);
        tokendrift::audit(request).map_err(|error| error.to_string())?
    };
    let audited = started.elapsed();

    let elapsed_ms = u64::try_from(audited.as_millis()).unwrap_or(u64::MAX);
    let report = audit.report((!args.quiet).then_some(elapsed_ms));
    let to_file = args.output.is_some();
    let result = match args.format {
        Format::Table => report::table(&report, streams.color(args.color, to_file), streams.width(to_file)),
        Format::Json => report::json(&report),
    };
    if args.verbose {
        for gap in report.gaps {
            note(&format!("{}:{}: {}", gap.path, gap.line, gap.why));
        }
    }
    let incomplete = incomplete(&report, args.max_unknown);
    for why in &incomplete {
        streams.warning(&format!("incomplete: {why}"));
    }
    if args.timings && !args.quiet {
        tell_timings(asked, &audit.timings, started.elapsed().saturating_sub(audited));
    }
    Ok(Ran {
        exit: exit(&report, args.fail_on.level(), !incomplete.is_empty()),
        result,
        // `-` is standard output, as everywhere.
        sink: args.output.clone().filter(|path| path.as_os_str() != "-").map_or(Sink::Stdout, Sink::File),
        quiet: args.quiet,
    })
}

fn request(args: &AuditArgs, streams: &Streams) -> Result<Request, String> {
    let (root, inputs) = common_root(&args.paths).map_err(|error| error.to_string())?;
    let file = match &args.config {
        Some(file) => Some(file.clone()),
        None if args.no_config => None,
        None => config::find(&root).map(|file| seen_from_here(&file)),
    };
    let mut config = match &file {
        Some(file) => config::load(file, &root).map_err(|error| error.to_string())?,
        None => Config::default(),
    };
    config.select(args.columns.clone());
    if config.columns.is_empty() {
        return Err(no_column(file.as_deref()));
    }
    // What an unset variable or secret leaves behind: nothing to ask, but somebody meant to.
    if args.database_url.as_ref().is_some_and(|url| url.trim().is_empty()) {
        streams.warning("no database is asked: the database URL given is empty");
    }
    let url = args.database_url.clone().or_else(|| configured_url(&config)).filter(|url| !url.trim().is_empty());
    for database in config.databases.iter().filter(|_| url.is_none()) {
        let (name, variable) = (&database.name, &database.url_env);
        streams.warning(&format!("database {name} is not asked: the environment variable {variable} is not set"));
    }
    let database = url.as_deref().map(SecretUrl::parse).transpose().map_err(|error| error.to_string())?;
    Ok(Request { root, inputs, config, jobs: args.jobs.map(usize::from), database })
}

/// The URL of the first `[[database]]` whose environment variable is set.
fn configured_url(config: &Config) -> Option<String> {
    config.databases.iter().find_map(|database| std::env::var(&database.url_env).ok())
}

/// A path as short as people would write it.
fn seen_from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

fn no_column(file: Option<&Path>) -> String {
    let place = match file {
        Some(file) => format!("{} has no [[column]]", file.display()),
        None => format!("there is no {} from the audited folder up to the repository's root", config::FILE_NAME),
    };
    format!(
        "no column to audit: {place}. Give --column TABLE.COLUMN with the names of the database, as in --column \
         users.access_token, or write {}:\n\n[[column]]\ntable = \"users\"\ncolumn = \"access_token\"",
        config::FILE_NAME
    )
}

/// Findings that fail outrank what is missing: they hold whatever the rest would have shown.
fn exit(report: &Report, fail_on: Level, incomplete: bool) -> Exit {
    if report.judgement.findings.iter().any(|finding| finding.level >= fail_on) {
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
    for probe in report.probes {
        if let Outcome::Failed(reason) = &probe.outcome {
            let column = report.config.columns.get(probe.column).map(config::Column::name).unwrap_or_default();
            why.push(format!("the database has no answer for {column}: {reason}"));
        }
    }
    let sites = report.traces.iter().flat_map(|trace| &trace.sites);
    let unknown =
        sites.flat_map(|site| &site.paths).filter(|path| path.meaning.origins().contains(&Origin::Unknown)).count();
    if let Some(limit) = max_unknown.filter(|limit| unknown > *limit) {
        why.push(format!(
            "on {unknown} code paths the written value could not be told, more than --max-unknown {limit}"
        ));
    }
    why
}

fn tell_request(request: &Request) {
    note(&format!("root: {}", request.root.display()));
    let file = request.config.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    note(&format!("configuration: {file}"));
    let columns: Vec<String> = request.config.columns.iter().map(config::Column::name).collect();
    note(&format!("columns: {}", columns.join(", ")));
}

fn tell_timings(asked: Duration, stages: &[(&str, Duration)], reported: Duration) {
    let parts = std::iter::once(("configuration", asked)).chain(stages.iter().copied()).chain([("report", reported)]);
    for (part, took) in parts {
        note(&format!("{part:<14}{:>10.1} ms", took.as_secs_f64() * 1000.0));
    }
}
