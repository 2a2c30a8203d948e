//! Tokens of a Prisma schema; newlines count, comments do not.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// `"text"`.
    Text,
    /// `@id`, `@db.VarChar`.
    Attribute,
    /// `@@map`.
    BlockAttribute,
    Newline,
    Punct(u8),
}

/// A token's bytes in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// All tokens of a text; what is no token of the language is punctuation.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || byte >= 0x80;
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let kind = match byte(at) {
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'\n' => {
                at += 1;
                Kind::Newline
            }
            b'/' if byte(at + 1) == b'/' => {
                at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                continue;
            }
            b'/' if byte(at + 1) == b'*' => {
                at = memchr::memmem::find(&bytes[at..], b"*/").map_or(bytes.len(), |end| at + end + 2);
                continue;
            }
            b'"' => {
                at += 1;
                while at < bytes.len() && byte(at) != b'"' && byte(at) != b'\n' {
                    at += if byte(at) == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                if byte(at - 1) == b'\n' {
                    // A text without end ends with its line.
                    at -= 1;
                }
                Kind::Text
            }
            b'@' => {
                let kind = if byte(at + 1) == b'@' { Kind::BlockAttribute } else { Kind::Attribute };
                while byte(at) == b'@' || byte(at) == b'.' || is_word(byte(at)) {
                    at += 1;
                }
                kind
            }
            first if is_word(first) => {
                while is_word(byte(at)) || (byte(at) == b'.' && is_word(byte(at + 1))) {
                    at += 1;
                }
                Kind::Word
            }
            other => {
                at += 1;
                Kind::Punct(other)
            }
        };
        found.push(Token { kind, start, end: at.min(bytes.len()) });
    }
    found
}

/// A text without its quotes and escapes.
pub(crate) fn unquote(text: &str) -> String {
    let inner = text.strip_prefix('"').unwrap_or(text);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    inner.replace("\\\"", "\"").replace("\\\\", "\\")
}
