//! One file -> its text, or why there is none.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::discover::scope;
use crate::source::{Encoding, Language, SourceFile};

/// Larger files are generated, or dumps; the slowest front end would take seconds for one.
pub(crate) const MAX_BYTES: u64 = 1_000_000;

/// Only longer files are looked at for being minified: a short one costs nothing to analyse.
const MINIFIED_BYTES: usize = 5_000;
const MINIFIED_BYTES_A_LINE: usize = 500;

#[derive(Debug)]
pub(crate) enum Outcome {
    Source {
        file: SourceFile,
        bytes: u64,
        /// The 1-based line of the first wrong byte.
        lossy: Option<u32>,
    },
    Manifest {
        text: String,
    },
    Oversized {
        bytes: u64,
    },
    Minified,
    Binary {
        utf16: bool,
    },
    Declaration,
    OtherLanguage,
    Unreadable(String),
}

/// Languages that services are written in, or that hold scripts of a front end's language, and that no front end reads.
const OTHER_LANGUAGES: [&str; 21] = [
    "py", "go", "java", "kt", "kts", "scala", "rb", "php", "cs", "fs", "vb", "swift", "dart", "ex", "exs", "erl",
    "clj", "cpp", "vue", "svelte", "astro",
];

/// What to do with a file, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Source(Language),
    Minified,
    Declaration,
    /// Code in a language that no front end reads.
    OtherLanguage,
    Manifest,
}

/// `None`: no business of ours.
pub(crate) fn kind(name: &str) -> Option<Kind> {
    let (stem, extension) = name.rsplit_once('.')?;
    let marks: Vec<&str> = stem.split('.').skip(1).collect();
    // `a.d.ts`, and `a.d.css.ts`, which declares what a file that is no code exports.
    let declares = marks.iter().rev().take(2).any(|mark| *mark == "d");
    let language = match extension {
        "ts" | "mts" | "cts" if declares => return Some(Kind::Declaration),
        "ts" | "mts" | "cts" => Language::TypeScript,
        "js" | "mjs" | "cjs" if marks.last() == Some(&"min") => return Some(Kind::Minified),
        "tsx" | "jsx" | "js" | "mjs" | "cjs" => Language::Tsx,
        "rs" => Language::Rust,
        "sql" => Language::Sql,
        "prisma" => Language::Prisma,
        "toml" if name == "Cargo.toml" => return Some(Kind::Manifest),
        "json" if name == "package.json" || is_tsconfig(name) => return Some(Kind::Manifest),
        _ if OTHER_LANGUAGES.contains(&extension) => return Some(Kind::OtherLanguage),
        _ => return None,
    };
    Some(Kind::Source(language))
}

/// `tsconfig.json`, `tsconfig.build.json`, `jsconfig.json`
pub(crate) fn is_tsconfig(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(|stem| {
        ["tsconfig", "jsconfig"]
            .iter()
            .filter_map(|start| stem.strip_prefix(start))
            .any(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    })
}

/// Reads the file at `full`, a regular file of that kind; `path` is the same relative to the root.
pub(crate) fn read(full: &Path, path: &str, kind: Kind) -> Outcome {
    let language = match kind {
        Kind::Minified => return Outcome::Minified,
        Kind::Declaration => return Outcome::Declaration,
        Kind::OtherLanguage => return Outcome::OtherLanguage,
        Kind::Manifest => None,
        Kind::Source(language) => Some(language),
    };
    let bytes = match bytes(full) {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(bytes)) => return Outcome::Oversized { bytes },
        Err(error) => return Outcome::Unreadable(error.to_string()),
    };
    let Some(language) = language else {
        return Outcome::Manifest { text: String::from_utf8_lossy(&bytes).into_owned() };
    };
    let size = bytes.len();
    if memchr::memchr(0, &bytes).is_some() {
        return Outcome::Binary { utf16: bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) };
    }
    let is_script = matches!(language, Language::TypeScript | Language::Tsx);
    if is_script && size > MINIFIED_BYTES {
        let lines = memchr::memchr_iter(b'\n', &bytes).count() + usize::from(!bytes.ends_with(b"\n"));
        let most = lines.max(1).saturating_mul(MINIFIED_BYTES_A_LINE);
        // One literal may hold a picture: what stands in quotes is no code.
        if size > most && outside_of_quotes(&bytes) > most {
            return Outcome::Minified;
        }
    }
    let (mut text, lossy) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let bytes = error.as_bytes();
            let good = bytes.get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = u32::try_from(memchr::memchr_iter(b'\n', good).count() + 1).unwrap_or(u32::MAX);
            (String::from_utf8_lossy(bytes).into_owned(), Some(line))
        }
    };
    // Editors count columns without it.
    let is_marked = text.starts_with('\u{feff}');
    if is_marked {
        text.drain(..'\u{feff}'.len_utf8());
    }
    let encoding = match lossy {
        Some(_) => Encoding::Lossy,
        None if is_marked => Encoding::Marked,
        None => Encoding::Utf8,
    };
    let mut scope = scope::by_path(path, language);
    if is_script && scope != crate::source::Scope::Test && scope::imports_a_test_runner(&text) {
        scope = crate::source::Scope::Test;
    } else if is_script && scope == crate::source::Scope::Production && scope::exports_a_migration(&text) {
        scope = crate::source::Scope::Migration;
    }
    let mut file = SourceFile::new(path.to_owned(), text, language, scope);
    file.encoding = encoding;
    Outcome::Source { file, bytes: u64::try_from(size).unwrap_or(u64::MAX), lossy }
}

