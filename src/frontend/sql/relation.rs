//! What a column name in a statement refers to: the row being written, the row proposed for insertion, a row read.

use std::collections::BTreeMap;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor,
    TableWithJoins, With,
};

use crate::frontend::sql::text::shown;
use crate::frontend::sql::value::Values;
use crate::ir::{SqlValue, SqlValueKind};

/// Derived tables inside derived tables beyond this are columns without a known value.
const MAX_NESTING: usize = 6;

/// A table, or rows made in the statement itself, under the name that columns are qualified with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relation {
    pub(crate) alias: String,
    /// The table read; `None` for rows made in the statement.
    pub(crate) table: Option<String>,
    /// What the columns of rows made in the statement are.
    pub(crate) columns: BTreeMap<String, SqlValue>,
}

/// The names a value is read under.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The table being written and its alias.
    pub(crate) target: Vec<String>,
    /// The name of the row proposed for insertion, besides `EXCLUDED`.
    pub(crate) proposed: Option<String>,
    pub(crate) sources: Vec<Relation>,
    /// Common table expressions.
    pub(crate) ctes: Vec<Relation>,
    /// A value stands where no column can: in `VALUES`, a quoted name is a string.
    pub(crate) is_row: bool,
    pub(crate) nesting: usize,
}

/// The last part of a name, unquoted, substitutions as `${n}`.
pub(crate) fn last_name(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map_or_else(|| shown(&name.to_string()), ident)
}

