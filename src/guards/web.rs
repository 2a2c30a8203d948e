//! Tokens kept in ways that give them away: storage of the browser, open cookies, denylists by token, tokens without an end.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::{EdgeKind, Graph};
use crate::guards::claims::{holds_call, rows_about};
use crate::guards::life::{self, Lives};
use crate::ir::FunctionId;
use crate::rules::{Asks, Consult, Keeps, Life, Web};
use crate::schema::Schema;
use crate::sites;
use crate::source::{Scope, Span};
use crate::summary::{CallValue, FunctionRef, Shared, Slot, Summary, Value, ValueKind};

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
    let web: Vec<&Web> = graph.rules.web().collect();
    let stores: Vec<&Consult> = graph.rules.consult().filter(|row| row.asks == Asks::Store).collect();
    let signs: Vec<&Life> = graph.rules.life().collect();
    let by_default = signs.iter().any(|row| row.default) && lives.default;
    for (file, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            if graph.function(function).is_some_and(|f| f.is_test) {
                continue;
            }
            for event in &summary.calls {
                for row in rows_of(graph, &web, &event.call) {
                    kept(graph, row, function, summary, &event.call, 3, &mut found);
                }
                if by_token(graph, schema, &stores, &event.call) {
                    let name = String::new();
                    found.insert(Hit {
                        span: event.span(),
                        problem: Problem::ByToken,
                        name,
                        function: graph.name(function),
                    });
                }
                if !by_default && endless(graph, &signs, &event.call) {
                    let name = String::new();
                    found.insert(Hit {
                        span: event.span(),
                        problem: Problem::Endless,
                        name,
                        function: graph.name(function),
                    });
                }
            }
        }
    }
    found.into_iter().collect()
}

fn rows_of<'r>(graph: &Graph, rows: &[&'r Web], call: &CallValue) -> Vec<&'r Web> {
    rows_about(graph, rows, |row| &row.call, call)
}

/// A call that keeps something, or that reaches one through wrappers.
fn kept(
    graph: &Graph,
    row: &Web,
    function: FunctionRef,
    summary: &Summary,
    call: &CallValue,
    fuel: u8,
    found: &mut BTreeSet<Hit>,
) {
    let Some(name) = graph.argument(call, &row.name).into_iter().next() else { return };
    let name = graph.resolved(&name);
    match &name.kind {
        ValueKind::Text(text) => {
            let value = graph.argument(call, &row.value).into_iter().next();
            let Some(problem) = problem(graph, row, summary, call, text, value.as_ref()) else { return };
            found.insert(Hit { span: call.site.span, problem, name: text.clone(), function: graph.name(function) });
        }
        // A wrapper is handed the name: each of its callers is a place.
        ValueKind::Param(of, _) if fuel > 0 => {
            let callers = graph.callers(*of);
            for edge in callers.iter().take(60) {
                let EdgeKind::Call(outer) = &edge.kind else { continue };
                if graph.scope(edge.caller) != Scope::Production {
                    continue;
                }
                graph.refuel();
                let bindings = graph.bind(outer, *of);
                let inner = Value::new(ValueKind::Call(Arc::new(call.clone())), edge.span);
                let ValueKind::Call(bound) = &graph.substitute(&inner, &bindings).kind else { continue };
                let mut bound = CallValue::clone(bound);
                bound.site.span = edge.span;
                let Some(above) = graph.summary(edge.caller) else { continue };
                kept(graph, row, edge.caller, above, &bound, fuel - 1, found);
            }
        }
        _ => {}
    }
}

fn problem(
    graph: &Graph,
    row: &Web,
    summary: &Summary,
    call: &CallValue,
    name: &str,
    value: Option<&Shared>,
) -> Option<Problem> {
    // `setItem('token', '')` clears it.
    let cleared = |value: &Shared| {
        matches!(&value.kind, ValueKind::Null | ValueKind::Undefined)
            || matches!(&value.kind, ValueKind::Text(t) if t.is_empty())
    };
    if value.is_none_or(|value| cleared(&graph.resolved(value))) {
        return None;
    }
    match row.keeps {
        Keeps::Storage => is_token(name).then_some(Problem::Storage),
        Keeps::ScriptCookie => is_token(name).then_some(Problem::ScriptCookie),
        Keeps::Cookie if is_token(name) || is_session(name) => cookie(graph, row, summary, call, name),
        Keeps::Cookie => None,
    }
}

/// `accessToken`, `refresh-token`, `jwt`; no `csrfToken`, `pushToken`, `tokenExpiresAt`.
fn is_token(name: &str) -> bool {
    let words = words(name);
    let has = |all: &[&str]| words.iter().any(|word| all.contains(&word.as_str()));
    has(&["token", "tokens", "jwt", "accesstoken", "refreshtoken", "authtoken", "idtoken", "bearer"])
        && !has(&[
            "csrf",
            "xsrf",
            "push",
            "fcm",
            "apns",
            "device",
            "reset",
            "verification",
            "verify",
            "invite",
            "invitation",
            "expires",
            "expiry",
            "expiration",
            "exp",
            "at",
            "type",
            "count",
            "limit",
            "map",
            "mapbox",
            "design",
            "color",
            "price",
            "name",
            "symbol",
            "address",
            "state",
        ])
}

