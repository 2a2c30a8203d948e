//! What the live database says about the tracked columns. The only code that connects, and the only async code.
//!
//! Input: the configured columns and the databases to ask. Output: one [`ColumnProbe`] for each column and database.
//!
//! Invariants: read-only and time-limited; the column stands in generated SQL only inside predicates and aggregates, so no
//! value of it leaves the server; a URL is shown only as scheme, host, port and database; no message carries the text of a driver.
//!
//! A table is asked in steps, the cheap ones first, until one decides: the statistics of the catalogue, a sample with its
//! interval, exact counts in chunks. One statement counts all columns and cohorts of the table.
//!
//! Example: `users.access_token` in a table of 120 rows, 40 of them with NULL, all 40 of the cohort `web`.

mod catalogue;
mod dialect;
mod extras;
mod grants;
mod interval;
mod ladder;
mod plan;
mod problem;
mod ranges;
mod server;
mod session;
mod shape;
mod statements;
mod table;
mod tally;
mod trend;
mod url;
mod users;
mod writers;

pub use plan::Planned;
pub use problem::{ProbeError, Trouble};
pub use shape::Shape;
pub(crate) use shape::can_be_empty;
pub(crate) use statements::is_closed;
pub use url::SecretUrl;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Column, Config, Database, Record};
use crate::probe::session::Session;

/// A database to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in the configuration.
    pub name: String,
    pub url: SecretUrl,
    /// Refuse a server that takes writes.
    pub require_replica: bool,
    /// How long all statements together may take.
    pub budget: Duration,
}

impl Target {
    /// As the configuration says; the defaults where it says nothing.
    pub fn new(url: SecretUrl, database: Option<&Database>) -> Self {
        Self {
            name: database.map_or_else(|| "database".to_owned(), |database| database.name.clone()),
            url,
            require_replica: database.is_some_and(|database| database.require_replica),
            budget: database.map_or(BUDGET, |database| Duration::from_millis(database.budget_ms)),
        }
    }
}

/// How to count.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `None`: the cheapest that decides.
    pub method: Option<Method>,
    pub progress: Progress,
    /// What earlier runs counted, the earliest first.
    pub records: Vec<Record>,
}

type Watcher = dyn Fn(&str, u64, u64) + Send + Sync;

/// Who is told how far a count is: the table, the rows counted, and about how many there are.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Watcher>>);

impl Progress {
    pub fn new(watcher: impl Fn(&str, u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watcher)))
    }

    pub(crate) fn tell(&self, table: &str, rows: u64, of: u64) {
        if let Some(watcher) = &self.0 {
            watcher(table, rows, of);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// What the databases said.
#[derive(Clone, Debug, Default)]
pub struct Probed {
    /// For each database one a column, in the order of the configuration.
    pub columns: Vec<ColumnProbe>,
    /// What people should know, such as that a server takes writes.
    pub warnings: Vec<String>,
}

/// What is known of one column in one database.
#[derive(Clone, Debug)]
pub struct ColumnProbe {
    /// Index into the configuration's columns.
    pub column: usize,
    /// The database's name in the configuration.
    pub database: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are as many as columns")]
pub enum Outcome {
    Counted(Counts),
    /// Why there are no counts: no such table or column (with the closest names), no permission, out of time.
    Failed(String),
}

/// How figures were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Every row was looked at.
    #[default]
    Exact,
    /// Rows of blocks or key ranges drawn at random.
    Sample,
    /// What the server's own statistics hold; no row was looked at.
    Statistics,
}

impl Method {
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Sample => "sample",
            Self::Statistics => "statistics",
        }
    }
}

/// The figures of one column. Counts are of the rows that were looked at (statistics: of as many as they speak of).
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub rows: u64,
    pub nulls: u64,
    /// `''`; 0 from statistics, which do not tell.
    pub empty: u64,
    /// The text `null`; 0 from statistics, which do not tell.
    pub null_text: u64,
    pub method: Method,
    /// Rows of the table: the server's estimate where not all were counted.
    pub table_rows: u64,
    /// How many independent rows the sample is worth; `None` where every row was looked at.
    pub effective: Option<f64>,
    pub cohorts: Vec<CohortCounts>,
    /// What the values look like; `None` where that was not looked at.
    pub shapes: Option<Shapes>,
    pub trends: Vec<MonthTrend>,
    /// Against the first and the last of the earlier counts: the whole column, then its cohorts.
    pub changes: Vec<Change>,
    pub duplicates: Option<Duplicates>,
    pub orphans: Option<Orphans>,
    pub declared: Option<Declared>,
    /// Writes of the column that the server has seen, where its statistics of statements can be read.
    pub statements_seen: Vec<Statement>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
    /// Why the figures do not settle what was asked.
    pub incomplete: Option<String>,
    pub cost: Cost,
}

