//! What one registration runs: the ways of requests through a chain of calls.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::shapes::functions_behind;
use crate::rules::{CallPattern, EntryKind, GuardKind, Layer};
use crate::source::Span;
use crate::summary::{CallSite, CallValue, FunctionRef, Member, Shared, Slot, Value, ValueKind};

/// What stands on the way of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    Function(FunctionRef),
    /// What a call made: `expressjwt({ .. })`, `t.procedure.use(isAuthed)`.
    Call(CallSite),
}

/// The methods that register.
#[derive(Debug)]
pub(super) struct Names {
    /// Those that are given guards.
    pub registering: BTreeSet<String>,
    /// Those that are given the handlers of a route, or a router: `get`, `nest`.
    routes: BTreeSet<String>,
    /// Any other: `use`, `layer`.
    around: BTreeSet<String>,
}

impl Names {
    pub(super) fn find(graph: &Graph) -> Self {
        let last = |path: &Option<CallPattern>| path.as_ref().and_then(|path| path.last().map(str::to_owned));
        let guards = || graph.rules.guard().filter(|row| row.kind == GuardKind::Call);
        let registering: BTreeSet<String> = guards().filter_map(|row| last(&row.path)).collect();
        // Handed a guard, and no route's options: `from_fn(check)`.
        let given = guards().filter(|row| row.handler.iter().any(|path| path.keys.is_empty()));
        let given = given.filter_map(|row| last(&row.path));
        let entries = || graph.rules.entry().filter(|row| row.kind == EntryKind::Call);
        let named = |covers| entries().filter(move |row| row.covers == covers).filter_map(|row| last(&row.path));
        let layers = graph.rules.layer().filter_map(|row| row.call.last()).map(str::to_owned);
        let around: BTreeSet<String> = named(true).chain(layers).chain(given).collect();
        let mounts = graph.rules.mount().filter_map(|row| row.call.last()).map(str::to_owned);
        let routes = named(false).chain(mounts).filter(|name| !around.contains(name)).collect();
        Self { registering, routes, around }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        [&self.registering, &self.routes, &self.around].iter().any(|names| names.contains(name))
    }
}

/// A route, or a router that is handed to another, by where it is written. Those beside one another are other ways.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Branch {
    at: Span,
    path: Option<String>,
}

/// A link as a registration names it.
#[derive(Clone, Debug)]
struct Step {
    link: Link,
    within: Vec<Branch>,
    /// The layers around the same routes that it is one of, each of which runs for every request in whatever order; 0: none.
    group: u32,
    /// Whether it is around the routes that come later too.
    whole: bool,
    /// Below which it runs: `/api/*`.
    path: Option<String>,
}

/// One way of a request.
#[derive(Debug)]
pub(super) struct Run {
    steps: Vec<Step>,
    /// Where the handler's own links begin.
    handler: usize,
}

impl Run {
    /// What runs in order, whatever the route.
    pub(super) fn plain(links: Vec<Link>) -> Self {
        let step = |link| Step { link, within: Vec::new(), group: 0, whole: false, path: None };
        Self { handler: links.len(), steps: links.into_iter().map(step).collect() }
    }

    pub(super) fn links(&self) -> impl Iterator<Item = Link> {
        self.steps.iter().map(|step| step.link)
    }

    fn position(&self, guard: &BTreeSet<Link>) -> Option<usize> {
        self.steps.iter().rposition(|step| guard.contains(&step.link))
    }

    pub(super) fn has(&self, guard: &BTreeSet<Link>) -> bool {
        self.position(guard).is_some()
    }

    /// What runs for every request that a guard lets in, where it stands last; also the handler itself, or only what is before it.
    pub(super) fn beside(&self, guard: &BTreeSet<Link>, with_handler: bool) -> impl Iterator<Item = Link> + use<'_> {
        let at = self.position(guard);
        let group = at.map_or(0, |at| self.steps[at].group);
        let around = self.steps.iter().filter(move |step| group != 0 && step.group == group);
        let until = if with_handler { self.steps.len() } else { self.handler };
        let behind = self.steps.get(at.map_or(0, |at| at + 1)..until).unwrap_or_default();
        around.chain(behind).map(|step| step.link)
    }
}

