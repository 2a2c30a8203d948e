//! What a database says of a table before any of its rows is looked at.

mod mysql;
mod postgres;
mod sqlite;

pub(crate) use postgres::GRANTS;
pub(crate) use sqlite::size_sql;

use crate::probe::dialect::Dialect;
use crate::probe::problem::{Trouble, closest, visible};
use crate::probe::session::{Row, Session, count, text};

/// A table, or a view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relation {
    /// Its schema, or none where the connection's own is meant.
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// How many rows its statistics tell; `None`: they do not.
    pub(crate) rows: Option<u64>,
    /// Blocks of the largest part, for ranges of row addresses; 0 where there are none.
    pub(crate) blocks: u64,
    /// An integer whose ranges are ranges of rows: the only column of the primary key, its first, or the row's own number.
    pub(crate) key: Option<String>,
    /// Whether other columns stand behind it in the primary key: one value can have any number of rows.
    pub(crate) is_shared_key: bool,
    /// The first column of a primary key that is no integer, where the server can cut the table by nothing else.
    pub(crate) order: Option<Order>,
    /// Why its statistics settle nothing, where they do not: the table has changed since, or nobody knows whether it has.
    pub(crate) stale: Option<&'static str>,
    /// What people should know of where it was found.
    pub(crate) note: Option<String>,
    /// Whether parts of it can be drawn with `TABLESAMPLE`.
    pub(crate) is_sampled: bool,
    /// Whether it is what `--grants` made: its columns hold shapes, not values.
    pub(crate) is_grant: bool,
    /// Foreign keys of one column: the column, and the table and column that it leads to.
    pub(crate) references: Vec<Reference>,
    /// Triggers, rules, routines and events whose text names the table, and views; `None`: the server did not tell.
    pub(crate) mentions: Option<Vec<Mention>>,
}

#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) nullable: bool,
    pub(crate) has_default: bool,
    pub(crate) is_generated: bool,
    /// The share of NULLs in the statistics, and how many rows they were made from.
    pub(crate) null_share: Option<(f64, u64)>,
    /// Whether the user may read it.
    pub(crate) is_readable: bool,
}

/// A column whose index brings the rows in an order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) column: String,
    pub(crate) values: Values,
}

/// What a column holds.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// Whole numbers.
    Numbers,
    Bytes,
    /// Text in this character set.
    Text(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) column: String,
    /// As it stands behind `FROM`.
    pub(crate) table: String,
    /// Its plain name.
    pub(crate) table_name: String,
    pub(crate) key: String,
    /// Name and type.
    pub(crate) columns: Vec<(String, String)>,
}

/// Something in the database that names the table or column.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// Its text; never shown.
    pub(crate) body: String,
}

impl Relation {
    pub(crate) fn from(&self, dialect: Dialect) -> String {
        let name = dialect.quoted(&self.name);
        self.schema.as_ref().map_or(name.clone(), |schema| format!("{}.{name}", dialect.quoted(schema)))
    }

    /// A column, first by its very name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        let exact = self.columns.iter().find(|column| column.name == name);
        exact.or_else(|| self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)))
    }
}

/// Looks a table up by its name as configured.
///
/// # Errors
/// Why there is nothing to count, with the closest names where there is no such table.
pub(crate) async fn relation(session: &mut Session, schema: Option<&str>, table: &str) -> Result<Relation, Missing> {
    let found = match session.dialect {
        Dialect::Postgres { .. } => postgres::relation(session, schema, table).await,
        Dialect::Mysql { .. } => mysql::relation(session, schema, table).await.map_err(Missing::from),
        Dialect::Sqlite => sqlite::relation(session, table).await.map_err(Missing::from),
    }?;
    if let Some(mut relation) = found {
        if relation.rows.is_none() {
            relation.rows = planned_rows(session, &relation).await;
        }
        return Ok(relation);
    }
    let sql = match session.dialect {
        Dialect::Postgres { .. } => postgres::TABLES,
        Dialect::Mysql { .. } => mysql::TABLES,
        Dialect::Sqlite => sqlite::TABLES,
    };
    let names: Vec<String> = session.ask(sql).await?.iter().map(|row| text(row, 0)).collect();
    let hidden = unreadable(session.dialect);
    Err(Missing::Table(format!(
        "the database has no table `{}`{hidden}{}",
        visible(table),
        closest(table, &names, "table")
    )))
}

