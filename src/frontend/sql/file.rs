//! A `.sql` file, statement by statement.

use std::ops::Range;

use crate::frontend::sql::ast::Piece;
use crate::frontend::sql::lex::{Kind, Lexer, Tokens};
use crate::frontend::sql::routine;
use crate::frontend::sql::text::Text;
use crate::frontend::sql::{ddl, fallback, reduce, split, triggers};
use crate::ir::{Assignment, ExprKind, FunctionId, Module, Routines, SqlStatement, SqlText, Stmt};
use crate::source::{FileId, Gap};

pub(crate) fn lower(id: FileId, sql: &str) -> Module {
    let text = Text::of_file(sql, id);
    let mut file = File {
        text: &text,
        module: Module::new(id),
        routines: Routines::default(),
        lines: Lines::of(sql),
        undoing: undoing(sql),
    };
    if let Some(body) = file.module.functions.first_mut() {
        body.span = text.span(0..sql.len());
    }
    for range in split::statements(sql) {
        file.statement(range);
    }
    file.finish()
}

struct File<'a> {
    text: &'a Text,
    module: Module,
    routines: Routines,
    lines: Lines,
    undoing: Vec<Range<usize>>,
}

/// The sections that undo a migration, as the comments of migration tools mark them.
fn undoing(sql: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from: Option<usize> = None;
    let mut at = 0;
    for line in sql.split_inclusive('\n') {
        let mark = line.trim().strip_prefix("--").map(|mark| mark.trim().to_ascii_lowercase()).unwrap_or_default();
        let is = |marks: &[&str]| marks.iter().any(|known| mark.starts_with(known));
        if is(&["+goose down", "+migrate down", "migrate:down", "//@undo"]) {
            from.get_or_insert(at);
        } else if is(&["+goose up", "+migrate up", "migrate:up"])
            && let Some(start) = from.take()
        {
            found.push(start..at);
        }
        at += line.len();
    }
    found.extend(from.map(|start| start..sql.len()));
    found
}

/// Offsets at which lines start.
struct Lines(Vec<usize>);

impl Lines {
    fn of(sql: &str) -> Self {
        let starts = memchr::memchr_iter(b'\n', sql.as_bytes()).map(|at| at + 1);
        Self(std::iter::once(0).chain(starts).collect())
    }

    /// The 1-based line that holds a byte.
    fn line(&self, at: usize) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= at)).unwrap_or(u32::MAX)
    }
}

/// What the first words of a statement say it is.
enum Matter {
    Rows,
    Table,
    Routine,
    /// It neither writes rows nor changes columns.
    None,
    /// No word that starts a statement.
    Unknown,
}

const ROWS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "REPLACE", "MERGE", "TRUNCATE", "EXPLAIN"];

const NO_MATTER: &[&str] = &[
    "BEGIN",
    "COMMIT",
    "END",
    "START",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "SET",
    "RESET",
    "SHOW",
    "USE",
    "GRANT",
    "REVOKE",
    "COMMENT",
    "ANALYZE",
    "VACUUM",
    "REINDEX",
    "CLUSTER",
    "COPY",
    "LOCK",
    "UNLOCK",
    "PRAGMA",
    "ATTACH",
    "DETACH",
    "REFRESH",
    "NOTIFY",
    "LISTEN",
    "DISCARD",
    "DEALLOCATE",
    "CREATE",
    "ALTER",
    "DROP",
    "GO",
    "PRINT",
    "ABORT",
    "SECURITY",
    "REASSIGN",
    "IMPORT",
    "CHECKPOINT",
    "LOAD",
    "FLUSH",
    "OPTIMIZE",
    "VALUES",
    "EXIT",
    "DECLARE",
];

