//! What a declaration says: arguments, texts and names behind constants, as far as they can be told without running code.

use std::collections::BTreeMap;

use crate::ir::{
    Binding, Call, Class, ClassKind, Decorator, Entry, Export, ExprId, ExprKind, Imported, LocalId, Module, Place,
    Stmt, TypeRef, WHOLE,
};
use crate::rules::{ArgBase, ArgPath, CallPattern, Naming};
use crate::schema::names::{camel, plural, snake};
use crate::schema::tables::is_value;
use crate::source::SourceSet;

/// Base classes beyond this many are not followed; constants through this many names neither.
pub(crate) const MAX_STEPS: usize = 12;

/// Each class by its name.
fn classes_by_name<'a>(modules: &[&'a Module]) -> BTreeMap<&'a str, Vec<(&'a Module, &'a Class)>> {
    let mut found: BTreeMap<&str, Vec<(&Module, &Class)>> = BTreeMap::new();
    for module in modules {
        for class in module.classes.iter().filter(|class| class.kind == ClassKind::Class) {
            found.entry(class.name.as_str()).or_default().push((*module, class));
        }
    }
    found
}

/// The first variable of each name that is a module's own.
fn variables_by_name<'a>(modules: &[&'a Module]) -> BTreeMap<&'a str, Vec<(&'a Module, LocalId)>> {
    let mut found: BTreeMap<&str, Vec<(&Module, LocalId)>> = BTreeMap::new();
    for module in modules {
        for (at, local) in module.locals.iter().enumerate().filter(|(_, local)| local.function.at() == 0) {
            let all = found.entry(local.name.as_str()).or_default();
            if all.last().is_none_or(|(known, _)| known.file != module.file) {
                all.push((*module, LocalId::of(at)));
            }
        }
    }
    found
}

pub(crate) struct Reader<'a> {
    pub(crate) modules: &'a [&'a Module],
    pub(crate) sources: &'a SourceSet,
    classes: BTreeMap<&'a str, Vec<(&'a Module, &'a Class)>>,
    /// The variables of modules by their name.
    variables: BTreeMap<&'a str, Vec<(&'a Module, LocalId)>>,
}

