//! What a cookie lacks: attributes in options, in calls on a builder, in the text of a header.

use crate::graph::Graph;
use crate::guards::claims::holds_call;
use crate::guards::web::Problem;
use crate::ir::Missing;
use crate::rules::{ArgPath, Attribute, Web};
use crate::schema::words;
use crate::summary::{CallValue, Event, Shared, Summary, Value, ValueKind};

/// In the order in which they are told.
const ATTRIBUTES: [Attribute; 3] = [Attribute::HttpOnly, Attribute::Secure, Attribute::SameSite];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Set,
    Off,
    Unknown,
}

/// What a cookie lacks that a call sets.
pub(super) fn problem(graph: &Graph, row: &Web, summary: &Summary, call: &CallValue, name: &str) -> Option<Problem> {
    if row.options.as_ref().is_some_and(|at| clears(graph, call, at)) {
        return None;
    }
    let (flags, sets, path) =
        row.options.as_ref().map_or_else(|| chained(graph, row, summary, call), |at| optional(graph, row, call, at));
    let flags = with(flags, sets);
    let flags = if flags.contains(&Flag::Off) { defaulted(graph, row, call, flags) } else { flags };
    lacking(name, flags, path)
}

/// With what the library was given for all cookies, where it was set up and the call does not say otherwise.
fn defaulted(graph: &Graph, row: &Web, call: &CallValue, flags: [Flag; 3]) -> [Flag; 3] {
    let Some(defaults) = &row.defaults else { return flags };
    let calls = graph.units().flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
    let set_up = calls.map(|event| &event.call).find(|call| {
        let comes_from = |path: String| path.split('#').next() == Some(defaults.plugin.as_str());
        call.method() == defaults.call.last()
            && call.args.first().is_some_and(|arg| graph.path(&arg.value).is_some_and(comes_from))
    });
    let Some(options) = set_up.and_then(|call| graph.argument(call, &defaults.at).into_iter().next()) else {
        return flags;
    };
    let options = graph.resolved(&options);
    let own = ATTRIBUTES.map(|attribute| flag(graph, &options, attribute.word()));
    let given = row.options.as_ref().and_then(|at| given(graph, call, at));
    let refuses = |attribute: Attribute| {
        let said = given.as_ref().map(|given| graph.resolved(&Value::field(given, attribute.word(), given.span)));
        said.is_some_and(|said| matches!(said.kind, ValueKind::Bool(false)))
    };
    std::array::from_fn(|at| if flags[at] == Flag::Off && !refuses(ATTRIBUTES[at]) { own[at] } else { flags[at] })
}

/// The options that a call is given, also by a function of the tree: `res.cookie(name, value, cookieOptions())`.
fn given(graph: &Graph, call: &CallValue, at: &ArgPath) -> Option<Shared> {
    let mut options = graph.resolved(&graph.argument(call, at).into_iter().next()?);
    for _ in 0..4 {
        let ValueKind::Call(made) = &options.kind else { break };
        let targets = graph.targets(made);
        let [target] = &*targets else { break };
        let Some(returned) = graph.summary(target.function).and_then(|summary| summary.returns.as_ref()) else { break };
        options = graph.resolved(&graph.substitute(returned, &graph.bind(made, target.function)));
    }
    Some(options)
}

/// Whether the options say that the cookie is over at once: `maxAge: 0`, `expires: new Date(0)`.
fn clears(graph: &Graph, call: &CallValue, at: &ArgPath) -> bool {
    let Some(options) = given(graph, call, at) else { return false };
    let said = |key: &str| graph.resolved(&Value::field(&options, key, options.span));
    let is_zero = |value: &Shared| matches!(&value.kind, ValueKind::Number(text) if text == "0" || text == "1");
    let expires = said("expires");
    let is_past = matches!(&expires.kind, ValueKind::Call(made) if made.is_new
        && made.args.first().is_some_and(|arg| is_zero(&graph.resolved(&arg.value))));
    matches!(&said("maxAge").kind, ValueKind::Number(text) if text == "0") || is_past
}

/// The attributes, those that the library sets besides, and the path.
type Said = ([Flag; 3], [bool; 3], Option<String>);

/// `{ httpOnly: true, secure, sameSite: 'lax', path: '/' }`
fn optional(graph: &Graph, row: &Web, call: &CallValue, at: &ArgPath) -> Said {
    let options = given(graph, call, at);
    let of = |keys: &[&str]| {
        let Some(options) = &options else { return Flag::Off };
        keys.iter().map(|key| flag(graph, options, key)).find(|f| *f != Flag::Off).unwrap_or(Flag::Off)
    };
    let said = |key: &str| {
        let options = options.as_ref()?;
        Some(graph.resolved(&Value::field(options, key, options.span)).kind.clone())
    };
    let path = match said("path") {
        Some(ValueKind::Text(path)) => Some(path),
        _ => None,
    };
    let flags = [of(&["httpOnly", "httponly"]), of(&["secure"]), of(&["sameSite", "samesite"])];
    // What the library sets by itself goes where the options say so.
    let sets = ATTRIBUTES.map(|attribute| {
        row.sets.contains(&attribute) && !matches!(said(attribute.word()), Some(ValueKind::Bool(false)))
    });
    (flags, sets, path)
}

fn with(mut flags: [Flag; 3], set: [bool; 3]) -> [Flag; 3] {
    for (flag, set) in flags.iter_mut().zip(set) {
        if set && *flag == Flag::Off {
            *flag = Flag::Set;
        }
    }
    flags
}

