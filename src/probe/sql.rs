//! The one statement that counts all columns and cohorts of a table, for every database.

/// How a database writes what the statement needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// Around identifiers, doubled inside.
    pub(crate) quote: char,
    /// The type that turns any value into text.
    pub(crate) text: &'static str,
}

impl Dialect {
    fn quoted(&self, name: &str) -> String {
        let quote = self.quote;
        format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
    }

    /// `"users"."access_token"`: qualified, since SQLite takes a quoted name that it does not know for a string.
    fn field(&self, table: &str, column: &str) -> String {
        format!("{}.{}", self.quoted(table), self.quoted(column))
    }

    /// What a cohort groups by: a column's name quoted, an expression in parentheses.
    ///
    /// `tracked` are all columns whose values must not leave the database.
    ///
    /// # Errors
    /// Why the expression cannot be used, in words that follow the cohort's name.
    pub(crate) fn group(&self, table: &str, by: &str, tracked: &[&str]) -> Result<String, String> {
        let by = by.trim();
        if by.is_empty() {
            return Err("`by` is empty; name a column or write an SQL expression".to_owned());
        }
        if let Some(column) = tracked.iter().find(|column| mentions(by, column)) {
            return Err(format!(
                "`by` uses the tracked column `{column}`, and its values must not leave the database; group by another column"
            ));
        }
        if is_name(by) {
            return Ok(self.field(table, by));
        }
        if let Some(stray) = [";", "--", "/*", "*/", "\0"].into_iter().find(|stray| by.contains(stray)) {
            return Err(format!("`by` holds `{}`; it must be one expression without comments", stray.escape_debug()));
        }
        if !is_closed(by) {
            return Err("`by` has a quote or parenthesis that is not closed".to_owned());
        }
        Ok(format!("({by})"))
    }

    /// Whether the database understands an expression over a table as a group; runs through no row.
    pub(crate) fn trial(&self, table: &str, group: &str) -> String {
        format!("SELECT CAST({group} AS {}) FROM {} WHERE 1 = 0 GROUP BY 1 LIMIT 0", self.text, self.quoted(table))
    }

    /// One pass over a table. A row of the answer: the label of each group as text, the number of rows, then for each column its NULLs
    /// and its empty values.
    pub(crate) fn count(&self, table: &str, columns: &[&str], groups: &[String]) -> String {
        let mut select: Vec<String> = groups.iter().map(|group| format!("CAST({group} AS {})", self.text)).collect();
        select.push("count(*)".to_owned());
        for column in columns {
            let field = self.field(table, column);
            select.push(format!("count(CASE WHEN {field} IS NULL THEN 1 END)"));
            select.push(format!("count(CASE WHEN {field} = '' THEN 1 END)"));
        }
        let mut sql = format!("SELECT {} FROM {}", select.join(", "), self.quoted(table));
        if !groups.is_empty() {
            let ranks: Vec<String> = (1..=groups.len()).map(|rank| rank.to_string()).collect();
            sql = format!("{sql} GROUP BY {}", ranks.join(", "));
        }
        sql
    }
}

