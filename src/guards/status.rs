//! Whether a guard that reads the user asks if the user is active.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::adding::is_lost;
use crate::guards::claims::Seeds;
use crate::guards::elsewhere::depends_on;
use crate::guards::risks::contains;
use crate::guards::some::holds;
use crate::guards::walk::Walk;
use crate::guards::{Guard, StatusGap};
use crate::ir::{Class, Expr, ExprId, ExprKind, FunctionId, FunctionKind, SqlStatement};
use crate::rules::{Asks, Read, Status, Tells};
use crate::schema::{Property, Schema};
use crate::sites;
use crate::source::{FileId, Span};
use crate::summary::{CallValue, FunctionRef, Member, Shared, Slot, Summary, ValueKind};

/// The properties that a guard asks by, in lower case without `_`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked(BTreeSet<String>);

/// What the functions on the way of one guard ask by, with those of guards that verify nothing: they run beside any other.
/// `seeds`: where the claims come from, of which nothing is asked that is kept.
pub(super) fn asked(
    graph: &Graph,
    schema: &Schema,
    seeds: &Seeds,
    functions: impl Iterator<Item = FunctionRef>,
) -> Asked {
    let mut names = BTreeSet::new();
    let rows: Vec<&Status> = graph.rules.status().collect();
    // `.filter(|user| user.is_active)` runs too.
    let mut functions: BTreeSet<FunctionRef> = functions.collect();
    let files: BTreeSet<FileId> = functions.iter().map(|function| function.file).collect();
    for file in files {
        // A closure stands behind the function around it.
        for at in 0..graph.module(file).map_or(0, |module| module.functions.len()) {
            let inner = FunctionRef { file, id: FunctionId::of(at) };
            let is_inside = |outer: FunctionRef| outer.id.0 != 0 && functions.contains(&outer);
            if graph.named_parent(inner).is_some_and(is_inside) {
                functions.insert(inner);
            }
        }
    }
    let walk = Walk::new(graph, schema);
    for function in functions {
        let Some(summary) = graph.summary(function) else { continue };
        let over = walk.passed_over(summary);
        let is_over =
            |at: Span| over.iter().any(|over| over.file == at.file && over.start <= at.start && at.end <= over.end);
        let decides = |read: &Shared| {
            !seeds.is_claim(graph, read)
                && !is_over(read.span)
                && !walk.is_of_another(read)
                && decides(&walk, function, read.span)
        };
        note(&walk, (function, summary), &rows, &decides, &is_over, &mut names);
        // `get enabled() { return this.isActive; }`
        for getter in summary.reads.iter().flat_map(|read| getters(graph, read)) {
            let Some(got) = graph.summary(getter) else { continue };
            let is_got = |read: &&Shared| got.returns.as_ref().is_some_and(|gives| depends_on(gives, read.span, 12));
            names.extend(got.reads.iter().filter(is_got).filter_map(|read| match &read.kind {
                ValueKind::Field(_, name) => Some(plain(name)),
                _ => None,
            }));
        }
        let by_place = summary.reads.iter().filter_map(|read| Some((read, selected(&walk, read)?)));
        let by_place = by_place.filter(|(read, name)| rows.iter().any(|row| row.fits(name)) && decides(read));
        names.extend(by_place.map(|(_, name)| plain(&name)));
        let by_value = walk.asked_by_value(function, summary).into_iter();
        names.extend(by_value.filter(|name| rows.iter().any(|row| row.fits(name))).map(|name| plain(&name)));
    }
    Asked(names)
}

/// The getters of classes, and what a library has for them, that a read may be of.
fn getters(graph: &Graph, read: &Shared) -> Vec<FunctionRef> {
    let ValueKind::Field(_, name) = &read.kind else { return Vec::new() };
    let is_getter = |of: &&FunctionRef| graph.function(**of).is_some_and(|of| of.kind == FunctionKind::Getter);
    let of_class = graph.functions_named(name).iter().filter(is_getter).copied();
    of_class.chain(graph.giving(name)).collect()
}

