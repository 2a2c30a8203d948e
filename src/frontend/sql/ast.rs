//! One statement through sqlparser: which dialect, how deep, and from its lines and columns back to bytes.

use std::ops::Range;

use sqlparser::ast::{Expr, Statement};
use sqlparser::dialect::{Dialect, GenericDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::ALL_KEYWORDS;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Span as LineSpan, TokenWithSpan, Tokenizer};

use crate::frontend::sql::lex::{Kind, Token, tokens};
use crate::frontend::sql::text::Text;
use crate::source::Span;

/// A run of operators longer than this becomes a tree so deep that walking it could exhaust the stack.
const MAX_OPERATORS: usize = 300;
/// Nested parentheses deeper than this are not parsed: the parser tries alternatives at each.
const MAX_DEPTH: usize = 24;

/// A statement's stretch of the text, with what maps the parser's positions.
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a Text,
    pub(crate) range: Range<usize>,
    /// Offset of each line's start in the text; per line the offsets of all characters where not all are ASCII.
    lines: Vec<usize>,
    chars: Option<Vec<usize>>,
}

impl<'a> Piece<'a> {
    pub(crate) fn new(text: &'a Text, range: Range<usize>) -> Self {
        let sql = text.sql.get(range.clone()).unwrap_or("");
        let starts = memchr::memchr_iter(b'\n', sql.as_bytes()).map(|at| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        let chars = (!sql.is_ascii()).then(|| sql.char_indices().map(|(at, _)| at).collect());
        Self { text, range, lines, chars }
    }

    pub(crate) fn sql(&self) -> &'a str {
        self.text.sql.get(self.range.clone()).unwrap_or("")
    }

    /// The offset in the text of a 1-based line and column.
    fn offset(&self, at: Location) -> Option<usize> {
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
        let start = *self.lines.get(line)?;
        let inside = match &self.chars {
            None => start + column,
            Some(chars) => {
                let first = chars.partition_point(|at| *at < start);
                chars.get(first + column).copied().unwrap_or(self.range.len())
            }
        };
        Some((self.range.start + inside).min(self.range.end))
    }

    /// The bytes of the text that a span of the parser covers; `None` where the parser does not know.
    pub(crate) fn bytes(&self, span: LineSpan) -> Option<Range<usize>> {
        if span.start.line == 0 || span.end.line == 0 {
            return None;
        }
        let (start, end) = (self.offset(span.start)?, self.offset(span.end)?);
        Some(start..end.max(start))
    }

    /// The bytes of the file; the whole statement where the parser does not know.
    pub(crate) fn span(&self, span: LineSpan) -> Span {
        self.text.span(self.bytes(span).unwrap_or_else(|| self.range.clone()))
    }

    pub(crate) fn whole(&self) -> Span {
        self.text.span(self.range.clone())
    }

    /// The statements of the stretch in the first dialect that reads them, or why the likeliest does not.
    pub(crate) fn parse(&self) -> Result<Vec<Statement>, String> {
        self.parse_with(|mut parser| parser.parse_statements())
    }

    /// The stretch as one expression.
    pub(crate) fn parse_expr(&self) -> Result<Expr, String> {
        self.parse_with(|mut parser| {
            let parsed = parser.parse_expr()?;
            parser.expect_token(&sqlparser::tokenizer::Token::EOF)?;
            Ok(parsed)
        })
    }

