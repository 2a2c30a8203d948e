//! Tokens kept in ways that give them away: storage of the browser, open cookies, denylists by token, tokens without an end.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use globset::GlobSet;

use crate::graph::Graph;
use crate::guards::callers::as_called;
use crate::guards::claims::about;
use crate::guards::cookies;
use crate::guards::denylist::{self, by_token};
use crate::guards::endless::endless;
use crate::guards::life::Lives;
use crate::guards::storage;
use crate::ir::{Export, FunctionId, Imported};
use crate::rules::{ArgBase, Keeps, Rules, Tells, Web};
use crate::schema::{Schema, words};
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallValue, FunctionRef, Shared, Slot, Summary, ValueKind};

/// One place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    pub span: Span,
    pub problem: Problem,
    /// What it is kept under; empty where it has no name.
    pub name: String,
    /// The function it stands in.
    pub function: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Every script of the page reads it.
    Storage,
    /// A cookie that a script sets, so that every script reads it.
    ScriptCookie,
    /// A cookie without these attributes.
    Cookie { lacks: Vec<&'static str>, path: Option<String> },
    /// A denylist that is asked by the token or its hash.
    ByToken,
    /// A token that is signed without an end.
    Endless,
}

/// All of them, sorted.
pub(super) fn find(graph: &Graph, schema: &Schema, lives: &Lives) -> Vec<Hit> {
    let mut found: BTreeSet<Hit> = BTreeSet::new();
    let _limit = graph.limit(Rc::default());
    let lists = denylist::Lists::find(graph, schema);
    let placed: Vec<(&Web, GlobSet)> = graph.rules.web().filter_map(|row| Some((row, row.files()?))).collect();
    for (file, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
        let path = &graph.sources.get(file).path;
        let is_here = |row: &Web| placed.iter().any(|(of, globs)| std::ptr::eq(*of, row) && globs.is_match(path));
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            if graph.function(function).is_some_and(|f| f.is_test) {
                continue;
            }
            let body = graph.function(function).map_or(&[][..], |declared| declared.body.as_slice());
            for (span, name, problem) in storage::assigned(graph, file, body) {
                found.insert(Hit { span, problem, name, function: graph.name(function) });
            }
            for event in &summary.calls {
                let named = graph.rules.webs_named(event.call.method()).filter(|row| may_be_header(row, &event.call));
                let named = named.filter(|row| row.file.is_empty() || is_here(row));
                let mut rows = about(graph, named, &event.call);
                if rows.iter().any(|row| !row.file.is_empty()) {
                    rows.retain(|row| !row.file.is_empty());
                }
                for row in rows {
                    let keeping = Keeping { graph, row, summary };
                    keeping.find(function, &event.call, 3, &mut found);
                }
                for (function, span) in by_token(graph, &lists, function, &event.call) {
                    let (name, function) = (String::new(), graph.name(function));
                    found.insert(Hit { span, problem: Problem::ByToken, name, function });
                }
                for (function, span) in endless(graph, lives, function, &event.call) {
                    let (name, function) = (String::new(), graph.name(function));
                    found.insert(Hit { span, problem: Problem::Endless, name, function });
                }
            }
        }
    }
    found.into_iter().collect()
}

/// The files of the functions that keep something under a name which they are handed.
pub fn keeping_for_others(graph: &Graph) -> BTreeSet<FileId> {
    let _limit = graph.limit(Rc::default());
    let mut found = BTreeSet::new();
    for (file, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
        let hands_on = |call: &CallValue| {
            let named = graph.rules.webs_named(call.method()).filter(|row| row.keeps != Keeps::Header);
            let paths = about(graph, named, call).into_iter().filter_map(|row| row.name.as_ref());
            let mut given = paths.flat_map(|path| graph.argument(call, path));
            given.any(|name| matches!(graph.resolved(&name).kind, ValueKind::Param(..)))
        };
        if unit.summary.functions.iter().flat_map(|summary| &summary.calls).any(|event| hands_on(&event.call)) {
            found.insert(file);
        }
    }
    found
}

