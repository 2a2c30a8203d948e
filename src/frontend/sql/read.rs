//! What a statement reads: tables, and columns named anywhere.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins,
    Visit, Visitor,
};

use crate::frontend::sql::relation::{ident, last_name};
use crate::frontend::sql::text::{Piece, pieces};
use crate::ir::{SqlOutput, SqlStatement};
use crate::source::Span;

/// Collected over parts of a statement.
#[derive(Default)]
pub(crate) struct Reads {
    tables: BTreeSet<String>,
    columns: BTreeSet<String>,
    ctes: BTreeSet<String>,
}

impl Visitor for Reads {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.extend(tables.map(|cte| ident(&cte.alias.name)));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let is_all = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        if select.projection.iter().any(is_all) {
            self.columns.insert("*".to_owned());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.tables.insert(last_name(relation));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        let is_marked = |text: &str| pieces(text).len() != 1 || crate::frontend::sql::text::hole(text).is_some();
        if let Some(name) = name.filter(|name| !name.value.starts_with('@') && !is_marked(&name.value)) {
            self.columns.insert(ident(name));
        }
        ControlFlow::Continue(())
    }
}

/// A query as a `Select`; `None` where it names no table.
pub(crate) fn select(query: &Query, span: Span) -> Option<SqlStatement> {
    let mut reads = Reads::default();
    reads.see(query);
    let mut found = reads.finish(span)?;
    if let (SqlStatement::Select { outputs, .. }, SetExpr::Select(select)) = (&mut found, query.body.as_ref()) {
        let aliases = aliases(select);
        *outputs = select.projection.iter().map(|item| output(item, &aliases)).collect();
    }
    Some(found)
}

/// The tables of a `FROM` by the names that columns are qualified with.
fn aliases(select: &Select) -> Vec<(String, String)> {
    let joined = |from: &TableWithJoins| {
        let joins = from.joins.iter().map(|join| join.relation.clone());
        std::iter::once(from.relation.clone()).chain(joins).collect::<Vec<_>>()
    };
    let named = |factor: TableFactor| match factor {
        TableFactor::Table { name, alias, .. } => {
            let table = last_name(&name);
            Some((alias.map_or_else(|| table.clone(), |alias| ident(&alias.name)), table))
        }
        _ => None,
    };
    select.from.iter().flat_map(joined).filter_map(named).collect()
}

fn output(item: &SelectItem, aliases: &[(String, String)]) -> SqlOutput {
    let table_of = |qualifier: Option<String>| {
        let qualifier = qualifier?;
        let found = aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&qualifier));
        Some(found.map_or(qualifier, |(_, table)| table.clone()))
    };
    let all = |table| SqlOutput { name: "*".to_owned(), table, column: Some("*".to_owned()) };
    let (expr, alias) = match item {
        SelectItem::UnnamedExpr(expr) => (expr, None),
        SelectItem::ExprWithAlias { expr, alias } => (expr, Some(output_name(&ident(alias)))),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            return all(table_of(Some(last_name(name))));
        }
        _ => return all(None),
    };
    let (table, column) = match expr {
        // Columns that are put in at run time.
        Expr::Identifier(name) if pieces(&name.value) != [Piece::Text(&name.value)] => return all(None),
        Expr::Identifier(name) => (None, Some(ident(name))),
        Expr::CompoundIdentifier(parts) => {
            let mut parts = parts.iter().rev().map(ident);
            let column = parts.next();
            (table_of(parts.next()), column)
        }
        _ => (None, None),
    };
    let name = alias.or_else(|| column.clone()).unwrap_or_default();
    SqlOutput { name, table, column }
}

/// `token!: String` tells sqlx what to make of the column `token`.
fn output_name(alias: &str) -> String {
    alias.split(['!', '?', ':']).next().unwrap_or(alias).trim().to_owned()
}

impl Reads {
    pub(crate) fn see<V: Visit>(&mut self, node: &V) {
        let _ = node.visit(self);
    }

    /// What the conditions of a write of `target` read beside their own tables; `None` where they name no column.
    pub(crate) fn of_write(mut self, target: Option<&str>, span: Span) -> Option<SqlStatement> {
        self.tables.extend(target.map(str::to_owned));
        if self.columns.is_empty() { None } else { self.finish(span) }
    }

    fn finish(self, span: Span) -> Option<SqlStatement> {
        let is_table = |table: &String| !self.ctes.iter().any(|cte| cte.eq_ignore_ascii_case(table));
        let tables: Vec<String> = self.tables.iter().filter(|table| is_table(table)).cloned().collect();
        if tables.is_empty() {
            return None;
        }
        let columns = self.columns.into_iter().collect();
        Some(SqlStatement::Select { tables, columns, outputs: Vec::new(), span })
    }
}
