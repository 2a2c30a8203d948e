//! The commands and their flags.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use tokendrift::config::{Column, column_from_flag};
use tokendrift::contract::Level;

#[derive(Parser)]
#[command(name = "tokendrift", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit code: 0 clean, 1 findings, 2 could not run, 3 ran but incomplete.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Find every write of the tracked columns, by code path; with a database, hold the data against it.
    Audit(Box<AuditArgs>),
    /// Print what a check or a rule pack is about.
    Explain(ExplainArgs),
    /// Print a completion script for a shell.
    Completions { shell: clap_complete::Shell },
}

// No `Debug`: the database's URL must not be printed.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct AuditArgs {
    /// Files or folders to audit; reports are relative to the nearest folder above all of them.
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// The configuration; without this, the nearest tokendrift.toml from PATH up to the repository's root.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,

    /// Look for no configuration.
    #[arg(long)]
    pub(crate) no_config: bool,

    /// Audit this column alone (repeatable); what the configuration says of it holds. Needs no configuration.
    #[arg(long = "column", value_name = "TABLE.COLUMN", value_parser = column_from_flag)]
    pub(crate) columns: Vec<Column>,

    /// A database to hold against the code; it is only read.
    #[arg(long, value_name = "URL", env = "TOKENDRIFT_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Write the result to this file, all at once, instead of to stdout.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// The least level of a finding that makes the exit code 1.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = FailOn::Warning)]
    pub(crate) fail_on: FailOn,

    /// With more code paths than this whose value could not be told, the run counts as incomplete.
    #[arg(long, value_name = "N")]
    pub(crate) max_unknown: Option<usize>,

    /// Threads; without this, as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,

    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,

    /// Nothing on stderr but errors, and no elapsed time in the result.
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say on stderr what is audited, and list what could not be read or told.
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// Say on stderr how long each part took.
    #[arg(long)]
    pub(crate) timings: bool,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The id of a check or of a rule pack, such as path-drift or typeorm.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For scripts: stable, with a published schema.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Error,
    Warning,
    Note,
}

impl FailOn {
    pub(crate) fn level(self) -> Level {
        match self {
            Self::Error => Level::Error,
            Self::Warning => Level::Warning,
            Self::Note => Level::Note,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, and as `NO_COLOR`, `FORCE_COLOR` and `CLICOLOR_FORCE` say.
    Auto,
    Always,
    Never,
}
