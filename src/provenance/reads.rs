//! Who reads the column: fields of rows, queries that name it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::{Edge, EdgeKind, Graph};
use crate::ir::{FunctionId, SqlStatement};
use crate::provenance::meaning::Evaluator;
use crate::provenance::path::{ReadKind, ReadSite};
use crate::rules::ArgBase;
use crate::schema::{ColumnId, Schema};
use crate::sites;
use crate::source::{Language, Scope, Span};
use crate::summary::{FunctionRef, Member, Shared, Slot, Value, ValueKind};

/// Read sites in production code, sorted by place.
pub(super) fn find(graph: &Graph, schema: &Schema, column: ColumnId) -> Vec<ReadSite> {
    let tracked = &schema.columns[column.0];
    // A prelude of Rust names a model by the module of its table.
    let models = tracked.bindings.iter().map(|(id, _)| &schema.models[id.0]);
    let names: Vec<&str> = models.flat_map(|model| [model.name.as_str(), model.table.as_str()]).collect();
    let _limit = graph.limit(Rc::new(graph.sources.mentions(&names).into_iter().flatten().collect()));
    let evaluator = Evaluator {
        graph,
        schema,
        column,
        top: None,
        assumed: RefCell::default(),
        known: Rc::default(),
        rows: Rc::default(),
    };
    let mut found: BTreeMap<Span, ReadSite> = BTreeMap::new();
    let mut selected: BTreeMap<FunctionRef, Span> = BTreeMap::new();
    // `select('access_token as token')`: what queries call columns, here or where the rows come from.
    let events = graph.units().flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
    let given: BTreeSet<String> =
        events.flat_map(|event| sites::names_given(graph, &event.call)).map(|(name, _)| name).collect();
    for (file, unit) in graph.units() {
        let source = graph.sources.get(file);
        // A view that a migration makes is there in production.
        let views_alone = source.language == Language::Sql && source.scope == Scope::Migration;
        if source.scope != Scope::Production && !views_alone {
            continue;
        }
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            let mut add = |span: Span, kind| {
                found.entry(span).or_insert_with(|| ReadSite { span, function: graph.name(function), kind });
            };
            for read in &summary.reads {
                let ValueKind::Field(base, name) = &read.kind else { continue };
                graph.refuel();
                let read_at = read.span;
                let bound = tracked.bindings.iter().any(|(model, property)| {
                    let property = &schema.models[model.0].properties[*property];
                    // `user.tokens.access`, where the class of `tokens` is embedded.
                    let below = property.name.strip_suffix(name.as_str()).and_then(|outer| outer.strip_suffix('.'));
                    let (row, key) = match (&base.kind, below) {
                        (ValueKind::Field(row, outer), Some(below)) if outer == below => (row, &property.name),
                        _ if property.name == *name || property.column == *name || given.contains(name) => (base, name),
                        _ => return false,
                    };
                    let read = |row: &Shared| evaluator.row_of(row);
                    let found = read(row).or_else(|| handed_in(graph, row).iter().find_map(read));
                    let is_it = |row: sites::RowsRead, key: &str| {
                        row.model == *model && row.holds(schema, column, key) == Some(true)
                    };
                    found.map_or_else(
                        // An object of the tree's own that was made of a row: `toDomain(await this.users.findOne(id)).token`.
                        || {
                            let behind = fields_behind(graph, &Value::field(row, key, read_at), 8);
                            behind.iter().any(|(row, key)| read(row).is_some_and(|row| is_it(row, key)))
                        },
                        |found| is_it(found, key),
                    )
                });
                if bound {
                    add(read.span, kind(graph, function));
                }
            }
            for event in &summary.calls {
                // By its shape first: hardly any call compares the column, and telling its model costs more.
                let compared = tracked.bindings.iter().find_map(|(model, property)| {
                    let property = schema.models[model.0].properties[*property].name.as_str();
                    let method = event.call.method();
                    let is_row = |at: usize| {
                        let rows = graph.rules.writes_named(Some(method.unwrap_or_default()));
                        rows.map(|row| &row.row).any(|path| {
                            path.keys.is_empty() && u32::try_from(at).is_ok_and(|at| path.base == ArgBase::Nth(at))
                        })
                    };
                    let mut args = event.call.args.iter().enumerate();
                    let (at, span) = args.find_map(|(at, arg)| Some((at, condition_on(&arg.value, property, 8)?)))?;
                    (!is_row(at)).then_some((*model, span))
                });
                graph.refuel();
                for (model, property) in &tracked.bindings {
                    let property = &schema.models[model.0].properties[*property];
                    let names = [property.name.as_str(), property.column.as_str()];
                    // By its shape first here too.
                    let shape = event.call.args.iter().any(|arg| names_one(&arg.value, names));
                    if shape {
                        let conditions = sites::compared(graph, schema, &event.call);
                        let found = conditions.iter().find(|(of, value)| of == model && names_one(value, names));
                        if let Some((_, value)) = found {
                            add(condition_on(value, names[0], 8).unwrap_or(value.span), query_kind(graph, function));
                        }
                        let given = sites::given(graph, schema, &event.call);
                        if let Some((_, value)) =
                            given.iter().find(|(of, value)| of == model && names_one(value, names))
                        {
                            add(value.span, kind(graph, function));
                        }
                    }
                    let is_column = |value: &Shared| matches!(&value.kind, ValueKind::Field(_, key) if key == names[0]);
                    if event.call.args.iter().any(|arg| is_column(&arg.value)) {
                        let columns = sites::columns(graph, schema, &event.call);
                        let mut own = columns.iter().filter(|(of, value)| of == model && is_column(value));
                        if let Some((_, value)) = own.next() {
                            add(value.span, query_kind(graph, function));
                        }
                    }
                    if event.call.args.iter().any(|arg| listed(&arg.value, names).is_some()) {
                        let columns = sites::fetched(graph, schema, &event.call);
                        let mut own = columns.iter().filter(|(of, _)| of == model);
                        if let Some(span) = own.find_map(|(_, value)| listed(value, names)) {
                            selected.entry(function).or_insert(span);
                        }
                    }
                }
                for (model, property) in &tracked.bindings {
                    let property = schema.models[model.0].properties[*property].name.as_str();
                    let span = event.call.args.iter().find_map(|arg| fetched(&arg.value, property));
                    if let Some(span) = span
                        && sites::model_read(graph, schema, &event.call) == Some(*model)
                    {
                        selected.entry(function).or_insert(span);
                    }
                }
                if let Some(span) = sites::condition_on(graph, schema, &event.call, column) {
                    add(span, query_kind(graph, function));
                }
                if let Some((model, span)) = compared
                    && sites::model_read(graph, schema, &event.call) == Some(model)
                {
                    add(span, query_kind(graph, function));
                }
            }
            for (text, _) in &summary.sql {
                let ValueKind::Sql(text, _) = &text.kind else { continue };
                for statement in &text.statements {
                    let SqlStatement::Select { tables, columns, span, .. } = statement else { continue };
                    let in_view = makes_view(graph.sources.text(*span));
                    // A view of all columns hands this one out; a query of all may never look at it.
                    let asks = |name: &String| name.eq_ignore_ascii_case(&tracked.column) || in_view && name == "*";
                    if (in_view || !views_alone)
                        && tables.iter().any(|table| table.eq_ignore_ascii_case(&tracked.table))
                        && columns.iter().any(asks)
                    {
                        // What stands in a file of its own is a report or a view: its rows leave for somebody else.
                        let leaves = source.language == Language::Sql;
                        add(*span, if leaves { ReadKind::Export } else { ReadKind::Query });
                    }
                }
            }
        }
    }
    for (function, span) in selected {
        // A function that fetches the column and looks at it no further hands it on.
        let name = graph.name(function);
        if !found.values().any(|read| read.span.file == function.file && read.function == name) {
            found.insert(span, ReadSite { span, function: name, kind: ReadKind::Export });
        }
    }
    found.into_values().collect()
}

