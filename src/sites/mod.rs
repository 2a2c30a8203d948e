//! Where rows of a tracked table are written: calls of ORMs and SQL text, matched against the rule packs.
//!
//! Input: the call graph, the schema. Output: [`Candidate`]s: a write of a whole row; whether it writes the tracked column, and
//! what, is told by `provenance`.
//!
//! Invariants: a model is known through the receiver's type, the named entity or a model accessor, never through the column's
//! name; a call that reaches a function of the tree is no library call.
//!
//! Worked example: `this.prisma.user.create({ data: { email, accounts: { create: { access_token: t } } } })` is a candidate for `User`
//! with the row `data`, and one for `Account` with the row `data.accounts.create`.

mod adapters;
mod apart;
mod assignments;
mod bound;
mod collected;
mod conditions;
mod inherited;
mod models;
mod named;
mod nested;
mod orm;
mod receivers;
mod renamed;
mod rows;
mod sql;
mod tables;
mod texts;
mod told;
mod unresolved;
mod ways;
mod wrapped;

use std::rc::Rc;

use std::collections::BTreeSet;

pub use rows::RowsRead;

use crate::graph::Graph;
use crate::rules::{Operation, Undefined};
use crate::schema::{ColumnId, ModelId, ModelSource, Schema};
use crate::source::{FileId, Span};
use crate::summary::{CallValue, ClassRef, FunctionRef, Guards, Shared};

/// A write of rows of one model.
#[expect(clippy::struct_excessive_bools, reason = "facts of a write that have nothing to do with each other")]
#[derive(Clone, Debug)]
pub struct Candidate {
    pub model: ModelId,
    /// The model of the row, where that is not the written one: rows of `model` are written through its relations, as far as callers
    /// hand them in.
    pub within: Option<ModelId>,
    pub function: FunctionRef,
    /// The writing call or statement.
    pub span: Span,
    pub operation: Operation,
    /// The row, or an array of rows.
    pub row: Shared,
    /// Whether the row's keys are column names (SQL) or property names.
    pub by_column: bool,
    pub undefined: Undefined,
    /// A key that may stand around a value: Prisma's `{ set: value }`.
    pub wrapper: Option<String>,
    /// Whether a function that stands for a value gives SQL text.
    pub sql_functions: bool,
    /// Whether a row that was read is written back with all of its columns.
    pub whole: bool,
    /// Whether the library runs the entity's hooks on the row before.
    pub hooks: bool,
    /// Whether the row is what the write is called on: an object that was read or made before.
    pub instance: bool,
    pub guards: Guards,
    /// Whether the model is certain.
    pub certain: bool,
    /// The receiver, where nothing tells that it stands for the model: such a write is a gap, no site.
    pub unresolved: Option<Span>,
    /// The handle or entity of which callers tell whether it stands for the model; see [`stands_for`].
    pub told_by: Option<Shared>,
    /// How the call reads, where it is one that interceptors can stand around.
    pub called: Option<Called>,
    /// What the library does when it writes by itself: no code of the tree leads there.
    pub run_by: Option<String>,
}

impl Candidate {
    /// The model of the row that is handed to the write.
    pub fn outer(&self) -> ModelId {
        self.within.unwrap_or(self.model)
    }
}

/// What is written below a row, through its relations.
#[derive(Debug, Default)]
pub struct Below {
    pub rows: Vec<Candidate>,
    /// Whether callers tell more of them.
    pub is_open: bool,
}

/// A call of a client that writes the row, as interceptors see it.
#[derive(Clone, Debug)]
pub struct Called {
    /// The pack of its rule.
    pub pack: String,
    /// What holds the model's delegate: `prisma` of `prisma.user.create(..)`.
    pub client: Option<Shared>,
    pub method: String,
    /// The keys of its first argument under which the row stands.
    pub keys: Vec<String>,
}

/// Every write of a model that has a tracked column, sorted by place.
pub fn find(graph: &Graph, schema: &Schema) -> Vec<Candidate> {
    // What leads to a tracked model names it, or is typed or made by a library that a row names.
    let bound = || schema.columns.iter().flat_map(|column| &column.bindings).map(|(id, _)| &schema.models[id.0]);
    let types = graph.rules.write().flat_map(|row| &row.types).filter_map(|ty| ty.text().rsplit(['#', '*']).next());
    let makers = graph.rules.receiver().filter_map(|row| row.call.last());
    let names: Vec<&str> = bound().map(|model| model.name.as_str()).chain(types).chain(makers).collect();
    // Its bases need not, and say which library it belongs to.
    let bases = bound().filter_map(|model| model.class).flat_map(|class| graph.lineage(class).to_vec());
    let leading = graph.sources.mentions(&names).into_iter().flatten().chain(bases.map(|class| class.file));
    let _limit = graph.limit(Rc::new(leading.collect()));
    let mut found = orm::find(graph, schema);
    found.extend(sql::find(graph, schema));
    found.extend(adapters::find(graph, schema));
    // An insert whose chain goes on with what happens to a row that is there already is the first half of an upsert.
    let start = |candidate: &Candidate| {
        (schema.models[candidate.model.0].table.as_str(), candidate.span.file, candidate.span.start)
    };
    let upserts: BTreeSet<(&str, FileId, u32)> =
        found.iter().filter(|candidate| candidate.operation == Operation::UpsertUpdate).map(start).collect();
    for candidate in &mut found {
        let start = start(candidate);
        if candidate.operation == Operation::Insert && upserts.contains(&start) {
            candidate.operation = Operation::UpsertCreate;
        }
    }
    found.sort_by_key(|candidate| (candidate.span, candidate.model, candidate.operation));
    found
}

