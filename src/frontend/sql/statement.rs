//! Statements as sqlparser gives them -> [`SqlStatement`]s.

use std::collections::BTreeMap;

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Insert, Merge, MergeAction, MergeInsertKind,
    MergeUpdateKind, ObjectName, OnConflictAction, OnInsert, Query, SetExpr, Spanned, SqliteOnConflict, Statement,
    TableFactor, TableObject, TableWithJoins, Update, UpdateTableFromKind, With,
};

use crate::frontend::sql::ast::Piece;
use crate::frontend::sql::read::{self, Reads};
use crate::frontend::sql::relation::{Relation, Scope, ident, last_name};
use crate::frontend::sql::text::shown;
use crate::frontend::sql::value::Values;
use crate::ir::{Conflict, SqlStatement, SqlValue, SqlValueKind};
use crate::source::Span;

/// Writes inside common table expressions inside writes are followed this deep.
const MAX_NESTING: usize = 16;

/// Reduces the statements of one piece.
pub(crate) struct Reducer<'a> {
    values: Values<'a>,
    piece: &'a Piece<'a>,
    pub(crate) found: Vec<SqlStatement>,
    /// Why a write says less than it does.
    pub(crate) gap: Option<String>,
}

impl<'a> Reducer<'a> {
    pub(crate) fn new(piece: &'a Piece<'a>) -> Self {
        Self { values: Values { piece }, piece, found: Vec::new(), gap: None }
    }

    pub(crate) fn statement(&mut self, statement: &Statement) {
        self.nested(statement, &Scope::default(), self.piece.whole(), 0);
    }

    fn nested(&mut self, statement: &Statement, scope: &Scope, span: Span, depth: usize) {
        if depth > MAX_NESTING {
            self.gap = Some("SQL nested too deeply".to_owned());
            return;
        }
        match statement {
            Statement::Query(query) => self.query(query, scope, span, depth),
            Statement::Insert(insert) => self.insert(insert, scope, span, depth),
            Statement::Update(update) => self.update(update, scope, span),
            Statement::Delete(delete) => self.delete(delete, span),
            Statement::Merge(merge) => self.merge(merge, scope, span),
            Statement::Truncate(truncate) => {
                for target in &truncate.table_names {
                    self.found.push(SqlStatement::Delete { table: last_name(&target.name), span });
                }
            }
            Statement::CreateView(view) => self.found.extend(read::select(&view.query, span)),
            Statement::CreateTable(table) => {
                if let Some(query) = &table.query {
                    self.found.extend(read::select(query, span));
                }
            }
            Statement::Explain { statement, .. } | Statement::Prepare { statement, .. } => {
                self.nested(statement, scope, span, depth + 1);
            }
            _ => {}
        }
    }

    fn query(&mut self, query: &Query, scope: &Scope, span: Span, depth: usize) {
        let mut scope = scope.clone();
        self.writes_of_ctes(query.with.as_ref(), &scope, depth);
        self.values.add_ctes(query.with.as_ref(), &mut scope);
        let inner = |node: &Statement| self.piece.bytes(node.span()).map_or(span, |bytes| self.piece.text.span(bytes));
        match query.body.as_ref() {
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => {
                let at = if query.with.is_some() { inner(statement) } else { span };
                self.nested(statement, &scope, at, depth + 1);
            }
            _ => self.found.extend(read::select(query, span)),
        }
    }

