//! What runs before handlers, as rule rows describe it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use globset::GlobSet;

use crate::graph::{Graph, Resolved, Type};
use crate::guards::life::calls_in;
use crate::guards::root::Root;
use crate::ir::{ClassId, Export, FunctionId};
use crate::rules::{ArgBase, ArgPath, CallPattern, Guard as Row, GuardKind};
use crate::source::{FileId, Span};
use crate::summary::{CallValue, ClassRef, FunctionRef, Member, Shared, Value, ValueKind};

/// Why a function is taken for a guard.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub what: String,
    /// What verifies before the function runs is given this key.
    pub key: Option<Shared>,
    /// Where it is told to let in what has ended.
    pub expired: Option<Span>,
    /// Whether its own registration says what it protects.
    pub registered: bool,
    /// The guards that run behind it, by what they are called.
    pub before: Vec<String>,
    /// The export that says which routes it runs before.
    pub routes: Option<String>,
    /// The methods that make its object where another class is registered.
    pub made_by: Vec<String>,
    /// The call whose result runs it by its name, and what it is called where its registration does not say.
    pub asked: Option<(CallPattern, String)>,
    claims: Vec<ArgPath>,
    /// Where the token stands that they were in.
    token: Vec<ArgPath>,
    first: Vec<ArgPath>,
}

#[derive(Debug)]
pub(super) struct Shapes<'g> {
    known: BTreeMap<FunctionRef, Shape>,
    next: Vec<&'g Row>,
    wrap: Vec<&'g Row>,
}

impl<'g> Shapes<'g> {
    pub(super) fn find(graph: &Graph<'g>) -> Self {
        let rows: Vec<&'g Row> = graph.rules.guard().collect();
        let mut known = BTreeMap::new();
        let of_kind = |kind| rows.iter().copied().filter(move |row| row.kind == kind).collect::<Vec<_>>();
        let (methods, calls) = (of_kind(GuardKind::Method), of_kind(GuardKind::Call));
        let _limit = graph.limit(Rc::default());
        let files: Vec<(&Row, GlobSet)> =
            of_kind(GuardKind::File).into_iter().filter_map(|row| Some((row, row.files()?))).collect();
        for (file, unit) in graph.units() {
            for at in 0..unit.module.classes.len() {
                let class = ClassRef { file, id: ClassId::of(at) };
                by_method(graph, &methods, class, &mut known);
            }
            for event in unit.summary.functions.iter().flat_map(|summary| &summary.calls) {
                by_call(graph, &calls, &event.call, &mut known);
            }
            by_place(graph, &files, file, &mut known);
        }
        Self { known, next: of_kind(GuardKind::Next), wrap: of_kind(GuardKind::Wrap) }
    }

