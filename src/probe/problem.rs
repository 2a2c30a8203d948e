//! What can go wrong with a database, told without a word of the driver's: its texts can hold connection strings and data.

use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Why a database could not be asked at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The URL itself; never echoed.
    #[error("the database URL cannot be used: {0}")]
    Url(&'static str),
    #[error(
        "{shown}: this kind of database is not supported; supported are postgres://, mysql:// (MariaDB too) and sqlite:PATH"
    )]
    Unsupported { shown: String },
    #[error("{shown}: there is no such file (relative paths start in the folder that tokendrift runs in)")]
    Missing { shown: String },
    #[error("{shown}: this is a folder; name the database file in it")]
    Folder { shown: String },
    #[error("{shown}: this is neither a file nor a folder, so it is no SQLite database")]
    Special { shown: String },
    #[error("{shown}: {trouble}")]
    Database { shown: String, trouble: Trouble },
    #[error("{shown}: this server takes writes, and the configuration says `require-replica`; name a read replica")]
    Primary { shown: String },
    #[error("the system gives no resources to run the probe (threads or memory are used up)")]
    Runtime,
}

/// What a driver's error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("this is not a SQLite database, or it is encrypted")]
    NotADatabase,
    #[error("the database is damaged; `PRAGMA integrity_check` in the sqlite3 shell tells more")]
    Damaged,
    #[error("the database is locked by another process; try again when its write is over, or probe a copy")]
    Locked,
    #[error("no permission to read it")]
    Denied,
    #[error(
        "row-level security hides rows from this role, and what it would count is not what the table holds; ask as a role \
         with BYPASSRLS, or one that reads the view of `tokendrift probe --grants`"
    )]
    Filtered,
    #[error(
        "the database cannot be opened read-only: a write was interrupted, or it is in WAL mode and its -shm file can be \
         neither read nor made here; open it once with a program that may write, or probe a copy (`.backup` in the \
         sqlite3 shell)"
    )]
    NeedsWriter,
    #[error("the file could not be read (input/output error)")]
    Unreadable,
    #[error("out of time; give the database a longer `budget` in the configuration")]
    OutOfTime,
    #[error("the database refused the statement")]
    Refused,
    #[error("the database could not be asked (error code {0})")]
    Other(i32),
    #[error("no connection: nothing answers there, or not in time")]
    Unreachable,
    #[error("the server refused the user or the password")]
    Credentials,
    #[error("the server has no database of that name, or the user may not connect to it")]
    NoDatabase,
    #[error("the server has no connection to spare")]
    Busy,
    #[error("no TLS connection as the URL asks for it (sslmode, sslrootcert)")]
    Tls,
    #[error("the TLS mode in the URL is not known; known are disable, prefer, require, verify-ca and verify-full")]
    TlsMode,
    #[error("the connection was lost; the server was stopped or closed it")]
    Lost,
    #[error(
        "the standby cancelled the statement in favour of its replay, and did so again when it was repeated; try again when \
         there is less to replay"
    )]
    Conflict,
    #[error("another server that the table leads to could not be reached from the database")]
    Elsewhere,
    #[error("somebody cancelled the statement on the server")]
    Cancelled,
    #[error("the connection was lost: somebody ended the session on the server, or shuts it down")]
    Ended,
    #[error("an unlogged table: a standby has none of its rows; ask the primary")]
    Unlogged,
    #[error("a materialized view that was never filled; REFRESH MATERIALIZED VIEW fills it")]
    Unfilled,
    #[error(
        "the server cannot compare values of these two types; are the key and the column that refers to it of one type?"
    )]
    Types,
    #[error("a lock of another session was in the way; try again later")]
    Blocked,
    #[error("the server did not take the time limits or the read-only mode of the session, so nothing was run")]
    Unlimited,
    #[error("interrupted")]
    Interrupted,
    #[error("a stored value made the server's own functions fail")]
    Data,
}

impl Trouble {
    /// From a driver's error: only its number is looked at.
    pub(crate) fn of_sqlite(error: &sqlx::Error) -> Self {
        let code = match error {
            sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<i32>().ok()),
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Self::Denied,
            _ => None,
        };
        let Some(code) = code else { return Self::Other(-1) };
        // The low byte is the primary code, see https://www.sqlite.org/rescode.html.
        match code & 0xff {
            1 => Self::Refused,
            3 | 23 => Self::Denied,
            5 | 6 => Self::Locked,
            8 | 14 => Self::NeedsWriter,
            9 => Self::OutOfTime,
            10 => Self::Unreadable,
            11 => Self::Damaged,
            26 => Self::NotADatabase,
            _ => Self::Other(code),
        }
    }
}