    fn writes_of_ctes(&mut self, with: Option<&With>, scope: &Scope, depth: usize) {
        for cte in with.iter().flat_map(|with| &with.cte_tables) {
            if let SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) = cte.query.body.as_ref()
            {
                self.nested(statement, scope, self.piece.span(statement.span()), depth + 1);
            }
        }
    }

    fn name(&mut self, name: &ObjectName) -> String {
        let name = last_name(name);
        if name.contains("${") {
            self.gap = Some(format!("the name of a table or column is put in at run time: {name}"));
        }
        name
    }

    fn insert(&mut self, insert: &Insert, outer: &Scope, span: Span, depth: usize) {
        let table = match &insert.table {
            TableObject::TableName(name) => self.name(name),
            TableObject::TableFunction(function) => last_name(&function.name),
            TableObject::TableQuery(query) => shown(&query.to_string()),
        };
        let mut columns: Vec<(String, Span)> =
            insert.columns.iter().map(|column| (self.name(column), self.piece.span(column.span()))).collect();
        let mut rows = vec![Vec::new()];
        if let Some(source) = &insert.source {
            self.writes_of_ctes(source.with.as_ref(), outer, depth);
            rows = self.values.rows(source, outer);
            for row in &mut rows {
                widen(row, columns.len());
            }
        } else if !insert.assignments.is_empty() {
            let scope = Scope { is_row: true, ..outer.clone() };
            let sets = self.sets(&insert.assignments, &scope, &[]);
            columns = sets.iter().map(|(_, name, at, _)| (name.clone(), *at)).collect();
            rows = vec![sets.into_iter().map(|(_, _, _, value)| value).collect()];
        }
        let mut scope = Scope { target: vec![table.clone()], ctes: outer.ctes.clone(), ..Scope::default() };
        scope.target.extend(insert.table_alias.iter().map(|alias| ident(&alias.alias)));
        scope.proposed = insert.insert_alias.as_ref().map(|alias| last_name(&alias.row_alias));
        let replaces = insert.replace_into || insert.or == Some(SqliteOnConflict::Replace);
        let conflict = match &insert.on {
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => Some(self.conflict(assignments, &scope)),
            Some(OnInsert::OnConflict(on)) => match &on.action {
                OnConflictAction::DoNothing => Some(Conflict::Nothing),
                OnConflictAction::DoUpdate(update) => Some(self.conflict(&update.assignments, &scope)),
            },
            _ if replaces => Some(Conflict::Replace),
            _ if insert.ignore || insert.or == Some(SqliteOnConflict::Ignore) => Some(Conflict::Nothing),
            _ => None,
        };
        self.found.push(SqlStatement::Insert { table, span, columns, rows, conflict });
        if let Some(source) = &insert.source {
            let mut reads = Reads::default();
            reads.see(source.as_ref());
            self.found.extend(reads.of_write(None, span));
        }
    }

    fn conflict(&mut self, assignments: &[Assignment], scope: &Scope) -> Conflict {
        let sets = self.sets(assignments, scope, &[]);
        Conflict::Update(sets.into_iter().map(|(_, name, _, value)| (name, value)).collect())
    }

    /// Each assignment: the table it names (of `tables`, by alias), the column, where that stands, the value.
    fn sets(
        &mut self,
        assignments: &[Assignment],
        scope: &Scope,
        tables: &[Relation],
    ) -> Vec<(Option<String>, String, Span, SqlValue)> {
        let mut sets = Vec::new();
        for assignment in assignments {
            match &assignment.target {
                AssignmentTarget::ColumnName(name) => {
                    let value = self.values.value(&assignment.value, scope);
                    sets.push((owner(name, tables), self.name(name), self.piece.span(name.span()), value));
                }
                AssignmentTarget::Tuple(names) => {
                    let values = self.tuple(&assignment.value, scope, names.len());
                    for (name, value) in names.iter().zip(values) {
                        sets.push((owner(name, tables), self.name(name), self.piece.span(name.span()), value));
                    }
                }
            }
        }
        sets
    }

    /// The values of `(a, b) = (..)`, as many as asked for.
    fn tuple(&self, value: &Expr, scope: &Scope, width: usize) -> Vec<SqlValue> {
        let mut values: Vec<SqlValue> = match value {
            Expr::Tuple(parts) => parts.iter().map(|part| self.values.value(part, scope)).collect(),
            Expr::Nested(inner) => vec![self.values.value(inner, scope)],
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
                match self.values.value(value, scope).kind {
                    SqlValueKind::Call { args, .. } => args,
                    _ => Vec::new(),
                }
            }
            Expr::Subquery(query) => {
                self.values.rows(query, &scope_of_query(scope)).into_iter().next().unwrap_or_default()
            }
            _ => Vec::new(),
        };
        while values.len() < width {
            values.push(self.values.opaque(value, value.span()));
        }
        values
    }

    fn update(&mut self, update: &Update, outer: &Scope, span: Span) {
        let mut tables = self.values.sources(std::slice::from_ref(&update.table), outer);
        let target = match &update.table.relation {
            // The parser takes `UPDATE ONLY users` for a table `only` called `users`.
            TableFactor::Table { name, alias: Some(alias), .. }
                if !alias.explicit && name.to_string().eq_ignore_ascii_case("only") =>
            {
                ident(&alias.name)
            }
            TableFactor::Table { name, .. } => self.name(name),
            other => shown(&other.to_string()),
        };
        let mut scope = Scope { target: vec![target.clone()], ctes: outer.ctes.clone(), ..Scope::default() };
        if !tables.is_empty() {
            scope.target.push(tables.remove(0).alias);
        }
        scope.sources.clone_from(&tables);
        if let Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) = &update.from {
            scope.sources.extend(self.values.sources(from, outer));
        }
        // MySQL's `UPDATE a JOIN b SET b.x = 1` writes the joined table.
        let mut by_table: BTreeMap<Option<String>, Vec<(String, SqlValue)>> = BTreeMap::new();
        by_table.insert(None, Vec::new());
        for (table, name, _, value) in self.sets(&update.assignments, &scope, &tables) {
            by_table.entry(table).or_default().push((name, value));
        }
        let mut joined = by_table.into_iter();
        if let Some((_, sets)) = joined.next()
            && (!sets.is_empty() || joined.len() == 0)
        {
            self.found.push(SqlStatement::Update { table: target.clone(), span, sets });
        }
        for (table, sets) in joined {
            self.found.push(SqlStatement::Update { table: table.unwrap_or_default(), span, sets });
        }
        let mut reads = Reads::default();
        reads.see(&update.selection);
        reads.see(&update.from);
        for assignment in update.assignments.iter().filter(|assignment| reads_a_query(&assignment.value)) {
            reads.see(&assignment.value);
        }
        self.found.extend(reads.of_write(Some(&target), span));
    }

    fn delete(&mut self, delete: &Delete, span: Span) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let mut target = None;
        for TableWithJoins { relation, .. } in from {
            if let TableFactor::Table { name, .. } = relation {
                let table = last_name(name);
                target.get_or_insert_with(|| table.clone());
                self.found.push(SqlStatement::Delete { table, span });
            }
        }
        let mut reads = Reads::default();
        reads.see(&delete.selection);
        self.found.extend(reads.of_write(target.as_deref(), span));
    }

    fn merge(&mut self, merge: &Merge, outer: &Scope, span: Span) {
        let TableFactor::Table { name, alias, .. } = &merge.table else {
            self.gap = Some("the target of a MERGE is no table".to_owned());
            return;
        };
        let table = self.name(name);
        let mut scope = Scope { target: vec![table.clone()], ctes: outer.ctes.clone(), ..Scope::default() };
        scope.target.extend(alias.iter().map(|alias| ident(&alias.name)));
        let source = TableWithJoins { relation: merge.source.clone(), joins: Vec::new() };
        scope.sources = self.values.sources(std::slice::from_ref(&source), outer);
        for clause in &merge.clauses {
            let at = self.piece.bytes(clause.action.span()).map_or(span, |bytes| self.piece.text.span(bytes));
            match &clause.action {
                MergeAction::Insert(insert) => {
                    let columns: Vec<(String, Span)> = insert
                        .columns
                        .iter()
                        .map(|column| (self.name(column), self.piece.span(column.span())))
                        .collect();
                    let row = |expr: &Expr| self.values.value(expr, &scope);
                    let rows = match &insert.kind {
                        MergeInsertKind::Values(values) => {
                            values.rows.iter().map(|values| values.content.iter().map(row).collect()).collect()
                        }
                        MergeInsertKind::Row | MergeInsertKind::Wildcard => {
                            let mut row = vec![self.values.opaque(insert, insert.span())];
                            widen(&mut row, columns.len());
                            vec![row]
                        }
                    };
                    self.found.push(SqlStatement::Insert {
                        table: table.clone(),
                        span: at,
                        columns,
                        rows,
                        conflict: None,
                    });
                }
                MergeAction::Update(update) => {
                    let MergeUpdateKind::Set(assignments) = &update.kind else {
                        self.gap = Some("a MERGE that updates all columns".to_owned());
                        continue;
                    };
                    let sets = self.sets(assignments, &scope, &[]);
                    let sets = sets.into_iter().map(|(_, name, _, value)| (name, value)).collect();
                    self.found.push(SqlStatement::Update { table: table.clone(), span: at, sets });
                }
                MergeAction::Delete { .. } => self.found.push(SqlStatement::Delete { table: table.clone(), span: at }),
                MergeAction::DoNothing { .. } => {}
            }
        }
    }
}

fn scope_of_query(scope: &Scope) -> Scope {
    Scope { ctes: scope.ctes.clone(), ..Scope::default() }
}

fn reads_a_query(value: &Expr) -> bool {
    matches!(value, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. })
}

/// `SELECT *`, of which the positions are not known, for as many columns as are written; so for `VALUES ${rows}`.
fn widen(row: &mut Vec<SqlValue>, width: usize) {
    let [only] = row.as_slice() else { return };
    let (only, span) = (only.clone(), only.span);
    match only.kind {
        SqlValueKind::Opaque(_) => row.resize(width.max(1), only),
        SqlValueKind::Hole(_) if width > 1 => {
            let nth = |n| SqlValue { kind: SqlValueKind::OfRows(Box::new(only.clone()), n), span };
            *row = (0..width).map(nth).collect();
        }
        _ => {}
    }
}

/// The joined table that an assignment's target names, if it names one.
fn owner(name: &ObjectName, tables: &[Relation]) -> Option<String> {
    let before = name.0.len().checked_sub(2)?;
    let qualifier = name.0.get(before)?.as_ident()?;
    let named = tables.iter().find(|table| table.alias.eq_ignore_ascii_case(&qualifier.value))?;
    named.table.clone()
}
