//! SQLite: a file opened read-only, one pass a table.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

use crate::config::{Cohort, Config};
use crate::probe::problem::{Trouble, closest, duration, visible};
use crate::probe::sql::{Dialect, is_name};
use crate::probe::{CohortCounts, ColumnProbe, Counts, Deadline, Outcome, ProbeError};
use crate::schema::Schema;

const DIALECT: Dialect = Dialect { quote: '"', text: "TEXT" };

/// More groups than this are no cohorts: most likely an id or an address, which also must not be copied.
const MOST_GROUPS: usize = 2000;

/// Instructions of SQLite's machine between two looks at the clock: well under a millisecond.
const OPERATIONS: i32 = 1000;

/// One row of the answer: what the rows of one group have in common, and their counts.
#[derive(Debug)]
struct Group {
    /// One a cohort expression.
    labels: Vec<Option<String>>,
    rows: u64,
    /// NULLs and empty values, one pair a column.
    columns: Vec<(u64, u64)>,
}

/// Opens the file and counts.
pub(crate) async fn probe(
    path: &Path,
    shown: &str,
    config: &Config,
    schema: &Schema,
    deadline: Deadline,
) -> Result<Vec<ColumnProbe>, ProbeError> {
    let mut connection = open(path, shown, deadline).await?;
    let fatal = |trouble| ProbeError::Database { shown: shown.to_owned(), trouble };
    // The first statement that reads: tells a database from any other file.
    let tables = names(&mut connection, deadline, TABLES, None).await.map_err(fatal)?;

    // Table -> the ranks of its columns in the schema.
    let mut by_table: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (rank, column) in schema.columns.iter().enumerate() {
        // SQLite's names do not know case.
        by_table.entry(column.table.to_ascii_lowercase()).or_default().push(rank);
    }
    let mut outcomes: Vec<Option<Outcome>> = vec![None; schema.columns.len()];
    for ranks in by_table.values() {
        count_table(&mut connection, config, schema, deadline, &tables, ranks, &mut outcomes).await;
    }
    // Nothing was written, so nothing is lost where closing takes too long.
    let _ = deadline.wait(connection.close()).await;
    let probes = schema.columns.iter().zip(outcomes).map(|(column, outcome)| ColumnProbe {
        column: column.config,
        outcome: outcome.unwrap_or_else(|| Outcome::Failed("it was not counted".to_owned())),
    });
    Ok(probes.collect())
}

const TABLES: &str = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') \
                      AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
const COLUMNS: &str = "SELECT name FROM pragma_table_xinfo(?) ORDER BY cid";

async fn open(path: &Path, shown: &str, deadline: Deadline) -> Result<SqliteConnection, ProbeError> {
    let shown = shown.to_owned();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(ProbeError::Folder { shown }),
        // Opening a pipe would wait for its other end.
        Ok(metadata) if !metadata.is_file() => return Err(ProbeError::Special { shown }),
        // SQLite takes a file shorter than its smallest page for an empty database.
        Ok(metadata) if (1..512).contains(&metadata.len()) => {
            return Err(ProbeError::Database { shown, trouble: Trouble::NotADatabase });
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ProbeError::Missing { shown }),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(ProbeError::Database { shown, trouble: Trouble::Denied });
        }
        Err(_) => return Err(ProbeError::Database { shown, trouble: Trouble::Unreadable }),
    }
    if let Err(error) = std::fs::File::open(path)
        && error.kind() == std::io::ErrorKind::PermissionDenied
    {
        return Err(ProbeError::Database { shown, trouble: Trouble::Denied });
    }
    let fatal = |trouble| ProbeError::Database { shown: shown.clone(), trouble };
    // Absolute, so that a relative path that begins with `file:` is not taken for a URI with parameters.
    let absolute = std::path::absolute(path).map_err(|_| fatal(Trouble::Unreadable))?;
    let options = SqliteConnectOptions::new()
        .filename(absolute)
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout((deadline.budget / 2).min(Duration::from_secs(5)))
        .pragma("query_only", "ON")
        .disable_statement_logging();
    let opened = deadline.wait(options.connect()).await.map_err(fatal)?;
    let mut connection = opened.map_err(|error| fatal(Trouble::of_sqlite(&error)))?;
    {
        let mut handle = connection.lock_handle().await.map_err(|error| fatal(Trouble::of_sqlite(&error)))?;
        handle.set_progress_handler(OPERATIONS, move || Instant::now() < deadline.at);
    }
    Ok(connection)
}

