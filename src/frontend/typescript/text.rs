//! Strings, templates and `+`: text known at compile time, text with holes, and SQL in either.

use tree_sitter::Node;

use crate::frontend::sql;
use crate::frontend::typescript::{Lowering, children, field, inner};
use crate::ir::{ExprId, ExprKind, SqlText};

/// A part of a text: a literal with its place in the file, or a substitution.
enum Part {
    Literal { text: String, start: usize, end: usize },
    Hole(ExprId),
}

/// Which SQL a text can be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Only if it reads as a statement.
    IfItReads,
    /// A tag says that it is SQL, maybe a fragment.
    Always,
}

/// Tags that make SQL of a template, whatever is written in it.
const SQL_TAGS: [&str; 3] = ["sql", "$queryRaw", "$executeRaw"];

impl<'t> Lowering<'t> {
    /// Whether an expression is text, as far as its own form tells.
    pub(super) fn is_text(&self, id: ExprId) -> bool {
        matches!(self.kind(id), ExprKind::Text(_) | ExprKind::Concat(_) | ExprKind::Sql(_))
    }

    /// A string or a template.
    pub(super) fn text(&mut self, node: Node<'t>) -> ExprId {
        let parts = self.parts(node);
        self.text_of(parts, Wanted::IfItReads, node)
    }

    /// `tag` before a template: a call of the tag with the text.
    pub(super) fn tagged(&mut self, tag: Node<'t>, template: Node<'t>, node: Node<'t>) -> ExprId {
        let mut tag = tag;
        while matches!(tag.kind(), "await_expression" | "instantiation_expression" | "non_null_expression") {
            match inner(tag) {
                Some(inside) => tag = inside,
                None => break,
            }
        }
        let name = field(tag, "property").unwrap_or(tag);
        let wanted = if SQL_TAGS.contains(&self.slice(name)) { Wanted::Always } else { Wanted::IfItReads };
        let callee = self.expr(tag);
        let parts = self.parts(template);
        let text = self.text_of(parts, wanted, template);
        self.call_of(callee, &[text], node)
    }

