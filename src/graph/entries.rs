//! Entry points and the calls that frameworks make by name, as rule rows describe them.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobSet;

use crate::graph::chain::{Ahead, Covers, runs_before};
use crate::graph::configured::configured;
use crate::graph::controllers::{Applications, Below, controllers, version};
use crate::graph::handlers::{Handler, handlers_made, may_run, verbs};
use crate::graph::issued;
use crate::graph::mounts::{Mounts, mounted};
use crate::graph::named::{ByName, by_name, rows_of};
use crate::graph::places::{route_of_file, route_of_name};
use crate::graph::{Graph, Resolved, Unit};
use crate::ir::{ClassId, Export, FunctionId, WHOLE};
use crate::rules::{ArgBase, ArgPath, Entry as EntryRow, EntryKind};
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallSite, CallValue, ClassRef, FunctionRef, Member, Shared, ValueKind};

/// Why a function is run from outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// `POST /v1/auth/login`; empty where it has none.
    pub route: String,
    /// Parameters that an issuer hands in.
    pub fresh: Vec<u32>,
    /// Keys of parameters that an issuer hands in.
    pub fresh_keys: Vec<(u32, Vec<String>)>,
    /// What runs before it on the same request, in this order.
    pub ahead: Vec<FunctionRef>,
    /// Whether it runs before whatever is registered behind it.
    pub covers: bool,
    /// Only run before something else (a strategy before its routes): not an entry point where that something is known.
    pub indirect: bool,
    /// The call that made the function, where one did: what it captures is what that call was given.
    pub made: Option<CallSite>,
}

type Files = BTreeMap<FunctionRef, BTreeSet<FileId>>;

type Places = BTreeMap<FunctionRef, BTreeSet<(String, Span)>>;

/// Entry points by function.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub by_function: BTreeMap<FunctionRef, Vec<Entry>>,
    /// The files of the routers that lead to a handler.
    pub routers: Files,
    /// The files of what runs before it, where they are not lowered.
    pub unseen: Files,
    /// The routes of handlers whose registrations are laid around, and what names the handler there.
    pub places: Places,
    pub mounts: Mounts,
    pub covers: Covers,
}

pub(super) fn find(graph: &Graph) -> Entries {
    let mut found: BTreeMap<FunctionRef, Vec<Entry>> = BTreeMap::new();
    let rows: Vec<&EntryRow> = graph.rules.entry().collect();
    let (registrations, decorators) = (by_name(&rows, EntryKind::Call), by_name(&rows, EntryKind::Decorator));
    let mounts = Mounts::find(graph);
    let covers = Covers::find(graph);
    let applications = Applications::find(graph);
    let (mut routers, mut unseen, mut places) = (Files::new(), Files::new(), Places::new());
    let mut described: BTreeMap<FunctionRef, Vec<Entry>> = BTreeMap::new();
    let mut tested: BTreeMap<FunctionRef, Vec<Entry>> = BTreeMap::new();
    let by_place: Vec<(&EntryRow, GlobSet)> =
        rows.iter().filter(|row| row.kind == EntryKind::File).filter_map(|row| Some((*row, row.files()?))).collect();
    for (file, unit) in graph.units() {
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            for decorator in &summary.decorators {
                graph.refuel();
                decorated(
                    graph,
                    &decorators,
                    (&mounts, &applications),
                    function,
                    decorator,
                    &mut found,
                    &mut described,
                );
            }
            // Where a test mounts a handler says nothing of where it is mounted in production.
            let in_test = !summary.calls.is_empty() && graph.scope(function) == Scope::Test;
            for event in &summary.calls {
                graph.refuel();
                let mut files = BTreeSet::new();
                let to = (&covers, &mounts);
                let into = if in_test { &mut tested } else { &mut found };
                let handlers = registered(graph, &registrations, to, &event.call, into, (&mut files, &mut places));
                if !handlers.is_empty() {
                    for of in &handlers {
                        unseen.entry(*of).or_default().extend(&files);
                    }
                    let files = mounts.files(graph, &event.call);
                    for of in handlers {
                        routers.entry(of).or_default().extend(&files);
                    }
                }
            }
        }
        configured(graph, &rows, file, &mut found);
        for at in 0..unit.module.classes.len() {
            extended(graph, &rows, ClassRef { file, id: ClassId::of(at) }, &mut found);
        }
        exported(graph, &by_place, file, &mut found, &mut described);
    }
    for (function, entries) in described.into_iter().chain(tested) {
        found.entry(function).or_insert(entries);
    }
    for entries in found.values_mut() {
        entries.sort();
        entries.dedup();
    }
    Entries { by_function: found, routers, unseen, places, mounts, covers }
}

