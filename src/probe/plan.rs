//! What would be run, with the planner's estimates; no row is looked at, but by SQLite those that tell a small table from a big one.

use crate::config::{Column, Config};
use crate::probe::catalogue::{explained_rows, size_sql};
use crate::probe::dialect::Dialect;
use crate::probe::ranges::{Chunks, Clusters, Part, bounds_sql};
use crate::probe::session::{Session, text};
use crate::probe::table::{Table, prepare};
use crate::probe::users::orphans_sql;
use crate::probe::{Deadline, Outcome, ProbeError, Target, by_table, refuse_primary, tracked_names};

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub database: String,
    /// What it is for.
    pub purpose: String,
    pub sql: String,
    /// What the planner expects of it.
    pub estimate: String,
}

/// The statements that a probe would run on the rows of the tables, or why a column has none.
///
/// # Errors
/// When the server could not be asked for its catalogue and estimates.
pub(crate) async fn plan(target: &Target, config: &Config) -> Result<(Vec<Planned>, Vec<String>), ProbeError> {
    let mut session = Session::open(&target.url, Deadline::after(target.budget)).await?;
    refuse_primary(target, &session)?;
    let tracked = tracked_names(config);
    let (mut planned, mut problems) = (Vec::new(), Vec::new());
    for wanted in by_table(config) {
        let wanted: Vec<(usize, &Column)> = wanted;
        let (table, failed) = prepare(&mut session, &wanted, &tracked, false).await;
        problems.extend(failed.into_iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(why) => Some(why),
            Outcome::Counted(_) => None,
        }));
        let Some(table) = table else { continue };
        for (purpose, sql) in statements(session.dialect, &table) {
            let estimate = estimate(&mut session, &sql).await;
            planned.push(Planned { database: target.name.clone(), purpose, sql, estimate });
        }
    }
    session.close().await;
    Ok((planned, problems))
}

fn statements(dialect: Dialect, table: &Table<'_>) -> Vec<(String, String)> {
    let name = &table.relation.name;
    let mut all = Vec::new();
    if let (Dialect::Sqlite, Some(key)) = (dialect, &table.relation.key) {
        all.push((format!("how many rows {name} has, if they are few"), size_sql(dialect, &table.relation, key)));
    }
    let mut part = Part::whole(&table.counting);
    if table.is_small() {
        all.push((format!("count {name}, all rows at once"), table.counting.pass(None, true)));
        all.extend(table.counting.columns.iter().map(|column| {
            (format!("values of {}.{} that rows share", name, column.name), table.counting.duplicates(column))
        }));
    } else {
        let rows = table.relation.rows.unwrap_or(1);
        let last = i64::try_from(rows).unwrap_or(i64::MAX);
        let key = table.relation.key.as_deref();
        if let Some(key) = key {
            all.push((format!("the keys of {name}"), bounds_sql(dialect, &table.relation, key)));
        }
        let blocks = Clusters::blocks(dialect, &table.relation);
        let such = if blocks.is_some() { "" } else { " such as this one" };
        // Which keys there are is asked first when it is run.
        let keys = key.filter(|_| !matches!(dialect, Dialect::Postgres { .. }) && !table.relation.is_shared_key);
        let clusters = blocks.or_else(|| Clusters::keys(keys?, 1, last, rows));
        if let Some(clusters) = &clusters {
            if dialect != Dialect::Sqlite {
                all.push((format!("a sample{such} of {name}"), clusters.sql(&table.counting)));
            }
            let (_, shapes) = table.counting.shapes(&clusters.tenth().part(&table.counting));
            all.push((format!("what values of {name} look like, in a part{such} of the sample"), shapes));
            part = clusters.part(&table.counting);
        }
        let chunks = match (key, &table.relation.order) {
            (Some(key), _) => Some(Chunks::keys(key.to_owned(), 1, last, Some(rows))),
            (None, Some(order)) => Some(Chunks::order(order.clone())),
            (None, None) => Chunks::blocks(dialect, &table.relation),
        };
        if let Some(sql) = chunks.as_ref().and_then(|chunks| chunks.seek_sql(&table.counting)) {
            all.push((format!("where a chunk of {name} such as the next one ends"), sql));
        }
        let filter = chunks.and_then(|chunks| chunks.filter(&table.counting));
        let purpose = match filter {
            Some(_) => format!("where that does not decide, count {name} in chunks such as this one"),
            None => format!("count {name}"),
        };
        all.push((purpose, table.counting.pass(filter.as_deref(), table.looks_at_all(clusters.as_ref()))));
        if table.counting.is_view {
            let (_, shapes) = table.counting.shapes(&part);
            all.push((format!("what values of {name} look like"), shapes));
        }
    }
    for column in &table.counting.columns {
        let whole = Part::whole(&table.counting);
        let after_all = "where all rows were counted, ";
        let parts =
            [(Some(&part), ""), ((part.from != whole.from || part.filter.is_some()).then_some(&whole), after_all)];
        for (part, when) in parts.into_iter().filter_map(|(part, when)| Some((part?, when))) {
            if let Some((users, sql)) = orphans_sql(dialect, table, column, part) {
                all.push((format!("{when}tokens in {}.{} of inactive or missing {users}", name, column.name), sql));
            }
        }
    }
    all
}

async fn estimate(session: &mut Session, sql: &str) -> String {
    let explain = match session.dialect {
        Dialect::Sqlite => format!("EXPLAIN QUERY PLAN {sql}"),
        Dialect::Postgres { .. } | Dialect::Mysql { .. } => format!("EXPLAIN {sql}"),
    };
    let rows = match session.ask(&explain).await {
        Ok(rows) => rows,
        Err(trouble) => return format!("no estimate: {trouble}"),
    };
    match session.dialect {
        // `Aggregate  (cost=1.05..1.06 rows=1 width=8)`
        Dialect::Postgres { .. } => {
            let top = rows.first().map(|row| text(row, 0)).unwrap_or_default();
            let cost = top.split_once("(cost=").and_then(|(_, rest)| rest.split_once(" rows="));
            let total = cost.and_then(|(range, _)| range.split_once("..")).map_or("?", |(_, total)| total);
            format!("cost {total}")
        }
        Dialect::Mysql { .. } => {
            format!("{} rows to read", rows.iter().map(explained_rows).max().unwrap_or(0))
        }
        Dialect::Sqlite => rows.iter().map(|row| text(row, 3)).collect::<Vec<_>>().join("; "),
    }
}
