//! Parts of a table: clusters for a sample, chunks for an exact count.

use crate::probe::catalogue::{Order, Relation, Values};
use crate::probe::dialect::{Dialect, hexadecimal};
use crate::probe::interval::number;
use crate::probe::problem::Trouble;
use crate::probe::session::{Session, integer};
use crate::probe::statements::Counting;

/// Rows that a sample should have.
const SAMPLE: u64 = 10_000;
/// Blocks or key ranges that it should come from.
const CLUSTERS: u64 = 100;
/// Rows in the first chunk; the next ones are cut by the time it took.
const FIRST_CHUNK: u64 = 50_000;
/// Stretches of a PostgreSQL table that its blocks are told apart by.
const BUCKETS: u64 = 1000;
/// Keys for each row from which on ranges of keys say little.
const SPARSE: u64 = 100;
/// The same seed draws the same rows again.
const SEED: u64 = 42;

/// Where a sample comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Clusters {
    /// Blocks of a PostgreSQL table.
    Blocks { percent: f64, blocks: u64 },
    /// Ranges of an integer key: one of `width` keys begins somewhere in each `step` keys.
    Keys { key: String, low: i64, step: i64, width: i64, starts: Vec<i64> },
}

impl Clusters {
    /// `None` where the table has nothing to be drawn by, or where a sample would be as large as the table.
    pub(crate) async fn of(session: &mut Session, relation: &Relation) -> Result<Option<Self>, Trouble> {
        if let Some(blocks) = Self::blocks(session.dialect, relation) {
            return Ok(Some(blocks));
        }
        if matches!(session.dialect, Dialect::Postgres { .. }) || relation.is_shared_key {
            return Ok(None);
        }
        let Some((key, low, high)) = bounds(session, relation).await? else { return Ok(None) };
        Ok(Self::keys(&key, low, high, relation.rows.unwrap_or(0)))
    }

    /// Drawn by PostgreSQL itself.
    pub(crate) fn blocks(dialect: Dialect, relation: &Relation) -> Option<Self> {
        if !matches!(dialect, Dialect::Postgres { .. }) || !relation.is_sampled {
            return None;
        }
        let rows = number(relation.rows?.max(1));
        let blocks = number(relation.blocks.max(1));
        let percent = (100.0 * number(SAMPLE) / rows).max(100.0 * number(CLUSTERS) / blocks);
        (percent <= 50.0).then_some(Self::Blocks { percent, blocks: relation.blocks })
    }

