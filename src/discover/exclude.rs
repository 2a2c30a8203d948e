//! Globs to leave out -> one matcher.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::discover::DiscoverError;

pub(crate) fn matcher(globs: &[String]) -> Result<GlobSet, DiscoverError> {
    let mut set = GlobSetBuilder::new();
    for typed in globs {
        let wrong = |error: &globset::Error| DiscoverError::Glob { glob: typed.clone(), why: error.kind().to_string() };
        let glob = typed.strip_prefix("./").unwrap_or(typed).trim_end_matches('/');
        let glob = match glob.strip_prefix('/') {
            Some(tied) => tied.to_owned(),
            None if glob.contains('/') => glob.to_owned(),
            None => format!("**/{glob}"),
        };
        // A folder stands for all in it, also for a file in it that is named as an input.
        for glob in [format!("{glob}/**"), glob] {
            set.add(GlobBuilder::new(&glob).literal_separator(true).build().map_err(|error| wrong(&error))?);
        }
    }
    set.build().map_err(|error| DiscoverError::Glob { glob: globs.join(", "), why: error.kind().to_string() })
}
