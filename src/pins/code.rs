//! What the values of a test file are: rows, their tracked column, what was found of those with or without a value.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{
    Binding, Call, Entry, Expr, ExprId, ExprKind, Function, FunctionId, Imported, Item, LocalId, Module, Place,
    SqlStatement, Stmt,
};
use crate::pins::{Names, asked};
use crate::rules::{Read, Rules, Target, TestSays};
use crate::source::Span;

/// How deep a value is followed.
const DEPTH: usize = 48;

/// What a value is, the more telling later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    /// Nothing that comes out of the database.
    #[default]
    Other,
    /// A row, or rows.
    Row,
    /// The tracked column of a row.
    Column,
    /// The rows, their number, or whether there is one, of those whose column has a value, or has none.
    Found { with_value: bool },
}

/// A step of a chain of calls and properties, from the right: `toBe(x)`, then `not`, of `expect(y).not.toBe(x)`.
pub(super) type Step<'m> = (&'m str, Option<&'m Call>);

pub(super) struct Code<'m> {
    pub(super) module: &'m Module,
    pub(super) rules: &'m Rules,
    pub(super) names: &'m Names,
    assigned: BTreeMap<LocalId, Vec<ExprId>>,
    /// What is assigned to properties, by name.
    kept: BTreeMap<&'m str, Vec<ExprId>>,
    /// What functions return.
    returned: BTreeMap<FunctionId, Vec<ExprId>>,
    /// The calls that functions without a name are handed to.
    handed: BTreeMap<FunctionId, ExprId>,
    params: BTreeMap<LocalId, FunctionId>,
    reloaded: BTreeSet<&'m Binding>,
    /// Methods and modules that something stands in for.
    mocked: BTreeSet<&'m str>,
    /// What does not run.
    skipped: Vec<Span>,
    known: RefCell<BTreeMap<LocalId, Thing>>,
}

impl<'m> Code<'m> {
    pub(super) fn new(module: &'m Module, rules: &'m Rules, names: &'m Names) -> Self {
        let mut code = Self {
            module,
            rules,
            names,
            assigned: BTreeMap::new(),
            kept: BTreeMap::new(),
            returned: BTreeMap::new(),
            handed: BTreeMap::new(),
            params: BTreeMap::new(),
            reloaded: BTreeSet::new(),
            mocked: BTreeSet::new(),
            skipped: Vec::new(),
            known: RefCell::default(),
        };
        for (at, function) in module.functions.iter().enumerate() {
            let id = FunctionId::of(at);
            code.params.extend(function.params.iter().map(|param| (param.local, id)));
            code.statements(id, &function.body);
            if function.decorators.iter().any(|mark| rules.says(TestSays::Skip, last(&mark.name))) {
                code.skipped.push(function.span);
            }
        }
        for (at, expr) in module.exprs.iter().enumerate() {
            code.look_at(ExprId::of(at), expr);
        }
        code
    }

    fn statements(&mut self, function: FunctionId, body: &'m [Stmt]) {
        for statement in body {
            match statement {
                Stmt::Assign { target: Place::Local(local), value, .. } => {
                    self.assigned.entry(*local).or_default().push(*value);
                }
                Stmt::Assign { target: Place::Field { name, .. }, value, .. } => {
                    self.kept.entry(name).or_default().push(*value);
                }
                Stmt::Return(Some(value)) => self.returned.entry(function).or_default().push(*value),
                Stmt::Assign { .. } | Stmt::Expr(_) | Stmt::Return(None) | Stmt::Throw(_) => {}
                Stmt::If { then, otherwise, .. } => {
                    self.statements(function, then);
                    self.statements(function, otherwise);
                }
                Stmt::Loop { body } => self.statements(function, body),
                Stmt::Try { body, catch, finally } => {
                    for part in [body, catch, finally] {
                        self.statements(function, part);
                    }
                }
            }
        }
    }

