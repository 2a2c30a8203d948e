//! What runs behind a guard on the way to a handler: another guard there may ask about the bearer in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::graph::{EdgeKind, Graph};
use crate::guards::chain::{Laid, Link, Names, Run};
use crate::guards::shapes::Shapes;
use crate::ir::{FunctionId, FunctionKind};
use crate::rules::{Guard, GuardKind};
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallSite, CallValue, ClassRef, FunctionRef, Shared, Slot, ValueKind};

/// The registrations that the guards stand in.
#[derive(Debug)]
pub(super) struct Orders {
    runs: Vec<Run>,
}

/// A guard in front of no more registrations than this is satisfied by handlers that all ask themselves.
const FEW: usize = 5;

/// One registering call.
struct Registered<'v> {
    call: &'v CallValue,
    on: Option<Span>,
    path: Option<String>,
    laid: Laid,
}

impl Orders {
    pub(super) fn find(graph: &Graph, shapes: &Shapes, wanted: &BTreeSet<Link>) -> Self {
        let names = Names::find(graph);
        let mut runs: Vec<(Option<CallSite>, Run)> = Vec::new();
        for (file, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
            for summary in &unit.summary.functions {
                let calls = summary.calls.iter().map(|event| &*event.call);
                let calls = calls.filter(|call| call.method().is_some_and(|name| names.has(name)));
                let all: Vec<Registered> = calls.filter_map(|call| registered(graph, &names, wanted, call)).collect();
                for (at, first) in all.iter().enumerate() {
                    let mut laid = first.laid.clone();
                    if first.call.method().is_some_and(|name| names.registering.contains(name)) {
                        let behind = all.iter().skip(at + 1).filter(|later| follows(first, later));
                        behind.for_each(|later| laid.and(&later.laid));
                    }
                    if laid.has(wanted) {
                        runs.extend(laid.runs().into_iter().map(|run| (Some(first.call.site), run)));
                    }
                }
            }
            runs.extend(decorated(graph, shapes, file, wanted).into_iter().map(|run| (None, run)));
        }
        let links = everywhere(graph, shapes);
        if links.iter().any(|link| wanted.contains(link)) {
            runs.push((None, Run::plain(links)));
        }
        // A registration that another goes on from is a part of that one.
        let inner: BTreeSet<CallSite> = runs
            .iter()
            .flat_map(|(own, run)| {
                run.links().filter_map(move |link| match link {
                    Link::Call(site) if Some(site) != *own => Some(site),
                    _ => None,
                })
            })
            .collect();
        runs.retain(|(site, _)| site.is_none_or(|site| !inner.contains(&site)));
        Self { runs: runs.into_iter().map(|(_, run)| run).collect() }
    }

    /// What is asked behind a guard wherever it is registered, under any of its links; empty where some registration asks nobody.
    /// `of_handlers`: whether handlers count too, where they are few.
    pub(super) fn behind<T: Ord>(
        &self,
        guard: &BTreeSet<Link>,
        of_handlers: bool,
        asks: &mut dyn FnMut(FunctionRef) -> Option<T>,
    ) -> BTreeSet<T> {
        let mut found = BTreeSet::new();
        let with: Vec<&Run> = self.runs.iter().filter(|run| run.has(guard)).collect();
        for run in &with {
            let functions = run.beside(guard, of_handlers && with.len() <= FEW).filter_map(|link| match link {
                Link::Function(function) if !guard.contains(&link) => Some(function),
                _ => None,
            });
            match functions.into_iter().find_map(&mut *asks) {
                Some(proof) => found.insert(proof),
                None => return BTreeSet::new(),
            };
        }
        found
    }
}

/// Whether a later registration runs for every request that an earlier one runs for.
fn follows(first: &Registered, later: &Registered) -> bool {
    later.call.method() == first.call.method()
        && later.on.is_some()
        && later.on == first.on
        && (later.path.is_none() || later.path == first.path)
}

/// What a registering call runs. Only what stands around a guard is looked for in files that nothing has led to.
fn registered<'v>(
    graph: &Graph,
    names: &Names,
    wanted: &BTreeSet<Link>,
    call: &'v CallValue,
) -> Option<Registered<'v>> {
    let may_run = |value: &Shared| {
        matches!(
            value.kind,
            ValueKind::Function(_)
                | ValueKind::Import(..)
                | ValueKind::Captured(..)
                | ValueKind::Call(_)
                | ValueKind::Array(_)
                | ValueKind::Object { .. }
                | ValueKind::Field(..)
        )
    };
    if !call.args.iter().any(|arg| may_run(&arg.value)) {
        return None;
    }
    graph.refuel();
    let known = {
        let _limit = graph.limit(Rc::default());
        Laid::by(graph, names, call)?
    };
    let laid = if known.has(wanted) { Laid::by(graph, names, call)? } else { known };
    let _limit = graph.limit(Rc::default());
    let receiver = call.receiver().map(|receiver| graph.resolved(receiver));
    let on = receiver.filter(|at| matches!(at.kind, ValueKind::Call(_) | ValueKind::Param(..))).map(|at| at.span);
    let path = call.args.first().and_then(|arg| match &arg.value.kind {
        ValueKind::Text(text) => Some(text.clone()),
        _ => None,
    });
    Some(Registered { call, on, path, laid })
}

