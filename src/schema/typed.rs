//! Tables as types declare them: `new Kysely<Database>(..)` with `interface Database { users: UsersTable }`.

use std::collections::BTreeSet;

use crate::ir::{ClassId, ExprKind, FieldDecl, Module, TypeRef};
use crate::rules::{Rules, TypedTables};
use crate::schema::reader::Reader;
use crate::schema::tables::empty;
use crate::schema::{Model, Property};
use crate::source::{Scope, SourceSet};
use crate::summary::ClassRef;

/// The tables that the types of all modules name, in the order of the files.
pub(crate) fn typed(modules: &[&Module], sources: &SourceSet, rules: &Rules) -> Vec<Model> {
    let reader = Reader::new(modules, sources);
    let mut seen: BTreeSet<ClassRef> = BTreeSet::new();
    let mut models: Vec<Model> = Vec::new();
    for (row, module, ty) in databases(&reader, rules) {
        let Some((module, database)) = reader.declared_class(module, ty).and_then(|class| reader.of(class, &mut seen))
        else {
            continue;
        };
        for table in &module.classes[database.at()].fields {
            let Some(row_type) = table.ty.as_ref().and_then(|ty| reader.declared_class(module, ty)) else { continue };
            let Some((of, class)) = reader.of(row_type, &mut BTreeSet::new()) else { continue };
            let mut model = empty(&table.name, table.span);
            let columns = of.classes[class.at()].fields.iter();
            model.properties = columns.map(|field| property(field, row, sources)).collect();
            if !model.properties.is_empty() && models.iter().all(|known| known.table != model.table) {
                models.push(model);
            }
        }
    }
    models
}

/// The names of the types that these tables need and no module declares.
pub(crate) fn elsewhere(modules: &[&Module], sources: &SourceSet, rules: &Rules) -> BTreeSet<String> {
    let reader = Reader::new(modules, sources);
    let mut names = BTreeSet::new();
    let is_known = |name: &str| modules.iter().any(|module| module.classes.iter().any(|class| class.name == name));
    for (_, module, ty) in databases(&reader, rules) {
        let Some((module, database)) =
            reader.declared_class(module, ty).and_then(|class| reader.of(class, &mut BTreeSet::new()))
        else {
            names.extend(last(ty).filter(|name| !is_known(name)));
            continue;
        };
        let rows = module.classes[database.at()].fields.iter().filter_map(|table| table.ty.as_ref());
        names.extend(rows.filter_map(last).filter(|name| !is_known(name)));
    }
    names
}

fn last(ty: &TypeRef) -> Option<String> {
    ty.name.rsplit('.').next().filter(|name| name.starts_with(char::is_alphabetic)).map(str::to_owned)
}

/// The type arguments of the libraries' classes, where production code writes them.
fn databases<'a, 'r>(reader: &Reader<'a>, rules: &'r Rules) -> Vec<(&'r TypedTables, &'a Module, &'a TypeRef)> {
    let mut found = Vec::new();
    for module in reader.modules.iter().copied() {
        if matches!(reader.sources.get(module.file).scope, Scope::Test) {
            continue;
        }
        for row in rules.tables() {
            for expr in &module.exprs {
                if let ExprKind::Call(call) = &expr.kind
                    && call.is_new
                    && let Some(ty) = call.type_args.first()
                    && row.class.matches(&reader.callee(module, call))
                {
                    found.push((row, module, ty));
                }
            }
            let of_locals = module.locals.iter().filter_map(|local| local.ty.as_ref());
            let of_params = module.functions.iter().flat_map(|function| &function.params);
            let of_classes = module.classes.iter();
            let of_fields = of_classes.clone().flat_map(|class| &class.fields).filter_map(|field| field.ty.as_ref());
            let of_bases = of_classes.flat_map(|class| &class.extends);
            let types =
                of_locals.chain(of_params.filter_map(|param| param.ty.as_ref())).chain(of_fields).chain(of_bases);
            let types = types.filter(|ty| reader.type_fits(module, ty, &row.class));
            found.extend(types.filter_map(|ty| Some((row, module, ty.args.first()?))));
        }
    }
    found
}

fn property(field: &FieldDecl, row: &TypedTables, sources: &SourceSet) -> Property {
    let written = sources.text(field.type_span).trim_start_matches([':', ' ']).trim();
    let outer = field.ty.as_ref().map_or("", |ty| ty.name.rsplit('.').next().unwrap_or(&ty.name));
    // Of `ColumnType<Selected, Inserted, Updated>` and `Generated<Type>` the first says what a row holds.
    let selected = written.split_once('<').filter(|_| written.starts_with(outer)).map_or(written, |(_, inner)| {
        let mut depth = 0_usize;
        let end = inner.find(|c| {
            match c {
                '<' | '(' | '{' | '[' => depth += 1,
                '>' | ')' | '}' | ']' if depth > 0 => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        });
        end.map_or(inner, |end| &inner[..end])
    });
    let is_nullable = selected.split(|c: char| !c.is_alphanumeric()).any(|word| word == "null");
    Property {
        name: field.name.clone(),
        column: field.name.clone(),
        nullable: Some(is_nullable || field.optional),
        default: row.generated.iter().any(|name| name == outer).then(|| outer.to_owned()),
        relation: None,
        cascades: false,
        is_key: false,
        ty: written.to_owned(),
        span: field.span,
    }
}

impl<'a> Reader<'a> {
    /// The module of a class that was not seen before.
    fn of(&self, class: ClassRef, seen: &mut BTreeSet<ClassRef>) -> Option<(&'a Module, ClassId)> {
        let module = self.modules.iter().find(|module| module.file == class.file).copied()?;
        (seen.insert(class) && module.classes.get(class.id.at()).is_some()).then_some((module, class.id))
    }
}
