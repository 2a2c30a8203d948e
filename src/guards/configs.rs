//! Guards that are functions below a configuration object: the callbacks of Auth.js.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use globset::GlobSet;

use crate::graph::{Graph, Type};
use crate::guards::behind::Behind;
use crate::guards::claims::Seeds;
use crate::guards::life::{self, Exposure, Lives, exposure_of};
use crate::guards::root::Root;
use crate::guards::shapes::{first_there, functions_behind, lets_expired_in, params};
use crate::guards::unless::LeftOut;
use crate::guards::walk::Walk;
use crate::guards::{Guard, Proof, Verdict};
use crate::ir::{Export, FunctionId, Imported, LocalId, Missing};
use crate::rules::{Asks, Guard as Row, GuardKind};
use crate::schema::Schema;
use crate::source::{Scope, Span};
use crate::summary::{CallSite, CallValue, FunctionRef, Shared, Slot, Value, ValueKind};

#[derive(Debug)]
pub(super) struct Configured {
    pub name: String,
    pub span: Span,
    pub what: String,
    pub roots: Vec<(FunctionRef, Root)>,
    /// Where it says that sessions are rows.
    pub stored: Option<Span>,
    pub keeps_users: bool,
    pub exposure: Option<Exposure>,
    /// What it verifies with.
    pub key: Option<Shared>,
    /// Where it says that tokens get in that have ended.
    pub expired: Option<Span>,
    /// The call that takes it.
    pub call: Option<CallSite>,
    /// The export beside it that says which routes it runs before.
    pub routes: Option<String>,
    /// The requests that its registration leaves out.
    pub except: LeftOut,
    /// Whether a part of it could not be followed.
    pub open: bool,
    parts: Vec<Span>,
    object: Span,
}

pub(super) fn find(graph: &Graph) -> Vec<Configured> {
    let rows: Vec<&Row> = graph.rules.guard().filter(|row| row.kind == GuardKind::Config).collect();
    let is_of = |row: &Row, path: &str| row.path.as_ref().is_some_and(|pattern| pattern.matches(path));
    let mut seen: BTreeSet<Span> = BTreeSet::new();
    let mut found = Vec::new();
    for (file, unit) in graph.units() {
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            for event in &summary.calls {
                let method = event.call.method();
                let fits = |row: &&&Row| {
                    let pattern = row.path.as_ref();
                    pattern.is_some_and(|p| p.last().is_none_or(|last| method.is_none_or(|method| method == last)))
                };
                let mut path = None;
                for row in rows.iter().filter(fits) {
                    let path = path.get_or_insert_with(|| {
                        let _limit = graph.limit(Rc::default());
                        graph.refuel();
                        let is_about = |path: &str| rows.iter().filter(fits).any(|row| is_of(row, path));
                        graph.fitting_path(&event.call, is_about)
                    });
                    let is_it = path
                        .as_ref()
                        .is_some_and(|path| is_of(row, path) && !row.except.iter().any(|p| p.matches(path)));
                    if !is_it {
                        continue;
                    }
                    for value in row.handler.iter().flat_map(|path| graph.argument(&event.call, path)) {
                        found.extend(configured(graph, row, &value, Some(&event.call), &mut seen));
                    }
                }
            }
            // `export const authOptions: NextAuthOptions = { .. }`
            let function = FunctionRef { file, id: FunctionId::of(at) };
            for local in summary.assigned.keys() {
                found.extend(
                    typed(graph, &rows, function, *local)
                        .and_then(|(row, value)| configured(graph, row, &value, None, &mut seen)),
                );
            }
        }
    }
    found.extend(handed_on(graph, &rows));
    // What is only a part of others is none by itself: `NextAuth({ ...authConfig, callbacks })`.
    let parts: BTreeSet<Span> = found.iter().flat_map(|config| config.parts.iter().copied()).collect();
    found.retain(|config| config.call.is_some() || !parts.contains(&config.object));
    found
}

/// What a library exports that lets in by itself, where a file of guards hands it on: `export { default } from 'next-auth/middleware'`.
fn handed_on(graph: &Graph, rows: &[&Row]) -> Vec<Configured> {
    let mut found = Vec::new();
    let files: Vec<(&Row, GlobSet)> = graph.rules.guard().filter_map(|row| Some((row, row.files()?))).collect();
    let taking_nothing = |path: &str| {
        rows.iter().find(|row| row.handler.is_empty() && row.path.as_ref().is_some_and(|of| of.matches(path)))
    };
    for (file, unit) in graph.units() {
        let path = &graph.sources.get(file).path;
        let of_guards = files.iter().filter(|(row, globs)| row.kind == GuardKind::File && globs.is_match(path));
        let names: BTreeSet<&String> = of_guards.flat_map(|(row, _)| &row.method).collect();
        for export in &unit.module.exports {
            let Export::From { name, from, module } = export else { continue };
            let from = match from {
                Imported::Named(from) => from,
                Imported::Default => "default",
                Imported::Namespace => continue,
            };
            let row = taking_nothing(&format!("{module}#{from}")).filter(|_| names.contains(name));
            let text = &graph.sources.get(file).text;
            let Some((row, start)) = row.zip(text.find("export {")) else { continue };
            let start = u32::try_from(start).unwrap_or(0);
            found.push(Configured {
                name: row.what.clone(),
                span: Span { file, start, end: start + 6 },
                what: row.what.clone(),
                roots: Vec::new(),
                stored: None,
                keeps_users: true,
                exposure: None,
                key: None,
                expired: None,
                call: None,
                routes: row.routes.clone(),
                except: LeftOut::default(),
                open: false,
                parts: Vec::new(),
                object: Span { file, start, end: start + 6 },
            });
        }
    }
    found
}

