//! Writes by SQL text: `.sql` files, string literals, templates; placeholders bound to the values the call hands over.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::{Conflict, ExprKind, FunctionId, Missing, SqlStatement, SqlText, SqlValue, SqlValueKind, WHOLE_ROW};
use crate::rules::{Operation, SqlCall, Undefined};
use crate::schema::{ModelId, Schema};
use crate::sites::bound::{Params, bound_values, nth, of_rows, params, under};
use crate::sites::tables::Target;
use crate::sites::texts::Way;
use crate::sites::{Candidate, collected, is_tracked, models, tables, texts, wrapped};
use crate::source::{FileId, Span};
use crate::summary::{CallValue, FunctionRef, Guards, Member, Shared, Slot, Value, ValueKind};

struct Text<'a> {
    graph: &'a Graph<'a>,
    sql: &'a Arc<SqlText>,
    holes: &'a [Shared],
    params: Params,
    function: FunctionRef,
    guards: &'a Guards,
}

pub(super) fn find(graph: &Graph, schema: &Schema) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut bound: BTreeSet<Span> = BTreeSet::new();
    let rows: Vec<&SqlCall> = graph.rules.sql().collect();
    let mut loose: Vec<(FunctionRef, &Guards, Shared)> = Vec::new();
    let with_sql: BTreeSet<FileId> = graph
        .units()
        .filter(|(_, unit)| {
            let is_sql = |kind: &ExprKind| matches!(kind, ExprKind::Sql(_)) || texts::may_start_a_write(kind);
            unit.module.exprs.iter().any(|expr| is_sql(&expr.kind))
        })
        .map(|(file, _)| file)
        .collect();
    for (file, unit) in graph.units() {
        // A call runs SQL only where the text stands in its file or can be imported into it.
        let near =
            with_sql.contains(&file)
                || unit.module.imports.iter().any(|import| {
                    graph.resolve_module(file, &import.module).is_some_and(|from| with_sql.contains(&from))
                });
        if !near {
            continue;
        }
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            for event in &summary.calls {
                graph.refuel();
                let mut run = run(graph, &rows, &event.call);
                if run.is_empty() {
                    run = wrapped::run(graph, &rows, &event.call);
                }
                if run.is_empty()
                    && let Some((texts, pieces)) = collected::run(graph, &event.call)
                {
                    bound.extend(pieces);
                    run = texts.into_iter().map(|text| (text, Params::List(Vec::new()))).collect();
                }
                // What a call is handed that no rule names is a write too.
                if run.is_empty() {
                    for arg in event.call.args.iter().filter(|arg| texts::is_put_together(&arg.value)) {
                        let found = texts::read(graph, &arg.value);
                        if !found.is_empty() {
                            bound.extend(texts::pieces(graph, &arg.value));
                        }
                        loose.extend(found.into_iter().map(|text| (function, &event.guards, text)));
                    }
                    continue;
                }
                let pieces = event.call.args.iter().flat_map(|arg| texts::pieces(graph, &arg.value));
                bound.extend(pieces.filter(|piece| run.iter().all(|(text, _)| text.span != *piece)));
                for (text, params) in run {
                    let ValueKind::Sql(sql, holes) = &text.kind else { continue };
                    if matches!(params, Params::Unknown) {
                        loose.push((function, &event.guards, Arc::clone(&text)));
                        continue;
                    }
                    bound.insert(text.span);
                    let holes = &with_names(graph, sql, holes, &params);
                    let text = Text { graph, sql, holes, params, function, guards: &event.guards };
                    statements(graph, schema, &text, &mut found);
                }
            }
        }
    }
    // A call that hands over no values says less than another that does, of the same text.
    loose.retain(|(_, _, text)| !bound.contains(&text.span));
    for (function, guards, text) in &loose {
        let ValueKind::Sql(sql, holes) = &text.kind else { continue };
        bound.insert(text.span);
        let text = Text { graph, sql, holes, params: Params::Unknown, function: *function, guards };
        statements(graph, schema, &text, &mut found);
    }
    // Text that no known call runs still is a write: in a `.sql` file, in a field, or handed to a function that no rule names.
    for (file, unit) in graph.units() {
        let module = FunctionRef { file, id: FunctionId(0) };
        let fields = unit.summary.fields.values().filter(|_| with_sql.contains(&file));
        let loose = fields.flat_map(texts::inside).filter(|text| !bound.contains(&text.span));
        for text in loose.flat_map(|text| texts::read(graph, &text)) {
            let ValueKind::Sql(sql, holes) = &text.kind else { continue };
            let text = Text { graph, sql, holes, params: Params::Unknown, function: module, guards: &None };
            statements(graph, schema, &text, &mut found);
        }
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            for (text, guards) in summary.sql.iter().filter(|(text, _)| !bound.contains(&text.span)) {
                for text in texts::read(graph, text) {
                    let ValueKind::Sql(sql, holes) = &text.kind else { continue };
                    let text = Text { graph, sql, holes, params: Params::Unknown, function, guards };
                    statements(graph, schema, &text, &mut found);
                }
            }
        }
    }
    found
}

