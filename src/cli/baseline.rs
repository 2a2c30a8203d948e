//! `baseline write|check|prune`: the file of findings that are to be left alone.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;

use tokendrift::config::{self, Baseline};
use tokendrift::contract::{Finding, Standing};
use tokendrift::{Audit, Request, report};

use crate::cli::args::{BaselineArgs, BaselineCommand};
use crate::cli::output::{Output, Sink};
use crate::cli::terminal::Streams;
use crate::cli::{Exit, Ran, inputs};

/// Beside the configuration, or in the audited folder.
const FILE_NAME: &str = "tokendrift-baseline.json";

pub(crate) fn run(command: &BaselineCommand, streams: &Streams) -> Result<Ran, String> {
    let (BaselineCommand::Write { args, .. } | BaselineCommand::Check(args) | BaselineCommand::Prune(args)) = command;
    if let (BaselineCommand::Write { .. }, Some(file)) = (command, &args.baseline) {
        inputs::spare(file, args.input.config.as_deref(), None)?;
    }
    let request = inputs::request(&args.input)?;
    if request.config.narrowed {
        let name = match command {
            BaselineCommand::Write { .. } => "write",
            BaselineCommand::Check(_) => "check",
            BaselineCommand::Prune(_) => "prune",
        };
        return Err(format!(
            "baseline {name} takes no --column that leaves out columns of the configuration: what the baseline has of those would be lost"
        ));
    }
    let file = file(args, &request);
    let load = || Baseline::load(&file).map_err(|error| error.to_string());
    // Read before the audit: what cannot be read cannot be kept either.
    let known = match command {
        BaselineCommand::Write { shrink_only: false, .. } => Baseline::default(),
        _ => load()?,
    };
    let audit = {
        let _progress = streams.progress("auditing", args.input.quiet);
        tokendrift::audit(request).map_err(|error| error.to_string())?
    };
    let found = || audit.judgement.findings.iter().filter(|finding| !suppressed(finding));
    let new: Vec<&Finding> = found().filter(|finding| !known.identities.contains(&finding.identity)).collect();
    let gone: Vec<&String> =
        known.identities.iter().filter(|identity| found().all(|finding| finding.identity != **identity)).collect();
    let listed = listed(&audit, &new, &gone);
    match command {
        BaselineCommand::Write { shrink_only: true, .. } if !new.is_empty() => {
            Ok(Ran::text(Exit::Findings, format!("{listed}not written: --shrink-only adds no finding\n")))
        }
        BaselineCommand::Write { shrink_only: false, .. } => {
            Ok(written(audit, file, args.input.quiet, |finding| !suppressed(finding)))
        }
        BaselineCommand::Write { .. } | BaselineCommand::Prune(_) => {
            Ok(written(audit, file, args.input.quiet, move |finding| {
                !suppressed(finding) && known.identities.contains(&finding.identity)
            }))
        }
        BaselineCommand::Check(_) => {
            let exit = if new.is_empty() && gone.is_empty() { Exit::Clean } else { Exit::Findings };
            Ok(Ran::text(exit, listed))
        }
    }
}

fn suppressed(finding: &Finding) -> bool {
    matches!(finding.standing, Standing::Suppressed { .. })
}

/// `--baseline`, else the environment, else the configuration, else beside it.
fn file(args: &BaselineArgs, request: &Request) -> PathBuf {
    let configured = request.config.baseline.clone();
    let named =
        args.baseline.clone().or_else(|| inputs::variable("TOKENDRIFT_BASELINE").map(PathBuf::from)).or(configured);
    let folder = || request.config.file.as_ref().and_then(|file| file.parent()).unwrap_or(&request.root).to_owned();
    named.unwrap_or_else(|| folder().join(FILE_NAME))
}

fn listed(audit: &Audit, new: &[&Finding], gone: &[&String]) -> String {
    let place = |finding: &Finding| match &finding.at {
        tokendrift::contract::Anchor::Code(span) => {
            let at = audit.sources.location(*span);
            format!("{}:{}", at.path, at.line)
        }
        tokendrift::contract::Anchor::Config { line } => {
            format!("{}:{line}", audit.config.shown.as_deref().unwrap_or(config::FILE_NAME))
        }
    };
    let mut text = String::new();
    for finding in new {
        _ = writeln!(text, "new: {}: {}: {}", place(finding), finding.check, finding.message);
    }
    for identity in gone {
        _ = writeln!(text, "gone: {identity}");
    }
    _ = writeln!(text, "{} new, {} gone", new.len(), gone.len());
    text
}

fn written(audit: Audit, file: PathBuf, quiet: bool, keep: impl Fn(&Finding) -> bool + 'static) -> Ran {
    let audit = Rc::new(audit);
    let render = move |out: &mut dyn std::io::Write| report::baseline(&audit.report(None), &keep, out);
    Ran { exit: Exit::Clean, outputs: vec![Output { sink: Sink::of(file), quiet, render: Box::new(render) }] }
}
