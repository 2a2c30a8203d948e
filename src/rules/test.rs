//! Rows about tests: what the words of test libraries, and of what tests ask a database with, mean.

use serde::Deserialize;

use crate::rules::{Rules, path};

/// Words that mean one thing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestWords {
    pub says: TestSays,
    /// Names of functions, methods, macros (with `!`) and properties; `*` stands for any text in one.
    pub words: Vec<String>,
}

/// What a word in a test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestSays {
    /// What an assertion starts with: `expect(value)`, `assert.equal(..)`.
    Start,
    /// A property through which a value asserts something of itself: `value.should.equal(..)`.
    Should,
    /// The opposite of what follows.
    Not,
    /// The value is null or undefined.
    Nothing,
    /// There is a value.
    Value,
    Truthy,
    Falsy,
    /// Both are the same, or both are not.
    Equal,
    Different,
    /// So many elements.
    Length,
    /// No element.
    Empty,
    /// An object has these keys and values, or a key and its value.
    Holds,
    /// The table has no such column; it has one that cannot be NULL.
    NoColumn,
    NotNullColumn,
    /// A call that gives a row or rows; one that does so where it is handed a connection.
    Row,
    RowFrom,
    /// A call that gives how many rows there are, or whether there is one.
    Count,
    /// A method that reads a row again in place.
    Reload,
    /// What a query asks of a column: that it is NULL, or that it is not.
    IsNull,
    IsNotNull,
    /// What stands in for the real thing.
    Mock,
    /// A test, or tests, that do not run or may fail.
    Skip,
}

impl Rules {
    /// Whether a word in a test says that.
    pub fn says(&self, what: TestSays, word: &str) -> bool {
        let rows = self.test().filter(|row| row.says == what);
        rows.flat_map(|row| &row.words).any(|pattern| path::glob(pattern, word))
    }
}
