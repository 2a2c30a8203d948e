//! `Cargo.toml` -> the crate's name and its root file.

use std::collections::BTreeMap;

use crate::config::manifest::known::{self, Known};
use crate::config::manifest::{Manifest, file_name, folder};

pub(crate) fn is_manifest(path: &str) -> bool {
    file_name(path) == "Cargo.toml"
}

/// Crate name -> root file relative to the audited root. One that does not parse explains nothing; its own folder's files
/// still find each other.
pub(crate) fn crates(manifests: &[Manifest], known: Known<'_>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for manifest in manifests.iter().filter(|manifest| is_manifest(&manifest.path)) {
        let Ok(table) = manifest.text.parse::<toml::Table>() else { continue };
        let text = |section: &str, key: &str| table.get(section)?.get(key)?.as_str().map(str::to_owned);
        let Some(name) = text("lib", "name").or_else(|| text("package", "name")) else { continue };
        let folder = folder(&manifest.path);
        let root = [text("lib", "path"), Some("src/lib.rs".to_owned()), Some("src/main.rs".to_owned())];
        let root = root.into_iter().flatten().find_map(|file| {
            let path = if folder.is_empty() { file } else { format!("{folder}/{file}") };
            let path = known::relative(known.root, &path)?;
            known.files.binary_search(&path.as_str()).is_ok().then_some(path)
        });
        if let Some(root) = root {
            found.entry(name.replace('-', "_")).or_insert(root);
        }
    }
    found
}
