//! What the user asked for: `tokendrift.toml` and the command line, checked and resolved.
//!
//! Input: the text of a configuration file (or none) and columns named on the command line. Output: a [`Config`].
//!
//! Invariants: an unknown key or id is an error that names file and line and the closest name; nothing is guessed. What was
//! typed (`raw`) is kept apart from what it means ([`Config`]).
//!
//! Example: `[[column]] table = "users" column = "access_token"` is one [`Column`] without a contract.

use std::path::PathBuf;

/// What it means.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file it came from, as a path that can be opened; `None` without a file.
    pub file: Option<PathBuf>,
    /// The same relative to the audited root, with `/`, for reports; the file's name where it lies outside.
    pub shown: Option<String>,
    pub exclude: Vec<String>,
    /// Folders of further rule packs.
    pub rules: Vec<PathBuf>,
    /// `max-token-life` in seconds.
    pub max_token_life: Option<u64>,
    pub columns: Vec<Column>,
    pub databases: Vec<Database>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contract {
    WriteConsistently,
    DropWrites,
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

/// A tracked column.
#[derive(Clone, Debug)]
pub struct Column {
    pub table: String,
    pub column: String,
    pub contract: Option<Contract>,
    /// The decision record's path as written, relative to the configuration's folder.
    pub decision: Option<String>,
    /// Whether that file is there; `None` without a decision.
    pub decision_exists: Option<bool>,
    pub form: Option<StoredForm>,
    pub cohorts: Vec<Cohort>,
    /// 1-based line of `[[column]]` in the configuration; `None` from the command line.
    pub line: Option<u32>,
}

impl Column {
    /// `users.access_token`
    pub fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }
}

/// A split of the table's rows, and which entry points each part stands for.
#[derive(Clone, Debug)]
pub struct Cohort {
    pub name: String,
    /// A column or SQL expression.
    pub by: String,
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
