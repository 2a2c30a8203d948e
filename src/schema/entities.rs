//! Classes that decorators make tables.

use std::collections::BTreeMap;

use crate::ir::{
    Binding, Class, ClassId, ClassKind, Decorator, Entry, ExprId, ExprKind, FieldDecl, Imported, LocalId, Module,
    Place, Stmt, TypeRef,
};
use crate::rules::{ArgBase, ArgPath, CallPattern, Entity, Naming, Rules};
use crate::schema::names::{camel, plural, snake};
use crate::schema::tables::is_value;
use crate::schema::{Model, ModelSource, Property};
use crate::source::SourceSet;
use crate::summary::ClassRef;

/// Base classes beyond this many are not followed; constants through this many names neither.
const MAX_STEPS: usize = 12;

/// The entities of all modules, in the order of the files.
pub(crate) fn entities(modules: &[&Module], sources: &SourceSet, rules: &Rules) -> Vec<Model> {
    let reader = Reader { modules, sources, classes: classes_by_name(modules) };
    let mut models = Vec::new();
    for module in modules {
        for (at, class) in module.classes.iter().enumerate().filter(|(_, class)| class.kind == ClassKind::Class) {
            let found = rules.entity().find_map(|row| {
                let is_it = |decorator: &&Decorator| reader.is_by(module, decorator, &row.decorator);
                class.decorators.iter().find(is_it).map(|decorator| (row, decorator))
            });
            if let Some((row, decorator)) = found {
                let class_ref = ClassRef { file: module.file, id: ClassId::of(at) };
                models.push(reader.model(module, class, class_ref, row, decorator));
            }
        }
    }
    models
}

/// Each class by its name; `None` where several have it.
fn classes_by_name<'a>(modules: &[&'a Module]) -> BTreeMap<&'a str, Option<(&'a Module, &'a Class)>> {
    let mut found = BTreeMap::new();
    for module in modules {
        for class in module.classes.iter().filter(|class| class.kind == ClassKind::Class) {
            found.entry(class.name.as_str()).and_modify(|known| *known = None).or_insert(Some((*module, class)));
        }
    }
    found
}

struct Reader<'a> {
    modules: &'a [&'a Module],
    sources: &'a SourceSet,
    classes: BTreeMap<&'a str, Option<(&'a Module, &'a Class)>>,
}

impl<'a> Reader<'a> {
    fn model(&self, module: &Module, class: &Class, at: ClassRef, row: &Entity, decorator: &Decorator) -> Model {
        let table = self.text_at(module, &decorator.args, &row.table).unwrap_or_else(|| named(row.naming, &class.name));
        let mut properties = Vec::new();
        self.inherit(module, class, row, &mut properties, 0);
        // A TypeORM table can be given with its schema; the last part is its name.
        let table = table.rsplit('.').next().unwrap_or(&table).to_owned();
        Model {
            name: class.name.clone(),
            table,
            span: class.name_span,
            class: Some(at),
            source: ModelSource::Entity,
            properties,
        }
    }

    /// The properties of the base classes, then those of the class, which replace those of the same name.
    fn inherit(&self, module: &Module, class: &Class, row: &Entity, into: &mut Vec<Property>, steps: usize) {
        if steps > MAX_STEPS {
            return;
        }
        for base in &class.extends {
            if let Some((module, base)) = self.class(module, base) {
                self.inherit(module, base, row, into, steps + 1);
            }
        }
        for field in class.fields.iter().filter(|field| !field.is_static) {
            if let Some(property) = self.property(module, field, row) {
                into.retain(|known| known.name != property.name);
                into.push(property);
            }
        }
    }

    /// The class a type stands for: of the same file, or the only one of that name.
    fn class(&self, module: &Module, ty: &TypeRef) -> Option<(&'a Module, &'a Class)> {
        let name = match &ty.binding {
            Binding::Class(id) => {
                let module = self.modules.iter().find(|known| known.file == module.file)?;
                return module.classes.get(id.at()).map(|class| (*module, class));
            }
            Binding::Import(id) => match &module.imports.get(id.at())?.what {
                Imported::Named(name) => name.as_str(),
                Imported::Default | Imported::Namespace => ty.name.rsplit('.').next().unwrap_or(&ty.name),
            },
            Binding::Global(_) | Binding::Local(_) | Binding::Function(_) => return None,
        };
        *self.classes.get(name)?
    }

    fn property(&self, module: &Module, field: &FieldDecl, row: &Entity) -> Option<Property> {
        let find = |patterns: &[CallPattern]| {
            let is_one = |decorator: &&Decorator| patterns.iter().any(|pattern| self.is_by(module, decorator, pattern));
            field.decorators.iter().find(is_one)
        };
        if let Some(decorator) = find(&row.relation) {
            let target = self.target(module, field, decorator);
            return Some(Property {
                name: field.name.clone(),
                column: field.name.clone(),
                nullable: None,
                default: None,
                relation: Some(target.unwrap_or_default()),
                span: field.span,
            });
        }
        let Some(decorator) = find(&row.column) else {
            return row.every_field.then(|| Property {
                column: named(row.column_naming, &field.name),
                name: field.name.clone(),
                nullable: None,
                default: None,
                relation: None,
                span: field.span,
            });
        };
        let generated = find(&row.generated);
        let written = self.text_at(module, &decorator.args, &row.name);
        let nullable =
            row.nullable.iter().find_map(|path| match &module.expr(argument(module, &decorator.args, path)?).kind {
                ExprKind::Bool(value) => Some(*value),
                _ => None,
            });
        let default =
            row.default.iter().find_map(|path| self.default(module, argument(module, &decorator.args, path)?));
        Some(Property {
            column: written.unwrap_or_else(|| named(row.column_naming, &field.name)),
            name: field.name.clone(),
            nullable: nullable.or((!row.every_field).then_some(row.nullable_default)),
            default: default.or_else(|| generated.map(|decorator| format!("@{}", decorator.name))),
            relation: None,
            span: field.span,
        })
    }

