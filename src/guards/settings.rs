//! What a program's configuration holds, by the rules of the libraries that read it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::FunctionId;
use crate::rules::Setting;
use crate::source::{FileId, Scope};
use crate::summary::{CallValue, ClassRef, FunctionRef, Member, Shared, Slot, Value, ValueKind};

/// The configuration of one tree.
pub(super) struct Settings<'g, 'a> {
    graph: &'g Graph<'a>,
    /// By name.
    held: OnceCell<BTreeMap<String, Vec<Shared>>>,
}

impl<'g, 'a> Settings<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>) -> Self {
        Self { graph, held: OnceCell::new() }
    }

    /// What a parameter that a configuration is handed in as holds: `(config: ConfigType<typeof jwtConfig>) => config.accessLife`.
    pub(super) fn handed_in(&self, base: &Shared, name: &str) -> Vec<Shared> {
        let graph = self.graph;
        if let ValueKind::Call(call) = &graph.resolved(base).kind {
            let held = self.looked_up(call);
            return held
                .iter()
                .map(|held| Value::field(&graph.resolved(held), name, held.span))
                .filter(is_there)
                .collect();
        }
        let Some((file, ty)) = graph.declared_type(base) else { return Vec::new() };
        let is_it = |row: &&Setting| row.of.as_ref().is_some_and(|of| of.last() == ty.name.rsplit('.').next());
        let Some(row) = graph.rules.setting().find(is_it) else { return Vec::new() };
        let Some(made) = ty.args.first().and_then(|of| graph.value_meant(file, of)) else { return Vec::new() };
        let ValueKind::Call(call) = &graph.resolved(&made).kind else { return Vec::new() };
        let values = graph.argument(call, &row.values);
        values
            .iter()
            .filter_map(|value| self.returned(value))
            .map(|held| Value::field(&held, name, held.span))
            .filter(is_there)
            .collect()
    }

    /// `config.get('security.expiresIn')`
    pub(super) fn looked_up(&self, call: &CallValue) -> Vec<Shared> {
        let graph = self.graph;
        let mut rows = graph.rules.setting().flat_map(|row| &row.read).filter(|read| read.last() == call.method());
        if call.method().is_none() || rows.next().is_none() {
            return Vec::new();
        }
        let Some(ValueKind::Text(name)) = call.args.first().map(|arg| graph.resolved(&arg.value).kind.clone()) else {
            return Vec::new();
        };
        let path = graph.library_path(call).unwrap_or_default();
        let fits = |row: &Setting| row.read.iter().any(|read| read.matches(&path));
        if !graph.rules.setting().any(fits) {
            return Vec::new();
        }
        let settings = self.held.get_or_init(|| self.all_settings());
        let mut keys = name.split('.');
        let first = keys.next().unwrap_or_default();
        let rest: Vec<&str> = keys.collect();
        let held = settings.get(first).into_iter().flatten().cloned();
        let below = |held: Shared| {
            rest.iter().fold(held, |at, key| {
                let at = graph.resolved(&at);
                Value::field(&at, key, at.span)
            })
        };
        held.map(below).filter(is_there).collect()
    }

    fn all_settings(&self) -> BTreeMap<String, Vec<Shared>> {
        let graph = self.graph;
        let mut found: BTreeMap<String, Vec<Shared>> = BTreeMap::new();
        let units = graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production);
        let decorating = |unit: &'g crate::graph::Unit| {
            unit.summary.class_decorators.iter().flatten().flat_map(|call| crate::guards::life::calls_in(call))
        };
        let calls: Vec<&str> = graph.rules.setting().filter_map(|row| row.call.last()).collect();
        let holding: Rc<BTreeSet<FileId>> = Rc::new(graph.sources.mentions(&calls).into_iter().flatten().collect());
        for (_, unit) in units {
            let written = unit.summary.functions.iter().flat_map(|summary| &summary.calls).map(|event| &event.call);
            for call in written.chain(decorating(unit)) {
                let named = |row: &&Setting| row.call.last() == call.method() || call.method().is_none();
                for row in graph.rules.setting().filter(named) {
                    graph.refuel();
                    let is_it = {
                        // Who hands the library's function on under another name says its own.
                        let _limit = graph.limit(Rc::clone(&holding));
                        graph.fitting_path(call, |path| row.call.matches(path)).is_some()
                    };
                    if !is_it {
                        continue;
                    }
                    let name = row.name.as_ref().and_then(|at| graph.argument(call, at).into_iter().next());
                    for value in graph.argument(call, &row.values).iter().flat_map(|value| members(graph, value)) {
                        let Some(held) = self.returned(&value) else { continue };
                        match name.as_ref().map(|name| graph.resolved(name).kind.clone()) {
                            Some(ValueKind::Text(name)) => found.entry(name).or_default().push(held),
                            Some(_) => {}
                            None => {
                                let ValueKind::Object { entries, .. } = &held.kind else { continue };
                                for slot in entries {
                                    if let Slot::Named { key, value, .. } = slot {
                                        found.entry(key.clone()).or_default().push(Arc::clone(value));
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        found
    }

    /// What a function gives.
    fn returned(&self, value: &Shared) -> Option<Shared> {
        let graph = self.graph;
        match &graph.resolved(value).kind {
            ValueKind::Function(function) => Some(graph.resolved(graph.summary(*function)?.returns.as_ref()?)),
            _ => None,
        }
    }

    /// What a function of the tree gives where a configuration lacks a field: `#[serde(default = "days")] life: i64`.
    pub(super) fn default_of(&self, class: ClassRef, name: &str) -> Option<Shared> {
        let graph = self.graph;
        let field = graph.class(class)?.fields.iter().find(|field| field.name == name)?;
        let before = graph.sources.get(class.file).text.get(..field.span.start as usize)?.trim_end();
        let attributes = before.rsplit_once(['{', ';']).map_or(before, |(_, behind)| behind);
        // Those of the field before end in a comma outside of brackets.
        let own = attributes.rfind(",\n").and_then(|at| attributes.get(at..)).unwrap_or(attributes);
        let named = graph.rules.lacking().find_map(|row| {
            let (_, behind) = own.split_once(&format!("#[{}(", row.attribute))?;
            let (_, behind) = behind.split_once(&row.key)?;
            behind.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.split_once('"')
        });
        let (function, _) = named?;
        let function = function.rsplit("::").next().unwrap_or(function);
        let module = graph.module(class.file)?;
        let at = module.functions.iter().position(|of| of.name == function)?;
        graph.summary(FunctionRef { file: class.file, id: FunctionId::of(at) })?.returns.clone()
    }

    /// The default of a key that a library reads by a description of it: `z.object({ LIFE: z.string().default('15m') }).parse(env).LIFE`.
    pub(super) fn parsed(&self, base: &Shared, name: &str) -> Option<Shared> {
        let graph = self.graph;
        let ValueKind::Call(call) = &graph.resolved(base).kind else { return None };
        let row = graph.rules.described().find(|row| row.call.last() == call.method())?;
        let path = graph.library_path(call)?;
        row.call.matches(&path).then_some(())?;
        let object = left(graph, call.receiver()?, &row.object)?;
        let fields = graph.resolved(&object.args.first()?.value);
        let field = Value::field(&fields, name, fields.span);
        let default = left(graph, &field, &row.default)?;
        default.args.first().map(|arg| Arc::clone(&arg.value))
    }
}

/// The call of a method in a chain.
fn left(graph: &Graph, value: &Shared, method: &str) -> Option<Arc<CallValue>> {
    let mut at = graph.resolved(value);
    for _ in 0..12 {
        let ValueKind::Call(call) = &at.kind else { return None };
        if call.method() == Some(method) {
            return Some(Arc::clone(call));
        }
        let next = graph.resolved(call.receiver()?);
        at = next;
    }
    None
}

fn members(graph: &Graph, value: &Shared) -> Vec<Shared> {
    match &graph.resolved(value).kind {
        ValueKind::Array(members) => members
            .iter()
            .map(|member| {
                let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                Arc::clone(inner)
            })
            .collect(),
        _ => vec![Arc::clone(value)],
    }
}

fn is_there(value: &Shared) -> bool {
    !matches!(value.kind, ValueKind::Undefined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Units;
    use crate::graph::bench::Tree;

    #[test]
    fn what_holds_settings_is_looked_for_without_lowering_what_names_none() {
        let tree = Tree::of(&[
            (
                "src/auth.ts",
                "import { ConfigService, registerAs } from '@nestjs/config'; import { shown } from './shown';
                 export const security = registerAs('security', () => ({ life: '15m' }));
                 export class Auth { constructor(private config: ConfigService) {}
                   life() { shown(1); return this.config.get('security.life'); } }",
            ),
            ("src/shown.ts", "export function shown(it) { return it; }"),
        ]);
        let file = |path: &str| tree.sources.find(path).unwrap();
        let units = Units::new(&tree.sources, crate::READERS);
        units.lower(&tree.sources, [file("src/auth.ts")]);
        let graph = Graph::new(&tree.sources, &tree.rules, &units);
        let calls = &graph.summary(tree.function(&graph, "Auth.life")).unwrap().calls;
        let call = &calls.iter().find(|event| event.call.method() == Some("get")).unwrap().call;
        let held = Settings::new(&graph).looked_up(call);
        assert!(matches!(&held.as_slice(), [one] if matches!(&one.kind, ValueKind::Text(text) if text == "15m")));
        assert!(units.get(file("src/shown.ts")).is_none());
    }
}
