//! `pin` and `adr`: an audit, and the draft of a file from it.

use std::path::Path;

use tokendrift::config::{self, Column, Config, Contract};
use tokendrift::draft::{self, PinRequest, Runner};
use tokendrift::probe::{Options, Target};
use tokendrift::{Audit, Request};

use crate::cli::args::{AdrArgs, ContractChoice, PinArgs, PinKind, ProjectArgs};
use crate::cli::audit::{targets, unanswered};
use crate::cli::inputs::today;
use crate::cli::interrupt::Asking;
use crate::cli::output::{Output, Sink};
use crate::cli::terminal::Streams;
use crate::cli::{Exit, Ran};

/// `pin [TABLE.COLUMN]`
pub(crate) fn pin(args: &PinArgs, streams: &Streams) -> Result<Ran, String> {
    let audit = audited(&args.project, args.column.clone(), |_| Ok(Vec::new()), streams)?;
    let runner = match args.kind {
        PinKind::Sql => Runner::Sql,
        PinKind::Pgtap => Runner::PgTap,
        PinKind::Jest => Runner::Jest,
        PinKind::Vitest => Runner::Vitest,
        PinKind::Sqlx => Runner::Sqlx,
    };
    let [column] = audit.schema.columns.as_slice() else {
        let names: Vec<String> = audit.config.columns.iter().map(Column::name).collect();
        return Err(format!("name the column to pin: {}", names.join(", ")));
    };
    let file = match args.project.output.as_ref().filter(|path| path.as_os_str() != "-") {
        Some(file) => below(file, &args.project.path),
        None => draft::pin_file(column, runner),
    };
    let contract = args.contract.map(|choice| match choice {
        ContractChoice::WriteConsistently => Contract::WriteConsistently,
        ContractChoice::DropWrites => Contract::DropWrites,
    });
    // A condition is one line, also where it goes into a comment.
    let rows = args.rows.as_ref().map(|rows| rows.split_whitespace().collect::<Vec<_>>().join(" "));
    let asked = PinRequest { column: 0, runner, contract, rows: rows.as_deref(), file: &file };
    let text = draft::pin(&audit.facts(), &asked).map_err(|error| error.to_string())?;
    Ok(drafted(&args.project, text))
}

/// `adr TABLE.COLUMN`
pub(crate) fn adr(args: &AdrArgs, streams: &Streams) -> Result<Ran, String> {
    let mut incomplete = Vec::new();
    let ask = |config: &Config| {
        let targets = targets(config, args.database_url.as_deref(), streams)?;
        incomplete.extend(targets.unasked);
        Ok(targets.databases)
    };
    let audit = audited(&args.project, Some(args.column.clone()), ask, streams)?;
    incomplete.extend(unanswered(&audit.config, &audit.probes));
    for why in &incomplete {
        streams.warning(&format!("incomplete: {why}"));
    }
    for warning in audit.warnings.iter().filter(|_| !args.project.quiet) {
        streams.warning(warning);
    }
    let text = draft::decision(&audit.facts(), &audit.judgement, 0);
    let text = text.ok_or_else(|| format!("{} is not tracked", args.column.name()))?;
    // The record says so too, where its figures would stand.
    let exit = if incomplete.is_empty() { Exit::Clean } else { Exit::Incomplete };
    Ok(Ran { exit, ..drafted(&args.project, text) })
}

fn drafted(args: &ProjectArgs, result: String) -> Ran {
    let file = args.output.clone().filter(|path| path.as_os_str() != "-");
    let output = Output::text_to(file.map_or(Sink::Stdout, Sink::New), result, args.quiet);
    Ran { exit: Exit::Clean, outputs: vec![output] }
}

fn audited(
    args: &ProjectArgs,
    column: Option<Column>,
    databases: impl FnOnce(&Config) -> Result<Vec<Target>, String>,
    streams: &Streams,
) -> Result<Audit, String> {
    let file = args.config.clone().or_else(|| config::find(&args.path));
    let mut config = match &file {
        Some(file) => config::load(file, &args.path).map_err(|error| error.to_string())?,
        None => Config::default(),
    };
    config.select(column.into_iter().collect());
    if config.columns.is_empty() {
        return Err("no column: name one, as in users.access_token, or track one in tokendrift.toml".to_owned());
    }
    let databases = databases(&config)?;
    let _asking = (!databases.is_empty()).then(Asking::start);
    let request = Request {
        root: args.path.clone(),
        inputs: Vec::new(),
        config,
        jobs: None,
        databases,
        probe: Options::default(),
        baseline: None,
        suppressions: true,
        today: today(),
    };
    let _progress = streams.progress("auditing", args.quiet);
    tokendrift::audit(request).map_err(|error| error.to_string())
}

/// A path as seen from the root of the tree, with `/` between its parts; as it is where it lies elsewhere.
fn below(file: &Path, root: &Path) -> String {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let root = std::fs::canonicalize(root).unwrap_or_else(|_| whole(root));
    let file = whole(file);
    let folder = file.parent().and_then(|folder| std::fs::canonicalize(folder).ok());
    let file = match (folder, file.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => file,
    };
    let inner = file.strip_prefix(&root).unwrap_or(&file);
    inner.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