    /// The shape of a function.
    pub(super) fn of(&self, graph: &Graph, function: FunctionRef) -> Option<Shape> {
        if let Some(shape) = self.known.get(&function) {
            return Some(shape.clone());
        }
        let declared = graph.function(function)?;
        if let Some(row) = self.wrap.iter().find(|row| calls_around(graph, function, &row.method)) {
            return Some(Shape::of(graph, row, None, true));
        }
        let last = declared.params.last().filter(|_| declared.params.len() > 1)?;
        let named = |row: &&&Row| row.method.contains(&last.name);
        let row = self.next.iter().find(named)?;
        calls_on(graph, function).then(|| Shape::of(graph, row, None, true))
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = FunctionRef> {
        self.known.keys().copied()
    }

    /// Whether a row names a function; one that only looks like a guard is not meant.
    pub(super) fn knows(&self, function: FunctionRef) -> bool {
        self.known.contains_key(&function)
    }

    /// The guards that are called one of these.
    pub(super) fn called<'s>(&'s self, names: &'s [String]) -> impl Iterator<Item = FunctionRef> + 's {
        self.known.iter().filter(|(_, shape)| names.contains(&shape.what)).map(|(function, _)| *function)
    }

    /// The guards that a library hands verified claims to.
    pub(super) fn handed(&self, graph: &Graph) -> BTreeMap<FunctionRef, Root> {
        let handed = self.known.iter().filter(|(_, shape)| !shape.claims.is_empty());
        handed
            .map(|(function, shape)| {
                let mut root = Root::of(shape);
                root.claims = params(graph, *function, &shape.claims);
                root.claims.extend(params(graph, *function, &shape.token));
                root.first = params(graph, *function, &shape.first);
                (*function, root)
            })
            .collect()
    }
}

impl Shape {
    fn of(graph: &Graph, row: &Row, set_up: Option<&CallValue>, registered: bool) -> Self {
        Self {
            what: row.what.clone(),
            key: set_up.and_then(|call| first_there(graph, call, &row.key)),
            expired: set_up.and_then(|call| lets_expired_in(graph, call, &row.unending, &[])),
            registered,
            before: row.before.clone(),
            routes: row.routes.clone(),
            made_by: row.made_by.clone(),
            asked: row.asked.clone().zip(row.named.clone()),
            claims: row.claims.clone(),
            token: row
                .token
                .iter()
                .cloned()
                .chain(set_up.into_iter().flat_map(|call| read(graph, row, call)))
                .collect(),
            first: row.first.clone(),
        }
    }
}

/// Where what sets a guard up says that the token is read.
fn read(graph: &Graph, row: &Row, set_up: &CallValue) -> Vec<ArgPath> {
    let calls = if row.reads.is_empty() { Vec::new() } else { calls_in(set_up) };
    let told = calls.into_iter().filter_map(|call| {
        let reader = row.reads.iter().find(|reader| reader.call.last() == call.method())?;
        let ValueKind::Text(key) = &graph.resolved(&call.args.first()?.value).kind else { return None };
        let is_it = graph.library_path(call).is_some_and(|path| reader.call.matches(&path));
        let keys = reader.below.keys.iter().chain([key]).cloned().collect();
        is_it.then_some(ArgPath { base: reader.below.base, keys })
    });
    told.collect()
}

/// The parameters that paths name, with the keys below.
pub(super) fn params(graph: &Graph, function: FunctionRef, paths: &[ArgPath]) -> Vec<(u32, Vec<String>)> {
    let count = graph.function(function).map_or(0, |f| u32::try_from(f.params.len()).unwrap_or(0));
    let index = |path: &ArgPath| match path.base {
        ArgBase::Nth(at) => Some(at),
        ArgBase::FromEnd(back) => count.checked_sub(back),
        _ => None,
    };
    paths.iter().filter_map(|path| Some((index(path).filter(|at| *at < count)?, path.keys.clone()))).collect()
}

fn by_method(graph: &Graph, rows: &[&Row], class: ClassRef, known: &mut BTreeMap<FunctionRef, Shape>) {
    let Some(declared) = graph.class(class) else { return };
    let methods: BTreeSet<&str> =
        declared.methods.iter().filter_map(|id| Some(graph.module(class.file)?.function(*id).name.as_str())).collect();
    let mut rows = rows.iter().filter(|row| row.method.iter().any(|name| methods.contains(name.as_str()))).peekable();
    if rows.peek().is_none() {
        return;
    }
    graph.refuel();
    let base =
        match graph.unit(class.file).and_then(|unit| unit.summary.extends_calls.get(&class.id)).map(|at| &at.kind) {
            Some(ValueKind::Call(call)) => Some(Arc::clone(call)),
            _ => None,
        };
    let mut paths: Vec<String> = base.iter().filter_map(|call| graph.callee_path(call)).collect();
    for owner in graph.lineage(class).iter().copied() {
        let Some(declared) = graph.class(owner) else { continue };
        paths.extend(declared.extends.iter().chain(&declared.implements).filter_map(|base| {
            match graph.resolve_type(owner.file, base) {
                Type::External(path, _) => Some(path),
                _ => None,
            }
        }));
    }
    for row in rows {
        if !paths.iter().any(|path| row.path.as_ref().is_some_and(|pattern| pattern.matches(path))) {
            continue;
        }
        let modules = || base.iter().flat_map(|call| &call.args).filter_map(|arg| graph.path(&arg.value));
        if !row.from.is_empty()
            && !modules().any(|path| path.split('#').next().is_some_and(|module| row.is_from(module)))
        {
            continue;
        }
        for name in &row.method {
            if let Some(function) = graph.method(class, name) {
                let base = constructed(graph, class);
                keep(known, function, Shape::of(graph, row, base.as_deref(), false));
            }
        }
    }
}

/// The call by which a constructor hands something to that of its base.
fn constructed(graph: &Graph, class: ClassRef) -> Option<Arc<CallValue>> {
    let constructor = graph.method(class, "constructor")?;
    let calls = &graph.summary(constructor)?.calls;
    calls.iter().map(|event| &event.call).find(|call| matches!(call.callee.kind, ValueKind::Super(_))).cloned()
}

/// Where a call is told to let tokens in that have ended: by `true` at one of `unending`, by `false` at one of `ending`.
pub(super) fn lets_expired_in(
    graph: &Graph,
    call: &CallValue,
    unending: &[ArgPath],
    ending: &[ArgPath],
) -> Option<Span> {
    let says = |paths: &[ArgPath], wanted: bool| {
        let all = paths.iter().flat_map(|path| graph.argument(call, path));
        all.map(|value| graph.resolved(&value)).any(|value| matches!(value.kind, ValueKind::Bool(is) if is == wanted))
    };
    (says(unending, true) || says(ending, false)).then_some(call.site.span)
}

pub(super) fn first_there(graph: &Graph, call: &CallValue, paths: &[ArgPath]) -> Option<Shared> {
    let all = paths.iter().flat_map(|path| graph.argument(call, path));
    all.into_iter().find(|value| !matches!(value.kind, ValueKind::Undefined))
}

fn by_call(graph: &Graph, rows: &[&Row], call: &CallValue, known: &mut BTreeMap<FunctionRef, Shape>) {
    if call.args.is_empty() {
        return;
    }
    let method = call.method();
    let mut path = None;
    for row in rows {
        let Some(pattern) = &row.path else { continue };
        if pattern.last().is_some_and(|last| method.is_some_and(|method| method != last)) {
            continue;
        }
        if !row.handler.iter().any(|path| may_stand_at(call, path)) {
            continue;
        }
        let path = path.get_or_insert_with(|| {
            graph.refuel();
            graph.fitting_path(call, |path| rows.iter().any(|row| row.path.as_ref().is_some_and(|of| of.matches(path))))
        });
        if !path.as_ref().is_some_and(|path| pattern.matches(path)) {
            continue;
        }
        let handlers: Vec<Shared> = row.handler.iter().flat_map(|path| graph.argument(call, path)).collect();
        for function in handlers.iter().flat_map(|value| functions_behind(graph, value, 6)) {
            keep(known, function, Shape::of(graph, row, Some(call), true));
        }
    }
}

/// Whether a call has an argument that may hold something at a path, by its shape alone.
fn may_stand_at(call: &CallValue, path: &ArgPath) -> bool {
    let ArgBase::Nth(at) = path.base else { return true };
    let Some(arg) = call.args.get(at as usize) else { return false };
    let plain = matches!(
        arg.value.kind,
        ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Function(_) | ValueKind::Array(_) | ValueKind::Concat(_)
    );
    path.keys.is_empty() || !plain
}

/// Of two shapes of a function the one that says which claims it is handed: `passport.use(strategy)` registers what the strategy runs.
fn keep(known: &mut BTreeMap<FunctionRef, Shape>, function: FunctionRef, shape: Shape) {
    match known.entry(function) {
        Entry::Vacant(free) => {
            free.insert(shape);
        }
        Entry::Occupied(mut taken) if taken.get().claims.is_empty() && !shape.claims.is_empty() => {
            taken.insert(shape);
        }
        Entry::Occupied(_) => {}
    }
}

/// Whether a function lets requests on: it, or a closure in it, calls its last parameter without an error. `next(error)` ends the
/// request, as a handler does that answers itself.
fn calls_on(graph: &Graph, function: FunctionRef) -> bool {
    let (Some(module), Some(unit)) = (graph.module(function.file), graph.unit(function.file)) else { return false };
    let params = &module.function(function.id).params;
    let Some(last) = params.last() else { return false };
    let at = u32::try_from(params.len() - 1).unwrap_or(u32::MAX);
    let inside = |mut id: FunctionId| {
        while id != function.id {
            match module.function(id).parent {
                Some(parent) => id = parent,
                None => return false,
            }
        }
        true
    };
    let is_next = |callee: &Shared| match &callee.kind {
        ValueKind::Param(of, param) => *of == function && *param == at,
        ValueKind::Captured(_, local) => *local == last.local,
        _ => false,
    };
    let without_error = |value: &Shared| matches!(value.kind, ValueKind::Null | ValueKind::Undefined);
    let within = unit.summary.functions.iter().enumerate().filter(|(id, _)| inside(FunctionId::of(*id)));
    within.flat_map(|(_, summary)| &summary.calls).any(|event| {
        let first = event.call.args.first();
        is_next(&event.call.callee) && first.is_none_or(|arg| without_error(&arg.value))
            // `verify(token).then(next)`
            || event.call.method() == Some("then") && first.is_some_and(|arg| is_next(&arg.value))
    })
}

/// Whether a closure goes on by a parameter of the function around it: `(handler) => (req, res) => handler(req, res)`.
fn calls_around(graph: &Graph, function: FunctionRef, names: &[String]) -> bool {
    let Some(module) = graph.module(function.file) else { return false };
    let Some(parent) = module.function(function.id).parent.filter(|parent| parent.at() > 0) else { return false };
    let called = module.function(parent).params.iter().filter(|param| names.contains(&param.name));
    let locals: Vec<_> = called.map(|param| param.local).collect();
    let calls = graph.summary(function).map_or(&[][..], |summary| summary.calls.as_slice());
    !locals.is_empty()
        && calls.iter().any(|event| {
            // With what was assigned to it: `req.user = claims`.
            let first = event.call.args.first().map(|arg| match &arg.value.kind {
                ValueKind::Object { base: Some(base), .. } => &base.kind,
                kind => kind,
            });
            matches!(&event.call.callee.kind, ValueKind::Captured(_, local) if locals.contains(local))
                && matches!(first, Some(ValueKind::Param(of, 0)) if *of == function)
        })
}

/// The functions that a value stands for: itself, what wraps it, what a factory returns.
pub(super) fn functions_behind(graph: &Graph, value: &Shared, fuel: u8) -> Vec<FunctionRef> {
    let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
    let value = Value::before_calls(value);
    match &value.kind {
        ValueKind::Function(function) => vec![*function],
        ValueKind::Call(call) => {
            let mut all: Vec<FunctionRef> =
                call.args.iter().flat_map(|arg| functions_behind(graph, &arg.value, fuel)).collect();
            if let Some(inner) = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value)) {
                all.extend(functions_behind(graph, &inner, fuel));
            }
            all
        }
        ValueKind::Array(members) => members
            .iter()
            .flat_map(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                functions_behind(graph, inner, fuel)
            })
            .collect(),
        ValueKind::Field(..) | ValueKind::Import(..) | ValueKind::Captured(..) => {
            let inner = graph.resolved(value);
            if Arc::ptr_eq(&inner, value) { Vec::new() } else { functions_behind(graph, &inner, fuel) }
        }
        ValueKind::Cond { then, otherwise, .. } => {
            let mut all = functions_behind(graph, then, fuel);
            all.extend(functions_behind(graph, otherwise, fuel));
            all
        }
        _ => Vec::new(),
    }
}

