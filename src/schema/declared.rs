//! Models that calls declare: `sequelize.define('user', { .. })`, `pgTable('users', { .. })`, `User.init({ .. })`.

use std::collections::BTreeMap;

use crate::ir::{Binding, Call, ClassId, Entry, ExprId, ExprKind, FunctionId, Module, Place, Stmt};
use crate::rules::{ClassOf, ColumnForm, Declaration, Rules};
use crate::schema::reader::{MAX_STEPS, Reader, Written, key, named};
use crate::schema::{Model, ModelSource, Property};
use crate::source::{SourceSet, Span};
use crate::summary::ClassRef;

/// The models of all modules that calls declare, in the order of the files.
pub(crate) fn declared(modules: &[&Module], sources: &SourceSet, rules: &Rules) -> Vec<Model> {
    let reader = Reader::new(modules, sources);
    let rows: Vec<&Declaration> = rules.model().collect();
    let mut models = Vec::new();
    for module in modules {
        let mut variables = None;
        for (at, expr) in module.exprs.iter().enumerate() {
            let ExprKind::Call(call) = &expr.kind else { continue };
            let name = called(module, call);
            let mut fits =
                rows.iter().filter(|row| row.call.last().is_none_or(|last| name.is_none_or(|it| it == last)));
            let Some(first) = fits.next() else { continue };
            let path = reader.callee(module, call);
            let Some(row) = std::iter::once(first).chain(fits).find(|row| row.call.matches(&path)) else { continue };
            let variables = variables.get_or_insert_with(|| assigned(module));
            let at = Declared { module, call, at: ExprId::of(at), span: expr.span };
            models.extend(reader.declared_by(row, &at, variables));
        }
    }
    models
}

struct Declared<'a> {
    module: &'a Module,
    call: &'a Call,
    at: ExprId,
    span: Span,
}

/// The name of the method or function that is called, where it is written.
fn called<'a>(module: &'a Module, call: &Call) -> Option<&'a str> {
    match &module.exprs.get(call.callee.at())?.kind {
        ExprKind::Field { name, .. } => Some(name),
        _ => None,
    }
}

/// What each variable is first assigned.
fn assigned(module: &Module) -> BTreeMap<ExprId, String> {
    let mut found = BTreeMap::new();
    for stmt in module.functions.iter().flat_map(|function| &function.body) {
        if let Stmt::Assign { target: Place::Local(local), value, .. } = stmt
            && let Some(local) = module.locals.get(local.at())
        {
            found.insert(*value, local.name.clone());
        }
    }
    found
}

impl<'a> Reader<'a> {
    fn declared_by(&self, row: &Declaration, at: &Declared<'a>, variables: &BTreeMap<ExprId, String>) -> Option<Model> {
        let args: Vec<ExprId> = at.call.args.iter().map(|arg| arg.value).collect();
        let columns = self.argument(at.module, &args, &row.columns)?;
        let mut properties = Vec::new();
        let open = !self.properties(columns, &row.column, &mut properties, 0);
        if properties.is_empty() {
            return None;
        }
        let class = match row.class {
            Some(ClassOf::Receiver) => Some(self.receiver(at.module, at.call)?),
            Some(ClassOf::Type) => at.call.type_args.first().and_then(|ty| self.declared_class(at.module, ty)),
            None => None,
        };
        let class_name =
            || class.filter(|_| row.class == Some(ClassOf::Receiver)).and_then(|class| self.class_name(class));
        let name = self
            .text_at(at.module, &args, &row.name)
            .or_else(class_name)
            .or_else(|| variables.get(&at.at).cloned())
            .or_else(|| self.text_at(at.module, &args, &row.table))?;
        let table = self.text_at(at.module, &args, &row.table).unwrap_or_else(|| named(row.naming, &name));
        let table = table.rsplit('.').next().unwrap_or(&table).to_owned();
        let (source, pack) = (ModelSource::Call, row.pack.clone());
        Some(Model { name, table, span: at.span, class, source, properties, open, pack, readable: true })
    }

    /// Reads the columns; false where some cannot be told.
    pub(crate) fn properties(
        &self,
        at: Written<'a>,
        form: &ColumnForm,
        into: &mut Vec<Property>,
        steps: usize,
    ) -> bool {
        if steps > MAX_STEPS {
            return false;
        }
        let Written { module, expr } = at;
        match module.exprs.get(expr.at()).map(|expr| &expr.kind) {
            Some(ExprKind::Object(entries)) => {
                let mut all = true;
                for entry in entries {
                    match entry {
                        Entry::Named { key, key_span, value } => {
                            let property = self.column(Written { module, expr: *value }, form, key, *key_span);
                            into.retain(|known| known.name != property.name);
                            into.push(property);
                        }
                        Entry::Computed { .. } => all = false,
                        Entry::Spread(value) => {
                            let inner = self.behind(Written { module, expr: *value }, 0);
                            all &= inner.is_some_and(|inner| self.properties(inner, form, into, steps + 1));
                        }
                    }
                }
                all
            }
            Some(ExprKind::Closure(function)) => returned(module, *function)
                .is_some_and(|expr| self.properties(Written { module, expr }, form, into, steps + 1)),
            _ => false,
        }
    }