/// An expression and the module it stands in.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) module: &'a Module,
    pub(crate) expr: ExprId,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(modules: &'a [&'a Module], sources: &'a SourceSet) -> Self {
        Self { modules, sources, classes: classes_by_name(modules), variables: variables_by_name(modules) }
    }

    /// The class a type stands for: of the same file, or the only one of that name; of several the one that lies where the
    /// import points to.
    pub(crate) fn class(&self, module: &Module, ty: &TypeRef) -> Option<(&'a Module, &'a Class)> {
        if let Binding::Class(id) = &ty.binding {
            let module = self.own(module)?;
            return module.classes.get(id.at()).map(|class| (module, class));
        }
        let (from, name) = class_imported(module, ty)?;
        match self.classes.get(name)?.as_slice() {
            [only] => Some(*only),
            several => {
                let wanted = beside(&self.sources.get(module.file).path, from)?;
                let lies_there = |(module, _): &&(&Module, &Class)| {
                    let rest = self.sources.get(module.file).path.strip_prefix(wanted.as_str());
                    rest.is_some_and(|rest| rest.starts_with(['.', '/']))
                };
                let mut fitting = several.iter().filter(lies_there);
                let first = fitting.next().copied();
                if fitting.next().is_some() { None } else { first }
            }
        }
    }

    /// The name of a class of the tree that a type stands for, where no module holds it.
    pub(crate) fn class_elsewhere(&self, module: &Module, ty: &TypeRef) -> Option<String> {
        let (from, name) = class_imported(module, ty)?;
        (self.is_of_tree(from) && self.class(module, ty).is_none()).then(|| name.to_owned())
    }

    /// Whether a decorator is the one a row names. Where it is imported from inside the tree, a re-export that only the graph
    /// could follow, its name decides.
    pub(crate) fn is_by(&self, module: &Module, decorator: &Decorator, pattern: &CallPattern) -> bool {
        self.is_named(module, &decorator.binding, &decorator.name, pattern)
    }

    /// As [`Reader::is_by`], for the class that a type names.
    pub(crate) fn type_fits(&self, module: &Module, ty: &TypeRef, pattern: &CallPattern) -> bool {
        self.is_named(module, &ty.binding, &ty.name, pattern)
    }

    fn is_named(&self, module: &Module, binding: &Binding, name: &str, pattern: &CallPattern) -> bool {
        if let Binding::Global(_) = binding {
            return pattern.matches(&format!("global#{name}"));
        }
        let Binding::Import(id) = binding else { return false };
        let Some(import) = module.imports.get(id.at()) else { return false };
        let member = match (&import.what, name.split_once('.')) {
            (Imported::Named(name), None) => name.clone(),
            (Imported::Named(name), Some((_, rest))) => format!("{name}.{rest}"),
            (_, Some((_, rest))) => rest.to_owned(),
            (Imported::Default | Imported::Namespace, None) => "default".to_owned(),
        };
        let path = format!("{}#{member}", import.module);
        pattern.matches(&path) || (pattern.last() == Some(member.as_str()) && self.is_of_tree(&import.module))
    }

    fn is_of_tree(&self, module: &str) -> bool {
        let modules = &self.sources.modules;
        let is_package = modules.packages.keys().any(|name| {
            module.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let matches = |pattern: &str| match pattern.split_once('*') {
            // `*` alone says where packages are looked for too.
            Some(("", "")) => false,
            Some((before, after)) => module.starts_with(before) && module.ends_with(after),
            None => module == pattern,
        };
        let is_mapped = modules.tsconfigs.iter().flat_map(|config| &config.paths).any(|(pattern, _)| matches(pattern));
        module.starts_with(['.', '/']) || is_package || is_mapped
    }

    /// The text at the first path that holds one.
    pub(crate) fn text_at(&self, module: &Module, args: &[ExprId], paths: &[ArgPath]) -> Option<String> {
        paths.iter().find_map(|path| self.texts(self.argument(module, args, path)?, 0))
    }

    /// The boolean at the first path that holds one; of `[true, 'message']` the first.
    pub(crate) fn flag(&self, module: &Module, args: &[ExprId], paths: &[ArgPath]) -> Option<bool> {
        paths.iter().find_map(|path| {
            let Written { module, expr } = self.argument(module, args, path)?;
            match &module.exprs.get(expr.at())?.kind {
                ExprKind::Bool(value) => Some(*value),
                ExprKind::Array(items) => match items.first()? {
                    crate::ir::Item::One(first) => match module.exprs.get(first.at())?.kind {
                        ExprKind::Bool(value) => Some(value),
                        _ => None,
                    },
                    _ => None,
                },
                _ => None,
            }
        })
    }

    /// Whether something other than `false` stands at one of the paths.
    pub(crate) fn is_said(&self, module: &Module, args: &[ExprId], paths: &[ArgPath]) -> bool {
        paths.iter().any(|path| {
            self.argument(module, args, path).is_some_and(|Written { module, expr }| {
                let kind = module.exprs.get(expr.at()).map(|expr| &expr.kind);
                !matches!(kind, None | Some(ExprKind::Bool(false) | ExprKind::Undefined | ExprKind::Null))
            })
        })
    }

    /// The default at the first path that holds one, as written.
    pub(crate) fn default_at(&self, module: &Module, args: &[ExprId], paths: &[ArgPath]) -> Option<String> {
        paths.iter().find_map(|path| {
            let found = self.argument(module, args, path)?;
            self.default(found.module, found.expr)
        })
    }

    pub(crate) fn default(&self, module: &Module, value: ExprId) -> Option<String> {
        let expr = module.exprs.get(value.at())?;
        if matches!(expr.kind, ExprKind::Null | ExprKind::Undefined) {
            return None;
        }
        let written = self.sources.text(expr.span).trim().to_owned();
        is_value(&written).then_some(written)
    }

    pub(crate) fn text(&self, module: &Module, expr: ExprId, steps: usize) -> Option<String> {
        self.texts(Written { module: self.own(module)?, expr }, steps)
    }

    /// A text that is written there or in a constant: a `const`, a member of an enum or of a constant object.
    fn texts(&self, at: Written<'a>, steps: usize) -> Option<String> {
        let at = self.behind(at, steps)?;
        match &at.module.exprs.get(at.expr.at())?.kind {
            ExprKind::Text(text) => Some(text.clone()),
            // `User.name`: a class knows its name.
            ExprKind::Field { base, name, .. } if name == "name" => name_of(at.module, *base),
            _ => None,
        }
    }

    /// The module with the lifetime of all of them.
    pub(crate) fn own(&self, module: &Module) -> Option<&'a Module> {
        self.modules.iter().find(|known| known.file == module.file).copied()
    }

    /// Behind the names of constants, of this file or imported, until something else stands there.
    pub(crate) fn behind(&self, at: Written<'a>, steps: usize) -> Option<Written<'a>> {
        if steps > MAX_STEPS {
            return None;
        }
        let Written { module, expr } = at;
        let next = match &module.exprs.get(expr.at())?.kind {
            ExprKind::Name(Binding::Local(local)) => constant(module, *local).map(|expr| Written { module, expr }),
            ExprKind::Name(Binding::Import(id)) => match &module.imports.get(id.at())?.what {
                Imported::Named(name) => {
                    let variables = self.variables.get(name.as_str()).map_or(&[][..], Vec::as_slice);
                    let mut found = variables
                        .iter()
                        .filter_map(|(module, local)| Some(Written { module, expr: constant(module, *local)? }));
                    let first = found.next();
                    if found.next().is_some() { None } else { first }
                }
                Imported::Default | Imported::Namespace => self.exported_whole(module, &module.imports[id.at()].module),
            },
            ExprKind::Field { base, name, .. } => match &module.exprs.get(base.at())?.kind {
                ExprKind::Name(Binding::Class(class)) => {
                    let member = module.classes.get(class.at())?.fields.iter().find(|field| field.name == *name);
                    member.and_then(|member| member.init).map(|expr| Written { module, expr })
                }
                ExprKind::Name(Binding::Local(local)) => constant(module, *local)
                    .and_then(|object| key(module, object, name))
                    .map(|expr| Written { module, expr }),
                _ => None,
            },
            _ => None,
        };
        match next {
            Some(next) => self.behind(next, steps + 1),
            None => Some(at),
        }
    }

    /// What the file at a relative path exports as a whole, or by default.
    fn exported_whole(&self, from: &Module, specifier: &str) -> Option<Written<'a>> {
        let mut parts: Vec<&str> = self.sources.get(from.file).path.split('/').collect();
        parts.pop();
        for part in specifier.starts_with('.').then_some(specifier)?.split('/') {
            match part {
                "." => {}
                ".." => _ = parts.pop()?,
                part => parts.push(part),
            }
        }
        let wanted = parts.join("/");
        let wanted = wanted.strip_suffix(".js").unwrap_or(&wanted);
        let is_it = |module: &&&Module| {
            let rest = self.sources.get(module.file).path.strip_prefix(wanted);
            let ending = rest.and_then(|rest| rest.trim_start_matches("/index").strip_prefix('.'));
            ending.is_some_and(|ending| !ending.contains(['.', '/']))
        };
        let module = *self.modules.iter().find(is_it)?;
        let whole = |name: &str| name == WHOLE || name == "default";
        module.exports.iter().find_map(|export| match export {
            Export::Named { name, binding: Binding::Local(local) } if whole(name) => {
                constant(module, *local).map(|expr| Written { module, expr })
            }
            Export::Value { name, value } if whole(name) => Some(Written { module, expr: *value }),
            _ => None,
        })
    }

    /// What stands at an argument path: through object literals, and through the arguments of calls where a key is a number.
    pub(crate) fn argument(&self, module: &Module, args: &[ExprId], path: &ArgPath) -> Option<Written<'a>> {
        let nth = match path.base {
            ArgBase::Nth(index) | ArgBase::From(index) => usize::try_from(index).ok()?,
            ArgBase::FromEnd(back) => args.len().checked_sub(usize::try_from(back).ok()?)?,
            ArgBase::Any => 0,
            ArgBase::Receiver => return None,
        };
        let first = Written { module: self.own(module)?, expr: *args.get(nth)? };
        path.keys.iter().try_fold(self.behind(first, 0)?, |at, name| {
            let next = match (&at.module.exprs.get(at.expr.at())?.kind, name.parse::<usize>()) {
                (ExprKind::Call(call), Ok(nth)) => call.args.get(nth)?.value,
                _ => key(at.module, at.expr, name)?,
            };
            self.behind(Written { module: at.module, expr: next }, 0)
        })
    }

    /// The callable path of what a call calls, by names alone: `drizzle-orm/pg-core#pgTable`, `?.define`.
    pub(crate) fn callee(&self, module: &'a Module, call: &Call) -> String {
        self.path(Written { module, expr: call.callee }, 0).unwrap_or_else(|| "?".to_owned())
    }

    fn path(&self, at: Written<'a>, steps: usize) -> Option<String> {
        if steps > MAX_STEPS {
            return None;
        }
        let Written { module, expr } = at;
        match &module.exprs.get(expr.at())?.kind {
            ExprKind::Name(Binding::Import(id)) => {
                let import = module.imports.get(id.at())?;
                if self.is_of_tree(&import.module) {
                    let behind = self.behind(at, steps)?;
                    return if behind.expr == at.expr { None } else { self.path(behind, steps + 1) };
                }
                let name = match &import.what {
                    Imported::Named(name) => name.as_str(),
                    Imported::Default => "default",
                    Imported::Namespace => "",
                };
                Some(format!("{}#{name}", import.module))
            }
            ExprKind::Name(Binding::Local(_)) => {
                let behind = self.behind(at, steps)?;
                if behind.expr == at.expr { None } else { self.path(behind, steps + 1) }
            }
            ExprKind::Name(Binding::Global(name)) => Some(format!("global#{name}")),
            ExprKind::Field { base, name, .. } => {
                let base = self.path(Written { module, expr: *base }, steps + 1);
                Some(match base {
                    Some(base) if base.ends_with('#') => format!("{base}{name}"),
                    Some(base) => match base.strip_suffix("#default") {
                        Some(module) => format!("{module}#{name}"),
                        None => format!("{base}.{name}"),
                    },
                    None => format!("?.{name}"),
                })
            }
            ExprKind::Call(call) => {
                let path = self.path(Written { module, expr: call.callee }, steps + 1)?;
                Some(if call.is_new { path } else { format!("{path}()") })
            }
            _ => None,
        }
    }
}

