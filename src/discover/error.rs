//! Why there is nothing to audit.

use std::path::{Path, PathBuf};

use crate::source::{Gap, Tally};

#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    #[error("{} does not exist{}", path.display(), hint(closest.as_deref()))]
    Missing { path: PathBuf, closest: Option<String> },
    #[error("cannot read {}: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("{} lies outside of the audited folder {}", input.display(), root.display())]
    Outside { input: PathBuf, root: PathBuf },
    #[error("`{glob}` in `exclude` is no glob: {why}")]
    Glob { glob: String, why: String },
    #[error("nothing to audit in {place}: no {SOURCES} file there that is not ignored{passed_over}")]
    Nothing { place: String, passed_over: String },
}

const SOURCES: &str = ".ts .tsx .mts .cts .js .jsx .mjs .cjs .rs .sql .prisma";

fn hint(closest: Option<&str>) -> String {
    closest.map_or_else(
        || "; give an existing file or folder".to_owned(),
        |name| format!("; did you mean `{name}`? Give an existing file or folder"),
    )
}

/// The path without links, or what to say when it is not there.
pub(crate) fn existing(path: &Path) -> Result<PathBuf, DiscoverError> {
    std::fs::canonicalize(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => DiscoverError::Missing { path: path.to_owned(), closest: closest(path) },
        _ => DiscoverError::Unreadable { path: path.to_owned(), why: error.to_string() },
    })
}

/// What stands beside the missing path under nearly its name.
fn closest(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(parent).ok()?;
    let names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    crate::config::closest(wanted, &names).map(str::to_owned)
}

impl DiscoverError {
    pub(crate) fn nothing(inputs: &[PathBuf], tally: &Tally, gaps: &[Gap]) -> Self {
        let place = inputs.iter().map(|input| input.display().to_string()).collect::<Vec<_>>().join(", ");
        let counted = [
            (tally.oversized, "too large"),
            (tally.minified, "minified"),
            (tally.binary, "binary"),
            (tally.unreadable, "unreadable"),
            (tally.declarations, "declarations only"),
            (tally.other_languages, "in a language that is not read"),
        ];
        let counted: Vec<String> =
            counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let counted =
            if counted.is_empty() { String::new() } else { format!(" (passed over: {})", counted.join(", ")) };
        let first = gaps.first().map_or_else(String::new, |gap| format!("; {}: {}", gap.path, gap.why));
        let passed_over = format!("{counted}{first}. Check the path, the ignore files and `exclude`");
        Self::Nothing { place, passed_over }
    }
}
