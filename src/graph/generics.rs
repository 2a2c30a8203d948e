//! Type parameters: what stands for them where a class is extended or an instance is typed.

use crate::graph::{Graph, Type};
use crate::source::{FileId, Span};
use crate::summary::{CallValue, ClassRef, FunctionRef, Shared, Value, ValueKind};

/// Types that every program has; any other name that no file declares is a parameter of a generic.
const BUILT_IN: [&str; 16] = [
    "string",
    "number",
    "boolean",
    "bigint",
    "symbol",
    "object",
    "any",
    "unknown",
    "void",
    "never",
    "Date",
    "Buffer",
    "Map",
    "Record",
    "Set",
    "Uint8Array",
];

impl Type {
    /// Whether this is a parameter of a generic class or function, no type.
    pub fn is_parameter(&self) -> bool {
        match self {
            Self::External(path, _) => {
                path.strip_prefix("global#").is_some_and(|name| !name.contains('.') && !BUILT_IN.contains(&name))
            }
            _ => false,
        }
    }

    /// `any`, `unknown`, `object`: a type that tells nothing.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::External(path, _) if matches!(path.as_str(), "global#any" | "global#unknown" | "global#object"))
    }

    /// Whether a type or its arguments are parameters.
    pub fn is_generic(&self) -> bool {
        let args: &[Self] = match self {
            Self::External(_, args) | Self::Instance(_, args) | Self::Union(args) => args,
            Self::Array(inner) => std::slice::from_ref(inner),
            _ => &[],
        };
        self.is_parameter() || args.iter().any(Self::is_parameter)
    }

    /// The type with its parameters replaced by what stands for them; one without a counterpart stays.
    fn filled(self, params: &[String], args: &[Self]) -> Self {
        let all = |types: Vec<Self>| types.into_iter().map(|ty| ty.filled(params, args)).collect();
        match self {
            Self::External(path, inner) => {
                let name = path.strip_prefix("global#").filter(|_| inner.is_empty());
                let at = name.and_then(|name| params.iter().position(|param| param == name));
                match at.and_then(|at| args.get(at)) {
                    Some(arg) => arg.clone(),
                    None => Self::External(path, all(inner)),
                }
            }
            Self::Instance(class, inner) => Self::Instance(class, all(inner)),
            Self::Array(inner) => Self::Array(Box::new(inner.filled(params, args))),
            Self::Union(members) => Self::Union(all(members)),
            other => other,
        }
    }
}