fn is_session(name: &str) -> bool {
    let words = words(name);
    let has = |all: &[&str]| words.iter().any(|word| all.contains(&word.as_str()));
    has(&["session", "sid", "sessionid", "auth"])
        && !has(&["csrf", "state", "redirect", "provider", "callback", "name", "expires", "flash"])
}

/// The words of a name in camel case, with `_`, `-`, `.` or `:`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before_lower) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(last) = words.last_mut()
        {
            last.extend(c.to_lowercase());
        }
        before_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Set,
    Off,
    Unknown,
}

fn cookie(graph: &Graph, row: &Web, summary: &Summary, call: &CallValue, name: &str) -> Option<Problem> {
    let (flags, path) = match &row.options {
        Some(at) => {
            let given = graph.argument(call, at).into_iter().next();
            let options = given.map(|options| graph.resolved(&options));
            let of = |keys: &[&str]| match &options {
                None => Flag::Off,
                Some(options) => {
                    keys.iter().map(|key| flag(graph, options, key)).find(|f| *f != Flag::Off).unwrap_or(Flag::Off)
                }
            };
            let flags = [of(&["httpOnly", "httponly"]), of(&["secure"]), of(&["sameSite", "samesite"])];
            let path = options.as_ref().and_then(|options| {
                match &graph.resolved(&Value::field(options, "path", options.span)).kind {
                    ValueKind::Text(path) => Some(path.clone()),
                    _ => None,
                }
            });
            (flags, path)
        }
        None => chained(graph, summary, call),
    };
    if flags.contains(&Flag::Unknown) {
        return None;
    }
    let names = ["httpOnly", "secure", "sameSite"];
    let lacks: Vec<&'static str> =
        names.into_iter().zip(flags).filter(|(_, flag)| *flag == Flag::Off).map(|(name, _)| name).collect();
    // A refresh token that is sent to its own endpoint alone is scoped on purpose.
    let is_refresh = words(name).iter().any(|word| word.starts_with("refresh"))
        || path.as_ref().is_some_and(|path| path.contains("refresh"));
    let path = path.filter(|path| path != "/" && path.starts_with('/') && !is_refresh);
    (!lacks.is_empty() || path.is_some()).then_some(Problem::Cookie { lacks, path })
}

fn flag(graph: &Graph, options: &Shared, key: &str) -> Flag {
    if !matches!(options.kind, ValueKind::Object { base: None, .. }) {
        return Flag::Unknown;
    }
    stated(graph, &Value::field(options, key, options.span), 8)
}

fn stated(graph: &Graph, value: &Shared, fuel: u8) -> Flag {
    let Some(fuel) = fuel.checked_sub(1) else { return Flag::Unknown };
    let value = graph.resolved(value);
    match &value.kind {
        ValueKind::Undefined | ValueKind::Bool(false) | ValueKind::Null => Flag::Off,
        // `{ ...options, secure }`: what the spread holds, else what stood before it.
        ValueKind::Fallback { left, right, .. } => match stated(graph, left, fuel) {
            Flag::Off => stated(graph, right, fuel),
            known => known,
        },
        // What could not be followed may hold it.
        ValueKind::Field(..) if of_options(&value) => Flag::Unknown,
        ValueKind::Either(_) | ValueKind::Opaque(..) => Flag::Unknown,
        _ => Flag::Set,
    }
}

/// A key of something that is not known, and no setting: `isProduction` of a configuration is one.
fn of_options(value: &Shared) -> bool {
    matches!(&value.kind, ValueKind::Field(_, name) if ["httpOnly", "httponly", "secure", "sameSite", "samesite"].contains(&name.as_str()))
}

/// `Cookie::build((name, value)).http_only(true).secure(true)`: the attributes are calls on it.
fn chained(graph: &Graph, summary: &Summary, call: &CallValue) -> ([Flag; 3], Option<String>) {
    let mut flags = [Flag::Off; 3];
    let mut path = None;
    for event in &summary.calls {
        let Some(receiver) = event.call.receiver().filter(|receiver| holds_call(receiver, call.site)) else { continue };
        let _ = receiver;
        let method = event.call.method().unwrap_or("").trim_start_matches("set_");
        let argument = event.call.args.first().map(|arg| graph.resolved(&arg.value));
        let at = match method {
            "http_only" => 0,
            "secure" => 1,
            "same_site" => 2,
            "path" => {
                if let Some(ValueKind::Text(text)) = argument.as_ref().map(|value| &value.kind) {
                    path = Some(text.clone());
                }
                continue;
            }
            _ => continue,
        };
        let off = argument.is_some_and(|value| matches!(value.kind, ValueKind::Bool(false) | ValueKind::Null));
        flags[at] = if off { Flag::Off } else { Flag::Set };
    }
    (flags, path)
}

const LISTS: [&str; 4] = ["blacklist", "denylist", "blocklist", "revoked"];

