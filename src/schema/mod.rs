//! Which columns are tracked, under which names: `table.column` <-> `Model.property`, nullability and defaults.
//!
//! Input: the lowered schema files and entity classes, the rule packs, the configured columns. Output: a [`Schema`].
//!
//! Invariants: a property is bound to a column only through a model's own declaration, never by its name alone; what no
//! declaration says is `None`, not guessed.
//!
//! Example: `model User { hashedRt String? @@map("users") }` binds `users.hashedRt` to `User.hashedRt`, nullable, no default.

mod bind;
mod declared;
mod entities;
mod mentions;
mod migrations;
mod names;
mod reader;
mod tables;
#[cfg(test)]
mod tests;
mod typed;

pub use names::{names, words};

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::Config;
use crate::ir::Module;
use crate::rules::Rules;
use crate::schema::bind::Binder;
use crate::source::{FileId, Language, SourceSet, Span};
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
    /// Whether it may have columns that its declaration does not list.
    pub open: bool,
    /// The rule pack that knows the declaration; empty for Prisma and SQL.
    pub pack: String,
    /// Whether rows are read as this model; else they are only made to be written.
    pub readable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelSource {
    Prisma,
    /// A decorated class, or one that extends a library's model class.
    Entity,
    /// A call, at the model's span.
    Call,
    /// `CREATE TABLE` alone.
    Sql,
}

#[derive(Clone, Debug)]
pub struct Property {
    /// With a dot where its class is embedded: `tokens.access`.
    pub name: String,
    /// The column; for a relation the property's own name.
    pub column: String,
    pub nullable: Option<bool>,
    /// The default as written; `None`: there is none.
    pub default: Option<String>,
    /// The model on the other side.
    pub relation: Option<String>,
    /// Whether a row on the other side is written with the row.
    pub cascades: bool,
    /// Whether it is declared as (a part of) the key.
    pub is_key: bool,
    /// What is written of its type, with whatever stands around it; empty where nothing is.
    pub ty: String,
    pub span: Span,
}

impl Property {
    /// The key of a row under which it stands: `tokens` of `tokens.access`.
    pub fn first_key(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    /// What it is called in its own class: `access` of `tokens.access`.
    pub fn last_key(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
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

/// A configured column that the tree does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{table}.{column}: {}{}", self.place(), self.why(), self.offer())]
pub struct UnknownColumn {
    pub table: String,
    pub column: String,
    /// The configuration and the line of its `[[column]]`; `None` from the command line.
    pub at: Option<(PathBuf, u32)>,
    /// Whether the table is there and only the column is not.
    pub is_table_known: bool,
    /// `table.column` of the columns that the tree has under the most similar names, the most similar first.
    pub closest: Vec<String>,
}

impl UnknownColumn {
    fn place(&self) -> String {
        self.at.as_ref().map_or_else(String::new, |(file, line)| format!("{}:{line}: ", file.display()))
    }

    fn why(&self) -> String {
        if self.is_table_known {
            format!("no model of table {} has such a column", self.table)
        } else {
            format!("the tree declares no table {}, and no SQL in it names such a column", self.table)
        }
    }

    fn offer(&self) -> String {
        if self.closest.is_empty() { String::new() } else { format!("; closest: {}", self.closest.join(", ")) }
    }
}

/// Finds the models that `modules` declare and binds the configured columns to them.
///
/// # Errors
/// Every configured column that no model, migration or SQL statement knows.
pub fn bind(
    modules: &[&Module],
    sources: &SourceSet,
    rules: &Rules,
    config: &Config,
) -> Result<Schema, Vec<UnknownColumn>> {
    // Ids are ranks of paths, so this is the order in which migrations run.
    let mut modules = modules.to_vec();
    modules.sort_by_key(|module| module.file);
    let mut models = tables::prisma(&modules);
    models.extend(entities::entities(&modules, sources, rules));
    models.extend(declared::declared(&modules, sources, rules));
    let migrated = tables::sql(&modules, sources);
    let by_code = migrations::migrated(&modules, sources, rules);
    let typed = typed::typed(&modules, sources, rules);
    let declared = models.len();
    for table in &migrated {
        let is_declared = models.iter().take(declared).any(|model| model.table.eq_ignore_ascii_case(&table.table));
        if !is_declared {
            models.push(table.clone());
        }
    }
    // What calls make of a table says more of it than the types that code reads its rows as.
    for table in by_code.iter().chain(&typed) {
        if !models.iter().any(|model| model.table.eq_ignore_ascii_case(&table.table)) {
            models.push(table.clone());
        }
    }
    let migrated: Vec<Model> = migrated.into_iter().chain(by_code).chain(typed).collect();
    entities::complete(&mut models, &migrated, rules);
    let mut binder = Binder { models, migrated, modules: &modules, rules };
    let (mut columns, mut unknown) = (Vec::new(), Vec::new());
    for (at, column) in config.columns.iter().enumerate() {
        match binder.bind(column, at) {
            Ok(bound) => columns.push(bound),
            // What is to be gone, and is.
            Err(_) if column.is_to_be_gone() => {}
            Err(error) => unknown.push(UnknownColumn { at: config.file.clone().zip(column.line), ..error }),
        }
    }
    if unknown.is_empty() { Ok(Schema { models: binder.models, columns }) } else { Err(unknown) }
}

/// The names of the classes and types that the entities and tables of `modules` have columns from and that none of `modules` declares.
pub fn bases_elsewhere(modules: &[&Module], sources: &SourceSet, rules: &Rules) -> BTreeSet<String> {
    let mut names = entities::bases_elsewhere(modules, sources, rules);
    names.extend(typed::elsewhere(modules, sources, rules));
    names
}

/// The files that can declare a configured column whatever it is called in code: every Prisma schema, and the SQL files
/// that mention its table. Sorted.
pub fn schema_files(sources: &SourceSet, config: &Config) -> Vec<FileId> {
    let tables: Vec<String> = config.columns.iter().flat_map(|column| names::names(&column.table, "")).collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let is_sql = |id: &FileId| sources.get(*id).language == Language::Sql;
    let mut found: Vec<FileId> = sources.mentions(&tables).into_iter().flatten().filter(is_sql).collect();
    found.extend(sources.iter().filter(|(_, file)| file.language == Language::Prisma).map(|(id, _)| id));
    found.sort_unstable();
    found.dedup();
    found
}
