//! SQL, in files and inside programs, becomes statements that say which column gets which value.
//!
//! Input: the literal pieces of a string or template ([`parse`]), or a whole `.sql` file ([`lower`]). Output: a
//! [`SqlText`], or a [`Module`] whose body holds one [`SqlText`] a statement and whose tables are what its DDL says.
//!
//! Invariants: a text that is SQL is never dropped: what the parser does not understand is a gap, together with what a
//! light reading of it tells. A column without a dot is one of the row being written; `table.column` is a column of another
//! row that the statement reads. A name that is put in at run time is `${n}`, n being the substitution. A write that
//! names columns in its conditions is followed by a `Select` of these.
//!
//! Example: `` `UPDATE users SET token = COALESCE(${t}, token)` `` is an update of `users` with `token` =
//! `Coalesce([Hole(0), Column("token")])`.

mod ast;
mod ddl;
mod fallback;
mod file;
mod fit;
mod lex;
mod likely;
mod read;
mod relation;
mod routine;
mod split;
mod statement;
#[cfg(test)]
mod tests;
mod text;
mod triggers;
mod value;

use std::ops::Range;

use crate::frontend::sql::ast::Piece;
use crate::frontend::sql::lex::Tokens;
use crate::frontend::sql::likely::{Likelihood, judge, starts_like_sql};
use crate::frontend::sql::statement::Reducer;
use crate::frontend::sql::text::Text;
use crate::ir::{Module, Routines, SqlPart, SqlStatement, SqlText, Table};
use crate::source::FileId;

/// The SQL in a string or template of a program; `None` where it is prose.
///
/// `parts` are the literal pieces as the source writes them, escapes and all, each with the byte offset of its first
/// character in the file. Between two pieces stands one substitution; the caller fills in [`SqlText::holes`].
pub(crate) fn parse(parts: &[(&str, u32)], file: FileId) -> Option<SqlText> {
    let (first, _) = parts.iter().find(|(part, _)| !part.trim().is_empty())?;
    if starts_like_sql(first) { read(text::parts(parts, file), file) } else { None }
}

/// As [`parse`], for a text that a program puts together of several.
pub(crate) fn joined(parts: &[SqlPart], file: FileId) -> Option<SqlText> {
    let first = parts.iter().find_map(|part| match part {
        SqlPart::Written(text, _) | SqlPart::Put(text, _) if !text.trim().is_empty() => Some(text),
        _ => None,
    })?;
    if starts_like_sql(first) { read(parts.to_vec(), file) } else { None }
}

fn read(parts: Vec<SqlPart>, file: FileId) -> Option<SqlText> {
    let text = Text::of_parts(&parts, file);
    let likelihood = judge(&text.sql);
    if likelihood == Likelihood::No {
        return None;
    }
    let mut statements = Vec::new();
    let mut gap = None;
    let mut routines = Routines::default();
    for range in split::statements(&text.sql) {
        let (found, why) = if routine::is_one(&Tokens::of(&text.sql, range.clone())) {
            routine(&text, range, &mut routines)
        } else {
            reduce(&text, range)
        };
        statements.extend(found);
        gap = gap.or(why);
    }
    if likelihood == Likelihood::Maybe && gap.is_some() && statements.is_empty() {
        return None;
    }
    let names = text.names();
    let fragments = text.fragments;
    Some(SqlText { statements, names, fragments, parts, routines, gap, ..SqlText::default() })
}

/// As [`parse`], for a text that a tag says to be SQL: it may be no statement, but a part that is put into one.
pub(crate) fn parse_part(parts: &[(&str, u32)], file: FileId) -> SqlText {
    const BEFORE: &str = "UPDATE t SET ";
    let own = text::parts(parts, file);
    let part = SqlText { parts: own, ..SqlText::default() };
    // What stands before the part is taken from the place of what really stands there, so that places stay those of the file.
    let Some(((first, at), rest)) = parts.split_first() else { return part };
    let Some(at) = u32::try_from(BEFORE.len()).ok().and_then(|length| at.checked_sub(length)) else { return part };
    let whole = format!("{BEFORE}{first}");
    let pieces: Vec<(&str, u32)> = std::iter::once((whole.as_str(), at)).chain(rest.iter().copied()).collect();
    match parse(&pieces, file) {
        Some(SqlText { mut statements, gap: None, .. }) if !statements.is_empty() => match statements.swap_remove(0) {
            SqlStatement::Update { sets, .. } => SqlText { assignments: sets, ..part },
            _ => part,
        },
        _ => part,
    }
}

/// The tables that a text of a program creates, changes or drops, if it starts with that; not those whose names are put in at run
/// time.
pub(crate) fn tables(parts: &[(&str, u32)], file: FileId) -> Vec<Table> {
    const CHANGES: [&str; 3] = ["CREATE", "ALTER", "DROP"];
    let word = parts.iter().find_map(|(part, _)| part.split_whitespace().next()).unwrap_or_default();
    if !CHANGES.iter().any(|change| change.eq_ignore_ascii_case(word)) {
        return Vec::new();
    }
    let own = text::parts(parts, file);
    let text = Text::of_parts(&own, file);
    let mut found = Vec::new();
    for range in split::statements(&text.sql) {
        let piece = Piece::new(&text, range.clone());
        match piece.parse() {
            Ok(parsed) => found.extend(parsed.iter().flat_map(|statement| ddl::tables(statement, &piece))),
            Err(_) => found.extend(ddl::light(&text, range.clone())),
        }
    }
    found.retain(|table| !table.name.contains('$'));
    found
}

/// What the triggers that a program's texts create write, once the whole file is lowered.
pub(crate) fn join_triggers(module: &mut Module, source: &str) {
    triggers::join(module, source);
}

/// A `.sql` file. A statement that is not understood is a gap with its line; the others still count.
pub(crate) fn lower(id: FileId, text: &str) -> Module {
    file::lower(id, text)
}

/// One statement of a text, and what of it could not be told.
fn reduce(text: &Text, range: Range<usize>) -> (Vec<SqlStatement>, Option<String>) {
    let piece = Piece::new(text, range.clone());
    match piece.parse() {
        Ok(parsed) => {
            let mut reducer = Reducer::new(&piece);
            for statement in &parsed {
                reducer.statement(statement);
            }
            (reducer.found, reducer.gap)
        }
        Err(why) => (fallback::statements(text, range), Some(why)),
    }
}

/// The statements in the body of a routine, and what of it could not be told.
fn routine(text: &Text, range: Range<usize>, routines: &mut Routines) -> (Vec<SqlStatement>, Option<String>) {
    let mut statements = Vec::new();
    let mut gap = None;
    for found in routine::read(text, range, routines) {
        match found.statements {
            Ok(own) => statements.extend(own),
            Err(why) => {
                statements.extend(fallback::statements(text, found.range));
                gap.get_or_insert(why);
            }
        }
    }
    (statements, gap)
}
