//! Tables that schema files declare: Prisma models as they are, SQL as the state after all migrations.

use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{ColumnDecl, Module, Table, TableChange};
use crate::schema::{Model, ModelSource, Property, migrations};
use crate::source::{Language, Scope, SourceSet, Span};

/// The models of all Prisma schemas, in the order of the files.
pub(crate) fn prisma(modules: &[&Module]) -> Vec<Model> {
    let tables = || modules.iter().flat_map(|module| &module.tables);
    let names: BTreeSet<&str> = tables().filter_map(|table| table.model.as_deref()).collect();
    let declared = tables().filter_map(|table| table.model.as_ref().map(|name| (name, table)));
    declared
        .map(|(name, table)| Model {
            name: name.clone(),
            table: table.name.clone(),
            span: table.span,
            class: None,
            source: ModelSource::Prisma,
            properties: table.columns.iter().map(|column| property(column, &names)).collect(),
            open: false,
            pack: String::new(),
            readable: true,
        })
        .collect()
}

fn property(column: &ColumnDecl, models: &BTreeSet<&str>) -> Property {
    // What is no model is an enum of another file, stored like a scalar.
    let relation = column.relation.clone().filter(|target| models.contains(target.as_str()));
    Property {
        name: column.property.clone(),
        column: if relation.is_some() { column.property.clone() } else { column.name.clone() },
        nullable: column.nullable,
        default: column.default.clone().filter(|default| is_value(default)),
        relation,
        cascades: false,
        is_key: false,
        ty: column.ty.clone(),
        span: column.span,
    }
}

/// Whether a default is one: `DEFAULT NULL` says no more than no default.
pub(crate) fn is_value(default: &str) -> bool {
    let default = default.trim();
    let upper = default.to_ascii_uppercase();
    !(default.is_empty() || upper == "NULL" || upper.starts_with("NULL::") || upper == "UNDEFINED")
}

/// The tables that SQL leaves behind. Each folder of migrations is a database of its own, read in path order; files and
/// sections that undo a migration are passed over.
pub(crate) fn sql(modules: &[&Module], sources: &SourceSet) -> Vec<Model> {
    let mut databases: BTreeMap<(String, String), Model> = BTreeMap::new();
    let path = |module: &Module| sources.get(module.file).path.as_str();
    let mut modules: Vec<&Module> = modules.iter().copied().filter(|module| !undoes(path(module))).collect();
    modules.sort_by_cached_key(|module| turn(path(module)));
    for module in modules {
        let path = path(module);
        let counts = |table: &&Table| table.model.is_none() && stays(table, module, sources);
        for table in module.tables.iter().filter(counts) {
            apply(table, family(path), &mut databases);
        }
    }
    databases.into_values().collect()
}

/// Whether what a program says of a table is so afterwards: not what undoes a migration, nor what a test makes for itself, and only a
/// migration changes a table for good.
fn stays(table: &Table, module: &Module, sources: &SourceSet) -> bool {
    let file = sources.get(module.file);
    let is_made = table.change == TableChange::Create;
    match (file.language, file.scope) {
        (Language::Sql | Language::Prisma, _) => true,
        (_, Scope::Test) => false,
        (_, Scope::Migration) => !migrations::undoes(module, table.span),
        _ => is_made && !migrations::undoes(module, table.span),
    }
}

/// When a migration runs: numbers as numbers, so that `V2` comes before `V10`, and dates whether they are written with dashes or without
/// (Diesel takes `2017-09-23-182408` and `20170923182408` for the same version).
pub(crate) fn turn(path: &str) -> String {
    let (mut key, mut digits) = (String::new(), String::new());
    let pad = |key: &mut String, digits: &mut String| {
        let digits = std::mem::take(digits);
        // Longer than any number that a tool gives.
        let zeros = "0".repeat(30_usize.saturating_sub(digits.len()));
        match digits.len() {
            0 => {}
            // A date may go on with a time.
            8.. => key.extend([digits, zeros]),
            _ => key.extend([zeros, digits]),
        }
    };
    let mut rest = path.chars().peekable();
    while let Some(c) = rest.next() {
        let is_joint = c == '-' && !digits.is_empty() && rest.peek().is_some_and(char::is_ascii_digit);
        if c.is_ascii_digit() {
            digits.push(c);
        } else if !is_joint {
            pad(&mut key, &mut digits);
            key.push(c);
        }
    }
    pad(&mut key, &mut digits);
    key
}

