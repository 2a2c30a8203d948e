//! Rows that calls read: of which model, and under which name a query's rows hold a column.

use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::{SqlOutput, SqlStatement};
use crate::rules::{ArgPath, Pass, Target};
use crate::schema::{ColumnId, ModelId, Schema};
use crate::sites::renamed::{self, Renamed};
use crate::sites::{orm, sql};
use crate::summary::{CallValue, Shared, Slot, Value, ValueKind};

/// The rows that a reading call returns.
#[derive(Clone, Debug)]
pub struct RowsRead {
    pub model: ModelId,
    /// The SQL that asks for them, whose names their keys are; `None` where keys are properties of the model.
    pub text: Option<Shared>,
    narrowed: Narrowed,
    /// What the query gives other names to.
    renamed: Vec<Renamed>,
    /// Whether nothing else is there.
    raw: bool,
}

/// What a reading call says of the columns that its rows have.
#[derive(Clone, Debug, Default)]
struct Narrowed {
    /// Only those named here ..
    only: Vec<Shared>,
    /// .. or all but those.
    but: Vec<Shared>,
}

/// The rows that a call returns.
pub(super) fn read(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<RowsRead> {
    if let Some((model, row)) = orm::read(graph, schema, call) {
        let said =
            |paths: &[ArgPath]| -> Vec<Shared> { paths.iter().flat_map(|path| graph.argument(call, path)).collect() };
        return Some(RowsRead {
            model,
            text: None,
            narrowed: Narrowed { only: said(&row.selects), but: said(&row.omits) },
            renamed: if row.on == Target::Chain { renamed::in_chain(graph, call) } else { Vec::new() },
            raw: row.raw,
        });
    }
    of_texts(graph, schema, sql::queries(graph, call, false))
}

/// What a call returns that gives the value of a query's first column, and that column's name.
pub(super) fn value_read(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<(RowsRead, String)> {
    let rows = of_texts(graph, schema, sql::queries(graph, call, true))?;
    let Some(SqlStatement::Select { outputs, .. }) = rows.text.as_ref().and_then(selected) else { return None };
    let name = outputs.first()?.name.clone();
    Some((rows, name))
}

fn of_texts(graph: &Graph, schema: &Schema, texts: Vec<Shared>) -> Option<RowsRead> {
    texts.into_iter().find_map(|text| {
        let SqlStatement::Select { tables, span, .. } = selected(&text)? else { return None };
        let model = tables.iter().find_map(|table| sql::model_of_table(graph, schema, table, span.file))?;
        Some(RowsRead { model, text: Some(text), narrowed: Narrowed::default(), renamed: Vec::new(), raw: false })
    })
}

/// The query that a text ends in.
pub(super) fn selected(text: &Shared) -> Option<&SqlStatement> {
    let ValueKind::Sql(sql, _) = &text.kind else { return None };
    sql.statements.last().filter(|statement| matches!(statement, SqlStatement::Select { .. }))
}

/// The call whose rows stand under a key of its result: `rows` of `pool.query(..)`.
pub(super) fn under_key<'v>(graph: &Graph, base: &'v Shared, key: &str) -> Option<&'v Arc<CallValue>> {
    let ValueKind::Call(call) = &base.kind else { return None };
    let method = call.method();
    let mut rows = graph
        .rules
        .sql()
        .filter(|row| row.rows.as_deref() == Some(key) && row.call.last().is_none_or(|last| method == Some(last)))
        .peekable();
    rows.peek()?;
    let path = graph.library_path(call)?;
    rows.any(|row| row.call.matches(&path)).then_some(call)
}

/// What a library call hands on of the one thing it is given: `rows.find(..)`, `rows.at(0)`.
pub(super) fn handed_on(graph: &Graph, call: &CallValue) -> Option<Shared> {
    let fits = |row: &&Pass| row.key.is_none() && !row.merge && !row.constructs && row.form.is_none();
    // In Rust its type tells a row.
    if graph.is_rust(call.site.span.file) {
        return None;
    }
    // A method of what was read: hardly any has the name of one, and telling its path costs more.
    let mut rows = graph.rules.passes_named(Some(call.method()?)).filter(fits).peekable();
    rows.peek()?;
    let path = graph.library_path(call)?;
    let row = rows.find(|row| row.call.matches(&path))?;
    match row.from.as_slice() {
        [only] => graph.argument(call, only).into_iter().next(),
        _ => None,
    }
}

/// The rows that a value is, or is one of.
pub(super) fn behind(graph: &Graph, schema: &Schema, value: &Shared) -> Option<RowsRead> {
    let mut at = Arc::clone(value);
    for _ in 0..24 {
        let next = match &at.kind {
            ValueKind::Call(call) => {
                if let Some(rows) = read(graph, schema, call) {
                    return Some(rows);
                }
                handed_on(graph, call).or_else(|| graph.expand(&at))
            }
            ValueKind::Field(base, key) if let Some(call) = under_key(graph, base, key) => {
                return read(graph, schema, call);
            }
            ValueKind::Element(base) | ValueKind::Index(base, _) | ValueKind::Object { base: Some(base), .. } => {
                Some(Arc::clone(base))
            }
            _ => graph.expand(&at),
        };
        at = next.filter(|next| !Arc::ptr_eq(next, &at))?;
    }
    None
}

