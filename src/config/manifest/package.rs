//! `package.json`: where the entry files of a package of the workspace are, in its sources.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::manifest::known::{self, Known};
use crate::config::manifest::{Parsed, file_name, folder as folder_of};
use crate::source::{Package, TsConfig};

/// Name -> folder, for `extends` that name a package of the workspace.
pub(crate) fn folders(parsed: &Parsed) -> BTreeMap<String, String> {
    let mut folders = BTreeMap::new();
    for (path, value) in all(parsed) {
        if let Some(name) = value.get("name").and_then(Value::as_str) {
            folders.entry(name.to_owned()).or_insert_with(|| folder_of(path).to_owned());
        }
    }
    folders
}

/// Every `package.json`. Of two packages with one name the one nearer to the root comes first, and counts.
pub(crate) fn all(parsed: &Parsed) -> Vec<(&str, &Value)> {
    let mut all: Vec<(&str, &Value)> = parsed
        .iter()
        .filter(|(path, _)| file_name(path) == "package.json")
        .map(|(path, value)| (path.as_str(), value))
        .collect();
    all.sort_by_key(|(path, _)| (path.matches('/').count(), *path));
    all
}

/// The package in `folder`; `None` without a name or outside the root.
pub(crate) fn read(value: &Value, folder: &str, known: Known) -> Option<(String, Package)> {
    let name = value.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())?;
    let shown = known::relative(known.root, folder)?;
    let (dot, subs) = exports(value.get("exports"));
    let field = |key: &str| value.get(key).and_then(Value::as_str);
    let mut mains: Vec<&str> = field("source").into_iter().collect();
    mains.extend(dot);
    // Types last: what they are written for may be a folder of types alone.
    mains.extend(["module", "main", "types", "typings"].into_iter().filter_map(field));
    let main = known
        .find_any(folder, &mains)
        .or_else(|| {
            ["src/index", "index", "lib/index", "source/index"]
                .iter()
                .find_map(|stem| known.with_extension(folder, stem))
        })
        // Not among the sources: as written, so that it can be named.
        .or_else(|| field("main").iter().chain(&mains).find_map(|path| as_written(known, folder, path)));
    let mut map: Vec<(String, String)> = Vec::new();
    for (sub, targets) in subs {
        let target = known
            .find_any(folder, &targets)
            .or_else(|| targets.iter().find_map(|path| as_written(known, folder, path)));
        map.extend(target.map(|target| (sub.to_owned(), target)));
    }
    known::most_specific_first(&mut map);
    Some((name.to_owned(), Package { folder: shown, main, exports: map }))
}

/// `imports` (`"#db/*": "./src/db/*.js"`) work like `paths` for the files of the package.
pub(crate) fn imports(value: &Value, folder: &str, known: Known) -> Option<TsConfig> {
    let shown = known::relative(known.root, folder)?;
    let mut paths = Vec::new();
    for (key, target) in value.get("imports").and_then(Value::as_object)? {
        let mut targets = Vec::new();
        leaves(target, &mut targets);
        let relative: Vec<&str> = targets.into_iter().filter(|target| target.starts_with('.')).collect();
        let found = known
            .find_any(folder, &relative)
            .or_else(|| relative.iter().find_map(|path| as_written(known, folder, path)));
        paths.extend(found.map(|path| (key.clone(), vec![path])));
    }
    Some(TsConfig { folder: shown, base_url: None, paths })
}

fn as_written(known: Known, folder: &str, path: &str) -> Option<String> {
    known::relative(known.root, &known::normalise(folder, path)?)
}

/// What the package itself (`.`) and its sub-paths lead to, the likeliest to be a source first.
fn exports(value: Option<&Value>) -> (Vec<&str>, Vec<(&str, Vec<&str>)>) {
    let mut dot = Vec::new();
    let mut subs = Vec::new();
    match value {
        Some(Value::Object(map)) if map.keys().any(|key| key.starts_with('.')) => {
            for (key, target) in map {
                let mut targets = Vec::new();
                leaves(target, &mut targets);
                if key == "." {
                    dot = targets;
                } else if key.matches('*').count() <= 1 && !targets.is_empty() {
                    subs.push((key.as_str(), targets));
                }
            }
        }
        Some(target) => leaves(target, &mut dot),
        None => {}
    }
    (dot, subs)
}

/// The paths in nested conditions. How deep they nest is limited by the JSON parser.
fn leaves<'v>(value: &'v Value, into: &mut Vec<&'v str>) {
    match value {
        Value::String(path) if path.matches('*').count() <= 1 => into.push(path),
        Value::Array(all) => all.iter().for_each(|one| leaves(one, into)),
        Value::Object(conditions) => {
            let mut sorted: Vec<(&String, &Value)> = conditions.iter().collect();
            sorted.sort_by_key(|(condition, _)| rank(condition));
            for (_, target) in sorted {
                leaves(target, into);
            }
        }
        _ => {}
    }
}

fn rank(condition: &str) -> usize {
    const ORDER: [&str; 5] = ["import", "module", "node", "require", "default"];
    if condition.contains("source") || condition.contains("development") {
        return 0;
    }
    if condition.starts_with("types") {
        return ORDER.len() + 2;
    }
    ORDER.iter().position(|known| *known == condition).unwrap_or(ORDER.len()) + 1
}
