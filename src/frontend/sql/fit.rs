//! How the substitutions of a text are written so that it parses, and which of them stand where no value can.

use crate::frontend::sql::lex::{Kind, Tokens};
use crate::frontend::sql::text::{Piece, hole, marker, pieces};

/// Words after which an operand or a name is expected: a substitution there stands for one.
const EXPECTING: &[&str] = &[
    "SELECT",
    "FROM",
    "JOIN",
    "INTO",
    "UPDATE",
    "TABLE",
    "WHERE",
    "AND",
    "OR",
    "NOT",
    "ON",
    "BY",
    "AS",
    "SET",
    "LIMIT",
    "OFFSET",
    "THEN",
    "ELSE",
    "WHEN",
    "CASE",
    "RETURNING",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "DISTINCT",
    "ALL",
    "ANY",
    "SOME",
    "IS",
    "INTERVAL",
    "USING",
    "EXISTS",
    "HAVING",
    "DEFAULT",
    "COLUMN",
    "VALUES",
    "VALUE",
    "IN",
    "WITH",
    "DELETE",
    "ONLY",
    "EXISTS",
    "IF",
    "ADD",
    "DROP",
    "TO",
    "RENAME",
    "COLLATE",
    "ROW",
    "TOP",
    "FETCH",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "REGEXP",
    "RLIKE",
    "SIMILAR",
    "DIV",
    "MOD",
    "ESCAPE",
    "CONSTRAINT",
    "INDEX",
    "REPLACE",
    "INSERT",
    "IGNORE",
    "RECURSIVE",
    "FOR",
    "OF",
];

/// Words at which a list of assignments ends.
const AFTER_SET: &[&str] = &["WHERE", "FROM", "RETURNING", "ORDER", "LIMIT", "OUTPUT"];

/// Words after which a table is named, maybe by two substitutions in a row.
const NAMING: &[&str] = &["UPDATE", "INTO", "FROM", "JOIN", "TABLE", "ONLY"];

/// The substitutions of a text.
pub(crate) struct Fitted {
    /// How each is written.
    pub(crate) written: Vec<String>,
    /// Those that put in a part of the statement.
    pub(crate) fragments: Vec<usize>,
}

/// A part of a statement whose text decides which columns are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Assignments,
    /// The names of the columns of an `INSERT`, or the values of one of its rows.
    List,
}

/// How each substitution is written so that the text around it parses: a value, a list in parentheses, an assignment, or
/// nothing where a fragment of SQL is put in.
pub(crate) fn fit(sql: &str, holes: usize) -> Fitted {
    let tokens = Tokens::of(sql, 0..sql.len());
    let sections = sections(&tokens);
    let mut fitted = Fitted { written: (0..holes).map(marker).collect(), fragments: Vec::new() };
    // Whether the last hole was dropped: then the token before it still counts as what is before the next.
    let mut before: Option<usize> = None;
    for at in 0..tokens.list.len() {
        let section = sections[at];
        let is_word = tokens.kind(at) == Some(Kind::Word);
        let Some(which) = is_word.then(|| hole(tokens.text(at))).flatten() else {
            glued(&tokens, at, section, &mut fitted);
            before = Some(at);
            continue;
        };
        let Some(slot) = fitted.written.get_mut(which) else { continue };
        let Some(previous) = before else {
            before = Some(at);
            continue;
        };
        let plain = marker(which);
        let goes_on = tokens.punct(at + 1, b'=') || tokens.punct(at + 1, b'.') || tokens.punct(at + 1, b'(');
        let starts = tokens.is(previous, "SET")
            || (section == Some(Section::Assignments) && tokens.punct(previous, b',') && sections[previous] == section);
        if tokens.is_any(previous, &["VALUES", "VALUE", "IN"]) {
            *slot = format!("({plain})");
            if tokens.is(previous, "IN") {
                before = Some(at);
                continue;
            }
        } else if starts {
            if !goes_on {
                *slot = format!("{plain} = {plain}");
            }
        } else if let Some(table) = insert_table(&tokens, previous) {
            let is_list = tokens.is_any(at + 1, &["VALUES", "VALUE", "SELECT", "DEFAULT", "SET", "AS"])
                || tokens.punct(at + 1, b'(');
            *slot = if table && !is_list { format!("({plain}) VALUES ({plain})") } else { format!("({plain})") };
        } else if ends_operand(&tokens, previous) {
            fitted.fragments.push(which);
            *slot = added(&plain, section);
            if slot.is_empty() {
                continue;
            }
            before = Some(at);
            continue;
        } else {
            // `(${names})`: several at once.
            if section == Some(Section::List) && tokens.punct(previous, b'(') && tokens.punct(at + 1, b')') {
                fitted.fragments.push(which);
            }
            before = Some(at);
            continue;
        }
        fitted.fragments.push(which);
        before = Some(at);
    }
    fitted
}

