//! Which columns are tracked, under which names: `table.column` <-> `Model.property`, nullability and defaults.
//!
//! Input: the lowered schema files and entity classes, the rule packs, the configured columns. Output: a [`Schema`].
//!
//! Invariants: a property is bound to a column only through a model's own declaration, never by its name alone; what no
//! declaration says is `None`, not guessed.
//!
//! Example: `model User { hashedRt String? @@map("users") }` binds `users.hashedRt` to `User.hashedRt`, nullable, no default.

use crate::source::Span;
use crate::summary::ClassRef;

/// The models of the tree that matter and the tracked columns.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub models: Vec<Model>,
    /// In the order of the configuration.
    pub columns: Vec<TrackedColumn>,
}

/// Index into [`Schema::models`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub usize);

/// Index into [`Schema::columns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub usize);

/// A table as code sees it. One table can have several models; a table known from SQL alone has a model named after it.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: String,
    pub table: String,
    pub span: Span,
    /// The entity class, where the model is one.
    pub class: Option<ClassRef>,
    pub source: ModelSource,
    pub properties: Vec<Property>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelSource {
    Prisma,
    /// A decorated class.
    Entity,
    /// `CREATE TABLE` alone.
    Sql,
}

#[derive(Clone, Debug)]
pub struct Property {
    pub name: String,
    /// The column; for a relation the property's own name.
    pub column: String,
    pub nullable: Option<bool>,
    /// The default as written; `None`: there is none.
    pub default: Option<String>,
    /// The model on the other side.
    pub relation: Option<String>,
    pub span: Span,
}

/// A configured column, bound.
#[derive(Clone, Debug)]
pub struct TrackedColumn {
    pub table: String,
    pub column: String,
    /// Index into the configuration's columns.
    pub config: usize,
    /// Every model of the table with the property's index in it. Never empty.
    pub bindings: Vec<(ModelId, usize)>,
    /// Merged over models and migrations.
    pub nullable: Option<bool>,
    pub default: Option<String>,
}
