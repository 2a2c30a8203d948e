//! What runs before handlers, as rule rows describe it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::graph::{Graph, Resolved, Type};
use crate::guards::walk::{Root, calls_on};
use crate::ir::{ClassId, Export, FunctionId};
use crate::rules::{ArgBase, ArgPath, Guard as Row, GuardKind};
use crate::source::FileId;
use crate::summary::{CallValue, ClassRef, FunctionRef, Member, Shared, ValueKind};

/// Why a function is taken for a guard.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub what: String,
    /// What verifies before the function runs is given this key.
    pub key: Option<Shared>,
    /// Whether its own registration says what it protects.
    pub registered: bool,
    claims: Vec<ArgPath>,
    first: Vec<ArgPath>,
}

#[derive(Debug)]
pub(super) struct Shapes<'g> {
    known: BTreeMap<FunctionRef, Shape>,
    next: Vec<&'g Row>,
}

impl<'g> Shapes<'g> {
    pub(super) fn find(graph: &Graph<'g>) -> Self {
        let rows: Vec<&'g Row> = graph.rules.guard().collect();
        let mut known = BTreeMap::new();
        let of_kind = |kind| rows.iter().copied().filter(move |row| row.kind == kind).collect::<Vec<_>>();
        let (methods, calls) = (of_kind(GuardKind::Method), of_kind(GuardKind::Call));
        let _limit = graph.limit(Rc::default());
        let files: Vec<(&Row, GlobSet)> =
            of_kind(GuardKind::File).into_iter().filter_map(|row| Some((row, globs(row)?))).collect();
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
        Self { known, next: of_kind(GuardKind::Next) }
    }

    /// The shape of a function.
    pub(super) fn of(&self, graph: &Graph, function: FunctionRef) -> Option<Shape> {
        if let Some(shape) = self.known.get(&function) {
            return Some(shape.clone());
        }
        let declared = graph.function(function)?;
        let last = declared.params.last().filter(|_| declared.params.len() > 1)?;
        let named = |row: &&&Row| row.method.contains(&last.name);
        let row = self.next.iter().find(named)?;
        calls_on(graph, function, row.kind).then(|| Shape::of(row, None, true))
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = FunctionRef> {
        self.known.keys().copied()
    }

    /// The guards that a library hands verified claims to.
    pub(super) fn handed(&self, graph: &Graph) -> BTreeMap<FunctionRef, Root> {
        let handed = self.known.iter().filter(|(_, shape)| !shape.claims.is_empty());
        handed
            .map(|(function, shape)| {
                let mut root = Root::of(shape);
                root.claims = params(graph, *function, &shape.claims);
                root.first = params(graph, *function, &shape.first);
                (*function, root)
            })
            .collect()
    }
}

impl Shape {
    fn of(row: &Row, key: Option<Shared>, registered: bool) -> Self {
        Self { what: row.what.clone(), key, registered, claims: row.claims.clone(), first: row.first.clone() }
    }
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

fn globs(row: &Row) -> Option<GlobSet> {
    let mut globs = GlobSetBuilder::new();
    for glob in row.file.iter().filter_map(|glob| Glob::new(glob).ok()) {
        globs.add(glob);
    }
    globs.build().ok()
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
                let key = constructed(graph, class, &row.key);
                known.entry(function).or_insert_with(|| Shape::of(row, key, false));
            }
        }
    }
}

/// What a constructor hands to that of its base.
fn constructed(graph: &Graph, class: ClassRef, paths: &[ArgPath]) -> Option<Shared> {
    let constructor = graph.method(class, "constructor")?;
    let calls = &graph.summary(constructor)?.calls;
    let call = calls.iter().map(|event| &event.call).find(|call| matches!(call.callee.kind, ValueKind::Super(_)))?;
    first_there(graph, call, paths)
}

fn first_there(graph: &Graph, call: &CallValue, paths: &[ArgPath]) -> Option<Shared> {
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
        let (Some(pattern), Some(handler)) = (&row.path, &row.handler) else { continue };
        if pattern.last().is_some_and(|last| method.is_some_and(|method| method != last)) {
            continue;
        }
        let path = path.get_or_insert_with(|| {
            graph.refuel();
            graph.library_path(call)
        });
        if !path.as_ref().is_some_and(|path| pattern.matches(path)) {
            continue;
        }
        let key = first_there(graph, call, &row.key);
        for value in graph.argument(call, handler) {
            for function in functions_behind(graph, &value, 6) {
                known.entry(function).or_insert_with(|| Shape::of(row, key.clone(), true));
            }
        }
    }
}

/// The functions that a value stands for: itself, what wraps it, what a factory returns.
pub(super) fn functions_behind(graph: &Graph, value: &Shared, fuel: u8) -> Vec<FunctionRef> {
    let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
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
                known.entry(function).or_insert_with(|| Shape::of(row, None, true));
            }
        }
    }
}

/// The handlers that take a value of a class: an extractor protects these.
pub(super) fn taking(graph: &Graph, class: &str) -> BTreeSet<FunctionRef> {
    let mut found = BTreeSet::new();
    for (file, unit) in graph.units() {
        for (at, function) in unit.module.functions.iter().enumerate() {
            let takes = function.params.iter().filter_map(|param| param.ty.as_ref());
            let mut takes = takes.flat_map(|ty| std::iter::once(ty).chain(&ty.args));
            if takes.any(|ty| ty.name.rsplit('.').next() == Some(class)) {
                let handler = FunctionRef { file, id: FunctionId::of(at) };
                if graph.entries(handler).iter().any(|entry| !entry.route.is_empty()) {
                    found.insert(handler);
                }
            }
        }
    }
    found
}