/// The column that a field of a tuple is read from: `user.1` of `SELECT id, is_active FROM users`.
fn selected(walk: &Walk, read: &Shared) -> Option<String> {
    let ValueKind::Field(base, place) = &read.kind else { return None };
    let place: usize = place.parse().ok()?;
    let mut at = base;
    let call = loop {
        match &at.kind {
            ValueKind::Call(call) => break call,
            ValueKind::Element(inner) | ValueKind::After { before: inner, .. } => at = inner,
            _ => return None,
        }
    };
    let texts = walk.texts_in_chain(call);
    let mut statements = texts.iter().flat_map(|text| &text.statements);
    statements.find_map(|statement| walk.selected_at(statement, place))
}

/// Whether it makes a difference to a request what a read finds: `if (!user.isActive) log(..)` lets in whoever it is.
pub(super) fn decides(walk: &Walk, function: FunctionRef, read: Span) -> bool {
    let Some(module) = walk.graph.module(function.file) else { return true };
    let mut exprs = module.exprs.iter().enumerate();
    let is_it = |kind: &ExprKind| matches!(kind, ExprKind::Field { .. });
    let Some((at, _)) = exprs.find(|(_, expr)| expr.span == read && is_it(&expr.kind)) else { return true };
    // `.filter(|user| user.is_active)`: what becomes of it stands with whoever runs the closure.
    let own = walk.graph.function(function).zip(walk.graph.summary(function));
    let returned =
        own.filter(|(declared, _)| declared.kind == FunctionKind::Closure).and_then(|(_, own)| own.returns.as_ref());
    if returned.is_some_and(|returned| holds(returned, &|part| part.span == read, 8)) {
        // `user.is_some_and(|user| user.is_active)`
        let runs = |expr: &Expr| match &expr.kind {
            ExprKind::Call(call) => matches!(module.expr(call.callee).kind, ExprKind::Closure(id) if id == function.id),
            _ => false,
        };
        let run = walk.graph.named_parent(function).zip(module.exprs.iter().position(runs));
        return run.is_none_or(|(outer, at)| walk.parts_ways_at(outer, ExprId::of(at)));
    }
    walk.parts_ways_at(function, ExprId::of(at))
}

