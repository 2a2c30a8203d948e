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
    /// Keep the file of findings that are to be left alone.
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// List every comment that puts findings aside; exit 1 where one is no good.
    Suppressions(InputArgs),
    /// Ask the databases alone, without the code.
    Probe(Box<ProbeArgs>),
    /// Propose a tokendrift.toml from the token-like columns that a tree declares.
    Init(InitArgs),
    /// Explain a check, a rule pack, or one finding hop by hop.
    Explain(ExplainArgs),
    /// Write the test that fails the day a path breaks a column's contract.
    Pin(PinArgs),
    /// Write the draft of the decision record about a column.
    Adr(AdrArgs),
    /// Print a completion script for a shell.
    Completions { shell: clap_complete::Shell },
    /// Print the manual page of the program, or of one command.
    Man { command: Option<String> },
}

/// What is audited: common to every command that audits.
#[derive(Args)]
pub(crate) struct InputArgs {
    /// Files or folders to audit; reports are relative to the nearest folder above all of them.
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// The configuration; without this, the environment's `TOKENDRIFT_CONFIG`, else the nearest tokendrift.toml from PATH up to the
    /// repository's root.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,

    /// Look for no configuration.
    #[arg(long)]
    pub(crate) no_config: bool,

    /// Audit this column alone (repeatable); what the configuration says of it holds. Needs no configuration.
    #[arg(long = "column", value_name = "TABLE.COLUMN", value_parser = column_from_flag)]
    pub(crate) columns: Vec<Column>,

    /// Threads; without this, as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,

    /// Nothing on stderr but errors, and no elapsed time in the result.
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say on stderr what is audited, and list what could not be read or told.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

// No `Debug`: the database's URL must not be printed.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// A database to hold against the code; it is only read.
    #[arg(long, value_name = "URL", env = "TOKENDRIFT_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    /// Append the counts of the databases to this file, a JSON line each, and show how they moved since its earlier lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) record: Option<PathBuf>,

    /// Ask no database, also where the configuration or the environment names some: the audit of the code alone.
    #[arg(long)]
    pub(crate) offline: bool,

    #[arg(long, value_enum, default_value_t = FormatName::Table)]
    pub(crate) format: FormatName,

    /// Write the result to this file, all at once, instead of to stdout.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Write the report as JSON to this file too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) json_output: Option<PathBuf>,

    /// Write the report as SARIF to this file too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sarif_output: Option<PathBuf>,

    /// Write GitLab's code quality report to this file too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) gitlab_output: Option<PathBuf>,

    /// Write a pull request's comment to this file too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) markdown_output: Option<PathBuf>,

    /// Write the page for a browser to this file too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html_output: Option<PathBuf>,

    /// Count no finding that this file has (environment `TOKENDRIFT_BASELINE`); see `baseline write`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "baseline_ref")]
    pub(crate) baseline: Option<PathBuf>,

    /// Count no finding that this git revision has, as in origin/main; its files are audited beside the work tree.
    #[arg(long, value_name = "REF")]
    pub(crate) baseline_ref: Option<String>,

    /// Let no comment put a finding aside, as an auditor wants it.
    #[arg(long)]
    pub(crate) no_ignores: bool,

    /// The least level of a finding that makes the exit code 1 (environment `TOKENDRIFT_FAIL_ON`) [default: warning]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) fail_on: Option<FailOn>,

    /// With more code paths than this whose value could not be told, the run counts as incomplete (environment
    /// `TOKENDRIFT_MAX_UNKNOWN`).
    #[arg(long, value_name = "N")]
    pub(crate) max_unknown: Option<usize>,

    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,

    /// Say on stderr how long each part took.
    #[arg(long)]
    pub(crate) timings: bool,

    /// Apply the fixes that findings carry, then audit what is left.
    #[arg(long)]
    pub(crate) fix: bool,

    /// With --fix: print the patch as the result, and change nothing.
    #[arg(long, requires = "fix")]
    pub(crate) diff: bool,

    /// With --fix: also what may change other code, or leaves some idle.
    #[arg(long, requires = "fix")]
    pub(crate) unsafe_fixes: bool,
}

#[derive(Subcommand)]
pub(crate) enum BaselineCommand {
    /// Write every finding of now into the file.
    Write {
        #[command(flatten)]
        args: BaselineArgs,
        /// Only take away what is gone; with a new finding write nothing and exit 1.
        #[arg(long)]
        shrink_only: bool,
    },
    /// List what is new and what is gone; exit 1 where anything is.
    Check(BaselineArgs),
    /// Take what is gone out of the file.
    Prune(BaselineArgs),
}

#[derive(Args)]
pub(crate) struct BaselineArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// The file; without this, the environment's `TOKENDRIFT_BASELINE`, the configuration's `baseline`, or tokendrift-baseline.json beside
    /// the configuration.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) baseline: Option<PathBuf>,
}

