//! Rows about what says that a user may not come in any more.

use serde::Deserialize;

use crate::rules::guard::plain;
use crate::rules::{CallPattern, path};

/// A name that says that a user may not come in any more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Status {
    /// Globs of property names, compared in lower case without `_`.
    pub names: Vec<String>,
    /// Decorators of a property that the library itself filters by.
    #[serde(default)]
    pub automatic: Vec<CallPattern>,
    /// Calls, decorators and keys of options by which every query of a model asks by itself.
    #[serde(default)]
    pub always: Vec<String>,
    /// Methods in the chain of a look-up that leaves that out,
    #[serde(default)]
    pub skips: Vec<String>,
    /// ... and the look-ups that run such a call where its first argument names some.
    #[serde(default)]
    pub hooked: Vec<Hooked>,
}

/// The methods that a hook by a name runs for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hooked {
    pub hook: String,
    pub by: Vec<String>,
}

impl Status {
    /// Whether a property says it.
    pub fn fits(&self, name: &str) -> bool {
        let name = plain(name);
        self.names.iter().any(|glob| path::glob(glob, &name))
    }
}
