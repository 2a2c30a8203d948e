//! The callable path of a value: the name by which rule rows know it.

use crate::graph::{Graph, Resolved, Type};
use crate::ir::{FunctionId, FunctionKind};
use crate::rules::ArgBase;
use crate::summary::{CallValue, ClassRef, FunctionRef, Shared, ValueKind};

const DEEPEST: u8 = 40;

impl Graph<'_> {
    /// `argon2#hash`, `@nestjs/jwt#JwtService.sign`, `crypto#createHash().update().digest`; `?.update` where the origin is not
    /// known; `None` for what lies in the tree.
    pub fn path(&self, value: &Shared) -> Option<String> {
        self.path_of(value, DEEPEST)
    }

    /// The path of what a call calls.
    pub fn callee_path(&self, call: &CallValue) -> Option<String> {
        if call.is_new {
            return self.path_of(&call.callee, DEEPEST).map(as_default);
        }
        self.called_paths
            .get(&call.callee, None, &self.horizon, || self.callee_path_of(&call.callee, DEEPEST).map(as_default))
    }

    fn called(&self, call: &CallValue, fuel: u8) -> Option<String> {
        // What a `new` makes goes by the class that the callee is typed as.
        let path = if call.is_new { self.path_of(&call.callee, fuel) } else { self.callee_path_of(&call.callee, fuel) };
        path.map(as_default)
    }

    /// A called member goes by what it is called on: `typeorm#DataSource.getRepository`, not by what a property of that name holds.
    fn callee_path_of(&self, callee: &Shared, fuel: u8) -> Option<String> {
        match &callee.kind {
            ValueKind::Field(base, name) => {
                self.member_path(base, name, fuel).or_else(|| self.held_path(callee, base, name, fuel))
            }
            ValueKind::Call(made) => self.handed_through(made, fuel).or_else(|| self.path_of(callee, fuel)),
            // `const randomBytes = promisify(crypto.randomBytes)`
            ValueKind::Captured(..) | ValueKind::Import(..) => match self.expand(callee) {
                Some(made) if matches!(made.kind, ValueKind::Call(_)) => {
                    self.callee_path_of(&made, fuel.checked_sub(1)?)
                }
                _ => self.path_of(callee, fuel),
            },
            _ => self.path_of(callee, fuel),
        }
    }

    /// What a call that only hands a function through gives: `promisify(jwt.verify)`.
    fn handed_through(&self, made: &CallValue, fuel: u8) -> Option<String> {
        let fuel = fuel.checked_sub(1)?;
        let [only] = made.args.as_slice() else { return None };
        if !matches!(only.value.kind, ValueKind::Field(..) | ValueKind::Import(..)) {
            return None;
        }
        let path = self.called(made, fuel)?;
        let row = self.rules.passes_matching(&path).find(|row| row.key.is_none() && row.into.is_none())?;
        let is_it = row.from.iter().any(|from| from.base == ArgBase::Nth(0) && from.keys.is_empty());
        is_it.then(|| self.callee_path_of(&only.value, fuel)).flatten()
    }

    fn member_path(&self, base: &Shared, name: &str, fuel: u8) -> Option<String> {
        let fuel = fuel.checked_sub(1)?;
        match self.path_of(base, fuel) {
            Some(path) => Some(member(&path, name)),
            // A method or field of a class of the tree; a library's method that it inherits is a path of the library.
            None if matches!(self.type_of(base), Type::Instance(..) | Type::Object(_)) => {
                // A method that a trait of a library gives to a struct of the tree.
                let given = || self.is_rust(base.span.file).then(|| format!("?.{name}"));
                self.inherited_path(base, name).or_else(given)
            }
            None => Some(format!("?.{name}")),
        }
    }

    /// A field of an object of the tree that holds what is called: `this.db('users')`.
    fn held_path(&self, callee: &Shared, base: &Shared, name: &str, fuel: u8) -> Option<String> {
        if self.is_rust(callee.span.file) || !self.has_field(base, name) {
            return None;
        }
        let behind = || {
            let inner = self.resolved(callee);
            let is_other = !matches!(inner.kind, ValueKind::Field(..) | ValueKind::Function(_));
            is_other.then(|| self.path_of(&inner, fuel)).flatten()
        };
        self.typed_path(callee).or_else(behind).or_else(|| Some(format!("?.{name}")))
    }

    /// Whether an object of the tree has a field of that name, and no method.
    fn has_field(&self, base: &Shared, name: &str) -> bool {
        let (Type::Instance(class, _) | Type::Object(class)) = self.type_of(base) else { return false };
        let line = self.lineage(class);
        line.iter().all(|owner| self.method(*owner, name).is_none())
            && line.iter().any(|owner| self.declares_field(*owner, name))
    }

    /// Whether a class has a field or a getter of that name, declared or assigned in one of its methods.
    fn declares_field(&self, class: ClassRef, name: &str) -> bool {
        let Some(declared) = self.class(class) else { return false };
        let is_assigned = |id: &FunctionId| {
            let function = FunctionRef { file: class.file, id: *id };
            let is_getter = |f: &crate::ir::Function| f.kind == FunctionKind::Getter && f.name == name;
            self.function(function).is_some_and(is_getter)
                || self
                    .summary(function)
                    .is_some_and(|summary| summary.this_fields.iter().any(|(field, _)| field == name))
        };
        declared.fields.iter().any(|field| field.name == name) || declared.methods.iter().any(is_assigned)
    }

    /// Whether a value is all that a module outside the tree exports: `import * as bytes from 'bytes'`.
    pub fn is_module_elsewhere(&self, value: &Shared) -> bool {
        let ValueKind::Import(file, id) = &value.kind else { return false };
        matches!(self.resolve_import(*file, *id), Resolved::External { name, .. } if name.is_empty())
    }

    /// Whether what is called is held under a name, rather than a method of that name: told by the class, else taken for it.
    pub fn holds(&self, callee: &Shared) -> bool {
        let ValueKind::Field(base, name) = &callee.kind else { return true };
        match self.type_of(base) {
            Type::Instance(..) | Type::Object(_) => self.has_field(base, name),
            _ => true,
        }
    }

    fn path_of(&self, value: &Shared, fuel: u8) -> Option<String> {
        let fuel = fuel.checked_sub(1)?;
        self.paths.get(value, None, &self.horizon, || self.find_path(value, fuel))
    }

    fn find_path(&self, value: &Shared, fuel: u8) -> Option<String> {
        match &value.kind {
            ValueKind::Import(file, id) => match self.resolve_import(*file, *id) {
                Resolved::External { module, name } => {
                    let module = module.strip_prefix("node:").unwrap_or(&module);
                    Some(format!("{module}#{name}"))
                }
                Resolved::Value(inner) => self.path_of(&inner, fuel),
                Resolved::Namespace(_) | Resolved::Missing => None,
            },
            ValueKind::Global(name) => Some(format!("global#{name}")),
            ValueKind::Field(base, name) => self.typed_path(value).or_else(|| {
                let path = self.member_path(base, name, fuel);
                // What an object or a class of the tree holds under the name: `statements.clear`, `this.clear`.
                let is_known =
                    path.as_ref().is_some_and(|path| !path.starts_with('?')) || self.is_rust(value.span.file);
                let held = || Some(self.resolved(value)).filter(|inner| matches!(inner.kind, ValueKind::Call(_)));
                if is_known { path } else { held().and_then(|inner| self.path_of(&inner, fuel)).or(path) }
            }),
            ValueKind::Call(call) => {
                if let Some(typed) = self.typed_path(value) {
                    return Some(typed);
                }
                if !self.targets(call).is_empty() {
                    return self.expand(value).and_then(|inner| self.path_of(&inner, fuel));
                }
                let path = self.called(call, fuel)?;
                if call.is_new { Some(path) } else { Some(format!("{path}()")) }
            }
            ValueKind::Element(base) | ValueKind::Index(base, _) => {
                self.typed_path(value).or_else(|| self.path_of(base, fuel))
            }
            ValueKind::After { before, .. } => self.path_of(before, fuel),
            ValueKind::Fallback { left, .. } => self.path_of(left, fuel),
            ValueKind::And(_, right) => self.path_of(right, fuel),
            ValueKind::Object { base: Some(base), .. } => self.path_of(base, fuel),
            ValueKind::Either(values) => values.iter().find_map(|inner| self.path_of(inner, fuel)),
            ValueKind::Cond { then, otherwise, .. } => {
                self.path_of(then, fuel).or_else(|| self.path_of(otherwise, fuel))
            }
            ValueKind::Captured(..) | ValueKind::Leaves(..) => {
                self.typed_path(value).or_else(|| self.path_of(&self.expand(value)?, fuel))
            }
            ValueKind::This(_) => {
                self.typed_path(value).or_else(|| self.lent(value).and_then(|lent| self.path_of(&lent, fuel)))
            }
            // `where((eb) => eb('token', '=', token))`: what the library hands in, or nobody knows what.
            ValueKind::Param(function, at) => self.typed_path(value).or_else(|| {
                let handed = self.handed_value(*function, *at).and_then(|handed| self.path_of(&handed, fuel));
                Some(handed.unwrap_or_else(|| "?".to_owned()))
            }),
            ValueKind::Super(_) => self.typed_path(value),
            ValueKind::Class(class) => self.base_path(*class),
            _ => None,
        }
    }

    /// The path of a value's declared type, of a class outside the tree: `@nestjs/jwt#JwtService`.
    fn typed_path(&self, value: &Shared) -> Option<String> {
        match self.type_of(value) {
            // `any` says nothing: the value could be of any library.
            ty if ty.is_any() => Some("?".to_owned()),
            Type::External(path, _) => Some(path),
            _ => None,
        }
    }

    fn inherited_path(&self, base: &Shared, name: &str) -> Option<String> {
        let (Type::Instance(class, _) | Type::Object(class)) = self.type_of(base) else { return None };
        self.base_path(class).map(|path| format!("{path}.{name}"))
    }

    /// The library class that a class of the tree extends.
    pub fn base_path(&self, class: ClassRef) -> Option<String> {
        self.lineage(class).iter().copied().find_map(|class| {
            self.class(class)?.extends.iter().find_map(|base| match self.resolve_type(class.file, base) {
                Type::External(path, _) => Some(path),
                _ => None,
            })
        })
    }
}

/// Of a module that is called as a whole, `const jwt = require('koa-jwt')`, it is the default export.
fn as_default(mut path: String) -> String {
    if path.ends_with('#') {
        path.push_str("default");
    }
    path
}

/// `argon2#` and `hash` are `argon2#hash`; the default export's members are the module's.
fn member(path: &str, name: &str) -> String {
    if path.ends_with('#') {
        return format!("{path}{name}");
    }
    match path.strip_suffix("#default") {
        Some(module) => format!("{module}#{name}"),
        None => format!("{path}.{name}"),
    }
}
