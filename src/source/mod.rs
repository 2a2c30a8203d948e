//! Where things are: the files that were read, positions in them, who mentions which name, and what could not be read.
//!
//! Input: file texts read by `discover`. Output: a [`SourceSet`] that every later stage points into.
//!
//! Invariants: a [`FileId`] is the rank of the file's path in the set, so ids do not depend on the order in which files
//! were read; offsets are bytes inside a file's text, and become 1-based lines and columns only in [`SourceSet::location`].
//!
//! Example: in a set of `a.ts` and `b.ts`, `b.ts` is `FileId(1)`; a span `0..3` of it is line 1, column 1.

mod names;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::source::names::NameIndex;

/// A file of the audited tree: its rank among the sorted relative paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A range of bytes `start..end` in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

/// A place as people write it: the path relative to the audited root, 1-based line and column (in characters).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    pub path: String,
    pub line: u32,
    pub column: u32,
}

/// What a file is written in, told by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// `.ts .mts .cts`
    TypeScript,
    /// `.tsx .jsx .js .mjs .cjs`: everything that the TSX grammar reads.
    Tsx,
    Rust,
    Sql,
    Prisma,
}

/// What a file is for; only `Production` sites vote on a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Production,
    Test,
    Seed,
    Migration,
    Script,
}

impl Scope {
    /// The word that reports use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Test => "test",
            Self::Seed => "seed",
            Self::Migration => "migration",
            Self::Script => "script",
        }
    }
}

/// One file, read once.
#[derive(Debug)]
pub struct SourceFile {
    /// Relative to the audited root, separated by `/`.
    pub path: String,
    pub text: String,
    pub language: Language,
    pub scope: Scope,
    pub encoding: Encoding,
    line_starts: OnceLock<Vec<u32>>,
}

/// What the bytes of a file have that its text has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Utf8,
    /// A byte order mark before it.
    Marked,
    /// Bytes that are no UTF-8, each a replacement character in the text.
    Lossy,
}

impl SourceFile {
    pub fn new(path: String, text: String, language: Language, scope: Scope) -> Self {
        Self { path, text, language, scope, encoding: Encoding::Utf8, line_starts: OnceLock::new() }
    }

    /// What importers call the file: `src/users/user.service.ts` -> `user.service`; of an index file its folder.
    pub fn stem(&self) -> &str {
        let mut parts = self.path.rsplit('/');
        let file = parts.next().unwrap_or(&self.path);
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        if stem == "index" { parts.next().unwrap_or(stem) } else { stem }
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let ends = memchr::memchr_iter(b'\n', self.text.as_bytes());
            std::iter::once(0).chain(ends.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX))).collect()
        })
    }

    /// The 1-based line that holds byte `offset`.
    pub fn line(&self, offset: u32) -> u32 {
        let before = self.line_starts().partition_point(|start| *start <= offset);
        u32::try_from(before).unwrap_or(u32::MAX).max(1)
    }

    /// The text of 1-based line `line`, without its end; empty where there is no such line.
    pub fn line_text(&self, line: u32) -> &str {
        let starts = self.line_starts();
        let Some(start) = (line as usize).checked_sub(1).and_then(|at| starts.get(at)) else { return "" };
        let end = starts.get(line as usize).map_or(self.text.len(), |next| *next as usize);
        self.text.get(*start as usize..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }
}

/// Something that could not be done, and where: an unreadable file, source that did not parse, a call that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    pub path: String,
    /// 1-based; 1 where the gap is the whole file.
    pub line: u32,
    pub why: String,
}

/// How much was met and passed over, for the summary of every report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub files: usize,
    pub bytes: u64,
    pub oversized: usize,
    pub minified: usize,
    pub binary: usize,
    pub lossy: usize,
    pub unreadable: usize,
    /// `.d.ts` and the like, which hold no code.
    pub declarations: usize,
    /// Code in a language that is not read: Python, Go, Vue and the like.
    pub other_languages: usize,
}

/// How a module specifier that is not relative becomes a path: what `tsconfig.json` and `package.json` files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleMap {
    /// Deepest folder first.
    pub tsconfigs: Vec<TsConfig>,
    /// Package name -> what it offers.
    pub packages: BTreeMap<String, Package>,
    /// Symbolic link inside the tree -> the path of the tree that it stands for.
    pub links: BTreeMap<String, String>,
    /// Rust crate name (`_` for `-`) -> its root file, relative to the root.
    pub crates: BTreeMap<String, String>,
}

/// The part of a `tsconfig.json` (its `extends` applied as far as they could be read) that resolves modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TsConfig {
    /// The folder of the file, relative to the root, without a trailing `/`; empty for the root.
    pub folder: String,
    /// `baseUrl` as a folder relative to the root.
    pub base_url: Option<String>,
    /// `paths`: pattern (at most one `*`) -> candidates as paths relative to the root, most specific pattern first.
    pub paths: Vec<(String, Vec<String>)>,
}

/// A package of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Relative to the root.
    pub folder: String,
    /// Entry file relative to the root, for the bare package name.
    pub main: Option<String>,
    /// `exports`: sub-path (`./x`, at most one `*`) -> path relative to the root.
    pub exports: Vec<(String, String)>,
}

