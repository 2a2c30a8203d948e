//! PostgreSQL's `pg_catalog`, which unlike `information_schema` also shows what the user may not read.

use crate::probe::catalogue::{Column, Relation, column, is_true, mentions, references};
use crate::probe::problem::Trouble;
use crate::probe::session::{Row, Session, count, integer, text};

pub(crate) const TABLES: &str = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
    AND n.nspname NOT LIKE 'pg\\_%' ORDER BY c.relname LIMIT 20000";

/// The schema of the views that `--grants` makes.
pub(crate) const GRANTS: &str = "tokendrift";

pub(crate) async fn relation(
    session: &mut Session,
    schema: Option<&str>,
    table: &str,
) -> Result<Option<Relation>, Trouble> {
    let dialect = session.dialect;
    let name = dialect.literal(table);
    let schema = schema.map_or_else(String::new, |schema| format!("AND n.nspname = {}", dialect.literal(schema)));
    // A table whose columns may not be read gives way to a view of the same name that may.
    let sql = format!(
        "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND lower(c.relname) = lower({name}) \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
         AND (n.nspname = '{GRANTS}' OR true {schema}) \
         ORDER BY (has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')) DESC, \
         (n.nspname = '{GRANTS}'), (c.relname = {name}) DESC, pg_table_is_visible(c.oid) DESC, n.nspname LIMIT 1"
    );
    let found = session.ask(&sql).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let Some(oid) = integer(row, 0) else { return Ok(None) };
    let kind = text(row, 3);
    let schema = text(row, 1);
    let mut relation = Relation {
        is_grant: schema == GRANTS,
        schema: Some(schema),
        name: text(row, 2),
        is_sampled: matches!(kind.as_str(), "r" | "p" | "m"),
        ..Relation::default()
    };
    size(session, oid, &mut relation).await?;
    columns(session, oid, &mut relation).await?;
    relation.references = references(session, &keys_sql(oid), columns_sql).await?;
    let sql = mentions_sql(session, oid, &relation.name);
    relation.mentions = mentions(session, &sql).await?;
    Ok(Some(relation))
}

/// Rows and blocks over all partitions and children.
async fn size(session: &mut Session, oid: i64, relation: &mut Relation) -> Result<(), Trouble> {
    let sql = format!(
        "WITH RECURSIVE tree AS (SELECT {oid}::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid), \
         sizes AS (SELECT c.reltuples, CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) ELSE 0 END AS bytes \
         FROM tree JOIN pg_class c ON c.oid = tree.oid) \
         SELECT CAST(sum(CASE WHEN reltuples > 0 THEN reltuples WHEN bytes > 0 THEN bytes / 100 ELSE 0 END) AS bigint), \
         CAST(max(bytes) / current_setting('block_size')::bigint AS bigint) FROM sizes"
    );
    if let Some(row) = session.ask(&sql).await?.first() {
        relation.blocks = count(row, 1);
        // A view has no statistics, and no blocks.
        relation.rows = Some(count(row, 0)).filter(|_| relation.is_sampled);
    }
    Ok(())
}

async fn columns(session: &mut Session, oid: i64, relation: &mut Relation) -> Result<(), Trouble> {
    // Statistics over children where there are any; made from 300 rows for each unit of the target.
    let sql = format!(
        "SELECT a.attname, format_type(a.atttypid, NULL), CASE WHEN a.attnotnull THEN 0 ELSE 1 END, \
         CASE WHEN a.atthasdef THEN 1 ELSE 0 END, CASE WHEN a.attgenerated <> '' THEN 1 ELSE 0 END, \
         CASE WHEN has_column_privilege({oid}::oid, a.attnum, 'SELECT') THEN 1 ELSE 0 END, \
         (SELECT s.null_frac FROM pg_stats s JOIN pg_class c ON c.relname = s.tablename JOIN pg_namespace n \
         ON n.oid = c.relnamespace AND n.nspname = s.schemaname WHERE c.oid = {oid} AND s.attname = a.attname \
         ORDER BY s.inherited DESC LIMIT 1), \
         300 * CASE WHEN coalesce(a.attstattarget, -1) >= 0 THEN a.attstattarget \
         ELSE current_setting('default_statistics_target')::int END, \
         CASE WHEN EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = {oid} AND i.indisprimary AND i.indnatts = 1 \
         AND i.indkey[0] = a.attnum) THEN 1 ELSE 0 END \
         FROM pg_attribute a WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    );
    for row in session.ask(&sql).await? {
        let kind = text(&row, 1);
        let share: Option<f64> = text(&row, 6).parse().ok();
        let sampled = count(&row, 7).min(relation.rows.unwrap_or(u64::MAX));
        if is_true(&row, 8) && matches!(kind.as_str(), "smallint" | "integer" | "bigint") {
            relation.key = Some(text(&row, 0));
        }
        relation.columns.push(Column {
            is_readable: is_true(&row, 5),
            null_share: share.filter(|_| sampled > 0).map(|share| (share, sampled)),
            ..column(&row)
        });
    }
    Ok(())
}

fn keys_sql(oid: i64) -> String {
    format!(
        "SELECT a.attname, n.nspname, c.relname, k.attname, c.oid FROM pg_constraint f \
         JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1] \
         JOIN pg_class c ON c.oid = f.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute k ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1] \
         WHERE f.conrelid = {oid} AND f.contype = 'f' AND array_length(f.conkey, 1) = 1 ORDER BY a.attnum"
    )
}

fn columns_sql(row: &Row) -> String {
    let target = integer(row, 4).unwrap_or(0);
    format!(
        "SELECT attname, format_type(atttypid, NULL), 0 FROM pg_attribute WHERE attrelid = {target} AND attnum > 0 \
         AND NOT attisdropped AND has_column_privilege({target}::oid, attnum, 'SELECT') ORDER BY attnum"
    )
}

/// A trigger comes with the function that it runs; functions of other languages have no text to read.
fn mentions_sql(session: &Session, oid: i64, table: &str) -> String {
    let table = session.dialect.literal(&format!("%{}%", table.to_lowercase()));
    format!(
        "SELECT 'trigger', t.tgname::text, pg_get_triggerdef(t.oid) || E';\\n' || pg_get_functiondef(t.tgfoid) FROM pg_trigger t \
         WHERE t.tgrelid = {oid} AND NOT t.tgisinternal \
         UNION ALL SELECT 'routine', f.name, f.text FROM (SELECT p.oid, p.proname::text AS name, \
         CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN pg_get_functiondef(p.oid) END AS text \
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang \
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')) f WHERE lower(f.text) LIKE {table} \
         AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = {oid} AND t.tgfoid = f.oid) \
         UNION ALL SELECT DISTINCT 'view', v.relname::text, pg_get_viewdef(v.oid) FROM pg_depend d \
         JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass JOIN pg_class v ON v.oid = r.ev_class \
         WHERE d.refobjid = {oid} AND d.refclassid = 'pg_class'::regclass AND v.oid <> {oid} ORDER BY 1, 2 LIMIT 1000"
    )
}
