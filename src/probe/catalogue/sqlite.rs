//! SQLite's `sqlite_master` and pragmas.

use crate::probe::catalogue::{Column, Mention, Reference, Relation, is_true};
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
        "SELECT name, type, \"notnull\" = 0 AND pk = 0, dflt_value IS NOT NULL, hidden IN (2, 3), pk FROM pragma_table_xinfo({own}) \
         ORDER BY cid"
    );
    let mut keys = Vec::new();
    for row in session.ask(&sql).await? {
        if count(&row, 5) > 0 {
            // Only this spelling is the row's own number.
            keys.push((text(&row, 0), text(&row, 1).eq_ignore_ascii_case("INTEGER")));
        }
        relation.columns.push(Column {
            name: text(&row, 0),
            kind: text(&row, 1),
            nullable: is_true(&row, 2),
            has_default: is_true(&row, 3),
            is_generated: is_true(&row, 4),
            is_readable: true,
            null_share: None,
        });
    }
    if let [(key, true)] = keys.as_slice() {
        // The largest number is found at once, and there are no more rows than that.
        let sql = format!("SELECT max({}) FROM {}", dialect.field(&relation.name, key), relation.from(dialect));
        relation.rows = session.ask(&sql).await?.first().map(|row| count(row, 0));
        relation.key = Some(key.clone());
    }
    let sql = format!("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list({own}) ORDER BY id, seq");
    for row in session.ask(&sql).await? {
        let target = text(&row, 1);
        let sql = format!("SELECT name, type, pk FROM pragma_table_xinfo({}) ORDER BY cid", dialect.literal(&target));
        let columns = session.ask(&sql).await?;
        let primary = columns.iter().find(|row| count(row, 2) == 1).map(|row| text(row, 0)).unwrap_or_default();
        let key = Some(text(&row, 2)).filter(|key| !key.is_empty()).unwrap_or(primary);
        relation.references.push(Reference {
            column: text(&row, 0),
            table: dialect.quoted(&target),
            table_name: target,
            key,
            columns: columns.iter().map(|row| (text(row, 0), text(row, 1))).collect(),
        });
    }
    let sql = format!(
        "SELECT type, name, lower(sql) FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower({own}) \
         OR type = 'view' AND lower(name) <> lower({own}) AND instr(lower(sql), lower({own})) > 0 ORDER BY 1, 2"
    );
    for row in session.ask(&sql).await? {
        let kind = if text(&row, 0) == "view" { "view" } else { "trigger" };
        relation.mentions.push(Mention { kind, name: text(&row, 1), body: text(&row, 2) });
    }
    Ok(Some(relation))
}
