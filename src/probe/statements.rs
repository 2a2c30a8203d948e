//! The statements over a table's rows. A tracked column stands in them only inside predicates and what decodes its shape, and
//! these only inside `count`.

use crate::probe::dialect::Dialect;
use crate::probe::ranges::Part;
use crate::probe::shape::{SHAPES, Shape, is_expired};
use crate::probe::users::Users;

/// Groups that one answer may have.
pub(crate) const MOST_GROUPS: usize = 20_000;
/// Values that one cohort may have.
pub(crate) const MOST_VALUES: usize = 2000;

/// The word of the view of `--grants` for a JWT past its end.
pub(crate) const EXPIRED: &str = "expired-jwt";

/// The column of the view of `--grants` that says what the values of a column look like.
pub(crate) fn shape_column(column: &str) -> String {
    format!("{column} shape")
}

/// A tracked column as the statements see it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Whose tokens they are, where the configuration says so.
    pub(crate) users: Option<Users>,
}

/// Counts of all columns over all cohorts of one table.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    pub(crate) dialect: Dialect,
    /// What stands behind `FROM`.
    pub(crate) from: String,
    /// The table's own name, by which columns are qualified.
    pub(crate) table: String,
    pub(crate) columns: Vec<Measured>,
    /// What the rows are grouped by, as expressions.
    pub(crate) groups: Vec<String>,
    /// Whether the columns hold words in place of the values, as in the view of `--grants`.
    pub(crate) is_view: bool,
}

impl Counting {
    /// Counted of one column: NULL, `''`, `'null'`, and with `shapes` each shape and the expired ones.
    pub(crate) fn measures(shapes: bool) -> usize {
        if shapes { 3 + SHAPES.len() + 1 } else { 3 }
    }

    /// One pass. A row of the answer: the labels, the number of rows, the measures of each column.
    pub(crate) fn pass(&self, filter: Option<&str>, shapes: bool) -> String {
        self.select(&self.from, filter, None, shapes)
    }

    /// A pass over a part of the table that is drawn in clusters, which become the last label.
    pub(crate) fn sample(&self, part: &Part, cluster: &str) -> String {
        self.select(&part.from, part.filter.as_deref(), Some(cluster), false)
    }

    /// What the values of a part of the table look like, whatever their cohorts.
    pub(crate) fn shapes(&self, part: &Part) -> (Self, String) {
        let whole = Self { groups: Vec::new(), ..self.clone() };
        let sql = whole.select(&part.from, part.filter.as_deref(), None, true);
        (whole, sql)
    }

    fn select(&self, from: &str, filter: Option<&str>, cluster: Option<&str>, shapes: bool) -> String {
        let mut select: Vec<String> = self.groups.iter().map(|group| self.dialect.label(group)).collect();
        select.extend(cluster.map(str::to_owned));
        let labels = select.len();
        select.push("count(*)".to_owned());
        for column in &self.columns {
            // Counting what is there costs a server less than testing every row for NULL.
            select.push(format!("count(*) - count({})", self.dialect.field(&self.table, &column.name)));
            let counted = |condition| format!("count(CASE WHEN {condition} THEN 1 END)");
            select.extend(self.conditions(column, shapes).into_iter().map(counted));
        }
        if self.is_view && shapes {
            return self.select_words(filter);
        }
        let mut sql = format!("SELECT {} FROM {from}", select.join(", "));
        if let Some(filter) = filter {
            sql = format!("{sql} WHERE {filter}");
        }
        if labels > 0 {
            let ranks: Vec<String> = (1..=labels).map(|rank| rank.to_string()).collect();
            let most = if cluster.is_some() { MOST_GROUPS * 10 } else { MOST_GROUPS + 1 };
            sql = format!("{sql} GROUP BY {} LIMIT {most}", ranks.join(", "));
        }
        sql
    }

