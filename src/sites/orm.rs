//! Writes and reads through ORM calls, as rule rows describe them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::{FunctionId, Shape};
use crate::rules::{ArgBase, ArgPath, Operation, Read, Target, Undefined, Write};
use crate::schema::{ModelId, ModelSource, Property, Schema};
use crate::sites::apart::apart;
use crate::sites::assignments::{self, assignments};
use crate::sites::inherited::class_of_this;
use crate::sites::models::{chain_calls, entity_of, model_of_type};
use crate::sites::named::Named;
use crate::sites::{Called, Candidate, inherited, is_tracked, model_of_class, nested, unresolved};
use crate::source::Span;
use crate::summary::{CallValue, ClassRef, Event, FunctionRef, Member, Shared, Slot, Value, ValueKind};

pub(super) fn find(graph: &Graph, schema: &Schema) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut turned: BTreeSet<Span> = BTreeSet::new();
    for (file, unit) in graph.units() {
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            for event in &summary.calls {
                graph.refuel();
                written(graph, schema, function, event, &mut found, &mut turned);
            }
        }
    }
    for candidate in &mut found {
        if candidate.operation == Operation::Insert && turned.contains(&candidate.span) {
            candidate.operation = Operation::UpsertCreate;
        }
    }
    found
}

fn written(
    graph: &Graph,
    schema: &Schema,
    function: FunctionRef,
    event: &Event,
    found: &mut Vec<Candidate>,
    turned: &mut BTreeSet<Span>,
) {
    let call = &event.call;
    let Some(method) = call.method() else { return };
    let mut path = None;
    // Rows that fit but for the model, which nothing told.
    let mut untold: Vec<&Write> = Vec::new();
    let mut told = false;
    for row in graph.rules.writes_named(Some(method)) {
        if row.arity.is_some_and(|arity| arity != call.args.len()) {
            continue;
        }
        let path = path.get_or_insert_with(|| library_path(graph, call));
        if !path.as_ref().is_some_and(|path| row.call.matches(path)) {
            continue;
        }
        let is_true = |path: &ArgPath| graph.argument(call, path).iter().any(|value| is_true(graph, value));
        if row.when.as_ref().is_some_and(|path| !is_true(path)) || row.unless.as_ref().is_some_and(is_true) {
            continue;
        }
        if let Some(required) = &row.requires
            && !has(graph, call, required)
        {
            continue;
        }
        let named = Named::of_write(row);
        let rows: Vec<(ModelId, bool, Shared)> = if row.on == Target::Assigned {
            named.assigned(graph, schema, function)
        } else if row.on == Target::Model && call.receiver().is_some_and(|r| matches!(r.kind, ValueKind::Index(..))) {
            // `prisma[name].update(..)`: any model, told by the tracked property in the row.
            written_rows(graph, schema, None, call, row, turned)
                .into_iter()
                .flat_map(|value| models_told_by(schema, &value).into_iter().map(move |id| (id, false, value.clone())))
                .collect()
        } else {
            let Some((model, certain)) = named.model(graph, schema, call) else {
                if inherited::find(graph, schema, row, function, event, found) {
                    told = true;
                } else {
                    untold.push(row);
                }
                continue;
            };
            let rows = written_rows(graph, schema, Some(model), call, row, turned);
            let apart = |value: Shared| apart(graph, schema, row, model, value);
            rows.into_iter().flat_map(apart).map(|(model, value)| (model, certain, value)).collect()
        };
        if rows.is_empty() && row.on == Target::Model {
            untold.push(row);
        }
        told |= !rows.is_empty();
        for (model, certain, value) in rows {
            let assigned = row.assign.as_deref().and_then(|method| assignments(graph, &value, method, 6));
            let properties = |inserted: &Shared| {
                let model = model_of_row(graph, schema, model, inserted);
                schema.models[model.0].properties.as_slice()
            };
            let assigned = assigned.map(|value| assignments::excluded(graph, properties, call, row, &value));
            let listed = assignments::listed(graph, call, row, &value);
            let by_column = assigned.is_some() || listed.is_some();
            let value = assigned.or(listed).unwrap_or(value);
            let model = if by_column { model } else { model_of_row(graph, schema, model, &value) };
            let candidate = Candidate {
                model,
                within: None,
                function,
                span: event.span(),
                operation: row.operation,
                undefined: undefined(graph, row, by_column, &value),
                row: value,
                by_column,
                wrapper: row.wrapper.clone(),
                sql_functions: row.sql_functions,
                whole: row.whole,
                hooks: row.hooks,
                instance: row.on == Target::Instance && row.entity.is_empty(),
                guards: event.guards.clone(),
                certain,
                unresolved: None,
                told_by: None,
                called: called(graph, row, call),
                run_by: None,
            };
            nested::find(graph, schema, &candidate, found);
            if is_tracked(schema, model) {
                found.push(candidate);
            }
        }
    }
    if !told && !untold.is_empty() && graph.targets(call).is_empty() {
        unresolved::find(graph, schema, &untold, function, event, found);
    }
}

