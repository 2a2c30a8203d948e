//! Literals: numbers, text, and SQL in text; `format!` with its holes.

use syn::{Expr, Lit, LitStr};

use crate::frontend::rust::Lowering;
use crate::frontend::sql;
use crate::ir::{ExprId, ExprKind};
use crate::source::Span;

impl Lowering<'_> {
    pub(super) fn literal(&mut self, literal: &Lit) -> ExprId {
        let span = self.at_span(literal.span());
        match literal {
            Lit::Str(text) => self.text(text),
            Lit::Bool(value) => self.add(ExprKind::Bool(value.value), span),
            Lit::Int(number) => self.add(ExprKind::Number(number.base10_digits().to_owned()), span),
            Lit::Float(number) => self.add(ExprKind::Number(number.base10_digits().to_owned()), span),
            Lit::Char(char) => self.add(ExprKind::Text(char.value().to_string()), span),
            Lit::ByteStr(bytes) => {
                let text = String::from_utf8_lossy(&bytes.value()).into_owned();
                self.add(ExprKind::Text(text), span)
            }
            _ => self.opaque("a literal that is not read", Vec::new(), span),
        }
    }

    fn text(&mut self, text: &LitStr) -> ExprId {
        let span = self.at_span(text.span());
        let (raw, start) = self.inside(span);
        if let Some(sql) = self.sql(&[(raw, start)]) {
            return self.add(ExprKind::Sql(Box::new(sql)), span);
        }
        self.add(ExprKind::Text(text.value()), span)
    }

    fn sql(&mut self, pieces: &[(String, u32)]) -> Option<crate::ir::SqlText> {
        let is_long = pieces.iter().any(|(text, _)| text.trim().contains(char::is_whitespace));
        let borrowed: Vec<(&str, u32)> = pieces.iter().map(|(text, at)| (text.as_str(), *at)).collect();
        let read = if is_long { sql::parse(&borrowed, self.module.file) } else { None };
        if read.is_some() {
            let tables = sql::tables(&borrowed, self.module.file);
            self.module.tables.extend(tables);
        }
        read
    }

    /// The text between the quotes of a literal as the source writes it, escapes blanked so that offsets stay, and where
    /// it starts.
    fn inside(&self, span: Span) -> (String, u32) {
        let source = self.source.text.get(span.start as usize..span.end as usize).unwrap_or("");
        let (Some(open), Some(close)) = (source.find('"'), source.rfind('"')) else {
            return (String::new(), span.start);
        };
        let raw = source.get(open + 1..close).unwrap_or("");
        let start = span.start.saturating_add(u32::try_from(open + 1).unwrap_or(0));
        if source.starts_with('r') || source.starts_with("br") || !raw.contains('\\') {
            return (raw.to_owned(), start);
        }
        let mut text = String::with_capacity(raw.len());
        let mut chars = raw.chars();
        while let Some(char) = chars.next() {
            if char != '\\' {
                text.push(char);
                continue;
            }
            text.push(' ');
            match chars.next() {
                Some(quote @ ('"' | '\'')) => text.push(quote),
                Some('\n') => text.push('\n'),
                Some(other) => text.extend(std::iter::repeat_n(' ', other.len_utf8())),
                None => {}
            }
        }
        (text, start)
    }

    /// `format!("..{}..{name}", a)`: SQL, or text with holes.
    pub(super) fn formatted(&mut self, format: &LitStr, args: &[Expr], span: Span) -> ExprId {
        let (raw, start) = self.inside(self.at_span(format.span()));
        let mut values: Vec<(Option<String>, ExprId)> = Vec::new();
        for arg in args {
            let (name, value) = match arg {
                Expr::Assign(pair) => match &*pair.left {
                    Expr::Path(path) => (path.path.get_ident().map(ToString::to_string), &*pair.right),
                    _ => (None, arg),
                },
                _ => (None, arg),
            };
            let value = self.expr(value);
            values.push((name, value));
        }
        let mut pieces: Vec<(String, u32)> = Vec::new();
        let mut holes: Vec<ExprId> = Vec::new();
        let (mut next, mut from, mut at) = (0, 0, 0);
        let bytes = raw.as_bytes();
        while let Some(byte) = bytes.get(at).copied() {
            let doubled = bytes.get(at + 1) == Some(&byte);
            if byte == b'{' && !doubled {
                let Some(close) = raw.get(at..).and_then(|rest| rest.find('}')) else { break };
                let inside = raw.get(at + 1..at + close).unwrap_or("");
                let name = inside.split(':').next().unwrap_or("").trim();
                let hole = if name.is_empty() {
                    next += 1;
                    values.iter().filter(|(name, _)| name.is_none()).nth(next - 1).map(|(_, value)| *value)
                } else if let Ok(index) = name.parse::<usize>() {
                    values.get(index).map(|(_, value)| *value)
                } else {
                    let named =
                        values.iter().find(|(known, _)| known.as_deref() == Some(name)).map(|(_, value)| *value);
                    let here = start.saturating_add(u32::try_from(at + 1).unwrap_or(0));
                    let length = u32::try_from(name.len()).unwrap_or(0);
                    let name_span = Span { file: span.file, start: here, end: here.saturating_add(length) };
                    Some(named.unwrap_or_else(|| self.path(&[(name.to_owned(), name_span)])))
                };
                let hole = hole.unwrap_or_else(|| self.opaque("a missing argument", Vec::new(), span));
                pieces.push(piece(&raw, from, at, start));
                holes.push(hole);
                at += close + 1;
                from = at;
                continue;
            }
            at += if doubled && matches!(byte, b'{' | b'}') { 2 } else { 1 };
        }
        pieces.push(piece(&raw, from, raw.len(), start));
        if let Some(mut sql) = self.sql(&pieces) {
            sql.holes = holes;
            return self.add(ExprKind::Sql(Box::new(sql)), span);
        }
        let mut parts = Vec::new();
        for (at, (text, _)) in pieces.into_iter().enumerate() {
            if !text.is_empty() {
                parts.push(self.add(ExprKind::Text(text), span));
            }
            parts.extend(holes.get(at).copied());
        }
        match parts.as_slice() {
            [] => self.add(ExprKind::Text(String::new()), span),
            [only] if matches!(self.kind(*only), ExprKind::Text(_)) => *only,
            _ => self.add(ExprKind::Concat(parts), span),
        }
    }
}

fn piece(raw: &str, from: usize, to: usize, start: u32) -> (String, u32) {
    (raw.get(from..to).unwrap_or("").to_owned(), start.saturating_add(u32::try_from(from).unwrap_or(0)))
}