    /// `None` where it would be as large as the table.
    pub(crate) fn keys(key: &str, low: i64, high: i64, rows: u64) -> Option<Self> {
        let span = high.checked_sub(low)?.checked_add(1)?;
        let clusters = i64::try_from(CLUSTERS).ok()?;
        let step = span / clusters;
        #[expect(clippy::cast_possible_truncation, reason = "a part of the span")]
        let width =
            (number(span.unsigned_abs()) * number(SAMPLE) / number(rows.max(1)) / number(CLUSTERS)).ceil() as i64;
        if step <= 0 || width <= 0 || width * 2 > step {
            return None;
        }
        let mut state = SEED;
        let starts = (0..clusters).map(|nth| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let room = (step - width).unsigned_abs();
            low + nth * step + i64::try_from((state >> 33) % (room + 1)).unwrap_or(0)
        });
        Some(Self::Keys { key: key.to_owned(), low, step, width, starts: starts.collect() })
    }

    pub(crate) fn sql(&self, counting: &Counting) -> String {
        let part = self.part(counting);
        let cluster = match self {
            // Blocks that are near each other count as one cluster: finding a row's block costs more than finding its bucket.
            Self::Blocks { blocks, .. } => {
                let (table, step) = (counting.dialect.quoted(&counting.table), (blocks / BUCKETS).max(1));
                format!(
                    "width_bucket({table}.ctid, ARRAY(SELECT CAST('(' || g || ',0)' AS tid) FROM generate_series(0, {blocks}, {step}) g)) \
                     + {table}.tableoid::bigint * 65536"
                )
            }
            Self::Keys { key, low, step, .. } => {
                let field = counting.dialect.field(&counting.table, key);
                let division = if matches!(counting.dialect, Dialect::Mysql { .. }) { "DIV" } else { "/" };
                format!("({field} - {low}) {division} {step}")
            }
        };
        counting.sample(&part, &cluster)
    }

    /// A tenth of it: what values look like takes longer to find out than whether they are there.
    pub(crate) fn tenth(&self) -> Self {
        match self.clone() {
            Self::Blocks { percent, blocks } => Self::Blocks { percent: percent / 10.0, blocks },
            Self::Keys { starts, key, low, step, width } => {
                Self::Keys { starts: starts.into_iter().step_by(10).collect(), key, low, step, width }
            }
        }
    }

    /// How many rows it should have of a table of `rows`, were the keys equally far from each other; `None` where the server draws it.
    pub(crate) fn expected(&self, rows: u64) -> Option<u64> {
        let Self::Keys { step, width, starts, .. } = self else { return None };
        let keys = u128::from(step.unsigned_abs()) * u128::from(CLUSTERS);
        let drawn = u128::from(width.unsigned_abs()) * starts.len() as u128;
        u64::try_from(u128::from(rows) * drawn / keys.max(1)).ok()
    }

    pub(crate) fn ranges(&self) -> u64 {
        let Self::Keys { starts, .. } = self else { return 1 };
        (starts.len() as u64).max(1)
    }

    /// How many rows the table has, by those that were drawn.
    pub(crate) fn estimate(&self, drawn: u64) -> Option<u64> {
        let all = self.expected(u64::from(u32::MAX))?;
        u64::try_from(u128::from(drawn) * u128::from(u32::MAX) / u128::from(all.max(1))).ok()
    }

    /// The rows of the sample.
    pub(crate) fn part(&self, counting: &Counting) -> Part {
        match self {
            Self::Blocks { percent, .. } => {
                let from = format!("{} TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE ({SEED})", counting.from);
                Part { from, filter: None }
            }
            Self::Keys { key, width, starts, .. } => {
                let field = counting.dialect.field(&counting.table, key);
                let ranges: Vec<String> =
                    starts.iter().map(|start| format!("{field} BETWEEN {start} AND {}", start + width - 1)).collect();
                Part { from: counting.from.clone(), filter: Some(ranges.join(" OR ")) }
            }
        }
    }
}

/// Some rows of a table, as a statement names them.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What stands behind `FROM`.
    pub(crate) from: String,
    pub(crate) filter: Option<String>,
}

impl Part {
    pub(crate) fn whole(counting: &Counting) -> Self {
        Self { from: counting.from.clone(), filter: None }
    }

    /// The filter behind another condition.
    pub(crate) fn and(&self) -> String {
        self.filter.as_ref().map_or_else(String::new, |filter| format!(" AND ({filter})"))
    }
}

/// How a table is counted piece by piece.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    by: By,
    /// The first key or block that is not counted yet.
    at: i64,
    /// The last one.
    end: i64,
    size: i64,
    is_over: bool,
}

#[derive(Clone, Debug)]
enum By {
    Key(String),
    /// Row addresses of PostgreSQL, which since version 14 can be read by range.
    Block,
    /// Rows in the order of an index: those behind `after`, up to and with `until`.
    Order {
        order: Order,
        after: Option<Vec<u8>>,
        until: Option<Vec<u8>>,
    },
}

impl Chunks {
    pub(crate) async fn of(session: &mut Session, relation: &Relation) -> Result<Option<Self>, Trouble> {
        let blocks = Self::blocks(session.dialect, relation);
        if let (None, Some(order)) = (&relation.key, &relation.order) {
            return Ok(Some(Self::order(order.clone())));
        }
        let Some((key, low, high)) = bounds(session, relation).await? else { return Ok(blocks) };
        // Between keys with wide gaps a range can hold nothing or everything.
        let is_sparse = high.abs_diff(low) / relation.rows.unwrap_or(0).max(1) >= SPARSE;
        match blocks {
            Some(blocks) if is_sparse => Ok(Some(blocks)),
            None if is_sparse => Ok(Some(Self::order(Order { column: key, values: Values::Numbers }))),
            _ => Ok(Some(Self::keys(key, low, high, relation.rows))),
        }
    }