fn matter(tokens: &Tokens<'_>) -> Matter {
    let first = usize::from(tokens.punct(0, b'('));
    let is_prepared = tokens.is(0, "PREPARE") && (0..tokens.list.len()).any(|at| tokens.is(at, "AS"));
    if tokens.is_any(first, ROWS) || is_prepared {
        return Matter::Rows;
    }
    let is_ddl = tokens.is_any(0, &["CREATE", "ALTER", "DROP", "RENAME"]);
    let kind = if is_ddl { routine::kind(tokens) } else { 1 };
    if is_ddl && tokens.is(kind, "TABLE") {
        Matter::Table
    } else if tokens.is(0, "CREATE") && tokens.is_any(kind, &["VIEW", "MATERIALIZED"]) {
        Matter::Rows
    } else if routine::is_one(tokens) {
        Matter::Routine
    } else if tokens.is_any(0, NO_MATTER) || tokens.is_any(0, &["CALL", "EXECUTE", "EXEC", "PREPARE"]) {
        Matter::None
    } else {
        Matter::Unknown
    }
}

impl File<'_> {
    fn gap(&mut self, at: usize, why: String) {
        self.module.gaps.push(Gap { path: String::new(), line: self.lines.line(at), why });
    }

    fn statement(&mut self, range: Range<usize>) {
        // The first words decide; a large seed is not read twice for them.
        let head = Lexer::new(&self.text.sql.as_bytes()[..range.end], range.start).take(12).collect();
        let tokens = Tokens { sql: &self.text.sql, list: head };
        match matter(&tokens) {
            Matter::Rows => self.rows(range),
            Matter::Table => self.table(range),
            Matter::Routine => self.routine(range),
            Matter::None => {}
            Matter::Unknown => {
                let is_word = tokens.kind(0) == Some(Kind::Word);
                let first = if is_word { tokens.text(0).chars().take(40).collect() } else { String::new() };
                self.gap(range.start, format!("SQL not understood: no statement starts like this: {first}"));
            }
        }
    }

    fn rows(&mut self, range: Range<usize>) {
        let (statements, why) = reduce(self.text, range.clone());
        self.push(range, statements, why);
    }

    fn push(&mut self, range: Range<usize>, statements: Vec<SqlStatement>, why: Option<String>) {
        if let Some(why) = &why {
            self.gap(range.start, why.clone());
        }
        if statements.is_empty() && why.is_none() {
            return;
        }
        let span = self.text.span(range);
        let sql = SqlText { statements, gap: why, ..SqlText::default() };
        let expr = self.module.add(ExprKind::Sql(Box::new(sql)), span);
        if let Some(body) = self.module.functions.get_mut(FunctionId(0).at()) {
            body.body.push(Stmt::Expr(expr));
        }
    }

    fn table(&mut self, range: Range<usize>) {
        if self.undoing.iter().any(|section| section.contains(&range.start)) {
            return;
        }
        let piece = Piece::new(self.text, range.clone());
        match piece.parse() {
            Ok(parsed) => {
                for statement in &parsed {
                    self.module.tables.extend(ddl::tables(statement, &piece));
                }
            }
            Err(why) => {
                self.module.tables.extend(ddl::light(self.text, range.clone()));
                self.gap(range.start, why);
            }
        }
    }

    fn routine(&mut self, range: Range<usize>) {
        for found in routine::read(self.text, range, &mut self.routines) {
            match found.statements {
                Ok(statements) => self.push(found.range, statements, None),
                Err(why) => {
                    let statements = fallback::statements(self.text, found.range.clone());
                    if statements.is_empty() {
                        self.gap(found.range.start, why);
                    } else {
                        self.push(found.range, statements, Some(why));
                    }
                }
            }
        }
    }

    /// Triggers and the functions they run are joined when the whole file is read.
    fn finish(mut self) -> Module {
        let routines = std::mem::take(&mut self.routines);
        triggers::fill(&mut self.module, &routines);
        for assigned in routines.assigned.clone() {
            let Assignment { span, name, updates } = routines.assignment(assigned);
            let range = span.start as usize..span.end as usize;
            if updates.is_empty() {
                self.gap(range.start, triggers::unjoined(&name));
            } else {
                self.push(range, updates, None);
            }
        }
        self.module
    }
}