impl Graph<'_> {
    /// The type that a call names itself; of what a framework keeps, as `&State<Key>`, what is in it, which is used as such.
    pub(super) fn named_type(&self, call: &CallValue) -> Option<Type> {
        self.type_args(call).into_iter().next().map(|named| match &named {
            Type::External(path, args) if self.rules.kept().any(|row| row.of.matches(path)) => {
                args.first().cloned().unwrap_or(named)
            }
            _ => named,
        })
    }

    /// The class that a type parameter of a file extends: `T extends User`. `None` where parameters of that name extend several.
    pub fn bound_of(&self, file: FileId, parameter: &Type) -> Option<Type> {
        let Type::External(path, _) = parameter else { return None };
        let name = path.strip_prefix("global#")?;
        let mut bounds = self.module(file)?.bounds.iter().filter(|(of, _)| of == name).map(|(_, bound)| bound);
        let first = bounds.next()?;
        // `T extends User & Timestamps`
        let found = self.resolve_type(file, first);
        (bounds.all(|other| other.name == first.name) && matches!(found, Type::Instance(..))).then_some(found)
    }

    /// A type that is written in `owner`, as an instance of `class` with these type arguments has it: `Repository<T>` of
    /// `Base<T>` is `Repository<User>` in `Users extends Base<User>`.
    pub(super) fn seen_from(&self, ty: Type, owner: ClassRef, class: ClassRef, args: &[Type]) -> Type {
        let Some(declared) = self.class(owner).filter(|declared| !declared.type_params.is_empty()) else { return ty };
        match self.arguments_of(owner, class, args) {
            Some(args) => ty.filled(&declared.type_params, &args),
            None => ty,
        }
    }

    /// A type that is written in a method, as the object that it is called on has it: `Promise<T>` of `Base<T>` is a user for
    /// `users.create(..)` with `Users extends Base<User>`.
    pub(super) fn as_received(&self, ty: Type, method: FunctionRef, call: &CallValue) -> Type {
        let owner = self.function(method).and_then(|declared| declared.class);
        let (Some(id), Some(receiver)) = (owner, call.receiver()) else { return ty };
        match self.type_of(receiver) {
            Type::Instance(class, args) => self.seen_from(ty, ClassRef { file: method.file, id }, class, &args),
            _ => ty,
        }
    }

    /// The type arguments that a class hands to one of its bases.
    fn arguments_of(&self, owner: ClassRef, class: ClassRef, args: &[Type]) -> Option<Vec<Type>> {
        let mut line = vec![(class, args.to_vec())];
        let mut at = 0;
        while let Some((current, args)) = line.get(at).cloned() {
            if current == owner {
                return Some(args);
            }
            at += 1;
            let Some(declared) = self.class(current) else { continue };
            for base in declared.extends.iter().chain(&declared.implements) {
                if let Type::Instance(base, inner) = self.resolve_type(current.file, base)
                    && line.iter().all(|(known, _)| *known != base)
                    && line.len() < 50
                {
                    let inner = inner.into_iter().map(|ty| ty.filled(&declared.type_params, &args)).collect();
                    line.push((base, inner));
                }
            }
        }
        None
    }

    /// The library classes that a class of the tree extends, as it extends them: nearest first.
    pub fn library_bases(&self, class: ClassRef, args: &[Type]) -> Vec<Type> {
        let mut found = Vec::new();
        for owner in self.lineage(class).iter().copied() {
            for base in self.class(owner).into_iter().flat_map(|declared| &declared.extends) {
                let ty = self.resolve_type(owner.file, base);
                if matches!(ty, Type::External(..)) {
                    found.push(self.seen_from(ty, owner, class, args));
                }
            }
        }
        found
    }

    /// What `this` is in a method that a call reaches. A receiver that says more than the method's class does (an heir, or the
    /// arguments of its type) is kept in terms of the caller.
    pub(super) fn this_of(&self, call: &CallValue, function: FunctionRef) -> Option<Shared> {
        let receiver = &self.chosen(call.receiver()?, function);
        let span = receiver.span;
        let declared = self.function(function)?.class.map(|id| ClassRef { file: function.file, id });
        let this = match &receiver.kind {
            // A base's method runs on the object that calls it.
            ValueKind::Super(class) => Value::new(ValueKind::This(*class), span),
            ValueKind::Object { .. } => return Some(self.with_setters(receiver).unwrap_or_else(|| receiver.clone())),
            // `strategies.get(client)`, of which no more is said than the interface that the method's class implements.
            ValueKind::Call(_) => {
                let told = declared.filter(|declared| self.is_less_than(receiver, *declared));
                let this = |class| Self::object_of(&Value::new(ValueKind::This(class), span), span);
                return Some(told.map_or_else(|| receiver.clone(), this));
            }
            _ => receiver.clone(),
        };
        let Some(declared) = declared else { return Some(this) };
        let says_more = match self.type_of(&this) {
            Type::Instance(class, args) => {
                class == declared && !args.is_empty() || class != declared && self.lineage(class).contains(&declared)
            }
            _ => false,
        };
        Some(if says_more { Self::object_of(&this, span) } else { this })
    }

    /// Whether what is known of an object is only what a class has in common with others.
    fn is_less_than(&self, object: &Shared, class: ClassRef) -> bool {
        match self.type_of(object) {
            Type::Instance(of, _) => {
                of != class && !self.lineage(of).contains(&class) && self.heirs(of).contains(&class)
            }
            _ => false,
        }
    }

    /// A value written as the object that it is, so that it takes the place of `this`.
    fn object_of(this: &Shared, span: Span) -> Shared {
        Value::new(ValueKind::Object { base: Some(this.clone()), entries: Vec::new() }, span)
    }

    /// A value that stands in a method of a class, as the instances of one of its heirs have it.
    pub fn in_heir(&self, value: &Shared, heir: ClassRef) -> Shared {
        let this = Self::object_of(&Value::new(ValueKind::This(heir), value.span), value.span);
        let module = FunctionRef { file: heir.file, id: crate::ir::FunctionId(0) };
        let bindings = crate::graph::Bindings { function: module, params: Vec::new(), this: Some(this) };
        self.substitute(value, &bindings)
    }
}
