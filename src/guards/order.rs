//! What runs behind a guard on the way to a handler: another guard there may ask about the bearer in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::graph::{EdgeKind, Graph};
use crate::guards::Proof;
use crate::guards::shapes::Shapes;
use crate::ir::{FunctionId, FunctionKind};
use crate::rules::{CallPattern, EntryKind, Guard, GuardKind, Layer};
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallSite, CallValue, ClassRef, FunctionRef, Member, Shared, Slot, Value, ValueKind};

/// What stands on the way of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    Function(FunctionRef),
    /// What a call made: `expressjwt({ .. })`, `t.procedure.use(isAuthed)`.
    Call(CallSite),
}

/// What one registration runs, in order.
#[derive(Debug)]
struct Run {
    links: Vec<Link>,
    /// Which of them are laid around the same routes, by a number for each such group; 0: none.
    groups: Vec<u32>,
    /// Where the handler's own links begin.
    handler: usize,
}

impl Run {
    fn plain(links: Vec<Link>) -> Self {
        Self { groups: vec![0; links.len()], handler: links.len(), links }
    }

    /// What runs for every request that a guard lets in, where it stands last.
    fn beside(&self, guard: Link, until: usize) -> impl Iterator<Item = &Link> {
        let at = self.links.iter().rposition(|link| *link == guard);
        let group = at.map_or(0, |at| self.groups[at]);
        let around = self.links.iter().zip(&self.groups).filter(move |(_, of)| group != 0 && **of == group);
        let behind = self.links.get(at.map_or(0, |at| at + 1)..until).unwrap_or_default();
        around.map(|(link, _)| link).chain(behind)
    }
}

/// A link as a registration names it.
#[derive(Clone, Debug)]
struct Step {
    link: Link,
    /// The routers it stands in that are handed to one another, by where each is written: a sibling of one of them is another way.
    within: Vec<Span>,
    /// The layers around the same routes that it is one of: each runs for every request, in whatever order.
    group: u32,
}

/// What one registration names, in order.
#[derive(Clone, Debug)]
struct Laid {
    steps: Vec<Step>,
    /// Where the handler's own links begin.
    handler: usize,
}

impl Laid {
    fn has(&self, wanted: &BTreeSet<Link>) -> bool {
        self.steps.iter().any(|step| wanted.contains(&step.link))
    }

