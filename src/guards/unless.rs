//! The requests that a library's middleware is told to let through unverified:
//! `expressjwt({ .. }).unless({ path: ['/login', { url: /^\/public/, methods: ['GET'] }] })`.

use std::collections::BTreeSet;

use regex::Regex;

use crate::graph::Graph;
use crate::guards::matcher::texts;
use crate::guards::routes::{below, every_but, is_every};
use crate::rules::{Guard, Unless};
use crate::source::Scope;
use crate::summary::{CallValue, Member, Shared, Value, ValueKind};

/// What is left out of what a call stands in front of.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOut {
    requests: Vec<Requests>,
    /// Whether there are others, which are not told.
    open: bool,
}

#[derive(Clone, Debug)]
struct Requests {
    /// `None`: of whatever path.
    path: Option<Path>,
    /// Empty: by whatever verb.
    verbs: BTreeSet<String>,
}

#[derive(Clone, Debug)]
enum Path {
    Is(String),
    Matches(Regex),
}

/// What stands for what a request has where a route has a parameter: numbers, names and ids are what patterns ask for.
const SAMPLES: [&str; 3] = ["1", "a", "0123456789abcdef01234567"];

impl LeftOut {
    pub(super) fn of(graph: &Graph, row: &Guard, made: &CallValue) -> Self {
        let mut found = Self::default();
        let Some(unless) = &row.unless else { return found };
        let units = graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production);
        let calls = units.flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
        for event in calls.filter(|event| event.call.method() == Some(&unless.method)) {
            let call = &event.call;
            let on = call.receiver().map(|on| graph.resolved(on));
            if matches!(on.map(|on| on.kind.clone()), Some(ValueKind::Call(of)) if of.site == made.site) {
                found.told(graph, unless, call);
            }
        }
        found
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && !self.open
    }

    /// What is left of routes. Where not all that is left out is told, nothing is said of any.
    pub(super) fn narrow(&self, names: BTreeSet<String>) -> Vec<String> {
        if self.open {
            return Vec::new();
        }
        let left = names.into_iter().filter_map(|name| match is_every(&name) {
            _ if self.is_empty() => Some(name),
            true => Some(every_but(&name, &self.said()?)),
            false => (!self.requests.iter().any(|requests| requests.has(&name))).then_some(name),
        });
        left.collect()
    }

    fn told(&mut self, graph: &Graph, unless: &Unless, call: &CallValue) {
        let given = |path| graph.argument(call, path).first().map(|value| graph.resolved(value));
        let is_there = |value: &Shared| !matches!(value.kind, ValueKind::Undefined);
        let options = call.args.first().map(|arg| graph.resolved(&arg.value));
        let is_closed = options.is_some_and(|options| matches!(options.kind, ValueKind::Object { base: None, .. }));
        self.open |= !is_closed || unless.besides.iter().filter_map(given).any(|value| is_there(&value));
        if let Some(path) = given(&unless.path).filter(is_there) {
            self.paths(graph, unless, &path, 6);
        }
        if let Some(verbs) = unless.verbs.as_ref().and_then(given).filter(is_there) {
            let verbs = texts(graph, &verbs);
            self.open |= verbs.is_empty();
            self.requests.push(Requests { path: None, verbs });
        }
    }

    fn paths(&mut self, graph: &Graph, unless: &Unless, value: &Shared, fuel: u8) {
        let value = graph.resolved(value);
        let Some(fuel) = fuel.checked_sub(1) else {
            self.open = true;
            return;
        };
        match &value.kind {
            ValueKind::Array(members) => {
                for member in members {
                    self.open |= matches!(member, Member::Each(_));
                    self.paths(graph, unless, member.value(), fuel);
                }
            }
            ValueKind::Object { base: None, .. } => {
                let key = |name: &String| graph.resolved(&Value::field(&value, name, value.span));
                let mut verbs = unless.of.iter().map(key).filter(|of| !matches!(of.kind, ValueKind::Undefined));
                let verbs = verbs.next().map(|of| texts(graph, &of));
                match Path::of(graph, &key(&unless.url)) {
                    Some(path) if verbs.as_ref().is_none_or(|verbs| !verbs.is_empty()) => {
                        self.requests.push(Requests { path: Some(path), verbs: verbs.unwrap_or_default() });
                    }
                    _ => self.open = true,
                }
            }
            _ => match Path::of(graph, &value) {
                Some(path) => self.requests.push(Requests { path: Some(path), verbs: BTreeSet::new() }),
                None => self.open = true,
            },
        }
    }

    /// What is left out, as routes are said; `None`: words do not say it.
    fn said(&self) -> Option<BTreeSet<String>> {
        let mut said = BTreeSet::new();
        for Requests { path, verbs } in &self.requests {
            match path.as_ref()? {
                Path::Is(path) if verbs.is_empty() => _ = said.insert(path.clone()),
                Path::Is(path) => said.extend(verbs.iter().map(|verb| format!("{verb} {path}"))),
                Path::Matches(pattern) if verbs.is_empty() => _ = said.insert(below(&prefix(pattern)?)),
                Path::Matches(_) => return None,
            }
        }
        Some(said)
    }
}

