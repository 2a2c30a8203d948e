//! The lowered files, each at most once, whether it was asked for before a round or in the middle of one.

use std::sync::OnceLock;

use rayon::prelude::*;

use crate::ir::Module;
use crate::source::{FileId, SourceFile, SourceSet};
use crate::summary::ModuleSummary;

/// A lowered file and its summaries.
#[derive(Clone, Debug)]
pub struct Unit {
    pub module: Module,
    pub summary: ModuleSummary,
}

/// The units of a tree.
#[derive(Debug)]
pub struct Units {
    /// Front end and summaries of one file.
    lower: fn(FileId, &SourceFile) -> Unit,
    /// By file.
    slots: Vec<OnceLock<Box<Unit>>>,
}

impl Units {
    /// No unit yet of any file of `sources`.
    pub fn new(sources: &SourceSet, lower: fn(FileId, &SourceFile) -> Unit) -> Self {
        Self { lower, slots: sources.iter().map(|_| OnceLock::new()).collect() }
    }

    /// `None`: not lowered.
    pub fn get(&self, file: FileId) -> Option<&Unit> {
        self.slots.get(file.0 as usize)?.get().map(|unit| &**unit)
    }

    /// The unit of a file, lowered now where it was not yet.
    pub fn lowered(&self, sources: &SourceSet, file: FileId) -> Option<&Unit> {
        let slot = self.slots.get(file.0 as usize)?;
        Some(slot.get_or_init(|| Box::new((self.lower)(file, sources.get(file)))))
    }

    /// Lowers what is not lowered yet, in parallel.
    pub fn lower(&self, sources: &SourceSet, files: impl IntoIterator<Item = FileId>) {
        let missing: Vec<FileId> = files.into_iter().filter(|file| self.get(*file).is_none()).collect();
        missing.par_iter().for_each(|file| {
            self.lowered(sources, *file);
        });
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
