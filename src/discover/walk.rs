//! The parallel walk: which files there are, each read by the thread that meets it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use globset::GlobSet;
use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::discover::read::{self, Outcome};

/// Something that was met, under its path relative to the root.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) path: String,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    File(Outcome),
    /// A folder that cannot be listed, and why.
    Folder(String),
    /// A symbolic link to this path of the tree.
    Link(String),
    /// Something else that is passed over, and why.
    Gap(String),
}

const IGNORE_FILE: &str = ".tokendriftignore";
/// Never anybody's own source.
const SKIPPED_FOLDERS: [&str; 4] = ["node_modules", ".git", ".next", ".nuxt"];
/// What coverage tools leave in `coverage`, which is also a word of the insurance trade.
const COVERAGE_MARKS: [&str; 6] = [
    "lcov.info",
    "lcov-report",
    "coverage-final.json",
    "coverage-summary.json",
    "clover.xml",
    "cobertura-coverage.xml",
];

/// `root` and `inputs` without links; `inputs` not empty. In no order; overlapping inputs give a path twice.
pub(crate) fn walk(root: &Path, inputs: &[PathBuf], exclude: GlobSet) -> Vec<Met> {
    let mut inputs_left = inputs.iter();
    let Some(first) = inputs_left.next() else { return Vec::new() };
    let mut builder = WalkBuilder::new(first);
    for input in inputs_left {
        builder.add(input);
    }
    // In a repository its `.gitignore` files count, but not one beyond it; without one, only those of the tree do.
    let in_repository = inputs.iter().any(|input| input.ancestors().any(|folder| folder.join(".git").exists()));
    let below = root.to_owned();
    builder
        .require_git(in_repository)
        .parents(in_repository)
        .git_global(false)
        .follow_links(false)
        .add_custom_ignore_filename(IGNORE_FILE)
        .threads(rayon::current_num_threads())
        .filter_entry(move |entry| {
            // What is named as an input is wanted.
            entry.depth() == 0 || (!is_skipped(entry) && !is_excluded(&below, entry, &exclude))
        });
    let all = Mutex::new(Vec::new());
    builder.build_parallel().run(|| {
        let mut mine = Mine { met: Vec::new(), all: &all };
        Box::new(move |entry| {
            match entry {
                Ok(entry) => meet(root, &entry, &mut mine.met),
                Err(error) => failed(root, &error, None, &mut mine.met),
            }
            WalkState::Continue
        })
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What one thread met; handed over when the thread is done.
struct Mine<'a> {
    met: Vec<Met>,
    all: &'a Mutex<Vec<Met>>,
}

impl Drop for Mine<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.met);
    }
}

fn is_skipped(entry: &DirEntry) -> bool {
    if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return false;
    }
    let Some(name) = entry.file_name().to_str() else { return false };
    SKIPPED_FOLDERS.contains(&name)
        || (name == "coverage" && COVERAGE_MARKS.iter().any(|mark| entry.path().join(mark).exists()))
}

fn is_excluded(root: &Path, entry: &DirEntry, exclude: &GlobSet) -> bool {
    !exclude.is_empty() && exclude.is_match(relative(root, entry.path()))
}

fn meet(root: &Path, entry: &DirEntry, into: &mut Vec<Met>) {
    if let Some(error) = entry.error() {
        failed(root, error, Some("an ignore file holds a line that cannot be used"), into);
    }
    let Some(kind) = entry.file_type() else { return };
    let name = entry.file_name().to_string_lossy();
    let what = if kind.is_file() {
        let Some(kind) = read::kind(&name) else { return };
        let path = relative(root, entry.path());
        let outcome = read::read(entry.path(), &path, kind);
        into.push(Met { path, what: What::File(outcome) });
        return;
    } else if kind.is_symlink() {
        // What a link into the tree leads to is met anyway; a broken one or a loop leads nowhere.
        match std::fs::canonicalize(entry.path()) {
            Ok(target) if !target.starts_with(root) && (target.is_dir() || read::kind(&name).is_some()) => {
                What::Gap("not followed: a symbolic link out of the audited tree".to_owned())
            }
            Err(error) if read::kind(&name).is_some() => {
                What::File(Outcome::Unreadable(format!("a symbolic link that leads nowhere: {error}")))
            }
            // Code names the file by either path.
            Ok(target) if target.starts_with(root) && target != root && !entry.path().starts_with(&target) => {
                What::Link(relative(root, &target))
            }
            _ => return,
        }
    } else if !kind.is_dir() && read::kind(&name).is_some() {
        What::File(Outcome::Unreadable("no regular file".to_owned()))
    } else {
        return;
    };
    into.push(Met { path: relative(root, entry.path()), what });
}

/// `note` where the walk went on all the same.
fn failed(root: &Path, error: &ignore::Error, note: Option<&str>, into: &mut Vec<Met>) {
    let mut path = None;
    let mut inner = error;
    loop {
        inner = match inner {
            ignore::Error::WithPath { path: at, err } => {
                path = Some(at.as_path());
                err
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => err,
            ignore::Error::Partial(all) => {
                for error in all {
                    failed(root, error, note, into);
                }
                return;
            }
            _ => break,
        };
    }
    let why = inner.to_string();
    let what = match note {
        Some(note) => What::Gap(format!("{note}: {why}")),
        None => What::Folder(why),
    };
    into.push(Met { path: path.map(|path| relative(root, path)).unwrap_or_default(), what });
}

/// `path` seen from the root, with `/`; the whole path where it lies outside (an ignore file above the root).
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    if let Some(text) = inside.to_str()
        && std::path::MAIN_SEPARATOR == '/'
    {
        return text.to_owned();
    }
    inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
