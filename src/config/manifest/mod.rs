//! What `tsconfig.json` and `package.json` files say about module specifiers that are not relative.
//!
//! Input: the texts of the manifests and the paths of the sources. Output: a [`ModuleMap`], and a [`Gap`] for each manifest
//! that does not parse.
//!
//! Invariants: paths in the result are relative to the audited root and never leave it; a manifest above the root counts as
//! far as it speaks of the root's inside; an `extends` that is not there is passed over; no order depends on the input's.
//!
//! Worked example: `api/tsconfig.json` with `"baseUrl": "./src", "paths": {"@db/*": ["./db/*"]}` gives `base_url`
//! `api/src` and the candidate `api/src/db/*`. `lib/package.json` with `"main": "dist/index.js"`, never built, gives
//! `lib/src/index.ts` where that is there.

mod cargo;
mod json;
mod known;
mod package;
mod tsconfig;

use std::collections::BTreeMap;

use crate::source::{Gap, ModuleMap, Package, TsConfig};

use known::Known;

/// The text of a `package.json`, a `Cargo.toml`, a `tsconfig*.json`, a `jsconfig.json`, or of a file that one of them extends.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Relative to a folder at or above the audited root (the same for all), separated by `/`.
    pub path: String,
    pub text: String,
}

/// All manifests together. `root` is the audited root, relative to the folder that the manifests' paths are relative to;
/// `files` are the sources' paths relative to the root, sorted.
pub fn module_map(manifests: &[Manifest], root: &str, files: &[&str]) -> (ModuleMap, Vec<Gap>) {
    let mut gaps = Vec::new();
    let parsed = parse(manifests, |manifest, why| {
        let path = known::relative(root, &manifest.path).unwrap_or_else(|| manifest.path.clone());
        gaps.push(Gap {
            path,
            line: why.line,
            why: format!("not readable as JSON, imports it explains stay open: {}", why.message),
        });
    });
    let known = Known { root, files };
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    let mut folders: BTreeMap<String, TsConfig> = BTreeMap::new();
    for (path, value) in package::all(&parsed) {
        if let Some((name, package)) = package::read(value, folder(path), known) {
            packages.entry(name).or_insert(package);
        }
        merge(&mut folders, package::imports(value, folder(path), known));
    }
    let configs = tsconfig::Configs { parsed: &parsed, packages: package::folders(&parsed) };
    for path in tsconfig::entries(&parsed) {
        merge(&mut folders, configs.read(path, known));
    }
    let mut tsconfigs: Vec<TsConfig> =
        folders.into_values().filter(|config| config.base_url.is_some() || !config.paths.is_empty()).collect();
    for config in &mut tsconfigs {
        known::most_specific_first(&mut config.paths);
    }
    tsconfigs.sort_by_key(|config| (std::cmp::Reverse(known::depth(&config.folder)), config.folder.clone()));
    gaps.sort();
    let crates = cargo::crates(manifests, known);
    (ModuleMap { tsconfigs, packages, crates, links: BTreeMap::new() }, gaps)
}

/// The files that `extends` may mean and that are not among `manifests`, as paths like theirs; most are not there.
pub fn unread_bases(manifests: &[Manifest]) -> Vec<String> {
    let parsed = parse(manifests, |_, _| ());
    let configs = tsconfig::Configs { parsed: &parsed, packages: package::folders(&parsed) };
    configs.unread()
}

type Parsed = BTreeMap<String, serde_json::Value>;

fn parse<'m>(manifests: &'m [Manifest], mut broken: impl FnMut(&'m Manifest, json::Broken)) -> Parsed {
    let mut parsed = Parsed::new();
    for manifest in manifests.iter().filter(|manifest| !cargo::is_manifest(&manifest.path)) {
        match json::parse(&manifest.text) {
            Ok(value) => _ = parsed.insert(manifest.path.clone(), value),
            Err(why) => broken(manifest, why),
        }
    }
    parsed
}

/// Several configurations of one folder (`tsconfig.json`, `tsconfig.app.json`) are one: what the first says comes first.
fn merge(folders: &mut BTreeMap<String, TsConfig>, config: Option<TsConfig>) {
    let Some(config) = config else { return };
    let merged = folders
        .entry(config.folder.clone())
        .or_insert_with(|| TsConfig { folder: config.folder.clone(), ..TsConfig::default() });
    if merged.base_url.is_none() {
        merged.base_url = config.base_url;
    }
    for (pattern, candidates) in config.paths {
        match merged.paths.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, known)) => {
                for candidate in candidates {
                    if !known.contains(&candidate) {
                        known.push(candidate);
                    }
                }
            }
            None => merged.paths.push((pattern, candidates)),
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests;