    fn look_at(&mut self, id: ExprId, expr: &'m Expr) {
        match &expr.kind {
            ExprKind::Call(call) => {
                let closures = call.args.iter().filter_map(|arg| match self.kind(arg.value) {
                    ExprKind::Closure(function) => Some(*function),
                    _ => None,
                });
                let closures: Vec<FunctionId> = closures.collect();
                self.handed.extend(closures.iter().map(|function| (*function, id)));
                // `reads.then((user) => ..)`: the front end calls what it is handed.
                if let ExprKind::Closure(function) = self.kind(call.callee) {
                    for (param, arg) in self.module.function(*function).params.iter().zip(&call.args) {
                        self.assigned.entry(param.local).or_default().push(arg.value);
                    }
                }
                let chain = self.chain(id);
                if chain.iter().any(|(name, _)| self.rules.says(TestSays::Skip, name)) {
                    self.skipped.extend(closures.iter().map(|function| self.module.function(*function).span));
                }
                let Some((name, _)) = chain.first().copied() else { return };
                if self.rules.says(TestSays::Reload, name)
                    && let ExprKind::Field { base, .. } = self.kind(call.callee)
                    && let ExprKind::Name(binding) = self.kind(*base)
                {
                    self.reloaded.insert(binding);
                }
                if self.rules.says(TestSays::Mock, name) {
                    // `users.findOneBy.mockResolvedValue(..)`, `jest.spyOn(users, 'findOneBy')`, `jest.mock('./users')`
                    self.mocked.extend(chain.get(1).filter(|(_, call)| call.is_none()).map(|(name, _)| *name));
                    let texts = call.args.iter().filter_map(|arg| self.text(arg.value));
                    self.mocked.extend(texts.collect::<Vec<_>>());
                }
            }
            ExprKind::Object(entries) => {
                for entry in entries {
                    if let Entry::Named { key, value, .. } = entry
                        && self.is_mock(*value)
                    {
                        self.mocked.insert(key);
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn kind(&self, id: ExprId) -> &'m ExprKind {
        &self.module.expr(id).kind
    }

    pub(super) fn text(&self, id: ExprId) -> Option<&'m str> {
        if let ExprKind::Text(text) = self.kind(id) { Some(text) } else { None }
    }

    /// Whether a test of the file is marked as one, in Rust.
    pub(super) fn has_tests(&self) -> bool {
        let is_test = |function: &Function| function.decorators.iter().any(|mark| last(&mark.name).contains("test"));
        self.module.functions.iter().any(|function| is_test(function) && self.runs(function.span))
    }

    /// Whether something of the file does not run.
    pub(super) fn puts_off(&self) -> bool {
        !self.skipped.is_empty()
    }

    pub(super) fn runs(&self, span: Span) -> bool {
        !self.skipped.iter().any(|skipped| skipped.start <= span.start && span.end <= skipped.end)
    }

    /// The steps of a chain from the right, down to the name that it starts with.
    pub(super) fn chain(&self, mut id: ExprId) -> Vec<Step<'m>> {
        let mut steps = Vec::new();
        let mut called = None;
        loop {
            match self.kind(id) {
                ExprKind::Call(call) => {
                    called = Some(call);
                    id = call.callee;
                }
                ExprKind::Field { base, name, .. } => {
                    steps.push((name.as_str(), called.take()));
                    id = *base;
                }
                ExprKind::Index { base, .. } | ExprKind::Element(base) => id = *base,
                ExprKind::Name(binding) => {
                    steps.push((self.name(binding), called.take()));
                    return steps;
                }
                _ => return steps,
            }
        }
    }

    fn name(&self, binding: &'m Binding) -> &'m str {
        match binding {
            Binding::Local(id) => self.module.locals.get(id.at()).map_or("", |local| &local.name),
            Binding::Function(id) => &self.module.function(*id).name,
            Binding::Class(id) => &self.module.class(*id).name,
            Binding::Import(id) => self.module.imports.get(id.at()).map_or("", |import| match &import.what {
                Imported::Named(name) => name,
                _ => &import.local,
            }),
            Binding::Global(name) => last(name),
        }
    }

    /// Whether a value is made by what makes stand-ins, or is called one.
    fn is_mock(&self, id: ExprId) -> bool {
        self.chain(id).iter().any(|(name, call)| call.is_some() && self.rules.says(TestSays::Mock, name))
    }

    /// Whether a chain asks a stand-in.
    fn asks_mock(&self, id: ExprId) -> bool {
        let chain = self.chain(id);
        let is_called_one = |name: &str| self.mocked.contains(name) || self.rules.says(TestSays::Mock, name);
        if chain.iter().any(|(name, _)| is_called_one(name)) {
            return true;
        }
        match self.kind(self.root(id)) {
            ExprKind::Name(Binding::Local(local)) => {
                self.assigned.get(local).is_some_and(|values| values.iter().any(|value| self.is_mock(*value)))
            }
            ExprKind::Name(Binding::Import(import)) => {
                self.module.imports.get(import.at()).is_some_and(|import| self.mocked.contains(import.module.as_str()))
            }
            _ => false,
        }
    }

    fn root(&self, mut id: ExprId) -> ExprId {
        loop {
            id = match self.kind(id) {
                ExprKind::Call(call) => call.callee,
                ExprKind::Field { base, .. } | ExprKind::Index { base, .. } | ExprKind::Element(base) => *base,
                _ => return id,
            }
        }
    }

    /// What a value is.
    pub(super) fn thing(&self, id: ExprId) -> Thing {
        self.thing_at(id, 0)
    }

    fn thing_at(&self, id: ExprId, depth: usize) -> Thing {
        if depth > DEPTH {
            return Thing::Other;
        }
        let of = |id: ExprId| self.thing_at(id, depth + 1);
        match self.kind(id) {
            ExprKind::Name(Binding::Local(local)) => {
                let is_reloaded = self.reloaded.contains(&Binding::Local(*local));
                self.local(*local, depth).max(if is_reloaded { Thing::Row } else { Thing::Other })
            }
            ExprKind::Name(binding) if self.reloaded.contains(binding) => Thing::Row,
            ExprKind::Field { base, name, .. } => match of(*base) {
                Thing::Row if self.names.is_column(name) => Thing::Column,
                Thing::Other => self.kept.get(name.as_str()).map_or(Thing::Other, |values| self.best(values, depth)),
                thing => thing,
            },
            ExprKind::Index { base, .. }
            | ExprKind::Element(base)
            | ExprKind::Rest { base, .. }
            | ExprKind::Subset(base, _)
            | ExprKind::Fallback { left: base, .. }
            | ExprKind::Cond { then: base, .. } => of(*base),
            ExprKind::Array(items) => {
                let values =
                    items.iter().map(|(Item::One(value) | Item::Spread(value) | Item::Each(value))| of(*value));
                values.max().unwrap_or_default()
            }
            ExprKind::Closure(function) => self.best(self.returned.get(function).map_or(&[], Vec::as_slice), depth),
            ExprKind::Call(call) => self.called(id, call, depth),
            _ => Thing::Other,
        }
    }

    fn best(&self, values: &[ExprId], depth: usize) -> Thing {
        values.iter().map(|value| self.thing_at(*value, depth + 1)).max().unwrap_or_default()
    }

    fn local(&self, local: LocalId, depth: usize) -> Thing {
        if let Some(known) = self.known.borrow().get(&local) {
            return *known;
        }
        // What a variable is made of itself adds nothing.
        self.known.borrow_mut().insert(local, Thing::Other);
        let mut thing = self.best(self.assigned.get(&local).map_or(&[], Vec::as_slice), depth);
        if let Some(call) = self.params.get(&local).and_then(|function| self.handed.get(function))
            && let ExprKind::Call(called) = self.kind(*call)
        {
            // `(err, user) => ..` handed to what reads, `(user) => ..` to a method of rows.
            let rows = match self.kind(called.callee) {
                ExprKind::Field { base, .. } => self.thing_at(*base, depth + 1),
                _ => Thing::Other,
            };
            let is_row = rows == Thing::Row || self.reads(*call, called);
            thing = thing.max(if is_row { Thing::Row } else { Thing::Other });
        }
        self.known.borrow_mut().insert(local, thing);
        thing
    }

    fn called(&self, id: ExprId, call: &'m Call, depth: usize) -> Thing {
        let of = |id: ExprId| self.thing_at(id, depth + 1);
        let name = self.chain(id).first().map_or("", |(name, _)| *name);
        let reads = self.reads(id, call);
        if reads || self.rules.says(TestSays::Count, name) && !self.asks_mock(id) {
            if let Some(with_value) = asked::of_column(self, id) {
                return Thing::Found { with_value };
            }
            if reads {
                return if self.is_column_alone(id) { Thing::Column } else { Thing::Row };
            }
        }
        let arg = call.args.first().map(|arg| arg.value);
        match self.kind(call.callee) {
            ExprKind::Name(Binding::Function(function)) => {
                self.best(self.returned.get(function).map_or(&[], Vec::as_slice), depth)
            }
            ExprKind::Closure(function) => self.best(self.returned.get(function).map_or(&[], Vec::as_slice), depth),
            // `const row = (id) => users.findOneBy({ id })`
            ExprKind::Name(Binding::Local(local)) => {
                let values = self.assigned.get(local).map_or(&[][..], Vec::as_slice);
                let closures = values.iter().filter(|value| matches!(self.kind(**value), ExprKind::Closure(_)));
                closures.map(|closure| of(*closure)).max().unwrap_or_default()
            }
            // `Number(n)`
            ExprKind::Name(Binding::Global(_)) if call.args.len() == 1 => arg.map_or(Thing::Other, of),
            ExprKind::Field { base, .. } => match of(*base) {
                // `user.get('accessToken')`
                Thing::Row if arg.and_then(|arg| self.text(arg)).is_some_and(|text| self.names.is_column(text)) => {
                    Thing::Column
                }
                // `Promise.all([..])`, `runtime.block_on(async { .. })`
                Thing::Other => match arg.map(|arg| (arg, self.kind(arg))) {
                    Some((arg, ExprKind::Array(_) | ExprKind::Closure(_))) if call.args.len() == 1 => of(arg),
                    _ => Thing::Other,
                },
                thing => thing,
            },
            _ => Thing::Other,
        }
    }

    /// Whether a call reads rows of the database.
    fn reads(&self, id: ExprId, call: &'m Call) -> bool {
        let chain = self.chain(id);
        let Some((name, _)) = chain.first().copied() else { return false };
        if self.asks_mock(id) {
            return false;
        }
        let handed_sql = |call: &Call| call.args.iter().any(|arg| matches!(self.kind(arg.value), ExprKind::Sql(_)));
        if handed_sql(call) || chain.iter().any(|(_, call)| call.is_some_and(handed_sql)) {
            return true;
        }
        // `users.find((user) => ..)` of a list
        let is_of_list = match call.args.as_slice() {
            [arg] => match self.kind(arg.value) {
                ExprKind::Closure(function) => self.module.function(*function).params.len() < 2,
                _ => false,
            },
            _ => false,
        };
        let is_method = matches!(self.kind(call.callee), ExprKind::Field { .. });
        if is_of_list {
            return false;
        }
        let is_handed = call.args.first().is_some_and(|arg| self.text(arg.value).is_none());
        self.rules.says(TestSays::Row, name)
            || is_method && is_handed && self.rules.says(TestSays::RowFrom, name)
            || is_method && self.rules.reads_named(Some(name)).any(|row| self.fits(row, &chain))
    }

    fn fits(&self, row: &Read, chain: &[Step<'m>]) -> bool {
        let Some((name, Some(call))) = chain.first().copied() else { return false };
        // What writes a row and gives it back was told its values by the test itself.
        if !row.returns() || self.rules.writes_named(Some(name)).next().is_some() {
            return false;
        }
        let names_table = |call: &Call| {
            let first = call.args.first().map(|arg| arg.value);
            first.is_some_and(|first| {
                let named = self.text(first).or_else(|| self.chain(first).first().map(|(name, _)| *name));
                named.is_some_and(|name| self.names.is_table(name))
            })
        };
        match row.on {
            Target::Type | Target::Static => true,
            Target::Model => chain.get(1).is_some_and(|(model, _)| self.names.is_table(model)),
            Target::Argument => names_table(call),
            Target::Chain => chain.iter().skip(1).enumerate().any(|(at, (step, call))| {
                let is_start = row.after.as_deref() == Some("()") && at + 2 == chain.len();
                call.is_some_and(|call| {
                    is_start && names_table(call)
                        || row.after.as_deref() == Some(*step) && (row.entity.is_empty() || names_table(call))
                })
            }),
            Target::Instance | Target::Relation | Target::Assigned => false,
        }
    }

    /// Whether a query gives the values of the column and nothing else.
    fn is_column_alone(&self, id: ExprId) -> bool {
        let steps = self.chain(id);
        let is_scalar = steps.iter().any(|(name, _)| self.rules.sqls_named(Some(name)).any(|row| row.scalar));
        let texts = steps.iter().filter_map(|(_, call)| *call).flat_map(|call| &call.args);
        is_scalar
            && texts.into_iter().any(|arg| match self.kind(arg.value) {
                ExprKind::Sql(sql) => sql.statements.iter().any(|statement| match statement {
                    SqlStatement::Select { outputs, .. } => {
                        let is_it = |name: &String| self.names.is_column(name);
                        matches!(outputs.as_slice(), [output] if output.column.as_ref().is_some_and(is_it))
                    }
                    _ => false,
                }),
                _ => false,
            })
    }

    /// What a function returns.
    pub(super) fn returned(&self, function: FunctionId) -> &[ExprId] {
        self.returned.get(&function).map_or(&[], Vec::as_slice)
    }

    /// Expressions that are no part of a longer chain, where the code runs.
    pub(super) fn tops(&self) -> impl Iterator<Item = ExprId> {
        let mut inner = BTreeSet::new();
        for expr in &self.module.exprs {
            match &expr.kind {
                ExprKind::Call(call) => inner.insert(call.callee),
                ExprKind::Field { base, .. } | ExprKind::Index { base, .. } => inner.insert(*base),
                _ => false,
            };
        }
        let ids = (0..self.module.exprs.len()).map(ExprId::of);
        ids.filter(move |id| !inner.contains(id) && self.runs(self.module.expr(*id).span))
    }
}

/// The last step of a dotted name.
pub(super) fn last(name: &str) -> &str {
    name.rsplit(['.', ':']).next().unwrap_or(name)
}