/// The SQL texts whose rows a call returns, or the value of whose first column.
pub(super) fn queries(graph: &Graph, call: &CallValue, scalar: bool) -> Vec<Shared> {
    let method = call.method();
    // `` sql`..` `` calls what a call made, and has no method.
    let is_tag =
        method.is_none() && !graph.is_rust(call.site.span.file) && call.args.iter().any(|arg| is_sql(&arg.value));
    let named =
        |row: &&SqlCall| row.scalar == scalar && (is_tag || row.call.last().is_none_or(|last| method == Some(last)));
    let rows: Vec<&SqlCall> = graph.rules.sql().filter(named).collect();
    run(graph, &rows, call).into_iter().map(|(text, _)| text).collect()
}

/// The SQL texts that a call runs, with what it hands over for their placeholders.
pub(super) fn run(graph: &Graph, rows: &[&SqlCall], call: &CallValue) -> Vec<(Shared, Params)> {
    let method = call.method();
    let mut path = None;
    // What hands over the values says more than what only names the text.
    let mut bare: Option<Vec<Way>> = None;
    for row in rows {
        if row.call.last().is_some_and(|last| method.is_some_and(|method| method != last)) {
            continue;
        }
        let path = path.get_or_insert_with(|| graph.library_path(call));
        if !path.as_ref().is_some_and(|path| row.call.matches(path)) {
            continue;
        }
        let found = run_texts(graph, call, row);
        let handed = || match &row.bind {
            Some(method) => bound_values(graph, call, method, row.after.as_deref()),
            None => params(graph, call, row.params.as_ref()),
        };
        if found.is_empty() || (row.params.is_some() && matches!(handed(), Params::Unknown)) {
            continue;
        }
        if row.params.is_none() && row.bind.is_none() {
            bare.get_or_insert(found);
            continue;
        }
        return found.into_iter().map(|(text, when)| (text, under(graph, handed(), &when))).collect();
    }
    bare.unwrap_or_default().into_iter().map(|(text, _)| (text, Params::Unknown)).collect()
}

/// The text that a row points to: in this call, or in the one that prepared the statement.
fn run_texts(graph: &Graph, call: &CallValue, row: &SqlCall) -> Vec<Way> {
    let texts = match &row.after {
        Some(after) => {
            let chain = call.receiver().map_or_else(Vec::new, |receiver| models::chain_calls(graph, receiver));
            let prepared = chain.iter().find(|call| models::is_called(graph, call, after));
            prepared.map_or_else(Vec::new, |prepared| graph.argument(prepared, &row.text))
        }
        None => graph.argument(call, &row.text),
    };
    if row.file {
        let files = texts.iter().flat_map(|path| texts::of_file(graph, path));
        return files.map(|text| (text, Vec::new())).collect();
    }
    texts
        .into_iter()
        .map(|text| if texts::is_put_together(&text) { text } else { graph.resolved(&text) })
        .flat_map(|text| match &text.kind {
            ValueKind::Call(tagged) if !texts::is_put_together(&text) => {
                let handed = tagged.args.iter().map(|arg| graph.resolved(&arg.value)).filter(is_sql);
                let handed: Vec<Shared> = handed.collect();
                if handed.is_empty() {
                    texts::read_ways(graph, &text)
                } else {
                    handed.iter().flat_map(|text| texts::read_ways(graph, text)).collect()
                }
            }
            _ => texts::read_ways(graph, &text),
        })
        .collect()
}

/// The substitutions of a text, and behind them what is put in as names.
fn with_names(graph: &Graph, sql: &SqlText, holes: &[Shared], params: &Params) -> Vec<Shared> {
    let name = |at: &usize| match params {
        Params::Array(list) => nth(graph, list, *at, list.span),
        Params::List(values) => values.get(*at).cloned(),
        Params::Way(values, list) => values.get(*at).cloned().or_else(|| nth(graph, list, *at, list.span)),
        Params::Unknown => None,
    };
    holes.iter().cloned().chain(sql.names.iter().map_while(name)).collect()
}

