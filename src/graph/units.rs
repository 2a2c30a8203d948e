//! The lowered files, each at most once, whether it was asked for before a round or in the middle of one.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::ir::{Module, SqlPart, SqlText};
use crate::source::{FileId, Macros, SourceFile, SourceSet};
use crate::summary::ModuleSummary;

/// A lowered file and its summaries.
#[derive(Clone, Debug)]
pub struct Unit {
    pub module: Module,
    pub summary: ModuleSummary,
}

/// What reads source: the front ends, which the graph does not name.
#[derive(Clone, Copy, Debug)]
pub struct Readers {
    /// Front end and summaries of one file.
    pub lower: fn(FileId, &SourceFile, &Macros) -> Unit,
    /// SQL that a program puts together.
    pub sql: fn(&[SqlPart], FileId) -> Option<SqlText>,
}

/// The units of a tree.
#[derive(Debug)]
pub struct Units {
    readers: Readers,
    /// By file.
    slots: Vec<OnceLock<Box<Unit>>>,
    /// What module specifiers name, by the file that they are written in: paths tell, so it holds for all rounds.
    specifiers: Mutex<BTreeMap<FileId, FxHashMap<String, Option<FileId>>>>,
}

impl Units {
    /// No unit yet of any file of `sources`.
    pub fn new(sources: &SourceSet, readers: Readers) -> Self {
        Self { readers, slots: sources.iter().map(|_| OnceLock::new()).collect(), specifiers: Mutex::default() }
    }

    /// `None`: not lowered.
    pub fn get(&self, file: FileId) -> Option<&Unit> {
        self.slots.get(file.0 as usize)?.get().map(|unit| &**unit)
    }

    /// The unit of a file, lowered now where it was not yet.
    pub fn lowered(&self, sources: &SourceSet, file: FileId) -> Option<&Unit> {
        let slot = self.slots.get(file.0 as usize)?;
        Some(slot.get_or_init(|| Box::new((self.readers.lower)(file, sources.get(file), &sources.macros))))
    }

    /// A file's program, not kept: for what no other stage is to see.
    pub fn read(&self, sources: &SourceSet, file: FileId) -> Module {
        (self.readers.lower)(file, sources.get(file), &sources.macros).module
    }

    /// The SQL that a program in `file` puts together; `None` where it is prose.
    pub fn read_sql(&self, parts: &[SqlPart], file: FileId) -> Option<SqlText> {
        (self.readers.sql)(parts, file)
    }

    /// Lowers what is not lowered yet, in parallel.
    pub fn lower(&self, sources: &SourceSet, files: impl IntoIterator<Item = FileId>) {
        let missing: Vec<FileId> = files.into_iter().filter(|file| self.get(*file).is_none()).collect();
        missing.par_iter().for_each(|file| {
            self.lowered(sources, *file);
        });
    }

    /// What `specifier`, written in `from`, names, looked up now where it was not yet.
    pub(super) fn named(
        &self,
        from: FileId,
        specifier: &str,
        look_up: impl FnOnce() -> Option<FileId>,
    ) -> Option<FileId> {
        let known = || self.specifiers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(named) = known().get(&from).and_then(|of| of.get(specifier)) {
            return *named;
        }
        let named = look_up();
        known().entry(from).or_default().insert(specifier.to_owned(), named);
        named
    }

    /// What is lowered so far, by file.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Unit)> {
        (0..).map(FileId).zip(&self.slots).filter_map(|(file, slot)| Some((file, &**slot.get()?)))
    }

    /// How many files are lowered so far.
    pub fn count(&self) -> usize {
        self.slots.iter().filter(|slot| slot.get().is_some()).count()
    }
}
