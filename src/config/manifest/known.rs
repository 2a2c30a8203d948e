//! Paths in manifests -> paths of files that are there.

/// The sources of the tree.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The audited root, relative to the folder that manifests' paths are relative to.
    pub(crate) root: &'a str,
    /// Relative to the root, sorted.
    pub(crate) files: &'a [&'a str],
}

/// In the order in which a resolver tries them.
const EXTENSIONS: [&str; 8] = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];
/// Folders of build output, whose content comes from `src` or from beside them.
const BUILT: [&str; 14] =
    ["dist", "build", "lib", "out", "output", "es", "esm", "cjs", "mjs", "umd", "types", "typings", "bundle", "_build"];
/// Where the sources of build output stand, relative to the package.
const SOURCES: [&str; 4] = ["src/", "", "lib/", "source/"];

impl Known<'_> {
    /// The first of `paths` that is a source as it stands, else the first that leads to one. See [`Known::find`].
    pub(crate) fn find_any(self, folder: &str, paths: &[&str]) -> Option<String> {
        let exact = |path: &&str| relative(self.root, &normalise(folder, path)?).filter(|path| self.has(path));
        paths.iter().find_map(exact).or_else(|| paths.iter().find_map(|path| self.find(folder, path)))
    }

    /// The source that `path`, written relative to `folder`, means: the file itself, the source it is built from, or the
    /// `index` in it. `path` may hold one `*`. The result is relative to the root.
    pub(crate) fn find(self, folder: &str, path: &str) -> Option<String> {
        let inside = normalise("", path)?;
        let exact = relative(self.root, &normalise(folder, &inside)?)?;
        if self.has(&exact) {
            return Some(exact);
        }
        let stem = stem(&inside);
        let mut candidates = vec![stem.to_owned()];
        let mut tail = stem;
        while let Some((first, rest)) = tail.split_once('/') {
            if !BUILT.contains(&first) {
                break;
            }
            tail = rest;
            candidates.extend(SOURCES.iter().map(|source| format!("{source}{tail}")));
        }
        candidates.iter().find_map(|candidate| self.with_extension(folder, candidate))
    }

    /// The source at `stem`, an extension or `/index` and an extension added.
    pub(crate) fn with_extension(self, folder: &str, stem: &str) -> Option<String> {
        let stem = relative(self.root, &normalise(folder, stem)?)?;
        if stem.contains('*') {
            let (before, after) = stem.split_once('*')?;
            let fits = |rest: &str| rest.find(after).is_some_and(|at| at > 0 || after.is_empty());
            return self.any_below(before, fits).then_some(stem);
        }
        let index = if stem.is_empty() { "index".to_owned() } else { format!("{stem}/index") };
        [stem, index]
            .iter()
            .flat_map(|stem| EXTENSIONS.iter().map(move |extension| format!("{stem}{extension}")))
            .find(|path| self.has(path))
    }

    /// Whether the file is there; with a `*`, whether one that fits is.
    fn has(self, path: &str) -> bool {
        match path.split_once('*') {
            None => self.files.binary_search(&path).is_ok(),
            Some((before, after)) => self.any_below(before, |rest| rest.len() > after.len() && rest.ends_with(after)),
        }
    }

    /// Whether a file starts with `before` and goes on in a way that fits.
    fn any_below(self, before: &str, fits: impl Fn(&str) -> bool) -> bool {
        let from = self.files.partition_point(|file| *file < before);
        self.files.iter().skip(from).map_while(|file| file.strip_prefix(before)).any(fits)
    }
}

/// `path` without what a compiler or bundler adds at the end.
fn stem(path: &str) -> &str {
    const ENDS: [&str; 11] =
        [".d.ts", ".d.mts", ".d.cts", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".mts", ".cts"];
    const FLAVOURS: [&str; 6] = [".esm", ".cjs", ".umd", ".es", ".min", ".prod"];
    let cut = |path, ends: &[&str]| ends.iter().find_map(|end| str::strip_suffix(path, end)).unwrap_or(path);
    cut(cut(path, &ENDS), &FLAVOURS)
}

/// `path` seen from `folder`, without `.` and `..`; `None` where it is absolute or leaves the tree.
pub(crate) fn normalise(folder: &str, path: &str) -> Option<String> {
    if path.starts_with(['/', '\\']) || path.contains(':') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `path` seen from `root`; `None` outside.
pub(crate) fn relative(root: &str, path: &str) -> Option<String> {
    if root.is_empty() {
        return Some(path.to_owned());
    }
    let rest = path.strip_prefix(root)?;
    if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('/').map(str::to_owned) }
}

/// A pattern with its candidate, both told so that the candidate lies inside `root`: where only part of what `*` stands for
/// leads to the root, that part moves into the pattern. `None` where the candidate never leads there.
pub(crate) fn inside(root: &str, pattern: &str, candidate: &str) -> Option<(String, String)> {
    if let Some(candidate) = relative(root, candidate).filter(|inside| !inside.is_empty()) {
        return Some((pattern.to_owned(), candidate));
    }
    let (before, after) = candidate.split_once('*')?;
    let rest = root.strip_prefix(before)?;
    let pattern = pattern.replacen('*', &format!("{rest}/*"), 1);
    Some((pattern, format!("*{after}")))
}

/// Patterns without `*` first, then by the length of what stands before it.
pub(crate) fn most_specific_first<T>(patterns: &mut [(String, T)]) {
    patterns.sort_by(|(a, _), (b, _)| {
        let rank = |pattern: &str| pattern.find('*').map_or((0, 0), |at| (1, usize::MAX - at));
        rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
    });
}

/// How many folders deep a folder is.
pub(crate) fn depth(folder: &str) -> usize {
    if folder.is_empty() { 0 } else { folder.matches('/').count() + 1 }
}