    fn default(&self, module: &Module, value: ExprId) -> Option<String> {
        let expr = module.expr(value);
        if matches!(expr.kind, ExprKind::Null | ExprKind::Undefined) {
            return None;
        }
        let written = self.sources.text(expr.span).trim().to_owned();
        is_value(&written).then_some(written)
    }

    /// The class on the other side of a relation: `() => Post`, `'Post'`, or the property's type.
    fn target(&self, module: &Module, field: &FieldDecl, decorator: &Decorator) -> Option<String> {
        let argument = decorator.args.first().and_then(|arg| match &module.expr(*arg).kind {
            ExprKind::Closure(function) => {
                module.functions.get(function.at())?.body.iter().find_map(|stmt| match stmt {
                    Stmt::Return(Some(value)) => name_of(module, *value),
                    _ => None,
                })
            }
            _ => self.text(module, *arg, 0).or_else(|| name_of(module, *arg)),
        });
        argument.or_else(|| {
            let mut ty = field.ty.as_ref()?;
            while let [only] = ty.args.as_slice() {
                ty = only;
            }
            Some(imported(module, &ty.binding).unwrap_or_else(|| ty.name.clone()))
        })
    }

    /// Whether a decorator is the one a row names. Where it is imported from inside the tree, a re-export that only the graph
    /// could follow, its name decides.
    fn is_by(&self, module: &Module, decorator: &Decorator, pattern: &CallPattern) -> bool {
        if let Binding::Global(_) = &decorator.binding {
            return pattern.matches(&format!("global#{}", decorator.name));
        }
        let Binding::Import(id) = &decorator.binding else { return false };
        let Some(import) = module.imports.get(id.at()) else { return false };
        let member = match (&import.what, decorator.name.split_once('.')) {
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
    fn text_at(&self, module: &Module, args: &[ExprId], paths: &[ArgPath]) -> Option<String> {
        paths.iter().find_map(|path| self.text(module, argument(module, args, path)?, 0))
    }

    /// A text that is written there or in a constant: a `const`, a member of an enum or of a constant object.
    fn text(&self, module: &Module, expr: ExprId, steps: usize) -> Option<String> {
        if steps > MAX_STEPS {
            return None;
        }
        match &module.exprs.get(expr.at())?.kind {
            ExprKind::Text(text) => Some(text.clone()),
            ExprKind::Name(Binding::Local(local)) => self.text(module, constant(module, *local)?, steps + 1),
            ExprKind::Name(Binding::Import(id)) => {
                let Imported::Named(name) = &module.imports.get(id.at())?.what else { return None };
                let mut found = self.modules.iter().filter_map(|module| Some((*module, constant_named(module, name)?)));
                let (other, value) = found.next()?;
                if found.next().is_some() { None } else { self.text(other, value, steps + 1) }
            }
            ExprKind::Field { base, name, .. } => match &module.expr(*base).kind {
                ExprKind::Name(Binding::Class(class)) => {
                    let member = module.classes.get(class.at())?.fields.iter().find(|field| field.name == *name)?;
                    self.text(module, member.init?, steps + 1)
                }
                ExprKind::Name(Binding::Local(local)) => {
                    self.text(module, key(module, constant(module, *local)?, name)?, steps + 1)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

fn named(naming: Naming, name: &str) -> String {
    match naming {
        Naming::Same => name.to_owned(),
        Naming::Snake => snake(name),
        Naming::Camel => camel(name),
        Naming::Lower => name.to_lowercase(),
        Naming::SnakePlural => plural(&snake(name)),
    }
}

/// What stands at an argument path, through object literals.
fn argument(module: &Module, args: &[ExprId], path: &ArgPath) -> Option<ExprId> {
    let nth = match path.base {
        ArgBase::Nth(index) | ArgBase::From(index) => usize::try_from(index).ok()?,
        ArgBase::FromEnd(back) => args.len().checked_sub(usize::try_from(back).ok()?)?,
        ArgBase::Any => 0,
        ArgBase::Receiver => return None,
    };
    path.keys.iter().try_fold(*args.get(nth)?, |at, name| key(module, at, name))
}

fn key(module: &Module, object: ExprId, name: &str) -> Option<ExprId> {
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

fn constant_named(module: &Module, name: &str) -> Option<ExprId> {
    let is_it = |local: &crate::ir::Local| local.name == name && local.function.at() == 0;
    constant(module, LocalId::of(module.locals.iter().position(is_it)?))
}

/// The exported name behind a local one.
fn imported(module: &Module, binding: &Binding) -> Option<String> {
    let Binding::Import(id) = binding else { return None };
    match &module.imports.get(id.at())?.what {
        Imported::Named(name) => Some(name.clone()),
        Imported::Default | Imported::Namespace => None,
    }
}

fn name_of(module: &Module, expr: ExprId) -> Option<String> {
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
