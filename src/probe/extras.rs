//! What is asked beyond the counts: values that rows share, tokens whose user is gone or inactive, what in the database names the
//! column. None of it is worth the budget of another table, so it is left out, with a word, where it would take long.

use std::time::Duration;

use crate::probe::catalogue::Reference;
use crate::probe::dialect::Dialect;
use crate::probe::ranges::{Clusters, Part};
use crate::probe::session::{Session, count, text};
use crate::probe::statements::Measured;
use crate::probe::table::Table;
use crate::probe::{Counts, Declared, Duplicates, Method, Orphans, Statement};

/// For each of these questions.
const LIMIT: Duration = Duration::from_secs(5);

/// Fills in what is known beyond the counts.
pub(crate) async fn add(session: &mut Session, table: &Table<'_>, counted: &mut [Counts]) {
    for (column, counts) in table.counting.columns.iter().zip(counted) {
        counts.declared = declared(table, column);
        counts.statements_seen = statements(session, table, column).await;
        if table.counting.is_view || counts.rows == 0 {
            continue;
        }
        if table.is_small() {
            match session.ask_within(&table.counting.duplicates(column), LIMIT).await {
                Ok(rows) => {
                    counts.duplicates =
                        rows.first().map(|row| Duplicates { values: count(row, 0), rows: count(row, 1) });
                }
                Err(trouble) => counts.skipped.push(format!("values that rows share: {trouble}")),
            }
        }
        let Some(part) = part(session, table, counts).await else { continue };
        if let Some((what, sql)) = orphans_sql(session.dialect, table, column, &part) {
            match session.ask_within(&sql, LIMIT).await {
                Ok(rows) => {
                    counts.orphans = rows.first().map(|row| Orphans {
                        users: what,
                        tokens: count(row, 0),
                        gone: count(row, 1),
                        inactive: count(row, 2),
                    });
                }
                Err(trouble) => counts.skipped.push(format!("tokens whose user is gone or inactive: {trouble}")),
            }
        }
    }
}

/// The rows to ask about users: those of the sample where one was drawn, none where no row was looked at.
async fn part(session: &mut Session, table: &Table<'_>, counts: &Counts) -> Option<Part> {
    let clusters = match counts.method {
        Method::Exact => None,
        Method::Sample => Clusters::of(session, &table.relation).await.ok()?,
        Method::Statistics => return None,
    };
    Some(clusters.map_or_else(|| Part::whole(&table.counting), |clusters| clusters.part(&table.counting)))
}

fn declared(table: &Table<'_>, column: &Measured) -> Option<Declared> {
    let found = table.relation.column(&column.name).filter(|_| !table.counting.is_view)?;
    let name = column.name.to_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let names = |body: &str| body.split(|c| !is_part(c)).any(|word| word == name);
    let mentions = table.relation.mentions.iter().filter(|mention| names(&mention.body));
    Some(Declared {
        nullable: found.nullable,
        has_default: found.has_default,
        is_generated: found.is_generated,
        mentions: mentions.map(|mention| (mention.kind, mention.name.clone())).collect(),
    })
}

/// Statements that the server has seen write the column, with their number of calls. Their texts hold no constants, and are not
/// shown: only their kind and the calls are.
async fn statements(session: &mut Session, table: &Table<'_>, column: &Measured) -> Vec<Statement> {
    let dialect = session.dialect;
    let like = |name: &str| dialect.literal(&format!("%{}%", name.to_lowercase()));
    let (table, column) = (like(&table.relation.name), like(&column.name));
    let sql = match dialect {
        Dialect::Postgres { .. } => format!(
            "SELECT upper(split_part(ltrim(query), ' ', 1)), sum(calls), count(*) FROM pg_stat_statements WHERE dbid = \
             (SELECT oid FROM pg_database WHERE datname = current_database()) AND lower(query) LIKE {table} AND lower(query) LIKE {column} \
             AND query ~* '^\\s*(insert|update|merge|copy)' GROUP BY 1 ORDER BY 1"
        ),
        Dialect::Mysql { .. } => format!(
            "SELECT UPPER(SUBSTRING_INDEX(LTRIM(digest_text), ' ', 1)), SUM(count_star), COUNT(*) FROM \
             performance_schema.events_statements_summary_by_digest WHERE schema_name = DATABASE() AND LOWER(digest_text) LIKE {table} \
             AND LOWER(digest_text) LIKE {column} AND digest_text REGEXP '^ *(INSERT|UPDATE|REPLACE)' GROUP BY 1 ORDER BY 1"
        ),
        Dialect::Sqlite => return Vec::new(),
    };
    // Readable to few, and installed on few servers.
    let found = session.ask_within(&sql, LIMIT).await.unwrap_or_default();
    found.iter().map(|row| Statement { kind: text(row, 0), calls: count(row, 1), texts: count(row, 2) }).collect()
}