/// Of several classes that stand for one table the one that a row is of.
fn model_of_row(graph: &Graph, schema: &Schema, model: ModelId, row: &Shared) -> ModelId {
    let table = &schema.models[model.0].table;
    let is_same =
        |id: &ModelId| schema.models[id.0].table == *table && schema.models[id.0].pack == schema.models[model.0].pack;
    if (0..schema.models.len()).map(ModelId).filter(is_same).nth(1).is_none() {
        return model;
    }
    model_of_type(graph, schema, &graph.type_of(row)).filter(is_same).unwrap_or(model)
}

/// How interceptors see a call on a model's delegate.
fn called(graph: &Graph, row: &Write, call: &CallValue) -> Option<Called> {
    if row.on != Target::Model || row.row.base != ArgBase::Nth(0) {
        return None;
    }
    let holder = |value: &Shared| match &value.kind {
        ValueKind::Field(client, _) => Some(Arc::clone(client)),
        _ => None,
    };
    let receiver = call.receiver()?;
    Some(Called {
        pack: row.pack.clone(),
        client: holder(receiver).or_else(|| holder(&graph.resolved(receiver))),
        method: call.method()?.to_owned(),
        keys: row.row.keys.clone(),
    })
}

/// What an undefined value does: a column that is assigned by itself becomes NULL, and so do those of a class that says so.
fn undefined(graph: &Graph, row: &Write, by_column: bool, value: &Shared) -> Undefined {
    let Some(flag) = row.nulls_by.as_deref() else { return row.undefined };
    let says_so = |class: ClassRef| {
        let decorators = graph.unit(class.file)?.summary.class_decorators.get(class.id.at())?;
        let args = decorators.iter().flat_map(|decorator| &decorator.args);
        args.map(|arg| &arg.value).find_map(|arg| match &arg.kind {
            ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
                Slot::Named { key, value, .. } if key == flag => Some(match &value.kind {
                    ValueKind::Bool(says) => *says,
                    // Diesel 1 has it in quotes.
                    ValueKind::Text(text) => text == "true",
                    _ => false,
                }),
                _ => None,
            }),
            _ => None,
        })
    };
    match graph.type_of(value) {
        _ if by_column => Undefined::Null,
        Type::Instance(class, _) if says_so(class) == Some(true) => Undefined::Null,
        _ => row.undefined,
    }
}

/// The Prisma models with a tracked property that a row names.
fn models_told_by(schema: &Schema, row: &Shared) -> Vec<ModelId> {
    let ValueKind::Object { entries, .. } = &row.kind else { return Vec::new() };
    let names = |property: &str| entries.iter().any(|slot| matches!(slot, Slot::Named { key, .. } if key == property));
    let bound = schema.columns.iter().flat_map(|column| &column.bindings);
    let told = bound.filter(|(id, at)| {
        let model = &schema.models[id.0];
        model.source == ModelSource::Prisma && names(&model.properties[*at].name)
    });
    let mut ids: Vec<ModelId> = told.map(|(id, _)| *id).collect();
    ids.dedup();
    ids
}

