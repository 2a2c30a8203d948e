//! Rows about who comes in with a token, and about what answers for them.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::rules::guard::plain;
use crate::rules::{CallPattern, path};

/// A cache whose entries have an end only where the code gives them one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lasting {
    /// What asks it, by the key that stands first.
    pub read: CallPattern,
    /// What writes an entry, by the same key.
    pub keep: CallPattern,
    /// The number of arguments of a write that says no end.
    pub plain: u8,
    /// The names of the methods that give an entry an end, or take it away.
    pub ends: Vec<String>,
}

/// Which rows say that a bearer is still there, and which words say that something else is asked about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bearer {
    /// Globs of names of tables and models of users, compared in lower case without `_`.
    pub tables: Vec<String>,
    /// The same of sessions, tokens, lists of what was revoked.
    pub sessions: Vec<String>,
    /// Globs of columns, compared likewise: a table that has one is of users whatever its name.
    pub columns: Vec<String>,
    /// Globs of keys, compared likewise, by which it is told who came in.
    #[serde(default)]
    pub names: Vec<String>,
    /// Words of keys and addresses: `rate` of `rate:42`.
    pub aside: Vec<String>,
    /// In lower case, what a request holds that whoever sends it may say of anybody: keys of it, and decorators and types of the
    /// parameters of handlers: `req.params`, `@Body()`, `Path<i64>`.
    #[serde(default)]
    pub said: Vec<String>,
}

impl Bearer {
    /// Whether rows of a table of that name are of bearers.
    pub fn is_table(&self, name: &str) -> bool {
        let name = plain(name);
        self.tables.iter().any(|glob| path::glob(glob, &name)) || self.is_session(&name)
    }

    /// Whether they are of sessions or tokens.
    pub fn is_session(&self, name: &str) -> bool {
        let name = plain(name);
        self.sessions.iter().any(|glob| path::glob(glob, &name))
    }

    /// Whether one of the columns says that its table is of bearers.
    pub fn has_column<'n>(&self, mut columns: impl Iterator<Item = &'n str>) -> bool {
        columns.any(|column| {
            let column = plain(column);
            self.columns.iter().any(|glob| path::glob(glob, &column))
        })
    }

    /// Whether a key says who came in.
    pub fn is_named_by(&self, key: &str) -> bool {
        let key = plain(key);
        self.names.iter().any(|glob| path::glob(glob, &key))
    }

    /// Whether a key, a decorator or a type is that of what a sender may say of anybody.
    pub fn is_said(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.said.contains(&name)
    }

    /// Whether one of the words says that something else is asked about.
    pub fn is_aside(&self, words: &BTreeSet<String>) -> bool {
        self.aside.iter().any(|word| words.contains(word))
    }
}