fn lacking(name: &str, flags: [Flag; 3], path: Option<String>) -> Option<Problem> {
    let lacks: Vec<&'static str> = ATTRIBUTES
        .into_iter()
        .zip(flags)
        .filter(|(_, flag)| *flag == Flag::Off)
        .map(|(attribute, _)| attribute.word())
        .collect();
    // A refresh token that is sent to its own endpoint alone is scoped on purpose.
    let is_refresh = words(name).iter().any(|word| word.starts_with("refresh"))
        || path.as_ref().is_some_and(|path| path.contains("refresh"));
    let path = path.filter(|path| path != "/" && path.starts_with('/') && !is_refresh);
    (!lacks.is_empty() || path.is_some()).then_some(Problem::Cookie { lacks, path })
}

/// The cookies of a `Set-Cookie` header, `name=value; attributes`, as far as the text says: name and what it lacks.
pub(super) fn of_header(graph: &Graph, value: &Shared) -> Vec<(String, Problem)> {
    let mut texts = Vec::new();
    written(graph, value, &mut texts, 8);
    let one = |text: &String| {
        let (pair, rest) = text.split_once(';').unwrap_or((text, ""));
        let (name, value) = pair.split_once('=')?;
        // What a substitution holds behind the value is not known.
        let open = rest.split(';').any(|part| part.trim_start().starts_with(HOLE));
        if name.contains(HOLE) || value.is_empty() || value.trim_matches('"').is_empty() || open {
            return None;
        }
        let rest = rest.to_lowercase();
        let parts: Vec<&str> = rest.split(';').map(str::trim).collect();
        let has = |word: &str| parts.iter().any(|part| part.split('=').next().is_some_and(|key| key.trim() == word));
        let flag = |word: &str| if has(word) { Flag::Set } else { Flag::Off };
        // One that is over at once is taken back.
        let is_over =
            |part: &&str| part.replace(' ', "") == "max-age=0" || part.starts_with("expires=") && part.contains("1970");
        if parts.iter().any(is_over) {
            return None;
        }
        let path = parts.iter().find_map(|part| part.strip_prefix("path=")).map(|path| path.trim().to_owned());
        let path = path.filter(|path| !path.contains(HOLE));
        let name = name.trim().to_owned();
        let problem = lacking(&name, [flag("httponly"), flag("secure"), flag("samesite")], path)?;
        Some((name, problem))
    };
    texts.iter().filter_map(one).collect()
}

/// Stands for what a text substitutes.
const HOLE: char = '\u{fffd}';

/// The texts that are written out in a value: of a list each, of a chain (`format!(..).parse()`) what it starts from.
fn written(graph: &Graph, value: &Shared, found: &mut Vec<String>, fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    let value = graph.resolved(value);
    match &value.kind {
        ValueKind::Text(text) => found.push(text.clone()),
        ValueKind::Concat(parts) => {
            let text = |part: &Shared| match &graph.resolved(part).kind {
                ValueKind::Text(text) | ValueKind::Number(text) => text.clone(),
                _ => HOLE.to_string(),
            };
            found.push(parts.iter().map(text).collect());
        }
        ValueKind::Array(_) => value.kind.each(&mut |inner| written(graph, inner, found, fuel)),
        ValueKind::Call(call) => {
            if let Some(receiver) = call.receiver() {
                written(graph, receiver, found, fuel);
            }
        }
        _ => {}
    }
}

fn flag(graph: &Graph, options: &Shared, key: &str) -> Flag {
    match &options.kind {
        ValueKind::Object { base: None, .. } => stated(graph, &Value::field(options, key, options.span), 8),
        // `if (isProduction) options.secure = true`: what is set in one case counts as set.
        ValueKind::Cond { then, otherwise, .. } => in_one(&[then, otherwise].map(|case| flag(graph, case, key))),
        ValueKind::Either(cases) => in_one(&cases.iter().map(|case| flag(graph, case, key)).collect::<Vec<_>>()),
        _ => Flag::Unknown,
    }
}

fn in_one(cases: &[Flag]) -> Flag {
    let is = |flag: &Flag| cases.contains(flag);
    [Flag::Unknown, Flag::Set].into_iter().find(is).unwrap_or(Flag::Off)
}

fn stated(graph: &Graph, value: &Shared, fuel: u8) -> Flag {
    let Some(fuel) = fuel.checked_sub(1) else { return Flag::Unknown };
    let value = graph.resolved(value);
    match &value.kind {
        ValueKind::Undefined | ValueKind::Bool(false) | ValueKind::Null => Flag::Off,
        // `{ ...options, secure }`: what the spread holds, else what stood before it.
        ValueKind::Fallback { left, when: Missing::Undefined, .. }
            if matches!(graph.resolved(left).kind, ValueKind::Bool(false) | ValueKind::Null) =>
        {
            Flag::Off
        }
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
fn chained(graph: &Graph, row: &Web, summary: &Summary, call: &CallValue) -> Said {
    let mut flags = [Flag::Off; 3];
    let mut path = None;
    for event in &summary.calls {
        if !event.call.receiver().is_some_and(|receiver| holds_call(receiver, call.site)) {
            continue;
        }
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
    // A function of the tree that is handed the cookie may set what is missing.
    let is_handed = |event: &Event| event.call.args.iter().any(|arg| holds_call(&arg.value, call.site));
    if summary.calls.iter().any(|event| is_handed(event) && !graph.targets(&event.call).is_empty()) {
        flags = flags.map(|flag| if flag == Flag::Off { Flag::Unknown } else { flag });
    }
    (flags, ATTRIBUTES.map(|attribute| row.sets.contains(&attribute)), path)
}
