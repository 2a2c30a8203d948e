//! Where the statements of a script begin and end.

use std::ops::Range;

use crate::frontend::sql::lex::{Kind, Lexer, Token};

/// The bytes of each statement, without its `;` and the comments before it. `psql` commands and `COPY .. FROM stdin` data are
/// passed over; a routine's or trigger's `BEGIN .. END` is not cut.
pub(crate) fn statements(sql: &str) -> Vec<Range<usize>> {
    let mut splitter =
        Splitter { sql, found: Vec::new(), words: Vec::new(), start: None, end: 0, depth: 0, is_data: false };
    splitter.run();
    splitter.found
}

struct Splitter<'a> {
    sql: &'a str,
    found: Vec<Range<usize>>,
    /// The first words of the statement, and all words that decide about its blocks, in upper case.
    words: Vec<String>,
    start: Option<usize>,
    end: usize,
    /// Open `BEGIN` and `CASE` of a routine.
    depth: usize,
    /// The statement is a `COPY .. FROM stdin`.
    is_data: bool,
}

impl Splitter<'_> {
    fn run(&mut self) {
        let bytes = self.sql.as_bytes();
        let mut lexer = Lexer::new(bytes, 0);
        while let Some(token) = lexer.next() {
            if self.start.is_none() && token.is(b'\\') {
                lexer.at = line_end(bytes, token.start);
                continue;
            }
            if self.start.is_none() && self.word(&token).eq_ignore_ascii_case("DELIMITER") {
                lexer.at = line_end(bytes, token.start);
                let mark = self.sql.get(token.end..lexer.at).unwrap_or("").trim();
                if !mark.is_empty() && mark != ";" {
                    lexer.at = self.delimited(mark.as_bytes(), lexer.at);
                }
                continue;
            }
            if token.is(b';') && self.depth == 0 {
                let is_data = self.is_data;
                self.cut();
                if is_data {
                    lexer.at = after_data(bytes, token.end);
                }
                continue;
            }
            self.take(&token);
        }
        self.cut();
    }

    /// Statements that end with `mark`, up to the next `DELIMITER` line; where that begins.
    fn delimited(&mut self, mark: &[u8], from: usize) -> usize {
        let bytes = self.sql.as_bytes();
        let stop = memchr::memmem::find(&bytes[from..], b"\nDELIMITER").map_or(bytes.len(), |at| from + at);
        let mut at = from;
        while at < stop {
            let end = memchr::memmem::find(&bytes[at..stop], mark).map_or(stop, |found| at + found);
            let mut tokens = Lexer::new(&bytes[..end], at);
            if let Some(first) = tokens.next() {
                let last = tokens.last().unwrap_or(first);
                self.found.push(first.start..last.end);
            }
            at = end.saturating_add(mark.len());
        }
        stop
    }

    fn word(&self, token: &Token) -> &str {
        if token.kind == Kind::Word { self.sql.get(token.range()).unwrap_or("") } else { "" }
    }

    fn take(&mut self, token: &Token) {
        self.start.get_or_insert(token.start);
        self.end = token.end;
        if token.kind != Kind::Word {
            return;
        }
        let word = self.word(token).to_ascii_uppercase();
        let previous = self.words.last().map_or("", String::as_str);
        if previous == "END" && matches!(word.as_str(), "IF" | "LOOP" | "WHILE" | "REPEAT" | "FOR") {
            // `END IF` closes what was not counted.
            self.depth += 1;
        } else if self.is_routine() {
            match word.as_str() {
                "BEGIN" => self.depth += 1,
                "CASE" if previous != "END" => self.depth += 1,
                "END" => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.is_data |= word == "STDIN" && self.words.first().is_some_and(|first| first == "COPY");
        if self.words.len() < 8 {
            self.words.push(word);
        } else if let Some(last) = self.words.last_mut() {
            *last = word;
        }
    }

    fn is_routine(&self) -> bool {
        self.words.first().is_some_and(|first| first == "CREATE")
            && self
                .words
                .iter()
                .take(7)
                .any(|word| matches!(word.as_str(), "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT"))
    }

    fn cut(&mut self) {
        if let Some(start) = self.start.take() {
            self.found.push(start..self.end.max(start));
        }
        self.words.clear();
        self.depth = 0;
        self.is_data = false;
    }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at + 1)
}

/// The end of the rows after `COPY .. FROM stdin;`: past the line `\.`, or `from` where there is none.
fn after_data(bytes: &[u8], from: usize) -> usize {
    let mut at = line_end(bytes, from);
    while at < bytes.len() {
        let next = line_end(bytes, at);
        if bytes[at..next].trim_ascii() == b"\\." {
            return next;
        }
        at = next;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(sql: &str) -> Vec<&str> {
        statements(sql).into_iter().map(|range| &sql[range]).collect()
    }

    #[test]
    fn statements_end_at_semicolons_outside_strings_comments_and_dollar_quotes() {
        assert_eq!(
            split("-- head;\nSELECT ';'; /* ; */ DO $$ a; b; $$;\n\nUPDATE u SET a = 1"),
            ["SELECT ';'", "DO $$ a; b; $$", "UPDATE u SET a = 1"]
        );
        assert_eq!(split(" ;; \n--x\n"), Vec::<&str>::new());
    }

    #[test]
    fn psql_commands_and_copy_data_are_passed_over() {
        assert_eq!(
            split("\\connect x\nCOPY users (a) FROM stdin;\n1\tit's; bad\n\\.\n\nSELECT 1;"),
            ["COPY users (a) FROM stdin", "SELECT 1"]
        );
    }

    #[test]
    fn a_trigger_body_is_one_statement() {
        let trigger = "CREATE TRIGGER t AFTER UPDATE ON u BEGIN\n  UPDATE u SET a = CASE WHEN b THEN 1 ELSE 2 END;\n  DELETE FROM v;\nEND";
        assert_eq!(split(&format!("{trigger};\nSELECT 1;")), [trigger, "SELECT 1"]);
        let procedure = "CREATE PROCEDURE p() BEGIN IF x THEN UPDATE u SET a = 1; END IF; UPDATE v SET b = 2; END";
        assert_eq!(split(&format!("{procedure};SELECT 1")), [procedure, "SELECT 1"]);
    }

    #[test]
    fn a_changed_delimiter_ends_statements() {
        assert_eq!(
            split("DELIMITER $$\nSELECT 1; SELECT 2$$\nDELIMITER ;\nSELECT 3;"),
            ["SELECT 1; SELECT 2", "SELECT 3"]
        );
    }
}