    pub(crate) fn column(&self, at: Written<'a>, form: &ColumnForm, name: &str, span: Span) -> Property {
        let at = self.behind(at, 0).unwrap_or(at);
        let module = at.module;
        // `(column) => column.notNull()`: all that it calls is said of the column.
        let returned = match module.exprs.get(at.expr.at()).map(|expr| &expr.kind) {
            Some(ExprKind::Closure(function)) => returned(module, *function),
            _ => None,
        };
        let is_handed = returned.is_some();
        let at = Written { expr: returned.unwrap_or(at.expr), ..at };
        let mut methods: Vec<(&str, &Call)> = Vec::new();
        let mut args = vec![at.expr];
        let mut expr = at.expr;
        while let Some(ExprKind::Call(call)) = module.exprs.get(expr.at()).map(|expr| &expr.kind) {
            args = call.args.iter().map(|arg| arg.value).collect();
            let Some(ExprKind::Field { base, name, .. }) = module.exprs.get(call.callee.at()).map(|expr| &expr.kind)
            else {
                break;
            };
            // `t.text('x')` starts the chain, `.notNull()` goes on with it.
            let goes_on = matches!(module.exprs.get(base.at()).map(|expr| &expr.kind), Some(ExprKind::Call(_)));
            if goes_on || is_handed {
                methods.push((name, call));
            }
            if !goes_on {
                break;
            }
            expr = *base;
        }
        let by = |names: &[String]| methods.iter().find(|(method, _)| names.iter().any(|name| name == method));
        let nullable = self
            .flag(module, &args, &form.nullable)
            .or_else(|| self.flag(module, &args, &form.required).map(|required| !required))
            .or_else(|| by(&form.required_by).map(|_| false));
        let default = self.default_at(module, &args, &form.default).or_else(|| {
            let (method, call) = by(&form.default_by)?;
            match call.args.first() {
                Some(value) => self.default(module, value.value),
                None => Some(format!("{method}()")),
            }
        });
        let starts_empty = form.lists_start_empty && default.is_none() && is_list(at, 2);
        let default = if starts_empty { Some("[]".to_owned()) } else { default };
        let nullable = if starts_empty { Some(false) } else { nullable };
        Property {
            name: name.to_owned(),
            column: self.text_at(module, &args, &form.name).unwrap_or_else(|| named(form.naming, name)),
            nullable: Some(nullable.unwrap_or(form.nullable_default)),
            default,
            relation: None,
            cascades: false,
            is_key: false,
            ty: self.sources.text(span).to_owned(),
            span,
        }
    }

    /// The class that a method is called on: `User.init(..)`, `this.init(..)` and `super.init(..)` in its own methods.
    fn receiver(&self, module: &'a Module, call: &Call) -> Option<ClassRef> {
        let ExprKind::Field { base, .. } = &module.exprs.get(call.callee.at())?.kind else { return None };
        match &module.exprs.get(base.at())?.kind {
            ExprKind::Name(Binding::Class(id)) => Some(ClassRef { file: module.file, id: *id }),
            ExprKind::Name(Binding::Import(id)) => {
                let import = module.imports.get(id.at())?;
                let name = match &import.what {
                    crate::ir::Imported::Named(name) => name,
                    _ => &import.local,
                };
                self.class_named(name)
            }
            ExprKind::This | ExprKind::Super => {
                let holds = |function: &crate::ir::Function| {
                    let (outer, inner) = (function.span, module.exprs[call.callee.at()].span);
                    function.class.is_some() && outer.start <= inner.start && inner.end <= outer.end
                };
                let at = module.functions.iter().skip(FunctionId(1).at()).find(|function| holds(function))?;
                Some(ClassRef { file: module.file, id: at.class? })
            }
            _ => None,
        }
    }

    pub(crate) fn declared_class(&self, module: &Module, ty: &crate::ir::TypeRef) -> Option<ClassRef> {
        match &ty.binding {
            Binding::Class(id) => Some(ClassRef { file: module.file, id: *id }),
            Binding::Import(_) => self.class_named(ty.name.rsplit('.').next()?),
            _ => None,
        }
    }

    /// The only class, interface or object type of a name.
    fn class_named(&self, name: &str) -> Option<ClassRef> {
        let mut found = self.modules.iter().flat_map(|module| {
            let classes = module.classes.iter().enumerate().filter(|(_, class)| class.name == name);
            classes.map(|(at, _)| ClassRef { file: module.file, id: ClassId::of(at) })
        });
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    fn class_name(&self, class: ClassRef) -> Option<String> {
        let module = self.modules.iter().find(|module| module.file == class.file)?;
        Some(module.classes.get(class.id.at())?.name.clone())
    }
}

/// What a function returns first, outside of branches.
fn returned(module: &Module, function: FunctionId) -> Option<ExprId> {
    module.functions.get(function.at())?.body.iter().find_map(|stmt| match stmt {
        Stmt::Return(value) => *value,
        _ => None,
    })
}

/// Whether a column is declared as a list: `[String]`, `Array`, `{ type: [String] }`.
fn is_list(at: Written, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match at.module.exprs.get(at.expr.at()).map(|expr| &expr.kind) {
        Some(ExprKind::Array(_)) => true,
        Some(ExprKind::Name(Binding::Global(name))) => name == "Array",
        Some(ExprKind::Object(_)) => {
            key(at.module, at.expr, "type").is_some_and(|expr| is_list(Written { expr, ..at }, fuel))
        }
        _ => false,
    }
}