/// The names that one of the statements about the catalogue gives.
async fn names(
    connection: &mut SqliteConnection,
    deadline: Deadline,
    sql: &'static str,
    bound: Option<&str>,
) -> Result<Vec<String>, Trouble> {
    let query = match bound {
        Some(name) => sqlx::query(sql).bind(name.to_owned()),
        None => sqlx::query(sql),
    };
    let rows = deadline.wait(query.fetch_all(connection)).await?;
    let rows = rows.map_err(|error| Trouble::of_sqlite(&error))?;
    rows.iter().map(|row| row.try_get::<String, _>(0).map_err(|error| Trouble::of_sqlite(&error))).collect()
}

/// Fills in the outcomes of the columns of one table.
async fn count_table(
    connection: &mut SqliteConnection,
    config: &Config,
    schema: &Schema,
    deadline: Deadline,
    tables: &[String],
    ranks: &[usize],
    outcomes: &mut [Option<Outcome>],
) {
    let Some(first) = ranks.first() else { return };
    let wanted = &schema.columns[*first].table;
    let fail_all = |outcomes: &mut [Option<Outcome>], why: &str| {
        for rank in ranks {
            outcomes[*rank].get_or_insert_with(|| Outcome::Failed(why.to_owned()));
        }
    };
    let Some(table) = tables.iter().find(|name| name.eq_ignore_ascii_case(wanted)) else {
        let hint = closest(wanted, tables, "table");
        return fail_all(outcomes, &format!("the database has no table `{}`{hint}", visible(wanted)));
    };
    let present = match names(connection, deadline, COLUMNS, Some(table)).await {
        Ok(present) => present,
        Err(trouble) => return fail_all(outcomes, &while_reading(table, trouble, deadline)),
    };

    // A column that is missing, or whose cohorts cannot be counted, must not cost the others their counts.
    let tracked: Vec<&str> = ranks.iter().map(|rank| schema.columns[*rank].column.as_str()).collect();
    let mut expressions: Vec<String> = Vec::new();
    let mut counted: Vec<(usize, Vec<(usize, &Cohort)>)> = Vec::new();
    for rank in ranks {
        let column = &schema.columns[*rank];
        if !present.iter().any(|name| name.eq_ignore_ascii_case(&column.column)) {
            let hint = closest(&column.column, &present, "column");
            let why = format!("table `{}` has no column `{}`{hint}", visible(table), visible(&column.column));
            outcomes[*rank] = Some(Outcome::Failed(why));
            continue;
        }
        let cohorts = config.columns.get(column.config).map_or(&[][..], |column| &column.cohorts);
        let mut mine = Vec::new();
        let mut refused = None;
        for cohort in cohorts {
            match cohort_expression(connection, deadline, table, cohort, &present, &tracked).await {
                Ok(expression) => {
                    let at = expressions.iter().position(|known| *known == expression).unwrap_or_else(|| {
                        expressions.push(expression);
                        expressions.len() - 1
                    });
                    mine.push((at, cohort));
                }
                Err(why) => refused = refused.or(Some(format!("cohort `{}`: {why}", visible(&cohort.name)))),
            }
        }
        match refused {
            Some(why) => outcomes[*rank] = Some(Outcome::Failed(why)),
            None => counted.push((*rank, mine)),
        }
    }
    if counted.is_empty() {
        return;
    }

    let columns: Vec<&str> = counted.iter().map(|(rank, _)| schema.columns[*rank].column.as_str()).collect();
    let sql = DIALECT.count(table, &columns, &expressions);
    let groups = match groups(connection, deadline, sql, expressions.len(), columns.len()).await {
        Ok(groups) => groups,
        Err(trouble) => return fail_all(outcomes, &while_reading(table, trouble, deadline)),
    };
    if groups.len() > MOST_GROUPS {
        let cohorts = counted.iter().flat_map(|(_, cohorts)| cohorts.iter().copied());
        return fail_all(outcomes, &too_many(&groups, cohorts));
    }
    for (at, (rank, cohorts)) in counted.iter().enumerate() {
        outcomes[*rank] = Some(Outcome::Counted(counts(&groups, at, cohorts)));
    }
}

fn while_reading(table: &str, trouble: Trouble, deadline: Deadline) -> String {
    match trouble {
        Trouble::OutOfTime => {
            format!("table `{}`: not counted within {}; {trouble}", visible(table), duration(deadline.budget))
        }
        _ => format!("table `{}`: {trouble}", visible(table)),
    }
}