impl Asked {
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

fn note(
    walk: &Walk,
    (function, summary): (FunctionRef, &Summary),
    rows: &[&Status],
    decides: &dyn Fn(&Shared) -> bool,
    is_over: &dyn Fn(Span) -> bool,
    names: &mut BTreeSet<String>,
) {
    let graph = walk.graph;
    let is_status = |name: &str| rows.iter().any(|row| row.fits(name));
    let mut add = |name: &str| {
        if is_status(name) {
            names.insert(plain(name));
        }
    };
    let handed_on = handed_on(summary);
    // `select({ enabled: users.isActive })`
    let renamed: Vec<_> = summary.calls.iter().flat_map(|event| sites::names_given(graph, &event.call)).collect();
    for read in summary.reads.iter().filter(|read| !handed_on.contains(&read.span)) {
        let ValueKind::Field(_, name) = &read.kind else { continue };
        let meant = renamed.iter().find(|(given, column)| given == name && is_status(column));
        let name = meant.map_or(name, |(_, column)| column);
        if is_status(name) && decides(read) {
            add(name);
        }
    }
    let alternatives = alternatives(graph, summary);
    let is_one_of = |at: Span| alternatives.iter().any(|around| contains(*around, at));
    for event in &summary.calls {
        let call = &event.call;
        // `user.isActive()`; `res.status(401)` answers.
        if let Some(method) = call.method().filter(|_| call.args.is_empty()) {
            add(method);
        }
        // `row.get::<bool, _>("is_active")`
        let is_getter = || call.method().is_some_and(|name| graph.rules.tells(Tells::Getter, &name.to_lowercase()));
        if let ([name], true) = (call.args.as_slice(), is_getter())
            && let ValueKind::Text(name) = &name.value.kind
        {
            add(name);
        }
        let is_of_bearer = || !walk.asks_of_another(call) || walk.is_looked_through(summary, call);
        if is_query(graph, call)
            && !is_over(call.site.span)
            && !is_one_of(call.site.span)
            && is_of_bearer()
            && !is_lost(graph, function, call)
        {
            conditions(graph, call, &mut add, 8);
        }
    }
    for (text, _) in &summary.sql {
        let ValueKind::Sql(text, _) = &text.kind else { continue };
        for statement in &text.statements {
            // What is only selected is compared by code or by nobody.
            let (SqlStatement::Select { columns, .. }, Some(conditions)) = (statement, walk.asked_in(statement)) else {
                continue;
            };
            columns.iter().filter(|name| conditions.contains(&name.to_lowercase())).for_each(|name| add(name));
        }
    }
}

/// The reads that only become a field of an object: `{ id: user.id, isActive: user.isActive }` asks nothing.
fn handed_on(summary: &Summary) -> BTreeSet<Span> {
    fn visit(value: &Shared, found: &mut BTreeSet<Span>, seen: &mut BTreeSet<usize>) {
        if seen.len() > 3_000 || !seen.insert(Arc::as_ptr(value).addr()) {
            return;
        }
        if let ValueKind::Object { entries, .. } = &value.kind {
            found.extend(entries.iter().filter_map(|slot| match slot {
                Slot::Named { value, .. } if matches!(value.kind, ValueKind::Field(..)) => Some(value.span),
                _ => None,
            }));
        }
        value.kind.each(&mut |inner| visit(inner, found, seen));
    }
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let args = summary.calls.iter().flat_map(|event| &event.call.args).map(|arg| &arg.value);
    for value in summary.returns.iter().chain(summary.exits.values()).chain(args) {
        visit(value, &mut found, &mut seen);
    }
    found
}

/// Whether a call's arguments may be conditions: it reads rows, or lies in the tree.
fn is_query(graph: &Graph, call: &CallValue) -> bool {
    let named = |name: &str| graph.rules.reads_named(Some(name)).any(|row| row.call.last() == Some(name));
    let is_condition = |name: &str| graph.rules.tells(Tells::Condition, &name.to_lowercase());
    call.method().is_some_and(|name| named(name) || is_condition(name)) || !graph.targets(call).is_empty()
}

/// What a query asks by: `.where('is_banned', false)`, `.andWhere('user.isActive = true')`, what a closure does with it.
fn conditions(graph: &Graph, call: &CallValue, add: &mut dyn FnMut(&str), fuel: u8) {
    let tells = |what| call.method().is_some_and(|name| graph.rules.tells(what, &name.to_lowercase()));
    // `.where('id', sub).orWhere('is_banned', true)` finds those too of whom the first does not hold.
    if tells(Tells::Alternative) || tells(Tells::Choice) {
        return;
    }
    for arg in &call.args {
        match &graph.resolved(&arg.value).kind {
            // `metrics.increment('active')` names no column.
            ValueKind::Text(text) if tells(Tells::Condition) || !graph.targets(call).is_empty() => {
                text.split(|c: char| !c.is_alphanumeric() && c != '_').for_each(&mut *add);
            }
            _ => keys(graph, &arg.value, add, fuel),
        }
    }
}

/// The keys of conditions: `{ where: { id, isActive: true } }`. What a query only selects is no question.
fn keys(graph: &Graph, value: &Shared, add: &mut dyn FnMut(&str), fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    match &value.kind {
        ValueKind::Object { entries, .. } => {
            for slot in entries {
                let (key, value) = match slot {
                    Slot::Named { key, value, .. } => (key, value),
                    // `{ id, ...ACTIVE }`
                    Slot::Spread(inner) => {
                        keys(graph, &graph.resolved(inner), add, fuel);
                        continue;
                    }
                    Slot::Computed { .. } => continue,
                };
                if graph.rules.tells(Tells::Choice, &key.to_lowercase()) {
                    continue;
                }
                add(key);
                let is_either = graph.rules.tells(Tells::Either, &key.to_lowercase());
                match &graph.resolved(value).kind {
                    // `where: [{ id }, { email }]`: what all of them ask.
                    ValueKind::Array(members) if is_either && members.len() > 1 => {
                        common(graph, members.iter().map(Member::value), add, fuel);
                    }
                    _ => keys(graph, value, add, fuel),
                }
            }
        }
        ValueKind::Field(_, name) => add(name),
        // `id.eq(sub).or(active.eq(true))` finds those too of whom one alone holds.
        ValueKind::Fallback { left, .. } if matches!(&left.kind, ValueKind::Call(of) if is_of_column(graph, of)) => {}
        // `active.eq(true)`, `active.eq(true).and(id.eq(sub))`
        ValueKind::Call(call) if is_of_column(graph, call) => {
            for part in call.receiver().into_iter().chain(call.args.iter().map(|arg| &arg.value)) {
                keys(graph, part, add, fuel);
            }
        }
        // `or([eb('id', '=', sub), eb('status', '=', 'active')])`, `or(eq(users.id, sub), eq(users.isActive, true))`
        ValueKind::Call(call) if is_alternative(graph, call) => {
            let given = call.args.iter().flat_map(|arg| match &graph.resolved(&arg.value).kind {
                ValueKind::Array(members) => members.iter().map(|member| Arc::clone(member.value())).collect(),
                _ => vec![Arc::clone(&arg.value)],
            });
            let before = call.receiver().filter(|before| matches!(before.kind, ValueKind::Call(_)));
            let arms: Vec<Shared> = before.cloned().into_iter().chain(given).collect();
            common(graph, arms.iter(), add, fuel);
        }
        // `eb('status', '=', 'active')`
        ValueKind::Call(call) if let Some(name) = compared_by_name(graph, call) => {
            add(name.rsplit('.').next().unwrap_or(&name));
        }
        // `where: (users, { eq }) => eq(users.isActive, true)`, `.modify((query) => query.whereNull('deleted_at'))`
        ValueKind::Function(function) => {
            let Some(summary) = graph.summary(*function) else { return };
            let alternatives = alternatives(graph, summary);
            for event in &summary.calls {
                if !alternatives.iter().any(|around| contains(*around, event.span())) {
                    conditions(graph, &event.call, add, fuel);
                }
            }
            if let Some(returned) = summary.returns.as_ref().filter(|value| matches!(value.kind, ValueKind::Call(_))) {
                keys(graph, returned, add, fuel);
            }
        }
        ValueKind::Captured(..) | ValueKind::Import(..) => {
            let inner = graph.resolved(value);
            match &inner.kind {
                // `use schema::users::dsl::*`: `active.eq(true)`
                ValueKind::Text(name) if is_column(graph, inner.span) => add(name),
                // Not the columns of a table.
                ValueKind::Object { .. } | ValueKind::Function(_) => keys(graph, &inner, add, fuel),
                _ => {}
            }
        }
        kind => kind.each(&mut |inner| keys(graph, inner, add, fuel)),
    }
}

/// What each of several conditions asks.
fn common<'v>(graph: &Graph, arms: impl Iterator<Item = &'v Shared>, add: &mut dyn FnMut(&str), fuel: u8) {
    let each = arms.map(|arm| {
        let mut own = BTreeSet::new();
        keys(graph, arm, &mut |name| _ = own.insert(name.to_owned()), fuel);
        own
    });
    let common = each.reduce(|one, another| &one & &another).unwrap_or_default();
    for name in &common {
        add(name);
    }
}

