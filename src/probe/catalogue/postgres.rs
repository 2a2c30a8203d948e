//! PostgreSQL's `pg_catalog`, which unlike `information_schema` also shows what the user may not read.

use crate::probe::DRIFT;
use crate::probe::catalogue::{Column, Missing, Relation, column, is_true, mentions, references, view_name};
use crate::probe::problem::{Trouble, visible};
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
) -> Result<Option<Relation>, Missing> {
    let dialect = session.dialect;
    let name = dialect.literal(table);
    let view = dialect.literal(&view_name(dialect, schema, table));
    let schema = schema.map_or_else(String::new, |schema| format!("AND n.nspname = {}", dialect.literal(schema)));
    let sql = format!(
        "SELECT c.oid, n.nspname, c.relname, c.relkind, \
         CASE WHEN has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT') THEN 1 ELSE 0 END, \
         CASE WHEN pg_table_is_visible(c.oid) THEN 1 ELSE 0 END, CASE WHEN c.relname = {name} THEN 1 ELSE 0 END \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
         AND (n.nspname = '{GRANTS}' AND lower(c.relname) = lower({view}) \
         OR n.nspname <> '{GRANTS}' AND lower(c.relname) = lower({name}) {schema}) \
         ORDER BY (c.relname = {name}) DESC, pg_table_is_visible(c.oid) DESC, n.nspname LIMIT 100"
    );
    let found = session.ask(&sql).await?;
    let Some(row) = meant(&found, schema.is_empty(), table)? else { return Ok(None) };
    let Some(oid) = integer(row, 0) else { return Ok(None) };
    let kind = text(row, 3);
    let place = text(row, 1);
    let is_elsewhere = schema.is_empty() && place != GRANTS && !is_true(row, 5);
    let mut relation = Relation {
        is_grant: place == GRANTS,
        note: is_elsewhere.then(|| {
            format!("tables of the search_path: only the schema `{}` has a `{}`", visible(&place), visible(table))
        }),
        schema: Some(place),
        name: text(row, 2),
        is_sampled: matches!(kind.as_str(), "r" | "p" | "m"),
        ..Relation::default()
    };
    size(session, oid, &mut relation).await?;
    columns(session, oid, &mut relation).await?;
    relation.references = references(session, &keys_sql(oid), columns_sql).await?;
    let sql = mentions_sql(oid);
    relation.mentions = mentions(session, &sql).await?;
    Ok(Some(relation))
}

/// The table that a name means: that of the search path before one elsewhere, never another because that may be read. Only the view that
/// `--grants` made stands in for one that may not.
fn meant<'a>(found: &'a [Row], is_bare: bool, table: &str) -> Result<Option<&'a Row>, Missing> {
    let is_granted = |row: &&Row| text(row, 1) == GRANTS;
    let is_readable = |row: &&Row| is_true(row, 4);
    let own: Vec<&Row> = found.iter().filter(|row| !is_granted(row)).collect();
    let granted = found.iter().find(|row| is_granted(row) && is_readable(row));
    let first = own.first().copied();
    if first.is_none_or(|row| !is_readable(&row)) && granted.is_some() {
        return Ok(granted);
    }
    let equals =
        own.iter().filter(|row| is_bare && !is_true(row, 5) && is_true(row, 6)).map(|row| visible(&text(row, 1)));
    let equals: Vec<String> = equals.collect();
    match first {
        Some(row) if is_bare && !is_true(row, 5) && equals.len() > 1 => Err(Missing::Table(format!(
            "several schemas have a table `{}`, none of them in the search_path: {}; name the schema in front of the table",
            visible(table),
            equals.join(", ")
        ))),
        first => Ok(first),
    }
}

