//! The audited tree -> a [`SourceSet`]: every file that matters, read once. The only code that reads the tree.
//!
//! Input: the root, the files or folders below it to look at, and globs to leave out. Output: a [`SourceSet`].
//!
//! Invariants: what a `.gitignore`, `.ignore` or `.tokendriftignore` leaves out, hidden files, `node_modules` and what no front
//! end reads is passed over in silence; everything else that is passed over is counted, and is a [`Gap`] unless it holds no
//! code by its nature. A symbolic link is never followed. Nothing that is no regular file is opened. The result depends on
//! the tree alone, not on the order in which threads met it.
//!
//! Globs are relative to the root. As in a `.gitignore`, one without a slash matches at any depth, a slash at the start
//! ties it to the root, and a folder stands for all in it: `legacy`, `/legacy/**` and `*.gen.ts` leave out `legacy/a/b.gen.ts`.
//!
//! Worked example: of `src/a.ts`, `src/a.spec.ts`, `dist/a.js` (ignored), `types.d.ts` and `tsconfig.json` the set holds `src/a.ts`
//! (production) and `src/a.spec.ts` (test), counts one declaration, and knows the `paths` of the `tsconfig.json`.

mod error;
mod exclude;
mod manifests;
mod read;
mod scope;
mod walk;

pub use error::DiscoverError;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::source::{Gap, SourceSet, Tally};

/// Reads what is to be audited of `inputs` (files or folders at or below `root`; none: all of `root`).
///
/// Runs on as many threads as the current rayon pool has.
pub fn discover(root: &Path, inputs: &[PathBuf], exclude: &[String]) -> Result<SourceSet, DiscoverError> {
    let root = error::existing(root)?;
    let inputs = inputs.iter().map(|input| error::existing(input)).collect::<Result<Vec<_>, _>>()?;
    let inputs = if inputs.is_empty() { vec![root.clone()] } else { inputs };
    if let Some(outside) = inputs.iter().find(|input| !input.starts_with(&root)) {
        return Err(DiscoverError::Outside { input: outside.clone(), root });
    }
    let mut met = walk::walk(&root, &inputs, exclude::matcher(exclude)?);
    met.sort_by(|a, b| a.path.cmp(&b.path));
    // Inputs may overlap. An ignore file can have several gaps.
    met.dedup_by(|a, b| a.path == b.path && !matches!(a.what, walk::What::Gap(_)));

    let mut tally = Tally::default();
    let mut gaps = Vec::new();
    let mut files = Vec::new();
    let mut found = Vec::new();
    let mut links = BTreeMap::new();
    let mut minified = Vec::new();
    for walk::Met { path, what } in met {
        let mut gap = |path: &str, why: String| gaps.push(Gap { path: path.to_owned(), line: 1, why });
        match what {
            walk::What::File(read::Outcome::Source { file, bytes, lossy }) => {
                tally.files += 1;
                tally.bytes += bytes;
                if let Some(line) = lossy {
                    tally.lossy += 1;
                    let why = "not UTF-8: read with the bytes that are wrong replaced".to_owned();
                    gaps.push(Gap { path, line, why });
                }
                files.push(file);
            }
            walk::What::File(read::Outcome::Oversized { bytes }) => {
                tally.oversized += 1;
                gap(&path, format!("not read: {} is over the limit of {}", size(bytes), size(read::MAX_BYTES)));
            }
            walk::What::File(read::Outcome::Minified) => {
                tally.minified += 1;
                minified.push(path);
            }
            walk::What::File(read::Outcome::Binary { utf16 }) => {
                tally.binary += 1;
                if utf16 {
                    gap(&path, "not read: it is UTF-16; save it as UTF-8".to_owned());
                }
            }
            walk::What::File(read::Outcome::Declaration) => tally.declarations += 1,
            walk::What::File(read::Outcome::OtherLanguage) => tally.other_languages += 1,
            walk::What::File(read::Outcome::Manifest { text }) => found.push((path, text)),
            walk::What::File(read::Outcome::Unreadable(why)) | walk::What::Folder(why) => {
                tally.unreadable += 1;
                gap(&path, format!("cannot be read: {why}"));
            }
            walk::What::Link(target) => _ = links.insert(path, target),
            walk::What::Gap(why) => gap(&path, why),
        }
    }
    gaps.sort();
    gaps.dedup();
    if files.is_empty() {
        return Err(DiscoverError::nothing(&inputs, &tally, &gaps));
    }
    let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut modules = manifests::read(&root, &inputs, found, &names, &mut gaps);
    modules.links = links;
    let mut set = SourceSet::new(files, modules, gaps, tally);
    set.minified = minified;
    Ok(set)
}

/// A gap for every file that was passed over as minified and mentions one of `names`: there may be a write in it.
pub fn minified_mentions(root: &Path, sources: &SourceSet, names: &[String]) -> Vec<Gap> {
    let found =
        error::existing(root).map_or_else(|_| Vec::new(), |root| read::mentioning(&root, &sources.minified, names));
    let gap = |(path, name): (String, &str)| Gap {
        path,
        line: 1,
        why: format!("not read: it is minified, and mentions {name}"),
    };
    found.into_iter().map(gap).collect()
}

/// Whether a file of that name is read as code, or for how modules are found.
pub fn is_read(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).and_then(read::kind).is_some()
}

/// The folder that an audit of `paths` (none: the current folder) is relative to, and the paths without links: the folder
/// itself where it is one, else the nearest folder above all of them.
pub fn common_root(paths: &[PathBuf]) -> Result<(PathBuf, Vec<PathBuf>), DiscoverError> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let paths = paths.iter().map(|path| error::existing(path)).collect::<Result<Vec<_>, _>>()?;
    let folder = |path: &PathBuf| match path.parent() {
        Some(parent) if !path.is_dir() => parent.to_owned(),
        _ => path.clone(),
    };
    let mut root = paths.first().map(folder).unwrap_or_default();
    for path in &paths {
        while !folder(path).starts_with(&root) && root.pop() {}
    }
    Ok((root, paths))
}

/// The root seen from the root of its repository (the nearest folder with `.git`), with `/` at its end: `packages/api/`. Empty where
/// they are one, or where there is no repository.
pub fn below_repository(root: &Path) -> String {
    let repository = root.ancestors().find(|folder| folder.join(".git").exists());
    let below = repository.and_then(|repository| root.strip_prefix(repository).ok());
    below.map_or_else(String::new, |below| below.iter().flat_map(|part| [part.to_string_lossy(), "/".into()]).collect())
}

/// `1.4 MB`, in powers of ten.
fn size(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    if tenths == 0 { format!("{bytes} bytes") } else { format!("{}.{} MB", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests;
