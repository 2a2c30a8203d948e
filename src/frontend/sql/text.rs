//! SQL put together from the pieces of a string or template, with the way back to bytes of the file.

use std::ops::Range;

use crate::frontend::sql::fit::{Fitted, fit};
use crate::frontend::sql::lex::{Kind, Token, tokens};
use crate::ir::SqlPart;
use crate::source::{FileId, Span};

/// The SQL that is parsed. Each substitution stands in it as an identifier, see [`marker`].
pub(crate) struct Text {
    pub(crate) sql: String,
    file: FileId,
    stretches: Vec<Stretch>,
    /// Offsets of the `?` placeholders, and of those that stand for names, in order.
    questions: Vec<usize>,
    holes: usize,
    /// How many placeholders stand for names: they are written as substitutions behind the others.
    names: usize,
    /// The substitutions that put in a part of the statement, where no value can stand.
    pub(crate) fragments: Vec<usize>,
}

/// A run of bytes of the SQL that stand together in the file too.
struct Stretch {
    at: usize,
    start: u32,
    end: u32,
    /// The run stands for these bytes of the file as a whole: a substitution, an escape.
    whole: bool,
}

const HEAD: &str = "__hole";
const TAIL: &str = "__";

/// What stands for the nth substitution.
pub(crate) fn marker(hole: usize) -> String {
    format!("{HEAD}{hole}{TAIL}")
}

/// A stretch of text, or a substitution in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Hole(usize),
}

/// Cuts `text` at the marks of substitutions.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut from, mut search) = (0, 0);
    while let Some(at) = text.get(search..).and_then(|rest| rest.find(HEAD)).map(|at| at + search) {
        let digits = at + HEAD.len();
        let rest = &text[digits..];
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        search = digits;
        if !rest[length..].starts_with(TAIL) {
            continue;
        }
        let Ok(hole) = rest[..length].parse() else { continue };
        if from < at {
            found.push(Piece::Text(&text[from..at]));
        }
        found.push(Piece::Hole(hole));
        from = digits + length + TAIL.len();
        search = from;
    }
    if from < text.len() {
        found.push(Piece::Text(&text[from..]));
    }
    found
}

/// The substitution that `text` is, if it is nothing else.
pub(crate) fn hole(text: &str) -> Option<usize> {
    match pieces(text).as_slice() {
        [Piece::Hole(hole)] => Some(*hole),
        _ => None,
    }
}

/// `text` with substitutions shown as `${n}`.
pub(crate) fn shown(text: &str) -> String {
    if !text.contains(HEAD) {
        return text.to_owned();
    }
    pieces(text)
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Hole(hole) => format!("${{{hole}}}"),
        })
        .collect()
}

/// The pieces of a literal as the source writes them (escapes and all); between two of them stands a substitution.
pub(crate) fn parts(pieces: &[(&str, u32)], file: FileId) -> Vec<SqlPart> {
    let mut parts = Vec::new();
    for (index, (piece, start)) in pieces.iter().enumerate() {
        parts.push(SqlPart::Written((*piece).to_owned(), *start));
        if let Some((_, next)) = pieces.get(index + 1) {
            let end = start.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
            parts.push(SqlPart::Hole(Span { file, start: end, end: (*next).max(end) }));
        }
    }
    parts
}

impl Text {
    /// A whole file of SQL: nothing is escaped, nothing is substituted.
    pub(crate) fn of_file(sql: &str, file: FileId) -> Self {
        let end = u32::try_from(sql.len()).unwrap_or(u32::MAX);
        let stretches = vec![Stretch { at: 0, start: 0, end, whole: false }];
        Self { sql: sql.to_owned(), file, stretches, questions: Vec::new(), holes: 0, names: 0, fragments: Vec::new() }
            .with_questions()
    }

    /// A text of a program.
    pub(crate) fn of_parts(parts: &[SqlPart], file: FileId) -> Self {
        let plain = Self::assemble(parts, file, &mut |hole| marker(hole));
        if plain.holes == 0 {
            return plain.with_names().with_questions();
        }
        let Fitted { written, fragments } = fit(&plain.sql, plain.holes);
        let mut fitting = |hole: usize| written.get(hole).cloned().unwrap_or_else(|| marker(hole));
        let fitted = Self::assemble(parts, file, &mut fitting).with_names().with_questions();
        Self { fragments, ..fitted }
    }

