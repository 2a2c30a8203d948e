//! What the user asked for: `tokendrift.toml` and the command line, checked and resolved.
//!
//! Input: the text of a configuration file (or none) and columns named on the command line. Output: a [`Config`].
//!
//! Invariants: an unknown key or id is an error that names file and line and the closest name; nothing is guessed. What was
//! typed (`raw`) is kept apart from what it means ([`Config`]).
//!
//! Example: `[[column]] table = "users" column = "access_token"` is one [`Column`] without a contract.

mod baseline;
mod columns;
mod error;
mod exclude;
mod level;
mod manifest;
mod raw;
mod record;
mod reference;
mod resolve;
#[cfg(test)]
mod tests;

pub use baseline::{BASELINE_SCHEMA, Baseline};
pub use columns::column_from_flag;
pub use error::{ConfigError, closest, without_urls};
pub use level::Level;
pub use manifest::{Manifest, module_map, unread_bases};
pub use record::{RECORD_SCHEMA, Record, RecordedCohort, records};
pub use reference::{Key, Kind, TABLES, Table};

use std::path::{Path, PathBuf};

/// The name under which a configuration is looked for.
pub const FILE_NAME: &str = "tokendrift.toml";

/// Reads and checks the configuration at `path` for an audit of `root`.
pub fn load(path: &Path, root: &Path) -> Result<Config, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable { what: "the configuration", file: path.to_owned(), why };
    if path.is_dir() {
        return Err(unreadable(format!("it is a folder; name the file, as in {}", path.join(FILE_NAME).display())));
    }
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            unreadable("there is no such file; check the path given with --config or TOKENDRIFT_CONFIG".into())
        }
        _ => unreadable(error.to_string()),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8; save it as UTF-8".into()))?;
    let origin = error::Origin { file: path, text: &text };
    let typed: raw::File = toml::from_str(&text).map_err(|error| origin.typed_wrongly(&error))?;

    let canonical = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // The folder where the file is named, not that of what a link leads to.
    let folder = canonical(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")));
    let root = canonical(root);
    let root_below = root.strip_prefix(&folder).map(slashed).unwrap_or_default();
    let mut config = resolve::Place { origin, folder: &folder, root_below: &root_below }.resolve(&typed)?;
    let name = Path::new(path.file_name().unwrap_or_default());
    config.shown = Some(slashed(&seen_from(&root, &folder).join(name)));
    config.file = Some(path.to_owned());
    config.text = text;
    Ok(config)
}

/// The configuration that holds for `from` (a file or folder): the nearest `tokendrift.toml` from there upward, as far as
/// the root of the repository (the folder with `.git`) or of the file system.
pub fn find(from: &Path) -> Option<PathBuf> {
    let from = std::fs::canonicalize(from).ok()?;
    let folder = if from.is_dir() { from.as_path() } else { from.parent()? };
    for folder in folder.ancestors() {
        let file = folder.join(FILE_NAME);
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// The way from the folder `from` to `to`, both canonical: `../..` where it lies above.
fn seen_from(from: &Path, to: &Path) -> PathBuf {
    let shared = from.ancestors().find(|shared| to.starts_with(shared)).unwrap_or(Path::new(""));
    let up = from.strip_prefix(shared).map_or(0, |below| below.components().count());
    let down = to.strip_prefix(shared).unwrap_or(to);
    std::iter::repeat_n(Path::new(".."), up).chain([down]).collect()
}

/// A relative path with `/` between its parts.
fn slashed(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// What it means.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file it came from, as a path that can be opened; `None` without a file.
    pub file: Option<PathBuf>,
    /// The same relative to the audited root, with `/`, for reports: `../tokendrift.toml` where it lies above.
    pub shown: Option<String>,
    /// What stands in the file, comments and all; empty without a file.
    pub text: String,
    pub exclude: Vec<String>,
    /// Folders of further rule packs.
    pub rules: Vec<PathBuf>,
    /// `max-token-life` in seconds.
    pub max_token_life: Option<u64>,
    /// The least level of a finding that fails the run.
    pub fail_on: Option<Level>,
    /// More code paths than this whose value could not be told leave the run incomplete.
    pub max_unknown: Option<usize>,
    /// The baseline's path, as it can be opened.
    pub baseline: Option<PathBuf>,
    /// Who is trusted with the life of users whose tokens are verified with keys of theirs.
    pub identity_provider: Option<String>,
    /// `hygiene = false`: nothing is reported of how tokens are kept.
    pub no_hygiene: bool,
    pub columns: Vec<Column>,
    /// Whether the command line left columns of the file out.
    pub narrowed: bool,
    pub databases: Vec<Database>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contract {
    WriteConsistently,
    DropWrites,
}

/// The stages of `drop-writes`, in the order in which they are safe to ship; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// No production code reads the column.
    ReadsStopped,
    /// None writes it either, and rows can do without a value.
    WritesStopped,
    /// No model maps it any more: only the database has it.
    ColumnIgnored,
    /// The database has it no more.
    ColumnDropped,
}

impl Stage {
    pub const ALL: [Self; 4] = [Self::ReadsStopped, Self::WritesStopped, Self::ColumnIgnored, Self::ColumnDropped];

    pub fn word(self) -> &'static str {
        match self {
            Self::ReadsStopped => "reads-stopped",
            Self::WritesStopped => "writes-stopped",
            Self::ColumnIgnored => "column-ignored",
            Self::ColumnDropped => "column-dropped",
        }
    }
}

impl Config {
    /// Narrows the audit to `columns` (none: no change). A column that the configuration has keeps what is said of it there.
    pub fn select(&mut self, columns: Vec<Column>) {
        if columns.is_empty() {
            return;
        }
        let configured = std::mem::take(&mut self.columns);
        self.narrowed = configured.iter().any(|known| columns.iter().all(|column| column.name() != known.name()));
        for column in columns {
            if self.columns.iter().all(|known| known.name() != column.name()) {
                let known = configured.iter().find(|known| known.name() == column.name());
                self.columns.push(known.cloned().unwrap_or(column));
            }
        }
    }
}

impl Contract {
    pub fn word(self) -> &'static str {
        match self {
            Self::WriteConsistently => "write-consistently",
            Self::DropWrites => "drop-writes",
        }
    }
}

