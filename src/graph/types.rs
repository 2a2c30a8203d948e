//! The static type of a value, as far as it helps to find what a method call reaches.

use crate::graph::{Graph, Resolved};
use crate::ir::{Binding, ClassId, ClassKind, FunctionKind, TypeRef};
use crate::source::FileId;
use crate::summary::{CallValue, ClassRef, FunctionRef, Member, Shared, Value, ValueKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// An instance of a class, interface or object type of the tree.
    Instance(ClassRef, Vec<Type>),
    /// The class itself.
    Object(ClassRef),
    /// An instance of a class outside the tree, by its callable path.
    External(String, Vec<Type>),
    Array(Box<Type>),
    Literal(String),
    Union(Vec<Type>),
    /// What a function of the tree gives that declares no type.
    Made(FunctionRef),
    Unknown,
}

const DEEPEST: u8 = 30;

impl Graph<'_> {
    pub fn type_of(&self, value: &Shared) -> Type {
        self.type_at(value, DEEPEST)
    }

    fn type_at(&self, value: &Shared, fuel: u8) -> Type {
        let Some(fuel) = fuel.checked_sub(1) else { return Type::Unknown };
        self.types.get(value, Type::Unknown, &self.horizon, || {
            if self.step() { self.type_behind(value, fuel) } else { Type::Unknown }
        })
    }

    fn type_behind(&self, value: &Shared, fuel: u8) -> Type {
        match &value.kind {
            ValueKind::Param(function, at) => self.param_type(*function, *at),
            ValueKind::This(class) if class.id == ClassId::UNTOLD => Type::Unknown,
            ValueKind::This(class) => Type::Instance(*class, Vec::new()),
            ValueKind::Super(class) => self
                .class(*class)
                .and_then(|c| c.extends.first())
                .map_or(Type::Unknown, |base| self.resolve_type(class.file, base)),
            ValueKind::Class(class) => Type::Object(*class),
            ValueKind::Import(file, id) => match self.resolve_import(*file, *id) {
                Resolved::Value(inner) => self.type_at(&inner, fuel),
                _ => Type::Unknown,
            },
            ValueKind::Field(base, name) => match self.type_at(base, fuel) {
                Type::Instance(class, args) => self.field_type(class, &args, name, fuel),
                Type::Made(function) => {
                    let made = self.summary(function).and_then(|summary| summary.returns.as_ref());
                    made.map_or(Type::Unknown, |made| self.type_at(&Value::field(made, name, value.span), fuel))
                }
                Type::Union(members) => members
                    .iter()
                    .find_map(|member| match member {
                        Type::Instance(class, args) => known(self.field_type(*class, args, name, fuel)),
                        _ => None,
                    })
                    .unwrap_or(Type::Unknown),
                // `Kind::Access` is a `Kind`.
                Type::Object(class) if self.is_variant(class, name) => Type::Instance(class, Vec::new()),
                Type::External(path, args) => match self.external_member(&format!("{path}.{name}"), &args) {
                    Type::Unknown if self.is_rust(value.span.file) => self.held_field(&path, &args, name, fuel),
                    found => found,
                },
                _ => self.type_of_known_field(value, base, name, fuel),
            },
            ValueKind::Element(base) | ValueKind::Index(base, _) => match self.type_at(base, fuel) {
                Type::Array(inner) => *inner,
                Type::External(path, args) => Type::External(path, args),
                _ => Type::Unknown,
            },
            ValueKind::Call(call) => self.call_type(call, value, fuel),
            ValueKind::After { before, .. } => self.type_at(before, fuel),
            ValueKind::Object { base: Some(base), .. } | ValueKind::Rest(base, _) | ValueKind::Subset(base, _) => {
                self.type_at(base, fuel)
            }
            ValueKind::Captured(function, local) | ValueKind::Leaves(function, local, _) => {
                let declared = self.module(function.file).and_then(|module| module.locals.get(local.at()));
                let declared = declared.and_then(|local| local.ty.as_ref());
                let declared = declared.map_or(Type::Unknown, |ty| self.resolve_type(function.file, ty));
                if declared != Type::Unknown {
                    return declared;
                }
                self.expand(value).map_or(Type::Unknown, |inner| self.type_at(&inner, fuel))
            }
            ValueKind::Fallback { left, right, .. } => self.first_known([left, right], fuel),
            ValueKind::And(_, right) => self.type_at(right, fuel),
            ValueKind::Cond { then, otherwise, .. } => self.first_known([then, otherwise], fuel),
            ValueKind::Either(values) => self.first_known(values, fuel),
            ValueKind::Array(members) => self.list_type(members, fuel),
            _ => Type::Unknown,
        }
    }

    /// `[new Google(), new GitHub()]`: a list of either. Unknown where one of its members is.
    fn list_type(&self, members: &[Member], fuel: u8) -> Type {
        let mut kinds: Vec<Type> = Vec::new();
        for member in members {
            let kind = match (member, self.type_at(member.value(), fuel)) {
                (Member::Spread(_), Type::Array(inner)) => *inner,
                (Member::One(_) | Member::Each(_), kind) => kind,
                (Member::Spread(_), _) => Type::Unknown,
            };
            match kind {
                Type::Instance(..) if !kinds.contains(&kind) => kinds.push(kind),
                Type::Instance(..) => {}
                _ => return Type::Unknown,
            }
        }
        match kinds.len() {
            0 => Type::Unknown,
            1 => Type::Array(Box::new(kinds.swap_remove(0))),
            _ => Type::Array(Box::new(Type::Union(kinds))),
        }
    }

    fn is_variant(&self, class: ClassRef, name: &str) -> bool {
        let is_enum = |declared: &&crate::ir::Class| declared.kind == ClassKind::Enum;
        self.is_rust(class.file)
            && self
                .class(class)
                .filter(is_enum)
                .is_some_and(|declared| declared.fields.iter().any(|field| field.name == name))
    }

    /// A field of what a tuple or an extractor holds: `State(T)`, whose fields are those of `T`.
    fn held_field(&self, path: &str, args: &[Type], name: &str, fuel: u8) -> Type {
        if let Ok(at) = name.parse::<usize>() {
            return args.get(at).filter(|_| path == "global#[,]" || at == 0).cloned().unwrap_or(Type::Unknown);
        }
        args.iter()
            .find_map(|arg| match arg {
                Type::Instance(class, inner) => known(self.field_type(*class, inner, name, fuel)),
                _ => None,
            })
            .unwrap_or(Type::Unknown)
    }

    /// A field of an object that is written out, or of a file's exports.
    fn type_of_known_field(&self, value: &Shared, base: &Shared, name: &str, fuel: u8) -> Type {
        let inner = match &base.kind {
            ValueKind::Import(..) | ValueKind::Module(_) | ValueKind::This(_) | ValueKind::Class(_) => {
                self.expand(value)
            }
            _ => {
                let known = self.resolved(base);
                let is_held = matches!(known.kind, ValueKind::Object { .. }) || self.namespace(&known).is_some();
                let held = is_held.then(|| Value::field(&known, name, value.span));
                held.or_else(|| self.kept_in_field(base, name, value.span))
            }
        };
        inner.map_or(Type::Unknown, |inner| self.type_at(&inner, fuel))
    }

    fn first_known<'v>(&self, values: impl IntoIterator<Item = &'v Shared>, fuel: u8) -> Type {
        values.into_iter().find_map(|value| known(self.type_at(value, fuel))).unwrap_or(Type::Unknown)
    }

    fn call_type(&self, call: &CallValue, value: &Shared, fuel: u8) -> Type {
        if call.is_new {
            return match &call.callee.kind {
                ValueKind::Class(class) => Type::Instance(*class, self.type_args(call)),
                _ => match self.type_at(&call.callee, fuel) {
                    Type::Object(class) => Type::Instance(class, self.type_args(call)),
                    variant @ Type::Instance(..) => variant,
                    _ => {
                        let path = self.path(&call.callee);
                        path.map_or(Type::Unknown, |path| Type::External(path, self.type_args(call)))
                    }
                },
            };
        }
        if let Some(given) = self.given_type(call) {
            return given;
        }
        let mut declared = Type::Unknown;
        for target in self.targets(call).iter() {
            let Some(function) = self.function(target.function) else { continue };
            if let Some(written) = &function.returns
                && let Some(found) = known(self.resolve_type(target.function.file, written))
            {
                declared = self.as_received(found, target.function, call);
                break;
            }
        }
        // `Repository<E>` says less than the body does.
        if declared == Type::Unknown || declared.is_generic() {
            let inner = self.expand(value).map_or(Type::Unknown, |inner| self.type_at(&inner, fuel));
            if inner != Type::Unknown {
                return inner;
            }
        }
        declared
    }

    pub(super) fn type_args(&self, call: &CallValue) -> Vec<Type> {
        call.type_args.iter().map(|ty| self.resolve_type(call.site.function.file, ty)).collect()
    }

    fn param_type(&self, function: FunctionRef, at: u32) -> Type {
        let Some(declared) = self.function(function) else { return Type::Unknown };
        let Some(param) = declared.params.get(at as usize) else { return Type::Unknown };
        if let Some(ty) = &param.ty {
            let found = self.resolve_type(function.file, ty);
            return if found.is_parameter() { self.bound_of(function.file, &found).unwrap_or(found) } else { found };
        }
        if declared.kind == FunctionKind::Closure { self.handed_type(function, at) } else { Type::Unknown }
    }

    /// The type of a field, getter or constructor-assigned property, in the class or its bases.
    fn field_type(&self, class: ClassRef, args: &[Type], name: &str, fuel: u8) -> Type {
        for owner in self.lineage(class).iter().copied() {
            let Some(declared) = self.class(owner) else { continue };
            if let Some(given) = self.provided(owner, name) {
                return given;
            }
            if let Some(field) = declared.fields.iter().find(|field| field.name == name) {
                if let Some(ty) = &field.ty
                    && let Some(found) = known(self.resolve_type(owner.file, ty))
                {
                    return self.seen_from(found, owner, class, args);
                }
                let init = self.unit(owner.file).and_then(|u| u.summary.fields.get(&(owner.id, name.to_owned())));
                if let Some(init) = init {
                    return self.type_at(init, fuel);
                }
            }
            for method in &declared.methods {
                let reference = FunctionRef { file: owner.file, id: *method };
                let Some(function) = self.function(reference) else { continue };
                if function.kind == FunctionKind::Getter && function.name == name {
                    if let Some(ty) = &function.returns {
                        return self.seen_from(self.resolve_type(owner.file, ty), owner, class, args);
                    }
                    if let Some(value) = self.summary(reference).and_then(|summary| summary.returns.as_ref()) {
                        return self.type_at(value, fuel);
                    }
                }
                let assigned = self.summary(reference).into_iter().flat_map(|summary| &summary.this_fields);
                for (field, value) in assigned {
                    if field == name
                        && let Some(found) = known(self.type_at(value, fuel))
                    {
                        return self.seen_from(found, owner, class, args);
                    }
                }
            }
        }
        match self.base_path(class) {
            Some(path) => self.external_member(&format!("{path}.{name}"), &[]),
            None => Type::Unknown,
        }
    }

    /// What a receiver row says of a member of a library class.
    fn external_member(&self, path: &str, args: &[Type]) -> Type {
        let row = self.rules.receivers_matching(path).next();
        row.map_or(Type::Unknown, |row| Self::written_type(&row.gives, &|_| Type::Unknown, args))
    }

    /// What a receiver row says of a call's result.
    fn given_type(&self, call: &CallValue) -> Option<Type> {
        let method = call.method();
        let mut rows = self.rules.receivers_named(method).peekable();
        rows.peek()?;
        let path = self.library_path(call)?;
        let row = rows.find(|row| row.call.matches(&path))?;
        if row.gives == "$named" {
            return self.named_type(call);
        }
        let receiver = call.receiver().map_or(Type::Unknown, |receiver| self.type_of(receiver));
        if row.gives == "$receiver" {
            return Some(match receiver {
                Type::Object(class) => Type::Instance(class, Vec::new()),
                other => other,
            });
        }
        let args = match &receiver {
            Type::External(_, args) => args.clone(),
            // A static method of an entity.
            Type::Object(class) | Type::Instance(class, _) if row.gives.contains("$entity") => {
                vec![Type::Instance(*class, Vec::new())]
            }
            _ => Vec::new(),
        };
        let argument = |at: usize| {
            call.args.get(at).map_or(Type::Unknown, |arg| match (self.type_of(&arg.value), &arg.value.kind) {
                (Type::Object(class), _) => Type::Instance(class, Vec::new()),
                // `getRepository<User>('User')`
                (Type::Unknown, ValueKind::Text(name)) => {
                    self.type_args(call).into_iter().next().unwrap_or_else(|| Type::Literal(name.clone()))
                }
                // `new EntitySchema({ name: 'User', .. })`: no class tells its rows.
                (Type::Unknown, _) if let Some(name) = self.declared_model(&arg.value) => Type::Literal(name),
                (Type::External(_, args), _)
                    if args.is_empty()
                        && let Some(name) = self.declared_model(&arg.value) =>
                {
                    Type::Literal(name)
                }
                // `EntityTarget<T>` is a class of `T`.
                (Type::External(path, args), _) if known(self.external_member(&path, &args)).is_some() => {
                    self.external_member(&path, &args)
                }
                (other, _) => other,
            })
        };
        known(Self::written_type(&row.gives, &argument, &args))
    }

    /// `typeorm#Repository<$0>` with what the indexes stand for.
    pub(crate) fn written_type(text: &str, argument: &dyn Fn(usize) -> Type, receiver_args: &[Type]) -> Type {
        let (head, inner) = match text.split_once('<') {
            Some((head, inner)) => (head, Some(inner.trim_end_matches('>'))),
            None => (text, None),
        };
        if let Some(index) = head.strip_prefix('$') {
            return match index.parse::<usize>() {
                Ok(at) => argument(at),
                Err(_) if let Some(Ok(nth)) = index.strip_prefix("type").map(str::parse::<usize>) => {
                    receiver_args.get(nth).cloned().unwrap_or(Type::Unknown)
                }
                Err(_) => receiver_args.first().cloned().unwrap_or(Type::Unknown),
            };
        }
        let args = match inner {
            Some(inner) => {
                inner.split(',').map(|arg| Self::written_type(arg.trim(), argument, receiver_args)).collect()
            }
            None => receiver_args.to_vec(),
        };
        Type::External(head.to_owned(), args)
    }

    /// A written type.
    pub fn resolve_type(&self, file: FileId, ty: &TypeRef) -> Type {
        self.written(file, ty, DEEPEST)
    }

    fn written(&self, file: FileId, ty: &TypeRef, fuel: u8) -> Type {
        let Some(fuel) = fuel.checked_sub(1) else { return Type::Unknown };
        let args = || ty.args.iter().map(|arg| self.written(file, arg, fuel)).collect::<Vec<_>>();
        match ty.name.as_str() {
            "|" => return Type::Union(args()),
            "Array" | "ReadonlyArray" => {
                return Type::Array(Box::new(args().into_iter().next().unwrap_or(Type::Unknown)));
            }
            "Partial" | "Required" | "NonNullable" | "Awaited" | "InstanceType" | "DeepPartial" | "Omit" | "Pick" => {
                let first = args().into_iter().next().unwrap_or(Type::Unknown);
                return match first {
                    Type::Object(class) => Type::Instance(class, Vec::new()),
                    other => other,
                };
            }
            "[]" => {
                let mut args = args().into_iter();
                return match (args.next(), args.next()) {
                    (Some(Type::Instance(class, inner)), Some(Type::Literal(key))) => {
                        self.field_type(class, &inner, &key, fuel)
                    }
                    (Some(Type::External(path, inner)), Some(Type::Literal(key))) => {
                        self.external_member(&format!("{path}.{key}"), &inner)
                    }
                    _ => Type::Unknown,
                };
            }
            "ReturnType" => {
                let made = ty.args.first().and_then(|of| self.function_meant(file, of));
                if let Some(made) = made {
                    return match self.function(made).and_then(|made| made.returns.as_ref()) {
                        Some(returns) => self.written(made.file, returns, fuel),
                        None => Type::Made(made),
                    };
                }
            }
            name if name.starts_with(['\'', '"']) => {
                return Type::Literal(name.trim_matches(['\'', '"']).to_owned());
            }
            _ => {}
        }
        let is_typeof = ty.name == "typeof";
        let members: Vec<&str> = if is_typeof { Vec::new() } else { ty.name.split('.').skip(1).collect() };
        match &ty.binding {
            Binding::Class(id) => self.class_type(ClassRef { file, id: *id }, args(), fuel),
            Binding::Import(id) => {
                let mut resolved = self.resolve_import(file, *id);
                for member in &members {
                    resolved = match resolved {
                        Resolved::Namespace(inner) => self.resolve_export(inner, member),
                        Resolved::External { module, name } => {
                            let name = match name.as_str() {
                                "" | "default" => (*member).to_owned(),
                                name => format!("{name}.{member}"),
                            };
                            Resolved::External { module, name }
                        }
                        other => other,
                    };
                }
                match resolved {
                    Resolved::Value(value) => match self.type_of(&value) {
                        Type::Object(class) if !is_typeof => self.class_type(class, args(), fuel),
                        other => other,
                    },
                    Resolved::External { module, name } => {
                        let module = module.strip_prefix("node:").unwrap_or(&module);
                        Type::External(format!("{module}#{name}"), args())
                    }
                    Resolved::Namespace(_) | Resolved::Missing => Type::Unknown,
                }
            }
            Binding::Local(local) if is_typeof => {
                self.any_value_of(self.owner(file, *local), *local).map_or(Type::Unknown, |value| self.type_of(&value))
            }
            Binding::Global(name) => match self.only_class(name) {
                Some(class) if class.file == file => self.class_type(class, args(), fuel),
                _ => Type::External(format!("global#{}", ty.name), args()),
            },
            Binding::Local(_) | Binding::Function(_) => Type::Unknown,
        }
    }

    /// The function of `typeof create`.
    fn function_meant(&self, file: FileId, ty: &TypeRef) -> Option<FunctionRef> {
        let value = match &ty.binding {
            Binding::Function(id) => return Some(FunctionRef { file, id: *id }),
            Binding::Local(local) => self.any_value_of(self.owner(file, *local), *local)?,
            Binding::Import(id) => self.resolve_import(file, *id).value()?,
            _ => return None,
        };
        match self.resolved(&value).kind {
            ValueKind::Function(function) if ty.name == "typeof" && ty.args.is_empty() => Some(function),
            _ => None,
        }
    }

    /// What a parameter, a field or a variable is declared as, as written, with the file that it is written in.
    pub fn declared_type(&self, value: &Shared) -> Option<(FileId, &TypeRef)> {
        match &value.kind {
            ValueKind::Param(function, at) => {
                Some((function.file, self.function(*function)?.params.get(*at as usize)?.ty.as_ref()?))
            }
            ValueKind::Field(base, name) => match &base.kind {
                ValueKind::This(class) => {
                    let field = self.class(*class)?.fields.iter().find(|field| field.name == *name)?;
                    Some((class.file, field.ty.as_ref()?))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// What `typeof x` is about.
    pub fn value_meant(&self, file: FileId, ty: &TypeRef) -> Option<Shared> {
        match &ty.binding {
            Binding::Local(local) => self.any_value_of(self.owner(file, *local), *local),
            Binding::Import(id) => self.resolve_import(file, *id).value(),
            _ => None,
        }
    }

    fn owner(&self, file: FileId, local: crate::ir::LocalId) -> FunctionRef {
        let id =
            self.module(file).and_then(|m| m.locals.get(local.at())).map_or(crate::ir::FunctionId(0), |l| l.function);
        FunctionRef { file, id }
    }

    fn class_type(&self, class: ClassRef, args: Vec<Type>, fuel: u8) -> Type {
        if let Some(declared) = self.class(class)
            && declared.kind == ClassKind::Alias
            && let Some(target) = declared.extends.first()
        {
            if let Some(at) = declared.type_params.iter().position(|param| *param == target.name) {
                return args.into_iter().nth(at).unwrap_or(Type::Unknown);
            }
            return match self.written(class.file, target, fuel) {
                Type::External(path, inner) if inner.is_empty() => Type::External(path, args),
                other => other,
            };
        }
        Type::Instance(class, args)
    }
}

fn known(ty: Type) -> Option<Type> {
    match ty {
        Type::Unknown => None,
        ty if ty.is_any() => None,
        ty => Some(ty),
    }
}
