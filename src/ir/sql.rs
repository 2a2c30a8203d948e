//! SQL inside the program: statements reduced to which column gets which value.

use crate::ir::{ExprId, Routines};
use crate::source::Span;

/// A piece of SQL, from a `.sql` file, a string literal or a template.
#[derive(Clone, Debug, Default)]
pub struct SqlText {
    pub statements: Vec<SqlStatement>,
    /// The substitutions of a template in order; [`SqlValueKind::Hole`] points here.
    pub holes: Vec<ExprId>,
    /// The placeholders that stand for names, `??` of mysql: the substitutions `${n}` behind those of the template.
    pub names: Vec<usize>,
    /// The substitutions that put in a part of the statement, where no value can stand: `SET a = 1${more} WHERE ..`.
    pub fragments: Vec<usize>,
    /// The text itself, so that it can be read again with more behind it; empty for a `.sql` file.
    pub parts: Vec<SqlPart>,
    /// Of a text that is only a part of a statement: what it sets where it is put behind `SET`.
    pub assignments: Vec<(String, SqlValue)>,
    /// What it says of triggers. What bodies assign to new rows becomes statements when the file is read as a whole.
    pub routines: Routines,
    /// Why a part of the text could not be parsed.
    pub gap: Option<String>,
}

/// A part of a text that a program writes.
#[derive(Clone, Debug)]
pub enum SqlPart {
    /// As the source writes it, escapes and all, from a byte of the file on.
    Written(String, u32),
    /// Text that these bytes of the file put in.
    Put(String, Span),
    /// A substitution.
    Hole(Span),
}

/// Table and column names are unquoted, without schema.
#[derive(Clone, Debug)]
pub enum SqlStatement {
    Insert {
        table: String,
        span: Span,
        /// Empty: every column of the table in its order.
        columns: Vec<(String, Span)>,
        /// One list of values a row; a `SELECT` source is one row of its projection.
        rows: Vec<Vec<SqlValue>>,
        conflict: Option<Conflict>,
    },
    Update {
        table: String,
        span: Span,
        sets: Vec<(String, SqlValue)>,
    },
    /// A query: the tables it reads and the columns it names anywhere; `*` stands for all.
    Select {
        tables: Vec<String>,
        columns: Vec<String>,
        /// What its rows hold; empty where that was not told.
        outputs: Vec<SqlOutput>,
        span: Span,
    },
    Delete {
        table: String,
        span: Span,
    },
}

/// What the rows of a query hold under a name.
#[derive(Clone, Debug)]
pub struct SqlOutput {
    /// `*`: each column under its own name.
    pub name: String,
    /// The table that a qualifier names.
    pub table: Option<String>,
    /// `None` where it is no column but made in the statement.
    pub column: Option<String>,
}

/// What an `INSERT` does with a row that is there already.
#[derive(Clone, Debug)]
pub enum Conflict {
    Nothing,
    /// `ON CONFLICT DO UPDATE SET`, `ON DUPLICATE KEY UPDATE`.
    Update(Vec<(String, SqlValue)>),
    /// `REPLACE`, `INSERT OR REPLACE`: the old row goes.
    Replace,
}

#[derive(Clone, Debug)]
pub struct SqlValue {
    pub kind: SqlValueKind,
    pub span: Span,
}

/// The name of an assignment that stands for all that an object has: `SET ?` of mysql and mysql2
/// (<https://github.com/mysqljs/mysql#escaping-query-values>).
pub const WHOLE_ROW: &str = "?";

#[derive(Clone, Debug)]
pub enum SqlValueKind {
    Null,
    /// `DEFAULT`.
    Default,
    Text(String),
    /// A number, a boolean, a typed literal.
    Literal(String),
    /// The nth bound parameter, from 0: `$1` is 0; `?` counts up.
    Placeholder(usize),
    /// `:name`, `@name`.
    Named(String),
    /// The nth substitution of the template around.
    Hole(usize),
    /// A column of the row being written or read.
    Column(String),
    /// `EXCLUDED.column`, `VALUES(column)`: what the insert wanted to write.
    Excluded(String),
    Call {
        name: String,
        args: Vec<SqlValue>,
    },
    /// The nth value of each row of a list of rows: `VALUES ?` of mysql and mysql2.
    OfRows(Box<SqlValue>, usize),
    Coalesce(Vec<SqlValue>),
    /// The results of a `CASE`, the `ELSE` last (`NULL` where there is none).
    Case(Vec<SqlValue>),
    Concat(Vec<SqlValue>),
    /// A sub-query or an expression that is not modelled, as text.
    Opaque(String),
}
