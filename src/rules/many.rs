//! Rows about queries that give what they find as a list.

use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern};

/// A query that gives a list, or a result that holds one: it is there whether or not somebody was found, so that `if (!users)` never holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Many {
    pub call: CallPattern,
    /// Methods anywhere in the chain by which it gives one row or none: `first`.
    #[serde(default)]
    pub unless: Vec<String>,
    /// Where `true` says the same: Sequelize's `plain`.
    #[serde(default)]
    pub one: Option<ArgPath>,
    /// Methods that may follow, whose results are as much: `lean`.
    #[serde(default)]
    pub then: Vec<String>,
    /// Keys of the result under which the list stands: `rows` of pg.
    #[serde(default)]
    pub below: Vec<String>,
    /// Whether the list is the first thing in the result: `[rows, fields]` of mysql2.
    #[serde(default)]
    pub first: bool,
    /// Keys of the result, or of the list, that say how many were found.
    #[serde(default)]
    pub counted: Vec<String>,
}