    fn parse_with<T>(
        &self,
        read: impl Fn(Parser<'_>) -> Result<T, sqlparser::parser::ParserError>,
    ) -> Result<T, String> {
        let sql = self.sql();
        refuse_deep(&tokens(sql, 0..sql.len()))?;
        let mut first_error = None;
        for dialect in dialects(sql) {
            let mut found: Vec<TokenWithSpan> = Vec::new();
            let tokenized = Tokenizer::new(dialect, sql).tokenize_with_location_into_buf(&mut found);
            let parsed = match tokenized {
                Ok(()) => {
                    let parser = Parser::new(dialect).with_recursion_limit(64).with_tokens_with_locations(found);
                    read(parser).map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            match parsed {
                Ok(parsed) => return Ok(parsed),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(why(&first_error.unwrap_or_default()))
    }
}

/// The parser's message without its own name, without positions, which count from the statement, and without what it found in
/// place of grammar: that may be a literal of the audited code.
fn why(error: &str) -> String {
    let error = error.strip_prefix("sql parser error: ").unwrap_or(error);
    let error = error.split(" at Line: ").next().unwrap_or(error);
    let (expected, found) = error.split_once("found: ").unwrap_or((error, ""));
    let is_keyword = |word: &str| ALL_KEYWORDS.binary_search(&word.to_ascii_uppercase().as_str()).is_ok();
    let is_mark = |text: &str| text.len() <= 3 && text.chars().all(|c| c.is_ascii_punctuation() && !"'\"`".contains(c));
    let found = match found.trim() {
        "" => String::new(),
        found if is_keyword(found) || is_mark(found) || found == "EOF" => format!("found: {found}"),
        _ => "found: a name or literal".to_owned(),
    };
    // What other messages quote: names, texts and numbers.
    let mut quoted = false;
    let grammar: String = expected
        .chars()
        .filter(|c| {
            let is_quote = matches!(c, '\'' | '"' | '`');
            quoted ^= is_quote;
            is_quote || !(quoted || c.is_ascii_digit())
        })
        .take(120)
        .collect();
    format!("SQL not understood: {grammar}{found}")
}

/// Those to try, the likeliest first.
fn dialects(sql: &str) -> [&'static dyn Dialect; 4] {
    if sql.contains('`') {
        [&MySqlDialect {}, &GenericDialect {}, &SQLiteDialect {}, &PostgreSqlDialect {}]
    } else {
        [&GenericDialect {}, &PostgreSqlDialect {}, &MySqlDialect {}, &SQLiteDialect {}]
    }
}

fn refuse_deep(tokens: &[Token]) -> Result<(), String> {
    // One count of operators a level of parentheses, begun anew at each comma.
    let mut counts = vec![0usize];
    for token in tokens {
        match token.kind {
            Kind::Punct(b'(' | b'[' | b'{') => {
                counts.push(0);
                if counts.len() > MAX_DEPTH {
                    return Err("SQL not understood: nested too deeply".to_owned());
                }
            }
            Kind::Punct(b')' | b']' | b'}') if counts.len() > 1 => {
                counts.pop();
            }
            Kind::Punct(b',' | b';') => {
                if let Some(count) = counts.last_mut() {
                    *count = 0;
                }
            }
            Kind::Word | Kind::Punct(_) => {
                if let Some(count) = counts.last_mut() {
                    *count += 1;
                    if *count > MAX_OPERATORS * 4 {
                        return Err("SQL not understood: an expression is too long".to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn positions_count_characters_and_come_back_as_bytes() {
        let sql = "SELECT 'é',\n 'ü', token FROM users";
        let text = Text::of_file(sql, FileId(0));
        let piece = Piece::new(&text, 0..sql.len());
        let at = LineSpan::new(Location::new(2, 7), Location::new(2, 12));
        assert_eq!(&sql[piece.bytes(at).unwrap()], "token");
    }

    #[test]
    fn what_would_exhaust_the_stack_is_refused_at_once() {
        for sql in [
            format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
            format!("SELECT 1{}", " + 1".repeat(100_000)),
            format!("SELECT 1{}", " UNION SELECT 1".repeat(50_000)),
            format!("SELECT {}1", "NOT ".repeat(50_000)),
            format!("SELECT {}", "CASE WHEN 1 THEN ".repeat(5_000)),
            format!("SELECT x{}", "::int".repeat(50_000)),
            format!("CREATE TABLE t (a {}int)", "ARRAY<".repeat(50_000)),
            format!("SELECT x{}", "->'a'".repeat(50_000)),
            format!("SELECT x {}", "- ".repeat(50_000)),
            format!("SELECT {}", "INTERVAL ".repeat(50_000)),
            format!("SELECT * FROM {}", "LATERAL ".repeat(50_000)),
            format!("EXPLAIN {}", "EXPLAIN ".repeat(50_000)),
            format!("WITH a AS {}", "WITH a AS ".repeat(50_000)),
            format!("SELECT * FROM a {}", "JOIN b ".repeat(50_000)),
        ] {
            let text = Text::of_file(&sql, FileId(0));
            assert!(Piece::new(&text, 0..sql.len()).parse().is_err());
        }
    }

    #[test]
    fn a_large_seed_is_no_deep_one() {
        let sql = format!("INSERT INTO u (a, b) VALUES (-1, 'x'){}", ", (-2, NULL)".repeat(5_000));
        let text = Text::of_file(&sql, FileId(0));
        assert!(Piece::new(&text, 0..sql.len()).parse().is_ok());
    }

    #[test]
    fn what_stands_in_place_of_grammar_is_not_quoted() {
        for (error, wanted) in [
            (
                "sql parser error: Expected: end of statement, found: 'canary' at Line: 1, Column: 9",
                "Expected: end of statement, found: a name or literal",
            ),
            (
                "sql parser error: Expected: an expression, found: canary4711 at Line: 1",
                "Expected: an expression, found: a name or literal",
            ),
            (
                "sql parser error: Expected: an expression, found: FROM at Line: 1",
                "Expected: an expression, found: FROM",
            ),
            ("sql parser error: Expected: ), found: ; at Line: 1", "Expected: ), found: ;"),
            (
                "sql parser error: Could not parse 'canary' as u64: invalid digit",
                "Could not parse '' as u: invalid digit",
            ),
            ("Unterminated string literal", "Unterminated string literal"),
        ] {
            assert_eq!(why(error), format!("SQL not understood: {wanted}"));
        }
    }
}
