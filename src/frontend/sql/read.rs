//! What a statement reads: tables, and columns named anywhere.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, ObjectName, Query, Select, SelectItem, Visit, Visitor};

use crate::frontend::sql::relation::{ident, last_name};
use crate::frontend::sql::text::pieces;
use crate::ir::SqlStatement;
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
    reads.finish(span)
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
        Some(SqlStatement::Select { tables, columns: self.columns.into_iter().collect(), span })
    }
}