fn by_place(graph: &Graph, rows: &[(&Row, GlobSet)], file: FileId, known: &mut BTreeMap<FunctionRef, Shape>) {
    let path = &graph.sources.get(file).path;
    let Some(unit) = graph.unit(file) else { return };
    for (row, _) in rows.iter().filter(|(_, globs)| globs.is_match(path)) {
        for export in &unit.module.exports {
            let (Export::Named { name, .. } | Export::Value { name, .. }) = export else { continue };
            if !row.method.contains(name) {
                continue;
            }
            let Resolved::Value(value) = graph.resolve_export(file, name) else { continue };
            for function in functions_behind(graph, &value, 6) {
                keep(known, function, Shape::of(graph, row, None, true));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::bench::Tree;
    use crate::guards::claims::verifies;

    fn lets_in(path: &str, text: &str) -> bool {
        let tree = Tree::of(&[(path, text)]);
        let graph = tree.graph();
        let calls = &graph.summary(tree.function(&graph, "check")).unwrap().calls;
        let mut verifying = calls.iter().filter_map(|event| Some((&event.call, verifies(&graph, &event.call)?)));
        let (call, row) = verifying.next().unwrap();
        lets_expired_in(&graph, call, &row.unending, &row.ending).is_some()
    }

    #[test]
    fn what_has_ended_gets_in_where_an_option_says_so() {
        let verify = |options: &str| {
            let text = format!(
                "import jwt from 'jsonwebtoken';
                export function check(token) {{ return jwt.verify(token, process.env.KEY{options}); }}"
            );
            lets_in("src/a.ts", &text)
        };
        let options = ["", ", { ignoreExpiration: false }", ", { ignoreExpiration: true }"];
        assert_eq!(options.map(verify), [false, false, true]);
    }

    #[test]
    fn what_has_ended_gets_in_where_its_end_is_not_looked_at() {
        let decode = |says: &str| {
            let text = format!(
                "use jsonwebtoken::{{decode, DecodingKey, Validation}};
                fn check(token: &str) -> Claims {{
                    let mut validation = Validation::default();
                    {says}
                    decode::<Claims>(token, &DecodingKey::from_secret(b\"key\"), &validation).unwrap().claims
                }}"
            );
            lets_in("src/main.rs", &text)
        };
        assert_eq!(["", "validation.validate_exp = false;"].map(decode), [false, true]);
    }
}
