//! Tables as calls leave them: `queryInterface.addColumn('users', 'token', { allowNull: false })` of migrations,
//! `knex.schema.createTable('users', (t) => { t.string('token'); })` wherever it stands.

use std::collections::BTreeMap;

use crate::ir::{Binding, Call, ExprId, ExprKind, FunctionId, Item, Module};
use crate::rules::{Migration, Rules};
use crate::schema::reader::{Reader, Written};
use crate::schema::tables::{empty, turn};
use crate::schema::{Model, Property};
use crate::source::{Scope, SourceSet, Span};

/// What the migrations of code leave of every table, those of a later path after those of an earlier one; what undoes a migration is
/// passed over.
pub(crate) fn migrated(modules: &[&Module], sources: &SourceSet, rules: &Rules) -> Vec<Model> {
    let reader = Reader::new(modules, sources);
    let rows: Vec<&Migration> = rules.migration().collect();
    let mut tables: BTreeMap<String, Model> = BTreeMap::new();
    let path = |module: &Module| sources.get(module.file).path.as_str();
    let is_migration = |module: &Module| sources.get(module.file).scope == Scope::Migration;
    let counts = |module: &&&Module| is_migration(module) || sources.get(module.file).scope == Scope::Production;
    let mut modules: Vec<&Module> = modules.iter().filter(counts).copied().collect();
    // What an application makes at its start, migrations change.
    modules.sort_by_cached_key(|module| (is_migration(module), turn(path(module))));
    for module in modules {
        let mut calls: Vec<(Span, &Call)> = Vec::new();
        for expr in &module.exprs {
            if let ExprKind::Call(call) = &expr.kind
                && !undoes(module, expr.span)
            {
                calls.push((expr.span, call));
            }
        }
        calls.sort_by_key(|(span, _)| span.start);
        for (span, call) in calls {
            let Some(ExprKind::Field { name, .. }) = module.exprs.get(call.callee.at()).map(|expr| &expr.kind) else {
                continue;
            };
            let of_place = |row: &&&Migration| row.anywhere || is_migration(module);
            let mut fits = rows.iter().filter(|row| row.call.last() == Some(name)).filter(of_place).peekable();
            if fits.peek().is_none() {
                continue;
            }
            let path = reader.callee(module, call);
            if let Some(row) = fits.find(|row| row.call.matches(&path)) {
                reader.apply(row, module, call, span, &mut tables);
            }
        }
    }
    tables.into_values().collect()
}

/// Whether a place stands in what undoes a migration.
pub(super) fn undoes(module: &Module, at: Span) -> bool {
    let around = |span: Span| span.start <= at.start && at.end <= span.end;
    module.functions.iter().any(|function| function.name == "down" && around(function.span))
}

impl<'a> Reader<'a> {
    fn apply(
        &self,
        row: &Migration,
        module: &'a Module,
        call: &Call,
        span: Span,
        tables: &mut BTreeMap<String, Model>,
    ) -> Option<()> {
        let args = arguments(call);
        let of_table = match &row.after {
            Some(method) => arguments(further_left(module, call, method)?),
            None => args.clone(),
        };
        let table = self.text_at(module, &of_table, &row.table)?;
        let table = table.rsplit('.').next().unwrap_or(&table).to_owned();
        if let Some(path) = &row.builder {
            let built = self.argument(module, &args, path)?;
            let (ExprKind::Closure(function) | ExprKind::Name(Binding::Function(function))) =
                kind(built.module, built.expr)?
            else {
                return None;
            };
            let model = tables.entry(table.to_lowercase()).or_insert_with(|| empty(&table, span));
            self.build(row, built.module, *function, model);
            return Some(());
        }
        let name = row.named.as_ref().map(|path| self.text_at(module, &args, std::slice::from_ref(path)));
        if name.is_none() && row.columns.is_none() {
            tables.remove(&table.to_lowercase());
            return None;
        }
        let model = tables.entry(table.to_lowercase()).or_insert_with(|| empty(&table, span));
        if let Some(path) = &row.renamed {
            rename(model, &name??, &self.text_at(module, &args, std::slice::from_ref(path))?);
            return Some(());
        }
        if let Some(path) = &row.columns {
            let mut found = Vec::new();
            self.properties(self.argument(module, &args, path)?, &row.column, &mut found, 0);
            for property in found {
                put(model, property);
            }
            return Some(());
        }
        let name = name??;
        match &row.declared {
            Some(path) => {
                let at: Option<Written<'a>> = self.argument(module, &args, path);
                let span = row
                    .named
                    .as_ref()
                    .and_then(|path| self.argument(module, &args, path))
                    .map_or(span, |at| at.module.exprs.get(at.expr.at()).map_or(span, |expr| expr.span));
                // Where nothing more is said of it, it is what the library makes of its type alone.
                let at = at.or_else(|| Some(Written { module, expr: *args.last()? }))?;
                let mut property = self.column(at, &row.column, &name, span);
                if let Some(ty) = row.ty.as_ref().and_then(|path| self.argument(module, &args, path)) {
                    let written = ty.module.exprs.get(ty.expr.at()).map_or("", |ty| self.sources.text(ty.span));
                    written.clone_into(&mut property.ty);
                }
                put(model, property);
            }
            None => model.properties.retain(|property| !property.column.eq_ignore_ascii_case(&name)),
        }
        Some(())
    }