pub(crate) fn named(naming: Naming, name: &str) -> String {
    match naming {
        Naming::Same => name.to_owned(),
        Naming::Snake => snake(name),
        Naming::Camel => camel(name),
        Naming::Lower => name.to_lowercase(),
        Naming::Plural => plural(name),
        Naming::LowerPlural => plural(&name.to_lowercase()),
        Naming::SnakePlural => plural(&snake(name)),
    }
}

/// The value of a key of an object that is written out.
pub(crate) fn key(module: &Module, object: ExprId, name: &str) -> Option<ExprId> {
    let ExprKind::Object(entries) = &module.exprs.get(object.at())?.kind else { return None };
    entries.iter().rev().find_map(|entry| match entry {
        Entry::Named { key, value, .. } if key == name => Some(*value),
        _ => None,
    })
}

/// The value of a variable that the module assigns once.
fn constant(module: &Module, local: LocalId) -> Option<ExprId> {
    let body = &module.functions.first()?.body;
    let mut values = body.iter().filter_map(|stmt| match stmt {
        Stmt::Assign { target: Place::Local(target), value, .. } if *target == local => Some(*value),
        _ => None,
    });
    let value = values.next()?;
    if values.next().is_some() { None } else { Some(value) }
}

/// The module and the name under which a type is imported.
fn class_imported<'m>(module: &'m Module, ty: &'m TypeRef) -> Option<(&'m str, &'m str)> {
    let Binding::Import(id) = &ty.binding else { return None };
    let import = module.imports.get(id.at())?;
    let name = match &import.what {
        Imported::Named(name) => name.as_str(),
        Imported::Default | Imported::Namespace => ty.name.rsplit('.').next().unwrap_or(&ty.name),
    };
    Some((import.module.as_str(), name))
}

/// `../base` seen from `src/users/user.ts`: `src/base`.
fn beside(path: &str, specifier: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    if !specifier.starts_with('.') {
        return None;
    }
    for part in specifier.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/").trim_end_matches(".js").to_owned())
}

/// The exported name behind a local one.
pub(crate) fn imported(module: &Module, binding: &Binding) -> Option<String> {
    let Binding::Import(id) = binding else { return None };
    match &module.imports.get(id.at())?.what {
        Imported::Named(name) => Some(name.clone()),
        Imported::Default | Imported::Namespace => None,
    }
}

pub(crate) fn name_of(module: &Module, expr: ExprId) -> Option<String> {
    match &module.exprs.get(expr.at())?.kind {
        ExprKind::Name(binding) => imported(module, binding).or_else(|| match binding {
            Binding::Class(id) => module.classes.get(id.at()).map(|class| class.name.clone()),
            Binding::Import(id) => module.imports.get(id.at()).map(|import| import.local.clone()),
            Binding::Global(name) => Some(name.clone()),
            Binding::Local(_) | Binding::Function(_) => None,
        }),
        ExprKind::Field { name, .. } => Some(name.clone()),
        _ => None,
    }
}
