//! The routes of controllers: their own prefix and version, the module that they stand below, the prefix of the application.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::graph::entries::texts;
use crate::graph::mounts::slashed;
use crate::rules::{CallPattern, Nesting, Prefix, Versioning};
use crate::source::{FileId, Scope};
use crate::summary::{CallValue, ClassRef, FunctionRef, Member, Shared, Value, ValueKind};

/// The decorators of a file are not looked into further than so many values.
const MOST: usize = 5_000;

/// What calls elsewhere put in front of the routes of controllers.
#[derive(Debug, Default)]
pub(super) struct Applications<'g> {
    prefixes: Vec<(FileId, &'g Prefix, Global)>,
    versionings: Vec<(FileId, &'g Versioning, Versions)>,
    /// The paths of the modules that a controller belongs to.
    modules: BTreeMap<ClassRef, BTreeSet<String>>,
}

/// A prefix of all routes but some.
#[derive(Debug)]
struct Global {
    path: String,
    exclude: Vec<String>,
}

/// How versions show in routes.
#[derive(Clone, Debug)]
struct Versions {
    /// `None`: not in the path.
    before: Option<String>,
    default: Vec<String>,
}

/// What stands in front of a controller's own routes.
#[derive(Clone, Debug, Default)]
pub(super) struct Below {
    version: Option<String>,
    paths: Vec<String>,
    global: Option<(String, Vec<String>)>,
}

impl Below {
    pub(super) fn paths(paths: Vec<String>) -> Self {
        Self { paths, ..Self::default() }
    }

    /// The route of a method below it.
    pub(super) fn route(&self, own: Option<String>) -> String {
        let path = slashed(&self.paths.iter().cloned().chain(own).collect::<Vec<_>>());
        let global = self.global.as_ref().filter(|(_, exclude)| !exclude.iter().any(|route| covers(route, &path)));
        let before = global.map(|(global, _)| global.clone()).into_iter().chain(self.version.clone());
        slashed(&before.chain([path]).collect::<Vec<_>>())
    }
}

/// Whether a route that is left out is this one: `auth/(.*)`, `auth/*splat` and `auth{/*rest}` are all below `auth`.
fn covers(route: &str, path: &str) -> bool {
    let (route, path) = (route.trim_matches('/'), path.trim_matches('/'));
    match route.find(['(', '*', '{']) {
        Some(at) => {
            // Of a route that starts with what cannot be told nothing is known.
            let fixed = route[..at].trim_end_matches('/');
            !fixed.is_empty() && path.strip_prefix(fixed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        None => route == path,
    }
}

impl<'g> Applications<'g> {
    pub(super) fn find(graph: &Graph<'g>) -> Self {
        let mut found = Self::default();
        let rules = graph.rules;
        if rules.prefix().next().is_none() && rules.versioning().next().is_none() && rules.nesting().next().is_none() {
            return found;
        }
        for (file, unit) in graph.units() {
            if graph.sources.get(file).scope != Scope::Production {
                continue;
            }
            let events = unit.summary.functions.iter().flat_map(|summary| &summary.calls);
            for event in events {
                graph.refuel();
                found.told_by(graph, file, &event.call);
            }
            // `@Module({ imports: [RouterModule.register([..])] })`
            let decorators = unit.summary.class_decorators.iter().flatten();
            let mut open: Vec<&Shared> = decorators.flat_map(|call| &call.args).map(|arg| &arg.value).collect();
            let mut fuel = MOST;
            while let Some(at) = open.pop().filter(|_| fuel > 0) {
                fuel -= 1;
                match &at.kind {
                    ValueKind::Call(call) => found.told_by(graph, file, call),
                    kind => kind.each(&mut |inner| open.push(inner)),
                }
            }
        }
        found
    }

    fn told_by(&mut self, graph: &Graph<'g>, file: FileId, call: &CallValue) {
        let rules = graph.rules;
        let is_called = |pattern: &CallPattern| {
            pattern.last().is_none_or(|last| call.method() == Some(last))
                && graph.fitting_path(call, |path| pattern.matches(path)).is_some()
        };
        for row in rules.prefix().filter(|row| is_called(&row.call)) {
            let paths = graph.argument(call, &row.path).into_iter().flat_map(|value| texts(graph, &value));
            let exclude = row.exclude.iter().flat_map(|at| graph.argument(call, at));
            let exclude: Vec<String> = exclude.flat_map(|value| routes(graph, &value)).collect();
            let told = paths.map(|path| (file, row, Global { path, exclude: exclude.clone() }));
            self.prefixes.extend(told);
        }
        for row in rules.versioning().filter(|row| is_called(&row.call)) {
            let kinds = graph.argument(call, &row.kind);
            let kind = kinds.first().and_then(|kind| graph.path(kind));
            let in_path = kind.is_none_or(|kind| row.in_path.matches(&kind));
            let before = graph.argument(call, &row.before).into_iter().next().map(|value| graph.resolved(&value));
            let before = match before.as_ref().map(|value| &value.kind) {
                Some(ValueKind::Text(before)) => before.clone(),
                Some(ValueKind::Bool(false)) => String::new(),
                _ => "v".to_owned(),
            };
            let default = graph.argument(call, &row.default).iter().flat_map(|value| texts(graph, value)).collect();
            self.versionings.push((file, row, Versions { before: in_path.then_some(before), default }));
        }
        for row in rules.nesting().filter(|row| is_called(&row.call)) {
            for list in graph.argument(call, &row.list) {
                self.nested(graph, row, &list, "", 8);
            }
        }
    }

    /// `[{ path, module, children: [{ path, module }, Module] }]`
    fn nested(&mut self, graph: &Graph<'g>, row: &Nesting, list: &Shared, above: &str, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        for item in members(graph, list) {
            let key = |name: &str| graph.resolved(&Value::field(&item, name, item.span));
            let is_object = matches!(item.kind, ValueKind::Object { .. });
            let (path, module) = if is_object {
                let own = texts(graph, &key(&row.path)).into_iter().next().unwrap_or_default();
                (slashed(&[above.to_owned(), own]), Value::field(&item, &row.module, item.span))
            } else {
                (above.to_owned(), item.clone())
            };
            for controller in controllers_of(graph, row, &module) {
                self.modules.entry(controller).or_default().insert(path.clone());
            }
            if is_object {
                self.nested(graph, row, &key(&row.children), &path, fuel);
            }
        }
    }

    /// What stands in front of the routes of a controller, `own` being the versions that the method says.
    pub(super) fn before(
        &self,
        graph: &Graph,
        (class, decorator): (ClassRef, &CallValue),
        wanted: &CallPattern,
        own: Option<Vec<String>>,
    ) -> Vec<Below> {
        let value = decorator.args.first().map(|arg| graph.resolved(&arg.value));
        let key = |value: &Shared, name: &str| Value::field(value, name, value.span);
        let (said, paths) = match &value {
            Some(value) if matches!(value.kind, ValueKind::Object { .. }) => {
                let version = key(value, "version");
                let said = !matches!(version.kind, ValueKind::Undefined);
                (said.then(|| texts(graph, &version)), texts(graph, &key(value, "path")))
            }
            Some(value) => (None, texts(graph, value)),
            None => (None, Vec::new()),
        };
        let versions = nearest(graph, class.file, &self.versionings, |row| (&row.class, &row.maker), wanted);
        let default = versions.map(|versions| versions.default.clone());
        let shown = |version: String| match versions {
            Some(Versions { before: None, .. }) => None,
            Some(Versions { before: Some(before), .. }) => Some(format!("{before}{version}")),
            None => Some(format!("v{version}")),
        };
        let either =
            |texts: Vec<String>| if texts.is_empty() { vec![None] } else { texts.into_iter().map(Some).collect() };
        let versions = either(own.or(said).or(default).unwrap_or_default());
        let global = nearest(graph, class.file, &self.prefixes, |row| (&row.class, &row.maker), wanted);
        let global = global.map(|global| (global.path.clone(), global.exclude.clone()));
        let modules = either(self.modules.get(&class).into_iter().flatten().cloned().collect());
        let mut found = Vec::new();
        for version in versions {
            let version = version.and_then(shown);
            for module in &modules {
                for path in either(paths.clone()) {
                    let paths = module.iter().cloned().chain(path).collect();
                    found.push(Below { version: version.clone(), paths, global: global.clone() });
                }
            }
        }
        found
    }
}

/// What is said where the application of a file is made: in a folder above it, or of the only application of the tree.
fn nearest<'t, R, T>(
    graph: &Graph,
    file: FileId,
    told: &'t [(FileId, R, T)],
    about: impl Fn(&R) -> (&CallPattern, &String),
    wanted: &CallPattern,
) -> Option<&'t T> {
    let folder =
        |file: FileId| graph.sources.get(file).path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let path = &graph.sources.get(file).path;
    let told: Vec<&(FileId, R, T)> = told.iter().filter(|(_, row, _)| about(row).0.text() == wanted.text()).collect();
    let above = |at: &FileId| {
        let folder = folder(*at);
        (folder.is_empty() || path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/')))
            .then_some(folder.len())
    };
    let closest = told.iter().filter_map(|told| above(&told.0).map(|length| (length, told)));
    if let Some((_, (_, _, closest))) = closest.max_by_key(|(length, _)| *length) {
        return Some(closest);
    }
    let (_, row, only) = told.first().filter(|_| told.len() == 1)?;
    let makers = graph.sources.mentions(&[about(row).1.as_str()]).into_iter().flatten();
    let makers = makers.filter(|file| graph.sources.get(*file).scope == Scope::Production);
    (makers.count() <= 1).then_some(only)
}

fn members(graph: &Graph, list: &Shared) -> Vec<Shared> {
    let ValueKind::Array(members) = &graph.resolved(list).kind else { return Vec::new() };
    let member = |member: &Member| match member {
        Member::One(one) => vec![graph.resolved(one)],
        Member::Spread(inner) => self::members(graph, inner),
        Member::Each(_) => Vec::new(),
    };
    members.iter().flat_map(member).collect()
}

/// The routes that a list names: `'health'`, `{ path: 'health', method }`.
fn routes(graph: &Graph, list: &Shared) -> Vec<String> {
    let route = |item: &Shared| match item.kind {
        ValueKind::Object { .. } => texts(graph, &Value::field(item, "path", item.span)),
        _ => texts(graph, item),
    };
    members(graph, list).iter().flat_map(route).collect()
}

/// The controllers that a module's decorator lists.
fn controllers_of(graph: &Graph, row: &Nesting, module: &Shared) -> Vec<ClassRef> {
    let Some(class) = graph.class_behind(module) else {
        if let Some(file) = graph.imported_from(module) {
            graph.ask(file);
        }
        return Vec::new();
    };
    let Some(decorator) = class_decorator(graph, class, &row.decorator) else { return Vec::new() };
    let lists = graph.argument(decorator, &row.controllers);
    lists.iter().flat_map(|list| members(graph, list)).filter_map(|item| graph.class_behind(&item)).collect()
}

/// The classes that have a method, with their decorators: its own, and those that inherit it from an abstract one.
pub(super) fn controllers<'g>(
    graph: &Graph<'g>,
    function: FunctionRef,
    wanted: &CallPattern,
) -> Vec<(ClassRef, &'g CallValue)> {
    let Some(declared) = graph.function(function) else { return Vec::new() };
    let Some(own) = declared.class.map(|id| ClassRef { file: function.file, id }) else { return Vec::new() };
    let heirs = graph.heirs(own);
    let inherits = |heir: &&ClassRef| {
        let line = graph.lineage(**heir);
        line.iter().find_map(|class| graph.method(*class, &declared.name)) == Some(function)
    };
    let inheriting = heirs.iter().filter(inherits);
    let decorated = |class: &ClassRef| Some((*class, class_decorator(graph, *class, wanted)?));
    std::iter::once(&own).chain(inheriting).filter_map(decorated).collect()
}

pub(super) fn class_decorator<'g>(graph: &Graph<'g>, class: ClassRef, wanted: &CallPattern) -> Option<&'g CallValue> {
    let decorators = graph.unit(class.file)?.summary.class_decorators.get(class.id.at())?;
    decorators.iter().map(AsRef::as_ref).find(|d| graph.callee_path(d).is_some_and(|path| wanted.matches(&path)))
}

/// The versions that a method is given by a decorator of its own; none of them stands for every version.
pub(super) fn version(graph: &Graph, function: FunctionRef, wanted: &CallPattern) -> Option<Vec<String>> {
    let decorators = &graph.summary(function)?.decorators;
    let found = decorators.iter().find(|d| graph.callee_path(d).is_some_and(|path| wanted.matches(&path)))?;
    Some(found.args.first().map_or_else(Vec::new, |arg| texts(graph, &arg.value)))
}
