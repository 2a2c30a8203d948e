//! SQLite's `sqlite_master` and pragmas.

use crate::probe::catalogue::{Relation, column, mentions, references};
use crate::probe::dialect::Dialect;
use crate::probe::problem::Trouble;
use crate::probe::session::{Session, count, text};
use crate::probe::table::AT_ONCE;

pub(crate) const TABLES: &str = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') \
                                 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/// `None` where the file has no such table. Names do not know case.
pub(crate) async fn relation(session: &mut Session, table: &str) -> Result<Option<Relation>, Trouble> {
    let dialect = session.dialect;
    let tables: Vec<String> = session.ask(TABLES).await?.iter().map(|row| text(row, 0)).collect();
    let Some(name) = tables.into_iter().find(|name| name.eq_ignore_ascii_case(table)) else { return Ok(None) };
    let own = dialect.literal(&name);
    let mut relation = Relation { name, ..Relation::default() };
    let sql = format!(
        "SELECT name, type, \"notnull\" = 0 AND pk = 0, coalesce(upper(dflt_value), 'NULL') <> 'NULL', hidden IN (2, 3), pk FROM pragma_table_xinfo({own}) \
         ORDER BY cid"
    );
    let mut keys = Vec::new();
    for row in session.ask(&sql).await? {
        if count(&row, 5) > 0 {
            // Only this spelling is the row's own number.
            keys.push((text(&row, 0), text(&row, 1).eq_ignore_ascii_case("INTEGER")));
        }
        relation.columns.push(column(&row));
    }
    // A key that is descending, or of a table without row numbers, has an index of its own and may be NULL.
    let own_index = format!("SELECT count(*) FROM pragma_index_list({own}) WHERE origin = 'pk'");
    let is_row_number = session.ask(&own_index).await?.first().is_none_or(|row| count(row, 0) == 0);
    let own_number = match keys.as_slice() {
        [(key, true)] if is_row_number => Some(key.clone()),
        _ => row_number(session, &relation).await?,
    };
    if let Some(key) = own_number {
        relation.rows =
            session.ask(&size_sql(dialect, &relation, &key)).await?.first().map(|row| match count(row, 0) {
                few if few <= AT_ONCE => few,
                many => many.max(count(row, 1)),
            });
        relation.key = Some(key);
    }
    let keys = format!(
        "SELECT \"from\", '', \"table\", \"to\" FROM pragma_foreign_key_list({own}) GROUP BY id HAVING count(*) = 1 ORDER BY id"
    );
    relation.references = references(session, &keys, |row| {
        format!("SELECT name, type, pk FROM pragma_table_xinfo({}) ORDER BY cid", dialect.literal(&text(row, 2)))
    })
    .await?;
    let sql = format!(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view') AND lower(name) <> lower({own}) ORDER BY 1, 2"
    );
    relation.mentions = mentions(session, &sql).await?;
    Ok(Some(relation))
}

/// A small table is counted at once. In a big one the largest number is found at once, and there are no more rows than that.
pub(crate) fn size_sql(dialect: Dialect, relation: &Relation, key: &str) -> String {
    let (field, from) = (dialect.field(&relation.name, key), relation.from(dialect));
    let most = AT_ONCE + 1;
    format!("SELECT count(*), (SELECT max({field}) FROM {from}) FROM (SELECT 1 FROM {from} LIMIT {most})")
}

/// The name of the number that every row of a table has, but for tables `WITHOUT ROWID` and where a column has taken the name.
async fn row_number(session: &mut Session, relation: &Relation) -> Result<Option<String>, Trouble> {
    const NAME: &str = "rowid";
    let own = session.dialect.literal(&relation.name);
    let sql = format!(
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name = {own} AND type = 'table' AND wr = 0"
    );
    let has = session.ask(&sql).await?.first().is_some_and(|row| count(row, 0) == 1);
    Ok((has && relation.column(NAME).is_none()).then(|| NAME.to_owned()))
}
