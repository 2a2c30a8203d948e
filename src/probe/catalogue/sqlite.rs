//! SQLite's `sqlite_master` and pragmas.

use crate::probe::catalogue::{Relation, column, mentions, references};
use crate::probe::problem::Trouble;
use crate::probe::session::{Session, count, text};

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
    if let [(key, true)] = keys.as_slice() {
        // The largest number is found at once, and there are no more rows than that.
        let sql = format!("SELECT max({}) FROM {}", dialect.field(&relation.name, key), relation.from(dialect));
        relation.rows = session.ask(&sql).await?.first().map(|row| count(row, 0));
        relation.key = Some(key.clone());
    }
    let keys = format!("SELECT \"from\", '', \"table\", \"to\" FROM pragma_foreign_key_list({own}) ORDER BY id, seq");
    relation.references = references(session, &keys, |row| {
        format!("SELECT name, type, pk FROM pragma_table_xinfo({}) ORDER BY cid", dialect.literal(&text(row, 2)))
    })
    .await?;
    let sql = format!(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view') AND lower(name) <> lower({own}) \
         AND instr(lower(sql), lower({own})) > 0 ORDER BY 1, 2"
    );
    relation.mentions = mentions(session, &sql).await?;
    Ok(Some(relation))
}
