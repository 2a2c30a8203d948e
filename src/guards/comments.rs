//! Comments that claim something of a tracked column: a closed list of phrases, negation understood.

use crate::rules::{Claim, Rules, Says};
use crate::schema::{ColumnId, Schema};
use crate::source::{FileId, Language, Scope, SourceFile, SourceSet, Span};

/// A claim about a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Comment {
    pub column: ColumnId,
    /// The line of the phrase.
    pub span: Span,
    pub says: Says,
    /// As the list has it.
    pub phrase: String,
}

/// The claims in the files that name a tracked column, sorted by place. Users add phrases in packs of their own.
pub fn comments(sources: &SourceSet, rules: &Rules, schema: &Schema) -> Vec<Comment> {
    let mut claims: Vec<Claim> = rules.claim().cloned().collect();
    // Of two phrases that overlap the longer one says more.
    claims.sort_by_key(|claim| std::cmp::Reverse(claim.phrase.len()));
    let mut found = Vec::new();
    for (at, column) in schema.columns.iter().enumerate() {
        let properties = column.bindings.iter().map(|(model, property)| &schema.models[model.0].properties[*property]);
        let mut names: Vec<&str> = properties.clone().map(|property| property.name.as_str()).collect();
        names.push(&column.column);
        names.sort_unstable();
        names.dedup();
        let declared: Vec<Span> = properties.map(|property| property.span).collect();
        let mut files: Vec<FileId> = sources.mentions(&names).into_iter().flatten().collect();
        files.sort_unstable();
        files.dedup();
        for file in files {
            let source = sources.get(file);
            if source.scope != Scope::Production || source.language == Language::Sql {
                continue;
            }
            for block in blocks(source) {
                let about = names.iter().any(|name| is_named(&block.text, name))
                    || declared.iter().any(|span| span.file == file && block.precedes(source.line(span.start)));
                let Some((claim, line)) = about.then(|| block.claim(&claims)).flatten() else { continue };
                let span = line_span(source, file, line);
                found.push(Comment { column: ColumnId(at), span, says: claim.says, phrase: claim.phrase.clone() });
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Comment lines that follow each other.
struct Block {
    /// 1-based.
    first: u32,
    last: u32,
    /// Line and text, in lower case, of each.
    lines: Vec<(u32, String)>,
    text: String,
}

impl Block {
    /// Whether it stands on a line or right above it (decorators and attributes may stand between).
    fn precedes(&self, line: u32) -> bool {
        (self.first..=self.last).contains(&line) || (self.last < line && line - self.last <= 2)
    }

    /// The claim it makes, where exactly one is made and nothing negates it.
    fn claim<'c>(&self, claims: &'c [Claim]) -> Option<(&'c Claim, u32)> {
        let words: Vec<String> = self.lines.iter().flat_map(|(_, text)| tokens(text)).collect();
        let at = |claim: &Claim| {
            let phrase: Vec<String> = tokens(&claim.phrase);
            (0..words.len())
                .find(|start| words.get(*start..start + phrase.len()).is_some_and(|part| part == phrase.as_slice()))
        };
        let (claim, start) = claims.iter().find_map(|claim| Some((claim, at(claim)?)))?;
        let before = words.get(start.saturating_sub(3)..start).unwrap_or_default();
        let negates = |word: &String| {
            matches!(
                word.as_str(),
                "not"
                    | "never"
                    | "isn't"
                    | "no"
                    | "don't"
                    | "longer"
                    | "until"
                    | "todo"
                    | "if"
                    | "when"
                    | "should"
                    | "was"
            )
        };
        // `not stored in the cookie` is about the cookie.
        let behind = words.get(start + tokens(&claim.phrase).len());
        let qualifies = |word: &String| {
            matches!(
                word.as_str(),
                "in" | "here" | "inside" | "on" | "by" | "when" | "if" | "for" | "unless" | "until" | "as" | "with"
            )
        };
        if before.iter().any(negates) || behind.is_some_and(qualifies) {
            return None;
        }
        let first = tokens(&claim.phrase).into_iter().next()?;
        let line = self
            .lines
            .iter()
            .find(|(_, text)| text.contains(&claim.phrase))
            .or_else(|| self.lines.iter().find(|(_, text)| tokens(text).contains(&first)))?;
        Some((claim, line.0))
    }
}

fn tokens(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    split.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether a comment names the column. A name that is a word of the language (`token`) is one only as code: `users.token`, or between
/// backquotes.
fn is_named(text: &str, name: &str) -> bool {
    if name.chars().all(char::is_lowercase) {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        return text.match_indices(name).any(|(at, _)| {
            text[..at].ends_with(['`', '.']) && !text[..at].ends_with("..") && ends(&text[at + name.len()..])
        });
    }
    is_word_in(text, name)
}

fn is_word_in(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// The comments of a file. Line by line, so that nothing inside of strings can hide the rest of the file.
fn blocks(source: &SourceFile) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    for (line, text) in (1_u32..).zip(source.text.lines()) {
        let trimmed = text.trim();
        let comment = if inside || trimmed.starts_with("/*") {
            inside = !trimmed.contains("*/");
            Some(trimmed)
        } else if trimmed.starts_with("//") {
            Some(trimmed)
        } else {
            behind_code(text)
        };
        let Some(comment) = comment else { continue };
        let follows =
            found.last().is_some_and(|block| block.last + 1 == line) && (inside || trimmed.starts_with(['/', '*']));
        if !follows {
            found.push(Block { first: line, last: line, lines: Vec::new(), text: String::new() });
        }
        if let Some(block) = found.last_mut() {
            block.last = line;
            block.lines.push((line, comment.to_lowercase()));
            block.text.push_str(comment);
            block.text.push('\n');
        }
    }
    found
}

/// `code; // comment`, where the slashes do not stand in a string.
fn behind_code(text: &str) -> Option<&str> {
    let at = text.find(" //")?;
    let code = text.get(..at)?;
    let even = |quote: char| code.matches(quote).count().is_multiple_of(2);
    (even('"') && even('\'') && even('`')).then(|| text.get(at..)).flatten()
}

fn line_span(source: &SourceFile, file: FileId, line: u32) -> Span {
    let text = source.line_text(line);
    let base = source.text.as_ptr().addr();
    let start = text.as_ptr().addr().saturating_sub(base) + (text.len() - text.trim_start().len());
    let end = start + text.trim().len();
    Span { file, start: u32::try_from(start).unwrap_or(0), end: u32::try_from(end).unwrap_or(0) }
}
