//! What a guard protects, where that can be told.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{EdgeKind, Entry, Front, Graph};
use crate::guards::chain::Link;
use crate::guards::extractors::extracted;
use crate::guards::matcher::{matched, texts};
use crate::guards::order::everywhere;
use crate::guards::paths::{Paths, excluded};
use crate::guards::shapes::{Shape, Shapes, functions_behind};
use crate::ir::FunctionId;
use crate::rules::EntryKind;
use crate::source::Scope;
use crate::summary::{CallSite, CallValue, ClassRef, FunctionRef, Shared, Value, ValueKind};

/// What one guard protects.
pub(super) struct Routes {
    pub names: Vec<String>,
    pub handlers: Vec<FunctionRef>,
    /// Whether these are all.
    pub known: bool,
    /// Whether there are others, which could not be told.
    pub open: bool,
}

pub(super) const EVERYWHERE: &str = "every route";

/// What runs before which handlers, the other way round.
#[derive(Debug)]
pub(super) struct Protected<'g, 'a> {
    graph: &'g Graph<'a>,
    by_function: BTreeMap<FunctionRef, BTreeSet<FunctionRef>>,
    by_call: BTreeMap<CallSite, BTreeSet<FunctionRef>>,
    by_class: BTreeMap<ClassRef, BTreeSet<FunctionRef>>,
    /// What is laid around some routes of a handler.
    around: BTreeMap<FunctionRef, Vec<(Front, BTreeSet<String>)>>,
    /// What calls say in words.
    said: BTreeMap<FunctionRef, BTreeSet<String>>,
    said_of_classes: BTreeMap<ClassRef, BTreeSet<String>>,
    everywhere: Vec<Link>,
    /// What stands in front of handlers that could not be told, and whether such a handler has a path.
    open: BTreeSet<FunctionRef>,
    is_open: bool,
}

impl<'g, 'a> Protected<'g, 'a> {
    pub(super) fn find(graph: &'g Graph<'a>, shapes: &Shapes) -> Self {
        let mut found = Self {
            graph,
            by_function: BTreeMap::new(),
            by_call: BTreeMap::new(),
            by_class: BTreeMap::new(),
            around: BTreeMap::new(),
            said: BTreeMap::new(),
            said_of_classes: BTreeMap::new(),
            everywhere: everywhere(graph, shapes),
            open: BTreeSet::new(),
            is_open: false,
        };
        let entries = graph.rules.entry().filter(|row| row.kind == EntryKind::Call && !row.covers);
        let registering: BTreeSet<&str> = entries.filter_map(|row| row.path.as_ref()?.last()).collect();
        for (handler, Front { runs, made, classes, around }) in graph.fronts() {
            found.around.insert(handler, around);
            for run in runs {
                found.by_function.entry(run).or_default().insert(handler);
            }
            for site in made {
                found.by_call.entry(site).or_default().insert(handler);
            }
            for class in classes {
                found.by_class.entry(class).or_default().insert(handler);
            }
        }
        for (_, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
            for event in unit.summary.functions.iter().flat_map(|summary| &summary.calls) {
                found.applied(&event.call);
                if event.call.args.len() > 1 && event.call.method().is_some_and(|name| registering.contains(name)) {
                    found.registered(&event.call);
                }
            }
        }
        found
    }

    /// `app.get('/x', check, handlers[name])`: a handler that cannot be told may ask nobody.
    fn registered(&mut self, call: &CallValue) {
        let (graph, Some(last)) = (self.graph, call.args.last()) else { return };
        let may_run = matches!(
            last.value.kind,
            ValueKind::Field(..)
                | ValueKind::Index(..)
                | ValueKind::Captured(..)
                | ValueKind::Param(..)
                | ValueKind::Import(..)
        );
        graph.refuel();
        if !may_run || !functions_behind(graph, &last.value, 6).is_empty() {
            return;
        }
        let ahead = &call.args[..call.args.len() - 1];
        self.open.extend(ahead.iter().flat_map(|arg| functions_behind(graph, &arg.value, 6)));
        self.is_open |= matches!(&ahead[0].value.kind, ValueKind::Text(path) if path.starts_with('/'));
    }

