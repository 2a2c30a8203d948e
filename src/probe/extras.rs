//! What is asked beyond the counts: values that rows share, tokens whose user is gone or inactive, what in the database names the
//! column. None of it is worth the budget of another table, so it is left out, with a word, where it would take long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::probe::catalogue::{Mention, Relation};
use crate::probe::dialect::Dialect;
use crate::probe::ladder::owed;
use crate::probe::ranges::{Clusters, Part};
use crate::probe::session::{Session, count, text};
use crate::probe::statements::Measured;
use crate::probe::table::Table;
use crate::probe::users::orphans_sql;
use crate::probe::writers::{shown, writes};
use crate::probe::{Counts, Declared, Duplicates, Method, Orphans, Statement, Writer};
use crate::provenance::Origin;

/// For each of these questions, unless the configuration asks it.
const LIMIT: Duration = Duration::from_secs(5);
/// Texts of statements that are read, those that ran most often.
const MOST_TEXTS: u64 = 1000;

/// Fills in what is known beyond the counts.
pub(crate) async fn add(session: &mut Session, table: &Table<'_>, counted: &mut [Counts]) {
    for ((column, (_, config, _)), counts) in table.counting.columns.iter().zip(&table.columns).zip(counted) {
        counts.declared = declared(table, column);
        if table.relation.mentions.is_none() {
            counts.skipped.push("what in the database names the column: the server did not tell".to_owned());
        }
        counts.statements_seen = statements(session, table, column).await;
        if counts.rows == 0 {
            continue;
        }
        if table.is_small() && !table.counting.is_view {
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
            let limit = if config.users.is_some() { owed(session, LIMIT) } else { LIMIT };
            match session.ask_within(&sql, limit).await {
                Ok(rows) => {
                    counts.orphans = rows.first().map(|row| Orphans {
                        users: what,
                        method: counts.method,
                        tokens: count(row, 0),
                        gone: count(row, 1),
                        inactive: count(row, 2),
                    });
                }
                // What was asked for by name is owed.
                Err(trouble) if config.users.is_some() => {
                    counts.incomplete = Some(format!("tokens whose user is gone or inactive: {trouble}"));
                }
                Err(trouble) => counts.skipped.push(format!("tokens whose user is gone or inactive: {trouble}")),
            }
        } else if table.counting.is_view && config.users.is_some() {
            let why = "the view does not tell; make it anew by `tokendrift probe --grants` with this configuration";
            counts.incomplete = Some(format!("tokens whose user is gone or inactive: {why}"));
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
    let (mentions, sources) = mentions(&table.relation, &column.name);
    // What an INSERT leaves out the server fills in.
    let filled = |semantics: String| {
        if found.has_default && semantics == "omitted" { "generated".to_owned() } else { semantics }
    };
    let about = table.relation.mentions.iter().flatten().filter(|mention| mention.kind != "view");
    // An INSERT that leaves the column out does not name it.
    let writers = about.flat_map(|mention| {
        let text = mention.body.to_lowercase();
        let named = sources.iter().filter(move |(table, _)| has_word(&text, table));
        let written = named.flat_map(|(table, column)| writes(&mention.body, table, column, Origin::Supplied));
        let written: BTreeSet<(&'static str, String)> = written.collect();
        written.into_iter().map(|(operation, semantics)| Writer {
            kind: mention.kind,
            name: mention.name.clone(),
            operation,
            semantics: filled(semantics),
        })
    });
    Some(Declared {
        nullable: found.nullable,
        has_default: found.has_default,
        is_generated: found.is_generated,
        mentions: mentions.iter().map(|mention| (mention.kind, mention.name.clone())).collect(),
        writers: writers.collect(),
    })
}

/// What names the column, of the table or of a view that shows it, be it under another name; and all pairs of table and column that are it,
/// in small letters. The server was asked for texts with such a name in them, be it a part of another.
fn mentions<'a>(relation: &'a Relation, column: &str) -> (Vec<&'a Mention>, BTreeSet<(String, String)>) {
    let texts: Vec<(&Mention, String)> =
        relation.mentions.iter().flatten().map(|mention| (mention, mention.body.to_lowercase())).collect();
    let mut sources = BTreeSet::from([(relation.name.to_lowercase(), column.to_lowercase())]);
    loop {
        let named = |text: &str| -> Vec<&(String, String)> {
            sources.iter().filter(|(table, column)| has_word(text, table) && has_word(text, column)).collect()
        };
        let found: Vec<&Mention> =
            texts.iter().filter(|(_, text)| !named(text).is_empty()).map(|(mention, _)| *mention).collect();
        let mut more = sources.clone();
        for (view, text) in texts.iter().filter(|(mention, _)| mention.kind == "view") {
            for (_, column) in named(text) {
                more.extend(shown(&view.body, column).into_iter().map(|name| (view.name.to_lowercase(), name)));
            }
        }
        if more == sources {
            return (found, sources);
        }
        sources = more;
    }
}

/// Whether a name stands in a text, and not as a part of another.
fn has_word(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + name.len()..].chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Statements that the server has seen write the column, with their number of calls. Their texts hold no constants, and are not
/// shown: only what they do and the calls are.
async fn statements(session: &mut Session, table: &Table<'_>, column: &Measured) -> Vec<Statement> {
    let dialect = session.dialect;
    let like = dialect.literal(&format!("%{}%", table.relation.name.to_lowercase()));
    let sql = match dialect {
        Dialect::Postgres { .. } => format!(
            "SELECT query, calls FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND lower(query) LIKE {like} AND query ~* '\\m(insert|update|merge)\\M' ORDER BY calls DESC, query LIMIT {MOST_TEXTS}"
        ),
        Dialect::Mysql { .. } => format!(
            "SELECT digest_text, count_star FROM performance_schema.events_statements_summary_by_digest \
             WHERE schema_name = DATABASE() AND LOWER(digest_text) LIKE {like} AND digest_text REGEXP '(INSERT|UPDATE|REPLACE)' \
             ORDER BY count_star DESC, digest_text LIMIT {MOST_TEXTS}"
        ),
        Dialect::Sqlite => return Vec::new(),
    };
    let mut seen: BTreeMap<(&'static str, String), (u64, u64)> = BTreeMap::new();
    // Readable to few, and installed on few servers.
    for row in session.ask_within(&sql, LIMIT).await.unwrap_or_default() {
        for kind in writes(&text(&row, 0), &table.relation.name, &column.name, Origin::Unknown) {
            let known = seen.entry(kind).or_default();
            *known = (known.0 + count(&row, 1), known.1 + 1);
        }
    }
    let statement = |((operation, semantics), (calls, texts))| Statement { operation, semantics, calls, texts };
    seen.into_iter().map(statement).collect()
}
