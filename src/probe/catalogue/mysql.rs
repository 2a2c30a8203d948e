//! MySQL's and MariaDB's `information_schema`; columns that the user may not read are not in it.

use crate::probe::catalogue::{Column, Order, Relation, Values, column, mentions, references};
use crate::probe::dialect::Dialect;
use crate::probe::interval;
use crate::probe::problem::Trouble;
use crate::probe::session::{Session, count, text};

pub(crate) const TABLES: &str =
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1 LIMIT 20000";

pub(crate) async fn relation(
    session: &mut Session,
    schema: Option<&str>,
    table: &str,
) -> Result<Option<Relation>, Trouble> {
    let dialect = session.dialect;
    let name = dialect.literal(table);
    let schema = schema.map_or_else(|| "DATABASE()".to_owned(), |schema| dialect.literal(schema));
    // Where the database has only the view that `--grants` made, that is what may be read.
    let sql = format!(
        "SELECT table_name, table_schema, table_type, table_rows FROM information_schema.tables \
         WHERE LOWER(table_name) = LOWER({name}) AND table_schema = {schema} \
         OR LOWER(table_name) = LOWER(CONCAT('tokendrift_', {name})) AND table_schema = {schema} \
         ORDER BY LENGTH(table_name), table_name = {name} DESC LIMIT 1"
    );
    let found = session.ask(&sql).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let name = text(row, 0);
    let is_view = text(row, 2).eq_ignore_ascii_case("VIEW");
    let mut relation = Relation {
        is_grant: is_view && name.len() > table.len(),
        schema: Some(text(row, 1)),
        rows: row.get(3).and_then(Option::as_ref).map(|_| count(row, 3)),
        name,
        ..Relation::default()
    };
    let (own, place) = (dialect.literal(&relation.name), dialect.literal(&text(row, 1)));
    let sql = format!(
        "SELECT column_name, data_type, is_nullable, COALESCE(column_default, 'NULL') <> 'NULL', LENGTH(COALESCE(generation_expression, '')) > 0, \
         (SELECT s.seq_in_index FROM information_schema.statistics s WHERE s.table_schema = c.table_schema AND s.table_name = c.table_name \
         AND s.index_name = 'PRIMARY' AND s.column_name = c.column_name), character_set_name \
         FROM information_schema.columns c WHERE c.table_schema = {place} AND c.table_name = {own} ORDER BY c.ordinal_position"
    );
    for row in session.ask(&sql).await? {
        let kind = text(&row, 1).to_ascii_lowercase();
        let name = text(&row, 0);
        match kind.as_str() {
            _ if count(&row, 5) > 1 => relation.is_shared_key = true,
            _ if count(&row, 5) != 1 => {}
            int if int.ends_with("int") => relation.key = Some(name),
            "char" | "varchar" => {
                // The set's name stands in statements as it is.
                let set = text(&row, 6);
                let is_word = set.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !set.is_empty();
                relation.order = is_word.then_some(Order { column: name, values: Values::Text(set) });
            }
            "binary" | "varbinary" => relation.order = Some(Order { column: name, values: Values::Bytes }),
            _ => {}
        }
        relation.columns.push(Column { kind, ..column(&row) });
    }
    shares(session, &mut relation, &place, &own).await;
    let sql = format!(
        "SELECT k.column_name, k.referenced_table_schema, k.referenced_table_name, k.referenced_column_name \
         FROM information_schema.key_column_usage k WHERE k.table_schema = {place} AND k.table_name = {own} \
         AND k.referenced_table_name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM information_schema.key_column_usage more \
         WHERE more.table_schema = k.table_schema AND more.table_name = k.table_name AND more.constraint_name = k.constraint_name \
         AND more.ordinal_position > 1) ORDER BY k.column_name"
    );
    relation.references = references(session, &sql, |row| {
        let (place, table) = (dialect.literal(&text(row, 1)), dialect.literal(&text(row, 2)));
        format!(
            "SELECT column_name, column_type, 0 FROM information_schema.columns WHERE table_schema = {place} AND table_name = {table} \
             ORDER BY ordinal_position"
        )
    })
    .await?;
    let like = dialect.literal(&format!("%{}%", relation.name.to_lowercase()));
    // As the statements that made them, so far as the server tells.
    let sql = format!(
        "SELECT 'trigger', trigger_name, CONCAT('CREATE TRIGGER `', trigger_name, '` ', action_timing, ' ', event_manipulation, ' ON `', \
         event_object_table, '` FOR EACH ROW ', action_statement) FROM information_schema.triggers \
         WHERE event_object_schema = {place} AND (event_object_table = {own} OR LOWER(action_statement) LIKE {like}) \
         UNION ALL SELECT 'routine', routine_name, CONCAT('CREATE PROCEDURE `', routine_name, '`() BEGIN ', routine_definition, '; END') \
         FROM information_schema.routines WHERE routine_schema = {place} AND LOWER(routine_definition) LIKE {like} \
         UNION ALL SELECT 'event', event_name, CONCAT('CREATE EVENT `', event_name, '` ON SCHEDULE EVERY 1 DAY DO BEGIN ', event_definition, \
         '; END') FROM information_schema.events WHERE event_schema = {place} AND LOWER(event_definition) LIKE {like} \
         UNION ALL SELECT 'view', table_name, view_definition FROM information_schema.views \
         WHERE table_schema = {place} AND table_name NOT IN ({own}, CONCAT('tokendrift_', {own})) ORDER BY 1, 2 LIMIT 1000"
    );
    relation.mentions = mentions(session, &sql).await?;
    let sql = format!(
        "SELECT count(*) FROM information_schema.routines WHERE routine_schema = {place} AND routine_definition IS NULL"
    );
    let hidden = session.ask(&sql).await?.first().map_or(0, |row| count(row, 0));
    relation.note =
        (hidden > 0).then(|| format!("routines of the database: this user may not read the text of {hidden} of them"));
    Ok(Some(relation))
}

/// What `ANALYZE` knows of the columns, where it was asked to look at them (`PERSISTENT FOR ALL`, `UPDATE HISTOGRAM`) and the user may read it.
/// How old that is no server tells.
async fn shares(session: &mut Session, relation: &mut Relation, place: &str, own: &str) {
    let is_mariadb = matches!(session.dialect, Dialect::Mysql { mariadb: true });
    let sql = if is_mariadb {
        format!(
            "SELECT column_name, nulls_ratio, 1 FROM mysql.column_stats WHERE db_name = {place} AND table_name = {own}"
        )
    } else {
        format!(
            "SELECT column_name, JSON_EXTRACT(histogram, '$.\"null-values\"'), JSON_EXTRACT(histogram, '$.\"sampling-rate\"') \
             FROM information_schema.column_statistics WHERE schema_name = {place} AND table_name = {own}"
        )
    };
    let Some(rows) = relation.rows else { return };
    for row in session.ask(&sql).await.unwrap_or_default() {
        let (name, number) = (text(&row, 0), |at| text(&row, at).parse::<f64>().ok());
        let (Some(share), Some(rate)) = (number(1), number(2)) else { continue };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the rows")]
        let sampled = (interval::number(rows) * rate) as u64;
        if let Some(column) = relation.columns.iter_mut().find(|column| column.name == name) {
            column.null_share = Some((share, sampled)).filter(|_| sampled > 0);
            relation.stale = Some("how much changed since the statistics were made is not known");
        }
    }
}
