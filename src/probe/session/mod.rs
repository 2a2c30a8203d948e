//! One connection that only reads: every statement in a read-only transaction of its own, under limits that were verified.

mod mysql;
mod postgres;
mod sqlite;

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use crate::probe::dialect::Dialect;
use crate::probe::problem::Trouble;
use crate::probe::session::mysql::Mysql;
use crate::probe::session::postgres::Postgres;
use crate::probe::session::sqlite::Sqlite;
use crate::probe::url::Place;
use crate::probe::{Deadline, GRACE, ProbeError, SecretUrl};

/// A field of an answer, as the server writes it as text; `None` for NULL. Bytes: it need not be UTF-8.
pub(crate) type Cell = Option<Vec<u8>>;
pub(crate) type Row = Vec<Cell>;

/// How often a statement that a standby cancelled in favour of its replay is tried again.
const RETRIES: u32 = 3;
/// The pause before the first of them; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How much longer than a statement's limit the network may take for all that is said around it.
const NETWORK: Duration = Duration::from_secs(3);
/// How long telling the server to stop may take.
const CANCEL: Duration = Duration::from_secs(2);
/// How long every listener needs to hear of a signal: whoever hears it for the whole process ends it, before anything is said of what is interrupted.
const HEARD: Duration = Duration::from_millis(100);
/// How long a statement waits for a lock before it gives way to the application.
const LOCK: Duration = Duration::from_millis(500);

/// How the program is seen in the server's lists of sessions.
const NAME: &str = concat!("tokendrift/", env!("CARGO_PKG_VERSION"));

/// A connection.
pub(crate) struct Session {
    driver: Driver,
    pub(crate) dialect: Dialect,
    /// Whether the server says that it is a replica or takes no writes.
    pub(crate) is_replica: bool,
    deadline: Deadline,
    /// Why no further statement can be run.
    over: Option<Trouble>,
    /// Statements that were sent.
    pub(crate) statements: u64,
}

enum Driver {
    Postgres(Box<Postgres>),
    Mysql(Box<Mysql>),
    Sqlite(Box<Sqlite>),
}

impl Session {
    /// Connects, and finds out what the server is.
    pub(crate) async fn open(url: &SecretUrl, deadline: Deadline) -> Result<Self, ProbeError> {
        let shown = url.shown();
        let fatal = |trouble| ProbeError::Database { shown: shown.to_owned(), trouble };
        let patience = deadline.left().min(CONNECT);
        let connect = async {
            match url.place() {
                Place::Sqlite(path) => {
                    let sqlite = Sqlite::open(path, shown, deadline).await?;
                    Ok((Driver::Sqlite(Box::new(sqlite)), Dialect::Sqlite, true))
                }
                Place::Postgres(server) => {
                    let mut postgres = Postgres::open(server).await.map_err(fatal)?;
                    let is_replica = postgres.is_replica(patience).await.map_err(fatal)?;
                    let version = postgres.version();
                    Ok((Driver::Postgres(Box::new(postgres)), Dialect::Postgres { version }, is_replica))
                }
                Place::Mysql(server) => {
                    let mysql = Mysql::open(server).await.map_err(fatal)?;
                    let dialect = Dialect::Mysql { mariadb: mysql.is_mariadb };
                    let is_replica = mysql.is_replica;
                    Ok((Driver::Mysql(Box::new(mysql)), dialect, is_replica))
                }
                Place::Unsupported => Err(ProbeError::Unsupported { shown: shown.to_owned() }),
            }
        };
        let (driver, dialect, is_replica) = match until(patience + GRACE, connect).await {
            Ended::Done(opened) => opened?,
            Ended::Late => return Err(fatal(Trouble::Unreachable)),
            Ended::Interrupted => {
                tokio::time::sleep(HEARD).await;
                return Err(fatal(Trouble::Interrupted));
            }
        };
        Ok(Self { driver, dialect, is_replica, deadline, over: None, statements: 0 })
    }

    /// Runs one statement that returns rows, for at most `limit` and as long as the budget lasts.
    ///
    /// A standby that cancels it in favour of its replay is asked again, a few times.
    pub(crate) async fn ask_within(&mut self, sql: &str, limit: Duration) -> Result<Vec<Row>, Trouble> {
        let mut pause = PAUSE;
        for _ in 0..RETRIES {
            match self.unless_cancelled(sql, limit).await {
                Err(Trouble::Conflict) if self.deadline.left() > pause => tokio::time::sleep(pause).await,
                other => return other,
            }
            pause *= 2;
        }
        self.unless_cancelled(sql, limit).await
    }

    /// A standby that cancels a statement in favour of its replay may end the session too: that is a conflict as well where it takes a new
    /// one, so that what is asked next has a connection.
    async fn unless_cancelled(&mut self, sql: &str, limit: Duration) -> Result<Vec<Row>, Trouble> {
        match self.once(sql, limit).await {
            Err(Trouble::Lost) if self.is_replica && self.reopen().await => Err(Trouble::Conflict),
            other => other,
        }
    }

