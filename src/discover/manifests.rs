//! `tsconfig.json` and `package.json` files -> what they say about modules: those met on the walk, those in the folders above
//! as far as the repository reaches, and what they extend.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::{Manifest, module_map, unread_bases};
use crate::discover::read::{self, Kind, Outcome};
use crate::discover::walk::relative;
use crate::source::{Gap, ModuleMap};

/// How far files that extend files are followed.
const MAX_ROUNDS: usize = 8;

/// `found` are the manifests of the walk, path relative to the root and text; `files` the paths of the sources, sorted.
pub(crate) fn read(
    root: &Path,
    inputs: &[PathBuf],
    found: Vec<(String, String)>,
    files: &[&str],
    gaps: &mut Vec<Gap>,
) -> ModuleMap {
    let top = top(root);
    let root_below = relative(&top, root);
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (path, text) in found {
        let path = if root_below.is_empty() { path } else { format!("{root_below}/{path}") };
        texts.insert(path, text);
    }
    for folder in inputs.iter().flat_map(|input| input.ancestors()).filter(|folder| folder.starts_with(&top)) {
        for path in manifests_in(folder) {
            add(&top, &path, &mut texts);
        }
    }
    let mut manifests = as_manifests(&texts);
    for _ in 0..MAX_ROUNDS {
        for path in unread_bases(&manifests) {
            add(&top, &top.join(path), &mut texts);
        }
        if texts.len() == manifests.len() {
            break;
        }
        manifests = as_manifests(&texts);
    }
    let (map, broken) = module_map(&manifests, &root_below, files);
    gaps.extend(broken);
    map
}

/// The folder up to which manifests count: the repository's; without one, the nearest that holds a manifest.
fn top(root: &Path) -> PathBuf {
    let repository = root.ancestors().find(|folder| folder.join(".git").exists());
    let project = || root.ancestors().find(|folder| !manifests_in(folder).is_empty());
    repository.or_else(project).unwrap_or(root).to_owned()
}

/// Sorted, so that the result does not depend on the file system's order.
fn manifests_in(folder: &Path) -> Vec<PathBuf> {
    let names =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut paths: Vec<PathBuf> =
        names.filter(|name| read::kind(name) == Some(Kind::Manifest)).map(|name| folder.join(name)).collect();
    paths.sort();
    paths
}

/// One that cannot be read is as one that is not there: the folders above are not what was asked about.
fn add(top: &Path, path: &Path, texts: &mut BTreeMap<String, String>) {
    let shown = relative(top, path);
    if texts.contains_key(&shown) || !path.is_file() {
        return;
    }
    if let Outcome::Manifest { text } = read::read(path, &shown, Kind::Manifest) {
        texts.insert(shown, text);
    }
}

fn as_manifests(texts: &BTreeMap<String, String>) -> Vec<Manifest> {
    texts.iter().map(|(path, text)| Manifest { path: path.clone(), text: text.clone() }).collect()
}
