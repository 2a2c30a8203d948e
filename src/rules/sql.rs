//! Calls that run SQL text.

use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern};

/// A builder that collects SQL text call by call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Collector {
    /// The call that starts one,
    pub call: CallPattern,
    /// ... and where in it the first text stands.
    pub text: ArgPath,
    /// Its methods: that append text, that append a value,
    pub append: Vec<String>,
    pub bind: Vec<String>,
    /// ... that give a list whose parts are appended with their argument in between,
    #[serde(default)]
    pub separated: Option<String>,
    /// ... but by these,
    #[serde(default)]
    pub unseparated: Vec<String>,
    /// ... that append a row for each element of the first argument, as the function in the second says,
    #[serde(default)]
    pub rows: Vec<String>,
    /// ... and that run what was collected.
    pub run: Vec<String>,
}

/// A call that runs SQL text. Where several rows fit one call, the first counts whose text and parameters are there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SqlCall {
    pub call: CallPattern,
    /// A method further left in whose arguments the text stands: `prepare` in `db.prepare(text).run(value)`.
    #[serde(default)]
    pub after: Option<String>,
    /// Where the text stands.
    pub text: ArgPath,
    /// Where the values of the placeholders stand: a path to an array (or an object, for named ones), or `1..` for the
    /// arguments from the second on, where an array stands for its elements. Empty: substitutions of the template.
    #[serde(default)]
    pub params: Option<ArgPath>,
    /// Whether it is the path of a file that the text stands in.
    #[serde(default)]
    pub file: bool,
    /// A method whose calls further left in the chain hand over one value each, in order: `bind`.
    #[serde(default)]
    pub bind: Option<String>,
    /// Whether a query gives the value of its first column instead of rows.
    #[serde(default)]
    pub scalar: bool,
    /// Whether it fails where there is no row.
    #[serde(default)]
    pub fails: bool,
    /// The key of a query's result under which its rows stand: `rows` of `const { rows } = await pool.query(..)`. What stands there may
    /// be the rows themselves.
    #[serde(default)]
    pub rows: Option<String>,
}
