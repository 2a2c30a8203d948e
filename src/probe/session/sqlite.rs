//! SQLite: a file opened read-only; the clock is looked at while a statement runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row as _, SqliteConnection};

use crate::probe::problem::Trouble;
use crate::probe::session::{Cell, Row};
use crate::probe::{Deadline, ProbeError};

/// Instructions of SQLite's machine between two looks at the clock: well under a millisecond.
const OPERATIONS: i32 = 1000;

pub(crate) struct Sqlite {
    connection: SqliteConnection,
    stop: Arc<AtomicBool>,
}

impl Sqlite {
    pub(crate) async fn open(path: &Path, shown: &str, deadline: Deadline) -> Result<Self, ProbeError> {
        let shown = shown.to_owned();
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(ProbeError::Folder { shown }),
            // Opening a pipe would wait for its other end.
            Ok(metadata) if !metadata.is_file() => return Err(ProbeError::Special { shown }),
            // SQLite takes a file shorter than its smallest page for an empty database.
            Ok(metadata) if (1..512).contains(&metadata.len()) => {
                return Err(ProbeError::Database { shown, trouble: Trouble::NotADatabase });
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ProbeError::Missing { shown }),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(ProbeError::Database { shown, trouble: Trouble::Denied });
            }
            Err(_) => return Err(ProbeError::Database { shown, trouble: Trouble::Unreadable }),
        }
        if let Err(error) = std::fs::File::open(path)
            && error.kind() == std::io::ErrorKind::PermissionDenied
        {
            return Err(ProbeError::Database { shown, trouble: Trouble::Denied });
        }
        let fatal = |trouble| ProbeError::Database { shown: shown.clone(), trouble };
        // Absolute, so that a relative path that begins with `file:` is not taken for a URI with parameters.
        let absolute = std::path::absolute(path).map_err(|_| fatal(Trouble::Unreadable))?;
        let options = SqliteConnectOptions::new()
            .filename(absolute)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout((deadline.budget / 2).min(Duration::from_secs(5)))
            .pragma("query_only", "ON")
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| fatal(Trouble::of_sqlite(&error)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        {
            let mut handle = connection.lock_handle().await.map_err(|error| fatal(Trouble::of_sqlite(&error)))?;
            let goes_on = move || Instant::now() < deadline.at && !stopped.load(Ordering::Relaxed);
            handle.set_progress_handler(OPERATIONS, goes_on);
        }
        let mut session = Self { connection, stop };
        // The first statement that reads: tells a database from any other file.
        session.ask("SELECT 1 FROM sqlite_master LIMIT 1").await.map_err(fatal)?;
        Ok(session)
    }

    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Vec<Row>, Trouble> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| Trouble::of_sqlite(&error))?;
        rows.iter().map(|row| (0..row.len()).map(|at| cell(row, at)).collect()).collect()
    }

    /// What the driver's own thread still runs ends at its next look at the clock.
    pub(crate) fn cancel(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn close(self) {
        let _ = self.connection.close().await;
    }
}

/// SQLite turns any value into bytes, numbers into their text.
fn cell(row: &SqliteRow, at: usize) -> Result<Cell, Trouble> {
    row.try_get_unchecked::<Option<Vec<u8>>, _>(at).map_err(|_| Trouble::Refused)
}