    /// The handlers that the framework runs a guard before, its own registrations, the handlers that take its class.
    pub(super) fn by(&self, guard: FunctionRef, shape: Option<&Shape>) -> Routes {
        let graph = self.graph;
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut handlers: BTreeSet<FunctionRef> = BTreeSet::new();
        let framework = graph.callers(guard);
        let framework = framework.iter().filter(|edge| matches!(edge.kind, EdgeKind::Framework));
        handlers.extend(framework.map(|edge| edge.caller).filter(|handler| has_route(graph, *handler)));
        handlers.extend(self.by_function.get(&guard).into_iter().flatten());
        let sites = makers(graph, guard);
        handlers.extend(sites.iter().filter_map(|site| self.by_call.get(site)).flatten());
        handlers.extend(self.asked(guard, shape));
        let made_by = shape.map_or(&[][..], |shape| shape.made_by.as_slice());
        let classes: BTreeSet<ClassRef> =
            classes(graph, guard).into_iter().chain(making(graph, guard, made_by)).collect();
        for class in &classes {
            handlers.extend(self.by_class.get(class).into_iter().flatten());
            names.extend(self.said_of_classes.get(class).into_iter().flatten().cloned());
        }
        names.extend(self.said.get(&guard).into_iter().flatten().cloned());
        handlers.remove(&guard);
        let by_name = asking(graph, guard, shape).into_iter().flat_map(|site| around(graph, site));
        let own: BTreeSet<FunctionRef> = by_name.chain([guard]).collect();
        let is_it = |front: &Front| {
            !own.is_disjoint(&front.runs) || !sites.is_disjoint(&front.made) || !classes.is_disjoint(&front.classes)
        };
        for handler in &handlers {
            let laid = self.around.get(handler).into_iter().flatten().filter(|(front, _)| is_it(front));
            let around: BTreeSet<&String> = laid.flat_map(|(_, routes)| routes).collect();
            names.extend(names_behind(graph, *handler, &own, &around));
        }
        let extracted = extracted(self, graph, guard, &BTreeMap::new());
        names.extend(extracted.names);
        handlers.extend(extracted.handlers);
        if self.everywhere.contains(&Link::Function(guard)) {
            names = BTreeSet::from([EVERYWHERE.to_owned()]);
        }
        if names.is_empty() {
            let said = shape.and_then(|shape| shape.routes.as_ref());
            names = said.and_then(|said| matched(graph, guard.file, said)).unwrap_or_default();
        }
        // What is only run by its name is handed to no router.
        if names.is_empty() && shape.is_none_or(|shape| shape.asked.is_none()) {
            names.extend(graph.covered(&BTreeSet::from([guard]), &sites).iter().map(|path| below(path)));
        }
        let own = graph.entries(guard).iter().filter(|entry| !entry.indirect && !entry.covers);
        // The word for what it is alone is no route: `strategy`.
        let own = own.map(|entry| entry.route.clone()).filter(|route| route.contains([' ', '/']));
        if names.is_empty() && (shape.is_some_and(|shape| shape.registered) || handlers.is_empty()) {
            names.extend(own);
        } else if !names.contains(EVERYWHERE) {
            // `router.all('/admin/*', check)` beside others.
            let path = |route: &str| route.split_once(' ').map(|(_, path)| path.to_owned());
            let said: BTreeSet<String> = names.iter().filter_map(|name| path(name)).collect();
            names.extend(
                own.filter(|route| route.starts_with("ALL ") && path(route).is_some_and(|p| !said.contains(&p))),
            );
        }
        let is_open =
            self.open.contains(&guard) || self.is_open && !graph.covered(&BTreeSet::from([guard]), &sites).is_empty();
        Routes { open: is_open, ..Routes::of(names, handlers) }
    }

    /// What the result of a call protects: `app.use(expressjwt({ .. }))`.
    pub(super) fn by_call(&self, site: CallSite) -> Routes {
        let handlers: BTreeSet<FunctionRef> = self.by_call.get(&site).cloned().unwrap_or_default();
        let mut names: BTreeSet<String> =
            handlers.iter().flat_map(|handler| route_names(self.graph, *handler)).collect();
        if names.is_empty() {
            let covered = self.graph.covered(&BTreeSet::new(), &BTreeSet::from([site]));
            names.extend(covered.iter().map(|path| below(path)));
        }
        Routes::of(names, handlers)
    }

    /// The handlers behind calls that run a guard by its name.
    fn asked(&self, guard: FunctionRef, shape: Option<&Shape>) -> BTreeSet<FunctionRef> {
        let mut found = BTreeSet::new();
        for site in asking(self.graph, guard, shape) {
            found.extend(self.by_call.get(&site).into_iter().flatten());
            // `(req, res, next) => passport.authenticate('jwt', callback)(req, res, next)`, perhaps made by another function.
            found.extend(self.behind(&around(self.graph, site)));
        }
        found
    }

