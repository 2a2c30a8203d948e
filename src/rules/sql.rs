//! Calls that run SQL text.

use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern};

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