/// Names of columns that say whether a user may still log in, and what they hold for one that may not.
fn inactive(dialect: Dialect, alias: &str, columns: &[(String, String)]) -> Option<String> {
    let tests: Vec<String> = columns
        .iter()
        .filter_map(|(name, kind)| {
            let field = dialect.field(alias, name);
            let plain = name.to_lowercase().replace('_', "");
            let kind = kind.to_lowercase();
            let is_flag = kind.starts_with("bool") || kind.starts_with("tinyint") || kind.starts_with("int");
            let (yes, no) = match dialect {
                Dialect::Postgres { .. } if kind.starts_with("bool") => (field.clone(), format!("NOT {field}")),
                _ => (format!("{field} <> 0"), format!("{field} = 0")),
            };
            match plain.as_str() {
                "isactive" | "active" | "enabled" | "isenabled" if is_flag => Some(no),
                "isdeleted" | "deleted" | "isdisabled" | "disabled" | "isbanned" | "banned" | "isblocked"
                | "blocked"
                    if is_flag =>
                {
                    Some(yes)
                }
                "deletedat" | "disabledat" | "deactivatedat" | "bannedat" | "blockedat" => {
                    Some(format!("{field} IS NOT NULL"))
                }
                _ => None,
            }
        })
        .collect();
    (!tests.is_empty()).then(|| tests.join(" OR "))
}

/// Counts the tokens, those whose user is gone, and those whose user is inactive; the table of users with it. A table that refers to no
/// users is one of users if it has such a column itself.
pub(crate) fn orphans_sql(
    dialect: Dialect,
    table: &Table<'_>,
    column: &Measured,
    part: &Part,
) -> Option<(String, String)> {
    let counting = &table.counting;
    let text = dialect.stored_text(&dialect.field(&counting.table, &column.name), &column.kind);
    let owns = |reference: &&Reference| {
        reference.table_name.to_lowercase().trim_end_matches('s').ends_with("user")
            || reference.table_name.to_lowercase().trim_end_matches('s').ends_with("account")
    };
    if let Some(users) = table.relation.references.iter().find(owns) {
        let own = dialect.field(&counting.table, &users.column);
        let key = dialect.field("owner", &users.key);
        let inactive = inactive(dialect, "owner", &users.columns).unwrap_or_else(|| "1 = 0".to_owned());
        let owner = dialect.quoted("owner");
        let sql = format!(
            "SELECT count(*), count(CASE WHEN {key} IS NULL THEN 1 END), count(CASE WHEN {inactive} THEN 1 END) FROM {} \
             LEFT JOIN {} {owner} ON {key} = {own} WHERE {text} <> ''{}",
            part.from,
            users.table,
            part.and()
        );
        return Some((users.table_name.clone(), sql));
    }
    let columns: Vec<(String, String)> =
        table.relation.columns.iter().filter(|c| c.is_readable).map(|c| (c.name.clone(), c.kind.clone())).collect();
    let inactive = inactive(dialect, &counting.table, &columns)?;
    let sql =
        format!("SELECT count(*), 0, count(CASE WHEN {inactive} THEN 1 END) FROM {} WHERE {text} <> ''", counting.from);
    Some((counting.table.clone(), sql))
}
