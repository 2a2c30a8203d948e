//! Which model a value stands for: the entity itself, or a row of it.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::{FunctionId, Imported};
use crate::rules::ArgBase;
use crate::schema::{ModelId, ModelSource, Schema};
use crate::sites::orm::model_read;
use crate::sites::{is_tracked, model_of_accessor, model_of_class};
use crate::summary::{CallValue, FunctionRef, Shared, Slot, Value, ValueKind};

/// The entity that an argument names: its class, what a call declared as a model, or the name of its table or model.
pub(super) fn entity_of(graph: &Graph, schema: &Schema, value: &Shared) -> Option<ModelId> {
    if let Some(model) = model_behind(graph, schema, value) {
        return Some(model);
    }
    match &table_name(graph, value).kind {
        ValueKind::Text(name) => {
            // `public.users as u`
            let name = name.split_whitespace().next().unwrap_or(name);
            let name = name.rsplit('.').next().unwrap_or(name);
            let named = |model: &&ModelId| {
                let model = &schema.models[model.0];
                model.table.eq_ignore_ascii_case(name) || model.name == name
            };
            let all: Vec<ModelId> = (0..schema.models.len()).map(ModelId).collect();
            let mut fits = all.iter().filter(named);
            let first = fits.next().copied()?;
            Some(std::iter::once(first).chain(fits.copied()).find(|id| is_tracked(schema, *id)).unwrap_or(first))
        }
        _ => None,
    }
}

/// What a value names a table by. In Rust no module is a value: where one of that name is in scope beside what a glob brings, the
/// table that it holds is meant (`use schema::users; use schema::users::dsl::*; insert_into(users)`).
fn table_name(graph: &Graph, value: &Shared) -> Shared {
    let known = graph.resolved(value);
    let is_module = graph.is_rust(value.span.file) && matches!(known.kind, ValueKind::Object { base: None, .. });
    if is_module { Value::field(&known, "table", value.span) } else { known }
}

/// The model that a value is: an entity class, or the result of the call that declares it.
pub(super) fn model_behind(graph: &Graph, schema: &Schema, value: &Shared) -> Option<ModelId> {
    if let Some(class) = graph.class_behind(value) {
        return model_of_class(graph, schema, class);
    }
    let resolved = graph.resolved(value);
    match &resolved.kind {
        ValueKind::Call(call) => {
            let is_it =
                |model: &crate::schema::Model| model.source == ModelSource::Call && model.span == call.site.span;
            schema.models.iter().position(is_it).map(ModelId).or_else(|| {
                // `User.scope('active')`
                let path = graph.callee_path(call)?;
                let same = |row: &crate::rules::Receiver| row.gives == "$receiver";
                let receiver = call.receiver().filter(|_| graph.rules.receivers_matching(&path).any(same))?;
                model_behind(graph, schema, receiver)
            })
        }
        // `mongoose.models.User || mongoose.model('User', schema)`
        ValueKind::Fallback { left, right, .. } => {
            model_behind(graph, schema, right).or_else(|| model_behind(graph, schema, left))
        }
        // `const db = {}; db.user = require('./user')(sequelize)`: what stands there at any time, where that is one model.
        ValueKind::Either(values) if graph.step() => {
            let mut models = values.iter().filter_map(|value| model_behind(graph, schema, value));
            let first = models.next()?;
            models.all(|other| other == first).then_some(first)
        }
        _ => None,
    }
}

/// `db.User`, where what holds the models is filled at run time.
pub(super) fn by_accessor(graph: &Graph, schema: &Schema, receiver: &Shared) -> Option<ModelId> {
    let name = &member(graph, receiver)?;
    let is_class_name = name.starts_with(char::is_uppercase) && graph.type_of(receiver) == Type::Unknown;
    let fits = |model: &crate::schema::Model| {
        matches!(model.source, ModelSource::Call | ModelSource::Entity)
            && (model.name == *name || model.name.len() == name.len() && model.name.eq_ignore_ascii_case(name))
    };
    is_class_name.then(|| schema.models.iter().position(fits).map(ModelId)).flatten()
}

