//! What the receiver of a write says of the model, where no rule row could tell it.

use crate::graph::{Graph, Type};
use crate::ir::ClassId;
use crate::rules::{Target, Write};
use crate::schema::Model;
use crate::sites::models::{chain_calls, is_called};
use crate::summary::{CallValue, Shared, ValueKind};

/// What is known about the model that a call writes.
pub(super) enum Told {
    /// The name of an entity that does not lie in the tree.
    Name(String),
    /// Nothing: any model could be behind the receiver.
    Nothing,
    /// A type of a module that is not in the tree, and its arguments.
    Elsewhere(String, Vec<Type>),
    /// What is handed in: a value typed by a parameter of the class or function, or by nothing.
    Handed(Shared),
}

/// What tells the model; `None` where the call is no write of a model at all.
pub(super) fn told(graph: &Graph, row: &Write, call: &CallValue, receiver: &Shared) -> Option<Told> {
    match row.on {
        // In a function that an object holds, whoever calls it says what `this` is.
        Target::Type if matches!(&receiver.kind, ValueKind::This(class) if class.id == ClassId::UNTOLD) => {
            Some(Told::Handed(receiver.clone()))
        }
        Target::Type => {
            handle(graph, row, receiver).or_else(|| held(graph, row, receiver)).or_else(|| untyped(graph, receiver))
        }
        // `async function issue(model, row) { await model.create(row); }`
        Target::Static => class_told(graph, row, receiver),
        // `this.prisma[this.model].update(..)`: whoever extends the class says it.
        // `prisma[name].update(..)`
        Target::Model if let ValueKind::Index(_, name) = &receiver.kind => {
            let is_handed = matches!(name.kind, ValueKind::Field(..) | ValueKind::Param(..));
            Some(if is_handed { Told::Handed(receiver.clone()) } else { Told::Nothing })
        }
        Target::Model => delegate(graph, receiver).or_else(|| untyped(graph, receiver)),
        Target::Instance if let Some(told) = generic(graph, row, receiver) => Some(told),
        // `new this.model(row).save()`
        Target::Instance if let Some(class) = made_of(receiver) => class_told(graph, row, class),
        // `async function issue(user) { user.token = mint(); await user.save(); }`
        Target::Instance if row.entity.is_empty() && is_rooted_in_parameter(graph, receiver, 20) => {
            untyped(graph, receiver).map(|_| Told::Handed(receiver.clone()))
        }
        Target::Instance if let Some(told) = row_told(graph, row, call) => Some(told),
        Target::Instance => untyped(graph, receiver),
        Target::Argument => {
            let entity = row.entity.iter().flat_map(|path| graph.argument(call, path)).next()?;
            named(graph, &entity)
                .or_else(|| is_of_library(graph, row, receiver).then(|| handed(graph, &entity)).flatten())
        }
        Target::Chain => {
            let chain = chain_calls(graph, receiver);
            let after =
                chain.iter().find(|call| row.after.as_deref().is_none_or(|name| is_called(graph, call, name)))?;
            if row.entity.is_empty() {
                return handle(graph, row, after.receiver()?).or_else(|| untyped(graph, after.receiver()?));
            }
            let entity = row.entity.iter().flat_map(|path| graph.argument(after, path)).next()?;
            named(graph, &entity)
        }
        Target::Relation | Target::Assigned => None,
    }
}

/// What stands for a model and is handed in by callers or heirs: untyped, or typed as the model of a type parameter.
fn class_told(graph: &Graph, row: &Write, class: &Shared) -> Option<Told> {
    if let Type::External(path, args) = graph.type_of(class)
        && graph
            .rules
            .write()
            .filter(|other| other.pack == row.pack)
            .flat_map(|other| &other.types)
            .any(|ty| ty.matches(&path))
    {
        let is_open = args.first().is_none_or(|ty| *ty == Type::Unknown || ty.is_any() || ty.is_parameter());
        return is_open.then(|| Told::Handed(class.clone()));
    }
    named(graph, class).or_else(|| {
        let told = untyped(graph, class)?;
        let is_handed = is_rooted_in_parameter(graph, class, 20) || is_own(class);
        Some(if is_handed { Told::Handed(class.clone()) } else { told })
    })
}

/// Whether a value is a member of an object of the tree, which its class, an heir or whoever makes it puts there.
fn is_own(value: &Shared) -> bool {
    matches!(&value.kind, ValueKind::Field(base, _) if matches!(base.kind, ValueKind::This(_)))
}

