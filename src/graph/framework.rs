//! What a framework runs for a route: what its decorators name, by itself or by the name that a class gives.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::graph::controllers::class_decorator;
use crate::graph::entries::{extends_call, text, texts};
use crate::ir::{ClassId, FunctionId, FunctionKind};
use crate::rules::{Edge as EdgeRow, Entry as EntryRow, Guard as GuardRow, GuardKind};
use crate::source::Span;
use crate::summary::{CallValue, ClassRef, FunctionRef, Shared, ValueKind};

/// What the rows of an edge are about: the methods that run by their names, and the names that provider classes give.
struct Named {
    runs: Vec<(String, FunctionRef)>,
    providers: BTreeMap<ClassRef, Vec<String>>,
}

impl Named {
    fn find(graph: &Graph, row: &EdgeRow) -> Self {
        let mut runs: Vec<(String, FunctionRef)> = Vec::new();
        let mut providers: BTreeMap<ClassRef, Vec<String>> = BTreeMap::new();
        for (file, unit) in graph.units() {
            for at in 0..unit.module.classes.len() {
                let class = ClassRef { file, id: ClassId::of(at) };
                let Some(call) = extends_call(graph, class) else { continue };
                graph.refuel();
                let Some(path) = graph.callee_path(call) else { continue };
                if row.via.matches(&path) {
                    providers.insert(class, call.args.first().map_or_else(Vec::new, |arg| texts(graph, &arg.value)));
                }
                if row.to.matches(&path)
                    && let Some(method) = graph.method(class, &row.method)
                {
                    let written = call.args.get(1).and_then(|arg| text(graph, &arg.value));
                    let module = call.args.first().and_then(|arg| graph.path(&arg.value));
                    let known = module.as_ref().and_then(|path| row.names.get(path.split('#').next().unwrap_or("")));
                    if let Some(name) = written.or_else(|| known.cloned()) {
                        runs.push((name, method));
                    }
                }
            }
        }
        Self { runs, providers }
    }

    fn called<'n>(&'n self, name: &'n str) -> impl Iterator<Item = FunctionRef> + 'n {
        self.runs.iter().filter(move |(known, _)| known == name).map(|(_, method)| *method)
    }
}

/// What runs where a class that provides it by its name does: the strategies of `class JwtGuard extends AuthGuard('jwt')`.
pub(super) fn run_by_classes(graph: &Graph) -> BTreeMap<ClassRef, BTreeSet<FunctionRef>> {
    let mut found: BTreeMap<ClassRef, BTreeSet<FunctionRef>> = BTreeMap::new();
    for row in graph.rules.edge() {
        let named = Named::find(graph, row);
        for (class, names) in &named.providers {
            found.entry(*class).or_default().extend(names.iter().flat_map(|name| named.called(name)));
        }
    }
    found
}

/// Route -> method that a framework runs for it: what runs before it by name, what is laid around it.
pub(super) fn framework_edges(graph: &Graph) -> Vec<(FunctionRef, FunctionRef, Span)> {
    let named: Vec<(&EdgeRow, Named)> = graph.rules.edge().map(|row| (row, Named::find(graph, row))).collect();
    let mut edges = Vec::new();
    for (file, unit) in graph.units() {
        for (at, function) in unit.module.functions.iter().enumerate() {
            if function.kind != FunctionKind::Method {
                continue;
            }
            let route = FunctionRef { file, id: FunctionId::of(at) };
            if graph.entries(route).is_empty() {
                continue;
            }
            let own = unit.summary.functions.get(at).map_or(&[][..], |s| s.decorators.as_slice());
            let class = function.class.and_then(|id| unit.summary.class_decorators.get(id.at()));
            graph.refuel();
            for written in own.iter().chain(class.map_or(&[][..], Vec::as_slice)) {
                for decorator in graph.composed(written) {
                    let Some(path) = graph.callee_path(&decorator) else { continue };
                    let runs = run_for(graph, &named, &decorator, &path);
                    edges.extend(runs.into_iter().map(|method| (route, method, written.site.span)));
                }
            }
        }
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// The methods that run for a route under a decorator.
fn run_for(graph: &Graph, named: &[(&EdgeRow, Named)], decorator: &CallValue, path: &str) -> Vec<FunctionRef> {
    let mut runs = Vec::new();
    for (row, named) in named.iter().filter(|(row, _)| row.decorator.matches(path)) {
        for name in decorator.args.iter().flat_map(|arg| provided(graph, row, &named.providers, &arg.value)) {
            runs.extend(named.called(&name));
        }
    }
    for row in graph.rules.wrap().filter(|row| row.decorator.matches(path)) {
        let classes = decorator.args.iter().filter_map(|arg| graph.class_of_provider(&arg.value));
        runs.extend(classes.filter_map(|class| graph.method(class, &row.method)));
    }
    runs
}

/// The strategy names that a decorator's argument stands for.
fn provided(graph: &Graph, row: &EdgeRow, providers: &BTreeMap<ClassRef, Vec<String>>, value: &Shared) -> Vec<String> {
    if let ValueKind::Call(call) = &value.kind
        && graph.callee_path(call).is_some_and(|path| row.via.matches(&path))
    {
        return call.args.first().map_or_else(Vec::new, |arg| texts(graph, &arg.value));
    }
    graph.class_behind(value).and_then(|class| providers.get(&class)).cloned().unwrap_or_default()
}

/// Names that lead from a method that a framework runs to its routes: the abstract class that others inherit it from; the provider's
/// base and the providers, of what runs before a route.
pub fn names_towards_routes(graph: &Graph, method: FunctionRef) -> Vec<String> {
    let mut names = Vec::new();
    let Some(class) = graph.function(method).and_then(|f| f.class) else { return names };
    let class = ClassRef { file: method.file, id: class };
    let decorators = graph.summary(method).map_or(&[][..], |summary| summary.decorators.as_slice());
    let paths: Vec<String> = decorators.iter().filter_map(|decorator| graph.callee_path(decorator)).collect();
    let is_route =
        |row: &&EntryRow| row.path.as_ref().is_some_and(|wanted| paths.iter().any(|path| wanted.matches(path)));
    let wanted = graph.rules.entry().filter(is_route).find_map(|row| row.class.as_ref());
    if wanted.is_some_and(|wanted| class_decorator(graph, class, wanted).is_none()) {
        names.extend(graph.class(class).map(|class| class.name.clone()));
    }
    // Who lets requests in by a class of it, or lays it around routes, hands that class over by its name.
    let is_guard = |row: &GuardRow| {
        row.kind == GuardKind::Method && graph.function(method).is_some_and(|of| row.method.contains(&of.name))
    };
    let wraps = || graph.rules.wrap().any(|row| graph.function(method).is_some_and(|of| of.name == row.method));
    if !graph.is_rust(method.file) && (graph.rules.guard().any(is_guard) || wraps()) {
        names.extend(graph.class(class).map(|class| class.name.clone()));
    }
    let Some(path) = extends_call(graph, class).and_then(|call| graph.callee_path(call)) else { return names };
    for row in graph.rules.edge().filter(|row| row.to.matches(&path)) {
        names.extend(row.via.last().map(str::to_owned));
        for (file, unit) in graph.units() {
            for (at, declared) in unit.module.classes.iter().enumerate() {
                let provider = ClassRef { file, id: ClassId::of(at) };
                let extends = extends_call(graph, provider).and_then(|call| graph.callee_path(call));
                if extends.is_some_and(|path| row.via.matches(&path)) {
                    names.push(declared.name.clone());
                }
            }
        }
    }
    names
}
