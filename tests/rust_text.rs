//! Rust source as far as the tests about the source need it: without comments, literals and test code.

/// A file of `src/`.
pub(crate) struct RustFile {
    /// Relative to the package: `src/schema/mod.rs`.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// With comments, the content of literals and `#[cfg(test)]` modules blanked; offsets and lines stay.
    pub(crate) code: String,
}

impl RustFile {
    /// The module below the crate's root: `schema` of `src/schema/mod.rs`, `source` of `src/source.rs`.
    pub(crate) fn module(&self) -> &str {
        let inner = self.path.trim_start_matches("src/");
        inner.split_once('/').map_or_else(|| inner.trim_end_matches(".rs"), |(folder, _)| folder)
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }
}

/// The files of `src/`, without those that are test modules as a whole (`#[cfg(test)] mod name;`).
pub(crate) fn sources() -> Vec<RustFile> {
    let files = crate::command::files_below("src", "rs");
    let tests: Vec<String> = files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    files
        .into_iter()
        .filter(|(path, _)| {
            !tests.iter().any(|test| path.strip_prefix(test).is_some_and(|r| r == ".rs" || r.starts_with('/')))
        })
        .map(|(path, text)| RustFile { code: without_tests(&without_comments(&text)), path, text })
        .collect()
}

/// The places where `word` stands in `code` as a whole identifier (`fs` is not found in `offs`).
pub(crate) fn whole_words(code: &str, word: &str) -> Vec<usize> {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = code.as_bytes();
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| !is_word(at.checked_sub(1).and_then(|before| bytes.get(before))))
        .filter(|at| !is_word(word.as_bytes().last()) || !is_word(bytes.get(at + word.len())))
        .collect()
}

/// The paths, without an ending, of the modules that a file declares for tests only.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let inner = path.trim_end_matches(".rs");
    let folder = match inner.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        _ => inner,
    };
    text.split("#[cfg(test)]")
        .skip(1)
        .filter_map(|rest| rest.trim_start().trim_start_matches("pub(crate) ").strip_prefix("mod ")?.split_once(';'))
        .filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .map(|(name, _)| format!("{folder}/{name}"))
        .collect()
}

fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut blank = |from: usize, to: usize| {
        for byte in &mut out[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            at + find(rest, b"*/").map_or(rest.len(), |found| found + 2)
        } else if let Some(hashes) = raw_string(bytes, at) {
            let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            let body = at + hashes + 2;
            body + find(&bytes[body..], &close).map_or(0, |found| found + close.len())
        } else if rest[0] == b'"' {
            at + quoted(rest)
        } else if rest[0] == b'\'' && (rest.get(1) == Some(&b'\\') || rest.get(2) == Some(&b'\'')) {
            at + 3
                + rest.iter().skip(3).position(|b| *b == b'\'').map_or(
                    0,
                    |found| {
                        if rest[1] == b'\\' { found + 1 } else { 0 }
                    },
                )
        } else {
            at += 1;
            continue;
        };
        let end = end.min(bytes.len());
        blank(at, end);
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The number of `#` of a raw string that starts at `at`.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    if bytes[at] != b'r' || (at > 0 && is_word(&bytes[at - 1]) && bytes[at - 1] != b'b') {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Blanks `#[cfg(test)] mod name { .. }`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let Some(open) = out[start..].find(['{', ';']).map(|at| start + at) else { break };
        let mut depth = 0_usize;
        let mut end = open + 1;
        if out.as_bytes()[open] == b'{' {
            for (at, byte) in out.bytes().enumerate().skip(open) {
                depth = match byte {
                    b'{' => depth + 1,
                    b'}' => depth - 1,
                    _ => depth,
                };
                if depth == 0 {
                    end = at + 1;
                    break;
                }
            }
        }
        let blank: String = out[start..end].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

#[test]
fn comments_literals_and_test_modules_do_not_count_as_code() {
    let text = "use crate::a; // crate::b\nlet x = \"crate::c\"; let y = r#\"crate::d\"#; let z = '\"';\n\
                #[cfg(test)]\nmod tests { use crate::e; fn f() {} }\nuse crate::g;";
    let code = without_tests(&without_comments(text));
    let kept: Vec<&str> = code.split("crate::").skip(1).map(|rest| &rest[..1]).collect();
    assert_eq!(kept, ["a", "g"]);
    assert_eq!(code.lines().count(), text.lines().count());
}
