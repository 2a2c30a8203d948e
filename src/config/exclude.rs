//! `exclude` globs are written relative to the configuration's folder; discovery wants them relative to the audited root.

/// `glob` seen from `prefix`, a folder below the one that `glob` is relative to (`packages/api`; empty: the same folder).
/// `None` where it cannot match anything below.
pub(crate) fn below(glob: &str, prefix: &str) -> Option<String> {
    let anchored = glob.strip_prefix("./").unwrap_or(glob);
    // Without a slash (a last one aside) a glob matches at any depth, so it needs no change.
    if prefix.is_empty() || !anchored.trim_end_matches('/').contains('/') {
        return Some(anchored.to_owned());
    }
    let mut rest: Vec<&str> = anchored.trim_start_matches('/').split('/').collect();
    for folder in prefix.split('/') {
        match rest.first() {
            Some(&"**") => return Some(rest.join("/")),
            Some(segment) => match globset::Glob::new(segment) {
                Ok(glob) if glob.compile_matcher().is_match(folder) => _ = rest.remove(0),
                Ok(_) => return None,
                // Braces around a slash: cannot be taken apart, stays as written.
                Err(_) => return Some(anchored.to_owned()),
            },
            None => return None,
        }
    }
    if rest.iter().all(|segment| segment.is_empty()) {
        return Some("**".to_owned());
    }
    // What is left may have no slash any more, and must not begin to match at any depth.
    Some(format!("/{}", rest.join("/")))
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn a_glob_loses_the_folders_above_the_root() {
        assert_eq!(below("packages/api/legacy/**", "packages/api").as_deref(), Some("/legacy/**"));
        assert_eq!(below("packages/*/gen.ts", "packages/api").as_deref(), Some("/gen.ts"));
        assert_eq!(below("**/gen/*.ts", "packages/api").as_deref(), Some("**/gen/*.ts"));
        assert_eq!(below("*.gen.ts", "packages/api").as_deref(), Some("*.gen.ts"));
        assert_eq!(below("packages/api/", "packages/api").as_deref(), Some("**"));
        assert_eq!(below("packages/web/**", "packages/api"), None);
    }
}
