//! A look at the text before the parser sees it: the parser recurses, and its stack is finite; and whose macros there are
//! must be known before the first file is parsed.

/// Deeper than this no person writes.
const DEEPEST: usize = 400;
/// So many of what takes the rest of an expression or a type behind it stand in no statement of a person: `return return ..`, `a = a = ..`,
/// `fn() -> fn() -> ..`, `*const *const ..`.
const LONGEST: usize = 1_000;
/// Bars are also what patterns and flags are joined by, which nests nothing.
const MOST_BARS: usize = 4_000;
const TAKING: [&[u8]; 8] = [b"return", b"break", b"const", b"mut", b"impl", b"dyn", b"move", b"yield"];

/// Where a text nests too deeply to be parsed, if it does. Strings, characters and comments do not count.
pub(super) fn too_deep(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    let (mut at, mut brackets, mut angles, mut prefixes) = (0, 0_usize, 0_usize, 0_usize);
    // Since the statement, the part of a list or the block began.
    let (mut taking, mut bars) = (0_usize, 0_usize);
    while let Some(byte) = bytes.get(at).copied() {
        let start = at;
        at += 1;
        let mut is_prefix = false;
        match byte {
            b';' | b',' | b'{' | b'}' => (taking, bars) = (0, 0),
            b'|' => bars += 1,
            b'=' if !bytes.get(at).is_some_and(|next| b"=>".contains(next)) && !is_joined(bytes, start) => taking += 1,
            b'-' if bytes.get(at) == Some(&b'>') => taking += 1,
            b'a'..=b'z' if !follows_name(bytes, start) => {
                let end = bytes[start..].iter().position(|byte| !is_name(*byte)).map_or(bytes.len(), |end| start + end);
                taking += usize::from(TAKING.contains(&&bytes[start..end]));
            }
            _ => {}
        }
        match byte {
            b'(' | b'[' | b'{' => {
                brackets += 1;
                angles = 0;
            }
            b')' | b']' | b'}' => {
                brackets = brackets.saturating_sub(1);
                angles = 0;
            }
            b';' => angles = 0,
            b'<' => angles += 1,
            b'>' => angles = angles.saturating_sub(1),
            b'!' | b'-' | b'*' | b'&' | b'|' => {
                prefixes += 1;
                is_prefix = true;
            }
            b' ' | b'\t' | b'\n' | b'\r' => is_prefix = true,
            b'/' if bytes.get(at) == Some(&b'/') => {
                at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                is_prefix = true;
            }
            b'/' if bytes.get(at) == Some(&b'*') => {
                at = after_comment(bytes, at + 1);
                is_prefix = true;
            }
            b'"' => at = after_string(bytes, at, raw_marks(bytes, start)),
            b'\'' => at = after_character(bytes, at),
            _ => {}
        }
        if !is_prefix {
            prefixes = 0;
        }
        if brackets.max(angles).max(prefixes) > DEEPEST || taking > LONGEST || bars > MOST_BARS {
            return u32::try_from(start).ok();
        }
    }
    None
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn follows_name(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(|before| is_name(*before))
}

/// Whether a `=` is the end of another sign: `==`, `<=`, `!=`, `..=`.
fn is_joined(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(|before| b"=<>!.".contains(before))
}

/// The macros by example that a text defines: name, and what stands in the braces.
pub(crate) fn macro_definitions(text: &str) -> Vec<(&str, &str)> {
    let word = "macro_rules!";
    let mut found = Vec::new();
    for (at, _) in text.match_indices(word) {
        let rest = text[at + word.len()..].trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, body) = rest.split_at(end);
        let body = body.trim_start();
        if !name.is_empty()
            && body.starts_with(['{', '(', '['])
            && let Some(inner) = closing(body.as_bytes()).and_then(|end| body.get(1..end))
        {
            found.push((name, inner));
        }
    }
    found
}

