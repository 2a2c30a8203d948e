//! What the bodies of functions, procedures and triggers write.
//!
//! A body is read for the statements in it, wherever control flow puts them; `NEW.column := value` of a trigger function is
//! a write of the table whose trigger runs the function.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::frontend::sql::ast::Piece;
use crate::frontend::sql::lex::{Kind, Tokens, unquote};
use crate::frontend::sql::relation::Scope;
use crate::frontend::sql::statement::Reducer;
use crate::frontend::sql::text::Text;
use crate::frontend::sql::value::Values;
use crate::ir::{Assigned, By, Conflict, Routines, SqlStatement, SqlValue, SqlValueKind, Trigger};

/// A statement in a body, or why it is not understood.
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) statements: Result<Vec<SqlStatement>, String>,
}

/// The index of the word that says what a `CREATE`, `ALTER` or `DROP` is about.
pub(crate) fn kind(tokens: &Tokens<'_>) -> usize {
    let fillers =
        ["OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "CONSTRAINT", "DEFINER", "AGGREGATE"];
    let mut kind = 1;
    while tokens.is_any(kind, &fillers) {
        kind += 1;
    }
    kind
}

/// Whether a statement, by its first words, has a body of statements, or is a trigger that runs one.
pub(crate) fn is_one(tokens: &Tokens<'_>) -> bool {
    let kind = kind(tokens);
    let is_routine = |at: usize| tokens.is_any(at, &["FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"]);
    (tokens.is(0, "CREATE") && (kind..kind + 8).any(is_routine)) || tokens.is(0, "DO")
}

/// The statements of a `CREATE FUNCTION`, `CREATE TRIGGER`, `CREATE PROCEDURE` or `DO`.
pub(crate) fn read(text: &Text, range: Range<usize>, routines: &mut Routines) -> Vec<Found> {
    let tokens = Tokens::of(&text.sql, range);
    let end = tokens.list.len();
    let limit = end.min(12);
    let kind = (0..limit).find(|at| tokens.is_any(*at, &["FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"]));
    let name_at = kind.map(|at| {
        let mut at = at + 1;
        while tokens.is_any(at, &["IF", "NOT", "EXISTS"]) {
            at += 1;
        }
        at
    });
    let after_name = name_at.and_then(|at| tokens.name(at));
    let name = after_name.map(|after| unquote(tokens.text(after - 1))).unwrap_or_default();
    let mut by = By::Function(name);
    if kind.is_some_and(|at| tokens.is(at, "TRIGGER")) {
        let from = after_name.unwrap_or(0);
        let on = tokens.find_at_top(from, end, &["ON"]);
        let Some(after_table) = tokens.name(on + 1) else { return Vec::new() };
        let table = unquote(tokens.text(after_table - 1));
        let inserts = (from..on).any(|at| tokens.is(at, "INSERT"));
        let run = tokens.find_at_top(after_table, end, &["EXECUTE"]);
        if let Some(after) = tokens.name(run + 2).filter(|_| tokens.is_any(run + 1, &["FUNCTION", "PROCEDURE"])) {
            routines.triggers.push((Trigger { table, inserts }, unquote(tokens.text(after - 1))));
            return Vec::new();
        }
        by = By::Trigger(Trigger { table, inserts });
    }
    let mut variables = after_name.map(|at| names_in_parentheses(&tokens, at)).unwrap_or_default();
    let is_body = |at: &usize| match tokens.kind(*at) {
        Some(Kind::Dollar) => true,
        Some(Kind::Text) => *at > 0 && tokens.is(at - 1, "AS"),
        Some(Kind::Word) => {
            let follows_row = tokens.is(at.saturating_sub(1), "ROW");
            tokens.is(*at, "BEGIN") || (follows_row && (is_write(&tokens, *at) || tokens.is(*at, "SET")))
        }
        _ => false,
    };
    let Some(at) = (0..end).find(is_body) else { return Vec::new() };
    let body = match tokens.kind(at) {
        Some(Kind::Dollar) => inside_dollars(&text.sql, tokens.list[at].range()),
        Some(Kind::Text) => tokens.list[at].start + 1..tokens.list[at].end.saturating_sub(1),
        _ => tokens.list[at].start..tokens.list[end - 1].end,
    };
    let body = Tokens::of(&text.sql, body);
    variables.extend(declared(&body));
    Body { text, tokens: body, variables, by }.read(routines)
}

fn inside_dollars(sql: &str, range: Range<usize>) -> Range<usize> {
    let quoted = sql.get(range.clone()).unwrap_or("");
    let tag = quoted.get(1..).and_then(|rest| rest.find('$')).map_or(0, |at| at + 2);
    let end = if quoted.len() >= 2 * tag { range.end - tag } else { range.end };
    (range.start + tag).min(end)..end
}

/// The names of parameters: the first word of each part of the first parentheses, after its mode.
fn names_in_parentheses(tokens: &Tokens<'_>, at: usize) -> BTreeSet<String> {
    if !tokens.punct(at, b'(') {
        return BTreeSet::new();
    }
    let parts = tokens.comma_separated(at + 1..tokens.closing(at).min(tokens.list.len()));
    let names = parts.into_iter().map(|part| {
        let has_mode = tokens.is_any(part.start, &["IN", "OUT", "INOUT", "VARIADIC"]) && part.len() > 2;
        let name = if has_mode { part.start + 1 } else { part.start };
        unquote(tokens.text(name)).to_ascii_lowercase()
    });
    names.collect()
}

/// The names of a `DECLARE` section.
fn declared(tokens: &Tokens<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_declaring = false;
    for at in 0..tokens.list.len() {
        if tokens.is(at, "DECLARE") {
            is_declaring = true;
        } else if tokens.is(at, "BEGIN") {
            is_declaring = false;
        }
        let starts = tokens.is(at.wrapping_sub(1), "DECLARE") || (at > 0 && tokens.punct(at - 1, b';'));
        if is_declaring && starts && tokens.kind(at) == Some(Kind::Word) && !tokens.is(at, "DECLARE") {
            names.insert(tokens.text(at).to_ascii_lowercase());
        }
    }
    names
}

fn is_write(tokens: &Tokens<'_>, at: usize) -> bool {
    tokens.is_any(at, &["INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "REPLACE", "TRUNCATE"])
}

struct Body<'a> {
    text: &'a Text,
    tokens: Tokens<'a>,
    /// Parameters and variables, in lower case: no columns.
    variables: BTreeSet<String>,
    by: By,
}

impl Body<'_> {
    fn read(&self, routines: &mut Routines) -> Vec<Found> {
        let tokens = &self.tokens;
        let mut found = Vec::new();
        let mut at = 0;
        while at < tokens.list.len() {
            if self.starts_statement(at) && is_write(tokens, at) {
                let end = self.end(at);
                let statement = self.statement(at..end);
                for statement in statement.statements.iter().flatten() {
                    if let SqlStatement::Update { table, sets, .. } = statement {
                        let columns = sets.iter().map(|(column, _)| column.clone()).collect();
                        routines.updated.push((self.by.clone(), table.clone(), columns));
                    }
                }
                found.push(statement);
                at = end;
            } else if tokens.is(at, "NEW") && tokens.punct(at + 1, b'.') && self.assigns(at + 3).is_some() {
                let value = self.assigns(at + 3).unwrap_or(at + 4);
                let end = self.end(value);
                self.assignment(at, value..end, routines);
                at = end;
            } else if tokens.is(at, "EXECUTE") {
                // SQL that the routine puts together.
                let end = self.end(at);
                let range = tokens.bytes(at..end);
                let upper = self.text.sql.get(range.clone()).unwrap_or("").to_ascii_uppercase();
                if upper.contains("UPDATE ") || upper.contains("INSERT ") {
                    found.push(Found { range, statements: Err("SQL put together by a routine".to_owned()) });
                }
                at = end.max(at + 1);
            } else {
                at += 1;
            }
        }
        found
    }

    fn starts_statement(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return true };
        let after = ["BEGIN", "THEN", "ELSE", "LOOP", "DO", "ATOMIC", "QUERY", "ROW", "REPEAT"];
        self.tokens.punct(before, b';') || self.tokens.is_any(before, &after)
    }

    /// The index of the `;` that ends a statement, or of a `RETURNING` whose `INTO` is a variable.
    fn end(&self, from: usize) -> usize {
        let mut depth = 0usize;
        for at in from..self.tokens.list.len() {
            if self.tokens.punct(at, b'(') {
                depth += 1;
            } else if self.tokens.punct(at, b')') {
                depth = depth.saturating_sub(1);
            } else if self.tokens.punct(at, b';') || (depth == 0 && at > from && self.tokens.is(at, "RETURNING")) {
                return at;
            }
        }
        self.tokens.list.len()
    }

    /// Where the value begins if the assignment's sign is at `at`.
    fn assigns(&self, at: usize) -> Option<usize> {
        if self.tokens.punct(at, b':') && self.tokens.punct(at + 1, b'=') {
            return Some(at + 2);
        }
        let column = at.checked_sub(3)?;
        let sets = self.starts_statement(column) || self.tokens.is(column.wrapping_sub(1), "SET");
        (self.tokens.punct(at, b'=') && sets).then_some(at + 1)
    }

    fn statement(&self, tokens: Range<usize>) -> Found {
        let range = self.tokens.bytes(tokens);
        let piece = Piece::new(self.text, range.clone());
        let statements = piece.parse().and_then(|parsed| {
            let mut reducer = Reducer::new(&piece);
            for statement in &parsed {
                reducer.statement(statement);
            }
            let mut statements = reducer.found;
            for statement in &mut statements {
                self.tell_variables(statement);
            }
            reducer.gap.map_or(Ok(statements), Err)
        });
        Found { range, statements }
    }

    fn assignment(&self, at: usize, value: Range<usize>, routines: &mut Routines) {
        let column = unquote(self.tokens.text(at + 2));
        let range = self.tokens.bytes(at..value.end);
        let bytes = self.tokens.bytes(value);
        let piece = Piece::new(self.text, bytes.clone());
        let mut read = match piece.parse_expr() {
            Ok(expr) => Values { piece: &piece }.value(&expr, &Scope::default()),
            Err(_) => SqlValue {
                kind: SqlValueKind::Opaque(self.text.sql.get(bytes).unwrap_or("").chars().take(200).collect()),
                span: piece.whole(),
            },
        };
        self.name_variables(&mut read);
        let span = self.text.span(range);
        routines.assigned.push(Assigned { by: self.by.clone(), span, column, value: read });
    }

    fn tell_variables(&self, statement: &mut SqlStatement) {
        match statement {
            SqlStatement::Insert { rows, conflict, .. } => {
                rows.iter_mut().flatten().for_each(|value| self.name_variables(value));
                if let Some(Conflict::Update(sets)) = conflict {
                    for (_, value) in sets {
                        self.name_variables(value);
                    }
                }
            }
            SqlStatement::Update { sets, .. } => sets.iter_mut().for_each(|(_, value)| self.name_variables(value)),
            SqlStatement::Select { .. } | SqlStatement::Delete { .. } => {}
        }
    }

    fn name_variables(&self, value: &mut SqlValue) {
        match &mut value.kind {
            SqlValueKind::Column(name) if self.variables.contains(&name.to_ascii_lowercase()) => {
                value.kind = SqlValueKind::Named(std::mem::take(name));
            }
            SqlValueKind::Call { args, .. }
            | SqlValueKind::Coalesce(args)
            | SqlValueKind::Case(args)
            | SqlValueKind::Concat(args) => args.iter_mut().for_each(|value| self.name_variables(value)),
            _ => {}
        }
    }
}