    /// The handlers that one of these is known to run before.
    pub(super) fn behind(&self, guards: &BTreeSet<FunctionRef>) -> BTreeSet<FunctionRef> {
        let one = |guard: &FunctionRef| {
            let mut found: BTreeSet<FunctionRef> = self.by_function.get(guard).cloned().unwrap_or_default();
            found.extend(makers(self.graph, *guard).iter().filter_map(|site| self.by_call.get(site)).flatten());
            found
        };
        guards.iter().flat_map(one).collect()
    }

    /// The handlers that one of these functions or classes is laid before, each with the routes of which that holds.
    pub(super) fn before(
        &self,
        functions: &BTreeSet<FunctionRef>,
        classes: &BTreeSet<ClassRef>,
    ) -> BTreeMap<FunctionRef, Vec<String>> {
        let by_class = classes.iter().filter_map(|class| self.by_class.get(class)).flatten();
        let handlers = functions.iter().filter_map(|function| self.by_function.get(function)).flatten().chain(by_class);
        let is_it = |front: &Front| !functions.is_disjoint(&front.runs) || !classes.is_disjoint(&front.classes);
        let routes = |handler: FunctionRef| {
            let laid = self.around.get(&handler).into_iter().flatten().filter(|(front, _)| is_it(front));
            names_behind(self.graph, handler, functions, &laid.flat_map(|(_, routes)| routes).collect())
        };
        handlers.map(|handler| (*handler, routes(*handler))).collect()
    }

    /// `consumer.apply(Check).forRoutes(Cats, 'dogs', { path: 'birds', method: RequestMethod.GET })`
    fn applied(&mut self, call: &CallValue) {
        let graph = self.graph;
        let mut rows = graph.rules.applied().filter(|row| row.call.last() == call.method()).peekable();
        if call.method().is_none() || rows.peek().is_none() {
            return;
        }
        graph.refuel();
        let Some(path) = graph.library_path(call) else { return };
        let Some(row) = rows.find(|row| row.call.matches(&path)) else { return };
        let (mut given, mut functions, mut except) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut at = call.receiver();
        while let Some(ValueKind::Call(inner)) = at.map(|value| &value.kind) {
            if inner.method() == Some(&row.given) {
                given.extend(inner.args.iter().filter_map(|arg| graph.class_of_provider(&arg.value)));
                functions.extend(inner.args.iter().flat_map(|arg| functions_behind(graph, &arg.value, 4)));
            }
            if inner.method() == Some(&row.except) {
                except.extend(excluded(graph, inner, &row.path));
            }
            at = inner.receiver();
        }
        if given.is_empty() && functions.is_empty() {
            return;
        }
        let mut said = BTreeSet::new();
        for value in graph.argument(call, &row.to) {
            let value = graph.resolved(&value);
            let text = |value: &Shared| match &graph.resolved(value).kind {
                ValueKind::Text(text) => Some(text.clone()),
                _ => None,
            };
            match &value.kind {
                ValueKind::Text(path) => _ = said.insert(below(path)),
                ValueKind::Object { .. } => {
                    let key = |name: &str| Value::field(&value, name, value.span);
                    let Some(path) = text(&key(&row.path)) else { continue };
                    let verb = graph.path(&key(&row.method)).and_then(|path| Some(path.rsplit_once('.')?.1.to_owned()));
                    said.insert(match verb.filter(|verb| verb != "ALL") {
                        Some(verb) => format!("{verb} /{}", path.trim_matches('/')),
                        None => below(&path),
                    });
                }
                _ => {
                    let Some(class) = graph.class_behind(&value) else { continue };
                    let methods = graph.class(class).map_or(&[][..], |class| class.methods.as_slice());
                    let methods = methods.iter().map(|id| FunctionRef { file: class.file, id: *id });
                    said.extend(methods.flat_map(|method| route_names(graph, method)));
                }
            }
        }
        let said = Paths::except(except).narrow(said.into_iter().collect());
        for class in given {
            self.said_of_classes.entry(class).or_default().extend(said.iter().cloned());
        }
        for function in functions {
            self.said.entry(function).or_default().extend(said.iter().cloned());
        }
    }
}

/// What a registration in front of a path says: `/api`, `cats`, `*`.
pub(super) fn below(path: &str) -> String {
    let fixed = path.split(['*', '{', '(']).next().unwrap_or_default().trim_matches('/');
    if fixed.is_empty() { EVERYWHERE.to_owned() } else { format!("{EVERYWHERE} below /{fixed}") }
}