    /// A new connection in place of one that is lost; whether there is one.
    async fn reopen(&mut self) -> bool {
        let Driver::Postgres(postgres) = &mut self.driver else { return false };
        let patience = self.deadline.left().min(CONNECT);
        let is_open = matches!(until(patience, postgres.reopen()).await, Ended::Done(Ok(())));
        if is_open {
            self.over = None;
        }
        is_open
    }

    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Vec<Row>, Trouble> {
        self.ask_within(sql, self.deadline.left()).await
    }

    async fn once(&mut self, sql: &str, limit: Duration) -> Result<Vec<Row>, Trouble> {
        if let Some(trouble) = self.over {
            return Err(trouble);
        }
        let left = self.deadline.left().min(limit);
        if left.is_zero() {
            return Err(Trouble::OutOfTime);
        }
        self.statements += 1;
        let work = async {
            match &mut self.driver {
                Driver::Postgres(postgres) => postgres.ask(sql, left).await,
                Driver::Mysql(mysql) => mysql.ask(sql, left).await,
                Driver::Sqlite(sqlite) => sqlite.ask(sql, left).await,
            }
        };
        // A limit of its own is the server's to keep; the budget is kept here too.
        let patience = (left + NETWORK).min(self.deadline.left() + GRACE);
        let began = Instant::now();
        let trouble = match until(patience, work).await {
            Ended::Done(Err(lost @ (Trouble::Lost | Trouble::Ended))) => lost,
            // A server says the same of its own time limit and of whoever asks it to stop.
            Ended::Done(Err(Trouble::OutOfTime)) if began.elapsed() < left.mul_f64(0.9) => {
                return Err(Trouble::Cancelled);
            }
            Ended::Done(answer) => return answer,
            // What the driver was in the middle of is lost with it: the server is told to stop.
            Ended::Late => {
                self.cancel().await;
                Trouble::OutOfTime
            }
            Ended::Interrupted => {
                self.cancel().await;
                tokio::time::sleep(HEARD).await;
                Trouble::Interrupted
            }
        };
        self.over = Some(trouble);
        Err(trouble)
    }

    /// Tells the server to stop what it does for this connection, over a second one that lives no longer than that.
    async fn cancel(&mut self) {
        let stop = async {
            match &mut self.driver {
                Driver::Postgres(postgres) => postgres.cancel().await,
                Driver::Mysql(mysql) => mysql.cancel().await,
                Driver::Sqlite(sqlite) => sqlite.cancel(),
            }
        };
        // Whether it heard or not, its own limits end the statement.
        let _ = tokio::time::timeout(CANCEL, stop).await;
    }

    pub(crate) async fn close(self) {
        if self.over.is_some() {
            return;
        }
        let close = async {
            match self.driver {
                Driver::Postgres(postgres) => postgres.close().await,
                Driver::Mysql(mysql) => mysql.close().await,
                Driver::Sqlite(sqlite) => sqlite.close().await,
            }
        };
        // Nothing was written, so nothing is lost where closing takes too long.
        let _ = tokio::time::timeout(CANCEL, close).await;
    }

    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }
}

enum Ended<T> {
    Done(T),
    Late,
    Interrupted,
}

/// Waits for some work for as long as `limit`, or until somebody asks to stop: Ctrl-C, or SIGTERM as from `timeout` and containers.
async fn until<T>(limit: Duration, work: impl Future<Output = T>) -> Ended<T> {
    match select(pin!(tokio::time::timeout(limit, work)), pin!(interrupted())).await {
        Either::Left((Ok(done), _)) => Ended::Done(done),
        Either::Left((Err(_), _)) => Ended::Late,
        Either::Right(_) => Ended::Interrupted,
    }
}

/// Ends when somebody asks to stop; never where signals cannot be heard.
async fn interrupted() {
    let (asked, terminated) = (pin!(tokio::signal::ctrl_c()), pin!(terminated()));
    if select(asked, terminated).await.factor_first().0.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() -> std::io::Result<()> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> std::io::Result<()> {
    std::future::pending().await
}

/// Whole milliseconds, at least one: zero means no limit to servers.
fn milliseconds(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX).clamp(1, i32::MAX as u64)
}

/// The text of a cell that is known to be there and to be text.
pub(crate) fn text(row: &Row, at: usize) -> String {
    let bytes = row.get(at).and_then(Option::as_deref).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// A whole number; `None` for NULL and for what is none. What a server writes as `3.0` is 3.
pub(crate) fn integer(row: &Row, at: usize) -> Option<i64> {
    let text = std::str::from_utf8(row.get(at)?.as_deref()?).ok()?;
    text.split('.').next()?.parse().ok()
}

/// A count.
pub(crate) fn count(row: &Row, at: usize) -> u64 {
    integer(row, at).and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}
