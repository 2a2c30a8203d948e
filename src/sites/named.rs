//! Which model a call writes or reads, as a row of a pack names it: by type, argument, accessor, relation, or the chain's start.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::rules::{ArgPath, CallPattern, Read, Target, Write};
use crate::schema::{ModelId, Schema};
use crate::sites::inherited::class_of_this;
use crate::sites::models::{
    accessed, by_accessor, chain_calls, delegate_typed, entity_of, instance_of, is_called, makes_handle, model_behind,
    model_named, model_of_type, table_of, table_under,
};
use crate::sites::{is_tracked, model_of_accessor, model_of_class};
use crate::summary::{CallValue, ClassRef, FunctionRef, Shared, ValueKind};

/// How a row of a pack says which model a call is about.
pub(super) struct Named<'r> {
    on: Target,
    types: &'r [CallPattern],
    entity: &'r [ArgPath],
    after: Option<&'r str>,
    pack: &'r str,
}

impl<'r> Named<'r> {
    pub(super) fn of_write(row: &'r Write) -> Self {
        let after = row.after.as_deref();
        Self { on: row.on, types: &row.types, entity: &row.entity, after, pack: &row.pack }
    }

    pub(super) fn of_read(row: &'r Read) -> Self {
        let after = row.after.as_deref();
        Self { on: row.on, types: &row.types, entity: &row.entity, after, pack: &row.pack }
    }

    /// The model and whether it is certain.
    pub(super) fn model(&self, graph: &Graph, schema: &Schema, call: &CallValue) -> Option<(ModelId, bool)> {
        self.any_model(graph, schema, call).filter(|(model, _)| self.knows(schema, *model))
    }

    /// A pack that declares models is about no others but those that only SQL and Prisma declare.
    pub(super) fn knows(&self, schema: &Schema, model: ModelId) -> bool {
        let pack = schema.models[model.0].pack.as_str();
        self.pack.is_empty() || pack.is_empty() || self.pack == pack
    }

    /// What the function assigned to its entities.
    pub(super) fn assigned(
        &self,
        graph: &Graph,
        schema: &Schema,
        function: FunctionRef,
    ) -> Vec<(ModelId, bool, Shared)> {
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
        let receiver = call.receiver().unwrap_or(&call.callee);
        match self.on {
            Target::Model => {
                if let Some(model) = delegate_typed(graph, schema, receiver) {
                    return Some((model, true));
                }
                // `const users = prisma.user; users.update(..)`
                let kept = || accessed(graph, schema, receiver, 6).map(|model| (model, false));
                let ValueKind::Field(client, accessor) = &receiver.kind else { return kept() };
                // `private users = this.prisma.user`, `delegates.users`
                let is_own = matches!(client.kind, ValueKind::This(_)) && graph.expand(receiver).is_some();
                if is_own || model_of_accessor(schema, accessor).is_none() {
                    return kept();
                }
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
                let own = || own_class(graph, call).and_then(|class| model_of_class(graph, schema, class));
                if let Some(model) = model_behind(graph, schema, receiver).or_else(own) {
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
    pub(super) fn base_fits(&self, graph: &Graph, schema: &Schema, model: ModelId) -> bool {
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
        // What a library hands in as a function is called by itself: `where((eb) => eb('token', '=', token))`.
        let chain = chain_calls(graph, call.receiver().unwrap_or(&call.callee));
        let named = |call: &CallValue| {
            let arguments = self.entity.iter().flat_map(|path| graph.argument(call, path));
            arguments.into_iter().find_map(|value| {
                let itself = || entity_of(graph, schema, &value).or_else(|| instance_of(graph, schema, &value));
                itself().or_else(|| table_under(graph, schema, &value))
            })
        };
        let after = match self.after {
            // The call that the chain starts with: `knex('users')`, `this.knex('users')`, but not `getRepository(User)`.
            Some("()") => {
                let mut starts = chain.iter().rev().filter(|call| !call.is_new && is_of_what_is_held(graph, call));
                return starts.find_map(|call| named(call).filter(|_| !makes_handle(graph, call)));
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
        chain[first.min(chain.len())..].iter().filter_map(|call| call.receiver()).find_map(|receiver| {
            let typed = self.by_type(graph, schema, receiver).or_else(|| table_of(graph, schema, receiver));
            // `User.createQueryBuilder()`
            typed.or_else(|| {
                let is_class = matches!(receiver.kind, ValueKind::Class(_) | ValueKind::Import(..));
                let is_entity = is_class && !graph.is_rust(receiver.span.file);
                let own = || model_of_class(graph, schema, chain.iter().find_map(|call| own_class(graph, call))?);
                let model = if is_entity { model_behind(graph, schema, receiver) } else { own() }?;
                let base = schema.models[model.0].class.and_then(|class| graph.base_path(class))?;
                self.types.iter().any(|pattern| pattern.matches(&base)).then_some(model)
            })
        })
    }
}

/// Whether a call calls what a variable or a member holds, and no method: `knex('users')`, `req.knex('users')`.
fn is_of_what_is_held(graph: &Graph, call: &CallValue) -> bool {
    call.method().is_none_or(|name| !graph.rules.names_method(name) && graph.holds(&call.callee))
}

/// The class of a static method that calls something on `this`.
fn own_class(graph: &Graph, call: &CallValue) -> Option<ClassRef> {
    let class = call.receiver().and_then(class_of_this)?;
    let file = call.site.function.file;
    let mut at = Some(call.site.function.id);
    while let Some(id) = at {
        let function = graph.function(FunctionRef { file, id })?;
        if function.is_static {
            return Some(class);
        }
        at = function.parent;
    }
    None
}