/// Where the bracket closes that a text starts with.
fn closing(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut brackets) = (0, 0_usize);
    while let Some(byte) = bytes.get(at).copied() {
        let start = at;
        at += 1;
        match byte {
            b'(' | b'[' | b'{' => brackets += 1,
            b')' | b']' | b'}' => {
                brackets = brackets.saturating_sub(1);
                if brackets == 0 {
                    return Some(start);
                }
            }
            b'/' if bytes.get(at) == Some(&b'/') => {
                at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
            }
            b'/' if bytes.get(at) == Some(&b'*') => at = after_comment(bytes, at + 1),
            b'"' => at = after_string(bytes, at, raw_marks(bytes, start)),
            b'\'' => at = after_character(bytes, at),
            _ => {}
        }
    }
    None
}

fn after_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 1_usize;
    while depth > 0 && at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
            }
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    at
}

/// How many `#` stand before the quote of a raw string; `None` where it is an ordinary one.
fn raw_marks(bytes: &[u8], quote: usize) -> Option<usize> {
    let before = bytes.get(..quote)?;
    let marks = before.iter().rev().take_while(|byte| **byte == b'#').count();
    let prefix = before.len().checked_sub(marks + 1)?;
    (before[prefix] == b'r').then_some(marks)
}

fn after_string(bytes: &[u8], mut at: usize, raw: Option<usize>) -> usize {
    while let Some(byte) = bytes.get(at).copied() {
        at += 1;
        match (byte, raw) {
            (b'\\', None) => at += 1,
            (b'"', None) => return at,
            (b'"', Some(marks)) if bytes.get(at..at + marks).is_some_and(|b| b.iter().all(|b| *b == b'#')) => {
                return at + marks;
            }
            _ => {}
        }
    }
    at
}

/// Behind a character literal; a lifetime has no second quote.
fn after_character(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at) == Some(&b'\\') {
        return memchr::memchr(b'\'', bytes.get(at + 2..).unwrap_or_default()).map_or(at, |end| at + 2 + end + 1);
    }
    let close = (1..=4).find(|width| bytes.get(at + width) == Some(&b'\''));
    match close {
        Some(width) if width == 1 || bytes.get(at).is_some_and(|first| *first >= 0x80) => at + width + 1,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::{macro_definitions, too_deep};

    #[test]
    fn macros_are_told_by_name_and_rules() {
        let text = "macro_rules! a { (\"}\") => { '}' /* } */ }; }\nmacro_rules! b (() => {});\n// macro_rules! is a word\nmacro_rules! c {";
        assert_eq!(macro_definitions(text), [("a", " (\"}\") => { '}' /* } */ }; "), ("b", "() => {}")]);
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let open = "(".repeat(1_000);
        let text =
            format!("// {open}\n/* {open} */ const A: &str = \"{open}\\\"\"; const B: &str = r#\"\"{open}\"#; '('; 'a");
        assert_eq!(too_deep(&text), None);
    }

    #[test]
    fn nesting_of_any_kind_is_found() {
        for text in ["(".repeat(500), "!".repeat(500), "Box<".repeat(500), "& ".repeat(500)] {
            assert!(too_deep(&format!("fn a() {{ {text}")).is_some(), "{}", &text[..8]);
        }
        let taking = ["return ", "break ", "a = ", "fn() -> ", "*const ", "|x| "];
        for text in taking {
            assert!(too_deep(&format!("fn a() {{ {}", text.repeat(5_000))).is_some(), "{text}");
        }
    }

    #[test]
    fn long_tables_do_not_nest() {
        let (arms, tests) = ("'a'..='z' | ".repeat(1_500), "x == 1 || ".repeat(800));
        let (list, block) = ("(|x| return x), ".repeat(5_000), "a = return x; ".repeat(5_000));
        assert_eq!(too_deep(&format!("fn a() {{ matches!(x, {arms} 'b') {tests} {list} {block} }}")), None);
    }
}
