//! `export *`, `pub use x::*`: each is looked through once for a name, whatever circles and diamonds the modules form.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::graph::exports::Resolved;
use crate::source::FileId;

/// The globs that the question under way is looking through, or has looked through in vain.
#[derive(Debug, Default)]
pub(super) struct Globs {
    seen: BTreeSet<(FileId, String, String)>,
    open: usize,
}

impl Graph<'_> {
    /// What `find` makes of a name that the glob of `module` in `file` may bring; missing where the same question was asked before.
    pub(super) fn through_glob(
        &self,
        file: FileId,
        module: &str,
        name: &str,
        find: impl FnOnce() -> Resolved,
    ) -> Resolved {
        let key = (file, module.to_owned(), name.to_owned());
        let mut globs = self.globs.borrow_mut();
        if !globs.seen.insert(key.clone()) {
            return Resolved::Missing;
        }
        globs.open += 1;
        drop(globs);
        let found = find();
        let mut globs = self.globs.borrow_mut();
        globs.open -= 1;
        if globs.open == 0 {
            globs.seen.clear();
        } else if !matches!(found, Resolved::Missing) {
            globs.seen.remove(&key);
        }
        found
    }
}