/// Every file that matters, sorted by path.
#[derive(Debug, Default)]
pub struct SourceSet {
    files: Vec<SourceFile>,
    pub modules: ModuleMap,
    pub gaps: Vec<Gap>,
    pub tally: Tally,
    /// The paths of the files that were passed over as minified, sorted.
    pub minified: Vec<String>,
    pub macros: Macros,
    index: NameIndex,
}

/// The macros by example that the tree defines, as text: what is between the braces of `macro_rules! name { .. }`.
#[derive(Clone, Debug, Default)]
pub struct Macros(BTreeMap<String, Vec<(FileId, String)>>);

impl Macros {
    pub fn define(&mut self, name: &str, file: FileId, arms: &str) {
        self.0.entry(name.to_owned()).or_default().push((file, arms.to_owned()));
    }

    /// What `name` means in `file`: the file's own, else the one whose file stands nearest among the sorted paths, which is the
    /// same folder's or crate's.
    pub fn get(&self, name: &str, file: FileId) -> Option<&str> {
        let all = self.0.get(name)?;
        all.iter().min_by_key(|(at, _)| at.0.abs_diff(file.0)).map(|(_, arms)| arms.as_str())
    }

    /// The names of the macros that are defined in one of `files` by a text for which `says` holds.
    pub fn names(&self, says: impl Fn(FileId, &str) -> bool) -> Vec<&str> {
        let defines = |all: &[(FileId, String)]| all.iter().any(|(file, arms)| says(*file, arms));
        self.0.iter().filter(|(_, all)| defines(all)).map(|(name, _)| name.as_str()).collect()
    }
}

impl SourceSet {
    /// Sorts the files by path; the rank becomes the [`FileId`].
    pub fn new(mut files: Vec<SourceFile>, modules: ModuleMap, mut gaps: Vec<Gap>, tally: Tally) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        gaps.sort();
        Self {
            files,
            modules,
            gaps,
            tally,
            minified: Vec::new(),
            macros: Macros::default(),
            index: NameIndex::default(),
        }
    }

    pub fn get(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(at, file)| (FileId(u32::try_from(at).unwrap_or(u32::MAX)), file))
    }

    /// The file at a relative path.
    pub fn find(&self, path: &str) -> Option<FileId> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        u32::try_from(at).ok().map(FileId)
    }

    /// The source text of a span.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The 1-based line where a span starts.
    pub fn line(&self, span: Span) -> u32 {
        self.get(span.file).line(span.start)
    }

    /// Where a span starts, as people write it.
    pub fn location(&self, span: Span) -> Location {
        let file = self.get(span.file);
        let line = file.line(span.start);
        let start = file.line_starts().get(line as usize - 1).copied().unwrap_or(0);
        let before = file.text.get(start as usize..span.start as usize).unwrap_or("");
        let column = u32::try_from(before.chars().count()).unwrap_or(0) + 1;
        Location { path: file.path.clone(), line, column }
    }

    /// The files whose text mentions `name` as a whole identifier, sorted. See `NameIndex`.
    pub fn mentions(&self, names: &[&str]) -> Vec<Vec<FileId>> {
        self.index.look_up(&self.files, names)
    }

    /// Whether any file imports a module, or something below it, as far as its text tells: in quotes (`from 'next-auth/jwt'`), as the
    /// start of a path (`sqlx::query`), or by `use` and `extern crate`. In a schema any mention counts.
    pub fn is_imported(&self, module: &str) -> bool {
        let files = self.mentions(&[module]).into_iter().flatten();
        files.map(|file| self.get(file)).any(|file| {
            memchr::memmem::find_iter(file.text.as_bytes(), module).any(|at| {
                let (before, after) =
                    (file.text.get(..at).unwrap_or(""), file.text.get(at + module.len()..).unwrap_or(""));
                match file.language {
                    Language::TypeScript | Language::Tsx => before.ends_with(['"', '\'', '`', '/', ':']),
                    Language::Rust => {
                        after.trim_start().starts_with("::")
                            || ["use", "crate"]
                                .iter()
                                .any(|word| before.trim_end().trim_end_matches("::").ends_with(word))
                    }
                    Language::Prisma | Language::Sql => true,
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(files: &[(&str, &str)]) -> SourceSet {
        let files = files
            .iter()
            .map(|(path, text)| {
                SourceFile::new((*path).into(), (*text).into(), Language::TypeScript, Scope::Production)
            })
            .collect();
        SourceSet::new(files, ModuleMap::default(), Vec::new(), Tally::default())
    }

    #[test]
    fn an_index_file_goes_by_its_folder() {
        let set = set(&[("src/users/index.ts", ""), ("src/user.service.ts", ""), ("a.ts", "")]);
        let stems: Vec<&str> = set.iter().map(|(_, file)| file.stem()).collect();
        assert_eq!(stems, ["a", "user.service", "users"]);
    }

    #[test]
    fn a_name_is_found_only_as_a_whole_word() {
        let set = set(&[("b.ts", "accessToken()"), ("a.ts", "accessTokens; myaccessToken")]);
        assert_eq!(set.mentions(&["accessToken", "nothing"]), vec![vec![FileId(1)], vec![]]);
    }

    #[test]
    fn lines_and_columns_are_one_based_and_count_characters() {
        let set = set(&[("a.ts", "é\nüx = 1\n")]);
        let at = set.location(Span { file: FileId(0), start: 5, end: 6 });
        assert_eq!((at.line, at.column), (2, 2));
        assert_eq!(set.get(FileId(0)).line_text(2), "üx = 1");
    }
}