fn typed<'r>(graph: &Graph, rows: &[&'r Row], function: FunctionRef, local: LocalId) -> Option<(&'r Row, Shared)> {
    let declared = graph.module(function.file)?.locals.get(local.at())?;
    let ty = {
        let _limit = graph.limit(Rc::default());
        graph.resolve_type(function.file, declared.ty.as_ref()?)
    };
    let Type::External(path, _) = ty else { return None };
    let row = rows.iter().find(|row| row.path.as_ref().is_some_and(|pattern| pattern.matches(&path)))?;
    Some((row, graph.any_value_of(function, local)?))
}

fn configured(
    graph: &Graph,
    row: &Row,
    value: &Shared,
    call: Option<&CallValue>,
    seen: &mut BTreeSet<Span>,
) -> Option<Configured> {
    let mut config = graph.resolved(value);
    // `NextAuth((req) => ({ .. }))`
    if let ValueKind::Function(function) = &config.kind {
        config = graph.resolved(graph.summary(*function)?.returns.as_ref()?);
    }
    if !matches!(config.kind, ValueKind::Object { .. }) || !seen.insert(config.span) {
        return None;
    }
    // Whether a spread that could not be followed may say more.
    let open = Cell::new(false);
    let at = |path: &str| {
        path.split('.').fold(Arc::clone(&config), |at, key| match at.kind {
            ValueKind::Undefined => at,
            _ => settled(graph, &Value::field(&at, key, at.span), &open, 8),
        })
    };
    let text = |path: &str| match &at(path).kind {
        ValueKind::Text(text) => Some(text.clone()),
        _ => None,
    };
    let is_there = |path: &str| !matches!(at(path).kind, ValueKind::Undefined);
    if !row.has.is_empty() && !row.has.iter().any(|key| is_there(key)) {
        return None;
    }
    let parts = parts(graph, &config);
    let mut roots = Vec::new();
    for path in &row.callbacks {
        for function in functions_behind(graph, &at(path), 6) {
            let claims = params(graph, function, &row.claims);
            let first = params(graph, function, &row.first);
            roots.push((
                function,
                Root { what: row.what.clone(), claims, first, denies: row.denies, ..Root::default() },
            ));
        }
    }
    let strategy = row.strategy.as_deref().filter(|path| is_there(path));
    let is_cached = row.cached.as_deref().is_some_and(|path| matches!(at(path).kind, ValueKind::Bool(true)));
    let kept = row.stored.iter().find(|path| is_there(path));
    let stored = match strategy {
        _ if is_cached => None,
        Some(path) => {
            let word = text(path);
            // `process.env.STRATEGY ?? 'jwt'` is either.
            open.set(open.get() || word.is_none());
            (word.is_some() && word == row.rows).then(|| at(path).span)
        }
        None => kept.map(|path| at(path).span),
    };
    // A callback that another configuration brings in is shown there.
    let own = roots.iter().filter_map(|(function, _)| Some((*function, graph.function(*function)?)));
    let within = |of: Span| of.file == config.span.file && config.span.start <= of.start && of.end <= config.span.end;
    let mut own = own.filter(|(_, declared)| call.is_none() || parts.is_empty() || within(declared.span));
    let (name, span) = own.next().map_or_else(
        || (row.what.clone(), config.span),
        |(function, declared)| (graph.name(function), declared.name_span),
    );
    let life = row.lives.iter().map(|path| at(path)).find(|value| !matches!(value.kind, ValueKind::Undefined));
    let exposure = match life {
        Some(life) => exposure_of(graph, &life, 1_000),
        None => row.life.map(|seconds| Exposure { seconds, at: None, exact: true, open: None }),
    };
    Some(Configured {
        name,
        span,
        what: row.what.clone(),
        roots,
        stored,
        // A library that keeps nothing says nothing about users.
        keeps_users: row.stored.is_empty() || kept.is_some() || looks_up_at_logins(graph, row, &at),
        exposure,
        key: call.and_then(|call| first_there(graph, call, &row.key)),
        expired: call.and_then(|call| lets_expired_in(graph, call, &row.unending, &[])),
        call: call.map(|call| call.site),
        routes: row.routes.clone(),
        except: call.map(|call| LeftOut::of(graph, row, call)).unwrap_or_default(),
        open: open.get(),
        parts,
        object: config.span,
    })
}