pub(super) fn add(
    graph: &Graph,
    row: &EntryRow,
    (function, made): Handler,
    route: String,
    ahead: Vec<FunctionRef>,
    found: &mut BTreeMap<FunctionRef, Vec<Entry>>,
) {
    let params = graph.function(function).map_or(&[][..], |f| f.params.as_slice());
    let fresh = (0u32..).zip(params).filter(|(_, param)| row.hands_in_fresh(&param.name)).map(|(at, _)| at).collect();
    let indirect = row.kind == EntryKind::Extends || row.sent;
    let key = |path: &ArgPath| match path.base {
        ArgBase::Nth(at) => Some((at, path.keys.clone())),
        _ => None,
    };
    let fresh_keys = row.fresh_keys.iter().filter_map(key).collect();
    let entry = Entry { route, fresh, fresh_keys, ahead, covers: row.covers, indirect, made };
    found.entry(function).or_default().push(entry);
}

fn decorated(
    graph: &Graph,
    rows: &ByName,
    (mounts, applications): (&Mounts, &Applications),
    function: FunctionRef,
    decorator: &CallValue,
    found: &mut BTreeMap<FunctionRef, Vec<Entry>>,
    described: &mut BTreeMap<FunctionRef, Vec<Entry>>,
) {
    let Some(path) = graph.callee_path(decorator) else { return };
    let is_true = |at: &ArgPath| {
        let values = graph.argument(decorator, at);
        values.iter().any(|value| matches!(graph.resolved(value).kind, ValueKind::Bool(true)))
    };
    for row in rows_of(rows, &path) {
        if !row.path.as_ref().is_some_and(|pattern| pattern.matches(&path)) || !row.when.as_ref().is_none_or(is_true) {
            continue;
        }
        let into = if row.describes { &mut *described } else { &mut *found };
        let mut prefixes: Vec<Below> = mounts.of_function(function).into_iter().map(Below::paths).collect();
        if let Some(wanted) = &row.class {
            let around = controllers(graph, function, wanted);
            if around.is_empty() {
                continue;
            }
            let own = row.version.as_ref().and_then(|wanted| version(graph, function, wanted));
            prefixes = around.iter().flat_map(|at| applications.before(graph, *at, wanted, own.clone())).collect();
        }
        let own = row.route.iter().map(|at| texts_at(graph, decorator, at)).find(|texts| !texts.is_empty());
        let own: Vec<Option<String>> = own.map_or_else(|| vec![None], |texts| texts.into_iter().map(Some).collect());
        let name = graph.function(function).map_or("", |f| f.name.as_str());
        for (prefix, own) in prefixes.iter().flat_map(|prefix| own.iter().map(move |own| (prefix, own.clone()))) {
            let route = match (&row.verb, &row.class) {
                (Some(verb), _) if verb.chars().all(char::is_uppercase) => {
                    format!("{verb} {}", prefix.route(own))
                }
                (Some(verb), _) => format!("{verb} {}", own.unwrap_or_else(|| name.to_owned())),
                (None, _) => own.unwrap_or_default(),
            };
            add(graph, row, (function, None), route.trim().to_owned(), Vec::new(), into);
        }
    }
}

pub(super) fn text(graph: &Graph, value: &Shared) -> Option<String> {
    let value = graph.resolved(value);
    match &value.kind {
        ValueKind::Text(text) | ValueKind::Number(text) => Some(text.clone()),
        ValueKind::Array(members) => members.first().and_then(|member| match member {
            Member::One(first) => text(graph, first),
            _ => None,
        }),
        ValueKind::Concat(parts) => {
            Some(parts.iter().map(|part| text(graph, part).unwrap_or_else(|| "*".into())).collect())
        }
        _ => None,
    }
}

pub(super) fn texts_at(graph: &Graph, call: &CallValue, path: &ArgPath) -> Vec<String> {
    graph.argument(call, path).iter().flat_map(|value| texts(graph, value)).collect()
}

pub(super) fn text_at(graph: &Graph, call: &CallValue, path: &ArgPath) -> Option<String> {
    graph.argument(call, path).iter().find_map(|value| text(graph, value))
}