fn is_sql(value: &Shared) -> bool {
    matches!(value.kind, ValueKind::Sql(..))
}

/// The model of the table that a statement in `file` names. Where several databases have one of that name, the one declared
/// nearest to the statement.
pub(super) fn model_of_table(graph: &Graph, schema: &Schema, table: &str, file: FileId) -> Option<ModelId> {
    let path = |file: FileId| graph.sources.get(file).path.as_str();
    let shared = |other: &str| path(file).split('/').zip(other.split('/')).take_while(|(a, b)| a == b).count();
    let fits = schema.models.iter().enumerate().filter(|(_, model)| model.table.eq_ignore_ascii_case(table));
    let nearest = fits.map(|(at, model)| {
        let model_is_tracked = is_tracked(schema, ModelId(at));
        (shared(path(model.span.file)), model_is_tracked, std::cmp::Reverse(at))
    });
    let (_, model_is_tracked, std::cmp::Reverse(at)) = nearest.max()?;
    model_is_tracked.then_some(ModelId(at))
}

fn statements(graph: &Graph, schema: &Schema, text: &Text, found: &mut Vec<Candidate>) {
    for statement in &text.sql.statements {
        let (SqlStatement::Insert { table, span, .. } | SqlStatement::Update { table, span, .. }) = statement else {
            continue;
        };
        for target in tables::named(graph, schema, table, text.holes, span.file) {
            // What is not known to be the table has to name the column.
            if target.unresolved.is_none() || target.told_by.is_some() || names(schema, target.model, statement) {
                written(schema, text, statement, &target, found);
            }
        }
    }
}

/// Whether a statement names a tracked column of the model.
fn names(schema: &Schema, model: ModelId, statement: &SqlStatement) -> bool {
    let columns = schema.columns.iter().flat_map(|column| &column.bindings).filter(|(id, _)| *id == model);
    let columns: Vec<&str> = columns.map(|(id, at)| schema.models[id.0].properties[*at].column.as_str()).collect();
    let is_tracked = |name: &String| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    match statement {
        SqlStatement::Insert { columns, conflict, .. } => {
            columns.iter().any(|(name, _)| is_tracked(name))
                || matches!(conflict, Some(Conflict::Update(sets)) if sets.iter().any(|(name, _)| is_tracked(name)))
        }
        SqlStatement::Update { sets, .. } => sets.iter().any(|(name, _)| is_tracked(name)),
        SqlStatement::Select { .. } | SqlStatement::Delete { .. } => false,
    }
}

fn written(schema: &Schema, text: &Text, statement: &SqlStatement, to: &Target, found: &mut Vec<Candidate>) {
    match statement {
        SqlStatement::Insert { table, span, columns, rows, conflict } => {
            let names: Vec<(String, Span)> = if columns.is_empty() {
                schema.models[to.model.0].properties.iter().map(|p| (p.column.clone(), *span)).collect()
            } else {
                columns.clone()
            };
            let objects: Vec<Shared> = rows.iter().map(|row| text.row(table, &names, row, *span)).collect();
            let row = one_or_array(objects, *span);
            let insert = if matches!(conflict, Some(Conflict::Update(_) | Conflict::Replace)) {
                Operation::UpsertCreate
            } else {
                Operation::Insert
            };
            found.push(text.candidate(to, *span, insert, Arc::clone(&row)));
            if let Some(Conflict::Update(sets)) = conflict {
                let update = text.sets(table, sets, Some(&row), *span);
                found.push(text.candidate(to, *span, Operation::UpsertUpdate, update));
            }
        }
        SqlStatement::Update { table, span, sets } => {
            let row = text.sets(table, sets, None, *span);
            let whole = sets.iter().any(|(name, _)| name == WHOLE_ROW);
            found.push(Candidate { whole, ..text.candidate(to, *span, Operation::Update, row) });
        }
        SqlStatement::Select { .. } | SqlStatement::Delete { .. } => {}
    }
}

/// What an SQL expression in a row of `table` stands for.
pub(super) fn expression(graph: &Graph, table: &str, text: &Shared, function: FunctionRef) -> Option<Shared> {
    let before = Value::new(ValueKind::Text("UPDATE t SET c = ".to_owned()), text.span);
    let whole = Value::new(ValueKind::Concat(vec![before, Arc::clone(text)]), text.span);
    let read = texts::read(graph, &whole).into_iter().next()?;
    let ValueKind::Sql(sql, holes) = &read.kind else { return None };
    let Some(SqlStatement::Update { sets, .. }) = sql.statements.first() else { return None };
    let text = Text { graph, sql, holes, params: Params::Unknown, function, guards: &None };
    sets.first().map(|(_, value)| text.value(table, value, None))
}