/// The rows that a call writes, as its rule row describes them.
fn written_rows(
    graph: &Graph,
    schema: &Schema,
    model: Option<ModelId>,
    call: &CallValue,
    row: &Write,
    turned: &mut BTreeSet<Span>,
) -> Vec<Shared> {
    let mut values = graph.argument(call, &row.row);
    let properties = model.map_or(&[][..], |model| schema.models[model.0].properties.as_slice());
    // `.update(User).set(row)` beside `.update(row)`
    if row.on == Target::Chain && row.column.is_none() {
        values.retain(|value| !matches!(value.kind, ValueKind::Text(_)) && graph.class_behind(value).is_none());
    }
    if let Some(method) = &row.turns {
        let chain = call.receiver().map_or_else(Vec::new, |receiver| chain_calls(graph, receiver));
        let Some(insert) = chain.iter().find(|call| call.method() == Some(method)) else { return Vec::new() };
        turned.insert(insert.site.span);
        let inserted = insert.args.first().map(|arg| &arg.value);
        values = match (values.as_slice(), inserted) {
            // `.insert().into(User, columns)`: nothing is inserted here.
            (_, None) => return Vec::new(),
            ([], Some(inserted)) => vec![Arc::clone(inserted)],
            ([only], Some(inserted)) => vec![part(graph, properties, only, inserted, true)],
            _ => values,
        };
    }
    if let Some(path) = &row.only {
        let chain = call.receiver().map_or_else(Vec::new, |receiver| chain_calls(graph, receiver));
        let after = chain.iter().find(|call| call.method() == row.after.as_deref());
        let lists = after.into_iter().flat_map(|after| graph.argument(after, path));
        if let Some(list) = lists.map(|list| graph.resolved(&list)).find(|list| is_list_of_names(list)) {
            values = values.iter().map(|value| part(graph, properties, &list, value, false)).collect();
        }
    }
    values = values.iter().map(|value| opened(graph, properties, value, row)).collect();
    if let Some(path) = &row.beneath {
        let beneath = graph.argument(call, path);
        values = values
            .into_iter()
            .map(|value| {
                let span = value.span;
                let entries = beneath.iter().cloned().chain([value]).map(Slot::Spread).collect();
                Value::new(ValueKind::Object { base: None, entries }, span)
            })
            .collect();
    }
    values
}

/// `['email']`, by the names of properties or columns, is that part of what is inserted; anything else is a row of its own. With
/// `defaults`, what is inserted without a listed column has its default there.
fn part(graph: &Graph, properties: &[Property], row: &Shared, inserted: &Shared, defaults: bool) -> Shared {
    let resolved = graph.resolved(row);
    let ValueKind::Array(members) = &resolved.kind else { return Arc::clone(row) };
    let entries = members.iter().filter_map(|member| match member {
        Member::One(name) => match &name.kind {
            ValueKind::Text(key) => {
                let named = properties.iter().find(|known| known.name == *key || known.column == *key);
                let key = named.map_or(key, |known| &known.name);
                let default = named.filter(|_| defaults);
                let value = of_inserted(graph, &Value::element_or_self(inserted), key, default, name.span);
                Some(Slot::Named { key: key.clone(), key_span: name.span, value })
            }
            _ => None,
        },
        Member::Spread(_) | Member::Each(_) => None,
    });
    Value::new(ValueKind::Object { base: None, entries: entries.collect() }, row.span)
}

/// What an INSERT puts into a column under a key of its row (or of each of its rows); with `column`, its default where the key is not
/// there.
fn of_inserted(graph: &Graph, row: &Shared, key: &str, column: Option<&Property>, span: Span) -> Shared {
    let known = graph.resolved(row);
    let kind = match &known.kind {
        ValueKind::Either(rows) => {
            ValueKind::Either(rows.iter().map(|row| of_inserted(graph, row, key, column, span)).collect())
        }
        ValueKind::Object { .. } => {
            let value = Value::field(&known, key, span);
            match column.filter(|_| matches!(value.kind, ValueKind::Undefined)) {
                None => return value,
                Some(column) if column.default.is_none() => ValueKind::Null,
                Some(_) => ValueKind::Opaque("the column's default", Vec::new()),
            }
        }
        _ => return Value::field(row, key, span),
    };
    Value::new(kind, span)
}