/// Asks for the files that a name or the options of what is kept are imported from.
fn ask_for(graph: &Graph, value: &Shared, fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    if let Some(file) = graph.imported_from(value) {
        ask_along(graph, file, graph.imported_name(value), fuel);
    }
    value.kind.each(&mut |inner| ask_for(graph, inner, fuel));
}

/// A file, and where it only exports a name on, the file that the name comes from.
fn ask_along(graph: &Graph, file: FileId, name: Option<&str>, fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    graph.ask(file);
    let (Some(name), Some(module)) = (name, graph.module(file)) else { return };
    for export in &module.exports {
        let (from, name) = match export {
            Export::From { name: exported, from: Imported::Named(inner), module } if exported == name => {
                (module, inner.as_str())
            }
            Export::All { module } => (module, name),
            _ => continue,
        };
        let says = |file: &FileId| graph.sources.get(*file).text.contains(name);
        if let Some(inner) = graph.resolve_module(file, from).filter(says) {
            ask_along(graph, inner, Some(name), fuel);
        }
    }
}

/// Whether a row about headers may be about a call: hardly any `append` or `set` names `Set-Cookie`.
fn may_be_header(row: &Web, call: &CallValue) -> bool {
    let Some(path) = row.name.as_ref().filter(|_| row.keeps == Keeps::Header) else { return true };
    let ArgBase::Nth(at) = path.base else { return true };
    call.args.get(at as usize).is_some_and(|arg| match &arg.value.kind {
        ValueKind::Text(text) => text.eq_ignore_ascii_case("set-cookie"),
        ValueKind::Field(_, name) => name == "SET_COOKIE",
        ValueKind::Import(..) | ValueKind::Global(_) => true,
        _ => false,
    })
}

/// A call that keeps something, and the function that it stands in.
struct Keeping<'k, 'a> {
    graph: &'k Graph<'a>,
    row: &'k Web,
    summary: &'k Summary,
}

impl Keeping<'_, '_> {
    /// The hits of a call, or of those that reach it through wrappers.
    fn find(&self, function: FunctionRef, call: &CallValue, fuel: u8, found: &mut BTreeSet<Hit>) {
        let graph = self.graph;
        let mut add = |name: String, problem| {
            found.insert(Hit { span: call.site.span, problem, name, function: graph.name(function) });
        };
        let given = self.row.name.as_ref().and_then(|path| graph.argument(call, path).into_iter().next());
        let options = self.row.options.iter().flat_map(|path| graph.argument(call, path));
        given.iter().cloned().chain(options).for_each(|value| ask_for(graph, &value, 6));
        if self.row.keeps == Keeps::Header {
            let is_it = given.is_none_or(|name| match &graph.resolved(&name).kind {
                ValueKind::Text(text) => text.eq_ignore_ascii_case("set-cookie"),
                _ => graph.path(&name).is_some_and(|path| path.ends_with("SET_COOKIE")),
            });
            let value = self.row.value.as_ref().filter(|_| is_it);
            let value = value.and_then(|path| graph.argument(call, path).into_iter().next());
            for (name, problem) in value.iter().flat_map(|value| cookies::of_header(graph, value)) {
                if is_cookie(graph.rules, &name) {
                    add(name, problem);
                }
            }
            return;
        }
        let given = given.map(|name| graph.resolved(&name)).filter(|name| !matches!(name.kind, ValueKind::Undefined));
        match (given.as_ref().map(|name| &name.kind), &self.row.named) {
            (Some(ValueKind::Text(text)), _) => {
                if let Some(problem) = self.problem(call, text) {
                    add(text.clone(), problem);
                }
            }
            // `${prefix}.accessToken`
            (Some(ValueKind::Concat(parts)), _) => {
                let last = parts.last().map(|part| graph.resolved(part));
                if let Some(ValueKind::Text(text)) = last.as_ref().map(|part| &part.kind)
                    && let Some(problem) = self.problem(call, text)
                {
                    add(text.trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned(), problem);
                }
            }
            (None, Some(named)) => {
                if let Some(problem) = self.problem(call, named) {
                    add(named.clone(), problem);
                }
            }
            // A wrapper is handed the name: each of its callers is a place.
            (Some(ValueKind::Param(of, _)), _) if fuel > 0 => {
                for (caller, bound) in as_called(graph, *of, call) {
                    self.find(caller, &bound, fuel - 1, found);
                }
            }
            _ => {}
        }
    }

