//! What can be told of a write that the parser does not understand.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::frontend::sql::lex::{Kind, Tokens, unquote};
use crate::frontend::sql::text::{Text, hole, shown};
use crate::frontend::sql::value::placeholder;
use crate::ir::{Conflict, SqlStatement, SqlValue, SqlValueKind, WHOLE_ROW};
use crate::source::Span;

/// Words at which a list of assignments ends.
const AFTER_SET: &[&str] = &["WHERE", "FROM", "RETURNING", "ORDER", "LIMIT"];

/// The writes of a stretch of the text that look like `INSERT INTO t (a) VALUES (..)`, `UPDATE t SET a = ..` or
/// `DELETE FROM t`, with values that are more than one token opaque; else what a query seems to read.
pub(crate) fn statements(text: &Text, range: Range<usize>) -> Vec<SqlStatement> {
    let tokens = Tokens::of(&text.sql, range.clone());
    let reader = Reader { text, tokens, whole: text.span(range) };
    let mut found = Vec::new();
    let mut at = 0;
    while at < reader.tokens.list.len() {
        let read = if reader.tokens.is_any(at, &["INSERT", "REPLACE"]) {
            reader.insert(at)
        } else if reader.tokens.is(at, "UPDATE") {
            reader.update(at)
        } else if reader.tokens.is(at, "DELETE") {
            reader.delete(at)
        } else {
            None
        };
        match read {
            Some((statement, after)) => {
                found.push(statement);
                at = after.max(at + 1);
            }
            None => at += 1,
        }
    }
    if found.is_empty() {
        found.extend(reader.select());
    }
    found
}

struct Reader<'a> {
    text: &'a Text,
    tokens: Tokens<'a>,
    whole: Span,
}