/// What a key of a configuration holds: of spreads the last that has it.
fn settled(graph: &Graph, value: &Shared, open: &Cell<bool>, fuel: u8) -> Shared {
    let value = graph.resolved(value);
    let (ValueKind::Fallback { left, right, when: Missing::Undefined }, Some(fuel)) =
        (&value.kind, fuel.checked_sub(1))
    else {
        return value;
    };
    let left = settled(graph, left, open, fuel);
    match left.kind {
        ValueKind::Undefined => settled(graph, right, open, fuel),
        // A key of something that is not known.
        ValueKind::Field(..) => {
            open.set(true);
            settled(graph, right, open, fuel)
        }
        _ => left,
    }
}

/// The objects that are spread into a configuration.
fn parts(graph: &Graph, config: &Shared) -> Vec<Span> {
    let ValueKind::Object { entries, .. } = &config.kind else { return Vec::new() };
    let spread = entries.iter().filter_map(|slot| match slot {
        Slot::Spread(inner) => Some(graph.resolved(inner).span),
        _ => None,
    });
    spread.collect()
}

/// Whether the program looks up by itself who signs in, in one of the ways that the configuration knows.
fn looks_up_at_logins(graph: &Graph, row: &Row, at: &dyn Fn(&str) -> Shared) -> bool {
    fn visit(graph: &Graph, login: &str, value: &Shared, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        match &value.kind {
            ValueKind::Object { entries, .. } => entries.iter().any(|slot| match slot {
                Slot::Named { key, value, .. } => key == login || visit(graph, login, value, fuel),
                Slot::Spread(value) | Slot::Computed { value, .. } => visit(graph, login, value, fuel),
            }),
            ValueKind::Captured(..) | ValueKind::Import(..) => {
                let inner = graph.resolved(value);
                !Arc::ptr_eq(&inner, value) && visit(graph, login, &inner, fuel)
            }
            ValueKind::Function(_) => false,
            kind => {
                let mut found = false;
                kind.each(&mut |inner| found = found || visit(graph, login, inner, fuel));
                found
            }
        }
    }
    let (Some(logins), Some(login)) = (&row.logins, &row.login) else { return false };
    visit(graph, login, &at(logins), 8)
}

/// What a configuration object lets in by.
pub(super) fn config_guard(
    graph: &Graph,
    schema: &Schema,
    config: &Configured,
    lives: &Lives,
    behind: &mut Behind,
) -> Option<(Guard, BTreeSet<FunctionRef>, Seeds)> {
    if graph.sources.get(config.span.file).scope != Scope::Production {
        return None;
    }
    let mut walk = Walk::new(graph, schema);
    for (function, root) in &config.roots {
        walk.run(*function, root);
    }
    // Callbacks are handed the claims; without any the library lets in by itself.
    let handed = Root { claims: vec![(0, Vec::new())], ..Root::default() };
    if let Some(stored) = &config.stored {
        let what = "the session row that the adapter keeps".to_owned();
        walk.proofs.push(Proof { asks: Asks::Session, span: *stored, what, model: None });
    }
    if let (true, Some(call)) = (walk.proofs.is_empty(), config.call) {
        walk.proofs.extend(behind.asked_by_call(call));
    }
    // Without a user that is kept anywhere there is none to look at.
    let keeps_users = config.keeps_users || !walk.short.is_empty();
    let mut verdict = walk.verdict(&handed);
    if verdict == Verdict::Unchecked && (!keeps_users || config.open) {
        verdict = Verdict::Unclear;
    }
    let guard = Guard {
        name: config.name.clone(),
        span: config.span,
        what: config.what.clone(),
        routes: Vec::new(),
        verification: None,
        verdict,
        proofs: walk.proofs,
        short: walk.short,
        unclear: walk.unclear,
        exposure: config
            .expired
            .map(Exposure::without_end)
            .or_else(|| config.exposure.clone())
            .or_else(|| config.key.as_ref().and_then(|key| lives.of(graph, [key].into_iter()))),
        expired: config.expired,
        foreign: config.key.as_ref().is_some_and(|key| life::is_foreign(graph, key)),
        status: None,
        renews: false,
    };
    Some((guard, walk.functions, walk.seeds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::bench::Tree;

    #[test]
    fn a_way_to_sign_in_is_no_configuration_whatever_it_is_handed() {
        let found = |module: &str| {
            let text =
                format!("import make from '{module}'; export const made = make({{ session: {{ maxAge: 60 }} }});");
            find(&Tree::of(&[("src/a.ts", &text)]).graph()).len()
        };
        assert_eq!(["next-auth", "next-auth/providers/google"].map(found), [1, 0]);
    }
}
