//! SQLite: a file opened read-only; the clock is looked at while a statement runs.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row as _, SqliteConnection};

use crate::probe::problem::Trouble;
use crate::probe::session::{Cell, Row};
use crate::probe::{Deadline, ProbeError};

/// Instructions of SQLite's machine between two looks at the clock: well under a millisecond.
const OPERATIONS: i32 = 1000;

/// SQLite's own name of the file system layer that takes no locks (<https://www.sqlite.org/vfs.html>).
const WITHOUT_LOCKS: &str = if cfg!(windows) { "win32-none" } else { "unix-none" };

pub(crate) struct Sqlite {
    connection: SqliteConnection,
    stop: Arc<AtomicBool>,
    began: Instant,
    /// When the statement under way has to end, in milliseconds since the file was opened.
    ends: Arc<AtomicU64>,
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
        let log = Log::beside(&absolute).map_err(|_| fatal(Trouble::Unreadable))?;
        let options = SqliteConnectOptions::new().filename(absolute);
        let options = match log {
            Log::None | Log::Shared => options,
            Log::Empty => options.immutable(true),
            Log::Left => options.vfs(WITHOUT_LOCKS).locking_mode(SqliteLockingMode::Exclusive),
        };
        let options = options
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout((deadline.budget / 2).min(Duration::from_secs(5)))
            .pragma("query_only", "ON")
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| fatal(Trouble::of_sqlite(&error)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (began, ends) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let limit = Arc::clone(&ends);
        {
            let mut handle = connection.lock_handle().await.map_err(|error| fatal(Trouble::of_sqlite(&error)))?;
            let goes_on = move || began.elapsed() < within(&limit) && !stopped.load(Ordering::Relaxed);
            handle.set_progress_handler(OPERATIONS, goes_on);
        }
        let mut session = Self { connection, stop, began, ends };
        // The first statement that reads: tells a database from any other file.
        session.ask("SELECT 1 FROM sqlite_master LIMIT 1", deadline.left()).await.map_err(fatal)?;
        Ok(session)
    }

    /// Runs a statement for at most `limit`.
    pub(crate) async fn ask(&mut self, sql: &str, limit: Duration) -> Result<Vec<Row>, Trouble> {
        let end = self.began.elapsed().saturating_add(limit).as_millis();
        self.ends.store(u64::try_from(end).unwrap_or(u64::MAX), Ordering::Relaxed);
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

fn within(ends: &AtomicU64) -> Duration {
    Duration::from_millis(ends.load(Ordering::Relaxed))
}

/// How the write-ahead log beside a file stands: it decides how to read the file with all its rows and without making a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    /// The file does without one.
    None,
    /// Nothing is in it, and nobody has the file open: it can be read as it is.
    Empty,
    /// There is a log and nobody has the file open: a process ended in the middle, or the files are a copy. Its index is made in
    /// memory (<https://www.sqlite.org/wal.html>, "Use of WAL without shared memory"), where no lock is needed.
    Left,
    /// Others may have the file open: the log is read through the index that they share.
    Shared,
}

impl Log {
    fn beside(file: &Path) -> std::io::Result<Self> {
        // Bytes 18 and 19 of the header: 2 in a file with a log (<https://www.sqlite.org/fileformat.html>).
        let mut header = Vec::new();
        std::fs::File::open(file)?.take(20).read_to_end(&mut header)?;
        if header.get(18..20) != Some(&[2, 2]) {
            return Ok(Self::None);
        }
        let beside = |suffix: &str| {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name)
        };
        Ok(match (beside("-wal"), beside("-shm")) {
            (_, Ok(_)) => Self::Shared,
            (Ok(log), Err(_)) if log.len() > 0 => Self::Left,
            _ => Self::Empty,
        })
    }
}

/// SQLite turns any value into bytes, numbers into their text.
fn cell(row: &SqliteRow, at: usize) -> Result<Cell, Trouble> {
    row.try_get_unchecked::<Option<Vec<u8>>, _>(at).map_err(|_| Trouble::Refused)
}