    /// What the calls on the builder of a table say of its columns, in their order.
    fn build(&self, row: &Migration, module: &'a Module, function: FunctionId, model: &mut Model) {
        let Some(function) = module.functions.get(function.at()) else { return };
        let Some(builder) = function.params.first().map(|param| param.local) else { return };
        // The first call of each chain, with the last.
        let mut chains: BTreeMap<u32, (ExprId, ExprId)> = BTreeMap::new();
        for (at, expr) in module.exprs.iter().enumerate() {
            if function.span.start > expr.span.start || expr.span.end > function.span.end {
                continue;
            }
            let at = ExprId::of(at);
            let Some((first, root)) = first_call(module, at) else { continue };
            if matches!(kind(module, root), Some(ExprKind::Name(Binding::Local(local))) if *local == builder) {
                let place = module.expr(first).span.end;
                let longest = chains.entry(place).or_insert((first, at));
                if module.expr(longest.1).span.end < expr.span.end {
                    longest.1 = at;
                }
            }
        }
        for (first, last) in chains.into_values() {
            let Some(ExprKind::Call(call)) = kind(module, first) else { continue };
            let Some(ExprKind::Field { name: method, .. }) = kind(module, call.callee) else { continue };
            let is = |methods: &[String]| methods.contains(method);
            let named = self.texts_of(module, call);
            let Some((name, name_span)) = named.first().cloned() else { continue };
            if is(&row.types) {
                let mut property = self.column(Written { module, expr: last }, &row.column, &name, name_span);
                property.ty.clone_from(method);
                put(model, property);
            } else if is(&row.drops) {
                let is_dropped = |column: &str| named.iter().any(|(name, _)| name.eq_ignore_ascii_case(column));
                model.properties.retain(|property| !is_dropped(&property.column));
            } else if is(&row.renames) {
                if let Some((to, _)) = named.get(1) {
                    rename(model, &name, to);
                }
            } else if is(&row.frees) || is(&row.requires) {
                let of_name = |property: &&mut Property| property.column.eq_ignore_ascii_case(&name);
                model.properties.iter_mut().filter(of_name).for_each(|property| {
                    property.nullable = Some(is(&row.frees));
                });
            }
        }
    }

    /// The texts that a call is handed, also in a list.
    fn texts_of(&self, module: &'a Module, call: &Call) -> Vec<(String, Span)> {
        let mut found = Vec::new();
        for arg in &call.args {
            let items: Vec<ExprId> = match kind(module, arg.value) {
                Some(ExprKind::Array(items)) => {
                    items.iter().map(|(Item::One(item) | Item::Spread(item) | Item::Each(item))| *item).collect()
                }
                _ => vec![arg.value],
            };
            let texts =
                items.into_iter().filter_map(|item| Some((self.text(module, item, 0)?, module.expr(item).span)));
            found.extend(texts);
        }
        found
    }
}

fn arguments(call: &Call) -> Vec<ExprId> {
    call.args.iter().map(|arg| arg.value).collect()
}

fn kind(module: &Module, at: ExprId) -> Option<&ExprKind> {
    module.exprs.get(at.at()).map(|expr| &expr.kind)
}

/// The call of a method further left in a chain.
fn further_left<'m>(module: &'m Module, call: &'m Call, method: &str) -> Option<&'m Call> {
    let mut call = call;
    loop {
        let ExprKind::Field { base, .. } = kind(module, call.callee)? else { return None };
        let ExprKind::Call(before) = kind(module, *base)? else { return None };
        if matches!(kind(module, before.callee), Some(ExprKind::Field { name, .. }) if name == method) {
            return Some(before);
        }
        call = before;
    }
}

/// The first call of a chain of calls, and what its method is called on.
fn first_call(module: &Module, mut at: ExprId) -> Option<(ExprId, ExprId)> {
    loop {
        let ExprKind::Call(call) = kind(module, at)? else { return None };
        let ExprKind::Field { base, .. } = kind(module, call.callee)? else { return None };
        if !matches!(kind(module, *base)?, ExprKind::Call(_)) {
            return Some((at, *base));
        }
        at = *base;
    }
}

fn rename(model: &mut Model, from: &str, to: &str) {
    for property in model.properties.iter_mut().filter(|property| property.column.eq_ignore_ascii_case(from)) {
        to.clone_into(&mut property.column);
        to.clone_into(&mut property.name);
    }
}

fn put(model: &mut Model, property: Property) {
    model.properties.retain(|known| !known.column.eq_ignore_ascii_case(&property.column));
    model.properties.push(property);
}
