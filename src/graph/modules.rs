//! Module specifier -> file: relative paths, `tsconfig` paths, workspace packages.

use crate::graph::Graph;
use crate::source::FileId;

/// Tried in this order behind a path without an ending.
const ENDINGS: [&str; 8] = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];

impl Graph<'_> {
    /// The file that `specifier`, written in `from`, names; `None` for packages outside the tree.
    pub fn resolve_module(&self, from: FileId, specifier: &str) -> Option<FileId> {
        self.units.named(from, specifier, || self.look_up(from, specifier))
    }

    fn look_up(&self, from: FileId, specifier: &str) -> Option<FileId> {
        if self.is_rust(from) {
            return self.rust_module(from, specifier);
        }
        let path = self.sources.get(from).path.as_str();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if specifier.starts_with('.') {
            return self.file_at(&join(folder, specifier)?);
        }
        for config in &self.sources.modules.tsconfigs {
            let inside = config.folder.is_empty()
                || path.strip_prefix(config.folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
            if !inside {
                continue;
            }
            for (pattern, candidates) in &config.paths {
                let Some(star) = captured(pattern, specifier) else { continue };
                if let Some(file) = candidates.iter().find_map(|c| self.file_at(&c.replacen('*', star, 1))) {
                    return Some(file);
                }
            }
            if let Some(base) = &config.base_url
                && let Some(file) = join(base, specifier).and_then(|path| self.file_at(&path))
            {
                return Some(file);
            }
        }
        self.package_file(specifier).or_else(|| {
            let nearest = std::iter::successors(Some(folder), |at| {
                (!at.is_empty()).then(|| at.rsplit_once('/').map_or("", |(up, _)| up))
            });
            if let Some(path) = self.rules.alias().find_map(|row| row.path(specifier)) {
                return nearest.into_iter().find_map(|folder| self.file_at(&join(folder, &path)?));
            }
            // `src/users/users.service` without a readable `baseUrl`: from one of the folders above.
            if !specifier.contains('/') || specifier.starts_with('@') {
                return None;
            }
            let mut above: Vec<&str> = nearest.collect();
            // `/models/users`: from the root of the application.
            if specifier.starts_with('/') {
                above.reverse();
            }
            above.into_iter().find_map(|folder| self.file_at(&join(folder, specifier)?))
        })
    }

    /// The file at a path that is relative to the folder of another file, or to one above it.
    pub fn file_beside(&self, from: FileId, path: &str) -> Option<FileId> {
        let mut folder = self.sources.get(from).path.as_str();
        while let Some((above, _)) = folder.rsplit_once('/') {
            folder = above;
            if let Some(file) = join(folder, path).and_then(|path| self.sources.find(&path)) {
                return Some(file);
            }
        }
        join("", path).and_then(|path| self.sources.find(&path))
    }

    fn package_file(&self, specifier: &str) -> Option<FileId> {
        let packages = &self.sources.modules.packages;
        let mut end = specifier.len();
        loop {
            let name = &specifier[..end];
            if let Some(package) = packages.get(name) {
                let below = specifier[end..].trim_start_matches('/');
                if below.is_empty() {
                    let main = package.main.as_deref().and_then(|main| self.file_at(main));
                    return main.or_else(|| {
                        let folder = &package.folder;
                        ["index", "src/index", "src/main", "lib/index"]
                            .iter()
                            .find_map(|entry| self.file_at(&join(folder, entry)?))
                    });
                }
                let wanted = format!("./{below}");
                let exported = package.exports.iter().find_map(|(pattern, target)| {
                    let star = captured(pattern, &wanted)?;
                    self.file_at(&target.replacen('*', star, 1))
                });
                return exported
                    .or_else(|| self.file_at(&join(&package.folder, below)?))
                    .or_else(|| self.file_at(&join(&format!("{}/src", package.folder), below)?));
            }
            end = name.rfind('/')?;
        }
    }

    /// The file at a path, or at the one that a symbolic link on it stands for.
    fn found(&self, path: &str) -> Option<FileId> {
        let links = &self.sources.modules.links;
        self.sources.find(path).or_else(|| {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]).filter(|_| !links.is_empty());
            ends.filter_map(|end| Some((links.get(path.get(..end)?)?, path.get(end..)?)))
                .find_map(|(target, rest)| self.sources.find(&format!("{target}{rest}")))
        })
    }

    /// The file at a path that may lack its ending or name a folder with an index.
    fn file_at(&self, path: &str) -> Option<FileId> {
        let path = path.trim_end_matches('/');
        if let Some(file) = self.found(path) {
            return Some(file);
        }
        // `./x.js` is how TypeScript's ES modules name `./x.ts`.
        let bare = [".js", ".mjs", ".cjs", ".jsx"].iter().find_map(|ending| path.strip_suffix(ending));
        let stems = std::iter::once(path).chain(bare);
        for stem in stems {
            for ending in ENDINGS {
                if let Some(file) = self.found(&format!("{stem}{ending}")) {
                    return Some(file);
                }
            }
        }
        ENDINGS.iter().find_map(|ending| {
            let index = if path.is_empty() { format!("index{ending}") } else { format!("{path}/index{ending}") };
            self.found(&index)
        })
    }
}

/// `folder` and a relative path below or beside it; `None` where it leaves the root.
fn join(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What `*` in `pattern` stands for in `text`; `""` for an equal text without one.
fn captured<'t>(pattern: &str, text: &'t str) -> Option<&'t str> {
    match pattern.split_once('*') {
        None => (pattern == text).then_some(""),
        Some((head, tail)) => {
            let rest = text.strip_prefix(head)?;
            rest.strip_suffix(tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_root_names_nothing() {
        assert_eq!(join("a/b", "../c"), Some("a/c".to_owned()));
        assert_eq!(join("a", "../../c"), None);
    }

    #[test]
    fn a_pattern_captures_what_its_star_stands_for() {
        assert_eq!(captured("@app/*", "@app/users/x"), Some("users/x"));
        assert_eq!(captured("@app", "@app/users"), None);
    }
}
