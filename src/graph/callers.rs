//! Who calls a function: written calls, functions handed over, calls by a constant name, calls by a framework.
//!
//! Linking is lazy. A call can only reach a function whose name it mentions, so calls are indexed by that name once, and resolved
//! when the callers of a function of that name are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::graph::calls::{Edge, EdgeKind};
use crate::graph::closures::handed_bindings;
use crate::graph::factories::Inside;
use crate::graph::framework::framework_edges;
use crate::graph::{Graph, Unit};
use crate::ir::{FunctionId, FunctionKind, Imported};
use crate::source::FileId;
use crate::summary::{CallValue, ClassRef, Event, FunctionRef, Guard, Guards, Member, Shared, Slot, Value, ValueKind};

/// A call: the function it is written in and its place among that function's calls.
pub(super) type At = (FunctionRef, usize);

/// Calls by what they mention.
#[derive(Debug, Default)]
pub(super) struct CallIndex<'a> {
    by_name: FxHashMap<&'a str, Vec<At>>,
    /// The called function stands there itself.
    direct: FxHashMap<FunctionRef, Vec<At>>,
    /// Functions handed over as arguments, with the argument's place.
    handed: FxHashMap<FunctionRef, Vec<(At, usize)>>,
    /// Calls that are given a function of another file, by its name.
    handed_named: FxHashMap<&'a str, Vec<At>>,
    /// Callees without a name of their own: variables, results of calls, elements.
    nameless: Vec<At>,
    /// Functions that stand in an object beside a constant that names it: `{ id: 'mail.send', handler }`.
    labelled: FxHashMap<FunctionRef, Vec<&'a str>>,
    /// Calls that mention such a constant.
    by_label: FxHashMap<&'a str, Vec<At>>,
}

