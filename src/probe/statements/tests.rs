use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Visit, Visitor};
use sqlparser::dialect::{MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

use super::*;

const DIALECTS: [Dialect; 4] = [
    Dialect::Sqlite,
    Dialect::Postgres { version: 150_000 },
    Dialect::Mysql { mariadb: true },
    Dialect::Mysql { mariadb: false },
];

fn counting(dialect: Dialect, table: &str, columns: &[&str], groups: &[&str]) -> Counting {
    let measured = |name: &&str| Measured { name: (*name).into(), kind: "text".into(), users: None };
    let groups = groups.iter().map(|by| group(dialect, table, by, columns).unwrap());
    Counting {
        dialect,
        from: dialect.quoted(table),
        table: table.into(),
        columns: columns.iter().map(measured).collect(),
        groups: groups.collect(),
        is_view: false,
    }
}

#[test]
fn one_statement_counts_all_columns_and_cohorts() {
    assert_eq!(
        counting(Dialect::Sqlite, "users", &["a"], &["client"]).pass(None, false),
        "SELECT (CAST(\"users\".\"client\" AS TEXT) COLLATE BINARY), count(*), count(*) - count(\"users\".\"a\"), \
         count(CASE WHEN (CAST(\"users\".\"a\" AS TEXT) COLLATE BINARY) = '' THEN 1 END), \
         count(CASE WHEN (CAST(\"users\".\"a\" AS TEXT) COLLATE BINARY) = 'null' THEN 1 END) FROM \"users\" GROUP BY 1 LIMIT 20001"
    );
}

/// Counts the places of a column that stand, and that do not stand, inside `count`.
struct Uses {
    column: &'static str,
    aggregates: u32,
    safe: u32,
    bare: u32,
}

impl Visitor for Uses {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(f) if f.name.to_string() == "count" => self.aggregates += 1,
            Expr::Identifier(name) if name.value == self.column => self.bare += 1,
            Expr::CompoundIdentifier(names) if names.last().is_some_and(|name| name.value == self.column) => {
                if self.aggregates > 0 { self.safe += 1 } else { self.bare += 1 }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(f) if f.name.to_string() == "count") {
            self.aggregates -= 1;
        }
        ControlFlow::Continue(())
    }
}

fn uses(dialect: Dialect, sql: &str, column: &'static str) -> (u32, u32) {
    let parsed = match dialect {
        // It does not know GLOB.
        Dialect::Sqlite => Parser::parse_sql(&SQLiteDialect {}, &sql.replace("GLOB", "LIKE")),
        Dialect::Postgres { .. } => Parser::parse_sql(&PostgreSqlDialect {}, sql),
        // It does not know the BINARY of MariaDB's REGEXP.
        Dialect::Mysql { .. } => Parser::parse_sql(&MySqlDialect {}, &sql.replace("REGEXP BINARY", "REGEXP")),
    };
    let statements = parsed.unwrap_or_else(|error| panic!("{error}: {sql}"));
    assert_eq!(statements.len(), 1);
    let mut uses = Uses { column, aggregates: 0, safe: 0, bare: 0 };
    let _ = statements.visit(&mut uses);
    (uses.safe, uses.bare)
}

#[test]
fn the_column_stands_only_inside_counts() {
    let column = "odd \"name\" ` ' ;--";
    for dialect in DIALECTS {
        let groups = ["client", "substr(created_at, 1, 7)", "coalesce(provider, '(none)')"];
        let counting = counting(dialect, "us\"ers", &[column, "access_token"], &groups);
        for sql in [counting.pass(Some("1 = 1"), true), counting.pass(None, false)] {
            for column in [column, "access_token"] {
                let (safe, bare) = uses(dialect, &sql, column);
                assert!(safe >= 3 && bare == 0, "{safe} {bare}: {sql}");
            }
        }
    }
    // The measure itself sees what it must see.
    let bare = "SELECT u.access_token, count(u.access_token), max(access_token) FROM u";
    assert_eq!(uses(Dialect::Sqlite, bare, "access_token"), (1, 2));
}

#[test]
fn a_cohort_by_the_tracked_column_is_refused_however_it_is_written() {
    let asked = |by| group(Dialect::Sqlite, "users", by, &["access_token"]);
    for by in [
        "access_token",
        "Access_Token",
        "substr(access_token, 1, 2)",
        "\"access_token\"",
        "(select [ACCESS_TOKEN])",
        "t.`access_token`",
    ] {
        assert!(asked(by).unwrap_err().contains("must not leave"), "{by}");
    }
    assert!(asked("access_token_kind").is_ok());
}

#[test]
fn a_cohort_by_whole_rows_is_refused_however_it_is_written() {
    let asked = |by| group(Dialect::Postgres { version: 0 }, "users", by, &["access_token"]);
    for by in [
        "users::text",
        "row_to_json(users)",
        "to_jsonb(\"Users\")",
        "(select string_agg(x::text, '') from users x)",
        "users.*",
        "(users.*)::text",
        "row(public.users . *)",
    ] {
        assert!(asked(by).unwrap_err().contains("whole rows"), "{by}");
    }
    assert!(asked("lower(users.client) || \"users\".kind").is_ok());
}

#[test]
fn an_expression_cannot_leave_its_place() {
    let asked = |by| group(Dialect::Sqlite, "users", by, &["t"]);
    for by in ["a; drop table users", "a -- b", "a /* b", "a), (b", "'a", "a || \"b", "(a", "a]", "", "a\0"] {
        assert!(asked(by).is_err(), "{by}");
    }
    assert_eq!(asked(" created_at > ')' ").unwrap(), "(created_at > ')')");
    assert_eq!(asked("order").unwrap(), "\"users\".\"order\"");
}