/// The key under which something else holds a value: `const Token = db.Token`, `const { Token } = require('./models')`.
fn member(graph: &Graph, value: &Shared) -> Option<String> {
    match &value.kind {
        ValueKind::Field(_, name) => Some(name.clone()),
        ValueKind::Captured(..) => {
            let inner = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value))?;
            matches!(inner.kind, ValueKind::Field(..) | ValueKind::Import(..)).then(|| member(graph, &inner))?
        }
        ValueKind::Import(file, id) => {
            graph.imported_from(value)?;
            match &graph.module(*file)?.imports.get(id.at())?.what {
                Imported::Named(name) => Some(name.clone()),
                Imported::Default | Imported::Namespace => None,
            }
        }
        _ => None,
    }
}

/// The model whose rows have a type: an entity, or a library's type around one (`HydratedDocument<User>`).
pub(super) fn model_of_type(graph: &Graph, schema: &Schema, ty: &Type) -> Option<ModelId> {
    let mut at = ty;
    for _ in 0..6 {
        at = match at {
            Type::Instance(class, _) | Type::Object(class) => return model_of_class(graph, schema, *class),
            Type::External(_, args) => args.first()?,
            Type::Array(inner) => inner,
            Type::Union(members) => members.first()?,
            Type::Literal(_) | Type::Made(_) | Type::Unknown => return None,
        };
    }
    None
}

/// The model of that name, or whose table it is.
pub(super) fn model_named(schema: &Schema, name: &str) -> Option<ModelId> {
    let fits = |model: &crate::schema::Model| model.name == name || model.table == name;
    schema.models.iter().position(fits).map(ModelId)
}

/// The model that a value is a row of: by its type, or as what a call read or made.
pub(super) fn instance_of(graph: &Graph, schema: &Schema, value: &Shared) -> Option<ModelId> {
    let mut at = Arc::clone(value);
    for _ in 0..24 {
        if !graph.step() {
            return None;
        }
        let ty = graph.type_of(&at);
        // `Repository<User>` is typed around an entity too, and no row.
        if !is_handle(graph, &ty)
            && !matches!(ty, Type::Object(_))
            && let Some(model) = model_of_type(graph, schema, &ty)
        {
            return Some(model);
        }
        let next = match &at.kind {
            ValueKind::Call(call) => {
                if call.is_new {
                    return model_behind(graph, schema, &call.callee)
                        .or_else(|| model_of_type(graph, schema, &graph.type_of(&call.callee)));
                }
                if let Some(model) = model_read(graph, schema, call).or_else(|| made_by(graph, schema, call)) {
                    return Some(model);
                }
                turned(graph, call).or_else(|| graph.expand(&at))
            }
            // `Object.assign(user, changes)`
            ValueKind::Object { base: None, entries } => match entries.first() {
                Some(Slot::Spread(inner)) => Some(Arc::clone(inner)),
                _ => None,
            },
            ValueKind::Object { base: Some(base), .. }
            | ValueKind::After { before: base, .. }
            | ValueKind::Element(base)
            | ValueKind::Index(base, _)
            | ValueKind::Fallback { left: base, .. }
            | ValueKind::And(_, base) => Some(Arc::clone(base)),
            ValueKind::Cond { then, otherwise, .. } => {
                return instance_of(graph, schema, then).or_else(|| instance_of(graph, schema, otherwise));
            }
            ValueKind::Either(values) => return values.iter().find_map(|value| instance_of(graph, schema, value)),
            ValueKind::Array(_) => Some(Value::element(&at, at.span)),
            _ => graph.expand(&at),
        };
        match next {
            Some(next) if !Arc::ptr_eq(&next, &at) => at = next,
            _ => return None,
        }
    }
    None
}

/// Whether a type is a library's handle on the rows of an entity.
fn is_handle(graph: &Graph, ty: &Type) -> bool {
    let Type::External(path, _) = ty else { return false };
    graph.rules.write().flat_map(|row| &row.types).any(|types| types.matches(path))
}