    pub(crate) fn keys(key: String, low: i64, high: i64, rows: Option<u64>) -> Self {
        let span = high.saturating_sub(low).saturating_add(1);
        let rows = i64::try_from(rows.unwrap_or(0).max(1)).unwrap_or(i64::MAX);
        let first = i64::try_from(FIRST_CHUNK).unwrap_or(1);
        let size = (span / rows).max(1).saturating_mul(first);
        Self { by: By::Key(key), at: low, end: high, size, is_over: false }
    }

    pub(crate) fn blocks(dialect: Dialect, relation: &Relation) -> Option<Self> {
        let Dialect::Postgres { version: 140_000.. } = dialect else { return None };
        if relation.blocks == 0 {
            return None;
        }
        // Rows may be added meanwhile: the last chunk is open.
        let end = i64::try_from(relation.blocks).ok()?;
        Some(Self { by: By::Block, at: 0, end, size: 1000, is_over: false })
    }

    pub(crate) fn order(order: Order) -> Self {
        let size = i64::try_from(FIRST_CHUNK).unwrap_or(1);
        // Where the first ends is asked before it is counted.
        let until = Some(Vec::new());
        Self { by: By::Order { order, after: None, until }, at: 0, end: 0, size, is_over: false }
    }

    /// Finds where the next chunk ends, where the server has to tell.
    pub(crate) async fn seek(&mut self, session: &mut Session, counting: &Counting) -> Result<(), Trouble> {
        let Some(sql) = self.seek_sql(counting) else { return Ok(()) };
        let answer = session.ask(&sql).await?;
        if let By::Order { until, .. } = &mut self.by {
            // Behind the last one there is no further: the chunk is open.
            *until = answer.first().and_then(|row| unhex(row.first()?.as_deref()?));
        }
        Ok(())
    }

    /// Asks for the last value of the next chunk, in hexadecimal digits: in the column's own character set, in which it is ordered. Answered from the index.
    pub(crate) fn seek_sql(&self, counting: &Counting) -> Option<String> {
        let By::Order { order, after, .. } = &self.by else { return None };
        if self.is_over {
            return None;
        }
        let field = counting.dialect.field(&counting.table, &order.column);
        let value = match order.values {
            // Its digits, not those of the number in hexadecimal.
            Values::Numbers => format!("CAST({field} AS CHAR)"),
            Values::Bytes | Values::Text(_) => field.clone(),
        };
        let behind =
            after.as_ref().map_or_else(String::new, |after| format!(" WHERE {field} > {}", order.literal(after)));
        Some(format!(
            "SELECT HEX({value}) FROM {}{behind} ORDER BY {field} LIMIT 1 OFFSET {}",
            counting.from, self.size
        ))
    }

    /// Whether rows that somebody updates meanwhile, which moves them, may be counted twice or not at all.
    pub(crate) fn is_by_place(&self) -> bool {
        matches!(self.by, By::Block)
    }

    /// The condition of the next chunk; `None` behind the last.
    pub(crate) fn filter(&self, counting: &Counting) -> Option<String> {
        if self.is_over {
            return None;
        }
        let last = self.last();
        Some(match &self.by {
            By::Order { order, after, until } => {
                let field = counting.dialect.field(&counting.table, &order.column);
                let bound = |of: &Option<Vec<u8>>, sign: &str| {
                    of.as_ref().map(|value| format!("{field} {sign} {}", order.literal(value)))
                };
                let ends: Vec<String> = bound(after, ">").into_iter().chain(bound(until, "<=")).collect();
                if ends.is_empty() { "1 = 1".to_owned() } else { ends.join(" AND ") }
            }
            By::Key(key) => {
                let field = counting.dialect.field(&counting.table, key);
                format!("{field} BETWEEN {} AND {last}", self.at)
            }
            By::Block => {
                let field = format!("{}.ctid", counting.dialect.quoted(&counting.table));
                let from = format!("{field} >= '({},0)'::tid", self.at);
                if last >= self.end { from } else { format!("{from} AND {field} < '({},0)'::tid", last + 1) }
            }
        })
    }