/// Whether a route lies below a path; one with parameters may be anything.
fn is_below(route: &str, path: &str) -> bool {
    let prefix = path.trim_end_matches('*').trim_end_matches('/');
    let rest = route.strip_prefix(prefix);
    prefix.contains([':', '*', '{', '(']) || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What one registration names, in order.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    steps: Vec<Step>,
    /// Where the handler's own links begin.
    handler: usize,
}

impl Laid {
    /// What a registering call runs; `None`: nothing that it is given is known to run.
    pub(super) fn by(graph: &Graph, names: &Names, call: &CallValue) -> Option<Self> {
        let mut chain = Chain { graph, names, steps: Vec::new(), within: Vec::new(), layer: None, open: 0, groups: 0 };
        let (before, mut handler) = chain.call(call, 7)?;
        if chain.steps.len() == before + 1 {
            return None;
        }
        if call.method().is_some_and(|name| names.registering.contains(name)) || chain.lays(call).is_some() {
            handler = chain.steps.len();
        }
        Some(Self { steps: chain.steps, handler })
    }

    /// With what a later registration runs behind it.
    pub(super) fn and(&mut self, later: &Self) {
        self.steps.extend(later.steps.iter().cloned());
        self.handler = self.steps.len();
    }

    pub(super) fn has(&self, wanted: &BTreeSet<Link>) -> bool {
        self.steps.iter().any(|step| wanted.contains(&step.link))
    }

    /// The ways of requests through it: one for each route or router, past those beside it.
    pub(super) fn runs(&self) -> Vec<Run> {
        let all: BTreeSet<&[Branch]> = self.steps.iter().map(|step| step.within.as_slice()).collect();
        let leads_on = |way: &[Branch]| all.iter().any(|other| other.len() > way.len() && other.starts_with(way));
        let run = |way: &[Branch]| {
            let on_way = |(at, step): &(usize, &Step)| self.is_on(way, *at, step);
            let steps = || self.steps.iter().enumerate();
            let handler = steps().take(self.handler).filter(on_way).count();
            Run { steps: steps().filter(on_way).map(|(_, step)| step.clone()).collect(), handler }
        };
        all.iter().filter(|way| !leads_on(way)).map(|way| run(way)).collect()
    }

    /// Whether a step runs on a way: a middleware before the routes that come later, a layer around those that came before.
    fn is_on(&self, way: &[Branch], at: usize, step: &Step) -> bool {
        if !way.starts_with(&step.within) {
            return false;
        }
        let depth = step.within.len();
        let Some(next) = way.get(depth) else { return true };
        // `app.use('/api/*', check)` beside `app.get('/health', ..)`
        if let (Some(below), Some(path)) = (&step.path, &next.path)
            && !is_below(path, below)
        {
            return false;
        }
        let later = self.steps.iter().skip(at).any(|other| other.within.get(depth) == Some(next));
        step.whole || later == (step.group == 0)
    }
}

/// A chain of registrations, from its beginning.
struct Chain<'c, 'g, 'a> {
    graph: &'c Graph<'g>,
    names: &'a Names,
    steps: Vec<Step>,
    within: Vec<Branch>,
    /// The group of layers that what is pushed belongs to, and whether it is around what comes later.
    layer: Option<(u32, bool)>,
    /// The group that the chain ends with so far.
    open: u32,
    groups: u32,
}