/// What a cohort groups by, once SQLite has understood it.
async fn cohort_expression(
    connection: &mut SqliteConnection,
    deadline: Deadline,
    table: &str,
    cohort: &Cohort,
    present: &[String],
    tracked: &[&str],
) -> Result<String, String> {
    let by = cohort.by.trim();
    let expression = DIALECT.group(table, by, tracked)?;
    if is_name(by) && !present.iter().any(|name| name.eq_ignore_ascii_case(by)) {
        let hint = closest(by, present, "column");
        return Err(format!("table `{}` has no column `{}`{hint}", visible(table), visible(by)));
    }
    let trial = sqlx::query(AssertSqlSafe(DIALECT.trial(table, &expression)));
    match deadline.wait(trial.fetch_all(connection)).await {
        Ok(Ok(_)) => Ok(expression),
        Ok(Err(error)) => match Trouble::of_sqlite(&error) {
            Trouble::Refused => Err(format!(
                "`by = \"{}\"` is no expression that SQLite understands over table `{}`, whose columns are {}",
                visible(by),
                visible(table),
                present.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ")
            )),
            trouble => Err(trouble.to_string()),
        },
        Err(trouble) => Err(trouble.to_string()),
    }
}

/// Runs the counting statement; stops at the first group that is too many.
async fn groups(
    connection: &mut SqliteConnection,
    deadline: Deadline,
    sql: String,
    labels: usize,
    columns: usize,
) -> Result<Vec<Group>, Trouble> {
    let read = async {
        let mut groups = Vec::new();
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            groups.push(group(&row, labels, columns)?);
            if groups.len() > MOST_GROUPS {
                break;
            }
        }
        Ok::<_, sqlx::Error>(groups)
    };
    deadline.wait(read).await?.map_err(|error| Trouble::of_sqlite(&error))
}

fn group(row: &SqliteRow, labels: usize, columns: usize) -> Result<Group, sqlx::Error> {
    let number = |at: usize| row.try_get::<i64, _>(at).map(|count| u64::try_from(count).unwrap_or(0));
    let label = |at: usize| {
        // As bytes: a blob turned into text need not be UTF-8.
        let bytes = row.try_get::<Option<Vec<u8>>, _>(at)?;
        Ok::<_, sqlx::Error>(bytes.map(|bytes| visible(&String::from_utf8_lossy(&bytes))))
    };
    Ok(Group {
        labels: (0..labels).map(label).collect::<Result<_, _>>()?,
        rows: number(labels)?,
        columns: (0..columns)
            .map(|column| Ok((number(labels + 1 + 2 * column)?, number(labels + 2 + 2 * column)?)))
            .collect::<Result<_, sqlx::Error>>()?,
    })
}

/// Adds up the groups for the column at `column` of the statement: all of them, and by each of its cohorts.
fn counts(groups: &[Group], column: usize, cohorts: &[(usize, &Cohort)]) -> Counts {
    let mut whole = Counts { rows: 0, nulls: 0, empty: 0, cohorts: Vec::new() };
    for group in groups {
        let (nulls, empty) = group.columns[column];
        whole.rows += group.rows;
        whole.nulls += nulls;
        whole.empty += empty;
    }
    for (expression, cohort) in cohorts {
        let mut by_value: BTreeMap<Option<&str>, CohortCounts> = BTreeMap::new();
        for group in groups {
            let value = group.labels[*expression].as_deref();
            let (nulls, empty) = group.columns[column];
            let part = by_value.entry(value).or_insert_with(|| CohortCounts {
                name: cohort.name.clone(),
                value: value.map(str::to_owned),
                rows: 0,
                nulls: 0,
                empty: 0,
            });
            part.rows += group.rows;
            part.nulls += nulls;
            part.empty += empty;
        }
        whole.cohorts.extend(by_value.into_values());
    }
    whole
}

/// Names the cohort with the most values.
fn too_many<'a>(groups: &[Group], cohorts: impl Iterator<Item = (usize, &'a Cohort)>) -> String {
    let values = |expression: usize| {
        groups.iter().map(|group| group.labels[expression].as_deref()).collect::<std::collections::BTreeSet<_>>().len()
    };
    let widest = cohorts.max_by_key(|(expression, _)| values(*expression));
    let name = widest.map_or(String::new(), |(_, cohort)| format!(" (cohort `{}` most of all)", visible(&cohort.name)));
    format!("the cohorts split the table into more than {MOST_GROUPS} groups{name}; group by something coarser")
}

#[cfg(test)]
mod tests;