/// Where a catalogue does not show what the user may not read, that is said of whatever it lacks.
pub(crate) fn unreadable(dialect: Dialect) -> &'static str {
    if matches!(dialect, Dialect::Mysql { .. }) { ", or this user may not read it" } else { "" }
}

/// How many rows the planner expects where no statistics tell: those of a view. Nothing is run; `None` where the server does not say.
async fn planned_rows(session: &mut Session, relation: &Relation) -> Option<u64> {
    let dialect = session.dialect;
    let sql = format!("EXPLAIN SELECT 1 FROM {}", relation.from(dialect));
    let plan = match dialect {
        Dialect::Sqlite => return None,
        Dialect::Postgres { .. } | Dialect::Mysql { .. } => session.ask(&sql).await.ok()?,
    };
    match dialect {
        // `Seq Scan on users  (cost=0.00..35.50 rows=2550 width=4)`
        Dialect::Postgres { .. } => text(plan.first()?, 0).split_once(" rows=")?.1.split(' ').next()?.parse().ok(),
        Dialect::Mysql { .. } | Dialect::Sqlite => plan.iter().map(explained_rows).max(),
    }
}

/// Rows to read, from a line of MySQL's or MariaDB's `EXPLAIN`, which have them in the tenth or ninth field.
pub(crate) fn explained_rows(row: &Row) -> u64 {
    count(row, 8).max(count(row, 9))
}

/// The view that `--grants` makes of a table: in PostgreSQL in a schema of its own, in MySQL beside the table.
pub(crate) fn view_name(dialect: Dialect, schema: Option<&str>, table: &str) -> String {
    match (dialect, schema) {
        (Dialect::Mysql { .. }, _) => format!("{GRANTS}_{table}"),
        // Tables of one name in several schemas have a view each.
        (_, Some(schema)) => format!("{schema}.{table}"),
        (_, None) => table.to_owned(),
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Missing {
    /// In whole words.
    Table(String),
    Trouble(Trouble),
}

impl From<Trouble> for Missing {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// From a row of name, type, nullable, default, generated.
fn column(row: &Row) -> Column {
    Column {
        name: text(row, 0),
        kind: text(row, 1),
        nullable: is_true(row, 2),
        has_default: is_true(row, 3),
        is_generated: is_true(row, 4),
        null_share: None,
        is_readable: true,
    }
}

/// Foreign keys of one column, from rows of column, schema, table and key that `keys` gives; `columns` asks for name, type and
/// rank in the primary key of what such a row leads to.
async fn references(
    session: &mut Session,
    keys: &str,
    columns: impl Fn(&Row) -> String,
) -> Result<Vec<Reference>, Trouble> {
    let dialect = session.dialect;
    let mut references = Vec::new();
    for row in session.ask(keys).await? {
        let columns = session.ask(&columns(&row)).await?;
        let target = Relation {
            schema: Some(text(&row, 1)).filter(|place| !place.is_empty()),
            name: text(&row, 2),
            ..Relation::default()
        };
        let primary = || columns.iter().find(|row| count(row, 2) == 1).map(|row| text(row, 0));
        references.push(Reference {
            column: text(&row, 0),
            table: target.from(dialect),
            table_name: target.name,
            // SQLite leaves it out where it is the primary one.
            key: Some(text(&row, 3)).filter(|key| !key.is_empty()).or_else(primary).unwrap_or_default(),
            columns: columns.iter().map(|row| (text(row, 0), text(row, 1))).collect(),
        });
    }
    Ok(references)
}

/// From rows of kind, name and text. Objects come and go while a server puts their texts together, which some take for an error: it is
/// asked again, and where that does not help the counts are worth more than the names.
async fn mentions(session: &mut Session, sql: &str) -> Result<Option<Vec<Mention>>, Trouble> {
    const TRIES: u32 = 3;
    let kind = |row: &Row| {
        ["trigger", "view", "event", "rule"].into_iter().find(|kind| *kind == text(row, 0)).unwrap_or("routine")
    };
    let mention = |row: &Row| Mention { kind: kind(row), name: visible(&text(row, 1)), body: text(row, 2) };
    for _ in 0..TRIES {
        match session.ask(sql).await {
            Ok(found) => return Ok(Some(found.iter().map(mention).collect())),
            Err(Trouble::Refused | Trouble::Data | Trouble::Denied | Trouble::Blocked) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(None)
}

/// `'t'` or `1`
fn is_true(row: &Row, at: usize) -> bool {
    matches!(text(row, at).as_str(), "t" | "true" | "1" | "YES")
}
