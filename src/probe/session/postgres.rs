//! PostgreSQL: the simple query protocol alone, which needs nothing prepared and so works through a pooler.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row as _, ValueRef};

use crate::probe::problem::Trouble;
use crate::probe::server::Server;
use crate::probe::session::{Cell, LOCK, NAME, Row, integer, milliseconds, text};

pub(crate) struct Postgres {
    connection: PgConnection,
    options: PgConnectOptions,
    /// `server_version_num`
    version: u32,
    /// The process that answers; behind a pooler it changes with every transaction.
    process: Option<i64>,
    /// Whether the server looks whether its client is still there while a statement runs.
    checks_client: bool,
}

impl Postgres {
    pub(crate) async fn open(server: &Server) -> Result<Self, Trouble> {
        let options = options(server)?;
        let connection = options.connect().await.map_err(|error| Trouble::of_connecting(&error))?;
        let version = connection.server_version_num().unwrap_or(0);
        // Since 14, where the system can tell; where not, the first transaction says so.
        let checks_client = version >= 140_000;
        Ok(Self { connection, options, version, process: None, checks_client })
    }

    pub(crate) async fn reopen(&mut self) -> Result<(), Trouble> {
        self.connection = self.options.connect().await.map_err(|error| Trouble::of_connecting(&error))?;
        Ok(())
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    pub(crate) async fn is_replica(&mut self, limit: Duration) -> Result<bool, Trouble> {
        let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END, current_setting('server_version_num')";
        let answer = match self.ask(sql, limit).await {
            Err(Trouble::Refused) if self.checks_client => {
                self.checks_client = false;
                self.ask(sql, limit).await
            }
            other => other,
        }?;
        let first = answer.first().ok_or(Trouble::Refused)?;
        if self.version == 0 {
            self.version = integer(first, 1).and_then(|version| u32::try_from(version).ok()).unwrap_or(0);
        }
        Ok(integer(first, 0) == Some(1))
    }

    /// One statement in a transaction of its own. What `SET LOCAL` sets ends with it, whichever session a pooler gave.
    pub(crate) async fn ask(&mut self, sql: &str, limit: Duration) -> Result<Vec<Row>, Trouble> {
        let answer = match self.begin(limit).await {
            Ok(()) => self.rows(sql).await,
            Err(trouble) => Err(trouble),
        };
        match self.rows("ROLLBACK").await {
            // A transaction that cannot be ended is on a connection that is gone.
            Err(_) if answer.is_ok() => Err(Trouble::Lost),
            _ => answer,
        }
    }

    async fn begin(&mut self, limit: Duration) -> Result<(), Trouble> {
        let statement = milliseconds(limit);
        let lock = milliseconds(LOCK.min(limit));
        // Between two statements of a transaction there is nothing to wait for but the network. The groups of a sample are hashed in
        // memory of that size, which is faster than sorting its rows.
        let idle = 10_000;
        let client = if self.checks_client { "SET LOCAL client_connection_check_interval = 1000; " } else { "" };
        // With `row_security` off, a policy that would hide rows is an error and not a smaller table.
        // A database without an encoding may hold bytes that are no text in any; they are taken as they are.
        let encoding = "set_config('client_encoding', CASE WHEN current_setting('server_encoding') = 'SQL_ASCII' \
                        THEN 'SQL_ASCII' ELSE 'UTF8' END, true)";
        let begin = format!(
            "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {statement}; SET LOCAL lock_timeout = {lock}; \
             SET LOCAL idle_in_transaction_session_timeout = {idle}; SET LOCAL standard_conforming_strings = on; \
             SET LOCAL row_security = off; SET LOCAL application_name = '{NAME}'; SET LOCAL work_mem = '16MB'; {client}\
             SELECT pg_backend_pid(), current_setting('transaction_read_only'), \
             {}, {encoding}",
            ["idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout"]
                .map(|name| format!("round(extract(epoch FROM current_setting('{name}')::interval) * 1000)::text"))
                .join(" || ',' || ")
        );
        let answer = self.rows(&begin).await?;
        let first = answer.first().ok_or(Trouble::Unlimited)?;
        self.process = integer(first, 0);
        // In the order of their names, all in milliseconds.
        let limits = format!("{idle},{lock},{statement}");
        if text(first, 1) == "on" && text(first, 2) == limits { Ok(()) } else { Err(Trouble::Unlimited) }
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Trouble> {
        let sql = AssertSqlSafe(sql.to_owned());
        let rows = sqlx::raw_sql(sql).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| Trouble::of_postgres(&error))?;
        rows.iter().map(|row| (0..row.len()).map(|at| cell(row, at)).collect()).collect()
    }

    pub(crate) async fn cancel(&mut self) {
        let Some(process) = self.process else { return };
        let Ok(mut second) = self.options.connect().await else { return };
        let sql = AssertSqlSafe(format!("SELECT pg_cancel_backend({process})"));
        // Where it fails, the time limit of the statement ends it.
        let _ = sqlx::raw_sql(sql).execute(&mut second).await;
        let _ = second.close().await;
    }

    pub(crate) async fn close(self) {
        let _ = self.connection.close().await;
    }
}

fn cell(row: &PgRow, at: usize) -> Result<Cell, Trouble> {
    let value = row.try_get_raw(at).map_err(|_| Trouble::Refused)?;
    if value.is_null() {
        return Ok(None);
    }
    value.as_bytes().map(|bytes| Some(bytes.to_vec())).map_err(|_| Trouble::Refused)
}

fn options(server: &Server) -> Result<PgConnectOptions, Trouble> {
    // Begins with the variables that libpq knows.
    let mut options = PgConnectOptions::new_without_pgpass();
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
    if server.password.is_none() {
        // The driver looks into libpq's password file for what a URL says alone.
        options = PgConnectOptions::from_url(&options.to_url_lossy()).map_err(|_| Trouble::Unreachable)?;
    }
    options = options
        .application_name(NAME)
        // Poolers refuse start-up parameters that they do not know.
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if let Some(mode) = &server.tls_mode {
        options = options.ssl_mode(match mode.as_str() {
            "disable" => PgSslMode::Disable,
            "allow" => PgSslMode::Allow,
            "prefer" => PgSslMode::Prefer,
            "require" => PgSslMode::Require,
            "verify-ca" => PgSslMode::VerifyCa,
            "verify-full" => PgSslMode::VerifyFull,
            _ => return Err(Trouble::TlsMode),
        });
    }
    if let Some(root) = &server.tls_root {
        options = options.ssl_root_cert(root);
    }
    if let (Some(certificate), Some(key)) = (&server.tls_certificate, &server.tls_key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    Ok(options)
}