/// Whether what is said to be protected has a route: `every route below /user` has `GET /user/me`.
pub(super) fn has(said: &str, route: &str) -> bool {
    let path = route.split_once(' ').map_or(route, |(_, path)| path);
    let (said, except) = said.split_once(EXCEPT).unwrap_or((said, ""));
    if except.split(AND).any(|except| !except.is_empty() && has(except, route)) {
        return false;
    }
    match said.strip_prefix(EVERYWHERE) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(" below ").is_some_and(|below| path.starts_with(below)),
        // What goes by a path is for every verb.
        None => said == route || said == path,
    }
}

const EXCEPT: &str = " except ";
const AND: &str = " and ";

/// Whether what is said to be protected is no single route.
pub(super) fn is_every(said: &str) -> bool {
    said.starts_with(EVERYWHERE)
}

/// What is said to be protected, without some of it: `every route below /api except /api/login and every route below /api/public`.
pub(super) fn every_but(every: &str, except: &BTreeSet<String>) -> String {
    let except: Vec<&str> = except.iter().map(String::as_str).collect();
    [every, &except.join(AND)].join(if every.contains(EXCEPT) { AND } else { EXCEPT })
}

pub(super) fn has_route(graph: &Graph, handler: FunctionRef) -> bool {
    graph.entries(handler).iter().any(|entry| !entry.route.is_empty())
}

/// The routes of a handler; a procedure's goes by the key that holds it.
pub(super) fn route_names(graph: &Graph, handler: FunctionRef) -> Vec<String> {
    names_of(graph, handler, |_| true)
}

/// The routes of a handler that a guard is registered in front of, as one of these functions, or laid around; all where the registrations do not say
/// of which.
fn names_behind(
    graph: &Graph,
    handler: FunctionRef,
    guard: &BTreeSet<FunctionRef>,
    around: &BTreeSet<&String>,
) -> Vec<String> {
    let is_behind =
        |entry: &Entry| entry.ahead.iter().any(|ahead| guard.contains(ahead)) || around.contains(&entry.route);
    let said = graph.entries(handler).iter().any(|entry| !entry.covers && is_behind(entry));
    names_of(graph, handler, |entry| !said || is_behind(entry))
}

fn names_of(graph: &Graph, handler: FunctionRef, is_meant: impl Fn(&Entry) -> bool) -> Vec<String> {
    let entries = graph.entries(handler).iter().filter(|entry| !entry.covers && is_meant(entry));
    let named = |route: String| match graph.registered_name(handler).filter(|_| !route.contains(' ')) {
        Some(name) => format!("{route} {name}"),
        None => route,
    };
    entries.map(|entry| entry.route.clone()).filter(|route| !route.is_empty()).map(named).collect()
}

/// The calls that a guard is the result of: `requireRole('admin')`.
fn makers(graph: &Graph, guard: FunctionRef) -> BTreeSet<CallSite> {
    let Some(factory) = graph.named_parent(guard).filter(|factory| factory.id.0 != 0) else { return BTreeSet::new() };
    let returned = graph.summary(factory).and_then(|summary| summary.returns.as_ref());
    if !returned.is_some_and(|value| functions_behind(graph, value, 4).contains(&guard)) {
        return BTreeSet::new();
    }
    let callers = graph.callers(factory);
    let sites = callers.iter().filter_map(|edge| match &edge.kind {
        EdgeKind::Call(call) => Some(call.site),
        _ => None,
    });
    sites.collect()
}

/// The class of a guard, and those that inherit it.
pub(super) fn classes(graph: &Graph, guard: FunctionRef) -> BTreeSet<ClassRef> {
    let Some(class) = graph.function(guard).and_then(|function| function.class) else { return BTreeSet::new() };
    let class = ClassRef { file: guard.file, id: class };
    graph.heirs(class).into_iter().chain([class]).collect()
}

/// The classes that make the object of a guard's class where they are registered: tower's layers.
fn making(graph: &Graph, guard: FunctionRef, by: &[String]) -> BTreeSet<ClassRef> {
    let own = classes(graph, guard);
    let mut found = BTreeSet::new();
    for (file, unit) in graph.units().filter(|_| !by.is_empty()) {
        for (at, function) in unit.module.functions.iter().enumerate() {
            let Some(class) = function.class.filter(|_| by.contains(&function.name)) else { continue };
            let returned = unit.summary.functions.get(at).and_then(|summary| summary.returns.as_ref());
            if returned.is_some_and(|value| makes_one_of(graph, value, &own, 8)) {
                found.insert(ClassRef { file, id: class });
            }
        }
    }
    found
}

fn makes_one_of(graph: &Graph, value: &Shared, classes: &BTreeSet<ClassRef>, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    if let ValueKind::Call(call) = &value.kind
        && call.is_new
        && graph.class_behind(&call.callee).is_some_and(|class| classes.contains(&class))
    {
        return true;
    }
    let mut found = false;
    value.kind.each(&mut |inner| found = found || makes_one_of(graph, inner, classes, fuel));
    found
}

