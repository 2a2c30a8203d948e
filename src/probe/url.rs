//! A database URL that cannot be printed by accident.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::probe::ProbeError;
use crate::probe::problem::visible;
use crate::probe::server::{Server, server};

/// Schemes of databases: the only ones that are repeated in a message. Anything else before a `:` could be a secret.
const SCHEMES: &[&str] = &[
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "mssql",
    "sqlserver",
    "mongodb",
    "mongodb+srv",
    "cockroachdb",
    "libsql",
];

/// A database URL. Holds what is needed to connect; shows only scheme, host, port and database.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    place: Place,
    shown: String,
}

/// Where a URL leads.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(Server),
    Mysql(Server),
    Unsupported,
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretUrl").field(&self.shown).finish()
    }
}

impl SecretUrl {
    /// Takes a URL apart. `sqlite:PATH`, `sqlite://PATH`, `sqlite:///ABSOLUTE` and `file:PATH` are SQLite; a query behind the path is
    /// not used, since how a database is opened is not the URL's to say. Other databases are told apart when they are probed.
    ///
    /// # Errors
    /// [`ProbeError::Url`], which says what is wrong without a word of the URL.
    pub fn parse(url: &str) -> Result<Self, ProbeError> {
        let url = url.trim();
        if url.is_empty() {
            return Err(ProbeError::Url("it is empty"));
        }
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(ProbeError::Url("it has no scheme; a SQLite file is written sqlite:PATH"));
        };
        let scheme = scheme.to_ascii_lowercase();
        match scheme.as_str() {
            "sqlite" | "sqlite3" | "file" => Self::sqlite(&scheme, rest),
            other if SCHEMES.contains(&other) => {
                let place = match other {
                    "postgres" | "postgresql" => Place::Postgres(server(rest)?),
                    "mysql" | "mariadb" => Place::Mysql(server(rest)?),
                    _ => Place::Unsupported,
                };
                Ok(Self { place, shown: shown_server(other, rest) })
            }
            _ => Err(ProbeError::Url("its scheme is not that of a database; a SQLite file is written sqlite:PATH")),
        }
    }

    /// What may be printed: `sqlite:data/app.db`, `postgres://host:5432/app`.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    fn sqlite(scheme: &str, rest: &str) -> Result<Self, ProbeError> {
        let (path, query) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
        if path == ":memory:" || path == "//:memory:" || query.split('&').any(|pair| pair == "mode=memory") {
            return Err(ProbeError::Url("a database in memory is empty when it is opened; name a file"));
        }
        let path = match path.strip_prefix("//") {
            Some(rooted) => {
                if rooted.split('/').next().is_some_and(|first| first.contains('@')) {
                    return Err(ProbeError::Url("a SQLite URL has no user, password or host; write sqlite:PATH"));
                }
                match rooted.strip_prefix("localhost/") {
                    Some(below) if scheme == "file" => format!("/{below}"),
                    _ => rooted.to_owned(),
                }
            }
            None => path.to_owned(),
        };
        let Some(path) = percent_decoded(&path) else {
            return Err(ProbeError::Url("its path has a %-sequence that is no text; % itself is written %25"));
        };
        if path.is_empty() {
            return Err(ProbeError::Url("it names no file; write sqlite:PATH"));
        }
        if path.contains('\0') {
            return Err(ProbeError::Url("its path holds a NUL character"));
        }
        let shown = format!("sqlite:{}", shown_path(Path::new(&path)));
        Ok(Self { place: Place::Sqlite(PathBuf::from(path)), shown })
    }
}

/// A path without characters that steer a terminal; paths are not cut.
fn shown_path(path: &Path) -> String {
    path.display().to_string().chars().filter(|c| !visible(&c.to_string()).is_empty()).collect()
}

/// `scheme://host:port/db`, rebuilt from the parts that are surely not secret. Whatever is doubtful (an unescaped `/` or `?` in a
/// password moves the borders of all parts) leaves only the scheme.
fn shown_server(scheme: &str, rest: &str) -> String {
    let doubtful = format!("{scheme}://…");
    let Some(rest) = rest.strip_prefix("//") else { return doubtful };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let behind = &rest[authority.len()..];
    if behind.contains('@') {
        return doubtful;
    }
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (server, None),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_address = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_is_plain = inside.map_or_else(|| host.chars().all(is_host), |inside| inside.chars().all(is_address));
    let port_is_plain = port.is_none_or(|port| port.parse::<u16>().is_ok());
    if host.is_empty() || !host_is_plain || !port_is_plain {
        return doubtful;
    }
    let database = behind.strip_prefix('/').map_or("", |path| path.split(['/', '?', '#']).next().unwrap_or(""));
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    if database.is_empty() || !database.chars().all(is_host) {
        return format!("{scheme}://{host}{port}");
    }
    format!("{scheme}://{host}{port}/{database}")
}

/// `None` where an escape is cut short or the result is not UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(url: &str) -> String {
        match SecretUrl::parse(url).unwrap().place {
            Place::Sqlite(path) => path.to_str().unwrap().to_owned(),
            _ => panic!("{url} is not taken for SQLite"),
        }
    }

    #[test]
    fn every_way_to_write_a_sqlite_file_leads_to_it() {
        for (url, file) in [
            ("sqlite:data/app.db", "data/app.db"),
            ("sqlite://data/app.db", "data/app.db"),
            ("sqlite:///srv/app.db", "/srv/app.db"),
            ("SQLITE:/srv/app.db?mode=rwc", "/srv/app.db"),
            ("file:./dev.db", "./dev.db"),
            ("file:///srv/my%20app.db", "/srv/my app.db"),
            ("file://localhost/srv/app.db", "/srv/app.db"),
        ] {
            assert_eq!(path(url), file, "{url}");
        }
    }

    #[test]
    fn a_server_is_shown_without_user_password_and_query() {
        for (url, shown) in [
            (
                "postgres://u:hunter2@db.internal:5432/app?password=hunter2&sslmode=require",
                "postgres://db.internal:5432/app",
            ),
            ("postgresql://u:hunter2@[::1]:5432/app", "postgresql://[::1]:5432/app"),
            ("mysql://db/app", "mysql://db/app"),
            // A password with unescaped delimiters moves the borders; then nothing but the scheme is safe.
            ("postgres://u:hunter2#@db/app", "postgres://…"),
            ("mysql://u:p@ss@db:3306/app", "mysql://db:3306/app"),
        ] {
            let url = SecretUrl::parse(url).unwrap();
            assert_eq!(url.shown(), shown);
            assert!(!format!("{url:?}").contains("hunter2"));
        }
    }

    #[test]
    fn an_error_never_repeats_the_url() {
        for url in [
            "",
            "hunter2",
            "hunter2:x",
            "sqlite:",
            "sqlite://u:hunter2@host/app.db",
            "sqlite:hunter2%zz",
            "sqlite::memory:",
            "file:hunter2?mode=memory",
            "postgres://u:hunter2/x@db/app",
            "postgres://u:12?hunter2@db/app",
            "postgres://hunter2:hunter2",
            "postgres:hunter2",
            "mysql://u@db/app?allowLocalInfile=hunter2",
        ] {
            let error = SecretUrl::parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_shown_path_cannot_steer_a_terminal() {
        assert_eq!(SecretUrl::parse("sqlite:a%1B[2Jb.db").unwrap().shown(), "sqlite:a[2Jb.db");
    }
}