/// Whether a list of names or an object of flags names a key; `None` where that cannot be told.
fn names(graph: &Graph, value: &Shared, key: &str) -> Option<bool> {
    let said = graph.resolved(value);
    match &said.kind {
        ValueKind::Array(members) => {
            let texts = members.iter().map(|member| match &member.value().kind {
                ValueKind::Text(name) => Some(name == key),
                _ => None,
            });
            texts.collect::<Option<Vec<bool>>>().map(|named| named.contains(&true))
        }
        ValueKind::Object { entries, .. } => match &graph.resolved(&Value::field(&said, key, said.span)).kind {
            ValueKind::Bool(flag) => Some(*flag),
            // A relation, or what is taken of it.
            ValueKind::Object { .. } => Some(true),
            // Flags that are all off leave the others.
            ValueKind::Undefined => {
                let flags = entries.iter().map(|slot| match slot {
                    Slot::Named { value, .. } => match graph.resolved(value).kind {
                        ValueKind::Bool(flag) => Some(flag),
                        ValueKind::Object { .. } => Some(true),
                        _ => None,
                    },
                    Slot::Computed { .. } | Slot::Spread(_) => None,
                });
                flags.collect::<Option<Vec<bool>>>().map(|flags| !flags.contains(&true))
            }
            _ => None,
        },
        _ => None,
    }
}

impl RowsRead {
    /// Rows of a model with all of its columns.
    pub fn whole(model: ModelId) -> Self {
        Self { model, text: None, narrowed: Narrowed::default(), renamed: Vec::new(), raw: false }
    }

    /// Whether the call that reads the rows leaves a property out.
    pub fn lack(&self, graph: &Graph, key: &str) -> bool {
        let Narrowed { only, but } = &self.narrowed;
        only.iter().any(|value| names(graph, value, key) == Some(false))
            || but.iter().any(|value| names(graph, value, key) == Some(true))
    }

    /// Whether the rows are of one table.
    pub fn is_of_one_table(&self) -> bool {
        match self.text.as_ref().and_then(selected) {
            Some(SqlStatement::Select { tables, .. }) => tables.len() == 1,
            _ => true,
        }
    }

    /// Whether the rows hold a tracked column under a key; `None` where it can be that of another table.
    pub fn holds(&self, schema: &Schema, column: ColumnId, key: &str) -> Option<bool> {
        let tracked = &schema.columns[column.0];
        let is_property = |(model, at): &(ModelId, usize)| {
            let property = &schema.models[model.0].properties[*at];
            let is_named = |of: &Renamed| of.name == key && [&property.name, &property.column].contains(&&of.column);
            *model == self.model && (!self.raw && property.name == key || self.renamed.iter().any(is_named))
        };
        let by_property = Some(tracked.bindings.iter().any(is_property));
        let Some(SqlStatement::Select { tables, outputs, .. }) = self.text.as_ref().and_then(selected) else {
            return by_property;
        };
        // A tuple has them in their order.
        let nth = key.parse::<usize>().ok().and_then(|at| outputs.get(at)).filter(|output| output.name != "*");
        let key = nth.map_or(key, |output| plain(&output.name));
        let is_tracked = |name: &str| name.eq_ignore_ascii_case(&tracked.column);
        let has_it_too = |table: &&String| {
            let other = |model: &crate::schema::Model| {
                model.table.eq_ignore_ascii_case(table) && model.properties.iter().any(|p| is_tracked(&p.column))
            };
            !table.eq_ignore_ascii_case(&tracked.table) && schema.models.iter().any(other)
        };
        // Of which of the tables that are asked for all they have, or in which an unqualified name may stand.
        let of = |tables: &[&String]| {
            let is_there = tables.iter().any(|table| table.eq_ignore_ascii_case(&tracked.table));
            if is_there && tables.iter().any(has_it_too) { None } else { Some(is_there) }
        };
        let all: Vec<&String> = tables.iter().collect();
        if let Some(output) = outputs.iter().rev().find(|output| plain(&output.name).eq_ignore_ascii_case(key)) {
            return match (&output.column, &output.table) {
                (Some(column), Some(table)) if is_tracked(column) => of(&[table]),
                (Some(column), None) if is_tracked(column) => of(&all),
                _ => Some(false),
            };
        }
        if !is_tracked(key) {
            return by_property;
        }
        let every = |output: &SqlOutput| output.name == "*";
        if outputs.is_empty() || outputs.iter().any(|output| every(output) && output.table.is_none()) {
            return of(&all);
        }
        let named: Vec<&String> =
            outputs.iter().filter(|output| every(output)).filter_map(|o| o.table.as_ref()).collect();
        of(&named)
    }
}

/// The name of an output without what sqlx's macros want to know of its type: `token?`, `token!`, `token: String`.
fn plain(name: &str) -> &str {
    name.split(['?', '!', ':']).next().unwrap_or(name)
}