/// The class of an object that is made here.
fn made_of(value: &Shared) -> Option<&Shared> {
    let mut at = value;
    while let ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } = &at.kind {
        at = base;
    }
    match &at.kind {
        ValueKind::Call(made) if made.is_new => Some(&made.callee),
        _ => None,
    }
}

/// What callers or heirs hand in, untyped or typed by a parameter: `save(prisma.user, row)`, `super(prisma.user)`.
fn delegate(graph: &Graph, receiver: &Shared) -> Option<Told> {
    let is_handed = match &receiver.kind {
        ValueKind::Param(..) => true,
        ValueKind::Field(base, _) => matches!(base.kind, ValueKind::This(_) | ValueKind::Param(..)),
        _ => false,
    };
    let ty = graph.type_of(receiver);
    (is_handed && (ty == Type::Unknown || ty.is_any() || ty.is_parameter())).then(|| Told::Handed(receiver.clone()))
}

/// `manager.save(row)` with a row that is handed in, typed by a parameter or not at all.
fn row_told(graph: &Graph, row: &Write, call: &CallValue) -> Option<Told> {
    let entity = row.entity.iter().flat_map(|path| graph.argument(call, path)).next()?;
    row.call.module()?;
    let is_it = is_rooted_in_parameter(graph, &entity, 20) && row.call.matches(&graph.library_path(call)?);
    (is_it && says_nothing(&graph.type_of(&entity))).then_some(Told::Handed(entity))
}

/// Whether a row of that type may be of any model.
fn says_nothing(ty: &Type) -> bool {
    match ty {
        Type::Array(inner) => says_nothing(inner),
        Type::External(path, _) => path == "global#object" || ty.is_any() || ty.is_parameter(),
        ty => *ty == Type::Unknown || ty.is_any() || ty.is_parameter(),
    }
}

/// `Repository<User>`, where `User` comes from a module that is not in the tree, or `this` of a class that extends `Repository<T>`.
fn handle(graph: &Graph, row: &Write, receiver: &Shared) -> Option<Told> {
    let (path, args) = match graph.type_of(receiver) {
        Type::External(path, args) => (path, args),
        Type::Instance(class, args) => {
            let is_handle =
                |ty: &Type| matches!(ty, Type::External(path, _) if row.types.iter().any(|types| types.matches(path)));
            let base = graph.library_bases(class, &args).into_iter().find(is_handle)?;
            let is_open = matches!(&base, Type::External(_, args) if args.first().is_some_and(Type::is_parameter));
            return is_open.then(|| Told::Handed(receiver.clone()));
        }
        _ => return None,
    };
    if !row.types.iter().any(|types| types.matches(&path)) {
        return None;
    }
    match args.first() {
        Some(ty) if ty.is_parameter() => Some(Told::Handed(receiver.clone())),
        Some(Type::External(path, _)) => Some(name_in(path).map_or(Told::Nothing, Told::Name)),
        None | Some(Type::Unknown) if is_made_of_handed(receiver) => Some(Told::Handed(receiver.clone())),
        None | Some(Type::Unknown) => Some(Told::Nothing),
        Some(_) => None,
    }
}

/// `dataSource.getRepository(this.target)`: what an heir or a caller hands in tells the model.
fn is_made_of_handed(receiver: &Shared) -> bool {
    let ValueKind::Call(call) = &receiver.kind else { return false };
    call.args.first().is_some_and(|arg| is_own(&arg.value) || matches!(arg.value.kind, ValueKind::Param(..)))
}

/// A row of generic code, whose bound says no more than that it is one: `data: impl IntoActiveModel<A>`.
pub(super) fn generic(graph: &Graph, row: &Write, receiver: &Shared) -> Option<Told> {
    let Type::External(path, _) = graph.type_of(receiver) else { return None };
    row.bounds.iter().any(|bound| bound.matches(&path)).then(|| Told::Handed(receiver.clone()))
}

/// What a collection gives: `repositories.get(name)` of a `Map<string, Repository<User>>`.
fn held(graph: &Graph, row: &Write, receiver: &Shared) -> Option<Told> {
    let ValueKind::Call(call) = &receiver.kind else { return None };
    let Type::External(path, args) = graph.type_of(call.receiver()?) else { return None };
    let fits = |ty: &Type| matches!(ty, Type::External(path, _) if row.types.iter().any(|types| types.matches(path)));
    path.starts_with("global#").then(|| args.into_iter().find(fits).map(|held| Told::Elsewhere(path, vec![held])))?
}

