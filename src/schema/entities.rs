//! Classes that decorators make tables.

use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{Class, ClassId, ClassKind, Decorator, ExprKind, FieldDecl, FunctionKind, Module, Stmt};
use crate::rules::{CallPattern, Entity, Rules};
use crate::schema::reader::{MAX_STEPS, Reader, imported, name_of, named};
use crate::schema::{Model, ModelSource, Property};
use crate::source::SourceSet;
use crate::summary::ClassRef;

/// The entities of all modules, in the order of the files.
pub(crate) fn entities(modules: &[&Module], sources: &SourceSet, rules: &Rules) -> Vec<Model> {
    let reader = Reader::new(modules, sources);
    let mut models = Vec::new();
    for module in modules {
        for (at, class) in module.classes.iter().enumerate().filter(|(_, class)| class.kind == ClassKind::Class) {
            let at = ClassRef { file: module.file, id: ClassId::of(at) };
            let declared = reader.declared(module, class, rules);
            models.extend(declared.map(|(row, table)| reader.model(module, class, at, row, table)));
        }
    }
    models
}

/// The names of the classes that entities inherit columns from and that no module holds.
pub(crate) fn bases_elsewhere(modules: &[&Module], sources: &SourceSet, rules: &Rules) -> BTreeSet<String> {
    let reader = Reader::new(modules, sources);
    let mut names = BTreeSet::new();
    for module in modules {
        for class in module.classes.iter().filter(|class| class.kind == ClassKind::Class) {
            if let Some((row, _)) = reader.declared(module, class, rules) {
                reader.absent_bases(module, class, row, &mut names, 0);
            }
        }
    }
    names
}

/// Gives each of several classes that hold parts of one table the columns that the others have, or that `migrated` knows of it: whichever
/// of them a statement's table stands for, it has every column.
pub(crate) fn complete(models: &mut [Model], migrated: &[Model], rules: &Rules) {
    let packs: BTreeSet<&str> = rules.entity().filter(|row| row.partial).map(|row| row.pack.as_str()).collect();
    let is_part = |model: &Model| model.source == ModelSource::Entity && packs.contains(model.pack.as_str());
    let mut columns: BTreeMap<String, Vec<Property>> = BTreeMap::new();
    let parts = models.iter().filter(|model| is_part(model));
    for table in parts.chain(migrated) {
        let known = columns.entry(table.table.to_lowercase()).or_default();
        for property in table.properties.iter().filter(|property| property.relation.is_none()) {
            if !known.iter().any(|other| other.column.eq_ignore_ascii_case(&property.column)) {
                known.push(Property { name: property.column.clone(), ..property.clone() });
            }
        }
    }
    for model in models.iter_mut().filter(|model| is_part(model)) {
        for property in columns.get(&model.table.to_lowercase()).into_iter().flatten() {
            if !model.properties.iter().any(|own| own.column.eq_ignore_ascii_case(&property.column)) {
                model.properties.push(property.clone());
            }
        }
    }
}

/// Whether a class has a decorator of one of these names, whatever path leads to it.
fn is_named(class: &Class, names: &[String]) -> bool {
    let is_one = |decorator: &Decorator| names.iter().any(|name| decorator.name.rsplit('.').next() == Some(name));
    class.decorators.iter().any(is_one)
}

