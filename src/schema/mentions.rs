//! Columns that no schema declares, known from the code that uses them.

use std::collections::BTreeSet;

use crate::ir::{Conflict, Entry, ExprKind, Item, Module, SqlStatement};
use crate::rules::Rules;
use crate::schema::names::{bare, camel};
use crate::schema::{Model, ModelSource, Property};
use crate::source::Span;

/// A model of just one column, for a table that no schema declares but statements or calls in the tree use.
pub(crate) fn mentioned(modules: &[&Module], rules: &Rules, table: &str, column: &str) -> Option<Model> {
    let statements = modules.iter().flat_map(|module| &module.exprs).filter_map(|expr| match &expr.kind {
        ExprKind::Sql(sql) => Some(&sql.statements),
        _ => None,
    });
    let in_sql = statements.flatten().find_map(|statement| mention(statement, table, column));
    let (name, property) = match in_sql {
        Some((name, span)) => (name, bare_property(column, column, span)),
        None => (table.to_owned(), called(modules, rules, table, column)?),
    };
    Some(Model {
        name: name.clone(),
        table: name,
        span: property.span,
        class: None,
        source: ModelSource::Sql,
        properties: vec![property],
        open: true,
        pack: String::new(),
        readable: true,
    })
}

/// The property under which code uses a column: an object's key, a field of a class, an element of a list of names.
pub(crate) fn used(modules: &[&Module], column: &str) -> Option<Property> {
    let in_code = camel(column);
    [column, in_code.as_str()].into_iter().find_map(|name| {
        let span = modules.iter().find_map(|module| use_of(module, name))?;
        Some(bare_property(name, column, span))
    })
}

fn use_of(module: &Module, name: &str) -> Option<Span> {
    let declared = || module.classes.iter().flat_map(|class| &class.fields).find(|field| field.name == name);
    let in_expr = module.exprs.iter().find_map(|expr| match &expr.kind {
        ExprKind::Object(entries) => entries.iter().find_map(|entry| match entry {
            Entry::Named { key, key_span, .. } if key == name => Some(*key_span),
            _ => None,
        }),
        ExprKind::Array(items) => items.iter().find_map(|item| match item {
            Item::One(value) => match &module.exprs.get(value.at())?.kind {
                ExprKind::Text(text) if bare(text) == name => Some(expr.span),
                _ => None,
            },
            _ => None,
        }),
        ExprKind::Call(call) => call.args.iter().find_map(|arg| match &module.exprs.get(arg.value.at())?.kind {
            ExprKind::Text(text) if bare(text) == name => Some(expr.span),
            _ => None,
        }),
        _ => None,
    });
    in_expr.or_else(|| declared().map(|field| field.span))
}

fn bare_property(name: &str, column: &str, span: Span) -> Property {
    let (name, column) = (name.to_owned(), column.to_owned());
    Property {
        name,
        column,
        nullable: None,
        default: None,
        relation: None,
        cascades: false,
        is_key: false,
        ty: String::new(),
        span,
    }
}

/// A column of a table that a query builder is given by name: `knex('users')`, `db.insertInto('users')`.
fn called(modules: &[&Module], rules: &Rules, table: &str, column: &str) -> Option<Property> {
    let writes = rules.write().filter_map(|row| row.after.as_deref());
    let methods: BTreeSet<&str> = writes.chain(rules.read().filter_map(|row| row.after.as_deref())).collect();
    let names_table = |module: &Module| {
        module.exprs.iter().any(|expr| {
            let ExprKind::Call(call) = &expr.kind else { return false };
            let method = match module.exprs.get(call.callee.at()).map(|expr| &expr.kind) {
                Some(ExprKind::Field { name, .. }) => name.as_str(),
                _ => "()",
            };
            methods.contains(method)
                && call.args.first().is_some_and(|arg| match module.exprs.get(arg.value.at()).map(|expr| &expr.kind) {
                    Some(ExprKind::Text(text)) => of_table(text).eq_ignore_ascii_case(table),
                    _ => false,
                })
        })
    };
    modules.iter().any(|module| names_table(module)).then(|| used(modules, column)).flatten()
}

/// `public.users as u` is `users`.
fn of_table(text: &str) -> &str {
    bare(text.split_whitespace().next().unwrap_or(text))
}

/// The table as the statement spells it, where the statement names the column.
fn mention(statement: &SqlStatement, table: &str, column: &str) -> Option<(String, Span)> {
    let is_column = |name: &str| name.eq_ignore_ascii_case(column);
    let (names, span, is_named) = match statement {
        SqlStatement::Insert { table, span, columns, conflict, .. } => {
            let on_conflict = match conflict {
                Some(Conflict::Update(sets)) => sets.as_slice(),
                _ => &[],
            };
            let is_named =
                columns.iter().any(|(name, _)| is_column(name)) || on_conflict.iter().any(|(name, _)| is_column(name));
            (std::slice::from_ref(table), span, is_named)
        }
        SqlStatement::Update { table, span, sets } => {
            (std::slice::from_ref(table), span, sets.iter().any(|(name, _)| is_column(name)))
        }
        SqlStatement::Select { tables, columns, span, .. } => {
            (tables.as_slice(), span, columns.iter().any(|name| is_column(name)))
        }
        SqlStatement::Delete { table, span } => (std::slice::from_ref(table), span, false),
    };
    let name = names.iter().find(|name| name.eq_ignore_ascii_case(table)).filter(|_| is_named)?;
    Some((name.clone(), *span))
}