/// Whether a receiver's type is of the library whose handles the row's pack names: `EntityManager` beside `Repository`.
fn is_of_library(graph: &Graph, row: &Write, receiver: &Shared) -> bool {
    let Type::External(path, _) = graph.type_of(receiver) else { return false };
    let Some((module, _)) = path.split_once('#') else { return false };
    let own = graph.rules.write().filter(|other| other.pack == row.pack).flat_map(|other| &other.types);
    own.filter_map(|types| types.text().split_once('#')).any(|(library, _)| {
        module == library || library.strip_suffix("**").is_some_and(|scope| module.starts_with(scope))
    })
}

/// An entity that is handed in, typed by a parameter of the function or not at all.
fn handed(graph: &Graph, entity: &Shared) -> Option<Told> {
    let is_handed = matches!(entity.kind, ValueKind::Param(..) | ValueKind::Field(..));
    let is_open = match graph.type_of(entity) {
        Type::Unknown => true,
        ty if ty.is_any() => true,
        Type::External(_, args) => args.iter().any(|arg| arg.is_parameter() || arg.is_any()),
        _ => false,
    };
    (is_handed && is_open).then(|| Told::Handed(entity.clone()))
}

/// An entity class that was imported from a module that is not in the tree.
fn named(graph: &Graph, value: &Shared) -> Option<Told> {
    if !matches!(value.kind, ValueKind::Import(..) | ValueKind::Field(..)) {
        return None;
    }
    graph.path(value).as_deref().and_then(name_in).map(Told::Name)
}

/// `User` of `@app/entities#User`.
fn name_in(path: &str) -> Option<String> {
    let (_, name) = path.rsplit_once('#')?;
    let is_class = name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric);
    is_class.then(|| name.to_owned())
}

/// Whether a type is called after a model or its table: `UsersStore` of an unknown package.
pub(super) fn is_named_after(path: &str, model: &Model) -> bool {
    let name = path.rsplit(['#', '.']).next().unwrap_or(path).to_lowercase();
    name.starts_with(&model.name.to_lowercase()) || name.starts_with(&model.table.to_lowercase())
}

/// A receiver of which neither the type nor the library is known.
fn untyped(graph: &Graph, receiver: &Shared) -> Option<Told> {
    let could_be = !matches!(
        receiver.kind,
        ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_) | ValueKind::Array(_) | ValueKind::Global(_)
    );
    let nothing = |ty: &Type| *ty == Type::Unknown || ty.is_any();
    // A member of what a library gives is not unknown: no row describes it.
    let of_library = match &receiver.kind {
        ValueKind::Field(base, _) => {
            matches!(graph.type_of(base), Type::External(..)) && !nothing(&graph.type_of(base))
        }
        _ => false,
    };
    let ty = graph.type_of(receiver);
    if let Type::External(path, args) = &ty
        && !path.starts_with("global#")
        && !nothing(&ty)
    {
        let is_known = graph.rules.write().flat_map(|row| &row.types).any(|types| types.matches(path));
        return (!is_known).then(|| Told::Elsewhere(path.clone(), args.clone()));
    }
    let is_builtin = || ty == Type::Unknown && graph.path(receiver).is_some_and(|path| path.starts_with("global#"));
    (could_be && nothing(&ty) && !of_library && !is_builtin()).then_some(Told::Nothing)
}

/// Whether a value is a parameter, a part of one, or one with fields assigned since.
fn is_rooted_in_parameter(graph: &Graph, value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &value.kind {
        ValueKind::Param(..) => true,
        ValueKind::This(class) => class.id == ClassId::UNTOLD,
        ValueKind::Object { base: Some(base), .. }
        | ValueKind::After { before: base, .. }
        | ValueKind::Field(base, _)
        | ValueKind::Index(base, _)
        | ValueKind::Element(base) => is_rooted_in_parameter(graph, base, fuel),
        ValueKind::Cond { then, otherwise, .. } => {
            is_rooted_in_parameter(graph, then, fuel) || is_rooted_in_parameter(graph, otherwise, fuel)
        }
        ValueKind::Either(values) => values.iter().any(|value| is_rooted_in_parameter(graph, value, fuel)),
        ValueKind::Captured(..) => graph.expand(value).is_some_and(|inner| is_rooted_in_parameter(graph, &inner, fuel)),
        _ => false,
    }
}
