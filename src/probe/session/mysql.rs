//! MySQL and MariaDB: the text protocol alone, the limits of the session set again before each statement and read back.

use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlConnection, Row as _};

use crate::probe::problem::Trouble;
use crate::probe::server::Server;
use crate::probe::session::{Cell, LOCK, NAME, Row, integer, milliseconds, text};

pub(crate) struct Mysql {
    connection: MySqlConnection,
    options: MySqlConnectOptions,
    pub(crate) is_mariadb: bool,
    pub(crate) is_replica: bool,
    /// The variable that says whether transactions may write: renamed between versions.
    read_only: &'static str,
    thread: Option<i64>,
}

impl Mysql {
    pub(crate) async fn open(server: &Server) -> Result<Self, Trouble> {
        let options = options(server)?;
        let connection = options.connect().await.map_err(|error| Trouble::of_connecting(&error))?;
        let mut session =
            Self { connection, options, is_mariadb: false, is_replica: false, read_only: "tx_read_only", thread: None };
        let answer = session.rows("SELECT VERSION(), @@global.read_only, CONNECTION_ID()").await?;
        let first = answer.first().ok_or(Trouble::Refused)?;
        session.is_mariadb = text(first, 0).to_ascii_lowercase().contains("mariadb");
        // MariaDB has four values since 12; all but off refuse writes.
        session.is_replica = !matches!(text(first, 1).to_ascii_uppercase().as_str(), "0" | "OFF");
        session.thread = integer(first, 2);
        if session.rows("SELECT @@session.tx_read_only").await.is_err() {
            session.read_only = "transaction_read_only";
        }
        Ok(session)
    }

    pub(crate) async fn ask(&mut self, sql: &str, limit: Duration) -> Result<Vec<Row>, Trouble> {
        self.limit(limit).await?;
        self.rows("START TRANSACTION READ ONLY").await?;
        let answer = self.rows(sql).await;
        match self.rows("ROLLBACK").await {
            Err(_) if answer.is_ok() => Err(Trouble::Lost),
            _ => answer,
        }
    }

    /// Sets the limits and reads them back. MySQL counts the time of a statement in milliseconds, MariaDB in seconds.
    async fn limit(&mut self, limit: Duration) -> Result<(), Trouble> {
        let limit_ms = milliseconds(limit);
        let seconds = format!("{}.{:03}", limit_ms / 1000, limit_ms % 1000);
        let (variable, value) = if self.is_mariadb {
            ("max_statement_time", seconds)
        } else {
            ("max_execution_time", limit_ms.to_string())
        };
        let lock = LOCK.as_secs().max(1);
        let set = format!(
            "SET SESSION {variable} = {value}, SESSION lock_wait_timeout = {lock}, SESSION innodb_lock_wait_timeout = {lock}, \
             SESSION {} = 1, SESSION wait_timeout = 60",
            self.read_only
        );
        self.rows(&set).await?;
        let unit = if self.is_mariadb { 1000 } else { 1 };
        let sql = format!(
            "SELECT CAST(ROUND(@@session.{variable} * {unit}) AS SIGNED), @@session.lock_wait_timeout, @@session.{}, \
             @@session.wait_timeout",
            self.read_only
        );
        let answer = self.rows(&sql).await?;
        let first = answer.first().ok_or(Trouble::Unlimited)?;
        let wanted = [i64::try_from(limit_ms).ok(), i64::try_from(lock).ok(), Some(1), Some(60)];
        if (0..4).all(|at| integer(first, at) == wanted[at]) { Ok(()) } else { Err(Trouble::Unlimited) }
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Trouble> {
        // The driver sends no connection attributes: every statement says whose it is.
        let sql = AssertSqlSafe(format!("/* {NAME} */ {sql}"));
        let rows = sqlx::raw_sql(sql).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| Trouble::of_mysql(&error))?;
        rows.iter().map(|row| (0..row.len()).map(|at| cell(row, at)).collect()).collect()
    }

    pub(crate) async fn cancel(&mut self) {
        let Some(thread) = self.thread else { return };
        let Ok(mut second) = self.options.connect().await else { return };
        let sql = AssertSqlSafe(format!("KILL QUERY {thread}"));
        // Where it fails, the time limit of the statement ends it.
        let _ = sqlx::raw_sql(sql).execute(&mut second).await;
        let _ = second.close().await;
    }

    pub(crate) async fn close(self) {
        let _ = self.connection.close().await;
    }
}

/// In the text protocol every value is its text, whatever its type.
fn cell(row: &MySqlRow, at: usize) -> Result<Cell, Trouble> {
    row.try_get_unchecked::<Option<Vec<u8>>, _>(at).map_err(|_| Trouble::Refused)
}

fn options(server: &Server) -> Result<MySqlConnectOptions, Trouble> {
    let mut options = MySqlConnectOptions::new()
        // The session stays as the server has it.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if let Some(host) = &server.host {
        options = if host.starts_with('/') { options.socket(host) } else { options.host(host) };
    }
    if let Some(port) = server.port {
        options = options.port(port);
    }
    if let Some(user) = &server.user {
        options = options.username(user);
    }
    if let Some(password) = &server.password {
        options = options.password(password);
    }
    if let Some(database) = &server.database {
        options = options.database(database);
    }
    if let Some(mode) = &server.tls_mode {
        options = options.ssl_mode(match mode.as_str() {
            "disable" | "disabled" => MySqlSslMode::Disabled,
            "prefer" | "preferred" => MySqlSslMode::Preferred,
            "require" | "required" => MySqlSslMode::Required,
            "verify-ca" | "verify_ca" => MySqlSslMode::VerifyCa,
            "verify-full" | "verify-identity" | "verify_identity" => MySqlSslMode::VerifyIdentity,
            _ => return Err(Trouble::TlsMode),
        });
    }
    if let Some(root) = &server.tls_root {
        options = options.ssl_ca(root);
    }
    if let (Some(certificate), Some(key)) = (&server.tls_certificate, &server.tls_key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    Ok(options)
}
