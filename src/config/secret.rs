//! A database URL that cannot be shown by accident.

use std::fmt;

/// A database URL. `Debug` and `Display` show scheme, host, port and database at most: never a user, a password or a
/// parameter.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL as given, for the one place that connects.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `postgres://db.example:5432/app`. Where it cannot be told which part is the password, only the scheme.
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return "the database URL".to_owned();
        };
        let hidden = format!("{scheme}://...");
        if scheme == "sqlite" {
            return format!("{scheme}:{}", rest.split(['?', '#']).next().unwrap_or(""));
        }
        let Some(rest) = rest.strip_prefix("//") else { return hidden };
        let place = match rest.split_once('@') {
            Some((user, _)) if user.contains(['/', '?', '#']) => return hidden,
            Some((_, place)) => place,
            None => rest,
        };
        let (authority, _) = place.split_once(['/', '?', '#']).unwrap_or((place, ""));
        // A second `@`, or a colon that no port follows, means that the password is not escaped.
        let port_is_sane = authority.ends_with(']')
            || authority.rsplit_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        if authority.contains('@') || !port_is_sane {
            return hidden;
        }
        let shown = place.split(['?', '#']).next().unwrap_or("");
        if shown.contains('@') { hidden } else { format!("{scheme}://{shown}") }
    }
}

fn is_scheme(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({})", self.shown())
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::SecretUrl;

    #[test]
    fn only_scheme_host_port_and_database_are_shown() {
        for (url, shown) in [
            ("postgres://u:hunter2@db.example:5432/app?sslmode=require", "postgres://db.example:5432/app"),
            ("mysql://db/app", "mysql://db/app"),
            ("postgres://u:hunter2@[::1]/app", "postgres://[::1]/app"),
            ("sqlite:data/app.db?mode=ro", "sqlite:data/app.db"),
            ("sqlite://data/app.db", "sqlite://data/app.db"),
        ] {
            assert_eq!(SecretUrl::new(url).shown(), shown);
            assert_eq!(format!("{:?}", SecretUrl::new(url)), format!("SecretUrl({shown})"));
        }
    }

    #[test]
    fn no_part_of_a_password_is_shown_however_it_is_written() {
        for url in [
            "postgres://u:hun@ter2@db/app",
            "postgres://u:hun/ter2@db/app",
            "postgres://u:hun?ter2@db/app",
            "postgres://u:hun#ter2@db/app",
            "postgres://db/app?password=hun@ter2",
            "postgres://db/app?password=hunter2",
            "postgres://u:hunter2",
            "hunter2",
            "u:hunter2@db",
            "//u:hunter2@db",
        ] {
            let shown = SecretUrl::new(url).to_string();
            assert!(!shown.contains("hun") && !shown.contains("ter2"), "{url} is shown as {shown}");
        }
    }
}
