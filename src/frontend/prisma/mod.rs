//! A Prisma schema becomes the tables that its models are.
//!
//! Input: the text of one `.prisma` file; a schema of several files is several calls. Output: a [`Module`] with a
//! [`Table`] a model or view, and a gap for each block or field that was not understood.
//!
//! Invariants: a field whose type is neither a scalar nor an enum of the same file has `relation` set to that type; whether
//! the type is an enum of another file is for the reader of all files to say. Names are as written; `@map` and `@@map` give
//! the names in the database. A model that `@@ignore` keeps out of the client, and a field with `@ignore`, are still in the
//! database and stay.
//!
//! Example: `model User { hashedRt String? @map("hashed_rt") @@map("users") }` is a table `users` of model `User` with the
//! nullable column `hashed_rt`, property `hashedRt`.

mod lex;

use std::collections::BTreeSet;

use crate::frontend::prisma::lex::{Kind, Token, tokens};
use crate::ir::{ColumnDecl, Module, Table, TableChange};
use crate::source::{FileId, Gap, Span};

const SCALARS: &[&str] =
    &["String", "Int", "BigInt", "Float", "Decimal", "Boolean", "DateTime", "Json", "Bytes", "Unsupported"];

/// Reads a file; never fails.
pub(crate) fn lower(id: FileId, text: &str) -> Module {
    let mut reader = Reader { id, text, tokens: tokens(text), module: Module::new(id), local: BTreeSet::new() };
    if let Some(body) = reader.module.functions.first_mut() {
        body.span.end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    }
    let blocks = reader.blocks();
    for block in &blocks {
        if block.keyword == "enum" {
            reader.local.insert(block.name.clone());
        }
    }
    for block in &blocks {
        match block.keyword {
            "model" | "view" => reader.model(block),
            // A composite type is stored inside a column of a document database.
            "enum" | "type" | "generator" | "datasource" => {}
            other => reader.gap(block.first, format!("Prisma schema not understood: no block is called {other}")),
        }
    }
    reader.module.gaps.sort();
    reader.module
}

struct Reader<'a> {
    id: FileId,
    text: &'a str,
    tokens: Vec<Token>,
    module: Module,
    /// Enums of this file.
    local: BTreeSet<String>,
}

/// `keyword Name { .. }`, as indices of tokens.
struct Block<'a> {
    keyword: &'a str,
    name: String,
    first: usize,
    /// Between the braces.
    inside: std::ops::Range<usize>,
}

/// `@name(args)`: the indices of what stands in the parentheses.
struct Attribute {
    name: String,
    args: std::ops::Range<usize>,
}