/// What the figures of a table, of all its columns together, cost the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Statements, those on the catalogue among them.
    pub statements: u64,
    /// How long the client waited for their answers.
    pub took: Duration,
}

impl Counts {
    /// Where the share of NULLs lies: 95 % sure for a sample, one point where every row was looked at; `None` without rows. That of statistics
    /// has room for as many changes since as they may have had.
    pub fn interval(&self) -> Option<[f64; 2]> {
        let [low, high] = share(self.nulls, self.rows, self.effective)?;
        let room = if self.method == Method::Statistics { DRIFT } else { 0.0 };
        Some([(low - room).max(0.0), (high + room).min(1.0)])
    }

    /// Rows that the server read for the counts: none for statistics.
    pub fn rows_read(&self) -> u64 {
        if self.method == Method::Statistics { 0 } else { self.rows }
    }
}

#[derive(Clone, Debug, Default)]
pub struct CohortCounts {
    /// The cohort's name in the configuration.
    pub name: String,
    /// The value of its expression, as text without control characters and at most 64 characters; `None` for NULL. Values of few
    /// rows that the configuration does not name are added up as `(other)`.
    pub value: Option<String>,
    pub rows: u64,
    pub nulls: u64,
    pub empty: u64,
    /// As in [`Counts::effective`].
    pub effective: Option<f64>,
}

impl CohortCounts {
    /// As [`Counts::interval`].
    pub fn interval(&self) -> Option<[f64; 2]> {
        share(self.nulls, self.rows, self.effective)
    }
}

/// Where the share of such rows lies, 95 % sure, in what the counted rows stand for: the table where they are a sample, else the rows
/// that the same code writes tomorrow. `None` without rows.
pub fn likely_share(part: u64, rows: u64, effective: Option<f64>) -> Option<[f64; 2]> {
    share(part, rows, Some(effective.unwrap_or(interval::number(rows))))
}

fn share(nulls: u64, rows: u64, effective: Option<f64>) -> Option<[f64; 2]> {
    let share = interval::number(nulls) / interval::number(Some(rows).filter(|rows| *rows > 0)?);
    Some(effective.map_or([share, share], |effective| interval::wilson(share, effective)))
}

/// What values look like, of the rows that hold one.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    /// [`Method::Sample`] where only some of the values were looked at.
    pub method: Method,
    pub rows: Vec<(Shape, u64)>,
    /// Signed tokens whose `exp` has passed, where the server can take one apart.
    pub expired: u64,
}

/// The share of NULLs by month: whether rows heal with new logins.
#[derive(Clone, Debug)]
pub struct MonthTrend {
    /// The cohort's name in the configuration.
    pub name: String,
    /// The first of the months that count as recent.
    pub since: String,
    /// Rows before, and how many of them hold no token.
    pub before: (u64, u64),
    pub recent: (u64, u64),
    pub tendency: Tendency,
}

/// The share of rows without a token against an earlier count.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When the earlier count was recorded, as `2026-11-01T12:00:00Z`.
    pub since: String,
    /// A cohort's name and its value; `None`: all rows.
    pub cohort: Option<(String, Option<String>)>,
    /// Rows then, and how many of them held no token.
    pub before: (u64, u64),
    pub now: (u64, u64),
    pub tendency: Tendency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tendency {
    Falls,
    Level,
    Rises,
}

/// One value in several rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicates {
    pub values: u64,
    pub rows: u64,
}

/// Tokens whose user can no longer log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    /// The table of users.
    pub users: String,
    /// [`Method::Sample`] where only the tokens of the sample were looked at.
    pub method: Method,
    /// Rows that hold a token.
    pub tokens: u64,
    pub gone: u64,
    pub inactive: u64,
}

/// What the database itself says of the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub nullable: bool,
    pub has_default: bool,
    pub is_generated: bool,
    /// Triggers, routines, events and views whose text names the column, by kind and name.
    pub mentions: Vec<(&'static str, String)>,
    /// Those of them that write it.
    pub writers: Vec<Writer>,
}

/// A trigger, routine or event that writes the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    pub kind: &'static str,
    pub name: String,
    /// `insert`, `update`, `upsert-update`
    pub operation: &'static str,
    /// As in `provenance::Meaning::semantics`.
    pub semantics: String,
}

