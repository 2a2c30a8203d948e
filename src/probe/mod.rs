//! What the live database says about the tracked columns. The only code that connects, and the only async code.
//!
//! Input: the configured columns and a database URL. Output: one [`ColumnProbe`] a column.
//!
//! Invariants: read-only and time-limited; the column stands in generated SQL only inside predicates and aggregates, so no
//! value of it leaves the server; a URL is shown only as scheme, host, port and database; no message carries the text of a driver.
//!
//! Example: `users.access_token` in a table of 120 rows, 40 of them with NULL, all 40 of the cohort `web`.

mod problem;
mod sql;
mod sqlite;
mod url;

pub use problem::{ProbeError, Trouble};
pub use url::SecretUrl;

use std::time::{Duration, Instant};

use crate::config::Config;
use crate::probe::url::Place;
use crate::schema::Schema;

/// What is known of one column.
#[derive(Clone, Debug)]
pub struct ColumnProbe {
    /// Index into the configuration's columns.
    pub column: usize,
    pub outcome: Outcome,
}

#[derive(Clone, Debug)]
pub enum Outcome {
    Counted(Counts),
    /// Why there are no counts: no such table or column (with the closest names), no permission, out of time.
    Failed(String),
}

#[derive(Clone, Debug)]
pub struct Counts {
    pub rows: u64,
    pub nulls: u64,
    /// `''`
    pub empty: u64,
    pub cohorts: Vec<CohortCounts>,
}

#[derive(Clone, Debug)]
pub struct CohortCounts {
    /// The cohort's name in the configuration.
    pub name: String,
    /// The value of its expression, as text without control characters and at most 64 characters; `None` for NULL.
    pub value: Option<String>,
    pub rows: u64,
    pub nulls: u64,
    pub empty: u64,
}

/// How long all statements together may take where the configuration does not say.
const BUDGET: Duration = Duration::from_secs(30);

/// How much longer than the budget a driver may take to stop by itself before it is abandoned.
const GRACE: Duration = Duration::from_millis(250);

/// When the probe must be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    budget: Duration,
    at: Instant,
}

impl Deadline {
    fn of(config: &Config) -> Self {
        let budget = config.databases.first().map_or(BUDGET, |database| Duration::from_millis(database.budget_ms));
        // A budget that no clock can express is no limit worth the name; the default then is.
        let now = Instant::now();
        now.checked_add(budget).map_or(Self { budget: BUDGET, at: now + BUDGET }, |at| Self { budget, at })
    }

    /// Waits for a step of the probe; a driver that does not stop in time is left behind.
    async fn wait<T>(&self, step: impl Future<Output = T>) -> Result<T, problem::Trouble> {
        let left = self.at.saturating_duration_since(Instant::now()) + GRACE;
        tokio::time::timeout(left, step).await.map_err(|_| problem::Trouble::OutOfTime)
    }
}

/// Asks the database for the rows, the NULLs and the empty values of every tracked column, whole and by cohort.
///
/// One probe for each of [`Schema::columns`], in their order. Blocks until the answer is there or the budget of the first
/// configured database (30 seconds without one) is spent, so it must not be called from async code. What concerns single
/// columns (a missing table, a cohort that cannot be counted, no time left) is their [`Outcome::Failed`].
///
/// # Errors
/// When nothing could be asked: no such file, not a database, locked, not permitted.
pub fn probe(url: &SecretUrl, config: &Config, schema: &Schema) -> Result<Vec<ColumnProbe>, ProbeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|_| ProbeError::Runtime)?;
    let deadline = Deadline::of(config);
    match url.place() {
        Place::Sqlite(path) => runtime.block_on(sqlite::probe(path, url.shown(), config, schema, deadline)),
        Place::Unsupported => Err(ProbeError::Unsupported { shown: url.shown().to_owned() }),
    }
}