impl<'a> Reader<'a> {
    fn word(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| self.text.get(token.start..token.end).unwrap_or(""))
    }

    fn is(&self, at: usize, kind: Kind) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == kind)
    }

    fn span(&self, first: usize, last: usize) -> Span {
        let start = self.tokens.get(first).map_or(0, |token| token.start);
        let end = self.tokens.get(last).map_or(start, |token| token.end);
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.id, start: offset(start), end: offset(end) }
    }

    fn gap(&mut self, at: usize, why: String) {
        let start = self.tokens.get(at).map_or(self.text.len(), |token| token.start);
        let lines = memchr::memchr_iter(b'\n', &self.text.as_bytes()[..start]).count();
        let line = u32::try_from(lines + 1).unwrap_or(u32::MAX);
        self.module.gaps.push(Gap { path: String::new(), line, why });
    }

    /// All blocks; what stands between them is a gap, and reading goes on at the next block.
    fn blocks(&mut self) -> Vec<Block<'a>> {
        let mut blocks = Vec::new();
        let mut at = 0;
        let mut is_lost = false;
        while at < self.tokens.len() {
            if self.is(at, Kind::Newline) {
                at += 1;
                continue;
            }
            if self.is(at, Kind::Word) && self.is(at + 1, Kind::Word) && self.is(at + 2, Kind::Punct(b'{')) {
                is_lost = false;
                let end = self.block_end(at + 3);
                let (keyword, name) = (self.word(at), self.word(at + 1).to_owned());
                blocks.push(Block { keyword, name, first: at, inside: at + 3..end });
                if self.is(end, Kind::Punct(b'}')) {
                    at = end + 1;
                } else {
                    self.gap(at, format!("Prisma schema not understood: {keyword} has no end"));
                    at = end;
                }
                continue;
            }
            if !is_lost {
                is_lost = true;
                self.gap(at, "Prisma schema not understood: a block was expected".to_owned());
            }
            at += 1;
        }
        blocks
    }

    /// The index of the `}`; where a new block starts before it, that index.
    fn block_end(&self, from: usize) -> usize {
        (from..self.tokens.len())
            .find(|at| {
                let is_line_start = self.is(at.saturating_sub(1), Kind::Newline);
                let starts_block = is_line_start
                    && matches!(self.word(*at), "model" | "enum" | "view" | "type" | "generator" | "datasource")
                    && self.is(at + 1, Kind::Word)
                    && self.is(at + 2, Kind::Punct(b'{'));
                self.is(*at, Kind::Punct(b'}')) || starts_block
            })
            .unwrap_or(self.tokens.len())
    }

    fn model(&mut self, block: &Block<'_>) {
        let mut table = Table {
            name: block.name.clone(),
            model: Some(block.name.clone()),
            span: self.span(block.first, block.inside.end),
            change: TableChange::Create,
            columns: Vec::new(),
            dropped: Vec::new(),
            renamed: Vec::new(),
            renamed_to: None,
        };
        for line in self.lines(block.inside.clone()) {
            if self.is(line.start, Kind::BlockAttribute) {
                for attribute in self.attributes(line) {
                    if attribute.name == "map" {
                        table.name = self.text_argument(&attribute, "name").unwrap_or(table.name);
                    }
                }
            } else {
                match self.field(line.clone()) {
                    Some(column) => table.columns.push(column),
                    None => self.gap(line.start, "Prisma schema not understood: a field was expected".to_owned()),
                }
            }
        }
        self.module.tables.push(table);
    }

    /// The lines of a block that are not empty; a newline inside parentheses or brackets, or before an attribute, ends none.
    fn lines(&self, inside: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
        let mut lines = Vec::new();
        let mut depth = 0usize;
        let mut from = inside.start;
        for at in inside.clone() {
            let Some(token) = self.tokens.get(at) else { break };
            match token.kind {
                Kind::Punct(b'(' | b'[') => depth += 1,
                Kind::Punct(b')' | b']') => depth = depth.saturating_sub(1),
                Kind::Newline if depth == 0 => {
                    let mut next = at;
                    while next < inside.end && self.is(next, Kind::Newline) {
                        next += 1;
                    }
                    if self.is(next, Kind::Attribute) && from < at {
                        continue;
                    }
                    if from < at {
                        lines.push(from..at);
                    }
                    from = at + 1;
                }
                _ => {}
            }
        }
        if from < inside.end {
            lines.push(from..inside.end);
        }
        lines
    }

    fn field(&self, line: std::ops::Range<usize>) -> Option<ColumnDecl> {
        if !self.is(line.start, Kind::Word) || !self.is(line.start + 1, Kind::Word) || line.len() < 2 {
            return None;
        }
        let property = self.word(line.start).to_owned();
        let ty = self.word(line.start + 1).to_owned();
        let mut at = line.start + 2;
        if self.is(at, Kind::Punct(b'(')) {
            at = self.closing(at, line.end) + 1;
        }
        let mut list = false;
        let mut nullable = false;
        while at < line.end && !self.is(at, Kind::Attribute) {
            match self.tokens.get(at)?.kind {
                Kind::Punct(b'?') => nullable = true,
                Kind::Punct(b'[') => list = true,
                Kind::Punct(b']') | Kind::Newline => {}
                _ => return None,
            }
            at += 1;
        }
        let attributes = self.attributes(at..line.end);
        let find = |name: &str| attributes.iter().find(|attribute| attribute.name == name);
        let mapped = find("map").and_then(|attribute| self.text_argument(attribute, "name"));
        let mut default = find("default").map(|attribute| self.value_argument(attribute));
        if default.is_none() && find("updatedAt").is_some() {
            default = Some("@updatedAt".to_owned());
        }
        let is_column = SCALARS.contains(&ty.as_str()) || self.local.contains(&ty);
        Some(ColumnDecl {
            name: mapped.unwrap_or_else(|| property.clone()),
            property,
            relation: (!is_column).then(|| ty.clone()),
            ty,
            nullable: Some(nullable),
            default,
            list,
            span: self.span(line.start, line.start),
        })
    }

    fn closing(&self, open: usize, end: usize) -> usize {
        let mut depth = 0usize;
        for at in open..end {
            match self.tokens.get(at).map(|token| token.kind) {
                Some(Kind::Punct(b'(' | b'[')) => depth += 1,
                Some(Kind::Punct(b')' | b']')) => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        end
    }

    fn attributes(&self, line: std::ops::Range<usize>) -> Vec<Attribute> {
        let mut found = Vec::new();
        let mut at = line.start;
        while at < line.end {
            if matches!(self.tokens.get(at).map(|token| token.kind), Some(Kind::Attribute | Kind::BlockAttribute)) {
                let name = self.word(at).trim_start_matches('@').to_owned();
                let mut args = at + 1..at + 1;
                if self.is(at + 1, Kind::Punct(b'(')) {
                    let close = self.closing(at + 1, line.end);
                    args = at + 2..close;
                    at = close;
                }
                found.push(Attribute { name, args });
            }
            at += 1;
        }
        found
    }

    /// The text given first or under `name`.
    fn text_argument(&self, attribute: &Attribute, name: &str) -> Option<String> {
        let mut at = attribute.args.start;
        while self.is(at, Kind::Newline) {
            at += 1;
        }
        let named = attribute.args.clone().find(|at| self.word(*at) == name && self.is(at + 1, Kind::Punct(b':')));
        let at = named.map_or(at, |at| at + 2);
        (attribute.args.contains(&at) && self.is(at, Kind::Text)).then(|| lex::unquote(self.word(at)))
    }

    /// What stands in the parentheses, as written, without `value:`.
    fn value_argument(&self, attribute: &Attribute) -> String {
        let mut first = attribute.args.start;
        if self.word(first) == "value" && self.is(first + 1, Kind::Punct(b':')) {
            first += 2;
        }
        let named =
            (first..attribute.args.end).find(|at| self.word(*at) == "map" && self.is(at + 1, Kind::Punct(b':')));
        let end = named.map_or(attribute.args.end, |at| at.saturating_sub(1));
        let Some(last) = end.checked_sub(1).filter(|last| *last >= first) else { return String::new() };
        let (start, end) = (self.tokens.get(first).map_or(0, |t| t.start), self.tokens.get(last).map_or(0, |t| t.end));
        self.text.get(start..end).unwrap_or("").trim().to_owned()
    }
}

#[cfg(test)]
mod tests;
