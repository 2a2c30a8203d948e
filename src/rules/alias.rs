//! Rows about names for folders that a framework gives without a file in the tree saying so.

use serde::Deserialize;

/// A module specifier's first part that stands for a folder: `$lib` for `src/lib`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Alias {
    pub name: String,
    /// Below the folder of the file that imports, or one of those above it; the nearest counts.
    pub folder: String,
}

impl Alias {
    /// The path that a specifier stands for.
    pub fn path(&self, specifier: &str) -> Option<String> {
        let rest = specifier.strip_prefix(self.name.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", self.folder))
    }
}