    /// `a + b + c`: text where any of them is, else arithmetic.
    pub(super) fn sum(&mut self, terms: &[Node<'t>], node: Node<'t>) -> ExprId {
        let mut parts = Vec::new();
        let mut is_text = false;
        for term in terms {
            if matches!(term.kind(), "string" | "template_string") {
                is_text = true;
                parts.extend(self.parts(*term));
            } else {
                let value = self.expr(*term);
                is_text |= self.is_text(value);
                parts.push(Part::Hole(value));
            }
        }
        if is_text {
            return self.text_of(parts, Wanted::IfItReads, node);
        }
        let holes = parts.into_iter().filter_map(|part| if let Part::Hole(id) = part { Some(id) } else { None });
        let holes = holes.collect();
        self.opaque("arithmetic", holes, node)
    }

    /// The text of a string, or of a template without substitutions.
    pub(super) fn decoded(&self, node: Node<'t>) -> String {
        let raw = self.slice(node);
        let quoted = raw.len() >= 2;
        decode(if quoted { raw.get(1..raw.len() - 1).unwrap_or("") } else { "" })
    }

    fn parts(&mut self, node: Node<'t>) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut start = node.start_byte() + 1;
        for child in children(node) {
            if child.kind() != "template_substitution" {
                continue;
            }
            parts.push(self.literal(start, child.start_byte()));
            let hole = match inner(child) {
                Some(inside) => self.expr(inside),
                None => self.opaque("could not be parsed", Vec::new(), child),
            };
            parts.push(Part::Hole(hole));
            start = child.end_byte();
        }
        parts.push(self.literal(start, node.end_byte().saturating_sub(1)));
        parts
    }

    fn literal(&self, start: usize, end: usize) -> Part {
        let raw = self.text.get(start..end).unwrap_or("");
        Part::Literal { text: raw.to_owned(), start, end }
    }

    fn text_of(&mut self, parts: Vec<Part>, wanted: Wanted, node: Node<'t>) -> ExprId {
        if let Some(mut sql) = self.sql_of(&parts, wanted) {
            let holes = parts.iter().filter_map(|part| if let Part::Hole(id) = part { Some(*id) } else { None });
            sql.holes = holes.collect();
            return self.add(ExprKind::Sql(Box::new(sql)), node);
        }
        let mut operands = Vec::new();
        let mut pending = String::new();
        for part in parts {
            match part {
                Part::Literal { text, .. } => pending.push_str(&decode(&text)),
                Part::Hole(id) => {
                    if !pending.is_empty() {
                        operands.push(self.add(ExprKind::Text(std::mem::take(&mut pending)), node));
                    }
                    operands.push(id);
                }
            }
        }
        if operands.is_empty() {
            return self.add(ExprKind::Text(pending), node);
        }
        if !pending.is_empty() {
            operands.push(self.add(ExprKind::Text(pending), node));
        }
        self.add(ExprKind::Concat(operands), node)
    }

    fn sql_of(&mut self, parts: &[Part], wanted: Wanted) -> Option<SqlText> {
        let pieces = pieces_of(parts);
        let is_long = pieces.iter().any(|(text, _)| text.trim().contains(char::is_whitespace));
        let borrowed: Vec<(&str, u32)> = pieces.iter().map(|(text, at)| (text.as_str(), *at)).collect();
        let read = if is_long { sql::parse(&borrowed, self.module.file) } else { None };
        if read.is_some() {
            let tables = sql::tables(&borrowed, self.module.file);
            self.module.tables.extend(tables);
        }
        match wanted {
            Wanted::IfItReads => read,
            Wanted::Always => Some(read.unwrap_or_else(|| sql::parse_part(&borrowed, self.module.file))),
        }
    }
}

/// Literals with one hole between two: neighbours that `+` joins are one piece, the source between them is blank where
/// that does not tear a word or a quoted text apart, so that offsets in the piece stay those of the file.
fn pieces_of(parts: &[Part]) -> Vec<(String, u32)> {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let mut pieces: Vec<(String, u32)> = Vec::new();
    let mut after_literal: Option<usize> = None;
    for part in parts {
        match part {
            Part::Literal { text, start, end } => {
                let text = decode_in_place(text);
                match (after_literal, pieces.last_mut()) {
                    (Some(before), Some((joined, _))) => {
                        let is_apart = joined.ends_with(char::is_whitespace) || text.starts_with(char::is_whitespace);
                        if is_apart {
                            joined.extend(std::iter::repeat_n(' ', start.saturating_sub(before)));
                        }
                        joined.push_str(&text);
                    }
                    _ => pieces.push((text, offset(*start))),
                }
                after_literal = Some(*end);
            }
            Part::Hole(_) => {
                // Two holes side by side, or one at the start, have an empty piece before.
                if after_literal.is_none() {
                    let at = pieces.last().map_or(0, |(text, at)| at.saturating_add(offset(text.len())));
                    pieces.push((String::new(), at));
                }
                after_literal = None;
            }
        }
    }
    if after_literal.is_none() {
        let at = pieces.last().map_or(0, |(text, at)| at.saturating_add(offset(text.len())));
        pieces.push((String::new(), at));
    }
    pieces
}

/// Like [`decode`], but white space keeps its length.
fn decode_in_place(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    decode(&raw.replace("\\n", "  ").replace("\\t", "  ").replace("\\r", "  "))
}

/// Resolves the escape sequences of a string.
pub(super) fn decode(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        match rest.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('v') => text.push('\u{b}'),
            Some('0') => text.push('\0'),
            Some('x') => text.extend(code_point(&mut rest, 2)),
            Some('u') => text.extend(unicode(&mut rest)),
            Some('\r' | '\n') | None => {}
            Some(other) => text.push(other),
        }
    }
    text
}

fn unicode(rest: &mut std::str::Chars<'_>) -> Option<char> {
    if !rest.as_str().starts_with('{') {
        return code_point(rest, 4);
    }
    let (digits, after) = rest.as_str().get(1..)?.split_once('}')?;
    *rest = after.chars();
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

fn code_point(rest: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let code = u32::from_str_radix(rest.as_str().get(..digits)?, 16).ok()?;
    *rest = rest.as_str().get(digits..)?.chars();
    char::from_u32(code)
}