impl Routes {
    pub(super) fn of(names: BTreeSet<String>, handlers: BTreeSet<FunctionRef>) -> Self {
        Self {
            names: names.into_iter().collect(),
            known: !handlers.is_empty() && handlers.len() <= 5,
            handlers: handlers.into_iter().collect(),
            open: false,
        }
    }
}

/// The calls that run a guard by its name.
fn asking(graph: &Graph, guard: FunctionRef, shape: Option<&Shape>) -> BTreeSet<CallSite> {
    let Some((pattern, name)) = shape.and_then(|shape| shape.asked.as_ref()) else { return BTreeSet::new() };
    let calls = || graph.units().flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
    // `passport.use('other', strategy)`
    let names: BTreeSet<String> = calls()
        .filter(|event| event.call.method() == Some("use") && event.call.args.len() == 2)
        .filter(|event| functions_behind(graph, &event.call.args[1].value, 6).contains(&guard))
        .flat_map(|event| texts(graph, &event.call.args[0].value))
        .collect();
    let names = if names.is_empty() { BTreeSet::from([name.clone()]) } else { names };
    let runs_it = |call: &CallValue| {
        graph.refuel();
        graph.library_path(call).is_some_and(|path| pattern.matches(&path))
            && call.args.first().is_some_and(|arg| !texts(graph, &arg.value).is_disjoint(&names))
    };
    let all = calls().map(|event| &event.call).filter(|call| call.method() == pattern.last());
    all.filter(|call| runs_it(call)).map(|call| call.site).collect()
}

/// What stands for a guard that is run by its name where routes are registered: the calls that run it, what makes of these a function.
pub(super) fn links(graph: &Graph, guard: FunctionRef, shape: Option<&Shape>) -> BTreeSet<Link> {
    let of_site = |site: CallSite| {
        let around = around(graph, site).into_iter();
        let around = around.flat_map(|of| makers(graph, of).into_iter().map(Link::Call).chain([Link::Function(of)]));
        around.chain([Link::Call(site)]).collect::<Vec<_>>()
    };
    asking(graph, guard, shape).into_iter().flat_map(of_site).collect()
}

/// The functions that a call stands in.
pub(super) fn around(graph: &Graph, site: CallSite) -> BTreeSet<FunctionRef> {
    std::iter::successors(Some(site.function), |at| graph.named_parent(*at)).filter(|at| at.id.0 != 0).collect()
}

/// The functions above guards by which routes name them: what makes a guard, and what puts decorators with its class together.
pub(super) fn naming(graph: &Graph, shapes: &Shapes, guards: &BTreeSet<FunctionRef>) -> BTreeSet<FunctionRef> {
    let mut found: BTreeSet<FunctionRef> = guards
        .iter()
        .filter(|guard| !makers(graph, **guard).is_empty() || !graph.is_rust(guard.file))
        .filter_map(|guard| graph.named_parent(*guard).filter(|factory| factory.id.0 != 0))
        .collect();
    for guard in guards {
        let sites = asking(graph, *guard, shapes.of(graph, *guard).as_ref());
        found.extend(sites.into_iter().flat_map(|site| around(graph, site)));
    }
    let classes: BTreeSet<ClassRef> =
        guards.iter().filter(|guard| !graph.is_rust(guard.file)).flat_map(|guard| classes(graph, *guard)).collect();
    let names: Vec<&str> = classes.iter().filter_map(|class| Some(graph.class(*class)?.name.as_str())).collect();
    let files: BTreeSet<_> = graph.sources.mentions(&names).into_iter().flatten().collect();
    for file in files {
        let Some(unit) = graph.unit(file) else { continue };
        for (at, summary) in unit.summary.functions.iter().enumerate().skip(1) {
            let Some(ValueKind::Call(call)) = summary.returns.as_ref().map(|returned| &returned.kind) else { continue };
            let args = graph.composed(call).into_iter().flat_map(|call| call.args.clone());
            let mut given = args.filter_map(|arg| graph.class_of_provider(&arg.value));
            if given.any(|class| classes.contains(&class)) {
                found.insert(FunctionRef { file, id: FunctionId::of(at) });
            }
        }
    }
    found
}

/// Asks for the files of the routers that guards stand in front of.
pub(super) fn open_behind(graph: &Graph, guards: &BTreeSet<FunctionRef>) {
    let made = guards.iter().flat_map(|guard| makers(graph, *guard)).collect();
    graph.open_behind(guards, &made);
}