/// Whether the file's name says that it undoes a migration: `down.sql`, `0001_x.down.sql`, `down/0001.sql`.
fn undoes(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let mut parts = lower.rsplit('/');
    let stem = parts.next().unwrap_or("").trim_end_matches(".sql");
    let is_down = |text: &str| matches!(text, "down" | "undo" | "rollback" | "revert");
    let last = stem.rsplit(['.', '_', '-']).next().unwrap_or("");
    is_down(last) || parts.next().is_some_and(is_down)
}

/// The folder whose files belong together: that of the file, or the one above where each migration has its own folder.
fn family(path: &str) -> &str {
    let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
    let name = folder.rsplit('/').next().unwrap_or("");
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        folder.rsplit_once('/').map_or("", |(above, _)| above)
    } else {
        folder
    }
}

fn apply(table: &Table, family: &str, databases: &mut BTreeMap<(String, String), Model>) {
    let key = (family.to_owned(), table.name.to_lowercase());
    match table.change {
        TableChange::Drop => {
            databases.remove(&key);
        }
        TableChange::Create => {
            // `CREATE TABLE IF NOT EXISTS` of a table that is there, or a dump beside migrations: what is new counts.
            let model = databases.entry(key).or_insert_with(|| empty(&table.name, table.span));
            for column in &table.columns {
                declare(model, column);
            }
        }
        TableChange::Alter => {
            let elsewhere = || databases.keys().find(|(_, name)| *name == key.1).cloned();
            let key = if databases.contains_key(&key) { key } else { elsewhere().unwrap_or(key) };
            let model = databases.entry(key.clone()).or_insert_with(|| empty(&table.name, table.span));
            for name in &table.dropped {
                model.properties.retain(|property| !property.column.eq_ignore_ascii_case(name));
            }
            for (from, to) in &table.renamed {
                for property in model.properties.iter_mut().filter(|p| p.column.eq_ignore_ascii_case(from)) {
                    property.column.clone_from(to);
                    property.name.clone_from(to);
                }
            }
            for column in &table.columns {
                declare(model, column);
            }
            if let Some(to) = &table.renamed_to
                && let Some(mut model) = databases.remove(&key)
            {
                model.name.clone_from(to);
                model.table.clone_from(to);
                databases.insert((key.0, to.to_lowercase()), model);
            }
        }
    }
}

/// A model of a table that SQL alone declares, without columns yet.
pub(super) fn empty(table: &str, span: Span) -> Model {
    Model {
        name: table.to_owned(),
        table: table.to_owned(),
        span,
        class: None,
        source: ModelSource::Sql,
        properties: Vec::new(),
        open: false,
        pack: String::new(),
        readable: true,
    }
}

fn declare(model: &mut Model, column: &ColumnDecl) {
    let default = column.default.clone().filter(|default| is_value(default));
    let Some(known) = model.properties.iter_mut().find(|property| property.column.eq_ignore_ascii_case(&column.name))
    else {
        model.properties.push(Property {
            name: column.property.clone(),
            column: column.name.clone(),
            nullable: column.nullable,
            default,
            relation: None,
            cascades: false,
            is_key: false,
            ty: column.ty.clone(),
            span: column.span,
        });
        return;
    };
    let is_whole = column.nullable.is_some() && !column.ty.is_empty();
    known.nullable = column.nullable.or(known.nullable);
    if is_whole || column.default.is_some() {
        known.default = default;
    }
    if is_whole {
        known.span = column.span;
    }
}

#[cfg(test)]
mod tests {
    use super::turn;

    #[test]
    fn migrations_run_by_number_and_date_however_these_are_written() {
        let mut paths = [
            "m/V10__c.sql",
            "m/2017-09-23-182408_b/up.sql",
            "m/V2__b.sql",
            "m/20170804_a/up.sql",
            "m/2018-01-02_c/up.sql",
        ];
        paths.sort_by_key(|path| turn(path));
        assert_eq!(
            paths,
            [
                "m/20170804_a/up.sql",
                "m/2017-09-23-182408_b/up.sql",
                "m/2018-01-02_c/up.sql",
                "m/V2__b.sql",
                "m/V10__c.sql"
            ]
        );
    }
}