    /// Whether the value is read from a key that says token, or is an object, written out or made a text of, one of whose keys says so:
    /// `JSON.stringify({ accessToken })`.
    fn holds_token(&self, call: &CallValue) -> bool {
        let value = self.row.value.as_ref().and_then(|path| self.graph.argument(call, path).into_iter().next());
        let Some(value) = value.map(|value| self.graph.resolved(&value)) else { return false };
        // `setItem('auth', answer.accessToken)`
        if let ValueKind::Field(_, name) = &value.kind {
            return is_token(self.graph.rules, name);
        }
        let inner = match &value.kind {
            ValueKind::Call(made) => made.args.first().map(|arg| self.graph.resolved(&arg.value)),
            _ => Some(Arc::clone(&value)),
        };
        matches!(inner.as_ref().map(|value| &value.kind), Some(ValueKind::Object { entries, .. })
            if entries.iter().any(|slot| matches!(slot, Slot::Named { key, .. } if is_token(self.graph.rules, key))))
    }

    fn problem(&self, call: &CallValue, name: &str) -> Option<Problem> {
        let graph = self.graph;
        // What is written out is no token: `setItem('token', '')` clears it, and so does `cookie('token', 'none', ..)`.
        let cleared = |value: &Shared| {
            matches!(&value.kind, ValueKind::Null | ValueKind::Undefined | ValueKind::Text(_) | ValueKind::Bool(_))
        };
        if let Some(path) = &self.row.value {
            let value = graph.argument(call, path).into_iter().next();
            if value.is_none_or(|value| cleared(&graph.resolved(&value))) {
                return None;
            }
        }
        match self.row.keeps {
            Keeps::Storage => {
                let is_other = || graph.rules.tells_otherwise(Tells::Token, &words(name));
                (is_token(graph.rules, name) || !is_other() && self.holds_token(call)).then_some(Problem::Storage)
            }
            Keeps::ScriptCookie => is_token(graph.rules, name).then_some(Problem::ScriptCookie),
            Keeps::Cookie if is_cookie(graph.rules, name) => {
                cookies::problem(graph, self.row, self.summary, call, name)
            }
            Keeps::Cookie | Keeps::Header => None,
        }
    }
}

/// `accessToken`, `refresh-token`, `jwt`; no `csrfToken`, `pushToken`, `tokenExpiresAt`.
pub(super) fn is_token(rules: &Rules, name: &str) -> bool {
    rules.tells_name(Tells::Token, &words(name))
}

/// Also what cookies of tokens are called: `__Host-access`, `Authentication`, `jid`, `rt`.
pub(super) fn is_cookie(rules: &Rules, name: &str) -> bool {
    // One word: `figmaOAuthNonce` is no cookie of an `auth`.
    is_token(rules, name) || rules.tells_name(Tells::SessionCookie, &words(&name.replace("OAuth", "Oauth")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_a_sign_in_elsewhere_is_none_of_a_session() {
        let rules = crate::rules::load(&[]).expect("the packs that are built in");
        assert!(is_cookie(&rules, "__Host-access") && is_cookie(&rules, "authSession"));
        assert!(!is_cookie(&rules, "figmaOAuthNonce") && !is_cookie(&rules, "auth-nonce"));
    }

    #[test]
    fn a_token_is_told_from_what_only_sounds_like_one() {
        let rules = crate::rules::load(&[]).expect("the packs that are built in");
        for name in ["token", "accessToken", "refresh-token", "jwt", "app:authToken", "ID_TOKEN"] {
            assert!(is_token(&rules, name), "{name}");
        }
        for name in [
            "csrfToken",
            "push_token",
            "tokenExpiresAt",
            "theme",
            "tokenize",
            "resetToken",
            "costTokensOnTree",
            "maxTokens",
        ] {
            assert!(!is_token(&rules, name), "{name}");
        }
    }
}