impl<'a> CallIndex<'a> {
    pub(super) fn new(units: &[(FileId, &'a Unit)]) -> Self {
        let mut index = Self::default();
        for (file, unit) in units {
            for (at, summary) in unit.summary.functions.iter().enumerate() {
                let function = FunctionRef { file: *file, id: FunctionId::of(at) };
                for (nth, event) in summary.calls.iter().enumerate() {
                    index.add(unit, (function, nth), &event.call);
                }
                for values in summary.assigned.values() {
                    for value in values {
                        index.label(value, 3);
                    }
                }
            }
            unit.summary.exported.values().for_each(|value| index.label(value, 3));
        }
        let labels: BTreeSet<&str> = index.labelled.values().flatten().copied().collect();
        index.by_label.retain(|label, _| labels.contains(label));
        index
    }

    fn add(&mut self, unit: &'a Unit, at: At, call: &'a CallValue) {
        match &call.callee.kind {
            ValueKind::Function(function) => self.direct.entry(*function).or_default().push(at),
            ValueKind::Field(_, name) => self.by_name.entry(name).or_default().push(at),
            ValueKind::Import(_, id) => {
                let import = unit.module.imports.get(id.at());
                match import.map(|import| &import.what) {
                    Some(Imported::Named(name)) => self.by_name.entry(name).or_default().push(at),
                    _ => self.nameless.push(at),
                }
            }
            ValueKind::Class(class) => {
                let name = unit.module.classes.get(class.id.at()).map_or("", |class| class.name.as_str());
                self.by_name.entry(name).or_default().push(at);
            }
            ValueKind::Global(_) => {}
            _ => self.nameless.push(at),
        }
        for (nth, arg) in call.args.iter().enumerate() {
            for function in functions_in(&arg.value) {
                self.handed.entry(function).or_default().push((at, nth));
            }
            for name in names_in(unit, &arg.value) {
                self.handed_named.entry(name).or_default().push(at);
            }
            self.label(&arg.value, 3);
            for text in texts_in(&arg.value) {
                self.by_label.entry(text).or_default().push(at);
            }
        }
    }

    /// Objects with one function and constants that could name it.
    fn label(&mut self, value: &'a Shared, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        match &value.kind {
            ValueKind::Object { entries, .. } => {
                let mut functions = Vec::new();
                let mut labels = Vec::new();
                for entry in entries {
                    let Slot::Named { value, .. } = entry else { continue };
                    match &value.kind {
                        ValueKind::Function(function) => functions.push(*function),
                        ValueKind::Text(text) if is_label(text) => labels.push(text.as_str()),
                        _ => self.label(value, fuel),
                    }
                }
                if let ([function], false) = (functions.as_slice(), labels.is_empty()) {
                    self.labelled.entry(*function).or_default().extend(labels);
                }
            }
            ValueKind::Array(members) => {
                for member in members {
                    if let Member::One(inner) = member {
                        self.label(inner, fuel);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A constant that is made to be a name: several words, held together by `.`, `-`, `:`, `_` or `/`.
fn is_label(text: &str) -> bool {
    let joined = text.split(['.', '-', ':', '_', '/']).filter(|word| !word.is_empty()).count() > 1;
    joined
        && text.len() >= 8
        && text.len() <= 80
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_/".contains(c))
}

fn texts_in(value: &Shared) -> Vec<&str> {
    match &value.kind {
        ValueKind::Text(text) if is_label(text) => vec![text],
        ValueKind::Object { entries, .. } => entries
            .iter()
            .filter_map(|entry| match entry {
                Slot::Named { value, .. } => match &value.kind {
                    ValueKind::Text(text) if is_label(text) => Some(text.as_str()),
                    _ => None,
                },
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The names of the functions of other files, and of methods, that an argument may hand over: itself, or those in its object.
fn names_in<'a>(unit: &'a Unit, value: &'a Shared) -> Vec<&'a str> {
    let name = |value: &'a Shared| match &value.kind {
        ValueKind::Import(_, id) => match &unit.module.imports.get(id.at())?.what {
            Imported::Named(name) => Some(name.as_str()),
            _ => None,
        },
        ValueKind::Field(base, name) => {
            let is_root = matches!(
                base.kind,
                ValueKind::Import(..) | ValueKind::This(_) | ValueKind::Captured(..) | ValueKind::Call(_)
            );
            is_root.then_some(name.as_str())
        }
        _ => None,
    };
    match &value.kind {
        ValueKind::Object { entries, .. } => entries
            .iter()
            .filter_map(|entry| match entry {
                Slot::Named { value, .. } => name(value),
                _ => None,
            })
            .collect(),
        _ => name(value).into_iter().collect(),
    }
}

/// The functions that an argument hands over: itself, or those in its object.
fn functions_in(value: &Shared) -> Vec<FunctionRef> {
    match &value.kind {
        ValueKind::Function(function) => vec![*function],
        ValueKind::Object { entries, .. } => entries
            .iter()
            .filter_map(|entry| match entry {
                Slot::Named { value, .. } => match value.kind {
                    ValueKind::Function(function) => Some(function),
                    _ => None,
                },
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

impl Graph<'_> {
    /// Who calls a function, framework calls included; sorted by place.
    pub fn callers(&self, of: FunctionRef) -> Rc<Vec<Edge>> {
        if let Some(known) = self.callers.borrow().get(&of) {
            return Rc::clone(known);
        }
        let found = Rc::new(self.find_callers(of));
        self.callers.borrow_mut().insert(of, Rc::clone(&found));
        found
    }

    /// The calls that may reach one of some functions: those that say its name, and those without a name to go by.
    pub(super) fn calls_towards(&self, functions: &BTreeSet<FunctionRef>) -> BTreeSet<At> {
        let mut found: BTreeSet<At> = self.index.nameless.iter().copied().collect();
        for of in functions {
            let class = self.function(*of).filter(|declared| declared.kind == FunctionKind::Constructor);
            let class = class.and_then(|declared| self.class(ClassRef { file: of.file, id: declared.class? }));
            let name = class.map_or_else(|| self.called_as(*of), |class| &class.name);
            found.extend(self.index.direct.get(of).into_iter().flatten());
            for name in std::iter::once(name).chain(self.other_names(*of)) {
                found.extend(self.calls_named(Some(name)));
            }
        }
        found
    }

    /// The calls of methods and functions of that name.
    pub(super) fn calls_named(&self, name: Option<&str>) -> &[At] {
        name.and_then(|name| self.index.by_name.get(name)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn call_at(&self, at: At) -> Option<&Arc<CallValue>> {
        self.event(at).map(|event| &event.call)
    }

    /// The only call that names a function where it stands: a closure that is run as it is written.
    pub(super) fn only_run_of(&self, of: FunctionRef) -> Option<&Arc<CallValue>> {
        match self.index.direct.get(&of)?.as_slice() {
            [only] if !self.index.handed.contains_key(&of) => self.call_at(*only),
            _ => None,
        }
    }

    fn event(&self, at: At) -> Option<&Event> {
        self.summary(at.0)?.calls.get(at.1)
    }

    fn find_callers(&self, of: FunctionRef) -> Vec<Edge> {
        let Some(declared) = self.function(of) else { return Vec::new() };
        let class = declared.class.map(|id| ClassRef { file: of.file, id });
        let name = match declared.kind {
            FunctionKind::Constructor => class.and_then(|class| self.class(class)).map_or("", |class| &class.name),
            _ => self.called_as(of),
        };
        let others: Vec<&str> = self.other_names(of).collect();
        let mut names: Vec<String> = others.iter().copied().chain([name]).map(str::to_owned).collect();
        // What holds the whole module names the file only: `module.exports = { user: require('./user.queries') }`.
        if class.is_none() {
            names.push(self.sources.get(of.file).stem().to_owned());
        }
        {
            // A port need not name the method that it inherits.
            let _all = self.without_limit();
            names.extend(class.map_or_else(Vec::new, |class| self.names_of_class(class)));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _limit = self.limit(Rc::new(self.sources.mentions(&names).into_iter().flatten().collect()));
        let index = &self.index;
        let mut candidates: Vec<At> = Vec::new();
        candidates.extend(index.direct.get(&of).into_iter().flatten());
        for name in others.into_iter().chain([name]) {
            candidates.extend(index.by_name.get(name).into_iter().flatten());
        }
        candidates.extend(self.nameless.get_or_init(|| self.resolve_nameless()).get(&of).into_iter().flatten());
        candidates.sort_unstable();
        candidates.dedup();

        let mut edges = Vec::new();
        for at in candidates {
            let Some(event) = self.event(at) else { continue };
            self.refuel();
            for target in self.targets(&event.call).iter() {
                if target.function == of {
                    let called = edge(at.0, event, target.certain, EdgeKind::Call(Arc::clone(&event.call)));
                    edges.push(Edge { guards: self.dispatched(event, of), ..called });
                }
            }
        }
        for (at, nth) in index.handed.get(&of).into_iter().flatten() {
            // A handler that is registered is run by the framework, not by who registers it.
            if self.is_rust(at.0.file) && !self.entries(of).is_empty() {
                continue;
            }
            let Some(event) = self.event(*at) else { continue };
            self.refuel();
            if self.only_registers(&event.call, of) {
                continue;
            }
            let inside = self.edges_inside(&event.call, of);
            if !inside.is_empty() {
                edges.extend(inside);
                continue;
            }
            let targets = self.targets(&event.call);
            let bindings = handed_bindings(self, &event.call, &targets, *nth, of);
            let to_library = targets.is_empty();
            edges.push(Edge { to_library, ..edge(at.0, event, true, EdgeKind::Callback(bindings)) });
        }
        for at in index.handed_named.get(self.called_as(of)).into_iter().flatten() {
            if let Some(event) = self.event(*at) {
                edges.extend(self.edges_inside(&event.call, of));
            }
        }
        for label in index.labelled.get(&of).into_iter().flatten() {
            for at in index.by_label.get(label).into_iter().flatten() {
                let Some(event) = self.event(*at) else { continue };
                let hands_it_over = index.handed.get(&of).is_some_and(|all| all.iter().any(|(known, _)| known == at));
                if !hands_it_over {
                    edges.push(edge(at.0, event, false, EdgeKind::Framework));
                }
            }
        }
        for sent in self.sent_to(of) {
            if let Some(event) = self.event(sent.at) {
                edges.push(edge(sent.at.0, event, sent.certain, EdgeKind::Call(Arc::clone(&sent.call))));
            }
        }
        for (route, runs, span) in self.framework_edges.get_or_init(|| framework_edges(self)) {
            if *runs == of {
                let kind = EdgeKind::Framework;
                let (caller, span) = (*route, *span);
                edges.push(Edge { caller, span, guards: None, certain: true, to_library: true, made: None, kind });
            }
        }
        edges.sort_by_key(|edge| (edge.span, edge.caller));
        edges
    }

    /// What a call makes of the functions that it is given, as their caller; not where that hands on its own request.
    fn edges_inside(&self, call: &CallValue, of: FunctionRef) -> Vec<Edge> {
        // Who wraps a function need not name it.
        let _all = self.without_limit();
        let inside = self.aside(|| if self.is_part(call, of) { self.run_inside_made(call, of) } else { Vec::new() });
        let edge = |inside: Inside| {
            let kind = EdgeKind::Call(Arc::new(inside.call));
            Edge { made: Some((inside.made, call.site)), ..edge(inside.caller, inside.event, true, kind) }
        };
        inside.into_iter().map(edge).collect()
    }

    /// The conditions of a call; `this[kind](..)` and `table[kind](..)` run a function only where `kind` is its name.
    fn dispatched(&self, event: &Event, of: FunctionRef) -> Guards {
        let ValueKind::Index(base, key) = &event.call.callee.kind else { return event.guards.clone() };
        let table = self.resolved(base);
        let name = match &table.kind {
            ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
                Slot::Named { key, value, .. } if matches!(value.kind, ValueKind::Function(f) if f == of) => Some(key),
                _ => None,
            }),
            _ => self.function(of).filter(|function| function.class.is_some()).map(|function| &function.name),
        };
        let Some(name) = name else { return event.guards.clone() };
        let right = Value::new(ValueKind::Text(name.clone()), key.span);
        let kind = ValueKind::Compare { left: Arc::clone(key), right, equal: true };
        let cond = Value::new(kind, key.span);
        Some(Arc::new(Guard { cond, holds: true, throws: false, outer: event.guards.clone() }))
    }

    /// Calls whose callee has no name of its own, by the functions they reach: resolved all at once.
    fn resolve_nameless(&self) -> BTreeMap<FunctionRef, Vec<At>> {
        let _limit = self.limit(Rc::default());
        let mut found: BTreeMap<FunctionRef, Vec<At>> = BTreeMap::new();
        for at in &self.index.nameless {
            let Some(event) = self.event(*at) else { continue };
            self.refuel();
            for target in self.targets(&event.call).iter() {
                found.entry(target.function).or_default().push(*at);
            }
        }
        found
    }

    /// What code that uses a class can call it: its name, that of an instance, its bases and interfaces.
    pub fn names_of_class(&self, class: ClassRef) -> Vec<String> {
        let mut names = Vec::new();
        for owner in self.lineage(class).iter().copied() {
            if let Some(declared) = self.class(owner).filter(|declared| !declared.name.is_empty()) {
                let mut letters = declared.name.chars();
                let instance =
                    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect());
                names.extend([declared.name.clone(), instance]);
            }
        }
        names
    }

    /// The name under which a module keeps what a registration made: `setToken` of `router({ setToken: t.mutation(f) })`.
    pub fn registered_name(&self, of: FunctionRef) -> Option<String> {
        if self.function(of)?.name != "<closure>" {
            return None;
        }
        if let Some(name) = self.named_by_calls.get(&of) {
            return Some((*name).to_owned());
        }
        let unit = self.unit(of.file)?;
        let body = unit.summary.functions.first()?;
        let kept = body.assigned.iter().find_map(|(local, values)| {
            let variable = unit.module.locals.get(local.at())?.name.clone();
            values.iter().find_map(|value| name_within(value, of, &variable, 8))
        });
        // `exports.login = wrap(async (req, res) => ..)`
        kept.or_else(|| unit.summary.exported.iter().find_map(|(name, value)| name_within(value, of, name, 8)))
    }

    /// What a handler without a name is called: its route, or the name under which its registration is kept.
    pub(super) fn handler_name(&self, of: FunctionRef) -> Option<String> {
        // What a factory makes is another handler on each of its routes.
        let own = self.entries(of).iter().filter(|entry| entry.made.is_none());
        let route = own.map(|entry| &entry.route).find(|route| !route.is_empty());
        self.registered_name(of).or_else(|| route.cloned())
    }

    /// The constants that name a function where it is registered: `{ id: 'mail.send', handler }`.
    pub fn labels(&self, of: FunctionRef) -> &[&str] {
        self.index.labelled.get(&of).map_or(&[], Vec::as_slice)
    }
}

fn edge(caller: FunctionRef, event: &Event, certain: bool, kind: EdgeKind) -> Edge {
    Edge { caller, span: event.span(), guards: event.guards.clone(), certain, to_library: false, made: None, kind }
}

/// The name of the variable or key that holds a function, through the calls that wrap it.
fn name_within(value: &Shared, of: FunctionRef, name: &str, fuel: u8) -> Option<String> {
    let fuel = fuel.checked_sub(1)?;
    match &value.kind {
        ValueKind::Function(function) if *function == of => Some(name.to_owned()),
        ValueKind::Call(call) => {
            let args = call.args.iter().find_map(|arg| name_within(&arg.value, of, name, fuel));
            args.or_else(|| call.receiver().and_then(|receiver| name_within(receiver, of, name, fuel)))
        }
        ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
            Slot::Named { key, value, .. } => name_within(value, of, &format!("{name}.{key}"), fuel),
            Slot::Computed { .. } | Slot::Spread(_) => None,
        }),
        _ => None,
    }
}