impl<'a> Reader<'a> {
    /// The row by which a class is an entity, with the table that it names.
    fn declared<'r>(
        &self,
        module: &'a Module,
        class: &'a Class,
        rules: &'r Rules,
    ) -> Option<(&'r Entity, Option<String>)> {
        rules.entity().find_map(|row| {
            let by = |pattern: &CallPattern| class.decorators.iter().find(|found| self.is_by(module, found, pattern));
            if !row.only_with.is_empty() && !is_named(class, &row.only_with) {
                return None;
            }
            let table = if let Some(decorator) = row.decorator.as_ref().and_then(by) {
                self.text_at(module, &decorator.args, &row.table)
            } else if row.heir.as_ref().and_then(by).is_some() {
                Some(self.inherited_table(module, class, row, 0)?)
            } else if row.decorator.is_some() {
                return None;
            } else {
                Some(self.table_of_base(module, class, row)?)
            };
            Some((row, table))
        })
    }

    /// The table of the nearest entity that a class extends.
    fn inherited_table(&self, module: &'a Module, class: &'a Class, row: &Entity, steps: usize) -> Option<String> {
        let pattern = row.decorator.as_ref().filter(|_| steps <= MAX_STEPS)?;
        class.extends.iter().find_map(|ty| {
            let (module, base) = self.class(module, ty)?;
            let Some(decorator) = base.decorators.iter().find(|found| self.is_by(module, found, pattern)) else {
                return self.inherited_table(module, base, row, steps + 1);
            };
            let written = self.text_at(module, &decorator.args, &row.table);
            Some(written.unwrap_or_else(|| named(row.naming, &base.name)))
        })
    }

    fn absent_bases(&self, module: &Module, class: &Class, row: &Entity, into: &mut BTreeSet<String>, steps: usize) {
        if steps > MAX_STEPS {
            return;
        }
        let embedded = class.fields.iter().filter_map(|field| self.embeds(module, field, row)).map(|(_, ty)| ty);
        for base in class.extends.iter().chain(embedded) {
            match self.class(module, base) {
                Some((module, base)) => self.absent_bases(module, base, row, into, steps + 1),
                None => into.extend(self.class_elsewhere(module, base)),
            }
        }
    }

    /// The table that a class without a decorator names in a static field or getter, where it extends a row's base class.
    fn table_of_base(&self, module: &'a Module, class: &'a Class, row: &Entity) -> Option<String> {
        let field = row.table_field.as_deref()?;
        let base = row.base.as_ref()?;
        let written =
            class.fields.iter().find(|known| known.is_static && known.name == field).and_then(|known| known.init);
        let value = written.or_else(|| {
            let getters = class.methods.iter().filter_map(|id| module.functions.get(id.at()));
            let mut named = getters.filter(|f| f.is_static && f.kind == FunctionKind::Getter && f.name == field);
            named.next()?.body.iter().find_map(|stmt| match stmt {
                Stmt::Return(value) => *value,
                _ => None,
            })
        });
        let table = self.text(module, value?, 0)?;
        self.extends(module, class, base, 0).then_some(table)
    }

    fn extends(&self, module: &'a Module, class: &'a Class, base: &CallPattern, steps: usize) -> bool {
        steps <= MAX_STEPS
            && class.extends.iter().any(|ty| {
                self.type_fits(module, ty, base)
                    || self
                        .class(module, ty)
                        .is_some_and(|(module, class)| self.extends(module, class, base, steps + 1))
            })
    }

    fn model(&self, module: &Module, class: &Class, at: ClassRef, row: &Entity, table: Option<String>) -> Model {
        let table = table.unwrap_or_else(|| named(row.naming, &class.name));
        let mut properties = Vec::new();
        self.inherit(module, class, row, &[], &mut properties, 0);
        // A TypeORM table can be given with its schema; the last part is its name.
        let table = table.rsplit('.').next().unwrap_or(&table).to_owned();
        Model {
            name: class.name.clone(),
            table,
            span: class.name_span,
            class: Some(at),
            source: ModelSource::Entity,
            properties,
            open: row.column.is_empty(),
            pack: row.pack.clone(),
            readable: row.read_by.is_empty() || is_named(class, &row.read_by),
        }
    }

    /// The properties of the base classes, then those of the class, which replace those of the same name.
    /// `embedded`: the prefixes of the classes around that embed this one.
    fn inherit(
        &self,
        module: &Module,
        class: &Class,
        row: &Entity,
        embedded: &[String],
        into: &mut Vec<Property>,
        steps: usize,
    ) {
        if steps > MAX_STEPS {
            return;
        }
        for base in &class.extends {
            if let Some((module, base)) = self.class(module, base) {
                self.inherit(module, base, row, embedded, into, steps + 1);
            }
        }
        for field in class.fields.iter().filter(|field| !field.is_static) {
            let mut properties = Vec::new();
            if let Some((decorator, ty)) = self.embeds(module, field, row) {
                if let Some((of, class)) = self.class(module, ty) {
                    let prefixes: Vec<String> =
                        embedded.iter().cloned().chain(self.prefix(module, field, decorator, row)).collect();
                    self.inherit(of, class, row, &prefixes, &mut properties, steps + 1);
                }
                for property in &mut properties {
                    property.name = format!("{}.{}", field.name, property.name);
                }
            } else {
                properties.extend(self.property(module, field, row, embedded));
            }
            for property in properties {
                into.retain(|known| known.name != property.name);
                into.push(property);
            }
        }
    }

    /// The decorator that embeds a class in a property, and the class: `@Column(() => Tokens) tokens: Tokens`.
    fn embeds<'f>(
        &self,
        module: &Module,
        field: &'f FieldDecl,
        row: &Entity,
    ) -> Option<(&'f Decorator, &'f crate::ir::TypeRef)> {
        let is_column =
            |decorator: &&Decorator| row.column.iter().any(|pattern| self.is_by(module, decorator, pattern));
        let decorator = field.decorators.iter().find(is_column).filter(|_| !row.embedded_prefix.is_empty())?;
        let embeds = matches!(module.expr(*decorator.args.first()?).kind, ExprKind::Closure(_));
        field.ty.as_ref().filter(|_| embeds).map(|ty| (decorator, ty))
    }

    /// The prefix of an embedded class: what is written, none where that is `''` or `false`, else the property's name.
    fn prefix(&self, module: &Module, field: &FieldDecl, decorator: &Decorator, row: &Entity) -> Option<String> {
        let none = self.flag(module, &decorator.args, &row.embedded_prefix) == Some(false);
        let written = self.text_at(module, &decorator.args, &row.embedded_prefix);
        Some(written.unwrap_or_else(|| field.name.clone())).filter(|prefix| !none && !prefix.is_empty())
    }

    fn property(&self, module: &Module, field: &FieldDecl, row: &Entity, embedded: &[String]) -> Option<Property> {
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
                cascades: self.is_said(module, &decorator.args, &row.cascade),
                is_key: false,
                ty: String::new(),
                span: field.span,
            });
        }
        let decorator = find(&row.column);
        if decorator.is_none() && !row.column.is_empty() && !row.every_field {
            return None;
        }
        let args = decorator.map_or(&[][..], |decorator| decorator.args.as_slice());
        let mut decorators = field.decorators.iter();
        if !row.computed.is_empty() && decorators.any(|one| self.is_said(module, &one.args, &row.computed)) {
            return None;
        }
        let generated = find(&row.generated);
        let written = self.text_at(module, args, &row.name);
        let beside = find(&row.nullable_by);
        let nullable = self
            .flag(module, args, &row.nullable)
            .or_else(|| self.flag(module, args, &row.required).map(|required| !required))
            .or_else(|| {
                let said = beside?.args.first().map(|arg| &module.expr(*arg).kind);
                Some(!matches!(said, Some(ExprKind::Bool(false))))
            });
        let given = find(&row.default_by).and_then(|decorator| decorator.args.first());
        let default = self.default_at(module, args, &row.default);
        let default = default.or_else(|| self.default(module, *given?));
        Some(Property {
            column: below(embedded, &written.unwrap_or_else(|| named(row.column_naming, &field.name))),
            name: field.name.clone(),
            nullable: nullable.or_else(|| match &row.nullable_type {
                Some(outer) => Some(self.is_wrapped(field, outer)),
                None => (!row.every_field).then_some(row.nullable_default),
            }),
            default: default.or_else(|| generated.map(|decorator| format!("@{}", decorator.name))),
            relation: None,
            cascades: false,
            is_key: self.is_said(module, args, &row.key),
            ty: self.type_words(module, field),
            span: field.span,
        })
    }

    /// Whether a property is declared as `outer` of its type.
    fn is_wrapped(&self, field: &FieldDecl, outer: &str) -> bool {
        self.sources.text(field.type_span).trim_start_matches([':', ' ']).starts_with(outer)
    }

    /// What is written of a property's type: beside it, and in its decorators.
    fn type_words(&self, module: &Module, field: &FieldDecl) -> String {
        let args = field.decorators.iter().flat_map(|decorator| &decorator.args);
        let args = args.map(|arg| self.sources.text(module.expr(*arg).span));
        std::iter::once(self.sources.text(field.type_span)).chain(args).collect::<Vec<_>>().join(" ")
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
}

/// The column of a property of an embedded class, as TypeORM's `DefaultNamingStrategy.columnName` has it: the prefixes in camel case,
/// then the name with a capital first and small letters after it.
fn below(prefixes: &[String], name: &str) -> String {
    if prefixes.is_empty() {
        return name.to_owned();
    }
    let mut column = String::new();
    let joined = prefixes.join("_");
    let mut letters = joined.chars().peekable();
    column.extend(letters.next().into_iter().flat_map(char::to_lowercase));
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().filter(|next| next.is_alphanumeric() || *next == '_');
        match next {
            Some(next) if matches!(letter, '_' | '-' | ' ') => {
                column.extend(next.to_uppercase());
                letters.next();
            }
            _ => column.push(letter),
        }
    }
    let mut letters = name.chars();
    column.extend(letters.next().into_iter().flat_map(char::to_uppercase));
    column.extend(letters.flat_map(char::to_lowercase));
    column
}