pub(crate) fn ident(ident: &Ident) -> String {
    shown(&ident.value)
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

impl Scope {
    /// What `qualifier.column` is.
    pub(crate) fn column(&self, qualifier: Option<&str>, column: String) -> SqlValueKind {
        if let Some(qualifier) = qualifier {
            let is_proposed =
                same(qualifier, "EXCLUDED") || self.proposed.as_deref().is_some_and(|p| same(p, qualifier));
            if is_proposed {
                return SqlValueKind::Excluded(column);
            }
            if let Some(source) = self.sources.iter().find(|source| same(&source.alias, qualifier)) {
                return source.column(&column).unwrap_or_else(|| SqlValueKind::Column(format!("{qualifier}.{column}")));
            }
            if self.target.iter().any(|target| same(target, qualifier)) {
                return SqlValueKind::Column(column);
            }
            return SqlValueKind::Column(format!("{qualifier}.{column}"));
        }
        if let Some(made) = self.sources.iter().find_map(|source| source.made(&column)) {
            return made;
        }
        match self.sources.as_slice() {
            [only] if self.target.is_empty() => only.column(&column).unwrap_or(SqlValueKind::Column(column)),
            // Of which of several tables the column is, the statement alone does not tell.
            [_, _, ..] if self.target.is_empty() => SqlValueKind::Opaque(column),
            _ => SqlValueKind::Column(column),
        }
    }

    /// The scope of a query inside this one.
    fn inner(&self) -> Self {
        Self { ctes: self.ctes.clone(), nesting: self.nesting + 1, ..Self::default() }
    }
}

impl Relation {
    fn made(&self, column: &str) -> Option<SqlValueKind> {
        self.columns.iter().find(|(name, _)| same(name, column)).map(|(_, value)| value.kind.clone())
    }

    fn column(&self, column: &str) -> Option<SqlValueKind> {
        let of_table = || self.table.as_ref().map(|table| SqlValueKind::Column(format!("{table}.{column}")));
        self.made(column).or_else(of_table)
    }
}

impl Values<'_> {
    /// Adds the common table expressions of a `WITH`.
    pub(crate) fn add_ctes(&self, with: Option<&With>, scope: &mut Scope) {
        for cte in with.iter().flat_map(|with| &with.cte_tables) {
            let columns = self.derived(&cte.query, Some(&cte.alias), scope);
            let relation = Relation { alias: ident(&cte.alias.name), table: None, columns };
            scope.ctes.push(relation);
        }
    }

    /// The relations of a `FROM`.
    pub(crate) fn sources(&self, from: &[TableWithJoins], scope: &Scope) -> Vec<Relation> {
        let mut found = Vec::new();
        for table in from {
            let joined = table.joins.iter().map(|join| &join.relation);
            for factor in std::iter::once(&table.relation).chain(joined) {
                self.add_source(factor, scope, &mut found, 0);
            }
        }
        found
    }

    fn add_source(&self, factor: &TableFactor, scope: &Scope, found: &mut Vec<Relation>, depth: usize) {
        match factor {
            TableFactor::Table { name, alias, args, .. } => {
                let table = last_name(name);
                let called = alias.as_ref().map_or_else(|| table.clone(), |alias| ident(&alias.name));
                if let Some(args) = args {
                    let columns = function_columns(self, &table, &args.args, alias.as_ref(), scope);
                    found.push(Relation { alias: called, table: None, columns });
                } else if let Some(cte) = scope.ctes.iter().find(|cte| same(&cte.alias, &table)) {
                    found.push(Relation { alias: called, ..cte.clone() });
                } else {
                    found.push(Relation { alias: called, table: Some(table), columns: BTreeMap::new() });
                }
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let columns = self.derived(subquery, alias.as_ref(), scope);
                found.push(Relation { alias: alias_name(alias.as_ref()), table: None, columns });
            }
            TableFactor::UNNEST { alias, array_exprs, .. } => {
                let columns = self.unnested(array_exprs.iter(), alias.as_ref(), scope);
                found.push(Relation { alias: alias_name(alias.as_ref()), table: None, columns });
            }
            TableFactor::Function { name, args, alias, .. } => {
                let columns = function_columns(self, &last_name(name), args, alias.as_ref(), scope);
                found.push(Relation { alias: alias_name(alias.as_ref()), table: None, columns });
            }
            TableFactor::NestedJoin { table_with_joins, .. } if depth < MAX_NESTING => {
                let joined = table_with_joins.joins.iter().map(|join| &join.relation);
                for factor in std::iter::once(&table_with_joins.relation).chain(joined) {
                    self.add_source(factor, scope, found, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// The columns that a query makes, under the names its alias gives them or its own.
    fn derived(&self, query: &Query, alias: Option<&TableAlias>, scope: &Scope) -> BTreeMap<String, SqlValue> {
        if scope.nesting >= MAX_NESTING {
            return BTreeMap::new();
        }
        let mut names: Vec<Option<String>> =
            alias.iter().flat_map(|alias| &alias.columns).map(|column| Some(ident(&column.name))).collect();
        if names.is_empty()
            && let SetExpr::Select(select) = query.body.as_ref()
        {
            names = select.projection.iter().map(item_name).collect();
        }
        let rows = self.rows(query, &scope.inner());
        let mut columns = BTreeMap::new();
        for (at, name) in names.into_iter().enumerate() {
            let Some(name) = name else { continue };
            let mut values: Vec<SqlValue> = rows.iter().filter_map(|row| row.get(at)).cloned().collect();
            let Some(last) = values.pop() else { continue };
            let span = last.span;
            let value = if values.is_empty() {
                last
            } else {
                values.push(last);
                SqlValue { kind: SqlValueKind::Case(values), span }
            };
            columns.insert(name, value);
        }
        columns
    }

    /// `UNNEST($1, $2) AS t(a, b)`: each column is one element of an array.
    pub(crate) fn unnested<'e>(
        &self,
        arrays: impl Iterator<Item = &'e Expr>,
        alias: Option<&TableAlias>,
        scope: &Scope,
    ) -> BTreeMap<String, SqlValue> {
        let mut columns = BTreeMap::new();
        for (at, array) in arrays.enumerate() {
            let value = self.value(array, scope);
            let span = value.span;
            let element = SqlValue { kind: SqlValueKind::Call { name: "unnest".to_owned(), args: vec![value] }, span };
            let named = alias.and_then(|alias| alias.columns.get(at)).map(|column| ident(&column.name));
            let name = named.unwrap_or_else(|| if at == 0 { alias_name(alias) } else { format!("?{at}") });
            columns.insert(name, element);
        }
        columns
    }

    /// The values of a projection, one a column; `*` is spread where the columns are made in the statement.
    pub(crate) fn projection(&self, select: &Select, scope: &Scope) -> Vec<SqlValue> {
        let mut scope = scope.clone();
        scope.sources = self.sources(&select.from, &scope);
        let mut row = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    row.push(self.value(expr, &scope));
                }
                SelectItem::Wildcard(_) if self.spread_unnest(select, &scope, &mut row) => {}
                other => row.push(self.opaque(other, sqlparser::ast::Spanned::span(other))),
            }
        }
        row
    }

    /// `SELECT * FROM UNNEST($1, $2)`: the elements in order. A map of columns by name has lost their order.
    fn spread_unnest(&self, select: &Select, scope: &Scope, row: &mut Vec<SqlValue>) -> bool {
        let [TableWithJoins { relation, joins }] = select.from.as_slice() else { return false };
        let arrays: Vec<&Expr> = match relation {
            TableFactor::UNNEST { array_exprs, .. } => array_exprs.iter().collect(),
            TableFactor::Table { name, args: Some(args), .. } if same(&last_name(name), "unnest") => {
                args.args.iter().filter_map(argument).collect()
            }
            TableFactor::Function { name, args, .. } if same(&last_name(name), "unnest") => {
                args.iter().filter_map(argument).collect()
            }
            _ => return false,
        };
        if !joins.is_empty() {
            return false;
        }
        for array in arrays {
            row.extend(self.unnested(std::iter::once(array), None, scope).into_values());
        }
        true
    }
}

fn function_columns(
    values: &Values<'_>,
    function: &str,
    args: &[FunctionArg],
    alias: Option<&TableAlias>,
    scope: &Scope,
) -> BTreeMap<String, SqlValue> {
    if same(function, "unnest") {
        values.unnested(args.iter().filter_map(argument), alias, scope)
    } else {
        BTreeMap::new()
    }
}

/// The expression of a function's argument.
pub(crate) fn argument(arg: &FunctionArg) -> Option<&Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
        | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    }
}

fn alias_name(alias: Option<&TableAlias>) -> String {
    alias.map(|alias| ident(&alias.name)).unwrap_or_default()
}

fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(ident(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(ident(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(ident),
        _ => None,
    }
}