/// The guards that modules provide for every handler, in the order of their files and of what is written there.
pub(super) fn everywhere(graph: &Graph, shapes: &Shapes) -> Vec<Link> {
    fn provided(graph: &Graph, row: &Guard, value: &Shared, found: &mut Vec<ClassRef>, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        if let ValueKind::Object { entries, .. } = &value.kind {
            let is_token = |value: &Shared| {
                graph.path(value).is_some_and(|path| row.path.as_ref().is_some_and(|pattern| pattern.matches(&path)))
            };
            let named = |slot: &Slot| matches!(slot, Slot::Named { value, .. } if is_token(value));
            if entries.iter().any(named) {
                found.extend(entries.iter().filter_map(|slot| match slot {
                    Slot::Named { key, value, .. } if row.method.contains(key) => graph.class_behind(value),
                    _ => None,
                }));
                return;
            }
        }
        value.kind.each(&mut |inner| provided(graph, row, inner, found, fuel));
    }
    let rows: Vec<&Guard> = graph.rules.guard().filter(|row| row.kind == GuardKind::Token).collect();
    let mut classes = Vec::new();
    for (_, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
        for decorator in unit.summary.class_decorators.iter().flatten() {
            for (row, arg) in rows.iter().flat_map(|row| decorator.args.iter().map(move |arg| (row, arg))) {
                graph.refuel();
                provided(graph, row, &arg.value, &mut classes, 6);
            }
        }
    }
    classes.extend(global(graph));
    let named = if classes.is_empty() { BTreeMap::new() } else { graph.run_by_classes() };
    let run_by = |class: ClassRef| named.get(&class).into_iter().flatten().copied().map(Link::Function);
    classes.into_iter().flat_map(|class| run_by(class).chain(guards_of(graph, shapes, class))).collect()
}

/// The classes that calls are given for every handler: `app.useGlobalGuards(new Check())`.
fn global(graph: &Graph) -> Vec<ClassRef> {
    let rows = || graph.rules.guard().filter(|row| row.kind == GuardKind::Global);
    let named = |call: &CallValue| {
        let named = |row: &&Guard| row.path.as_ref().is_some_and(|path| path.last() == call.method());
        rows().find(named).filter(|_| call.method().is_some())
    };
    let production = graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production);
    let calls = production.flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
    let given = calls.filter_map(|event| Some((&event.call, named(&event.call)?))).flat_map(|(call, row)| {
        graph.refuel();
        let is_it = |path: &str| row.path.as_ref().is_some_and(|pattern| pattern.matches(path));
        let fits = graph.fitting_path(call, is_it).is_some();
        let values = row.handler.iter().filter(move |_| fits).flat_map(|at| graph.argument(call, at));
        values.filter_map(|value| graph.class_of_provider(&value))
    });
    given.collect()
}

/// What the decorators of handlers run before them: those of the class first.
fn decorated(graph: &Graph, shapes: &Shapes, file: FileId, wanted: &BTreeSet<Link>) -> Vec<Run> {
    let mut found = Vec::new();
    let Some(unit) = graph.unit(file) else { return found };
    let mut strategies: BTreeMap<(FunctionRef, Span), Vec<FunctionRef>> = BTreeMap::new();
    for link in wanted {
        let Link::Function(guard) = link else { continue };
        for edge in graph.callers(*guard).iter().filter(|edge| matches!(edge.kind, EdgeKind::Framework)) {
            strategies.entry((edge.caller, edge.span)).or_default().push(*guard);
        }
    }
    for (at, function) in unit.module.functions.iter().enumerate() {
        let route = FunctionRef { file, id: FunctionId::of(at) };
        if function.kind != FunctionKind::Method || graph.entries(route).is_empty() {
            continue;
        }
        let class = function.class.and_then(|id| unit.summary.class_decorators.get(id.at()));
        let own = unit.summary.functions.get(at).map_or(&[][..], |summary| summary.decorators.as_slice());
        let mut links = Vec::new();
        for decorator in class.map_or(&[][..], Vec::as_slice).iter().chain(own) {
            let strategies = strategies.get(&(route, decorator.site.span));
            links.extend(strategies.into_iter().flatten().map(|of| Link::Function(*of)));
            for inner in graph.composed(decorator) {
                let classes = inner.args.iter().filter_map(|arg| graph.class_of_provider(&arg.value));
                links.extend(classes.flat_map(|class| guards_of(graph, shapes, class)));
            }
        }
        if links.iter().any(|link| wanted.contains(link)) {
            found.push(Run::plain(links));
        }
    }
    found
}

/// The methods by which a class decides.
fn guards_of(graph: &Graph, shapes: &Shapes, class: ClassRef) -> Vec<Link> {
    let line = graph.lineage(class);
    let owners = line.iter().filter_map(|owner| Some((owner, graph.class(*owner)?)));
    let methods = owners
        .flat_map(|(owner, declared)| declared.methods.iter().map(|id| FunctionRef { file: owner.file, id: *id }));
    methods.filter(|method| shapes.knows(*method)).map(Link::Function).collect()
}