fn names_a_list(text: &str) -> bool {
    let text: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    LISTS.iter().any(|list| text.contains(list))
}

/// A denylist that is asked by the token, or by a hash of it.
fn by_token(graph: &Graph, schema: &Schema, stores: &[&Consult], call: &CallValue) -> bool {
    let Some(method) = call.method() else { return false };
    if !stores.iter().any(|row| row.call.last().is_none_or(|last| last == method)) {
        return by_token_in_table(graph, schema, call);
    }
    graph.refuel();
    let Some(path) = graph.library_path(call) else { return false };
    if !stores.iter().any(|row| row.call.matches(&path)) {
        return by_token_in_table(graph, schema, call);
    }
    let receiver = call.receiver().map_or("", |receiver| graph.sources.text(receiver.span));
    call.args.iter().any(|arg| {
        let parts: Vec<Shared> = match &graph.resolved(&arg.value).kind {
            ValueKind::Concat(parts) => parts.clone(),
            _ => vec![Arc::clone(&arg.value)],
        };
        let texts = |part: &Shared| matches!(&graph.resolved(part).kind, ValueKind::Text(text) if names_a_list(text));
        (parts.iter().any(texts) || names_a_list(receiver)) && parts.iter().any(|part| is_the_token(graph, part))
    })
}

fn by_token_in_table(graph: &Graph, schema: &Schema, call: &CallValue) -> bool {
    let Some(model) = sites::model_read(graph, schema, call) else { return false };
    let model = &schema.models[model.0];
    if !names_a_list(&model.table) && !names_a_list(&model.name) {
        return false;
    }
    call.args.iter().any(|arg| asked_by(&arg.value, 6))
}

/// `{ where: { token } }`.
fn asked_by(value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    let ValueKind::Object { entries, .. } = &value.kind else { return false };
    entries.iter().any(|slot| match slot {
        Slot::Named { key, value, .. } => {
            let words = words(key);
            let is = |word: &str| words.iter().any(|known| known == word);
            ((is("token") || is("hash")) && !is("jti") && !is("id")) || asked_by(value, fuel)
        }
        _ => false,
    })
}

/// Whether a value is a token as it was sent, or a hash of one, by what the code calls it.
fn is_the_token(graph: &Graph, value: &Shared) -> bool {
    let called = |value: &Shared| match &value.kind {
        ValueKind::Param(function, at) => {
            graph.function(*function).and_then(|f| f.params.get(*at as usize)).map(|param| param.name.clone())
        }
        ValueKind::Field(_, name) => Some(name.clone()),
        _ => None,
    };
    let is_token =
        |name: &str| words(name).iter().any(|word| word == "token" || word == "jwt" || word.ends_with("token"));
    if called(value).is_some_and(|name| is_token(&name)) {
        return true;
    }
    let ValueKind::Call(call) = &value.kind else { return false };
    let hashes = graph.library_path(call).is_some_and(|path| {
        graph.rules.pass().any(|row| row.form == Some(crate::rules::Form::Hashed) && row.call.matches(&path))
    });
    hashes && {
        let mut all = vec![Arc::clone(value)];
        let mut found = false;
        while let Some(next) = all.pop() {
            found |= called(&next).is_some_and(|name| is_token(&name));
            if all.len() > 200 {
                break;
            }
            next.kind.each(&mut |inner| all.push(Arc::clone(inner)));
        }
        found
    }
}

/// A call that signs a token with claims that are all known and no end among them.
fn endless(graph: &Graph, rows: &[&Life], call: &CallValue) -> bool {
    if !rows
        .iter()
        .any(|row| row.payload.is_some() && row.call.last().is_none_or(|last| call.method().is_none_or(|m| m == last)))
    {
        return false;
    }
    let Some(row) = life::row_of(graph, rows, call) else { return false };
    let Some(payload) = &row.payload else { return false };
    if life::stated(graph, row, call).is_some() {
        return false;
    }
    // Options that could not be followed may state it.
    let options = row.at.iter().filter_map(|path| {
        let whole = crate::rules::ArgPath { base: path.base, keys: Vec::new() };
        graph.argument(call, &whole).into_iter().next()
    });
    let closed = |value: &Shared| {
        let value = graph.resolved(value);
        matches!(&value.kind, ValueKind::Object { base: None, entries } if entries.iter().all(|slot| matches!(slot, Slot::Named { .. })))
    };
    let options: Vec<Shared> = options.collect();
    let Some(payload) = graph.argument(call, payload).into_iter().next() else { return false };
    let has_end = matches!(&graph.resolved(&payload).kind, ValueKind::Object { entries, .. }
        if entries.iter().any(|slot| matches!(slot, Slot::Named { key, .. } if key == "exp")));
    options.iter().all(closed) && closed(&payload) && !has_end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_what_only_sounds_like_one() {
        for name in ["token", "accessToken", "refresh-token", "jwt", "app:authToken", "ID_TOKEN"] {
            assert!(is_token(name), "{name}");
        }
        for name in ["csrfToken", "push_token", "tokenExpiresAt", "theme", "tokenize", "resetToken"] {
            assert!(!is_token(name), "{name}");
        }
    }
}