    /// Writes each `??`, in whose place mysql puts a name, as a substitution
    /// (<https://github.com/mysqljs/mysql#escaping-query-identifiers>).
    fn with_names(mut self) -> Self {
        const MARK: &str = "??";
        if !self.sql.contains(MARK) {
            return self;
        }
        let is_question = |token: &Token| token.kind == Kind::Placeholder && self.sql.get(token.range()) == Some("?");
        let mut names: Vec<usize> = Vec::new();
        for pair in tokens(&self.sql, 0..self.sql.len()).windows(2) {
            let taken = names.last().is_some_and(|last| last + MARK.len() > pair[0].start);
            if !taken && pair.iter().all(is_question) && pair[0].end == pair[1].start {
                names.push(pair[0].start);
            }
        }
        self.names = names.len();
        for (nth, at) in names.into_iter().enumerate().rev() {
            let mark = marker(self.holes + nth);
            let grown = mark.len() - MARK.len();
            let Span { start, end, .. } = self.span(at..at + MARK.len());
            let after = self.stretches.partition_point(|stretch| stretch.at <= at);
            let until = self.stretches.get(after).map_or(self.sql.len(), |stretch| stretch.at);
            let Some(around) = after.checked_sub(1).and_then(|around| self.stretches.get(around)) else { continue };
            let rest = Stretch { at: at + mark.len(), start: end, ..*around };
            let rest = if around.whole { Stretch { start: around.start, ..rest } } else { rest };
            self.stretches.iter_mut().skip(after).for_each(|stretch| stretch.at += grown);
            let name = Stretch { at, start, end, whole: true };
            let goes_on = at + MARK.len() < until;
            self.stretches.splice(after..after, std::iter::once(name).chain(goes_on.then_some(rest)));
            self.sql.replace_range(at..at + MARK.len(), &mark);
        }
        self
    }

    /// The number of each placeholder that stands for a name.
    pub(crate) fn names(&self) -> Vec<usize> {
        let is_name = |at: &usize| self.sql.get(*at..).is_some_and(|text| text.starts_with(HEAD));
        self.questions.iter().enumerate().filter(|(_, at)| is_name(at)).map(|(number, _)| number).collect()
    }

    fn assemble(parts: &[SqlPart], file: FileId, stand_in: &mut dyn FnMut(usize) -> String) -> Self {
        let mut text = Self {
            sql: String::new(),
            file,
            stretches: Vec::new(),
            questions: Vec::new(),
            holes: 0,
            names: 0,
            fragments: Vec::new(),
        };
        for part in parts {
            match part {
                SqlPart::Written(written, start) => text.push_unescaped(written, *start),
                SqlPart::Put(put, span) => text.push_whole(put, *span),
                SqlPart::Hole(span) => {
                    text.push_whole(&stand_in(text.holes), *span);
                    text.holes += 1;
                }
            }
        }
        text
    }

    fn push_whole(&mut self, put: &str, span: Span) {
        self.stretches.push(Stretch { at: self.sql.len(), start: span.start, end: span.end, whole: true });
        self.sql.push_str(put);
    }

    fn push_unescaped(&mut self, part: &str, start: u32) {
        let mut rest = part;
        let mut at = start;
        loop {
            let cut = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
            let end = at.saturating_add(u32::try_from(cut).unwrap_or(u32::MAX));
            self.stretches.push(Stretch { at: self.sql.len(), start: at, end, whole: false });
            self.sql.push_str(&rest[..cut]);
            let mut after = rest[cut..].chars();
            if after.next().is_none() {
                return;
            }
            let escaped = after.next();
            let length = 1 + escaped.map_or(0, char::len_utf8);
            let next = end.saturating_add(u32::try_from(length).unwrap_or(0));
            self.stretches.push(Stretch { at: self.sql.len(), start: end, end: next, whole: true });
            match escaped {
                Some('n') => self.sql.push('\n'),
                Some('r' | 't') => self.sql.push(' '),
                Some('\n') => {}
                Some(other) => self.sql.push(other),
                None => self.sql.push('\\'),
            }
            rest = after.as_str();
            at = next;
        }
    }

    fn with_questions(mut self) -> Self {
        let behind = self.holes..self.holes + self.names;
        let is_question = |token: &&Token| match self.sql.get(token.range()) {
            Some("?") => token.kind == Kind::Placeholder,
            Some(text) => token.kind == Kind::Word && hole(text).is_some_and(|hole| behind.contains(&hole)),
            None => false,
        };
        self.questions =
            tokens(&self.sql, 0..self.sql.len()).iter().filter(is_question).map(|token| token.start).collect();
        self
    }

    /// Whether there is an nth substitution: a file may write what looks like its mark.
    pub(crate) fn has_hole(&self, hole: usize) -> bool {
        hole < self.holes + self.names
    }

    /// The number of the `?` at byte `at`.
    pub(crate) fn question(&self, at: usize) -> Option<usize> {
        self.questions.binary_search(&at).ok()
    }

    fn stretch(&self, at: usize) -> Option<&Stretch> {
        let after = self.stretches.partition_point(|stretch| stretch.at <= at);
        self.stretches.get(after.checked_sub(1)?)
    }