/// Whether a text is one column's name that needs no parentheses.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.chars().all(is_part) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether an expression names a column, in any quoting and case. A string that holds the name counts too: refusing it costs a
/// reformulation, missing a name would cost a token.
fn mentions(expression: &str, column: &str) -> bool {
    let (text, name) = (expression.to_lowercase(), column.to_lowercase());
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Whether all quotes and parentheses that an expression opens are closed in it, and none that it did not open.
fn is_closed(expression: &str) -> bool {
    let mut open: Vec<char> = Vec::new();
    let mut rest = expression.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' | '`' if !rest.by_ref().any(|inner| inner == c) => return false,
            '(' => open.push(')'),
            '[' => open.push(']'),
            ')' | ']' if open.pop() != Some(c) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use sqlparser::ast::{Expr, Visit, Visitor};
    use sqlparser::dialect::SQLiteDialect;
    use sqlparser::parser::Parser;

    use super::*;

    const SQLITE: Dialect = Dialect { quote: '"', text: "TEXT" };

    #[test]
    fn one_statement_counts_all_columns_and_cohorts() {
        let groups = vec![SQLITE.group("users", "client", &["a", "b"]).unwrap()];
        assert_eq!(
            SQLITE.count("users", &["a", "b"], &groups),
            "SELECT CAST(\"users\".\"client\" AS TEXT), count(*), \
             count(CASE WHEN \"users\".\"a\" IS NULL THEN 1 END), count(CASE WHEN \"users\".\"a\" = '' THEN 1 END), \
             count(CASE WHEN \"users\".\"b\" IS NULL THEN 1 END), count(CASE WHEN \"users\".\"b\" = '' THEN 1 END) \
             FROM \"users\" GROUP BY 1"
        );
    }

    /// Counts the places of a column that are, and that are not, the operand of a predicate inside an aggregate.
    struct Uses {
        column: &'static str,
        aggregates: u32,
        predicates: u32,
        safe: u32,
        bare: u32,
    }

    impl Visitor for Uses {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(f) if f.name.to_string() == "count" => self.aggregates += 1,
                Expr::IsNull(_) | Expr::BinaryOp { .. } => self.predicates += 1,
                Expr::Identifier(name) if name.value == self.column => self.bare += 1,
                Expr::CompoundIdentifier(names) if names.last().is_some_and(|name| name.value == self.column) => {
                    if self.aggregates > 0 && self.predicates > 0 { self.safe += 1 } else { self.bare += 1 }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(f) if f.name.to_string() == "count" => self.aggregates -= 1,
                Expr::IsNull(_) | Expr::BinaryOp { .. } => self.predicates -= 1,
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }

    fn uses(sql: &str, column: &'static str) -> (u32, u32) {
        let statements = Parser::parse_sql(&SQLiteDialect {}, sql).unwrap();
        assert_eq!(statements.len(), 1);
        let mut uses = Uses { column, aggregates: 0, predicates: 0, safe: 0, bare: 0 };
        let _ = statements.visit(&mut uses);
        (uses.safe, uses.bare)
    }

    #[test]
    fn the_column_stands_only_in_predicates_inside_aggregates() {
        let column = "odd \"name\" ' ;--";
        let tracked = [column, "access_token"];
        let groups: Vec<String> = ["client", "substr(created_at, 1, 7)", "coalesce(provider, '(none)')"]
            .iter()
            .map(|by| SQLITE.group("users", by, &tracked).unwrap())
            .collect();
        let sql = SQLITE.count("us\"ers", &tracked, &groups);
        assert_eq!(uses(&sql, column), (2, 0), "{sql}");
        assert_eq!(uses(&sql, "access_token"), (2, 0), "{sql}");
        // The measure itself sees what it must see.
        assert_eq!(
            uses("SELECT u.access_token, count(u.access_token), max(access_token) FROM u", "access_token"),
            (0, 3)
        );
    }

    #[test]
    fn a_cohort_by_the_tracked_column_is_refused_however_it_is_written() {
        for by in [
            "access_token",
            "Access_Token",
            "substr(access_token, 1, 2)",
            "\"access_token\"",
            "(select [ACCESS_TOKEN])",
            "t.`access_token`",
        ] {
            assert!(SQLITE.group("users", by, &["access_token"]).unwrap_err().contains("must not leave"), "{by}");
        }
        assert!(SQLITE.group("users", "access_token_kind", &["access_token"]).is_ok());
    }

    #[test]
    fn an_expression_cannot_leave_its_place() {
        for by in ["a; drop table users", "a -- b", "a /* b", "a), (b", "'a", "a || \"b", "(a", "a]", "", "a\0"] {
            assert!(SQLITE.group("users", by, &["t"]).is_err(), "{by}");
        }
        assert_eq!(SQLITE.group("users", " created_at > ')' ", &["t"]).unwrap(), "(created_at > ')')");
        assert_eq!(SQLITE.group("users", "order", &["t"]).unwrap(), "\"users\".\"order\"");
    }
}
