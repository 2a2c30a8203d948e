//! Whether rows heal: is the share without a token lower in recent months than before, or than an earlier run counted?

use crate::config::Record;
use crate::probe::interval::{number, wilson};
use crate::probe::{Change, CohortCounts, Counts, Method, MonthTrend, Tendency};

/// The months that count as recent.
const RECENT: usize = 3;

/// Compares the last months that have rows with those before; `None` where there is nothing to compare.
pub(crate) fn of(name: &str, months: &[CohortCounts]) -> Option<MonthTrend> {
    let is_month = |part: &&CohortCounts| {
        part.value.as_ref().is_some_and(|value| value.len() == 7 && value.as_bytes().get(4) == Some(&b'-'))
    };
    let mut months: Vec<&CohortCounts> = months.iter().filter(is_month).collect();
    months.sort_by(|a, b| a.value.cmp(&b.value));
    if months.len() <= RECENT {
        return None;
    }
    let recent = months.split_off(months.len() - RECENT);
    let sum = |of: &[&CohortCounts]| {
        let rows: u64 = of.iter().map(|part| part.rows).sum();
        let bare: u64 = of.iter().map(|part| part.nulls + part.empty).sum();
        let effective: f64 = of.iter().map(|part| part.effective.unwrap_or(number(part.rows))).sum();
        (rows, bare, effective)
    };
    let (before, now) = (sum(&months), sum(&recent));
    let since = recent.first().and_then(|part| part.value.clone()).unwrap_or_default();
    Some(MonthTrend {
        name: name.to_owned(),
        since,
        before: (before.0, before.1),
        recent: (now.0, now.1),
        tendency: tendency(before, now),
    })
}

/// Rows, those without a token, and how many independent rows they are worth.
type Seen = (u64, u64, f64);

/// By intervals: what two counts of a few rows differ by may be chance.
fn tendency(before: Seen, now: Seen) -> Tendency {
    let interval = |(rows, bare, effective): Seen| wilson(number(bare) / number(rows.max(1)), effective);
    if interval(now)[1] < interval(before)[0] {
        Tendency::Falls
    } else if interval(now)[0] > interval(before)[1] {
        Tendency::Rises
    } else {
        Tendency::Level
    }
}

/// Holds the counts of a column against the first and the last record of the same column in the same database.
pub(crate) fn since(counts: &Counts, records: &[Record], database: &str, column: &str) -> Vec<Change> {
    let mut own = records.iter().filter(|record| record.database == database && record.column == column);
    let first = own.next();
    let seen = |rows: u64, nulls: u64, empty: u64, effective: Option<f64>| -> Seen {
        (rows, nulls.saturating_add(empty), effective.unwrap_or(number(rows)))
    };
    let mut changes = Vec::new();
    for record in first.into_iter().chain(own.next_back()) {
        let mut add = |cohort: Option<(String, Option<String>)>, before: Seen, now: Seen| {
            if before.0 > 0 && now.0 > 0 {
                let (since, tendency) = (record.at.clone(), tendency(before, now));
                changes.push(Change { since, cohort, before: (before.0, before.1), now: (now.0, now.1), tendency });
            }
        };
        // Statistics know NULLs only: against them only these are held.
        let knows_empty = record.method != Method::Statistics.word() && counts.method != Method::Statistics;
        let [was, is] = [record.empty, counts.empty].map(|empty| if knows_empty { empty } else { 0 });
        let before = seen(record.rows, record.nulls, was, record.effective);
        add(None, before, seen(counts.rows, counts.nulls, is, counts.effective));
        for part in &counts.cohorts {
            let known = record.cohorts.iter().find(|known| known.name == part.name && known.value == part.value);
            if let Some(known) = known {
                let before = seen(known.rows, known.nulls, known.empty, known.effective);
                let now = seen(part.rows, part.nulls, part.empty, part.effective);
                add(Some((part.name.clone(), part.value.clone())), before, now);
            }
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(value: &str, rows: u64, nulls: u64) -> CohortCounts {
        CohortCounts { name: "login".into(), value: Some(value.into()), rows, nulls, ..CohortCounts::default() }
    }

    #[test]
    fn rows_heal_where_recent_months_have_clearly_fewer_nulls() {
        let year = |late| {
            (1..=9).map(|n| month(&format!("2025-0{n}"), 200, if n > 6 { late } else { 100 })).collect::<Vec<_>>()
        };
        let tendency = |late| of("login", &year(late)).map(|trend| trend.tendency);
        assert_eq!(tendency(10), Some(Tendency::Falls));
        assert_eq!(tendency(98), Some(Tendency::Level));
        assert_eq!(tendency(180), Some(Tendency::Rises));
        assert_eq!(of("login", &[month("2025-01", 9, 1), month("(other)", 9, 1)]).map(|trend| trend.since), None);
    }
}