impl Trouble {
    /// From a failed attempt to connect, whatever the server.
    pub(crate) fn of_connecting(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => Self::Tls,
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Self::Tls,
            sqlx::Error::Database(inner) => match inner.try_downcast_ref::<MySqlDatabaseError>() {
                Some(_) => Self::of_mysql(error),
                None => Self::of_postgres(error),
            },
            _ => Self::Unreachable,
        }
    }

    /// From PostgreSQL's SQLSTATE, see <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    pub(crate) fn of_postgres(error: &sqlx::Error) -> Self {
        let sqlx::Error::Database(error) = error else { return Self::Lost };
        let Some(code) = error.code() else { return Self::Refused };
        match code.as_ref() {
            // `canceling statement due to conflict with recovery`
            "40001" | "40P01" => Self::Conflict,
            "57014" => Self::OutOfTime,
            "55P03" => Self::Blocked,
            "55000" => Self::Unfilled,
            "42883" => Self::Types,
            // `cannot access temporary or unlogged relations during recovery`
            "0A000" if routine(error.as_ref()) == Some("get_relation_info") => Self::Unlogged,
            "57P01" => Self::Ended,
            // `query would be affected by row-level security policy`: the code is that of a missing right.
            "42501" if routine(error.as_ref()) == Some("check_enable_rls") => Self::Filtered,
            "42501" => Self::Denied,
            "3D000" | "08P01" => Self::NoDatabase,
            "53300" => Self::Busy,
            code => match &code[..2.min(code.len())] {
                "28" => Self::Credentials,
                // Of another server that a foreign table leads to: an error of this connection ends it.
                "08" if is_passing(error.as_ref()) => Self::Elsewhere,
                "08" | "57" => Self::Lost,
                "22" => Self::Data,
                _ => Self::Refused,
            },
        }
    }

    /// From MySQL's and MariaDB's error numbers, see <https://mariadb.com/docs/server/reference/error-codes>.
    pub(crate) fn of_mysql(error: &sqlx::Error) -> Self {
        let sqlx::Error::Database(error) = error else { return Self::Lost };
        let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() else { return Self::Refused };
        match error.number() {
            1969 | 3024 => Self::OutOfTime,
            1317 => Self::Cancelled,
            1205 => Self::Blocked,
            1213 => Self::Conflict,
            1142 | 1143 | 1227 | 1356 | 1370 => Self::Denied,
            1044 | 1049 => Self::NoDatabase,
            1045 | 1698 => Self::Credentials,
            1040 | 1203 | 1226 => Self::Busy,
            1053 | 1927 | 2006 | 2013 | 4031 => Self::Lost,
            1267 | 1292 | 1366 | 1406 | 3854 => Self::Data,
            _ => Self::Refused,
        }
    }
}

/// Whether the connection goes on behind an error.
fn is_passing(error: &dyn DatabaseError) -> bool {
    error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| error.severity() == PgSeverity::Error)
}

/// The function of PostgreSQL's source that raised an error.
fn routine(error: &dyn DatabaseError) -> Option<&str> {
    error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine)
}

/// `30 s`, `400 ms`
pub(crate) fn duration(of: Duration) -> String {
    if of.as_millis().is_multiple_of(1000) { format!("{} s", of.as_secs()) } else { format!("{} ms", of.as_millis()) }
}

/// `; did you mean `users`?`, or what there is.
pub(crate) fn closest(wanted: &str, names: &[String], kind: &str) -> String {
    const SHOWN: usize = 8;
    let wanted = wanted.to_lowercase();
    let mut near: Vec<(f64, &str)> = names
        .iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name.as_str()))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<String> = near.iter().take(3).map(|(_, name)| format!("`{}`", visible(name))).collect();
    if !near.is_empty() {
        return format!("; did you mean {}?", near.join(" or "));
    }
    if names.is_empty() {
        return format!("; it has no {kind} at all");
    }
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| visible(name)).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("; it has {}{more}", shown.join(", "))
}

/// At most 64 characters, without those that steer a terminal or reorder text.
pub(crate) fn visible(text: &str) -> String {
    const LONGEST: usize = 64;
    let steers = |c: &char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut kept = text.chars().filter(|c| !steers(c));
    let mut shown: String = kept.by_ref().take(LONGEST).collect();
    if kept.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn near_names_are_proposed_and_otherwise_what_there_is() {
        assert_eq!(closest("user", &names(&["orders", "users"]), "table"), "; did you mean `users`?");
        assert_eq!(closest("user", &names(&["zebra", "mixins"]), "table"), "; it has zebra, mixins");
        assert_eq!(closest("user", &[], "table"), "; it has no table at all");
        let many: Vec<String> = (0..10).map(|n| format!("z{n}")).collect();
        assert!(closest("user", &many, "table").ends_with("z7 and 2 more"));
    }

    #[test]
    fn labels_are_short_and_cannot_steer_a_terminal() {
        assert_eq!(visible("w\u{1b}[31meb\n\u{202e}x"), "w[31mebx");
        let long = visible(&"é".repeat(200));
        assert_eq!((long.chars().count(), long.ends_with('…')), (64, true));
        assert_eq!(visible(&"a".repeat(64)), "a".repeat(64));
    }
}