/// `app.post('/login', limiter, handler)`; the functions that are registered below a path.
fn registered(
    graph: &Graph,
    rows: &ByName,
    (covers, mounts): (&Covers, &Mounts),
    call: &CallValue,
    found: &mut BTreeMap<FunctionRef, Vec<Entry>>,
    (unseen, places): (&mut BTreeSet<FileId>, &mut Places),
) -> BTreeSet<FunctionRef> {
    let mut routed = BTreeSet::new();
    // Most calls have the name of no registration, and most of the others hand over no function.
    let any_named = |name: &str| rows.contains_key(&Some(name)) || rows.contains_key(&None);
    if !call.method().is_none_or(any_named) || !call.args.iter().any(|arg| may_run(&arg.value, 5)) {
        return routed;
    }
    let fits = |row: &EntryRow, path: &str| {
        row.path.as_ref().is_some_and(|pattern| pattern.matches(path))
            && (row.from.is_empty() || row.is_from(module_of(path)))
    };
    let is_one = |path: &str| rows_of(rows, path).any(|row| fits(row, path));
    let Some(path) = graph.fitting_path(call, is_one) else { return routed };
    let module = module_of(&path);
    for row in rows_of(rows, &path).filter(|row| fits(row, &path)) {
        let own = row.route.iter().find_map(|at| text_at(graph, call, at));
        if row.verb.as_deref() == Some("$handler") {
            // `app.route('/users', users.get('/me', me))` of Hono mounts a router.
            if !graph.is_rust(call.site.span.file) {
                continue;
            }
            let values = row.handler.iter().flat_map(|handler| graph.argument(call, handler));
            let verbs: Vec<(String, FunctionRef, Span)> = values
                .flat_map(|value| verbs(graph, &value).into_iter().map(move |(verb, of)| (verb, of, value.span)))
                .collect();
            for own in mounted(mounts.before(graph, call), own.as_ref()) {
                for (verb, function, at) in &verbs {
                    let route = [Some(verb.clone()), own.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
                    places.entry(*function).or_default().insert((route.clone(), *at));
                    add(graph, row, (*function, None), route, Vec::new(), found);
                }
            }
            routed.extend(verbs.into_iter().map(|(_, function, _)| function));
            continue;
        }
        // `app.route('/users', users).get('/health', health)` of Hono goes on at the application.
        if row.bare && call.args.first().is_some_and(|first| text(graph, &first.value).is_some()) {
            continue;
        }
        if own.is_none()
            && !row.route.is_empty()
            && row.verb.as_ref().is_some_and(|verb| verb.chars().all(char::is_uppercase))
        {
            continue;
        }
        let Some(handler) = &row.handler else { continue };
        let values = graph.argument(call, handler);
        let mut handlers: Vec<Handler> = values.iter().flat_map(|value| handlers_made(graph, value, 6)).collect();
        let mut seen = BTreeSet::new();
        handlers.retain(|handler| seen.insert(*handler));
        if handlers.is_empty() {
            continue;
        }
        let ahead = Ahead::of(graph, row, (covers, mounts), call, own.as_deref());
        unseen.extend(&ahead.unseen);
        // The name of a hook is no path.
        let is_named = row.covers && own.as_ref().is_some_and(|own| !own.starts_with('/'));
        let places = if is_named { vec![Vec::new()] } else { mounts.before(graph, call) };
        let verb = row.verb_at.iter().find_map(|at| text_at(graph, call, at)).map(|verb| verb.to_uppercase());
        for own in mounted(places, own.as_ref()) {
            let route =
                [verb.clone().or_else(|| row.verb.clone()), own].into_iter().flatten().collect::<Vec<_>>().join(" ");
            for (at, handler) in handlers.iter().enumerate() {
                let named = handlers[..at].iter().map(|(earlier, _)| *earlier);
                let named = named.filter(|earlier| runs_before(graph, row, *earlier));
                let before = ahead.runs.iter().copied().filter(|earlier| *earlier != handler.0).chain(named).collect();
                add(graph, row, *handler, route.clone(), before, found);
                issued::hand_in(graph, row, (&[module], issued::first(call)), handler.0, found);
            }
        }
        routed.extend(handlers.into_iter().map(|(function, _)| function));
    }
    routed
}

/// `express` of `express#Router.get`; empty where there is none.
fn module_of(path: &str) -> &str {
    path.split_once('#').map_or("", |(module, _)| module)
}

/// `class GoogleStrategy extends PassportStrategy(Strategy)`.
fn extended(graph: &Graph, rows: &[&EntryRow], class: ClassRef, found: &mut BTreeMap<FunctionRef, Vec<Entry>>) {
    if !rows.iter().any(|row| row.kind == EntryKind::Extends) {
        return;
    }
    let base = extends_call(graph, class).and_then(|call| graph.callee_path(call));
    let Some(path) = base.or_else(|| graph.base_path(class)) else { return };
    for row in rows.iter().filter(|row| row.kind == EntryKind::Extends) {
        if !row.path.as_ref().is_some_and(|pattern| pattern.matches(&path)) {
            continue;
        }
        let modules: Vec<String> = extends_call(graph, class)
            .into_iter()
            .flat_map(|call| &call.args)
            .filter_map(|arg| graph.path(&arg.value))
            .filter_map(|path| path.split_once('#').map(|(module, _)| module.to_owned()))
            .collect();
        let fits = row.from.is_empty() || modules.iter().any(|module| row.is_from(module));
        if !fits {
            continue;
        }
        for name in &row.method {
            if let Some(function) = graph.method(class, name) {
                add(graph, row, (function, None), row.verb.clone().unwrap_or_default(), Vec::new(), found);
                issued::hand_in(graph, row, (&modules, issued::options_of(graph, class)), function, found);
            }
        }
    }
}

pub(super) fn extends_call<'g>(graph: &Graph<'g>, class: ClassRef) -> Option<&'g CallValue> {
    match &graph.unit(class.file)?.summary.extends_calls.get(&class.id)?.kind {
        ValueKind::Call(call) => Some(call),
        _ => None,
    }
}