/// Writes of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `insert`, `update`, `upsert-update`
    pub operation: &'static str,
    /// As in `provenance::Meaning::semantics`.
    pub semantics: String,
    pub calls: u64,
    /// How many different texts.
    pub texts: u64,
}

/// How long all statements together may take where the configuration does not say.
const BUDGET: Duration = Duration::from_secs(30);

/// The share of its rows that may have changed since the statistics of a table were made, for them to decide anything.
pub(crate) const DRIFT: f64 = 0.01;

/// How much longer than its limit a driver may take to stop by itself before it is abandoned.
const GRACE: Duration = Duration::from_millis(250);

/// When the probe must be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    budget: Duration,
    at: Instant,
}

impl Deadline {
    fn after(budget: Duration) -> Self {
        // A budget that no clock can express is no limit worth the name; the default then is.
        let now = Instant::now();
        now.checked_add(budget).map_or(Self { budget: BUDGET, at: now + BUDGET }, |at| Self { budget, at })
    }

    fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// Asks each database for the rows, the NULLs and the empty values of every configured column, whole and by cohort.
///
/// Blocks until the answers are there or the budgets are spent, so it must not be called from async code. Whatever a database
/// cannot answer is [`Outcome::Failed`] for its columns, and costs the others nothing.
pub fn probe(targets: &[Target], config: &Config, options: &Options) -> Probed {
    let mut probed = Probed::default();
    for target in targets {
        let answer = block(ask(target, config, options));
        let (outcomes, warning) = answer.unwrap_or_else(|error| {
            let failed = (0..config.columns.len()).map(|column| (column, Outcome::Failed(error.to_string())));
            (failed.collect(), None)
        });
        probed.warnings.extend(warning);
        let columns = outcomes.into_iter().map(|(column, mut outcome)| {
            if let (Outcome::Counted(counts), Some(configured)) = (&mut outcome, config.columns.get(column)) {
                counts.changes = trend::since(counts, &options.records, &target.name, &configured.name());
            }
            ColumnProbe { column, database: target.name.clone(), outcome }
        });
        probed.columns.extend(columns);
    }
    probed
}

/// The statements that [`probe`] would run on the rows, with the planner's estimates, and what could not be planned.
///
/// # Errors
/// When the database could not be asked for them.
pub fn plan(target: &Target, config: &Config) -> Result<(Vec<Planned>, Vec<String>), ProbeError> {
    block(plan::plan(target, config))
}

/// SQL that makes a view of each table without any value of the configured columns, and a role that may read it alone; and what
/// it does not cover.
///
/// # Errors
/// When the database could not be asked for its columns.
pub fn grants(target: &Target, config: &Config) -> Result<(String, Vec<String>), ProbeError> {
    block(grants::grants(target, config))
}

fn block<T>(work: impl Future<Output = Result<T, ProbeError>>) -> Result<T, ProbeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|_| ProbeError::Runtime)?.block_on(work)
}

type Outcomes = BTreeMap<usize, Outcome>;

async fn ask(target: &Target, config: &Config, options: &Options) -> Result<(Outcomes, Option<String>), ProbeError> {
    let mut session = Session::open(&target.url, Deadline::after(target.budget)).await?;
    refuse_primary(target, &session)?;
    let warning = (!session.is_replica).then(|| {
        format!("database {}: this server takes writes; a read replica bears the load of counting better", target.name)
    });
    let tracked = tracked_names(config);
    let counted = ladder::count_tables(&mut session, &by_table(config), &tracked, options).await;
    let outcomes = Outcomes::from_iter(counted);
    session.close().await;
    Ok((outcomes, warning))
}

fn refuse_primary(target: &Target, session: &Session) -> Result<(), ProbeError> {
    if target.require_replica && !session.is_replica {
        return Err(ProbeError::Primary { shown: target.url.shown().to_owned() });
    }
    Ok(())
}

/// A column with its index in the configuration.
type Wanted<'a> = (usize, &'a Column);

/// The configured columns, those of one table together.
fn by_table(config: &Config) -> Vec<Vec<Wanted<'_>>> {
    let mut tables: BTreeMap<(Option<&str>, &str), Vec<Wanted<'_>>> = BTreeMap::new();
    for (at, column) in config.columns.iter().enumerate() {
        tables.entry((column.schema.as_deref(), &column.table)).or_default().push((at, column));
    }
    tables.into_values().collect()
}

/// The columns whose values must not leave a database.
fn tracked_names(config: &Config) -> Vec<&str> {
    config.columns.iter().map(|column| column.column.as_str()).collect()
}

#[cfg(test)]
mod tests;
