//! Whether a text of a program is SQL or prose.

use crate::frontend::sql::lex::{Kind, Tokens};
use crate::frontend::sql::text::hole;

/// How sure it is that a text is SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likelihood {
    No,
    /// SQL if it parses.
    Maybe,
    Yes,
}

use Likelihood::{Maybe, No, Yes};

const FIRST: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "REPLACE", "MERGE", "CREATE", "ALTER", "DROP", "TRUNCATE", "BEGIN",
    "DO",
];

/// Words of prose that no table is called.
const ARTICLES: &[&str] = &[
    "the", "a", "an", "your", "this", "that", "my", "our", "their", "his", "her", "its", "these", "those", "any",
    "every", "each", "it", "you", "me", "us", "them", "and", "or",
];

/// Whether the text starts with a word that starts SQL; reads only the first few bytes of most texts.
pub(crate) fn starts_like_sql(text: &str) -> bool {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(' || c == ';');
    let length = start.bytes().take_while(u8::is_ascii_alphabetic).count();
    let word = &start[..length];
    FIRST.iter().any(|first| first.eq_ignore_ascii_case(word)) || start.starts_with("--") || start.starts_with("/*")
}

/// Judges a whole text by its first statement.
pub(crate) fn judge(sql: &str) -> Likelihood {
    let tokens = Tokens::of(sql, 0..sql.len());
    let mut first = 0;
    while tokens.punct(first, b'(') || tokens.punct(first, b';') {
        first += 1;
    }
    if tokens.is(first, "BEGIN") {
        first += 1;
        while tokens.is_any(first, &["TRANSACTION", "IMMEDIATE", "EXCLUSIVE", "WORK"]) {
            first += 1;
        }
        if !tokens.punct(first, b';') {
            return No;
        }
        first += 1;
    }
    let word = tokens.text(first);
    if tokens.kind(first) != Some(Kind::Word) || !FIRST.iter().any(|known| known.eq_ignore_ascii_case(word)) {
        return No;
    }
    let found = shape(&tokens, first);
    if found == No || is_one_case(word) {
        return found;
    }
    // `Select ...`: prose starts like this far more often than SQL.
    if has_evidence(&tokens) { Maybe } else { No }
}

fn is_one_case(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase()) || word.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn has_evidence(tokens: &Tokens<'_>) -> bool {
    tokens
        .list
        .iter()
        .any(|token| matches!(token.kind, Kind::Placeholder | Kind::Text | Kind::Punct(b'*' | b'=' | b'(' | b';')))
}

fn shape(tokens: &Tokens<'_>, first: usize) -> Likelihood {
    let next = first + 1;
    match tokens.text(first).to_ascii_uppercase().as_str() {
        "SELECT" => select(tokens, next),
        "INSERT" | "REPLACE" => insert(tokens, next),
        "UPDATE" => update(tokens, next),
        "DELETE" => delete(tokens, next),
        "WITH" => with(tokens, next),
        "MERGE" => {
            let table = if tokens.is(next, "INTO") { next + 1 } else { next };
            yes(table_name(tokens, table).is_some()
                && tokens.list.iter().enumerate().any(|(at, _)| tokens.is(at, "USING")))
        }
        "TRUNCATE" => {
            let table = if tokens.is(next, "TABLE") { next + 1 } else { next };
            yes(table_name(tokens, table).is_some_and(|after| tokens.get(after).is_none() || tokens.punct(after, b';')))
        }
        "CREATE" => create(tokens, next),
        "DO" => {
            let body = if tokens.is(next, "LANGUAGE") { next + 2 } else { next };
            yes(tokens.kind(body) == Some(Kind::Dollar))
        }
        "ALTER" => {
            let table = skip(tokens, next + 1, &["IF", "EXISTS", "ONLY"]);
            let acts = ["ADD", "DROP", "ALTER", "RENAME", "MODIFY", "CHANGE", "OWNER", "SET", "ENABLE", "DISABLE"];
            let named = table_name(tokens, table);
            let act = named.is_some_and(|after| tokens.is_any(after, &acts));
            yes(tokens.is_any(next, &["TABLE", "TYPE", "INDEX", "SEQUENCE"]) && act)
        }
        "DROP" => {
            let kinds = ["TABLE", "INDEX", "VIEW", "TYPE", "TRIGGER", "FUNCTION", "SCHEMA", "SEQUENCE", "DATABASE"];
            let name = skip(tokens, next + 1, &["IF", "EXISTS", "CONCURRENTLY"]);
            let ends = table_name(tokens, name).is_some_and(|after| {
                tokens.get(after).is_none()
                    || tokens.punct(after, b';')
                    || tokens.punct(after, b',')
                    || tokens.is_any(after, &["CASCADE", "RESTRICT", "ON"])
                    || tokens.punct(after, b'(')
            });
            yes(tokens.is_any(next, &kinds) && ends)
        }
        _ => No,
    }
}

fn yes(holds: bool) -> Likelihood {
    if holds { Yes } else { No }
}

fn skip(tokens: &Tokens<'_>, from: usize, words: &[&str]) -> usize {
    let mut at = from;
    while tokens.is_any(at, words) {
        at += 1;
    }
    at
}

/// The index after a table's name that is no word of prose.
fn table_name(tokens: &Tokens<'_>, at: usize) -> Option<usize> {
    let is_article =
        tokens.kind(at) == Some(Kind::Word) && ARTICLES.iter().any(|word| word.eq_ignore_ascii_case(tokens.text(at)));
    if is_article { None } else { tokens.name(at) }
}

fn create(tokens: &Tokens<'_>, next: usize) -> Likelihood {
    let fillers = ["OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "UNIQUE", "MATERIALIZED", "GLOBAL", "LOCAL"];
    let kind = skip(tokens, next, &fillers);
    let name = skip(tokens, kind + 1, &["IF", "NOT", "EXISTS", "CONCURRENTLY"]);
    if tokens.is(kind, "TABLE") {
        let after = table_name(tokens, name);
        return yes(after.is_some_and(|at| tokens.punct(at, b'(') || tokens.is_any(at, &["AS", "LIKE", "PARTITION"])));
    }
    let kinds = ["INDEX", "VIEW", "TRIGGER", "FUNCTION", "PROCEDURE", "TYPE", "EXTENSION", "SCHEMA", "SEQUENCE"];
    let body = ["AS", "ON", "BEFORE", "AFTER", "INSTEAD", "RETURNS"];
    let shaped = (name..name + 8).any(|at| tokens.punct(at, b'(') || tokens.is_any(at, &body));
    if tokens.is_any(kind, &kinds) && table_name(tokens, name).is_some() && shaped { Maybe } else { No }
}

fn select(tokens: &Tokens<'_>, next: usize) -> Likelihood {
    let end = tokens.list.len();
    let from = tokens.find_at_top(next, end, &["FROM"]);
    let evidence = has_evidence(tokens);
    let is_upper = tokens.text(next.saturating_sub(1)).bytes().all(|byte| byte.is_ascii_uppercase());
    if from == end {
        let is_value = matches!(tokens.kind(next), Some(Kind::Number | Kind::Placeholder | Kind::Text));
        let ends = tokens.get(next + 1).is_none() || tokens.punct(next + 1, b',') || tokens.punct(next + 1, b';');
        let calls = tokens.name(next).is_some_and(|after| tokens.punct(after, b'('));
        let is_partial = tokens.punct(next, b'*') || tokens.punct(next + 1, b',');
        return if (is_value && ends) || calls || (is_upper && is_partial) { Maybe } else { No };
    }
    let plain = matches!(tokens.kind(from + 1), Some(Kind::Word | Kind::Quoted));
    if plain && table_name(tokens, from + 1).is_none() {
        return No;
    }
    if !plain && !tokens.punct(from + 1, b'(') {
        // `SELECT .. FROM` with the table still to come.
        return if is_upper && tokens.get(from + 1).is_none() { Yes } else { No };
    }
    if evidence || is_upper {
        return Yes;
    }
    let modifiers = ["AS", "DISTINCT", "ALL", "CASE", "WHEN", "THEN", "ELSE", "END", "NOT", "AND", "OR"];
    let is_bare = |at: usize| tokens.kind(at) == Some(Kind::Word) && !tokens.is_any(at, &modifiers);
    let is_prose = (next..from.saturating_sub(1)).any(|at| is_bare(at) && is_bare(at + 1));
    if is_prose { No } else { Yes }
}

fn insert(tokens: &Tokens<'_>, next: usize) -> Likelihood {
    let fillers = ["OR", "REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"];
    let mut at = skip(tokens, next, &fillers);
    let has_into = tokens.is(at, "INTO") || tokens.is(at, "OVERWRITE");
    if has_into {
        at = skip(tokens, at + 1, &["TABLE", "ONLY"]);
    }
    let Some(after) = table_name(tokens, at) else { return No };
    let is_upper = tokens.text(next.saturating_sub(1)).bytes().all(|byte| byte.is_ascii_uppercase());
    let goes_on = tokens.punct(after, b'(')
        || tokens.is_any(after, &["VALUES", "VALUE", "SELECT", "SET", "DEFAULT", "AS", "WITH", "OVERRIDING"])
        || (is_upper && tokens.get(after).is_none())
        || tokens.punct(after + 1, b'(');
    if has_into {
        yes(goes_on)
    } else if tokens.punct(after, b'(') && tokens.is_any(tokens.closing(after) + 1, &["VALUES", "VALUE", "SELECT"]) {
        Yes
    } else {
        No
    }
}

fn update(tokens: &Tokens<'_>, next: usize) -> Likelihood {
    let at = skip(tokens, next, &["OR", "REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK", "ONLY", "LOW_PRIORITY"]);
    let Some(after) = table_name(tokens, at) else { return No };
    let end = tokens.list.len();
    let set = tokens.find_at_top(after, end, &["SET"]);
    if set == end {
        return No;
    }
    let target = set + 1;
    let is_upper = tokens.is(set, "SET") && tokens.text(set) == "SET";
    let is_set = match tokens.name(target) {
        Some(past) => tokens.punct(past, b'=') || hole(tokens.text(target)).is_some(),
        // `SET ?`: the client makes assignments out of an object.
        None if tokens.kind(target) == Some(Kind::Placeholder) => true,
        None => tokens.punct(target, b'(') || (is_upper && tokens.get(target).is_none()),
    };
    yes(is_set)
}

fn delete(tokens: &Tokens<'_>, next: usize) -> Likelihood {
    if !tokens.is(next, "FROM") {
        return No;
    }
    let at = skip(tokens, next + 1, &["ONLY"]);
    let Some(after) = table_name(tokens, at) else { return No };
    let clauses = ["WHERE", "USING", "AS", "RETURNING", "ORDER", "LIMIT"];
    let ends = tokens.get(after).is_none() || tokens.punct(after, b';');
    let goes_on = |at: usize| tokens.is_any(at, &clauses) || hole(tokens.text(at)).is_some();
    yes(ends || goes_on(after) || tokens.is(after + 1, "WHERE"))
}

fn with(tokens: &Tokens<'_>, next: usize) -> Likelihood {
    let at = skip(tokens, next, &["RECURSIVE"]);
    let Some(mut after) = tokens.name(at) else { return No };
    if tokens.punct(after, b'(') {
        after = tokens.closing(after) + 1;
    }
    let body = skip(tokens, after + 1, &["NOT", "MATERIALIZED"]);
    yes(tokens.is(after, "AS") && tokens.punct(body, b'('))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_that_starts_with_a_word_of_sql_is_not_sql() {
        for prose in [
            "Update your profile",
            "Update your profile and set a password",
            "update the user set",
            "Select a file",
            "Select a file from the list",
            "select a file from the list",
            "select file type from menu",
            "Select an option (optional)",
            "Delete from cart",
            "Delete account",
            "delete from the list",
            "Insert into the document",
            "With love from Berlin",
            "with great power",
            "Create a table (optional)",
            "Create table view",
            "Drop table here",
            "Drop your files",
            "Replace into",
            "Merge into main",
            "Alter ego",
            "Begin",
            "select",
            "update",
            "",
            "Delete from __hole0__",
        ] {
            assert_eq!(judge(prose), No, "{prose}");
        }
    }

    #[test]
    fn sql_is_sql_in_either_case() {
        for sql in [
            "SELECT * FROM users",
            "select id, token from users where id = ?",
            "select token from users",
            "-- comment\nselect u.token from users u",
            "INSERT INTO users (a) VALUES (1)",
            "insert into users values (1)",
            "insert or replace into users (a) values (?)",
            "INSERT INTO users",
            "UPDATE users SET a = 1",
            "update \"User\" u set a = 1",
            "update users set __hole0__ where id = 1",
            "UPDATE users SET (a, b) = (1, 2)",
            "UPDATE users SET ? WHERE id = ?",
            "DELETE FROM users",
            "delete from users where id = 1",
            "WITH x AS (SELECT 1) INSERT INTO u SELECT * FROM x",
            "REPLACE INTO users VALUES (1)",
            "MERGE INTO users u USING s ON u.id = s.id WHEN MATCHED THEN DELETE",
            "CREATE TABLE users (id int)",
            "ALTER TABLE users ADD COLUMN token text",
            "DROP TABLE IF EXISTS users",
            "BEGIN; UPDATE users SET a = 1; COMMIT;",
        ] {
            assert_eq!(judge(sql), Yes, "{sql}");
        }
        assert_eq!(judge("Select * From Users"), Maybe);
        assert_eq!(judge("SELECT nextval('x')"), Maybe);
    }
}