/// Files whose exports are routes by their place: `app/api/login/route.ts`.
fn exported(
    graph: &Graph,
    rows: &[(&EntryRow, GlobSet)],
    file: FileId,
    found: &mut BTreeMap<FunctionRef, Vec<Entry>>,
    described: &mut BTreeMap<FunctionRef, Vec<Entry>>,
) {
    let path = &graph.sources.get(file).path;
    let Some(unit) = graph.unit(file) else { return };
    let text = &graph.sources.get(file).text;
    let begins = |row: &EntryRow| row.directive.as_ref().is_none_or(|directive| begins_with(text, directive));
    for (row, _) in rows.iter().filter(|(_, globs)| globs.is_match(path)) {
        if !begins(row) {
            let directive = row.directive.as_deref().unwrap_or_default();
            for function in directed(unit, file, text, directive) {
                let route = [row.verb.as_deref().unwrap_or_default(), &graph.name(function)].join(" ");
                let into = if row.describes { &mut *described } else { &mut *found };
                add(graph, row, (function, None), route, Vec::new(), into);
            }
            continue;
        }
        for export in &unit.module.exports {
            let (Export::Named { name, .. } | Export::Value { name, .. }) = export else { continue };
            let known = if name == WHOLE { "default" } else { name };
            if !row.method.is_empty() && !row.method.iter().any(|method| method == known) {
                continue;
            }
            let Resolved::Value(value) = graph.resolve_export(file, name) else { continue };
            let verb = row.verb.clone().unwrap_or_else(|| known.to_owned());
            let route = match (&row.directive, row.flat) {
                (Some(_), _) => format!("{verb} {known}"),
                (None, true) => format!("{verb} /{}", route_of_name(path)),
                (None, false) => format!("{verb} /{}", route_of_file(path)),
            };
            for handler in handlers_made(graph, &value, 6) {
                let into = if row.describes { &mut *described } else { &mut *found };
                add(graph, row, handler, route.clone(), Vec::new(), into);
            }
        }
    }
}

/// The functions whose bodies begin with a directive: `async (form) => { 'use server'; .. }`.
fn directed(unit: &Unit, file: FileId, text: &str, directive: &str) -> BTreeSet<FunctionRef> {
    let begun = text.match_indices('{').filter(|(at, _)| begins_with(&text[at + 1..], directive));
    let innermost = |at: usize| {
        let functions = unit.module.functions.iter().enumerate().skip(1);
        let around = functions.filter(|(_, of)| of.span.start as usize <= at && at < of.span.end as usize);
        around
            .min_by_key(|(_, of)| of.span.end - of.span.start)
            .map(|(id, _)| FunctionRef { file, id: FunctionId::of(id) })
    };
    if text.contains(directive) { begun.filter_map(|(at, _)| innermost(at)).collect() } else { BTreeSet::new() }
}

/// Whether a directive is the first that a file says, comments aside: `'use server';`.
fn begins_with(text: &str, directive: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let behind = match rest {
            _ if rest.starts_with("//") => rest.split_once('\n'),
            _ if rest.starts_with("/*") => rest.split_once("*/"),
            _ => break,
        };
        rest = behind.map_or("", |(_, behind)| behind).trim_start();
    }
    let quoted = rest.strip_prefix(['\'', '"']).and_then(|rest| rest.strip_prefix(directive));
    quoted.is_some_and(|rest| rest.starts_with(['\'', '"']))
}

/// The texts of a list, or the one text.
pub(super) fn texts(graph: &Graph, value: &Shared) -> Vec<String> {
    match &graph.resolved(value).kind {
        ValueKind::Array(members) => members
            .iter()
            .filter_map(|member| match member {
                Member::One(one) => text(graph, one),
                _ => None,
            })
            .collect(),
        _ => text(graph, value).into_iter().collect(),
    }
}