/// The fields of other objects that a value is, one in each branch.
fn fields_behind(graph: &Graph, value: &Shared, fuel: u8) -> Vec<(Shared, String)> {
    let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
    let resolved = graph.resolved(value);
    let both = |left: &Shared, right: &Shared| {
        let mut found = fields_behind(graph, left, fuel);
        found.extend(fields_behind(graph, right, fuel));
        found
    };
    match &resolved.kind {
        ValueKind::Field(base, name) if !Arc::ptr_eq(&resolved, value) => vec![(Arc::clone(base), name.clone())],
        ValueKind::Cond { then, otherwise, .. } => both(then, otherwise),
        ValueKind::Fallback { left, right, .. } => both(left, right),
        ValueKind::Either(values) => values.iter().flat_map(|value| fields_behind(graph, value, fuel)).collect(),
        _ => Vec::new(),
    }
}

/// `CREATE OR REPLACE MATERIALIZED VIEW ..`
fn makes_view(statement: &str) -> bool {
    let mut words = statement.split_whitespace().map(str::to_ascii_uppercase).take_while(|word| word != "AS");
    words.next().is_some_and(|word| word == "CREATE") && words.any(|word| word == "VIEW")
}

/// Where a query's options name the column among those that they fetch: `select: { token: true }`, `select: ['token']`,
/// `columns: { token: true }`.
fn fetched(value: &Shared, property: &str) -> Option<Span> {
    let ValueKind::Object { entries, .. } = &value.kind else { return None };
    let select = entries.iter().find_map(|entry| match entry {
        Slot::Named { key, value, .. } if matches!(key.as_str(), "select" | "attributes" | "columns") => Some(value),
        _ => None,
    })?;
    match &select.kind {
        ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
            Slot::Named { key, key_span, value }
                if key == property && !matches!(value.kind, ValueKind::Bool(false)) =>
            {
                Some(*key_span)
            }
            _ => None,
        }),
        ValueKind::Array(members) => members.iter().find_map(|member| match member {
            Member::One(inner) if matches!(&inner.kind, ValueKind::Text(text) if text == property) => Some(inner.span),
            _ => None,
        }),
        _ => None,
    }
}

