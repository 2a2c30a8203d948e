//! What tells the model of a write in generic code: `this.repo.update(id, row)` with `repo: Repository<T>` writes what the caller's
//! instance stands for.

use std::collections::BTreeSet;

use crate::graph::{Graph, Type};
use crate::schema::{ModelId, ModelSource, Schema};
use crate::sites::models::{accessed, entity_of, instance_of, model_behind, model_of_type};
use crate::summary::{ClassRef, Shared, ValueKind};

/// Whether a value, a handle (`Repository<User>`) or what names an entity (`User`), stands for a model; `None` where that is not told.
pub(super) fn stands_for(graph: &Graph, schema: &Schema, value: &Shared, model: ModelId) -> Option<bool> {
    let is_delegate = schema.models[model.0].source == ModelSource::Prisma;
    let named = entity_of(graph, schema, value).or_else(|| match &value.kind {
        ValueKind::Class(_) | ValueKind::Import(..) => model_behind(graph, schema, value),
        _ if is_delegate => accessed(graph, schema, value, 6),
        _ => None,
    });
    if let Some(named) = named {
        return Some(named == model);
    }
    // What the class of an object (or one that it inherits) puts into it: `super(User)`.
    if let ValueKind::Field(base, name) = &value.kind
        && let Type::Instance(class, _) = graph.type_of(base)
        && let Some(held) = graph.handed_field(class, name).filter(|held| !matches!(held.kind, ValueKind::Field(..)))
        && let Some(found) = stands_for(graph, schema, &held, model)
    {
        return Some(found);
    }
    // The name of a table that is no model.
    if matches!(graph.resolved(value).kind, ValueKind::Text(_)) {
        return Some(false);
    }
    // A row of its own, as generic code of Rust is handed one.
    if graph.is_rust(value.span.file)
        && let Some(row) = instance_of(graph, schema, value)
    {
        return Some(row == model);
    }
    let ty = graph.type_of(value);
    let about = match &ty {
        Type::External(_, args) => args.first().cloned(),
        Type::Instance(class, args) => graph.library_bases(*class, args).into_iter().find_map(|base| match base {
            Type::External(_, args) => args.into_iter().next(),
            _ => None,
        }),
        Type::Object(_) => Some(ty.clone()),
        _ => None,
    };
    let Some(about) = about else {
        // A row of it: `issue(await User.findOne(..))`.
        return instance_of(graph, schema, value).map(|found| found == model);
    };
    match about {
        ty if ty.is_parameter() => None,
        Type::Instance(class, _) | Type::Object(class) => match model_of_type(graph, schema, &about) {
            Some(found) => Some(found == model),
            None => is_entity(graph, class).then_some(false),
        },
        _ => None,
    }
}

/// Whether a class is declared as an entity: one that is no model of the schema has none of the tracked columns.
fn is_entity(graph: &Graph, class: ClassRef) -> bool {
    let Some(unit) = graph.unit(class.file) else { return false };
    let decorators = unit.summary.class_decorators.get(class.id.at()).into_iter().flatten();
    let mut paths = decorators.filter_map(|decorator| graph.callee_path(decorator));
    paths.any(|path| graph.rules.entity().filter_map(|row| row.decorator.as_ref()).any(|known| known.matches(&path)))
}

/// Whether an heir of the class that a value's `this` is makes the value stand for the model.
pub(super) fn an_heir_tells(graph: &Graph, schema: &Schema, value: &Shared, model: ModelId) -> bool {
    let Some(class) = class_of_this(value) else { return false };
    want_heirs(graph, schema, class, model);
    let tells = |heir: &ClassRef| stands_for(graph, schema, &graph.in_heir(value, *heir), model) == Some(true);
    graph.heirs(class).iter().any(tells)
}

/// Whether the type parameter that a handle is about extends the model: `Repository<T>` with `T extends User`.
pub(super) fn is_bound_to(graph: &Graph, schema: &Schema, value: &Shared, model: ModelId) -> bool {
    let Type::External(_, args) = graph.type_of(value) else { return false };
    let Some(parameter) = args.first().filter(|ty| ty.is_parameter()) else { return false };
    let bound = graph.bound_of(value.span.file, parameter);
    bound.is_some_and(|bound| model_of_type(graph, schema, &bound) == Some(model))
}

/// The class whose `this` a value is a member of.
fn class_of_this(value: &Shared) -> Option<ClassRef> {
    let mut at = value;
    for _ in 0..20 {
        at = match &at.kind {
            ValueKind::This(class) => return Some(*class),
            ValueKind::Field(base, _) | ValueKind::Index(base, _) | ValueKind::Object { base: Some(base), .. } => base,
            ValueKind::Call(call) => call.receiver()?,
            _ => return None,
        };
    }
    None
}

/// The files that mention both the class and the model have to be lowered.
fn want_heirs(graph: &Graph, schema: &Schema, class: ClassRef, model: ModelId) {
    let Some(declared) = graph.class(class).filter(|declared| !declared.name.is_empty()) else { return };
    let mentioning = |name: &str| -> BTreeSet<_> { graph.sources.mentions(&[name]).into_iter().flatten().collect() };
    for file in mentioning(&declared.name).intersection(&mentioning(&schema.models[model.0].name)) {
        graph.ask(*file);
    }
}
