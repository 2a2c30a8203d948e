//! What stands in front of the handlers of routes: what their registrations name before them, what their routers run, what is laid
//! around the routes of a router, what decorators name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::chain::{Ahead, is_for_others};
use crate::graph::entries::text_at;
use crate::graph::framework::run_by_classes;
use crate::graph::handlers::{handlers, made, may_run};
use crate::graph::mounts::{Router, router_behind};
use crate::graph::{Graph, Resolved, Type};
use crate::ir::{Export, FunctionId, FunctionKind};
use crate::rules::{Entry as EntryRow, EntryKind};
use crate::source::{Scope, Span};
use crate::summary::{Argument, CallSite, CallValue, ClassRef, FunctionRef, Member, Shared, Slot, ValueKind};

/// What stands in front of one handler.
#[derive(Clone, Debug, Default)]
pub struct Front {
    pub runs: BTreeSet<FunctionRef>,
    /// The calls whose results run: `requireRole('admin')`.
    pub made: BTreeSet<CallSite>,
    /// The classes that decorators are handed.
    pub classes: BTreeSet<ClassRef>,
    /// Of a handler with several routes: what is laid around some, and which these are.
    pub around: Vec<(Front, BTreeSet<String>)>,
}

impl Graph<'_> {
    /// What stands in front of each handler that has a route.
    pub fn fronts(&self) -> BTreeMap<FunctionRef, Front> {
        let mut found: BTreeMap<FunctionRef, Front> = BTreeMap::new();
        let rows: Vec<&EntryRow> = self.rules.entry().filter(|row| row.kind == EntryKind::Call).collect();
        for (file, unit) in self.units().filter(|(file, _)| self.sources.get(*file).scope == Scope::Production) {
            // `export default withUser((req, res) => ..)`
            for value in unit.summary.exported.values().filter(|value| matches!(value.kind, ValueKind::Call(_))) {
                self.refuel();
                let routed = handlers(self, value, 6).into_iter().filter(|function| self.is_routed(*function));
                for function in routed.collect::<Vec<_>>() {
                    found.entry(function).or_default().made.extend(made(self, value, 6));
                }
            }
            // `export const GET = withUser(async (request) => ..)`
            let is_routed =
                (0..unit.module.functions.len()).any(|at| self.is_routed(FunctionRef { file, id: FunctionId::of(at) }));
            let names = unit.module.exports.iter().filter_map(|export| match export {
                Export::Named { name, .. } => Some(name),
                _ => None,
            });
            for name in names.filter(|_| is_routed && !self.is_rust(file)) {
                let Resolved::Value(value) = self.resolve_export(file, name) else { continue };
                // What a call of the tree gives is the function in front, not what it is handed.
                let is_call = matches!(value.kind, ValueKind::Call(_));
                let value = if is_call { value } else { self.resolved(&value) };
                if let ValueKind::Call(call) = &value.kind
                    && call.site.span.file == file
                {
                    let routed = handlers(self, &value, 6).into_iter().filter(|function| self.is_routed(*function));
                    for function in routed.collect::<Vec<_>>() {
                        found.entry(function).or_default().made.extend(made(self, &value, 6));
                    }
                }
            }
            for (at, summary) in unit.summary.functions.iter().enumerate() {
                let function = FunctionRef { file, id: FunctionId::of(at) };
                let routed = self.entries(function).iter().filter(|entry| !entry.covers && !entry.route.is_empty());
                for entry in routed {
                    found.entry(function).or_default().runs.extend(&entry.ahead);
                }
                if self.is_routed(function) && unit.module.functions[at].kind == FunctionKind::Method {
                    found.entry(function).or_default().classes.extend(self.decorating(function));
                }
                for event in &summary.calls {
                    self.registered_behind(&rows, &event.call, &mut found);
                    self.laid_around(
                        &event.call,
                        &summary.calls.iter().map(|e| &*e.call).collect::<Vec<_>>(),
                        &mut found,
                    );
                }
            }
        }
        found
    }

    fn is_routed(&self, function: FunctionRef) -> bool {
        self.entries(function).iter().any(|entry| !entry.covers && !entry.indirect && !entry.route.is_empty())
    }

    /// `app.get('/x', check, handler)`, `procedure.use(check).query(handler)`.
    fn registered_behind(&self, rows: &[&EntryRow], call: &CallValue, found: &mut BTreeMap<FunctionRef, Front>) {
        let fits = |row: &&&EntryRow| row.path.as_ref().is_some_and(|path| path.last() == call.method());
        let mut fitting = rows.iter().filter(fits).peekable();
        if call.method().is_none() || fitting.peek().is_none() || !call.args.iter().any(|arg| may_run(&arg.value, 3)) {
            return;
        }
        self.refuel();
        let given: Vec<FunctionRef> = call.args.iter().flat_map(|arg| handlers(self, &arg.value, 6)).collect();
        let mut behind: BTreeSet<FunctionRef> = given.iter().copied().filter(|of| self.is_routed(*of)).collect();
        if behind.is_empty() {
            return;
        }
        // What runs in front, or was given to a call there (`jwt({ getToken })`), may run on other routes too.
        let last = call.args.last().map_or_else(Vec::new, |last| handlers(self, &last.value, 6));
        if behind.iter().any(|function| last.contains(function)) {
            behind.retain(|function| last.contains(function));
        }
        let Some(path) = self.library_path(call) else { return };
        let is_it = |row: &&&EntryRow| row.path.as_ref().is_some_and(|pattern| pattern.matches(&path));
        let Some(row) = fitting.find(is_it).filter(|row| !row.covers) else { return };
        let mut front = Front::default();
        let own = row.route.iter().find_map(|at| text_at(self, call, at));
        let ahead = Ahead::of(self, row, (&self.entries.covers, &self.entries.mounts), call, own.as_deref());
        front.runs.extend(ahead.runs);
        front.made.extend(ahead.made);
        front.runs.extend(&given);
        front.made.extend(call.args.iter().flat_map(|arg| made(self, &arg.value, 6)));
        if let Some(receiver) = call.receiver() {
            self.chained(rows, receiver, &|left| is_for_others(self, rows, left, call, own.as_deref()), &mut front);
        }
        for function in behind {
            let own = found.entry(function).or_default();
            own.runs.extend(front.runs.iter().filter(|run| **run != function));
            own.made.extend(&front.made);
        }
    }

    /// What the calls to the left of a registration hand over, except where these are laid around what stands further left.
    fn chained(
        &self,
        rows: &[&EntryRow],
        receiver: &Shared,
        is_for_others: &dyn Fn(&CallValue) -> bool,
        front: &mut Front,
    ) {
        let mut at = self.resolved(receiver);
        for _ in 0..24 {
            let ValueKind::Call(call) = &at.kind else { return };
            // What is mounted further left has its own layers.
            let mounts = || self.rules.mount().any(|row| row.router.is_some() && row.call.last() == call.method());
            let around = self.rules.layer().any(|row| row.call.last() == call.method() && !row.whole)
                || self.is_rust(call.site.span.file) && mounts();
            // `app.get('/a', check, a).get('/b', b)`: what stands in front of one route is in front of no other.
            let is_verb = |row: &EntryRow| row.verb.as_ref().is_some_and(|verb| verb.chars().all(char::is_uppercase));
            let is_route = rows.iter().any(|row| {
                !row.covers && is_verb(row) && row.path.as_ref().is_some_and(|path| path.last() == call.method())
            });
            // `route('/a').all(check).get(a)` checks whatever the verb.
            let is_for_all = |row: &EntryRow| {
                row.bare
                    && row.verb.as_deref() == Some("ALL")
                    && row.path.as_ref().is_some_and(|path| path.last() == call.method())
            };
            let names_path = |arg: &Argument| matches!(self.resolved(&arg.value).kind, ValueKind::Text(_));
            let is_for_all = rows.iter().any(|row| is_for_all(row)) && !call.args.first().is_some_and(names_path);
            if !around && (!is_route || is_for_all) && call.method().is_some() && !is_for_others(call) {
                front.runs.extend(call.args.iter().flat_map(|arg| handlers(self, &arg.value, 6)));
                front.made.extend(call.args.iter().flat_map(|arg| made(self, &arg.value, 6)));
            }
            let Some(next) = call.receiver().map(|next| self.resolved(next)) else { return };
            at = next;
        }
    }

    /// `Router::new().route("/x", get(handler)).layer(from_fn(check))`
    fn laid_around(&self, call: &CallValue, beside: &[&CallValue], found: &mut BTreeMap<FunctionRef, Front>) {
        let mut rows = self.rules.layer().filter(|row| row.call.last() == call.method()).peekable();
        let Some(receiver) = call.receiver().filter(|_| rows.peek().is_some()) else { return };
        self.refuel();
        // By its own name: a layer of the tree has a method `layer` too.
        let Some(path) = self.callee_path(call) else { return };
        let Some(row) = rows.find(|row| row.call.matches(&path)) else { return };
        let mut front = Front::default();
        for arg in &call.args {
            self.inside(&arg.value, 8, &mut |inner| match &inner.kind {
                ValueKind::Function(function) => {
                    front.runs.insert(*function);
                }
                ValueKind::Call(call) => {
                    front.made.insert(call.site);
                    front
                        .classes
                        .extend(Some(&call.callee).filter(|_| call.is_new).and_then(|of| self.class_behind(of)));
                    // `from_extractor::<Auth>()`
                    front.classes.extend(self.type_args(call).into_iter().filter_map(|named| match named {
                        Type::Instance(class, _) => Some(class),
                        _ => None,
                    }));
                }
                ValueKind::Class(class) => {
                    front.classes.insert(*class);
                }
                _ => {}
            });
        }
        let (mut behind, mut within) = (BTreeSet::new(), BTreeSet::new());
        let mut note = |inner: &Shared| {
            within.insert(inner.span);
            if let ValueKind::Function(function) = &inner.kind
                && self.is_routed(*function)
            {
                behind.insert(*function);
            }
        };
        self.inside(receiver, 24, &mut note);
        if row.whole {
            let holds = |other: &&&CallValue| {
                let mut at = other.receiver();
                std::iter::from_fn(|| {
                    let ValueKind::Call(inner) = &at?.kind else { return None };
                    at = inner.receiver();
                    Some(inner.site)
                })
                .take(60)
                .any(|site| site == call.site)
            };
            for other in beside.iter().filter(holds) {
                other.args.iter().for_each(|arg| self.inside(&arg.value, 24, &mut note));
                self.configured(other, 24, &mut note);
            }
        }
        for function in behind {
            let own = found.entry(function).or_default();
            if let Some(places) = self.entries.places.get(&function).filter(|places| places.len() > 1) {
                let holds =
                    |at: &Span, part: &Span| at.file == part.file && at.start <= part.start && part.end <= at.end;
                let is_within = |at: &Span| within.iter().any(|part| holds(at, part));
                let routes = places.iter().filter(|(_, at)| is_within(at)).map(|(route, _)| route.clone()).collect();
                own.around.push((front.clone(), routes));
            }
            own.runs.extend(&front.runs);
            own.made.extend(&front.made);
            own.classes.extend(&front.classes);
        }
    }

    /// All that a value is made of: of a chain of calls each, of a call of the tree what it comes to.
    fn inside(&self, value: &Shared, fuel: u8, found: &mut dyn FnMut(&Shared)) {
        let Some(fuel) = fuel.checked_sub(1).filter(|_| self.step()) else { return };
        found(value);
        match &value.kind {
            ValueKind::Call(call) => {
                // A chain is no depth.
                if let Some(receiver) = call.receiver() {
                    self.inside(receiver, fuel + u8::from(fuel < u8::MAX), found);
                }
                call.args.iter().for_each(|arg| self.inside(&arg.value, fuel, found));
                self.configured(call, fuel, found);
                if !self.targets(call).is_empty()
                    && let Some(inner) = self.expand(value).filter(|inner| !Arc::ptr_eq(inner, value))
                {
                    self.inside(&inner, fuel, found);
                }
            }
            ValueKind::Array(members) => members.iter().for_each(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                self.inside(inner, fuel, found);
            }),
            ValueKind::After { before, call, arg } => {
                self.inside(before, fuel, found);
                // What a library is handed becomes no part of what else it is handed: `from_fn_with_state(state, check)`.
                if arg.is_none() || !self.targets(call).is_empty() {
                    call.args.iter().for_each(|arg| self.inside(&arg.value, fuel, found));
                }
            }
            ValueKind::Object { base, entries } => {
                // What a struct literal makes.
                if let Some(made) = base {
                    self.inside(made, fuel, found);
                }
                for slot in entries {
                    if let Slot::Named { value, .. } = slot {
                        self.inside(value, fuel, found);
                    }
                }
            }
            ValueKind::Field(..) | ValueKind::Import(..) | ValueKind::Captured(..) => {
                if let Some(inner) = self.expand(value).filter(|inner| !Arc::ptr_eq(inner, value)) {
                    self.inside(&inner, fuel, found);
                }
            }
            _ => {}
        }
    }

    /// What the functions register that a call hands its router to: `scope.configure(routes)`.
    fn configured(&self, call: &CallValue, fuel: u8, found: &mut dyn FnMut(&Shared)) {
        let mut rows = self.rules.mount().filter(|row| row.configures && row.call.last() == call.method()).peekable();
        if call.method().is_none() || rows.peek().is_none() {
            return;
        }
        let Some(row) = rows.find(|row| self.library_path(call).is_some_and(|path| row.call.matches(&path))) else {
            return;
        };
        let given = row.router.iter().flat_map(|at| self.argument(call, at));
        for function in given.flat_map(|value| handlers(self, &value, 4)) {
            self.registered_on(Router::Param(function, 0), fuel, found);
        }
    }

    /// What a function registers on a router that it is handed, itself or by functions that it hands the router on to.
    fn registered_on(&self, router: Router, fuel: u8, found: &mut dyn FnMut(&Shared)) {
        let (Some(fuel), Router::Param(function, _)) = (fuel.checked_sub(1).filter(|_| self.step()), router) else {
            return;
        };
        let calls = self.summary(function).map_or(&[][..], |summary| summary.calls.as_slice());
        for call in calls.iter().map(|event| &event.call) {
            let is_it = |value: &Shared| router_behind(self, value) == Some(router);
            if call.receiver().is_some_and(is_it) {
                call.args.iter().for_each(|arg| self.inside(&arg.value, fuel, found));
                self.configured(call, fuel, found);
                continue;
            }
            for (at, _) in (0..).zip(&call.args).filter(|(_, arg)| is_it(&arg.value)) {
                for target in self.targets(call).iter() {
                    self.registered_on(Router::Param(target.function, at), fuel, found);
                }
            }
        }
    }

    /// The classes that the decorators of a method, or of its class, are handed, through those that put others together.
    fn decorating(&self, method: FunctionRef) -> BTreeSet<ClassRef> {
        let Some(unit) = self.unit(method.file) else { return BTreeSet::new() };
        let class = unit.module.function(method.id).class.and_then(|id| unit.summary.class_decorators.get(id.at()));
        let own = unit.summary.functions.get(method.id.at()).map_or(&[][..], |summary| summary.decorators.as_slice());
        let decorators = class.map_or(&[][..], Vec::as_slice).iter().chain(own);
        let args =
            decorators.flat_map(|decorator| self.composed(decorator)).flat_map(|decorator| decorator.args.clone());
        let classes = args.filter_map(|arg| {
            self.refuel();
            self.class_of_provider(&arg.value)
        });
        classes.collect()
    }

    /// A class, or what `new` makes of it.
    pub fn class_of_provider(&self, value: &Shared) -> Option<ClassRef> {
        match &self.resolved(value).kind {
            ValueKind::Call(made) if made.is_new => self.class_behind(&made.callee),
            _ => self.class_behind(value),
        }
    }

    /// A decorator and those that a function of the tree puts together in its place: `Auth()` for `applyDecorators(UseGuards(G))`.
    pub fn composed(&self, decorator: &Arc<CallValue>) -> Vec<Arc<CallValue>> {
        fn visit(graph: &Graph, call: &Arc<CallValue>, fuel: u8, found: &mut Vec<Arc<CallValue>>) {
            found.push(Arc::clone(call));
            let Some(fuel) = fuel.checked_sub(1) else { return };
            let mut inner: Vec<Shared> = call.args.iter().map(|arg| Arc::clone(&arg.value)).collect();
            for target in graph.targets(call).iter().take(2) {
                inner.extend(graph.summary(target.function).and_then(|summary| summary.returns.clone()));
            }
            for value in inner {
                if let ValueKind::Call(call) = &graph.resolved(&value).kind {
                    visit(graph, call, fuel, found);
                } else if let ValueKind::Call(call) = &value.kind {
                    visit(graph, call, fuel, found);
                }
            }
        }
        self.refuel();
        let mut found = Vec::new();
        visit(self, decorator, 4, &mut found);
        found
    }

    /// Asks for the files of the routers that stand behind some functions, or behind what some calls make.
    pub fn open_behind(&self, runs: &BTreeSet<FunctionRef>, made: &BTreeSet<CallSite>) {
        let mut behind: BTreeSet<Router> = self.entries.covers.with(runs, made).map(|(router, _)| router).collect();
        let mounting: Vec<(&crate::rules::Mount, &CallValue)> = self
            .rules
            .mount()
            .filter(|row| row.router.is_some())
            .flat_map(|row| self.calls_named(row.call.last()).iter().map(move |at| (row, at)))
            .filter_map(|(row, at)| Some((row, &**self.call_at(*at)?)))
            .collect();
        for _ in 0..12 {
            let before = behind.len();
            for (row, call) in &mounting {
                self.refuel();
                let on = call.receiver().and_then(|receiver| router_behind(self, receiver));
                if !on.is_some_and(|on| behind.contains(&on)) {
                    continue;
                }
                let routers = row.router.iter().flat_map(|path| self.argument(call, path));
                behind.extend(routers.filter_map(|router| router_behind(self, &router)));
            }
            if behind.len() == before {
                return;
            }
        }
    }

    /// The paths below which routers run one of these before what is registered on them; empty: everywhere.
    pub fn covered(&self, runs: &BTreeSet<FunctionRef>, made: &BTreeSet<CallSite>) -> BTreeSet<String> {
        self.entries.covers.with(runs, made).map(|(_, below)| below.to_owned()).collect()
    }

    /// A call by its place.
    pub fn call_of(&self, site: CallSite) -> Option<&Arc<CallValue>> {
        let calls = &self.summary(site.function)?.calls;
        calls.iter().map(|event| &event.call).find(|call| call.site == site)
    }

    /// What runs where a class that provides it by its name does.
    pub fn run_by_classes(&self) -> BTreeMap<ClassRef, BTreeSet<FunctionRef>> {
        run_by_classes(self)
    }
}