    /// The ways of requests through it: one for each router, past its siblings.
    fn runs(&self) -> Vec<Run> {
        let routers: BTreeSet<&[Span]> = self.steps.iter().map(|step| step.within.as_slice()).collect();
        let run = |router: &[Span]| {
            let on_way = |step: &&Step| router.starts_with(&step.within);
            let (links, groups) = self.steps.iter().filter(on_way).map(|step| (step.link, step.group)).unzip();
            Run { links, groups, handler: self.steps.iter().take(self.handler).filter(on_way).count() }
        };
        routers.into_iter().map(run).collect()
    }
}

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
        let last = |path: &Option<CallPattern>| path.as_ref().and_then(|path| path.last().map(str::to_owned));
        let guards = graph.rules.guard().filter(|row| row.kind == GuardKind::Call);
        let registering: BTreeSet<String> = guards.filter_map(|row| last(&row.path)).collect();
        let entries = graph.rules.entry().filter(|row| row.kind == EntryKind::Call);
        let mut names: BTreeSet<String> = entries.filter_map(|row| last(&row.path)).collect();
        names.extend(registering.iter().cloned());
        names.extend(graph.rules.layer().filter_map(|row| row.call.last()).map(str::to_owned));
        let mut runs: Vec<(Option<CallSite>, Run)> = Vec::new();
        for (file, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
            for summary in &unit.summary.functions {
                let calls = summary.calls.iter().map(|event| &*event.call);
                let calls = calls.filter(|call| call.method().is_some_and(|name| names.contains(name)));
                let all: Vec<Registered> =
                    calls.filter_map(|call| registered(graph, &registering, wanted, call)).collect();
                for (at, first) in all.iter().enumerate() {
                    let mut laid = first.laid.clone();
                    if first.call.method().is_some_and(|name| registering.contains(name)) {
                        let behind = all.iter().skip(at + 1).filter(|later| follows(first, later));
                        laid.steps.extend(behind.flat_map(|later| later.laid.steps.iter().cloned()));
                        laid.handler = laid.steps.len();
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
                run.links.iter().filter_map(move |link| match link {
                    Link::Call(site) if Some(*site) != *own => Some(*site),
                    _ => None,
                })
            })
            .collect();
        runs.retain(|(site, _)| site.is_none_or(|site| !inner.contains(&site)));
        Self { runs: runs.into_iter().map(|(_, run)| run).collect() }
    }

    /// What is asked behind a guard wherever it is registered; empty where some registration asks nobody.
    pub(super) fn behind(&self, guard: Link, asks: &mut dyn FnMut(FunctionRef) -> Option<Proof>) -> BTreeSet<Proof> {
        let mut found = BTreeSet::new();
        let with: Vec<&Run> = self.runs.iter().filter(|run| run.links.contains(&guard)).collect();
        for run in &with {
            let until = if with.len() <= FEW { run.links.len() } else { run.handler };
            let functions = run.beside(guard, until).filter_map(|link| match link {
                Link::Function(function) if Link::Function(*function) != guard => Some(*function),
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
    registering: &BTreeSet<String>,
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
        laid_by(graph, registering, call)?
    };
    let laid = if known.has(wanted) { laid_by(graph, registering, call)? } else { known };
    let _limit = graph.limit(Rc::default());
    let receiver = call.receiver().map(|receiver| graph.resolved(receiver));
    let on = receiver.filter(|at| matches!(at.kind, ValueKind::Call(_) | ValueKind::Param(..))).map(|at| at.span);
    let path = call.args.first().and_then(|arg| match &arg.value.kind {
        ValueKind::Text(text) => Some(text.clone()),
        _ => None,
    });
    Some(Registered { call, on, path, laid })
}

fn laid_by(graph: &Graph, registering: &BTreeSet<String>, call: &CallValue) -> Option<Laid> {
    let mut chain = Chain::new(graph, registering);
    let (before, mut handler) = chain.call(call, 7)?;
    if chain.steps.len() == before + 1 {
        return None;
    }
    if call.method().is_some_and(|name| registering.contains(name)) || chain.lays(call).is_some() {
        handler = chain.steps.len();
    }
    Some(Laid { steps: chain.steps, handler })
}

/// What is linked so far.
struct Chain<'c, 'g, 'a> {
    graph: &'c Graph<'g>,
    registering: &'a BTreeSet<String>,
    steps: Vec<Step>,
    within: Vec<Span>,
    /// The group of layers that what is pushed belongs to, the one that the chain ends with so far, and how many there are.
    group: u32,
    open: u32,
    groups: u32,
}

impl<'c, 'g, 'a> Chain<'c, 'g, 'a> {
    fn new(graph: &'c Graph<'g>, registering: &'a BTreeSet<String>) -> Self {
        Self { graph, registering, steps: Vec::new(), within: Vec::new(), group: 0, open: 0, groups: 0 }
    }

    fn push(&mut self, link: Link) {
        self.steps.push(Step { link, within: self.within.clone(), group: self.group });
    }

    /// The row that says that a call lays something around the routes to its left.
    fn lays(&self, call: &CallValue) -> Option<&'g Layer> {
        let is_rust = self.graph.is_rust(call.site.span.file);
        self.graph.rules.layer().find(|row| is_rust && call.receiver().is_some() && row.call.last() == call.method())
    }

    /// What a call of a chain runs, behind what stands to its left: where its own part begins, and the last argument's.
    fn call(&mut self, call: &CallValue, fuel: u8) -> Option<(usize, usize)> {
        let fuel = fuel.checked_sub(1)?;
        self.open = 0;
        if let Some(receiver) = call.receiver() {
            self.link(receiver, fuel);
        }
        let (outer, lays) = (self.group, self.lays(call));
        let mut open = self.open;
        if lays.is_some() {
            if open == 0 {
                self.groups += 1;
                open = self.groups;
            }
            // `.layer(ServiceBuilder::new().layer(verify).layer(load))`
            self.group = if outer == 0 { open } else { outer };
        } else if !self.whole(call) {
            open = 0;
        }
        let before = self.steps.len();
        let mut last = before;
        for arg in &call.args {
            last = self.steps.len();
            if lays.is_some() {
                self.link(&arg.value, fuel);
            } else {
                self.hand(&arg.value, fuel);
            }
        }
        self.push(Link::Call(call.site));
        self.group = outer;
        self.open = open;
        Some((before, last))
    }

    /// Whether the last layer to the left of a call is around the routes that come later too.
    fn whole(&self, call: &CallValue) -> bool {
        let mut at = call.receiver();
        while let Some(ValueKind::Call(inner)) = at.map(|value| &value.kind) {
            if let Some(row) = self.lays(inner) {
                return row.whole;
            }
            at = inner.receiver();
        }
        false
    }

    /// What an argument runs: a router that is handed over with guards of its own runs them for its own routes.
    fn hand(&mut self, value: &Shared, fuel: u8) {
        let is_router = self.registers(value);
        if is_router {
            self.within.push(value.span);
        }
        self.link(value, fuel);
        if is_router {
            self.within.pop();
        }
    }

    /// Whether a value is a chain of calls that registers: `Router::new().route("/me", get(me)).layer(check)`.
    fn registers(&self, value: &Shared) -> bool {
        let mut at = Value::before_calls(value);
        while let ValueKind::Call(call) = &at.kind {
            let Some(receiver) = call.receiver().map(Value::before_calls) else { return false };
            let is_made = matches!(receiver.kind, ValueKind::Call(_));
            let registers = call.method().is_some_and(|name| self.registering.contains(name));
            if is_made && (registers || self.lays(call).is_some()) {
                return true;
            }
            at = receiver;
        }
        false
    }

    /// What a value runs, in order: a chain of registrations from its beginning, a list, what a wrapper is handed.
    fn link(&mut self, value: &Shared, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let value = Value::before_calls(value);
        match &value.kind {
            ValueKind::Function(function) => self.push(Link::Function(*function)),
            ValueKind::Call(call) => {
                self.call(call, fuel + 1);
            }
            ValueKind::Array(members) => members.iter().for_each(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                self.link(inner, fuel);
            }),
            // `{ preHandler: [verify, load] }`
            ValueKind::Object { entries, .. } => entries.iter().for_each(|slot| {
                if let Slot::Named { value, .. } = slot {
                    self.link(value, fuel);
                }
            }),
            ValueKind::Field(..) | ValueKind::Import(..) | ValueKind::Captured(..) => {
                let inner = self.graph.resolved(value);
                if matches!(
                    Value::before_calls(&inner).kind,
                    ValueKind::Function(_) | ValueKind::Call(_) | ValueKind::Array(_)
                ) {
                    self.link(&inner, fuel);
                }
            }
            _ => {}
        }
    }
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
        let fits = graph.library_path(call).is_some_and(|path| row.path.as_ref().is_some_and(|p| p.matches(&path)));
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
