//! Where a server is and who asks, out of a URL; nothing of it is ever shown.

use crate::probe::ProbeError;
use crate::probe::url::percent_decoded;

/// What is needed to connect. No `Debug`: it holds the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Server {
    /// A name, an address, or the folder (PostgreSQL) or path (MySQL) of a socket.
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) tls_mode: Option<String>,
    pub(crate) tls_root: Option<String>,
    pub(crate) tls_certificate: Option<String>,
    pub(crate) tls_key: Option<String>,
}

/// What stands behind `scheme:`. Only parameters that are known are taken; any other could weaken what the probe sets.
///
/// # Errors
/// What is wrong, without a word of the URL.
pub(crate) fn server(rest: &str) -> Result<Server, ProbeError> {
    let wrong = |why| Err(ProbeError::Url(why));
    let Some(rest) = rest.strip_prefix("//") else {
        return wrong("it has no host; write it as postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE");
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains('@') || query.contains('@') && !authority.contains('@') {
        return wrong("`/`, `?`, `#` and `@` in a user's name or password are written %2F, %3F, %23 and %40");
    }
    let decoded = |text: &str| {
        percent_decoded(text).ok_or(ProbeError::Url("it has a %-sequence that is no text; % itself is written %25"))
    };
    let some = |text: &str| if text.is_empty() { Ok(None) } else { decoded(text).map(Some) };
    let (who, place) = authority.rsplit_once('@').map_or((None, authority), |(who, place)| (Some(who), place));
    let mut server = Server { database: some(path)?, ..Server::default() };
    if let Some(who) = who {
        let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
        server.user = some(user)?;
        server.password = password.map(decoded).transpose()?;
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (place, None),
    };
    server.host = some(host.trim_start_matches('[').trim_end_matches(']'))?;
    server.port = match port {
        None | Some("") => None,
        Some(port) => match port.parse() {
            Ok(port) => Some(port),
            Err(_) => return wrong("its port is no number"),
        },
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = some(value)?;
        match key.to_ascii_lowercase().replace('_', "-").as_str() {
            "host" | "socket" => server.host = value,
            "port" => server.port = value.and_then(|port| port.parse().ok()),
            "user" => server.user = value,
            "password" => server.password = value,
            "dbname" => server.database = value,
            "sslmode" | "ssl-mode" => server.tls_mode = value.map(|mode| mode.to_ascii_lowercase()),
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => server.tls_root = value,
            "sslcert" | "ssl-cert" => server.tls_certificate = value,
            "sslkey" | "ssl-key" => server.tls_key = value,
            // Neither changes what is done here.
            "application-name" | "connect-timeout" => {}
            _ => {
                return wrong(
                    "it has a parameter that is not known; known are host, port, user, password, dbname, sslmode, sslrootcert, \
                     sslcert and sslkey (MySQL: socket, ssl-mode, ssl-ca, ssl-cert, ssl-key)",
                );
            }
        }
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_decoded() {
        let server =
            server("//us%40er:p%2Fw@[::1]:6000/a%20b?sslmode=Verify-Full&sslrootcert=%2Fca.pem").unwrap_or_default();
        assert_eq!(server.user.as_deref(), Some("us@er"));
        assert_eq!(server.password.as_deref(), Some("p/w"));
        assert_eq!((server.host.as_deref(), server.port), (Some("::1"), Some(6000)));
        assert_eq!(server.database.as_deref(), Some("a b"));
        assert_eq!((server.tls_mode.as_deref(), server.tls_root.as_deref()), (Some("verify-full"), Some("/ca.pem")));
    }

    #[test]
    fn a_socket_is_a_host_and_all_may_be_left_out() {
        for url in ["///app?host=/run/postgresql", "//%2Frun%2Fpostgresql/app"] {
            let server = server(url).unwrap_or_default();
            assert_eq!((server.host.as_deref(), server.database.as_deref()), (Some("/run/postgresql"), Some("app")));
        }
        assert!(server("//").is_ok_and(|server| server == Server::default()));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        for url in
            ["app", "//u:hunter2@h:x/app", "//u:hunt/er2@h/app", "//h/app?options=hunter2", "//u:hunter2%zz@h/app"]
        {
            let Err(error) = server(url) else { panic!("{url} is taken") };
            let error = error.to_string();
            assert!(!error.contains("hunt"), "{error}");
        }
    }
}