    /// A pass over a view: grouped by its words first, so that each is worked out once a row and not once a count.
    fn select_words(&self, filter: Option<&str>) -> String {
        let name = |of: &str, at: usize| self.dialect.quoted(&format!("{of}{at}"));
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        for (at, group) in self.groups.iter().enumerate() {
            inner.push(format!("{} AS {}", self.dialect.label(group), name("label", at)));
            outer.push(name("label", at));
        }
        outer.push("sum(n)".to_owned());
        for (at, column) in self.columns.iter().enumerate() {
            let (state, shape) = (name("state", at), name("shape", at));
            let field = |column: &str| self.dialect.field(&self.table, column);
            inner.push(format!("{} AS {state}", field(&column.name)));
            inner.push(format!("{} AS {shape}", field(&shape_column(&column.name))));
            let is = |field: &str, word: &str| format!("{field} = '{word}'");
            let mut conditions = vec![format!("{state} IS NULL"), is(&state, ""), is(&state, "null")];
            conditions.extend(SHAPES.map(|of| match of {
                Shape::Jwt => format!("{shape} IN ('jwt', '{EXPIRED}')"),
                _ => is(&shape, of.word()),
            }));
            conditions.push(is(&shape, EXPIRED));
            outer.extend(
                conditions.into_iter().map(|condition| format!("sum(CASE WHEN {condition} THEN n ELSE 0 END)")),
            );
        }
        let ranks = |to: usize| (1..=to).map(|rank| rank.to_string()).collect::<Vec<_>>().join(", ");
        let filter = filter.map_or_else(String::new, |filter| format!(" WHERE {filter}"));
        let mut sql = format!(
            "SELECT {} FROM (SELECT {}, count(*) AS n FROM {}{filter} GROUP BY {}) words",
            outer.join(", "),
            inner.join(", "),
            self.from,
            ranks(inner.len())
        );
        if !self.groups.is_empty() {
            sql = format!("{sql} GROUP BY {} LIMIT {}", ranks(self.groups.len()), MOST_GROUPS + 1);
        }
        sql
    }

    fn conditions(&self, column: &Measured, shapes: bool) -> Vec<String> {
        let field = self.dialect.field(&self.table, &column.name);
        let text = self.dialect.stored_text(&field, &column.kind);
        let mut conditions = vec![self.dialect.is_empty(&text), self.dialect.is_null_text(&text)];
        if !shapes {
            return conditions;
        }
        conditions.extend(SHAPES.map(|shape| shape.test(self.dialect, &text)));
        let jwt = &conditions[2];
        let expired = is_expired(self.dialect, &text).map_or_else(
            || "1 = 0".to_owned(),
            // A CASE keeps values of other shapes from being taken apart.
            |expired| format!("CASE WHEN {jwt} THEN {expired} END"),
        );
        conditions.push(expired);
        conditions
    }

    /// Whether the database understands an expression as a group; runs through no row.
    pub(crate) fn trial(&self, group: &str) -> String {
        let text = self.dialect.label(group);
        format!("SELECT {text} FROM {} WHERE 1 = 0 GROUP BY 1 LIMIT 0", self.from)
    }

    /// Values that several rows share: how many such values there are, and how many rows have one.
    pub(crate) fn duplicates(&self, column: &Measured) -> String {
        let field = self.dialect.field(&self.table, &column.name);
        let text = self.dialect.stored_text(&field, &column.kind);
        // A collation takes values for the same that differ in case alone.
        let value = if matches!(self.dialect, Dialect::Mysql { .. }) {
            format!("CAST({text} AS BINARY)")
        } else {
            text.clone()
        };
        format!(
            "SELECT count(*), sum(shared.n) FROM (SELECT count(*) AS n FROM {} WHERE {text} <> '' GROUP BY {value} \
             HAVING count(*) > 1) shared",
            self.from
        )
    }
}

/// Functions of a row's own values that a cohort may call: none runs SQL that it is handed, reads a file or another table, waits, or makes
/// several rows of one. The first are words of SQL that stand before a parenthesis.
const SCALARS: &[&str] = &[
    "and",
    "as",
    "between",
    "case",
    "else",
    "in",
    "like",
    "not",
    "or",
    "then",
    "when",
    "is",
    "interval",
    "abs",
    "age",
    "cast",
    "ceil",
    "ceiling",
    "char_length",
    "coalesce",
    "concat",
    "convert",
    "date",
    "date_format",
    "date_part",
    "date_trunc",
    "datediff",
    "datetime",
    "day",
    "dayofweek",
    "extract",
    "floor",
    "from_unixtime",
    "greatest",
    "hour",
    "if",
    "ifnull",
    "iif",
    "instr",
    "isnull",
    "json_extract",
    "json_unquote",
    "json_value",
    "julianday",
    "jsonb_extract_path_text",
    "json_extract_path_text",
    "least",
    "left",
    "length",
    "locate",
    "lower",
    "ltrim",
    "md5",
    "mod",
    "month",
    "monthname",
    "nullif",
    "numeric",
    "position",
    "quarter",
    "regexp_match",
    "regexp_replace",
    "regexp_substr",
    "replace",
    "right",
    "round",
    "rtrim",
    "sha2",
    "sign",
    "split_part",
    "starts_with",
    "strftime",
    "strpos",
    "substr",
    "substring",
    "substring_index",
    "time",
    "timestampdiff",
    "to_char",
    "to_date",
    "to_timestamp",
    "trim",
    "trunc",
    "unix_timestamp",
    "unixepoch",
    "upper",
    "varchar",
    "decimal",
    "char",
    "week",
    "weekday",
    "width_bucket",
    "year",
    "yearweek",
];