/// What a fragment behind an operand is taken for where it cannot be told.
fn added(plain: &str, section: Option<Section>) -> String {
    match section {
        Some(Section::Assignments) => format!(", {plain} = {plain}"),
        Some(Section::List) => format!(", {plain}"),
        None => String::new(),
    }
}

/// `$2${more}`, `email${more}`, `${value}${more}`: what stands right behind a word.
fn glued(tokens: &Tokens<'_>, at: usize, section: Option<Section>, fitted: &mut Fitted) {
    if !matches!(tokens.kind(at), Some(Kind::Word | Kind::Placeholder | Kind::Number)) {
        return;
    }
    let pieces = pieces(tokens.text(at));
    let [first, .., Piece::Hole(which)] = pieces.as_slice() else { return };
    let Some(slot) = fitted.written.get_mut(*which) else { return };
    fitted.fragments.push(*which);
    let is_value = match first {
        Piece::Text(first) => {
            first.trim_start_matches(['$', ':', '@']).starts_with(|first: char| first.is_ascii_digit())
        }
        Piece::Hole(_) => {
            at.checked_sub(1).is_some_and(|before| !tokens.is_any(before, NAMING) && !tokens.punct(before, b'.'))
        }
    };
    if is_value && pieces.len() == 2 {
        *slot = added(&marker(*which), section);
        if slot.is_empty() {
            slot.push(' ');
        }
    }
}

/// In which section each token stands, if in none of its parentheses.
fn sections(tokens: &Tokens<'_>) -> Vec<Option<Section>> {
    let end = tokens.list.len();
    let mut found = vec![None; end];
    let mut updates = false;
    for at in 0..end {
        updates |= tokens.is(at, "UPDATE");
        let is_row = at.checked_sub(1).is_some_and(|word| tokens.is_any(word, &["VALUES", "VALUE"]));
        let inserts = at.checked_sub(1).and_then(|table| insert_table(tokens, table)).is_some();
        if updates && tokens.is(at, "SET") {
            let stop = tokens.find_at_top(at + 1, end, AFTER_SET);
            // What stands last may well be the condition: `SET a = 1 ${where}`.
            mark(tokens, at + 1..stop, Section::Assignments, &mut found);
            if !tokens.is_any(stop, &["WHERE", "FROM"])
                && let Some(last) = found.get_mut(stop - 1)
            {
                *last = None;
            }
        } else if tokens.punct(at, b'(') && (inserts || is_row) {
            mark(tokens, at + 1..tokens.closing(at), Section::List, &mut found);
        }
    }
    found
}

fn mark(tokens: &Tokens<'_>, range: std::ops::Range<usize>, section: Section, found: &mut [Option<Section>]) {
    let mut depth = 0_usize;
    for at in range {
        if tokens.punct(at, b'(') {
            depth += 1;
        } else if tokens.punct(at, b')') {
            let Some(outer) = depth.checked_sub(1) else { return };
            depth = outer;
        } else if tokens.punct(at, b';') {
            return;
        } else if depth == 0 {
            found[at] = Some(section);
        }
    }
}

/// Whether token `at` ends the table's name of an `INSERT INTO name`.
fn insert_table(tokens: &Tokens<'_>, at: usize) -> Option<bool> {
    let mut first = at;
    while first >= 2 && tokens.punct(first - 1, b'.') {
        first -= 2;
    }
    let into = first.checked_sub(1)?;
    (tokens.is(into, "INTO") && tokens.name(first) == Some(at + 1)).then_some(true)
}

fn ends_operand(tokens: &Tokens<'_>, at: usize) -> bool {
    match tokens.kind(at) {
        Some(Kind::Word) => !tokens.is_any(at, EXPECTING),
        Some(Kind::Quoted | Kind::Text | Kind::Dollar | Kind::Number | Kind::Placeholder) => true,
        Some(Kind::Punct(byte)) => matches!(byte, b')' | b']' | b';'),
        None => false,
    }
}
