//! Writes and reads through ORM calls, as rule rows describe them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::FunctionId;
use crate::rules::{ArgPath, CallPattern, Operation, Read, Target, Undefined, Write};
use crate::schema::{ModelId, ModelSource, Property, Schema};
use crate::sites::assignments::{self, assignments};
use crate::sites::inherited::class_of_this;
use crate::sites::models::{
    accessed, by_accessor, chain_calls, entity_of, instance_of, model_behind, model_named, model_of_type,
};
use crate::sites::models::{is_called, makes_handle, table_of, table_under};
use crate::sites::{Candidate, inherited, is_tracked, model_of_accessor, model_of_class, nested, unresolved};
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
            rows.into_iter().map(|value| (model, certain, value)).collect()
        };
        if rows.is_empty() && row.on == Target::Model {
            untold.push(row);
        }
        told |= !rows.is_empty();
        for (model, certain, value) in rows {
            let assigned = row.assign.as_deref().and_then(|method| assignments(graph, &value, method, 6));
            let properties = &schema.models[model.0].properties;
            let assigned = assigned.map(|value| assignments::excluded(graph, properties, call, row, &value));
            let listed = assignments::listed(graph, call, row, &value);
            let by_column = assigned.is_some() || listed.is_some();
            let value = assigned.or(listed).unwrap_or(value);
            let candidate = Candidate {
                model,
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

/// What an undefined value does: a column that is assigned by itself becomes NULL, and so do those of a class that says so.
fn undefined(graph: &Graph, row: &Write, by_column: bool, value: &Shared) -> Undefined {
    let Some(flag) = row.nulls_by.as_deref() else { return row.undefined };
    let says_so = |class: ClassRef| {
        let decorators = graph.unit(class.file)?.summary.class_decorators.get(class.id.at())?;
        let args = decorators.iter().flat_map(|decorator| &decorator.args);
        args.map(|arg| &arg.value).find_map(|arg| match &arg.kind {
            ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
                Slot::Named { key, value, .. } if key == flag => Some(matches!(value.kind, ValueKind::Bool(true))),
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
    if let Some(method) = &row.turns {
        let chain = call.receiver().map_or_else(Vec::new, |receiver| chain_calls(graph, receiver));
        let Some(insert) = chain.iter().find(|call| call.method() == Some(method)) else { return Vec::new() };
        turned.insert(insert.site.span);
        let inserted = insert.args.first().map(|arg| &arg.value);
        values = match (values.as_slice(), inserted) {
            ([], Some(inserted)) => vec![Arc::clone(inserted)],
            ([only], Some(inserted)) => {
                let properties = model.map_or(&[][..], |model| schema.models[model.0].properties.as_slice());
                vec![part(graph, properties, only, inserted)]
            }
            _ => values,
        };
    }
    if !row.below.is_empty() || !row.clears.is_empty() {
        values = values.iter().map(|value| opened(graph, value, row)).collect();
    }
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

/// `['email']`, by the names of properties or columns, is that part of what is inserted; anything else is a row of its own.
fn part(graph: &Graph, properties: &[Property], row: &Shared, inserted: &Shared) -> Shared {
    let resolved = graph.resolved(row);
    let ValueKind::Array(members) = &resolved.kind else { return Arc::clone(row) };
    let entries = members.iter().filter_map(|member| match member {
        Member::One(name) => match &name.kind {
            ValueKind::Text(key) => {
                let named = properties.iter().find(|known| known.name == *key || known.column == *key);
                let key = named.map_or(key, |known| &known.name);
                let value = Value::field(&Value::element_or_self(inserted), key, name.span);
                Some(Slot::Named { key: key.clone(), key_span: name.span, value })
            }
            _ => None,
        },
        Member::Spread(_) | Member::Each(_) => None,
    });
    Value::new(ValueKind::Object { base: None, entries: entries.collect() }, row.span)
}

/// `{ $set: { a }, $unset: { b: 1 } }` is `{ a, b: null }`.
fn opened(graph: &Graph, row: &Shared, rule: &Write) -> Shared {
    let resolved = graph.resolved(row);
    let ValueKind::Object { base, entries } = &resolved.kind else { return Arc::clone(row) };
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

struct Named<'r> {
    on: Target,
    types: &'r [CallPattern],
    entity: &'r [ArgPath],
    after: Option<&'r str>,
    pack: &'r str,
}

impl<'r> Named<'r> {
    fn of_write(row: &'r Write) -> Self {
        let after = row.after.as_deref();
        Self { on: row.on, types: &row.types, entity: &row.entity, after, pack: &row.pack }
    }

    fn of_read(row: &'r Read) -> Self {
        let after = row.after.as_deref();
        Self { on: row.on, types: &row.types, entity: &row.entity, after, pack: &row.pack }
    }

    /// The model and whether it is certain.
    fn model(&self, graph: &Graph, schema: &Schema, call: &CallValue) -> Option<(ModelId, bool)> {
        self.any_model(graph, schema, call).filter(|(model, _)| self.knows(schema, *model))
    }

    /// A pack that declares models is about no others but those that only SQL and Prisma declare.
    fn knows(&self, schema: &Schema, model: ModelId) -> bool {
        let pack = schema.models[model.0].pack.as_str();
        self.pack.is_empty() || pack.is_empty() || self.pack == pack
    }

    /// What the function assigned to its entities.
    fn assigned(&self, graph: &Graph, schema: &Schema, function: FunctionRef) -> Vec<(ModelId, bool, Shared)> {
        let Some(summary) = graph.summary(function) else { return Vec::new() };
        let last = summary.assigned.values().filter_map(|values| values.last());
        let changed = last
            .filter(|value| matches!(value.kind, ValueKind::Object { base: Some(_), .. } | ValueKind::After { .. }));
        changed
            .filter_map(|value| {
                let model = instance_of(graph, schema, value)?;
                self.knows(schema, model).then(|| (model, true, Arc::clone(value)))
            })
            .collect()
    }

    fn any_model(&self, graph: &Graph, schema: &Schema, call: &CallValue) -> Option<(ModelId, bool)> {
        let receiver = call.receiver()?;
        match self.on {
            Target::Model => {
                let ValueKind::Field(client, accessor) = &receiver.kind else {
                    // `const users = prisma.user; users.update(..)`
                    return accessed(graph, schema, receiver, 6).map(|model| (model, false));
                };
                let model = model_of_accessor(schema, accessor)?;
                let typed = || match graph.type_of(client) {
                    ty if ty.is_any() || ty.is_parameter() => false,
                    Type::External(..) => true,
                    Type::Instance(class, _) => graph.base_path(class).is_some(),
                    _ => false,
                };
                // What the client is may stand in a file that mentions no model.
                if is_tracked(schema, model)
                    && let Some(file) = graph.imported_from(client)
                {
                    graph.ask(file);
                }
                Some((model, typed()))
            }
            Target::Type => self.by_type(graph, schema, receiver).map(|model| (model, true)),
            Target::Argument => {
                let entities = self.entity.iter().flat_map(|path| graph.argument(call, path));
                let fits = self.types.is_empty() || self.type_fits(graph, receiver);
                entities.filter(|_| fits).find_map(|value| entity_of(graph, schema, &value)).map(|model| (model, true))
            }
            Target::Instance => {
                let named = self.entity.iter().flat_map(|path| graph.argument(call, path)).next();
                let instance = if self.entity.is_empty() { receiver } else { named.as_ref()? };
                let model = instance_of(graph, schema, instance)?;
                self.base_fits(graph, schema, model).then_some((model, true))
            }
            Target::Static => {
                if let Some(model) = model_behind(graph, schema, receiver) {
                    return self.base_fits(graph, schema, model).then_some((model, true));
                }
                self.by_type(graph, schema, receiver)
                    .map(|model| (model, true))
                    .or_else(|| by_accessor(graph, schema, receiver).map(|model| (model, false)))
            }
            Target::Relation => self.by_relation(graph, schema, call, receiver),
            Target::Assigned => None,
            Target::Chain => self.by_chain(graph, schema, call).map(|model| (model, true)),
        }
    }

    /// Whether the model's class extends one of `types`, where it has one.
    fn base_fits(&self, graph: &Graph, schema: &Schema, model: ModelId) -> bool {
        let base = schema.models[model.0].class.and_then(|class| graph.base_path(class));
        self.types.is_empty() || base.is_none_or(|path| self.types.iter().any(|pattern| pattern.matches(&path)))
    }

    fn type_fits(&self, graph: &Graph, receiver: &Shared) -> bool {
        let path = match graph.type_of(receiver) {
            Type::External(path, _) => Some(path),
            Type::Instance(class, _) => graph.base_path(class),
            _ => None,
        };
        path.is_some_and(|path| self.types.iter().any(|pattern| pattern.matches(&path)))
    }

    /// `Repository<User>`, or a class of the tree that extends it.
    fn by_type(&self, graph: &Graph, schema: &Schema, receiver: &Shared) -> Option<ModelId> {
        let ty = graph.type_of(receiver);
        let entity = match &ty {
            Type::External(path, args) if self.types.iter().any(|pattern| pattern.matches(path)) => {
                args.first().cloned()
            }
            Type::Instance(class, args) => graph.library_bases(*class, args).into_iter().find_map(|base| match base {
                Type::External(path, args) if self.types.iter().any(|pattern| pattern.matches(&path)) => {
                    args.into_iter().next()
                }
                _ => None,
            }),
            _ => None,
        };
        match entity? {
            // `getRepository('users')`
            Type::Literal(name) => model_named(schema, &name),
            entity => model_of_type(graph, schema, &entity),
        }
    }

    /// The model on the other side of a relation of the receiver, by the relation's name in the singular or plural.
    fn by_relation(
        &self,
        graph: &Graph,
        schema: &Schema,
        call: &CallValue,
        receiver: &Shared,
    ) -> Option<(ModelId, bool)> {
        let written = call.type_args.first().map(|ty| graph.resolve_type(call.site.function.file, ty));
        if let Some(model) = written.and_then(|ty| model_of_type(graph, schema, &ty)) {
            return Some((model, true));
        }
        let name = self.entity.iter().flat_map(|path| graph.argument(call, path)).next()?;
        let ValueKind::Text(name) = &graph.resolved(&name).kind else { return None };
        let is_named = |property: &&crate::schema::Property| {
            let rest = property.name.strip_prefix(name.as_str());
            rest.is_some_and(|rest| matches!(rest, "" | "s" | "es"))
                || name.strip_suffix('y').is_some_and(|stem| property.name == format!("{stem}ies"))
        };
        let near = schema.models.get(instance_of(graph, schema, receiver)?.0)?;
        let related = near.properties.iter().filter(is_named).find_map(|property| property.relation.as_deref())?;
        schema.models.iter().position(|model| model.name == related).map(|at| (ModelId(at), true))
    }

    /// An entity named in the call `after` further left, or the type of what the chain starts from.
    fn by_chain(&self, graph: &Graph, schema: &Schema, call: &CallValue) -> Option<ModelId> {
        let chain = call.receiver().map_or_else(Vec::new, |receiver| chain_calls(graph, receiver));
        let named = |call: &CallValue| {
            let arguments = self.entity.iter().flat_map(|path| graph.argument(call, path));
            arguments.into_iter().find_map(|value| {
                let itself = || entity_of(graph, schema, &value).or_else(|| instance_of(graph, schema, &value));
                itself().or_else(|| table_under(graph, schema, &value))
            })
        };
        let after = match self.after {
            // The call that the chain starts with: `knex('users')`, but not `getRepository(User)`.
            Some("()") => {
                let at = chain.iter().position(|call| call.method().is_none() && !call.is_new)?;
                return named(&chain[at]).filter(|_| !makes_handle(graph, &chain[at]));
            }
            Some(method) => Some(chain.iter().position(|call| is_called(graph, call, method))?),
            None => None,
        };
        if !self.entity.is_empty() {
            return match after {
                Some(at) => named(&chain[at]),
                None => named(call),
            };
        }
        let first = after.unwrap_or(0);
        chain[first.min(chain.len())..]
            .iter()
            .filter_map(|call| call.receiver())
            .find_map(|receiver| self.by_type(graph, schema, receiver).or_else(|| table_of(graph, schema, receiver)))
    }
}

pub(super) fn model_read(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<ModelId> {
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
        named.model(graph, schema, call).map(|(model, _)| model).or_else(own)
    })
}

/// What stands at the place that the rows of reading calls name, and the model whose rows are read.
pub(super) fn named_by_read(
    graph: &Graph,
    schema: &Schema,
    call: &CallValue,
    place: impl Fn(&Read) -> Option<&ArgPath>,
) -> Vec<(ModelId, Shared)> {
    let Some(method) = call.method() else { return Vec::new() };
    let mut path = None;
    let mut found = Vec::new();
    for row in graph.rules.read() {
        let Some(place) = place(row) else { continue };
        if row.call.last().is_some_and(|last| last != method) {
            continue;
        }
        let path = path.get_or_insert_with(|| library_path(graph, call)).as_ref();
        if path.is_some_and(|path| row.call.matches(path))
            && let Some((model, _)) = Named::of_read(row).model(graph, schema, call)
        {
            found.extend(graph.argument(call, place).into_iter().map(|value| (model, value)));
        }
    }
    found
}