/// The names before a parenthesis.
fn called(expression: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '"' || c == '`' || c == '$' || c == '.';
    expression.match_indices('(').filter_map(move |(at, _)| {
        let before = expression[..at].trim_end();
        let start = before.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map(|(start, _)| start)?;
        before.get(start..)
    })
}

/// What a cohort groups by: a column's name quoted, an expression in parentheses.
///
/// `tracked` are all columns whose values must not leave the database.
///
/// # Errors
/// Why the expression cannot be used, in words that follow the cohort's name.
pub(crate) fn group(dialect: Dialect, table: &str, by: &str, tracked: &[&str]) -> Result<String, String> {
    let by = by.trim();
    if by.is_empty() {
        return Err("`by` is empty; name a column or write an SQL expression".to_owned());
    }
    if let Some(column) = tracked.iter().find(|column| mentions(by, column).next().is_some()) {
        return Err(format!(
            "`by` uses the tracked column `{column}`, and its values must not leave the database; group by another column"
        ));
    }
    if is_name(by) {
        return Ok(dialect.field(table, by));
    }
    // A table's name stands for its whole row, the tracked column among it, unless a column follows.
    let is_row = |rest: &str| {
        let column = rest.trim_start_matches(['"', '`', ']']).trim_start().strip_prefix('.');
        column.is_none_or(|column| column.trim_start().starts_with('*'))
    };
    if by.contains(".*") || mentions(by, table).any(|rest| is_row(&rest)) {
        return Err(format!("`by` uses whole rows of `{table}`, which hold the tracked column; name the columns"));
    }
    // `U&"\0061"` spells a name in a way that the search above does not see.
    let folded = by.to_lowercase();
    if folded.contains("u&\"") || folded.contains("u&'") {
        return Err("`by` spells something with Unicode escapes; write it plainly".to_owned());
    }
    if let Some(name) = called(&folded).find(|name| !SCALARS.contains(name)) {
        return Err(format!(
            "`by` calls `{name}`; it may call functions of the row's own columns alone, such as lower, split_part, date_trunc and coalesce"
        ));
    }
    if let Some(word) = ["select", "table", "values"].into_iter().find(|word| mentions(by, word).next().is_some()) {
        return Err(format!("`by` uses `{word}`; it must be an expression over columns of `{table}` alone"));
    }
    let strays = [";", "--", "/*", "*/", "\0", if matches!(dialect, Dialect::Mysql { .. }) { "#" } else { ";" }];
    if let Some(stray) = strays.into_iter().find(|stray| by.contains(stray)) {
        return Err(format!("`by` holds `{}`; it must be one expression without comments", stray.escape_debug()));
    }
    if !is_closed(by) {
        return Err("`by` has a quote or parenthesis that is not closed".to_owned());
    }
    Ok(format!("({by})"))
}

/// Whether a text is one column's name that needs no parentheses.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.chars().all(is_part) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// What follows each place where an expression has a name, in any quoting and case. A string that holds the name counts too:
/// refusing it costs a reformulation, missing a name would cost a token.
fn mentions(expression: &str, name: &str) -> impl Iterator<Item = String> {
    let (text, name) = (expression.to_lowercase(), name.to_lowercase());
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let found: Vec<String> = text
        .match_indices(&name)
        .filter(|(at, _)| {
            let before = text[..*at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
        .map(|(at, _)| text[at + name.len()..].to_owned())
        .collect();
    found.into_iter()
}

/// Whether all quotes and parentheses that an expression opens are closed in it, and none that it did not open.
pub(crate) fn is_closed(expression: &str) -> bool {
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
mod tests;