/// How many bytes of a script stand in no string and in no template. A quotation mark in a comment or a regular expression counts
/// as one; a string ends with its line.
fn outside_of_quotes(bytes: &[u8]) -> usize {
    let mut open: Option<u8> = None;
    let mut outside = 0;
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        match (open, byte) {
            (None, b'\'' | b'"' | b'`') => open = Some(byte),
            (None, _) => outside += 1,
            (Some(_), b'\\') => drop(rest.next()),
            (Some(b'\'' | b'"'), b'\n') => open = None,
            (Some(quote), _) if quote == byte => open = None,
            (Some(_), _) => {}
        }
    }
    outside
}

/// Which of `paths`, files that were passed over as minified, mention one of `names` (each with the name that it mentions).
pub(crate) fn mentioning<'n>(root: &Path, paths: &[String], names: &'n [String]) -> Vec<(String, &'n str)> {
    let mentioned = |path: &String| {
        let bytes = bytes(&root.join(path)).ok()?.ok()?;
        let holds = |name: &&String| memchr::memmem::find(&bytes, name.as_bytes()).is_some();
        Some((path.clone(), names.iter().find(holds)?.as_str()))
    };
    paths.iter().filter_map(mentioned).collect()
}

/// The content, or the size where it is over the limit; a large file is not read.
fn bytes(path: &Path) -> std::io::Result<Result<Vec<u8>, u64>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > MAX_BYTES {
        return Ok(Err(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    // It may have grown since.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(if read > MAX_BYTES { Err(read) } else { Ok(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_what_a_file_is() {
        for (name, expected) in [
            ("a.ts", Some(Kind::Source(Language::TypeScript))),
            ("a.mts", Some(Kind::Source(Language::TypeScript))),
            ("a.cts", Some(Kind::Source(Language::TypeScript))),
            ("a.tsx", Some(Kind::Source(Language::Tsx))),
            ("a.mjs", Some(Kind::Source(Language::Tsx))),
            ("a.sql", Some(Kind::Source(Language::Sql))),
            ("schema.prisma", Some(Kind::Source(Language::Prisma))),
            ("a.d.ts", Some(Kind::Declaration)),
            ("a.d.mts", Some(Kind::Declaration)),
            ("a.d.css.ts", Some(Kind::Declaration)),
            ("d.ts", Some(Kind::Source(Language::TypeScript))),
            ("jquery.min.js", Some(Kind::Minified)),
            ("package.json", Some(Kind::Manifest)),
            ("tsconfig.build.json", Some(Kind::Manifest)),
            ("tsconfigs.json", None),
            ("package-lock.json", None),
            ("Makefile", None),
            ("views.py", Some(Kind::OtherLanguage)),
            ("Login.vue", Some(Kind::OtherLanguage)),
            ("a.rs", Some(Kind::Source(Language::Rust))),
            ("Cargo.toml", Some(Kind::Manifest)),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let kind = Kind::Source(Language::TypeScript);
        let Outcome::Unreadable(why) = read(folder.path(), "a.ts", kind) else { panic!() };
        assert!(!why.is_empty());
        assert!(matches!(read(&folder.path().join("gone.ts"), "gone.ts", kind), Outcome::Unreadable(_)));
    }
}