/// `User.build(row)`, `em.create(User, row)`: an object of an entity that is not stored yet.
pub(super) fn made_by(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<ModelId> {
    let path = graph.callee_path(call)?;
    graph.rules.passes_matching(&path).find(|row| row.into.is_none() && !row.from.is_empty())?;
    let receiver = call.receiver().and_then(|receiver| model_behind(graph, schema, receiver));
    let receiver = receiver.or_else(|| of_handle(graph, schema, call.receiver()?));
    receiver.or_else(|| model_behind(graph, schema, &call.args.first()?.value))
}

/// The object that a call of its own method hands on in another shape: `user.into_active_model()`.
fn turned(graph: &Graph, call: &CallValue) -> Option<Shared> {
    let mut rows = graph.rules.passes_named(Some(call.method()?)).peekable();
    rows.peek()?;
    let path = graph.library_path(call)?;
    let hands_on = |row: &&crate::rules::Pass| {
        let only = matches!(row.from.as_slice(), [from] if from.base == ArgBase::Receiver && from.keys.is_empty());
        only && row.into.is_none() && row.key.is_none() && row.form.is_none()
    };
    rows.filter(hands_on).find(|row| row.call.matches(&path))?;
    call.receiver().cloned()
}

/// The model whose rows a handle is for: `Repository<User>`, or a class of the tree that extends it.
fn of_handle(graph: &Graph, schema: &Schema, handle: &Shared) -> Option<ModelId> {
    let of = |ty: &Type| match ty {
        Type::External(path, args)
            if graph.rules.write().flat_map(|row| &row.types).any(|types| types.matches(path)) =>
        {
            model_of_type(graph, schema, args.first()?)
        }
        _ => None,
    };
    match graph.type_of(handle) {
        Type::Instance(class, args) => graph.library_bases(class, &args).iter().find_map(of),
        ty => of(&ty),
    }
}

/// The calls of a chain, the last first.
pub(super) fn chain_calls(graph: &Graph, value: &Shared) -> Vec<Arc<CallValue>> {
    let mut calls = Vec::new();
    let mut at = Arc::clone(value);
    for _ in 0..60 {
        // `let mut query = Query::update(); query.table(Users::Table); query.value(..);`
        if let ValueKind::After { call, arg: None, before } = &at.kind
            && graph.is_rust(at.span.file)
            && graph.targets(call).is_empty()
        {
            calls.push(Arc::clone(call));
            at = Arc::clone(before);
            continue;
        }
        at = graph.resolved(&at);
        if let ValueKind::Param(function, nth) = &at.kind {
            let Some(handed) = graph.handed_value(*function, *nth) else { break };
            at = graph.resolved(&handed);
        }
        at = root(graph, at, 12);
        let ValueKind::Call(call) = &at.kind else { break };
        calls.push(Arc::clone(call));
        let Some(next) = call.receiver() else { break };
        at = Arc::clone(next);
    }
    calls
}

/// What a value is apart from the tree's own members (`Links` after `Links.kinds = ['a']`), and from properties that are only another
/// way to it (`Links.direct`).
fn root(graph: &Graph, value: Shared, fuel: u8) -> Shared {
    let Some(fuel) = fuel.checked_sub(1) else { return value };
    match &value.kind {
        ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } => {
            root(graph, graph.resolved(base), fuel)
        }
        // What a variable holds at any time, where that is one thing.
        ValueKind::Either(values) => {
            let mut roots = values.iter().map(|value| root(graph, Arc::clone(value), fuel));
            match roots.next() {
                Some(first) if roots.all(|other| other.span == first.span) => first,
                _ => Arc::clone(&value),
            }
        }
        ValueKind::Field(base, name) => {
            let mut rows = graph.rules.receivers_named(Some(name)).filter(|row| row.gives == "$receiver").peekable();
            if rows.peek().is_none() {
                return Arc::clone(&value);
            }
            let base = root(graph, graph.resolved(base), fuel);
            let path = graph.path(&Value::field(&base, name, value.span));
            if path.is_some_and(|path| rows.any(|row| row.call.matches(&path))) { base } else { Arc::clone(&value) }
        }
        _ => value,
    }
}

/// Whether a call makes a library's handle on the rows of an entity: `getRepository(User)`.
pub(super) fn makes_handle(graph: &Graph, call: &Arc<CallValue>) -> bool {
    is_handle(graph, &graph.type_of(&Value::new(ValueKind::Call(Arc::clone(call)), call.site.span)))
}

/// The table that a chain starts from: `users::table.filter(..)`.
pub(super) fn table_of(graph: &Graph, schema: &Schema, receiver: &Shared) -> Option<ModelId> {
    if !matches!(receiver.kind, ValueKind::Field(..) | ValueKind::Import(..) | ValueKind::Captured(..)) {
        return None;
    }
    match &table_name(graph, receiver).kind {
        ValueKind::Text(name) => schema.models.iter().position(|model| model.table == *name).map(ModelId),
        _ => None,
    }
}

/// The table that a chain starts from, as an argument: `update(users::table.find(id))`.
pub(super) fn table_under(graph: &Graph, schema: &Schema, value: &Shared) -> Option<ModelId> {
    let chain = chain_calls(graph, value);
    let start = chain.last()?.receiver()?;
    table_of(graph, schema, start).and_then(|_| entity_of(graph, schema, start))
}

