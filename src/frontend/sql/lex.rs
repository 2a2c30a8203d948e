//! A lexer that never fails: enough of SQL's lexical shape, over all dialects, to split, guess and fall back.

use std::ops::Range;

/// What a token is; its text is the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// `"x"` or `` `x` ``: an identifier in most dialects.
    Quoted,
    /// `'x'`, also with a prefix (`E'x'`).
    Text,
    /// `$$x$$`, `$tag$x$tag$`.
    Dollar,
    Number,
    /// `?`, `?1`, `$1`, `:name`, `@name`.
    Placeholder,
    Punct(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Token {
    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    pub(crate) fn is(&self, byte: u8) -> bool {
        self.kind == Kind::Punct(byte)
    }
}

/// The tokens of `sql` from byte `from`, until something cannot go on.
pub(crate) struct Lexer<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
}

/// All tokens of a range.
pub(crate) fn tokens(sql: &str, range: Range<usize>) -> Vec<Token> {
    let end = range.end.min(sql.len());
    Lexer::new(&sql.as_bytes()[..end], range.start).collect()
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(bytes: &'a [u8], from: usize) -> Self {
        Self { bytes, at: from.min(bytes.len()) }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    }

    fn is_line_start(&self) -> bool {
        let before = &self.bytes[..self.at];
        before.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t')).is_none_or(|byte| *byte == b'\n')
    }

    /// Skips white space and comments.
    fn skip_blank(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.peek(1) == b'-' => self.skip_line(),
                b'#' if self.is_line_start() => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_block_comment(),
                0 if self.at < self.bytes.len() => self.at += 1,
                _ => return,
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
        self.at = self.bytes.len();
    }

    /// Skips a string whose opening quote is at `at`. A backslash before a quote escapes it in `E'..'` and in MySQL, not in
    /// the standard: what follows the quote tells which.
    fn skip_quoted(&mut self, quote: u8, escapes: bool) {
        self.at += 1;
        while self.at < self.bytes.len() {
            let byte = self.peek(0);
            let next = self.peek(1);
            let is_escape = byte == b'\\'
                && ((escapes && next == b'\\') || (next == quote && (escapes || self.goes_on_after_escape())));
            if is_escape || (byte == quote && next == quote) {
                self.at += 2;
            } else if byte == quote {
                self.at += 1;
                return;
            } else {
                self.at += 1;
            }
        }
        self.at = self.bytes.len();
    }

    fn goes_on_after_escape(&self) -> bool {
        let next = self.peek(2);
        !matches!(next, 0 | b',' | b')' | b';' | b' ' | b'\t' | b'\r' | b'\n' | b':' | b'|')
    }

    fn skip_word(&mut self) {
        while is_word(self.peek(0)) {
            self.at += 1;
        }
    }

    /// At `$`: a dollar-quoted string, or `$1`, `$name`.
    fn dollar(&mut self) -> Kind {
        let start = self.at;
        let mut tag = self.at + 1;
        while self.bytes.get(tag).is_some_and(|byte| is_word(*byte) && *byte != b'$') {
            tag += 1;
        }
        let starts_with_digit = self.peek(1).is_ascii_digit();
        if self.bytes.get(tag) == Some(&b'$') && !starts_with_digit {
            let open = &self.bytes[start..=tag];
            let body = tag + 1;
            let close = memchr::memmem::find(&self.bytes[body..], open);
            self.at = close.map_or(self.bytes.len(), |at| body + at + open.len());
            return Kind::Dollar;
        }
        self.at = tag;
        Kind::Placeholder
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        let byte = self.peek(0);
        let kind = match byte {
            b'\'' => {
                self.skip_quoted(b'\'', false);
                Kind::Text
            }
            b'"' | b'`' => {
                self.skip_quoted(byte, false);
                Kind::Quoted
            }
            b'$' => self.dollar(),
            b'?' => {
                self.at += 1;
                while self.peek(0).is_ascii_digit() {
                    self.at += 1;
                }
                Kind::Placeholder
            }
            b':' if self.peek(1) == b':' => {
                self.at += 2;
                Kind::Punct(b':')
            }
            b':' | b'@' if is_word(self.peek(1)) && self.peek(1) != b'$' => {
                self.at += 1;
                self.skip_word();
                Kind::Placeholder
            }
            b'0'..=b'9' => {
                while is_word(self.peek(0)) || (self.peek(0) == b'.' && self.peek(1).is_ascii_digit()) {
                    self.at += 1;
                }
                Kind::Number
            }
            _ if is_word(byte) => {
                self.skip_word();
                let is_prefix = self.at == start + 1 && b"eEnNbBxX".contains(&byte);
                if is_prefix && self.peek(0) == b'\'' {
                    self.skip_quoted(b'\'', matches!(byte, b'e' | b'E'));
                    Kind::Text
                } else {
                    Kind::Word
                }
            }
            _ => {
                self.at += 1;
                Kind::Punct(byte)
            }
        };
        Some(Token { kind, start, end: self.at })
    }
}