/// Where a text, or one of a list or an object, names the column: `'u.token'`, `['u.id', 'u.token']`.
fn listed(value: &Shared, names: [&str; 2]) -> Option<Span> {
    match &value.kind {
        ValueKind::Text(_) | ValueKind::Concat(_) => names_one(value, names).then_some(value.span),
        ValueKind::Array(members) => members.iter().find_map(|member| match member {
            Member::One(inner) => listed(inner, names),
            Member::Each(_) | Member::Spread(_) => None,
        }),
        // `{ token: users.accessToken }`, `{ token: 'access_token' }`
        ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
            Slot::Named { value, .. } => listed(value, names),
            Slot::Spread(_) | Slot::Computed { .. } => None,
        }),
        ValueKind::Field(_, key) => (key == names[0]).then_some(value.span),
        _ => None,
    }
}

/// What callers hand in as a parameter of no declared type: `rows.map((row) => row.token)`, `show(user)`.
fn handed_in(graph: &Graph, value: &Shared) -> Vec<Shared> {
    let ValueKind::Param(function, at) = &value.kind else { return Vec::new() };
    let argument = |edge: &Edge| match &edge.kind {
        EdgeKind::Call(call) => call.args.get(*at as usize).map(|arg| Arc::clone(&arg.value)),
        EdgeKind::Callback(bindings) => bindings.params.get(*at as usize).cloned(),
        EdgeKind::Framework => None,
    };
    graph.callers(*function).iter().take(8).filter_map(argument).collect()
}

/// Keys of a query's options that do not select rows.
const NO_CONDITION: [&str; 10] =
    ["data", "select", "omit", "columns", "create", "update", "include", "orderBy", "relations", "order"];

/// Where a query's options compare the column: `{ where: { token } }`, compound keys and `AND` lists included.
fn condition_on(value: &Shared, property: &str, fuel: u8) -> Option<Span> {
    let fuel = fuel.checked_sub(1)?;
    match &value.kind {
        ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
            Slot::Named { key, key_span, .. } if key == property => Some(*key_span),
            Slot::Named { key, value, .. } if !NO_CONDITION.contains(&key.as_str()) => {
                condition_on(value, property, fuel)
            }
            Slot::Spread(inner) => condition_on(inner, property, fuel),
            Slot::Named { .. } | Slot::Computed { .. } => None,
        }),
        ValueKind::Array(members) => members.iter().find_map(|member| {
            let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
            condition_on(inner, property, fuel)
        }),
        _ => None,
    }
}

/// Whether a condition names the property (or, in a text, the column).
fn names_one(value: &Shared, names: [&str; 2]) -> bool {
    let in_text = |text: &str| {
        let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.any(|word| names.contains(&word))
    };
    match &value.kind {
        ValueKind::Text(text) => in_text(text),
        ValueKind::Concat(parts) => parts.iter().any(|part| names_one(part, names)),
        _ => condition_on(value, names[0], 8).is_some(),
    }
}

fn query_kind(graph: &Graph, function: FunctionRef) -> ReadKind {
    if kind(graph, function) == ReadKind::Guard { ReadKind::Guard } else { ReadKind::Query }
}

/// A guard by what its class is called and does: guards, strategies and middleware decide on a request.
fn kind(graph: &Graph, function: FunctionRef) -> ReadKind {
    let name = graph.name(function);
    let owner = name.split('.').next().unwrap_or("");
    let decides = ["Guard", "Strategy", "Middleware"].iter().any(|ending| owner.ends_with(ending))
        || name.ends_with(".canActivate");
    if decides { ReadKind::Guard } else { ReadKind::Service }
}