/// Rows and blocks over all partitions and children: what the statistics tell of a block, for as many as there are now, which is how the
/// planner counts. What a partitioned table itself has is theirs once more.
async fn size(session: &mut Session, oid: i64, relation: &mut Relation) -> Result<(), Trouble> {
    let sql = format!(
        "WITH RECURSIVE tree AS (SELECT {oid}::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid), \
         sizes AS (SELECT c.relkind, c.reltuples, c.relpages, coalesce(pg_stat_get_mod_since_analyze(c.oid), 0) AS changed, \
         c.relkind IN ('r', 'm') AND coalesce(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NULL AS unknown, \
         CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE 0 END AS blocks \
         FROM tree JOIN pg_class c ON c.oid = tree.oid) \
         SELECT CAST(sum(CASE WHEN relkind = 'p' THEN 0 WHEN reltuples > 0 AND relpages > 0 AND blocks > 0 THEN reltuples * blocks / relpages \
         WHEN reltuples > 0 THEN reltuples ELSE blocks * 80 END) AS bigint), \
         CAST(max(blocks) AS bigint), \
         CASE WHEN sum(abs(blocks - relpages)) > {DRIFT} * sum(relpages) OR sum(changed) > {DRIFT} * sum(greatest(reltuples, 0)) THEN 1 ELSE 0 END, \
         CASE WHEN bool_or(relkind = 'f') THEN 1 ELSE 0 END, CASE WHEN bool_or(unknown) THEN 1 ELSE 0 END, count(*) \
         FROM sizes"
    );
    if let Some(row) = session.ask(&sql).await?.first() {
        relation.blocks = count(row, 1);
        // A standby counts no changes: they happen elsewhere.
        relation.stale = if is_true(row, 2) {
            Some("much changed since the statistics were made")
        } else {
            // Nor does a server whose counters were set back, by somebody or by a crash. The statistics over several parts are only made by
            // hand, however often those of each part are.
            (session.is_replica || is_true(row, 4) || count(row, 5) > 1)
                .then_some("how much changed since the statistics were made is not known")
        };
        // A part on another server has no blocks, and no sample can be drawn of it.
        if is_true(row, 3) {
            (relation.is_sampled, relation.blocks) = (false, 0);
        }
        // A view has no statistics, and no blocks.
        relation.rows = Some(count(row, 0)).filter(|_| relation.is_sampled);
    }
    Ok(())
}

async fn columns(session: &mut Session, oid: i64, relation: &mut Relation) -> Result<(), Trouble> {
    // Statistics over children where there are any; made from 300 rows for each unit of the target.
    let sql = format!(
        "SELECT a.attname, format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, NULL), \
         CASE WHEN a.attnotnull OR t.typnotnull THEN 0 ELSE 1 END, \
         CASE WHEN a.atthasdef OR t.typdefault IS NOT NULL THEN 1 ELSE 0 END, CASE WHEN a.attgenerated <> '' THEN 1 ELSE 0 END, \
         CASE WHEN has_column_privilege({oid}::oid, a.attnum, 'SELECT') THEN 1 ELSE 0 END, \
         (SELECT s.null_frac FROM pg_stats s JOIN pg_class c ON c.relname = s.tablename JOIN pg_namespace n \
         ON n.oid = c.relnamespace AND n.nspname = s.schemaname WHERE c.oid = {oid} AND s.attname = a.attname \
         ORDER BY s.inherited DESC LIMIT 1), \
         300 * CASE WHEN coalesce(a.attstattarget, -1) >= 0 THEN a.attstattarget \
         ELSE current_setting('default_statistics_target')::int END, \
         CASE WHEN EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = {oid} AND i.indisprimary AND i.indnatts = 1 \
         AND i.indkey[0] = a.attnum) THEN 1 ELSE 0 END \
         FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
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

/// A trigger comes with the function that it runs; functions of other languages have no text to read. Of the table and of all views over it.
fn mentions_sql(oid: i64) -> String {
    format!(
        "WITH RECURSIVE over AS (SELECT {oid}::oid AS oid UNION SELECT r.ev_class FROM over JOIN pg_depend d ON d.refobjid = over.oid \
         AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite r ON r.oid = d.objid), \
         about AS (SELECT c.oid, c.relname, c.relkind FROM over JOIN pg_class c ON c.oid = over.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname <> '{GRANTS}'), \
         named AS (SELECT array_agg('%' || lower(relname) || '%') AS names FROM about), \
         triggers AS (SELECT t.tgname, t.oid, t.tgfoid FROM pg_trigger t JOIN about ON about.oid = t.tgrelid WHERE NOT t.tgisinternal) \
         SELECT 'trigger', tgname::text, pg_get_triggerdef(oid) || E';\\n' || pg_get_functiondef(tgfoid) FROM triggers \
         UNION ALL SELECT 'routine', f.name, f.text FROM (SELECT p.oid, p.proname::text AS name, \
         CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN pg_get_functiondef(p.oid) END AS text \
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang \
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')) f, named WHERE lower(f.text) LIKE ANY (names) \
         AND NOT EXISTS (SELECT 1 FROM triggers WHERE tgfoid = f.oid) \
         UNION ALL SELECT 'rule', r.rulename::text, regexp_replace(regexp_replace(pg_get_ruledef(r.oid), '^.*? DO ', ''), '^ *(ALSO|INSTEAD)? +', '') \
         FROM pg_rewrite r, named WHERE r.rulename <> '_RETURN' AND lower(pg_get_ruledef(r.oid)) LIKE ANY (names) \
         UNION ALL SELECT 'view', relname::text, pg_get_viewdef(oid) FROM about WHERE relkind IN ('v', 'm') AND oid <> {oid} ORDER BY 1, 2 LIMIT 1000"
    )
}
