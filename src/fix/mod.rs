//! The mechanical edits that make a finding go away, and what they make of the files.
//!
//! Input: the lowered code and the places that a finding names. Output: a [`Fix`]; of several together [`Fixed`] files and their
//! [`patch`].
//!
//! Invariants: only edits whose every place is known are offered; a fix is applied whole or not at all, and of two that touch the same
//! text only the first; what no edit names keeps its bytes; pure, whoever writes the files decides whether they are still what was read.
//!
//! Worked example: the web login mints `accessToken` and calls `generateRefreshToken(user.id)`, which writes `user.accessToken` back:
//! the call gets the argument, the helper the parameter, the write takes it, and the row that nothing needs any more loses its name.

mod code;
mod drop_column;
mod guarded;
mod pass_token;

pub(crate) use code::Code;
pub(crate) use drop_column::{Way, drop_column};
pub(crate) use pass_token::{Lost, pass_token};

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Encoding, FileId, SourceSet, Span};

/// Edits that belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fix {
    /// What they do, in the imperative.
    pub title: String,
    /// Sorted, without overlap.
    pub edits: Vec<Edit>,
    /// Whether no other code can change its meaning by it and none is left idle; one that is not safe is applied only when asked for.
    pub is_safe: bool,
}

/// Why no edit is offered, and the place that holds it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) at: Span,
    /// A clause without a full stop.
    pub(crate) why: String,
}

impl Held {
    fn new(at: Span, why: impl Into<String>) -> Self {
        Self { at, why: why.into() }
    }
}

impl Fix {
    fn new(title: String, mut edits: Vec<Edit>, is_safe: bool) -> Result<Self, Held> {
        edits.sort();
        edits.dedup();
        let overlaps = |pair: &&[Edit]| pair[0].at.file == pair[1].at.file && pair[0].at.end > pair[1].at.start;
        match edits.windows(2).find(overlaps) {
            Some(pair) => Err(Held::new(pair[1].at, "two of its edits would change the same text")),
            None => Ok(Self { title, edits, is_safe }),
        }
    }

    /// Whether the text of every file that it changes is all that the file has.
    pub fn is_in_text(&self, sources: &SourceSet) -> bool {
        self.edits.iter().all(|edit| sources.get(edit.at.file).encoding != Encoding::Lossy)
    }
}

/// A replacement of the text at a span; an insertion where the span is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    pub at: Span,
    pub text: String,
}

/// A file with fixes applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Relative to the audited root, with `/`.
    pub path: String,
    pub before: String,
    pub after: String,
}

/// The files that the fixes change, by path; those that are not safe only with `take_unsafe`, and none in a file that is no UTF-8, whose
/// bytes the text does not have.
pub fn fixed<'a>(sources: &SourceSet, fixes: impl IntoIterator<Item = &'a Fix>, take_unsafe: bool) -> Vec<Fixed> {
    let fixes: BTreeSet<&Fix> =
        fixes.into_iter().filter(|fix| (take_unsafe || fix.is_safe) && fix.is_in_text(sources)).collect();
    let mut taken: BTreeMap<FileId, BTreeSet<&Edit>> = BTreeMap::new();
    for fix in fixes {
        let clashes = |edit: &Edit| {
            let known = taken.get(&edit.at.file);
            known.is_some_and(|known| known.iter().any(|other| **other != *edit && touch(other, edit)))
        };
        if !fix.edits.iter().any(clashes) {
            for edit in &fix.edits {
                taken.entry(edit.at.file).or_default().insert(edit);
            }
        }
    }
    let apply = |(file, edits): (FileId, BTreeSet<&Edit>)| {
        let file = sources.get(file);
        let mut after = file.text.clone();
        // From the end, so that the places before stay where they are.
        for edit in edits.into_iter().rev() {
            let range = edit.at.start as usize..edit.at.end as usize;
            if after.get(range.clone()).is_some() {
                after.replace_range(range, &edit.text);
            }
        }
        let mark = if file.encoding == Encoding::Marked { "\u{feff}" } else { "" };
        Fixed { path: file.path.clone(), before: format!("{mark}{}", file.text), after: format!("{mark}{after}") }
    };
    taken.into_iter().map(apply).collect()
}

fn touch(a: &Edit, b: &Edit) -> bool {
    a.at.start <= b.at.end && b.at.start <= a.at.end
}

/// The changes in the unified form, as `git apply` and `patch -p1` take it.
pub fn patch(files: &[Fixed]) -> String {
    let one = |file: &Fixed| {
        let diff = similar::TextDiff::from_lines(&file.before, &file.after);
        let (old, new) = (format!("a/{}", file.path), format!("b/{}", file.path));
        diff.unified_diff().context_radius(3).header(&old, &new).to_string()
    };
    files.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Language, ModuleMap, Scope, SourceFile, Tally};

    fn edit(start: u32, end: u32, text: &str) -> Edit {
        Edit { at: Span { file: FileId(0), start, end }, text: text.into() }
    }

    fn fix(edits: Vec<Edit>, is_safe: bool) -> Fix {
        Fix::new("x".into(), edits, is_safe).unwrap()
    }

    fn after(fixes: &[Fix], take_unsafe: bool) -> Option<String> {
        let file = SourceFile::new("a.ts".into(), "one two three\n".into(), Language::TypeScript, Scope::Production);
        let sources = SourceSet::new(vec![file], ModuleMap::default(), Vec::new(), Tally::default());
        fixed(&sources, fixes, take_unsafe).into_iter().next().map(|fixed| fixed.after)
    }

    #[test]
    fn edits_are_applied_together_and_the_rest_keeps_its_bytes() {
        let safe = fix(vec![edit(8, 13, "3"), edit(0, 3, "1")], true);
        assert_eq!(after(&[safe.clone(), safe], false).as_deref(), Some("1 two 3\n"));
    }

    #[test]
    fn a_fix_that_is_not_safe_waits_until_it_is_asked_for() {
        let risky = fix(vec![edit(4, 7, "2")], false);
        assert_eq!(after(std::slice::from_ref(&risky), false), None);
        assert_eq!(after(&[risky], true).as_deref(), Some("one 2 three\n"));
    }

    #[test]
    fn of_two_fixes_of_the_same_text_one_is_applied_and_it_whole() {
        let first = fix(vec![edit(0, 3, "1"), edit(4, 7, "2")], true);
        let second = fix(vec![edit(4, 7, "II"), edit(8, 13, "III")], true);
        assert_eq!(after(&[second, first], false).as_deref(), Some("1 2 three\n"));
    }

    #[test]
    fn edits_that_overlap_are_no_fix() {
        assert!(Fix::new("x".into(), vec![edit(0, 5, "a"), edit(4, 7, "b")], true).is_err());
    }
}
