//! Rows about what is kept where others may take it: the storage of a browser, cookies.

use globset::GlobSet;
use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern, path};

/// A call that keeps something in the browser.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Web {
    pub call: CallPattern,
    pub keeps: Keeps,
    /// Where the name under which it is kept stands; `header`: the name of the header, absent where it is a cookie's anyway.
    #[serde(default)]
    pub name: Option<ArgPath>,
    /// The name where it is not stated.
    #[serde(default)]
    pub named: Option<String>,
    /// Absent: the library keeps what it makes.
    #[serde(default)]
    pub value: Option<ArgPath>,
    /// `cookie`: where the options stand; absent: they are calls on the result.
    #[serde(default)]
    pub options: Option<ArgPath>,
    /// `cookie`: the attributes that the library sets unless it is told not to.
    #[serde(default)]
    pub sets: Vec<Attribute>,
    /// Only in files at these places (globs), whose functions a framework hands the object to; there such rows go before others.
    #[serde(default, deserialize_with = "path::file_globs")]
    pub file: Vec<String>,
    /// `cookie`: what the library takes for all cookies, where it is set up.
    #[serde(default)]
    pub defaults: Option<Defaults>,
}

impl Web {
    /// The files that it is about; `None` where it is about all.
    pub fn files(&self) -> Option<GlobSet> {
        if self.file.is_empty() { None } else { path::file_set(&self.file) }
    }
}

/// Options that a library is given once, where it is set up: `app.register(cookie, { parseOptions })`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Defaults {
    pub call: CallPattern,
    /// The module that its first argument comes from.
    pub plugin: String,
    pub at: ArgPath,
}

/// What a cookie has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    HttpOnly,
    Secure,
    SameSite,
}

impl Attribute {
    /// As options name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::HttpOnly => "httpOnly",
            Self::Secure => "secure",
            Self::SameSite => "sameSite",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeps {
    /// `localStorage`, `sessionStorage`: every script of the page reads it.
    Storage,
    /// A cookie that a server sets.
    Cookie,
    /// A cookie that a script sets, and so reads.
    ScriptCookie,
    /// The text of a header that sets a cookie.
    Header,
}