impl Requests {
    /// Whether a route has such requests.
    fn has(&self, route: &str) -> bool {
        let (verb, path) = route.split_once(' ').map_or((None, route), |(verb, path)| (Some(verb), path));
        let by_verb = self.verbs.is_empty() || verb.is_none_or(|verb| self.verbs.contains(verb));
        by_verb
            && match &self.path {
                None => true,
                Some(Path::Is(own)) => own == path,
                Some(Path::Matches(pattern)) => SAMPLES.iter().any(|sample| pattern.is_match(&filled(path, sample))),
            }
    }
}

impl Path {
    fn of(graph: &Graph, value: &Shared) -> Option<Self> {
        match &value.kind {
            ValueKind::Text(_) | ValueKind::Concat(_) => text(graph, value).map(Self::Is),
            ValueKind::Opaque(..) => pattern(graph.sources.text(value.span)).map(Self::Matches),
            // `new RegExp('^/public/', 'i')`
            ValueKind::Call(made) if matches!(&made.callee.kind, ValueKind::Global(name) if name == "RegExp") => {
                let mut given = made.args.iter().map(|arg| text(graph, &arg.value));
                let body = given.next()??;
                let flags = given.next().map_or(Some(String::new()), |flags| flags)?;
                pattern(&format!("/{body}/{flags}")).map(Self::Matches)
            }
            _ => None,
        }
    }
}

/// A text, also one that is put together of constants: `${BASE}/login`.
fn text(graph: &Graph, value: &Shared) -> Option<String> {
    match &graph.resolved(value).kind {
        ValueKind::Text(text) => Some(text.clone()),
        ValueKind::Concat(parts) => parts.iter().map(|part| text(graph, part)).collect(),
        _ => None,
    }
}

/// A regular expression as it is written in JavaScript; `None`: it is none, or one that means something else here.
fn pattern(written: &str) -> Option<Regex> {
    let (body, flags) = written.strip_prefix('/')?.rsplit_once('/')?;
    let flags = match flags {
        "" | "g" | "u" => "",
        "i" | "gi" | "ig" | "iu" => "(?i)",
        _ => return None,
    };
    Regex::new(&format!("{flags}{body}")).ok()
}

/// What a path starts with that a pattern matches, where that is all that it asks: `^\/public\/.*`.
fn prefix(pattern: &Regex) -> Option<String> {
    let body = pattern.as_str().strip_prefix('^')?.replace("\\/", "/");
    let fixed = body.strip_suffix("(.*)").or_else(|| body.strip_suffix(".*")).unwrap_or(&body);
    let is_plain = |c: char| c.is_alphanumeric() || "/_-".contains(c);
    fixed.chars().all(is_plain).then(|| fixed.to_owned())
}

/// A route's path as a request may ask for it.
fn filled(path: &str, sample: &str) -> String {
    let part = |part| if str::contains(part, [':', '*', '{', '(']) { sample } else { part };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{LeftOut, Path, Requests, filled, pattern, prefix};

    fn left_out(path: Path, verbs: &[&str]) -> LeftOut {
        let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
        LeftOut { requests: vec![Requests { path: Some(path), verbs }], open: false }
    }

    fn narrowed(of: &LeftOut, names: &[&str]) -> Vec<String> {
        of.narrow(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())
    }

    #[test]
    fn patterns_leave_out_the_routes_whose_requests_may_match() {
        let digits = left_out(Path::Matches(pattern(r"/^\/items\/\d+$/").expect("a pattern")), &["GET"]);
        let routes = ["DELETE /items/:id", "GET /items", "GET /items/:id"];
        assert_eq!(narrowed(&digits, &routes), ["DELETE /items/:id", "GET /items"]);
    }

    #[test]
    fn of_every_route_only_what_words_say_is_left_out() {
        let public = left_out(Path::Matches(pattern(r"/^\/public\/.*/").expect("a pattern")), &[]);
        assert_eq!(narrowed(&public, &["every route"]), ["every route except every route below /public"]);
        let ending = left_out(Path::Matches(pattern(r"/\.png$/").expect("a pattern")), &[]);
        assert_eq!(narrowed(&ending, &["every route"]), Vec::<String>::new());
        let login = left_out(Path::Is("/login".to_owned()), &["POST"]);
        assert_eq!(narrowed(&login, &["every route"]), ["every route except POST /login"]);
    }

    #[test]
    fn where_something_untold_is_left_out_nothing_is_said() {
        let open = LeftOut { requests: Vec::new(), open: true };
        assert_eq!(narrowed(&open, &["GET /a", "every route"]), Vec::<String>::new());
    }

    #[test]
    fn patterns_that_mean_something_else_are_none() {
        assert!(pattern(r"/^\/(?!private)/").is_none(), "it looks ahead");
        assert!(pattern("/a/y").is_none(), "it goes on where the last match ended");
        assert!(pattern("RegExp").is_none());
        assert!(pattern(r"/^\/Public/i").is_some_and(|pattern| pattern.is_match("/public")));
        assert_eq!(prefix(&pattern(r"/public/").expect("a pattern")), None, "anywhere in the path");
        assert_eq!(filled("/users/:id/posts", "1"), "/users/1/posts");
    }
}