fn is_alternative(graph: &Graph, call: &CallValue) -> bool {
    let path = || graph.callee_path(call).unwrap_or_default();
    let name = call.method().map_or_else(path, str::to_owned).to_lowercase();
    graph.rules.tells(Tells::Alternative, name.rsplit(['.', '#']).next().unwrap_or_default())
}

/// Where conditions stand of which one is enough.
fn alternatives(graph: &Graph, summary: &Summary) -> Vec<Span> {
    let found = summary.calls.iter().filter(|event| is_alternative(graph, &event.call));
    found.flat_map(|event| &event.call.args).map(|arg| arg.value.span).collect()
}

/// The column that a call compares which it is told by its name, as a row of a library says.
fn compared_by_name(graph: &Graph, call: &CallValue) -> Option<String> {
    let ValueKind::Text(name) = &call.args.first()?.value.kind else { return None };
    let path = graph.library_path(call)?;
    let by_name = |row: &Read| row.condition.is_some() && row.call.last() == call.method() && row.call.matches(&path);
    graph.rules.read().any(by_name).then(|| name.clone())
}

/// Whether a chain of calls begins with a column of a table.
fn is_of_column(graph: &Graph, call: &CallValue) -> bool {
    match call.receiver().map(|receiver| (receiver, &receiver.kind)) {
        Some((_, ValueKind::Call(inner))) => is_of_column(graph, inner),
        Some((first, ValueKind::Import(..))) => is_column(graph, graph.resolved(first).span),
        _ => false,
    }
}

/// Whether a table declares a column there.
fn is_column(graph: &Graph, at: Span) -> bool {
    let tables = graph.module(at.file).map_or(&[][..], |module| module.tables.as_slice());
    tables.iter().flat_map(|table| &table.columns).any(|column| column.span == at)
}

