//! Whether rows heal: is the share of NULLs lower in recent months than before?

use crate::probe::interval::{number, wilson};
use crate::probe::{CohortCounts, MonthTrend, Tendency};

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
    let interval = |(rows, bare, effective): (u64, u64, f64)| wilson(number(bare) / number(rows.max(1)), effective);
    let tendency = if interval(now)[1] < interval(before)[0] {
        Tendency::Falls
    } else if interval(now)[0] > interval(before)[1] {
        Tendency::Rises
    } else {
        Tendency::Level
    };
    let since = recent.first().and_then(|part| part.value.clone()).unwrap_or_default();
    Some(MonthTrend { name: name.to_owned(), since, before: (before.0, before.1), recent: (now.0, now.1), tendency })
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