/// The rows of its model that a candidate writes below `row`; `None` where the row itself is the written one.
pub fn below(graph: &Graph, schema: &Schema, candidate: &Candidate, row: &Shared) -> Option<Below> {
    candidate.within.map(|outer| nested::below(graph, schema, candidate, outer, row))
}

/// The rows that a reading call returns: where it joins tables, of the first that is tracked.
pub fn rows_read(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<RowsRead> {
    rows::read(graph, schema, call)
}

/// What a call returns that gives the value of a query's first column, and that column's name.
pub fn value_read(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<(RowsRead, String)> {
    rows::value_read(graph, schema, call)
}

/// The rows that stand under a key of what a call returns: `result.rows`.
pub fn rows_under(graph: &Graph, schema: &Schema, base: &Shared, key: &str) -> Option<RowsRead> {
    rows::under_key(graph, base, key).and_then(|call| rows::read(graph, schema, call))
}

/// What a library call hands on of the one thing that it is given: `rows.at(0)`.
pub fn handed_on(graph: &Graph, call: &CallValue) -> Option<Shared> {
    rows::handed_on(graph, call)
}

/// The rows that a value is (one of), where a call reads them.
pub fn rows_behind(graph: &Graph, schema: &Schema, value: &Shared) -> Option<RowsRead> {
    rows::behind(graph, schema, value)
}

/// Whether a value is (one of) the rows that a call reads.
pub fn is_read(graph: &Graph, schema: &Schema, value: &Shared) -> bool {
    rows::behind(graph, schema, value).is_some()
}

/// The model whose rows a reading call returns: of one table.
pub fn model_read(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<ModelId> {
    rows::read(graph, schema, call).filter(RowsRead::is_of_one_table).map(|rows| rows.model)
}

/// Whether a read, or a write that gives the row, fails where there is none.
pub fn fails(graph: &Graph, schema: &Schema, call: &CallValue) -> bool {
    orm::fails(graph, schema, call)
}

/// The conditions of a call that only compares (`delete({ token })`, `where('u.token = :token')`), with the model of the rows.
pub fn compared(graph: &Graph, schema: &Schema, call: &CallValue) -> Vec<(ModelId, Shared)> {
    orm::named_by_read(graph, schema, call, |row| row.condition.as_ref())
}

/// Where a call compares the column in a condition that is built of what stands for columns: `filter(users::token.eq(x))`.
pub fn condition_on(graph: &Graph, schema: &Schema, call: &CallValue, column: ColumnId) -> Option<Span> {
    conditions::compared(graph, schema, call, column)
}

/// The columns that a call compares as they were declared (`eq(users.token, x)`), with their models.
pub fn columns(graph: &Graph, schema: &Schema, call: &CallValue) -> Vec<(ModelId, Shared)> {
    orm::columns(graph, schema, call)
}

/// The columns that a call has fetched by name (`addSelect('u.token')`), with the model of the rows.
pub fn fetched(graph: &Graph, schema: &Schema, call: &CallValue) -> Vec<(ModelId, Shared)> {
    renamed::fetched(graph, schema, call)
}

/// The columns that a call gives the values of, with the model of the rows: `user.get('token')`.
pub fn given(graph: &Graph, schema: &Schema, call: &CallValue) -> Vec<(ModelId, Shared)> {
    orm::named_by_read(graph, schema, call, |row| row.gives.as_ref())
}

/// The names that a call gives to columns, each with the column: `select('u.access_token as token')`.
pub fn names_given<'g>(graph: &'g Graph, call: &CallValue) -> impl Iterator<Item = (String, String)> + use<'g> {
    renamed::given(graph, call).into_iter().map(|renamed| (renamed.name, renamed.column))
}

/// What an SQL expression in a row of `table` stands for: `access_token || 'x'` of a function that gives the text.
pub fn sql_expression(graph: &Graph, table: &str, text: &Shared, function: FunctionRef) -> Option<Shared> {
    sql::expression(graph, table, text, function)
}

/// Whether a value that tells the model of a write stands for this one; `None` where only callers further up can tell.
pub fn stands_for(graph: &Graph, schema: &Schema, value: &Shared, model: ModelId) -> Option<bool> {
    told::stands_for(graph, schema, value, model)
}

/// The model that a value is: an entity class, or what the call gives that declares it.
pub fn model_behind(graph: &Graph, schema: &Schema, value: &Shared) -> Option<ModelId> {
    models::model_behind(graph, schema, value)
}

/// The model that a class of the tree (or one of its bases) declares.
pub fn model_of_class(graph: &Graph, schema: &Schema, class: ClassRef) -> Option<ModelId> {
    let line = graph.lineage(class);
    line.iter().find_map(|class| schema.models.iter().position(|model| model.class == Some(*class))).map(ModelId)
}

/// The model behind `client.user`.
fn model_of_accessor(schema: &Schema, accessor: &str) -> Option<ModelId> {
    let fits = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| {
            let mut wanted = accessor.chars();
            wanted.next() == first.to_lowercase().next() && wanted.as_str() == letters.as_str()
        })
    };
    let fits = |model: &crate::schema::Model| match model.source {
        // `context.db.User`
        ModelSource::Prisma => fits(&model.name) || model.name == accessor,
        // `db.query.users`
        ModelSource::Call => model.name == accessor,
        ModelSource::Entity | ModelSource::Sql => false,
    };
    schema.models.iter().position(fits).map(ModelId)
}

/// Whether a model has a tracked column.
fn is_tracked(schema: &Schema, model: ModelId) -> bool {
    schema.columns.iter().any(|column| column.bindings.iter().any(|(id, _)| *id == model))
}

#[cfg(test)]
mod tests;
