//! Rows of entry points by the last name of their callable: most calls have the name of none.

use rustc_hash::FxHashMap;

use crate::rules::{CallPattern, Entry, EntryKind};

/// Rows by the last name of their callable.
pub(super) type ByName<'r> = FxHashMap<Option<&'r str>, Vec<&'r Entry>>;

pub(super) fn by_name<'r>(rows: &[&'r Entry], kind: EntryKind) -> ByName<'r> {
    let mut named = ByName::default();
    for row in rows.iter().filter(|row| row.kind == kind) {
        named.entry(row.path.as_ref().and_then(CallPattern::last)).or_default().push(*row);
    }
    named
}

/// The rows that can be about the callable at `path`.
pub(super) fn rows_of<'r>(rows: &'r ByName<'r>, path: &'r str) -> impl Iterator<Item = &'r Entry> {
    let last = path.rsplit(['.', '#']).next().map(|step| step.strip_suffix("()").unwrap_or(step));
    rows.get(&last).into_iter().chain(rows.get(&None)).flatten().copied()
}