/// Whether a call is of a method or a function of that name.
pub(super) fn is_called(graph: &Graph, call: &CallValue, name: &str) -> bool {
    match call.method() {
        Some(method) => method == name,
        None => graph.callee_path(call).is_some_and(|path| path.rsplit(['.', '#']).next() == Some(name)),
    }
}

/// The model whose delegate a value is: `prisma.user`, or one of several (`flag ? prisma.user : prisma.admin`), a tracked one first.
pub(super) fn accessed(graph: &Graph, schema: &Schema, value: &Shared, fuel: u8) -> Option<ModelId> {
    let fuel = fuel.checked_sub(1)?;
    let any = |values: &mut dyn Iterator<Item = &Shared>| {
        let models: Vec<ModelId> = values.filter_map(|value| accessed(graph, schema, value, fuel)).collect();
        models.iter().find(|model| is_tracked(schema, **model)).or(models.first()).copied()
    };
    if let Some(model) = delegate_typed(graph, schema, value) {
        return Some(model);
    }
    // `prisma[name]`
    if let ValueKind::Index(_, key) = &value.kind {
        return match &graph.resolved(key).kind {
            ValueKind::Text(accessor) => model_of_accessor(schema, accessor),
            _ => None,
        };
    }
    let value = graph.resolved(value);
    match &value.kind {
        ValueKind::Field(_, accessor) => model_of_accessor(schema, accessor),
        ValueKind::Cond { then, otherwise, .. } => any(&mut [then, otherwise].into_iter()),
        ValueKind::Fallback { left, right, .. } => any(&mut [left, right].into_iter()),
        ValueKind::Either(values) => any(&mut values.iter()),
        ValueKind::Call(call) => of_context(graph, schema, call),
        _ => None,
    }
}

/// The model below whose name the function was handed over that asks for its context.
fn of_context(graph: &Graph, schema: &Schema, call: &CallValue) -> Option<ModelId> {
    let path = graph.rules.context().next().and_then(|_| graph.library_path(call))?;
    let file = call.site.function.file;
    let around = |id: &FunctionId| graph.function(FunctionRef { file, id: *id })?.parent;
    let own: Vec<FunctionId> = std::iter::successors(Some(call.site.function.id), around).take(60).collect();
    let is_own = |value: &Shared| matches!(graph.resolved(value).kind, ValueKind::Function(f) if f.file == file && own.contains(&f.id));
    let events = || graph.unit(file).into_iter().flat_map(|unit| &unit.summary.functions).flat_map(|of| &of.calls);
    graph.rules.context().filter(|row| row.call.matches(&path)).find_map(|row| {
        let handed = events().filter(|event| row.of.last().is_none_or(|last| event.call.method() == Some(last)));
        handed.flat_map(|event| graph.argument(&event.call, &row.table)).find_map(|table| {
            let models = held(graph, &table).into_iter();
            let mut own = models.filter(|(_, methods)| held(graph, methods).iter().any(|(_, method)| is_own(method)));
            own.find_map(|(accessor, _)| model_of_accessor(schema, &accessor))
        })
    })
}

/// What an object that is written out holds, by name.
fn held(graph: &Graph, value: &Shared) -> Vec<(String, Shared)> {
    let ValueKind::Object { entries, .. } = &graph.resolved(value).kind else { return Vec::new() };
    let named = |entry: &Slot| match entry {
        Slot::Named { key, value, .. } => Some((key.clone(), Arc::clone(value))),
        Slot::Computed { .. } | Slot::Spread(_) => None,
    };
    entries.iter().filter_map(named).collect()
}

/// The model that the type of a delegate is named after: `Prisma.UserDelegate`.
pub(super) fn delegate_typed(graph: &Graph, schema: &Schema, value: &Shared) -> Option<ModelId> {
    let mut rows = graph.rules.delegate().peekable();
    rows.peek()?;
    let Type::External(path, _) = graph.type_of(value) else { return None };
    let row = rows.find(|row| row.class.matches(&path))?;
    let behind = row.class.text().rsplit('*').next()?;
    let name = path.rsplit(['.', '#']).next()?.strip_suffix(behind)?;
    schema.models.iter().position(|model| model.source == ModelSource::Prisma && model.name == name).map(ModelId)
}
