//! What is wrong with a configuration: where, and what to do. No message holds a URL or the value of a wrongly typed key.

use std::path::{Path, PathBuf};

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {what} {}: {why}", file.display())]
    Unreadable { what: &'static str, file: PathBuf, why: String },
    /// `line` is 1-based.
    #[error("{}:{line}: {message}", file.display())]
    Invalid { file: PathBuf, line: u32, message: String },
    /// A column on the command line that is no `TABLE.COLUMN`.
    #[error("{0}")]
    ColumnName(String),
}

/// A configuration's text, to turn offsets into lines.
pub(crate) struct Origin<'a> {
    pub(crate) file: &'a Path,
    pub(crate) text: &'a str,
}

impl Origin<'_> {
    /// The 1-based line that holds byte `offset`.
    pub(crate) fn line(&self, offset: usize) -> u32 {
        let before = self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count();
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn error(&self, offset: usize, message: impl AsRef<str>) -> ConfigError {
        ConfigError::Invalid {
            file: self.file.to_owned(),
            line: self.line(offset),
            message: without_urls(message.as_ref()),
        }
    }

    /// An error of the `toml` crate, said so that one knows what to do.
    pub(crate) fn typed_wrongly(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let there = self.text.get(span.clone()).unwrap_or("");
        let said = error.message();
        let message = if let Some(rest) = said.strip_prefix("unknown field ") {
            let known: Vec<&str> =
                rest.rsplit_once("expected").map_or("", |(_, list)| list).split('`').skip(1).step_by(2).collect();
            unknown_key(there.trim_matches(['"', '\'']), &known)
        } else if said.starts_with("invalid type: map, expected a sequence") {
            "write this table with double brackets, as in [[column]]: there can be several".to_owned()
        } else if let Some((found, expected)) =
            said.strip_prefix("invalid type: ").and_then(|s| s.rsplit_once(", expected "))
        {
            // The value itself is left out: it may be a URL that stands in the wrong place.
            let kind = found.split(['"', '`']).next().unwrap_or("").trim();
            let expected = if expected.starts_with("struct ") { "a table" } else { expected };
            let expected = if expected == "a sequence" { "a list" } else { expected };
            format!("expected {expected} here, found {}", article(kind))
        } else {
            format!("this is not TOML: {said}")
        };
        self.error(span.start, message)
    }
}

fn article(kind: &str) -> String {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { format!("an {kind}") } else { format!("a {kind}") }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let bare: String = key.to_ascii_lowercase().replace('_', "-");
    if known.contains(&"url-env")
        && (bare.contains("url") || bare.contains("dsn") || bare.contains("password") || bare.contains("connection"))
        && bare != "url-env"
    {
        return format!(
            "`{key}` cannot stand here: a database URL holds a password, so it never goes into the file. Put it into an \
             environment variable and name that, as in url-env = \"REPLICA_URL\""
        );
    }
    unknown("key", key, known)
}

/// ``unknown key `tabel`; did you mean `table`? Known: ...``
pub(crate) fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let meant = closest(word, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let end = if meant.is_empty() { "." } else { "" };
    format!("unknown {what} `{word}`{meant}{end} Known here: {list}")
}

/// The name nearest to what was typed, if one is near enough to have been meant.
pub fn closest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::osa_distance(&typed, &name.to_lowercase()), *name))
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 3)
        .min()
        .map(|(_, name)| name)
}

/// Whatever looks like a URL becomes `<URL>`: it may hold a password.
pub fn without_urls(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for piece in message.split_inclusive(char::is_whitespace) {
        if piece.contains("://") {
            out.push_str("<URL>");
            out.extend(piece.chars().rev().take_while(|c| c.is_whitespace()));
        } else {
            out.push_str(piece);
        }
    }
    out
}