impl Reader<'_> {
    /// The last part of the name at `at`, and the index after the name.
    fn name(&self, at: usize) -> Option<(String, usize)> {
        if self.tokens.is_any(at, &["INTO", "VALUES", "SELECT", "SET", "FROM", "WHERE"]) {
            return None;
        }
        let after = self.tokens.name(at)?;
        Some((shown(&unquote(self.tokens.text(after - 1))), after))
    }

    fn span(&self, tokens: Range<usize>) -> Span {
        self.text.span(self.tokens.bytes(tokens))
    }

    /// Where a statement at token `at` starts; the first is the whole stretch.
    fn statement_span(&self, at: usize) -> Span {
        if at == 0 { self.whole } else { Span { start: self.span(at..at + 1).start, ..self.whole } }
    }

    /// A query: what stands after `FROM` and `JOIN` as tables, every other name as a column.
    fn select(&self) -> Option<SqlStatement> {
        let tokens = &self.tokens;
        if !tokens.is_any(0, &["SELECT", "WITH"]) {
            return None;
        }
        let (mut tables, mut columns) = (BTreeSet::new(), BTreeSet::new());
        for at in 1..tokens.list.len() {
            if tokens.is_any(at - 1, &["FROM", "JOIN"]) {
                tables.extend(self.name(at).map(|(name, _)| name));
            } else if matches!(tokens.kind(at), Some(Kind::Word | Kind::Quoted)) && hole(tokens.text(at)).is_none() {
                columns.insert(shown(&unquote(tokens.text(at))));
            } else if tokens.punct(at, b'*') {
                columns.insert("*".to_owned());
            }
        }
        let (tables, columns) = (tables.into_iter().collect(), columns.into_iter().collect());
        Some(SqlStatement::Select { tables, columns, outputs: Vec::new(), span: self.whole })
    }

    fn insert(&self, first: usize) -> Option<(SqlStatement, usize)> {
        let tokens = &self.tokens;
        let end = tokens.list.len();
        let into = (first + 1..(first + 5).min(end)).find(|at| tokens.is(*at, "INTO"))?;
        let (table, mut at) = self.name(into + 1)?;
        let mut columns = Vec::new();
        if tokens.punct(at, b'(') {
            let close = tokens.closing(at);
            for part in tokens.comma_separated(at + 1..close.min(end)) {
                let (name, _) = self.name(part.start)?;
                columns.push((name, self.span(part)));
            }
            at = close + 1;
        }
        let mut rows = Vec::new();
        if columns.is_empty() && tokens.is(at, "SET") {
            let stop = tokens.find_at_top(at + 1, end, &["ON"]);
            let (names, values): (Vec<_>, Vec<_>) =
                self.assignments(at + 1..stop).into_iter().map(|(name, value)| ((name, value.span), value)).unzip();
            columns = names;
            rows.push(values);
            at = stop;
        }
        let values = tokens.find_at_top(at, end.min(at + 12), &["VALUES", "VALUE"]);
        if tokens.is_any(values, &["VALUES", "VALUE"]) {
            at = values + 1;
            while tokens.punct(at, b'(') {
                let close = tokens.closing(at).min(end);
                let parts = tokens.comma_separated(at + 1..close);
                rows.push(parts.into_iter().map(|part| self.value(part)).collect());
                at = if tokens.punct(close + 1, b',') { close + 2 } else { close + 1 };
            }
            // One placeholder for all rows.
            if rows.is_empty() && at < end && tokens.kind(at) == Some(Kind::Placeholder) {
                let list = self.value(at..at + 1);
                let span = list.span;
                let nth = |n| SqlValue { kind: SqlValueKind::OfRows(Box::new(list.clone()), n), span };
                rows.push((0..columns.len()).map(nth).collect());
                at += 1;
            }
        }
        if rows.is_empty() {
            let rest = at.min(end.saturating_sub(1))..end;
            let opaque = self.opaque(rest);
            rows.push(vec![opaque; columns.len().max(1)]);
        }
        let replaces = tokens.is(first, "REPLACE") || tokens.is(first + 2, "REPLACE");
        let ignores = (first + 1..into).any(|at| tokens.is(at, "IGNORE"));
        let mut conflict = if replaces { Some(Conflict::Replace) } else { ignores.then_some(Conflict::Nothing) };
        let on = tokens.find_at_top(at, end, &["ON"]);
        if tokens.is_any(on + 1, &["CONFLICT", "DUPLICATE"]) {
            let set = tokens.find_at_top(on, end, &["SET", "NOTHING", "KEY"]);
            if tokens.is(set, "NOTHING") {
                conflict = Some(Conflict::Nothing);
                at = set + 1;
            } else if set < end {
                let from = if tokens.is(set + 1, "UPDATE") { set + 2 } else { set + 1 };
                let stop = tokens.find_at_top(from, end, AFTER_SET);
                conflict = Some(Conflict::Update(self.assignments(from..stop)));
                at = stop;
            }
        }
        let span = self.statement_span(first);
        Some((SqlStatement::Insert { table, span, columns, rows, conflict }, at))
    }

    fn update(&self, first: usize) -> Option<(SqlStatement, usize)> {
        let tokens = &self.tokens;
        let end = tokens.list.len();
        let mut at = first + 1;
        while tokens.is_any(at, &["OR", "REPLACE", "IGNORE", "ONLY", "LOW_PRIORITY", "ABORT", "FAIL", "ROLLBACK"]) {
            at += 1;
        }
        let (table, after) = self.name(at)?;
        let set = tokens.find_at_top(after, end, &["SET"]);
        if set == end {
            return None;
        }
        let stop = tokens.find_at_top(set + 1, end, AFTER_SET);
        let sets = self.assignments(set + 1..stop);
        Some((SqlStatement::Update { table, span: self.statement_span(first), sets }, stop))
    }

    fn delete(&self, first: usize) -> Option<(SqlStatement, usize)> {
        if !self.tokens.is(first + 1, "FROM") {
            return None;
        }
        let (table, after) = self.name(first + 2)?;
        Some((SqlStatement::Delete { table, span: self.statement_span(first) }, after))
    }

    fn assignments(&self, range: Range<usize>) -> Vec<(String, SqlValue)> {
        let mut sets = Vec::new();
        for part in self.tokens.comma_separated(range) {
            // `SET ?`: the client makes the assignments out of an object.
            if part.len() == 1 && self.tokens.kind(part.start) == Some(Kind::Placeholder) {
                sets.push((WHOLE_ROW.to_owned(), self.value(part)));
                continue;
            }
            let Some((name, after)) = self.name(part.start) else { continue };
            if self.tokens.punct(after, b'=') && after + 1 < part.end {
                sets.push((name, self.value(after + 1..part.end)));
            }
        }
        sets
    }

    fn opaque(&self, range: Range<usize>) -> SqlValue {
        let bytes = self.tokens.bytes(range);
        let text = shown(self.text.sql.get(bytes.clone()).unwrap_or("")).chars().take(200).collect();
        SqlValue { kind: SqlValueKind::Opaque(text), span: self.text.span(bytes) }
    }

    fn value(&self, range: Range<usize>) -> SqlValue {
        let mut range = range;
        // A cast vanishes.
        if let Some(cast) = (range.start + 1..range.end).find(|at| self.tokens.text(*at) == "::") {
            range.end = cast;
        }
        if range.len() != 1 {
            return self.opaque(range);
        }
        let at = range.start;
        let word = self.tokens.text(at);
        let kind = match self.tokens.kind(at) {
            Some(Kind::Text) if hole(&unquote(word)).is_none() && shown(word) == word => {
                SqlValueKind::Text(unquote(word))
            }
            Some(Kind::Text) => match hole(&unquote(word)) {
                Some(hole) => SqlValueKind::Hole(hole),
                None => return self.opaque(range),
            },
            Some(Kind::Number) => SqlValueKind::Literal(word.to_owned()),
            Some(Kind::Placeholder) => match self.tokens.get(at).and_then(|token| self.text.question(token.start)) {
                Some(number) => SqlValueKind::Placeholder(number),
                None => placeholder(word),
            },
            Some(Kind::Word) => match hole(word).filter(|hole| self.text.has_hole(*hole)) {
                Some(hole) => SqlValueKind::Hole(hole),
                None if word.eq_ignore_ascii_case("NULL") => SqlValueKind::Null,
                None if word.eq_ignore_ascii_case("DEFAULT") => SqlValueKind::Default,
                None if word.eq_ignore_ascii_case("TRUE") || word.eq_ignore_ascii_case("FALSE") => {
                    SqlValueKind::Literal(word.to_ascii_lowercase())
                }
                None => return self.opaque(range),
            },
            _ => return self.opaque(range),
        };
        SqlValue { kind, span: self.span(range) }
    }
}
