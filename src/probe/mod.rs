//! What the live database says about the tracked columns. The only code that connects, and the only async code.
//!
//! Input: the configured columns and a database URL. Output: one [`ColumnProbe`] a column.
//!
//! Invariants: read-only and time-limited; the column stands in generated SQL only inside predicates and aggregates, so no
//! value of it leaves the server; a URL is shown only as scheme, host, port and database.
//!
//! Example: `users.access_token` in a table of 120 rows, 40 of them with NULL, all 40 of the cohort `web`.

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
    /// The value of its expression, as text; `None` for NULL.
    pub value: Option<String>,
    pub rows: u64,
    pub nulls: u64,
    pub empty: u64,
}