// No `Debug`: the database's URL must not be printed.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct ProbeArgs {
    /// The configuration; without this, the nearest tokendrift.toml from here up to the repository's root.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,

    /// Look for no configuration.
    #[arg(long)]
    pub(crate) no_config: bool,

    /// Ask about this column alone (repeatable); what the configuration says of it holds. Needs no configuration.
    #[arg(long = "column", value_name = "TABLE.COLUMN", value_parser = column_from_flag)]
    pub(crate) columns: Vec<Column>,

    /// The database; without this, every [[database]] of the configuration. It is only read.
    #[arg(long, value_name = "URL", env = "TOKENDRIFT_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    /// Print the statements that would be run, with the planner's estimates, and look at no row.
    #[arg(long, conflicts_with = "grants")]
    pub(crate) plan: bool,

    /// Print SQL for a view without any value of the columns, and a role that may read it alone.
    #[arg(long)]
    pub(crate) grants: bool,

    /// Append the counts to this file, a JSON line each, and show how they moved since its earlier lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["plan", "grants"])]
    pub(crate) record: Option<PathBuf>,

    /// How to count; without this, the cheapest way that decides.
    #[arg(long, value_enum, value_name = "METHOD")]
    pub(crate) method: Option<CountMethod>,

    /// Refuse a server that takes writes.
    #[arg(long)]
    pub(crate) require_replica: bool,

    #[arg(long, value_enum, default_value_t = ProbeFormat::Table)]
    pub(crate) format: ProbeFormat,

    /// Write the result to this file, all at once, instead of to stdout.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Nothing on stderr but errors and what is incomplete.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CountMethod {
    /// Look at every row, a big table in chunks.
    Exact,
    /// Look at rows drawn at random.
    Sample,
    /// Look at no row, only at what the server knows already.
    Statistics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbeFormat {
    /// For people.
    Table,
    /// For scripts.
    Json,
}

#[derive(Args)]
pub(crate) struct InitArgs {
    /// The tree; tokendrift.toml is written into this folder, and a file that is there is never overwritten.
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) path: PathBuf,

    /// Print the proposal instead of writing it.
    #[arg(long)]
    pub(crate) print: bool,

    /// Nothing on stderr but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

// No `Debug`: the database's URL must not be printed.
#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// A check (path-drift), a rule pack (typeorm), or a finding: its place (src/auth.ts:12), its identity or a part of it with a `|`, or
    /// with --report its number.
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// For a finding: the JSON report that lists it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,

    /// For a finding about the data: the database; it is only read.
    #[arg(long, value_name = "URL", env = "TOKENDRIFT_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// For people.
    Table,
    /// For scripts: stable, with a published schema.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// A comment on a pull request.
    Markdown,
    /// One page for a browser, without a network.
    Html,
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

/// What is audited for a draft.
#[derive(Args)]
pub(crate) struct ProjectArgs {
    /// The tree.
    #[arg(long = "in", value_name = "PATH", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) path: PathBuf,

    /// The configuration; without this, the nearest tokendrift.toml from PATH up to the repository's root.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Write the draft to this file, which must not be there yet, instead of to stdout.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Nothing on stderr but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Args)]
pub(crate) struct PinArgs {
    /// The column; without this, the one that the configuration tracks.
    #[arg(value_name = "TABLE.COLUMN", value_parser = column_from_flag)]
    pub(crate) column: Option<Column>,

    /// What the test is written for.
    #[arg(long = "as", value_enum, value_name = "KIND", default_value_t = PinKind::Sql)]
    pub(crate) kind: PinKind,

    /// The contract to pin, where the configuration declares none.
    #[arg(long, value_enum, value_name = "CONTRACT")]
    pub(crate) contract: Option<ContractChoice>,

    /// The rows that must hold a token, as an SQL condition; without this, those with a value that every fresh write sets too.
    #[arg(long, value_name = "SQL")]
    pub(crate) rows: Option<String>,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}

#[derive(Args)]
pub(crate) struct AdrArgs {
    /// The column.
    #[arg(value_name = "TABLE.COLUMN", value_parser = column_from_flag)]
    pub(crate) column: Column,

    /// A database whose figures go into the record; it is only read.
    #[arg(long, value_name = "URL", env = "TOKENDRIFT_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PinKind {
    /// A script for any SQL client that stops at an error.
    Sql,
    /// A pgTAP script.
    Pgtap,
    /// TypeScript for Jest, with the project's TypeORM or Prisma.
    Jest,
    /// TypeScript for Vitest, with the project's TypeORM or Prisma.
    Vitest,
    /// Rust, with sqlx.
    Sqlx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContractChoice {
    WriteConsistently,
    DropWrites,
}
