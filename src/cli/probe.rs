//! `probe`: the live part alone.

use std::io::Write;
use std::path::Path;

use tokendrift::config::{self, Config};
use tokendrift::probe::{self, ColumnProbe, Method, Options, Progress, Target};
use tokendrift::report::{self, ProbeReport};

use crate::cli::args::{CountMethod, ProbeArgs, ProbeFormat};
use crate::cli::audit::{Targets, earlier, targets, unanswered};
use crate::cli::interrupt::Asking;
use crate::cli::output::{Output, Sink};
use crate::cli::terminal::Streams;
use crate::cli::{Exit, Ran, inputs};

/// Asks the databases. An error is why none could be asked, in words for people.
pub(crate) fn run(args: &ProbeArgs, streams: &Streams) -> Result<Ran, String> {
    let config = configuration(args)?;
    let Targets { databases: mut targets, unasked } = targets(&config, args.database_url.as_deref(), streams)?;
    if targets.is_empty() {
        for why in &unasked {
            streams.warning(why);
        }
        return Err(
            "no database to ask: set TOKENDRIFT_DATABASE_URL, or write a [[database]] with `url-env` into the configuration"
                .to_owned(),
        );
    }
    if args.require_replica {
        for target in &mut targets {
            target.require_replica = true;
        }
    }
    let asking = Asking::start();
    let mut counted = None;
    let (text, mut incomplete) = if args.plan {
        each(&targets, |target| {
            let (planned, problems) = probe::plan(target, &config)?;
            Ok((report::plan(&planned), problems))
        })
    } else if args.grants {
        each(&targets, |target| probe::grants(target, &config))
    } else {
        let (columns, text, incomplete) = count(args, streams, &config, &targets)?;
        counted = Some(columns);
        (text, incomplete)
    };
    drop(asking);
    incomplete.extend(unasked);
    for why in &incomplete {
        streams.warning(&format!("incomplete: {why}"));
    }
    let sink = args.output.clone().map_or(Sink::Stdout, Sink::of);
    let output = Output { sink, quiet: args.quiet, ..Output::text(text) };
    let exit = if incomplete.is_empty() { Exit::Clean } else { Exit::Incomplete };
    let recorded = args.record.clone().zip(counted).map(|(file, probes)| {
        let render = move |out: &mut dyn Write| {
            report::record(&ProbeReport { config: &config, probes: &probes }, inputs::seconds(), out)
        };
        Output { sink: Sink::End(file), quiet: args.quiet, render: Box::new(render) }
    });
    Ok(Ran { exit, outputs: recorded.into_iter().chain([output]).collect() })
}

/// One text of all databases, and what each of them lacks; one that is down costs the others nothing.
fn each(
    targets: &[Target],
    ask: impl Fn(&Target) -> Result<(String, Vec<String>), probe::ProbeError>,
) -> (String, Vec<String>) {
    let (mut texts, mut incomplete) = (Vec::new(), Vec::new());
    for target in targets {
        match ask(target) {
            Ok((text, problems)) => {
                texts.push(text);
                incomplete.extend(problems);
            }
            Err(error) => incomplete.push(error.to_string()),
        }
    }
    (texts.concat(), incomplete)
}

/// The counts, the text that shows them, and what was asked and not answered.
fn count(
    args: &ProbeArgs,
    streams: &Streams,
    config: &Config,
    targets: &[Target],
) -> Result<(Vec<ColumnProbe>, String, Vec<String>), String> {
    let records = earlier(args.record.as_deref())?;
    let method = args.method.map(|method| match method {
        CountMethod::Exact => Method::Exact,
        CountMethod::Sample => Method::Sample,
        CountMethod::Statistics => Method::Statistics,
    });
    let probed = {
        let bar = streams.counting(args.quiet);
        let progress = bar.watch().map(Progress::new).unwrap_or_default();
        probe::probe(targets, config, &Options { method, progress, records })
    };
    if !args.quiet {
        for warning in &probed.warnings {
            streams.warning(warning);
        }
    }
    let shown = ProbeReport { config, probes: &probed.columns };
    let result = match args.format {
        ProbeFormat::Json => report::probe_json(&shown),
        ProbeFormat::Table => report::probe_text(&shown),
    };
    let unanswered = unanswered(config, &probed.columns);
    Ok((probed.columns, result, unanswered))
}

fn configuration(args: &ProbeArgs) -> Result<Config, String> {
    let root = Path::new(".");
    let file = match &args.config {
        Some(file) => Some(file.clone()),
        None if args.no_config => None,
        None => config::find(root),
    };
    let mut config = match &file {
        Some(file) => config::load(file, root).map_err(|error| error.to_string())?,
        None => Config::default(),
    };
    config.select(args.columns.clone());
    if config.columns.is_empty() {
        return Err(
            "no column to ask about: give --column TABLE.COLUMN, or write [[column]] into tokendrift.toml".to_owned()
        );
    }
    Ok(config)
}