/// The number in `${3}`, which stands where a name is put in at run time.
pub(super) fn substitution(name: &str) -> Option<usize> {
    name.strip_prefix("${")?.strip_suffix('}')?.parse().ok()
}

/// A part of a statement that a tag made: `` sql`token = ${token}` ``.
fn part(graph: &Graph, value: &Shared) -> Option<(Arc<SqlText>, Vec<Shared>)> {
    let value = graph.resolved(value);
    let text = match &value.kind {
        ValueKind::Call(tagged) => graph.resolved(&tagged.args.first()?.value),
        _ => value,
    };
    match &text.kind {
        ValueKind::Sql(sql, holes) if !sql.assignments.is_empty() => Some((Arc::clone(sql), holes.clone())),
        _ => None,
    }
}

/// Whether a row may have a column under a name that is not told, and has none that is told to be it.
fn has_untold_key(row: &Shared, column: &str) -> bool {
    let ValueKind::Object { entries, .. } = &row.kind else { return false };
    let is_told = |entry: &Slot| matches!(entry, Slot::Named { key, .. } if key.eq_ignore_ascii_case(column));
    !entries.iter().any(is_told) && entries.iter().any(|entry| matches!(entry, Slot::Computed { .. }))
}

fn one_or_array(mut objects: Vec<Shared>, span: Span) -> Shared {
    if objects.len() == 1 {
        return objects.swap_remove(0);
    }
    Value::new(ValueKind::Array(objects.into_iter().map(Member::One).collect()), span)
}

