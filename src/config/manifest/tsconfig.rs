//! `tsconfig.json` and `jsconfig.json`: `baseUrl` and `paths`, `extends` applied.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config::manifest::known::{self, Known};
use crate::config::manifest::{Parsed, file_name, folder};
use crate::source::TsConfig;

/// How far a chain of `extends` is followed.
const MAX_EXTENDS: usize = 32;

pub(crate) struct Configs<'a> {
    pub(crate) parsed: &'a Parsed,
    /// Package name -> folder.
    pub(crate) packages: BTreeMap<String, String>,
}

/// The files that speak for their folder, `tsconfig.json` before its siblings.
pub(crate) fn entries(parsed: &Parsed) -> Vec<&str> {
    let mut entries: Vec<&str> = parsed
        .keys()
        .map(String::as_str)
        .filter(|path| file_name(path).starts_with("tsconfig") || file_name(path).starts_with("jsconfig"))
        .collect();
    entries.sort_by_key(|path| {
        let rank = ["tsconfig.json", "jsconfig.json"].iter().position(|first| *first == file_name(path)).unwrap_or(2);
        (rank, *path)
    });
    entries
}

/// A value with the folder of the file that says it.
#[derive(Clone)]
struct Said<T> {
    by: String,
    value: T,
}

type Paths = Vec<(String, Vec<String>)>;

#[derive(Clone, Default)]
struct Options {
    base_url: Option<Said<String>>,
    paths: Option<Said<Paths>>,
}

impl Configs<'_> {
    /// What holds for the files below the folder of the configuration at `path`.
    pub(crate) fn read(&self, path: &str, known: Known) -> Option<TsConfig> {
        let own = folder(path);
        // One above the root speaks for all of the root.
        let shown = match known::relative(known.root, own) {
            Some(shown) => shown,
            None if own.is_empty() || known.root.starts_with(&format!("{own}/")) => String::new(),
            None => return None,
        };
        let options = self.options(path, &mut BTreeMap::new(), MAX_EXTENDS);
        let resolve = |said: &Said<String>| resolve(own, &said.by, &said.value);
        let base = options.base_url.as_ref().and_then(resolve);
        let mut paths = Paths::new();
        let mut add = |pattern: &str, candidates: &mut dyn Iterator<Item = String>| {
            for candidate in candidates.filter(|path| !path.split('/').any(|part| part == "node_modules")) {
                let Some((pattern, candidate)) = known::inside(known.root, pattern, &candidate) else { continue };
                match paths.iter_mut().find(|(known, _)| *known == pattern) {
                    Some((_, all)) => all.push(candidate),
                    None => paths.push((pattern, vec![candidate])),
                }
            }
        };
        if let Some(said) = &options.paths {
            let from = base.as_deref().unwrap_or(&said.by);
            for (pattern, candidates) in said.value.iter().filter(|(pattern, _)| pattern.matches('*').count() <= 1) {
                add(pattern, &mut candidates.iter().filter_map(|candidate| resolve_path(own, from, candidate)));
            }
        }
        let base_url = base.as_deref().and_then(|base| known::relative(known.root, base));
        if let (Some(base), None) = (&base, &base_url) {
            // Above the root: `src/x` is the root's `x`.
            let all = if base.is_empty() { "*".to_owned() } else { format!("{base}/*") };
            add("*", &mut std::iter::once(all));
        }
        Some(TsConfig { folder: shown, base_url, paths })
    }

    /// Own options over those of what is extended. `seen` holds what was merged, and `None` while it is being merged, so that a
    /// circle ends.
    fn options(&self, path: &str, seen: &mut BTreeMap<String, Option<Options>>, depth: usize) -> Options {
        if let Some(known) = seen.get(path) {
            return known.clone().unwrap_or_default();
        }
        let (Some(value), Some(depth)) = (self.parsed.get(path), depth.checked_sub(1)) else {
            return Options::default();
        };
        seen.insert(path.to_owned(), None);
        let mut merged = Options::default();
        for base in extends(value) {
            let found = self.candidates(path, base).into_iter().find(|path| self.parsed.contains_key(path));
            let Some(found) = found else { continue };
            let base = self.options(&found, seen, depth);
            merged = Options { base_url: base.base_url.or(merged.base_url), paths: base.paths.or(merged.paths) };
        }
        let by = folder(path).to_owned();
        let own = value.get("compilerOptions");
        if let Some(url) = own.and_then(|own| own.get("baseUrl")).and_then(Value::as_str) {
            merged.base_url = Some(Said { by: by.clone(), value: url.to_owned() });
        }
        if let Some(paths) = own.and_then(|own| own.get("paths")).and_then(Value::as_object) {
            let strings = |all: &Value| -> Vec<String> {
                all.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let value = paths.iter().map(|(pattern, all)| (pattern.clone(), strings(all))).collect();
            merged.paths = Some(Said { by, value });
        }
        seen.insert(path.to_owned(), Some(merged.clone()));
        merged
    }

    /// Where the base of the configuration at `path` may be.
    fn candidates(&self, path: &str, base: &str) -> Vec<String> {
        let target = if base.starts_with('.') {
            known::normalise(folder(path), base)
        } else {
            let cut = base.match_indices('/').nth(usize::from(base.starts_with('@'))).map_or(base.len(), |(at, _)| at);
            let (name, rest) = base.split_at(cut);
            self.packages.get(name).and_then(|folder| known::normalise(folder, rest.trim_start_matches('/')))
        };
        let Some(target) = target else { return Vec::new() };
        if target.is_empty() {
            return vec!["tsconfig.json".to_owned()];
        }
        vec![target.clone(), format!("{target}.json"), format!("{target}/tsconfig.json")]
    }

    /// What is extended and was not read, if it is there at all.
    pub(crate) fn unread(&self) -> Vec<String> {
        let mut unread = BTreeSet::new();
        for (path, value) in self.parsed.iter().filter(|(path, _)| file_name(path) != "package.json") {
            for base in extends(value) {
                let candidates = self.candidates(path, base);
                if !candidates.iter().any(|path| self.parsed.contains_key(path)) {
                    unread.extend(candidates);
                }
            }
        }
        unread.into_iter().filter(|path| !path.split('/').any(|part| part == "node_modules")).collect()
    }
}

fn extends(value: &Value) -> Vec<&str> {
    match value.get("extends") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// `path` as said by a file in folder `by`, for the configuration in folder `own` (`${configDir}`).
fn resolve(own: &str, by: &str, path: &str) -> Option<String> {
    match path.strip_prefix("${configDir}") {
        Some(rest) => known::normalise(own, rest.trim_start_matches('/')),
        None => known::normalise(by, path),
    }
}

fn resolve_path(own: &str, from: &str, candidate: &str) -> Option<String> {
    (candidate.matches('*').count() <= 1).then(|| resolve(own, from, candidate)).flatten()
}
