//! Tables as migrations leave them that are written in code: `queryInterface.addColumn('users', 'token', { allowNull: false })`.

use std::collections::BTreeMap;

use crate::ir::{Call, ExprId, ExprKind, Module};
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
    let is_migration = |module: &&&Module| sources.get(module.file).scope == Scope::Migration;
    let mut modules: Vec<&Module> = modules.iter().filter(is_migration).copied().collect();
    modules.sort_by_cached_key(|module| turn(path(module)));
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
            let mut fits = rows.iter().filter(|row| row.call.last() == Some(name)).peekable();
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
fn undoes(module: &Module, at: Span) -> bool {
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
        let args: Vec<ExprId> = call.args.iter().map(|arg| arg.value).collect();
        let table = self.text_at(module, &args, &row.table)?;
        let name = row.named.as_ref().map(|path| self.text_at(module, &args, std::slice::from_ref(path)));
        if name.is_none() && row.columns.is_none() {
            tables.remove(&table.to_lowercase());
            return None;
        }
        let model = tables.entry(table.to_lowercase()).or_insert_with(|| empty(&table, span));
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
                let at: Written<'a> = self.argument(module, &args, path)?;
                put(model, self.column(at, &row.column, &name, span));
            }
            None => model.properties.retain(|property| !property.column.eq_ignore_ascii_case(&name)),
        }
        Some(())
    }
}

fn put(model: &mut Model, property: Property) {
    model.properties.retain(|known| !known.column.eq_ignore_ascii_case(&property.column));
    model.properties.push(property);
}