/// The form a token is stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoredForm {
    Plain,
    Hashed,
    Encrypted,
}

impl StoredForm {
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Hashed => "hashed",
            Self::Encrypted => "encrypted",
        }
    }
}

/// A tracked column.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// The schema before the table's name, where one was written; only databases are asked by it.
    pub schema: Option<String>,
    pub table: String,
    pub column: String,
    pub contract: Option<Contract>,
    /// The decision record's path as written, relative to the configuration's folder.
    pub decision: Option<String>,
    /// Whether that file is there; `None` without a decision.
    pub decision_exists: Option<bool>,
    /// Whether it names the table and the column; `None` where there is no such file.
    pub decision_names: Option<bool>,
    /// How far `drop-writes` is to have come.
    pub stage: Option<Stage>,
    pub form: Option<StoredForm>,
    /// The share of rows, between 0 and 1, that may hold NULL or `''`.
    pub max_null_ratio: Option<f64>,
    /// Whose tokens they are; `None`: found by foreign keys and names.
    pub users: Option<UserTable>,
    pub cohorts: Vec<Cohort>,
    /// 1-based line of `[[column]]` in the configuration; `None` from the command line.
    pub line: Option<u32>,
    /// 1-based lines of the keys; `None` where they do not stand.
    pub contract_line: Option<u32>,
    pub decision_line: Option<u32>,
}

impl Column {
    /// Whether no model is to be left that maps it; there may have been nothing else that declares it.
    pub fn is_to_be_gone(&self) -> bool {
        self.contract == Some(Contract::DropWrites) && self.stage >= Some(Stage::ColumnIgnored)
    }

    /// `users.access_token`
    pub fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }
}

/// The users whose tokens a column holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserTable {
    pub schema: Option<String>,
    /// `None`: the rows with the tokens are the users.
    pub table: Option<String>,
    /// The column of the tokens' table that holds the user's key; `None`: that of a foreign key.
    pub by: Option<String>,
    /// What it leads to; `None`: what the foreign key says, else the primary key.
    pub key: Option<String>,
    /// A column or SQL condition that holds for users who may log in.
    pub active: Option<String>,
}

/// A split of the table's rows, and which entry points each part stands for.
#[derive(Clone, Debug)]
pub struct Cohort {
    pub name: String,
    /// A column or SQL expression.
    pub by: String,
    /// Whether `by` is a date of which the month counts (`every = "month"`).
    pub is_monthly: bool,
    /// Cohort value -> substrings of the route or name of an entry point.
    pub path: Vec<(String, Vec<String>)>,
    pub line: u32,
}

/// A database to ask. The URL itself never stands in the file.
#[derive(Clone, Debug)]
pub struct Database {
    pub name: String,
    pub url_env: String,
    pub require_replica: bool,
    /// Milliseconds for all statements together.
    pub budget_ms: u64,
    pub line: u32,
}