/// What every query of the models of a file asks by itself: `schema.pre(/^find/, ..)`, `defaultScope: { where }`.
fn always(walk: &Walk, file: FileId, lookup: Span) -> BTreeSet<String> {
    let graph = walk.graph;
    let mut names = BTreeSet::new();
    let Some(unit) = graph.unit(file) else { return names };
    let mut add = |name: &str| _ = names.insert(plain(name));
    let is_always = |name: &str| graph.rules.status().any(|row| row.always.iter().any(|always| always == name));
    let decorators = unit.summary.class_decorators.iter().flatten().map(|decorator| &**decorator);
    let calls = unit.summary.functions.iter().flat_map(|summary| &summary.calls).map(|event| &*event.call);
    for call in calls.chain(decorators).filter(|call| walk.runs_always(lookup, call)) {
        let name = call.method().map(str::to_owned).or_else(|| graph.callee_path(call));
        if name.is_some_and(|name| name.rsplit(['#', '.']).next().is_some_and(is_always)) {
            conditions(graph, call, &mut add, 8);
            // `() => ({ where: { isActive: true } })`
            let given = call.args.iter().filter_map(|arg| match &arg.value.kind {
                ValueKind::Function(function) => graph.summary(*function)?.returns.as_ref(),
                _ => None,
            });
            given.for_each(|value| keys(graph, value, &mut add, 8));
        }
        for arg in &call.args {
            let ValueKind::Object { entries, .. } = &graph.resolved(&arg.value).kind else { continue };
            for slot in entries {
                if let Slot::Named { key, value, .. } = slot
                    && is_always(key)
                {
                    keys(graph, value, &mut add, 8);
                }
            }
        }
    }
    names
}

/// What the schema knows and no guard asks.
pub(super) fn gap(graph: &Graph, schema: &Schema, guard: &Guard, asked: &Asked) -> Option<StatusGap> {
    // Every other proof may well know: a session ends with its user.
    if guard.proofs.iter().any(|proof| proof.asks != Asks::Row) {
        return None;
    }
    let rows: Vec<&Status> = graph.rules.status().collect();
    let walk = Walk::new(graph, schema);
    let mut found = None;
    for (proof, model) in guard.proofs.iter().filter_map(|proof| Some((proof, &schema.models[proof.model?.0]))) {
        // A session that is deleted is gone; whether its user is active stands with the user.
        let of_session = |name| graph.rules.bearer().any(|row| row.is_session(name));
        if of_session(&model.name) || of_session(&model.table) {
            continue;
        }
        let automatic = |property: &&Property| {
            // It may be one of a class that the model's extends.
            let classes = graph.module(property.span.file).map_or(&[][..], |module| module.classes.as_slice());
            let within =
                |class: &&Class| class.span.start <= property.span.start && property.span.end <= class.span.end;
            let fields = classes.iter().filter(within).flat_map(|class| &class.fields);
            let field = fields.into_iter().find(|field| field.name == property.name);
            let decorators = field.map_or(&[][..], |field| field.decorators.as_slice());
            let named =
                |name: &str| rows.iter().flat_map(|row| &row.automatic).any(|pattern| pattern.last() == Some(name));
            decorators.iter().any(|decorator| decorator.name.rsplit('.').next().is_some_and(named))
        };
        let says = |property: &&Property| rows.iter().any(|row| row.fits(&property.name));
        let fitting: Vec<&Property> = model.properties.iter().filter(says).filter(|of| !automatic(of)).collect();
        let always = fitting.first().map(|of| always(&walk, of.span.file, proof.span)).unwrap_or_default();
        let is_asked = |name: &str| asked.0.contains(name) || always.contains(name);
        let handled = |property: &&Property| {
            [&property.name, &property.column].map(|name| plain(name)).iter().any(|name| {
                // `User.scope('active')` of `isActive`
                is_asked(name) || name.strip_prefix("is").is_some_and(is_asked) || is_asked(&format!("is{name}"))
            })
        };
        if fitting.iter().any(handled) {
            return None;
        }
        if let (Some(first), None) = (fitting.first(), &found) {
            let column = format!("{}.{}", model.table, first.column);
            found = Some(StatusGap { read: proof.span, column, declared: first.span });
        }
    }
    found
}