fn is_list_of_names(list: &Value) -> bool {
    let is_name = |member: &Member| matches!(member, Member::One(name) if matches!(name.kind, ValueKind::Text(_)));
    matches!(&list.kind, ValueKind::Array(members) if members.iter().all(is_name))
}

/// `{ $set: { a }, $unset: { b: 1 } }` is `{ a, b: null }`. What only callers tell is looked up below each of the keys, and each of
/// the properties where keys are cleared.
pub(super) fn opened(graph: &Graph, properties: &[Property], row: &Shared, rule: &Write) -> Shared {
    if rule.below.is_empty() && rule.clears.is_empty() {
        return Arc::clone(row);
    }
    let resolved = graph.resolved(row);
    let ValueKind::Object { base, entries } = &resolved.kind else {
        return if row.is_open() { opened_later(properties, row, rule) } else { Arc::clone(row) };
    };
    let mut opened = Vec::new();
    for entry in entries {
        match entry {
            Slot::Named { key, value, .. } if rule.below.contains(key) => opened.push(Slot::Spread(Arc::clone(value))),
            Slot::Named { key, value, .. } if rule.clears.contains(key) => {
                let ValueKind::Object { entries, .. } = &graph.resolved(value).kind else { continue };
                opened.extend(entries.iter().filter_map(|entry| match entry {
                    Slot::Named { key, key_span, .. } => {
                        let value = Value::new(ValueKind::Null, *key_span);
                        Some(Slot::Named { key: key.clone(), key_span: *key_span, value })
                    }
                    Slot::Computed { .. } | Slot::Spread(_) => None,
                }));
            }
            entry => opened.push(entry.clone()),
        }
    }
    Value::new(ValueKind::Object { base: base.clone(), entries: opened }, row.span)
}

fn opened_later(properties: &[Property], row: &Shared, rule: &Write) -> Shared {
    let span = row.span;
    let mut entries = vec![Slot::Spread(Arc::clone(row))];
    entries.extend(rule.below.iter().map(|key| Slot::Spread(Value::field(row, key, span))));
    for clears in &rule.clears {
        let cleared = Value::field(row, clears, span);
        entries.extend(properties.iter().map(|property| {
            let key = property.first_key();
            let left = Value::field(&cleared, key, span);
            let right = Value::new(ValueKind::Undefined, span);
            let cond = Value::new(ValueKind::Compare { left, right, equal: false }, span);
            let value = Value::new(ValueKind::Null, span);
            let named = vec![Slot::Named { key: key.to_owned(), key_span: span, value }];
            let then = Value::new(ValueKind::Object { base: None, entries: named }, span);
            let otherwise = Value::new(ValueKind::Undefined, span);
            let inner = Value::new(ValueKind::Cond { cond, then, otherwise }, span);
            let is_there = Value::new(ValueKind::Is(Arc::clone(&cleared), Shape::Object), span);
            Slot::Spread(Value::new(ValueKind::And(is_there, inner), span))
        }));
    }
    Value::new(ValueKind::Object { base: None, entries }, span)
}

fn is_true(graph: &Graph, value: &Shared) -> bool {
    matches!(graph.resolved(value).kind, ValueKind::Bool(true))
}

/// The callable path, where the call leaves the tree.
fn library_path(graph: &Graph, call: &CallValue) -> Option<String> {
    if graph.targets(call).iter().any(|target| target.certain) {
        return None;
    }
    graph.callee_path(call)
}

/// Whether an argument path is there; an argument that is not known as an object may have it.
fn has(graph: &Graph, call: &CallValue, path: &ArgPath) -> bool {
    graph.argument(call, path).iter().any(|value| !matches!(value.kind, ValueKind::Undefined | ValueKind::Null))
}

