//! What schema files and migrations say about tables.

use crate::source::Span;

/// What one statement of a schema says about a table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The table's name in the database, unquoted, without its schema.
    pub name: String,
    /// The model's name where the schema language has one (`model User { @@map("users") }` is `User`).
    pub model: Option<String>,
    pub span: Span,
    pub change: TableChange,
    pub columns: Vec<ColumnDecl>,
    /// Columns dropped (`ALTER TABLE .. DROP COLUMN`).
    pub dropped: Vec<String>,
    /// Columns renamed: from, to.
    pub renamed: Vec<(String, String)>,
    /// The table's new name.
    pub renamed_to: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableChange {
    Create,
    Alter,
    Drop,
}

#[derive(Clone, Debug)]
pub struct ColumnDecl {
    /// In the database.
    pub name: String,
    /// In code; equal to `name` in SQL.
    pub property: String,
    pub ty: String,
    /// `None`: not said (`ALTER COLUMN SET DEFAULT`).
    pub nullable: Option<bool>,
    /// The default as written (`cuid()`, `'x'`); `Some("")`: the default was dropped.
    pub default: Option<String>,
    /// The model on the other side of a relation; such a property is no column.
    pub relation: Option<String>,
    pub list: bool,
    pub span: Span,
}