    /// The bytes of the file behind bytes of the SQL.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        let into = |stretch: &Stretch, at: usize| {
            let inside = u32::try_from(at - stretch.at).unwrap_or(u32::MAX);
            stretch.start.saturating_add(inside).min(stretch.end)
        };
        let start = self
            .stretch(range.start)
            .map_or(0, |stretch| if stretch.whole { stretch.start } else { into(stretch, range.start) });
        let last = range.end.max(range.start + 1) - 1;
        let end = self
            .stretch(last)
            .map_or(start, |stretch| if stretch.whole { stretch.end } else { into(stretch, last.saturating_add(1)) });
        Span { file: self.file, start, end: end.max(start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parts: &[&str]) -> Text {
        let mut at = 0;
        let mut placed = Vec::new();
        for part in parts {
            placed.push((*part, at));
            at += u32::try_from(part.len()).unwrap() + 4;
        }
        Text::of_parts(&super::parts(&placed, FileId(0)), FileId(0))
    }

    #[test]
    fn a_substitution_is_written_to_fit_what_stands_before_it() {
        let shown = |parts: &[&str]| super::shown(&text(parts).sql);
        assert_eq!(shown(&["select * from ", " where id = ", ""]), "select * from ${0} where id = ${1}");
        assert_eq!(shown(&["INSERT INTO u (a) VALUES ", ""]), "INSERT INTO u (a) VALUES (${0})");
        assert_eq!(shown(&["INSERT INTO u ", ""]), "INSERT INTO u (${0}) VALUES (${0})");
        assert_eq!(shown(&["INSERT INTO u ", " VALUES ", ""]), "INSERT INTO u (${0}) VALUES (${1})");
        assert_eq!(shown(&["UPDATE u SET ", " WHERE a = 1 ", ""]), "UPDATE u SET ${0} = ${0} WHERE a = 1 ");
        assert_eq!(shown(&["UPDATE u SET ", " = ", ""]), "UPDATE u SET ${0} = ${1}");
        assert_eq!(shown(&["SELECT a FROM u ", " ", ""]), "SELECT a FROM u  ");
    }

    #[test]
    fn what_is_put_in_among_assignments_and_columns_may_be_more_of_them() {
        let read = |parts: &[&str]| {
            let text = text(parts);
            (super::shown(&text.sql), text.fragments)
        };
        let whole = |sql: &str, fragments: &[usize]| (sql.to_owned(), fragments.to_vec());
        assert_eq!(
            read(&["UPDATE u SET a = $1", " WHERE b = 1"]),
            whole("UPDATE u SET a = $1, ${0} = ${0} WHERE b = 1", &[0])
        );
        assert_eq!(
            read(&["UPDATE u SET a = ", "", " WHERE b = 1"]),
            whole("UPDATE u SET a = ${0}, ${1} = ${1} WHERE b = 1", &[1])
        );
        assert_eq!(
            read(&["UPDATE u SET a = 1, ", " WHERE b = 1"]),
            whole("UPDATE u SET a = 1, ${0} = ${0} WHERE b = 1", &[0])
        );
        assert_eq!(
            read(&["UPDATE u SET a = 1, ", " = 2 WHERE b = 1"]),
            whole("UPDATE u SET a = 1, ${0} = 2 WHERE b = 1", &[0])
        );
        assert_eq!(read(&["UPDATE u SET a = f(", ") WHERE b = 1"]), whole("UPDATE u SET a = f(${0}) WHERE b = 1", &[]));
        // What stands last may as well be the condition.
        assert_eq!(read(&["UPDATE u SET a = 1 ", " RETURNING *"]), whole("UPDATE u SET a = 1  RETURNING *", &[0]));
        assert_eq!(
            read(&["INSERT INTO u (a ", ") VALUES ($1", ") ", ""]),
            whole("INSERT INTO u (a , ${0}) VALUES ($1, ${1}) ", &[0, 1, 2])
        );
        assert_eq!(
            read(&["INSERT INTO u (a, b) VALUES (", ", 1)"]),
            whole("INSERT INTO u (a, b) VALUES (${0}, 1)", &[])
        );
    }

    #[test]
    fn spans_lead_back_through_escapes_and_substitutions() {
        let text = text(&["UPDATE u\\nSET a = ", ", b = 1"]);
        let at = |what: &str| {
            let start = text.sql.find(what).unwrap();
            let span = text.span(start..start + what.len());
            (span.start, span.end)
        };
        assert_eq!(at("SET"), (10, 13));
        assert_eq!(at("__hole0__"), (18, 22));
        assert_eq!(at("b = 1"), (24, 29));
    }

    #[test]
    fn a_mark_is_found_inside_other_text() {
        let marked = format!("a{}b", marker(12));
        assert_eq!(pieces(&marked), [Piece::Text("a"), Piece::Hole(12), Piece::Text("b")]);
        assert_eq!(hole(&marker(3)), Some(3));
        assert_eq!(hole("__hole__"), None);
    }
}