impl Text<'_> {
    fn candidate(&self, to: &Target, span: Span, operation: Operation, row: Shared) -> Candidate {
        Candidate {
            within: None,
            model: to.model,
            function: self.function,
            span,
            operation,
            row,
            by_column: true,
            undefined: Undefined::Null,
            wrapper: None,
            whole: false,
            hooks: false,
            instance: false,
            guards: self.guards.clone(),
            certain: to.certain,
            sql_functions: false,
            unresolved: to.unresolved,
            told_by: to.told_by.clone(),
            called: None,
            run_by: None,
        }
    }

    fn row(&self, table: &str, names: &[(String, Span)], values: &[SqlValue], span: Span) -> Shared {
        let entries = names
            .iter()
            .zip(values)
            .filter(|(_, value)| !matches!(value.kind, SqlValueKind::Default))
            .flat_map(|((key, key_span), value)| self.slots(table, key, *key_span, value, None))
            .collect();
        Value::new(ValueKind::Object { base: None, entries }, span)
    }

    fn sets(&self, table: &str, sets: &[(String, SqlValue)], inserted: Option<&Shared>, span: Span) -> Shared {
        let entries =
            sets.iter().flat_map(|(key, value)| self.slots(table, key, value.span, value, inserted)).collect();
        Value::new(ValueKind::Object { base: None, entries }, span)
    }

    /// What gives a column its value. Where a substitution names the column, that is a key to be computed; where it stands for
    /// the whole assignment, what it is put together of counts.
    fn slots(&self, table: &str, key: &str, key_span: Span, value: &SqlValue, inserted: Option<&Shared>) -> Vec<Slot> {
        if key == WHOLE_ROW {
            // `query('.. SET ?', { name })`: one value may stand without a list around it.
            let alone = match &self.params {
                Params::Array(only) if matches!(self.graph.resolved(only).kind, ValueKind::Object { .. }) => Some(only),
                _ => None,
            };
            let row = alone.map_or_else(|| self.value(table, value, inserted), Arc::clone);
            return vec![Slot::Spread(row)];
        }
        let hole = substitution(key);
        let Some(name) = hole.and_then(|hole| self.holes.get(hole)) else {
            let value = self.value(table, value, inserted);
            return vec![match self.put_together(key, key_span) {
                Some(key) => Slot::Computed { key, value },
                None => Slot::Named { key: key.to_owned(), key_span, value },
            }];
        };
        if !matches!(value.kind, SqlValueKind::Hole(at) if Some(at) == hole) {
            return vec![Slot::Computed { key: Arc::clone(name), value: self.value(table, value, inserted) }];
        }
        match part(self.graph, name) {
            Some((sql, holes)) => {
                let part = Text { sql: &sql, holes: &holes, params: Params::Unknown, ..*self };
                sql.assignments
                    .iter()
                    .flat_map(|(key, value)| part.slots(table, key, value.span, value, inserted))
                    .collect()
            }
            None => vec![Slot::Spread(Arc::clone(name))],
        }
    }

    /// The name of a column of which a substitution is a part: `${prefix}_token`.
    fn put_together(&self, key: &str, span: Span) -> Option<Shared> {
        let holes = tables::holes_of(key);
        let put_in = holes.iter().filter_map(|hole| self.holes.get(*hole)).cloned();
        (!holes.is_empty()).then(|| {
            let (before, after) =
                (key.split("${").next().unwrap_or_default(), key.rsplit('}').next().unwrap_or_default());
            let text = |text: &str| Value::new(ValueKind::Text(text.to_owned()), span);
            let parts = std::iter::once(text(before)).chain(put_in).chain(std::iter::once(text(after)));
            Value::new(ValueKind::Concat(parts.collect()), span)
        })
    }

    fn value(&self, table: &str, value: &SqlValue, inserted: Option<&Shared>) -> Shared {
        let span = value.span;
        let all =
            |values: &[SqlValue]| values.iter().map(|inner| self.value(table, inner, inserted)).collect::<Vec<_>>();
        let kind = match &value.kind {
            SqlValueKind::Null => ValueKind::Null,
            SqlValueKind::Default => ValueKind::Opaque("DEFAULT in an update", Vec::new()),
            SqlValueKind::Text(text) => ValueKind::Text(text.clone()),
            SqlValueKind::Literal(text) => ValueKind::Number(text.clone()),
            SqlValueKind::Placeholder(at) => match &self.params {
                Params::Way(values, _) if *at < values.len() => return Arc::clone(&values[*at]),
                Params::Array(array) | Params::Way(_, array) => match nth(self.graph, array, *at, span) {
                    Some(value) => return value,
                    None => ValueKind::Opaque("a placeholder without a value", Vec::new()),
                },
                Params::List(values) => match values.get(*at) {
                    Some(value) => return Arc::clone(value),
                    None => ValueKind::Opaque("a placeholder without a value", Vec::new()),
                },
                Params::Unknown => ValueKind::Opaque("a placeholder whose value could not be found", Vec::new()),
            },
            SqlValueKind::Named(name) => match &self.params {
                Params::Array(object) | Params::Way(_, object) => return Value::field(object, name, span),
                Params::List(values) if !values.is_empty() => return Value::field(&values[0], name, span),
                _ => ValueKind::Opaque("a named parameter whose value could not be found", Vec::new()),
            },
            SqlValueKind::Hole(at) => match self.holes.get(*at) {
                Some(value) => return Arc::clone(value),
                None => ValueKind::Opaque("a substitution that could not be found", Vec::new()),
            },
            SqlValueKind::Column(column) => ValueKind::Stored { table: table.to_owned(), column: column.clone() },
            SqlValueKind::Excluded(column) => match inserted {
                Some(row) => {
                    let row = Value::element_or_self(row);
                    if has_untold_key(&row, column) {
                        return Value::new(ValueKind::Opaque("a column that is named at run time", Vec::new()), span);
                    }
                    return Value::field(&row, column, span);
                }
                None => ValueKind::Opaque("EXCLUDED outside an upsert", Vec::new()),
            },
            SqlValueKind::Call { name, args } => {
                let callee = Value::new(ValueKind::Global(format!("sql.{}", name.to_lowercase())), span);
                let args =
                    all(args).into_iter().map(|value| crate::summary::Argument { value, spread: false }).collect();
                let site =
                    crate::summary::CallSite { function: self.function, expr: crate::ir::ExprId(u32::MAX), span };
                ValueKind::Call(Arc::new(CallValue { site, callee, args, is_new: false, type_args: Vec::new() }))
            }
            SqlValueKind::OfRows(list, at) => {
                let list = self.value(table, list, inserted);
                return of_rows(self.graph, &list, *at, span);
            }
            SqlValueKind::Coalesce(values) => {
                let mut values = all(values);
                let Some(last) = values.pop() else {
                    return Value::new(ValueKind::Null, span);
                };
                return values.into_iter().rev().fold(last, |right, left| {
                    Value::new(ValueKind::Fallback { left, right, when: Missing::Nullish }, span)
                });
            }
            SqlValueKind::Case(values) => ValueKind::Either(all(values)),
            SqlValueKind::Concat(values) => ValueKind::Concat(all(values)),
            SqlValueKind::Opaque(_) => ValueKind::Opaque("an SQL expression that is not modelled", Vec::new()),
        };
        Value::new(kind, span)
    }
}