    /// The last key or block of the chunk.
    fn last(&self) -> i64 {
        self.at.saturating_add(self.size - 1).min(self.end)
    }

    /// After a chunk that took `time` of what it should take.
    pub(crate) fn next(&mut self, time: f64) {
        if let By::Order { after, until, .. } = &mut self.by {
            self.is_over = until.is_none();
            *after = until.take();
        } else {
            let last = self.last();
            self.is_over = last >= self.end;
            self.at = last.saturating_add(1);
        }
        let factor = (1.0 / time.max(1e-3)).clamp(0.25, 16.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a size, not an amount")]
        let size = (self.size as f64 * factor) as i64;
        self.size = size.max(1);
    }

    /// Cuts the chunk smaller; whether that was possible.
    pub(crate) fn shrink(&mut self) -> bool {
        let can = self.size >= 64;
        self.size = (self.size / 4).max(1);
        can
    }
}

impl Order {
    /// A value of the column as the column compares it.
    fn literal(&self, value: &[u8]) -> String {
        let digits = hexadecimal(value);
        match &self.values {
            Values::Numbers => {
                let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i128>().ok());
                number.unwrap_or(0).to_string()
            }
            Values::Bytes => format!("X'{digits}'"),
            Values::Text(set) => format!("_{set} X'{digits}'"),
        }
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

/// The least and the greatest key; `None` without an integer key or without rows.
async fn bounds(session: &mut Session, relation: &Relation) -> Result<Option<(String, i64, i64)>, Trouble> {
    let Some(key) = &relation.key else { return Ok(None) };
    let answer = session.ask(&bounds_sql(session.dialect, relation, key)).await?;
    let found = answer.first().and_then(|row| Some((integer(row, 0)?, integer(row, 1)?)));
    Ok(found.map(|(low, high)| (key.clone(), low, high)))
}

/// Answered from the ends of the key's index.
pub(crate) fn bounds_sql(dialect: Dialect, relation: &Relation, key: &str) -> String {
    let field = dialect.field(&relation.name, key);
    let from = relation.from(dialect);
    // Each in a query of its own: SQLite reads the whole table for both at once.
    format!("SELECT (SELECT min({field}) FROM {from}), (SELECT max({field}) FROM {from})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_key_once_whatever_they_take() {
        let counting = Counting {
            dialect: Dialect::Sqlite,
            from: "\"t\"".into(),
            table: "t".into(),
            columns: Vec::new(),
            groups: Vec::new(),
            is_view: false,
        };
        let mut chunks = Chunks::keys("id".into(), -7, 200_000, Some(100_000));
        let mut next = -7;
        let mut times = [0.1, 8.0, 1.0, 0.0].into_iter().cycle();
        while let Some(filter) = chunks.filter(&counting) {
            let numbers: Vec<i64> = filter.split(' ').filter_map(|word| word.parse().ok()).collect();
            assert_eq!((numbers.len(), numbers[0]), (2, next), "{filter}");
            next = numbers[1] + 1;
            chunks.next(times.next().unwrap());
        }
        assert_eq!(next, 200_001);
    }

    #[test]
    fn a_sample_has_a_range_in_every_part_of_the_keys() {
        let Some(Clusters::Keys { low, step, width, starts, .. }) = Clusters::keys("id", 1, 3_000_000, 3_000_000)
        else {
            panic!("no clusters")
        };
        assert_eq!((starts.len(), width), (100, 100));
        for (nth, start) in starts.iter().enumerate() {
            let begin = low + step * i64::try_from(nth).unwrap();
            assert!(*start >= begin && start + width <= begin + step);
        }
        let even = Clusters::keys("id", 1, 3_000_000, 3_000_000).unwrap();
        assert_eq!((even.expected(3_000_000), even.tenth().expected(3_000_000)), (Some(10_000), Some(1000)));
        assert_eq!(Clusters::keys("id", 1, 15_000, 15_000), None);
        assert_eq!(Clusters::keys("id", i64::MIN, i64::MAX, 40_000), None);
    }
}