/// Tokens of one stretch of SQL with the questions that are asked of them.
pub(crate) struct Tokens<'a> {
    pub(crate) sql: &'a str,
    pub(crate) list: Vec<Token>,
}

impl<'a> Tokens<'a> {
    pub(crate) fn of(sql: &'a str, range: Range<usize>) -> Self {
        Self { sql, list: tokens(sql, range) }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Token> {
        self.list.get(at)
    }

    pub(crate) fn text(&self, at: usize) -> &'a str {
        self.list.get(at).and_then(|token| self.sql.get(token.range())).unwrap_or("")
    }

    /// Whether token `at` is this word, in any case.
    pub(crate) fn is(&self, at: usize, word: &str) -> bool {
        self.get(at).is_some_and(|token| token.kind == Kind::Word) && self.text(at).eq_ignore_ascii_case(word)
    }

    pub(crate) fn is_any(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(at, word))
    }

    pub(crate) fn punct(&self, at: usize, byte: u8) -> bool {
        self.get(at).is_some_and(|token| token.is(byte))
    }

    pub(crate) fn kind(&self, at: usize) -> Option<Kind> {
        self.get(at).map(|token| token.kind)
    }

    /// The index after a name (`x`, `"s".x`) that starts at `at`.
    pub(crate) fn name(&self, at: usize) -> Option<usize> {
        let is_part = |at: usize| matches!(self.kind(at), Some(Kind::Word | Kind::Quoted));
        let mut next = at;
        if !is_part(next) {
            return None;
        }
        next += 1;
        while self.punct(next, b'.') && is_part(next + 1) {
            next += 2;
        }
        Some(next)
    }

    /// The index of the `)` that closes the `(` at `at`; the end where there is none.
    pub(crate) fn closing(&self, at: usize) -> usize {
        let mut depth = 0usize;
        for (index, token) in self.list.iter().enumerate().skip(at) {
            if token.is(b'(') {
                depth += 1;
            } else if token.is(b')') {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index;
                }
            }
        }
        self.list.len()
    }

    /// Cuts the tokens `range` at commas that stand in no parentheses.
    pub(crate) fn comma_separated(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut depth = 0usize;
        let mut from = range.start;
        for index in range.clone() {
            let Some(token) = self.get(index) else { break };
            match token.kind {
                Kind::Punct(b'(' | b'[' | b'{') => depth += 1,
                Kind::Punct(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
                Kind::Punct(b',') if depth == 0 => {
                    parts.push(from..index);
                    from = index + 1;
                }
                _ => {}
            }
        }
        if from < range.end {
            parts.push(from..range.end);
        }
        parts
    }

    /// The first index from `at` outside parentheses at which one of `words` stands, else `end`.
    pub(crate) fn find_at_top(&self, at: usize, end: usize, words: &[&str]) -> usize {
        let mut depth = 0usize;
        for index in at..end.min(self.list.len()) {
            if self.punct(index, b'(') {
                depth += 1;
            } else if self.punct(index, b')') {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && self.is_any(index, words) {
                return index;
            }
        }
        end
    }

    /// The bytes from token `from` to the end of token `to - 1`.
    pub(crate) fn bytes(&self, tokens: Range<usize>) -> Range<usize> {
        let start = self.get(tokens.start).map_or(0, |token| token.start);
        let last = tokens.end.saturating_sub(1).max(tokens.start);
        start..self.get(last).map_or(start, |token| token.end)
    }
}

/// A name without its quotes.
pub(crate) fn unquote(name: &str) -> String {
    let Some(quote @ ('"' | '`' | '\'')) = name.chars().next() else { return name.to_owned() };
    let inner = name.strip_prefix(quote).unwrap_or(name);
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    let (doubled, single) = (format!("{quote}{quote}"), quote.to_string());
    inner.replace(&doubled, &single)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokens(sql, 0..sql.len()).iter().map(|token| &sql[token.range()]).collect()
    }

    #[test]
    fn comments_strings_and_dollar_quotes_are_single_or_no_tokens() {
        assert_eq!(
            texts("a -- x;\n/* /* ; */ */ 'it''s;' \"q\"\"\" $$ b; $$ $t$ $$; $t$ $1 ?2 :n::text @v E'\\';'"),
            ["a", "'it''s;'", "\"q\"\"\"", "$$ b; $$", "$t$ $$; $t$", "$1", "?2", ":n", "::", "text", "@v", "E'\\';'"]
        );
    }

    #[test]
    fn a_backslash_before_a_quote_escapes_only_where_the_string_goes_on() {
        assert_eq!(texts(r"'it\'s', 'C:\', 1"), [r"'it\'s'", ",", r"'C:\'", ",", "1"]);
    }

    #[test]
    fn what_is_not_closed_reaches_to_the_end() {
        assert_eq!(texts("x 'abc; d"), ["x", "'abc; d"]);
        assert_eq!(texts("x $$abc; d"), ["x", "$$abc; d"]);
        assert_eq!(texts("x /* abc"), ["x"]);
    }
}