pub(super) fn model_read(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<ModelId> {
    read(graph, schema, call).map(|(model, _)| model)
}

/// The model whose rows a call returns, and the row that describes the call.
pub(super) fn read<'r>(graph: &'r Graph, schema: &Schema, call: &CallValue) -> Option<(ModelId, &'r Read)> {
    let method = call.method()?;
    let mut rows = graph.rules.reads_named(Some(method)).filter(|row| row.returns()).peekable();
    rows.peek()?;
    let path = library_path(graph, call)?;
    rows.filter(|row| row.call.matches(&path)).find_map(|row| {
        let named = Named::of_read(row);
        // `this.findOne(..)` in a static method of the model.
        let own = || {
            let class = call.receiver().filter(|_| row.on == Target::Static).and_then(class_of_this)?;
            let model = model_of_class(graph, schema, class)?;
            (named.knows(schema, model) && named.base_fits(graph, schema, model)).then_some(model)
        };
        let model = named.model(graph, schema, call).map(|(model, _)| model).or_else(own)?;
        Some((model, row))
    })
}

/// Whether a call fails where there is no row.
pub(super) fn fails(graph: &Graph, schema: &Schema, call: &CallValue) -> bool {
    let mut rows = graph.rules.reads_named(call.method()).filter(|row| row.fails).peekable();
    if rows.peek().is_none() {
        return false;
    }
    let Some(path) = library_path(graph, call) else { return false };
    // `update` is a method of many; that of a model's accessor is this one.
    let names = |row: &Read| Named::of_read(row).model(graph, schema, call).is_some();
    // A chain that another library's row knows by where it begins is that library's: knex has a `first` too, which does not fail.
    let others = graph.rules.reads_named(call.method()).filter(|row| !row.fails && row.on == Target::Chain);
    let is_others = others.filter(|row| row.after.is_some() && row.call.matches(&path)).any(names);
    let is_known = |row: &Read| match row.on {
        Target::Model => names(row),
        Target::Chain => !is_others,
        _ => true,
    };
    rows.any(|row| row.call.matches(&path) && is_known(row))
}

/// The columns of declared tables that a call compares, by rows with `column`.
pub(super) fn columns(graph: &Graph, schema: &Schema, call: &CallValue) -> Vec<(ModelId, Shared)> {
    let mut rows = graph.rules.read().filter(|row| !row.column.is_empty()).peekable();
    if rows.peek().is_none() {
        return Vec::new();
    }
    let Some(path) = library_path(graph, call) else { return Vec::new() };
    let places = rows.filter(|row| row.call.matches(&path)).flat_map(|row| &row.column);
    places
        .flat_map(|place| graph.argument(call, place))
        .filter_map(|value| {
            let ValueKind::Field(table, _) = &value.kind else { return None };
            Some((entity_of(graph, schema, table)?, value))
        })
        .collect()
}

/// What stands at the place that the rows of reading calls name, and the model whose rows are read.
pub(super) fn named_by_read(
    graph: &Graph,
    schema: &Schema,
    call: &CallValue,
    place: impl Fn(&Read) -> Option<&ArgPath>,
) -> Vec<(ModelId, Shared)> {
    let method = call.method();
    let mut path = None;
    let mut found = Vec::new();
    for row in graph.rules.read() {
        let Some(place) = place(row) else { continue };
        // `eb('token', '=', token)` has no name but that of a parameter.
        if row.call.last() != method && (method.is_none() || row.call.last().is_some()) {
            continue;
        }
        let path = path.get_or_insert_with(|| library_path(graph, call)).as_ref();
        // What another row knows to be written there is no condition.
        let is_written = |path: &String| {
            let mut writes = graph.rules.writes_named(method);
            writes.any(|write| write.on == row.on && write.row == *place && write.call.matches(path))
        };
        if path.is_some_and(|path| row.call.matches(path) && !is_written(path))
            && let Some((model, _)) = Named::of_read(row).model(graph, schema, call)
        {
            found.extend(graph.argument(call, place).into_iter().map(|value| (model, value)));
        }
    }
    found
}