impl<'g> Chain<'_, 'g, '_> {
    fn push(&mut self, link: Link, path: Option<&String>) {
        let (group, whole) = self.layer.unwrap_or_default();
        self.steps.push(Step { link, within: self.within.clone(), group, whole, path: path.cloned() });
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
            // A chain is as long as there are routes.
            self.link(receiver, None, if matches!(receiver.kind, ValueKind::Call(_)) { fuel + 1 } else { fuel });
        }
        let (outer, lays, mut open) = (self.layer, self.lays(call), self.open);
        if let Some(row) = lays {
            if open == 0 {
                self.groups += 1;
                open = self.groups;
            }
            // `.layer(ServiceBuilder::new().layer(verify).layer(load))`
            self.layer = outer.or(Some((open, row.whole)));
        } else if !self.stays(call) {
            open = 0;
        }
        let text = call.args.first().and_then(|arg| match &arg.value.kind {
            ValueKind::Text(text) => Some(text.clone()),
            _ => None,
        });
        let is_route = self.is_route(call);
        if is_route {
            self.within.push(Branch { at: call.site.span, path: text.clone() });
        }
        let path = text.as_ref().filter(|_| !is_route);
        let before = self.steps.len();
        let mut last = before;
        for arg in &call.args {
            last = self.steps.len();
            let is_router = lays.is_none() && !is_route && self.has_routes(&arg.value);
            if is_router {
                self.within.push(Branch { at: arg.value.span, path: text.clone() });
            }
            self.link(&arg.value, path, fuel);
            if is_router {
                self.within.pop();
            }
        }
        self.push(Link::Call(call.site), path);
        if is_route {
            self.within.pop();
        }
        self.layer = outer;
        self.open = open;
        Some((before, last))
    }

    /// Whether the layers to the left of a call are around the routes that come later too.
    fn stays(&self, call: &CallValue) -> bool {
        let mut at = call.receiver();
        while let Some(ValueKind::Call(inner)) = at.map(|value| &value.kind) {
            if let Some(row) = self.lays(inner) {
                return row.whole;
            }
            at = inner.receiver();
        }
        false
    }

    /// Whether a call is given what runs for its route: `app.get('/me', me)`.
    fn is_route(&self, call: &CallValue) -> bool {
        call.receiver().is_some()
            && call.method().is_some_and(|name| self.names.routes.contains(name))
            && call.args.iter().any(|arg| !matches!(arg.value.kind, ValueKind::Text(_)))
    }

    /// Whether a value is a chain of calls with routes: `new Hono().use(check).get('/me', me)`.
    fn has_routes(&self, value: &Shared) -> bool {
        let mut at = Some(Value::before_calls(value));
        while let Some(ValueKind::Call(call)) = at.map(|value| &value.kind) {
            if self.is_route(call) {
                return true;
            }
            at = call.receiver().map(Value::before_calls);
        }
        false
    }

    /// The functions that a factory gives which is handed none: `authorize('admin')`.
    fn made(&self, value: &Shared, call: &CallValue) -> Option<Shared> {
        let is_factory = !call.is_new && !self.graph.targets(call).is_empty();
        if !is_factory || call.args.iter().any(|arg| !functions_behind(self.graph, &arg.value, 4).is_empty()) {
            return None;
        }
        let made = self.graph.expand(value)?;
        let is_made =
            |part: &Shared| matches!(Value::before_calls(part).kind, ValueKind::Function(_) | ValueKind::Call(_));
        let made = Arc::clone(Value::before_calls(&made));
        let is_told = match &made.kind {
            ValueKind::Array(members) => {
                members.iter().all(|member| matches!(member, Member::One(one) if is_made(one)))
            }
            ValueKind::Function(_) => true,
            _ => false,
        };
        is_told.then_some(made)
    }

    /// What a value runs, in order: a chain of registrations from its beginning, a list, what a wrapper is handed.
    fn link(&mut self, value: &Shared, path: Option<&String>, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let value = Value::before_calls(value);
        match &value.kind {
            ValueKind::Function(function) => self.push(Link::Function(*function), path),
            ValueKind::Call(call) => {
                let made = self.made(value, call);
                // What runs is what is in the list, one by one.
                if made.as_ref().is_none_or(|made| matches!(made.kind, ValueKind::Function(_))) {
                    self.call(call, fuel + 1);
                }
                if let Some(made) = made {
                    self.link(&made, path, fuel);
                }
            }
            ValueKind::Array(members) => members.iter().for_each(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                self.link(inner, path, fuel);
            }),
            // `{ preHandler: [verify, load] }`
            ValueKind::Object { entries, .. } => entries.iter().for_each(|slot| {
                if let Slot::Named { value, .. } = slot {
                    self.link(value, path, fuel);
                }
            }),
            ValueKind::Field(..) | ValueKind::Import(..) | ValueKind::Captured(..) => {
                let inner = self.graph.resolved(value);
                if matches!(
                    Value::before_calls(&inner).kind,
                    ValueKind::Function(_) | ValueKind::Call(_) | ValueKind::Array(_)
                ) {
                    self.link(&inner, path, fuel);
                }
            }
            _ => {}
        }
    }
}
