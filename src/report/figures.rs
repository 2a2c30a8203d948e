//! What is known beyond rows and NULLs, in sentences.

use std::time::Duration;

use crate::probe::{Change, Cost, Counts, Method, Tendency};
use crate::report::lines::{clean, count};

/// A table that took less is told without its time.
const WORTH_TELLING: Duration = Duration::from_secs(5);

/// How the figures were found and what that cost: `a sample of 9,870 rows of about 5,000,000, in 6 statements; NULL in 32.9 % to 34.1 %`.
pub(crate) fn method(counts: &Counts) -> Option<String> {
    let of = match counts.method {
        Method::Exact => "every row was looked at".to_owned(),
        Method::Sample => {
            let table = count(counts.table_rows, "row", "rows");
            format!("a sample of {} rows of a table of about {table}", counts.rows)
        }
        Method::Statistics => {
            "from the server's statistics, no row was looked at; empty values are not known".to_owned()
        }
    };
    let Cost { statements, took } = counts.cost;
    let [low, high] = counts.interval()?;
    let seconds = if took < WORTH_TELLING { String::new() } else { format!(" and {} s", took.as_secs()) };
    let sure = match counts.method {
        Method::Exact => String::new(),
        Method::Sample | Method::Statistics => {
            format!("; NULL in {:.1} % to {:.1} % of the rows (95 % sure)", low * 100.0, high * 100.0)
        }
    };
    Some(format!("{of}, in {}{seconds}{sure}", count(statements, "statement", "statements")))
}

/// Everything else, a line each.
pub(crate) fn rest(counts: &Counts) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(shapes) = counts.shapes.as_ref().filter(|shapes| !shapes.rows.is_empty()) {
        let kinds: Vec<String> = shapes.rows.iter().map(|(shape, rows)| format!("{rows} {}", shape.word())).collect();
        let expired =
            if shapes.expired > 0 { format!(", {} of the jwt expired", shapes.expired) } else { String::new() };
        let looked: u64 = shapes.rows.iter().map(|(_, rows)| rows).sum();
        let of = if shapes.method == Method::Sample {
            format!(" (of {} drawn)", count(looked, "value", "values"))
        } else {
            String::new()
        };
        out.push(format!("values look like: {}{expired}{of}", kinds.join(", ")));
    }
    if counts.null_text > 0 {
        out.push(format!("{} the text 'null'", holds(counts.null_text)));
    }
    if let Some(shared) = counts.duplicates.filter(|shared| shared.values > 0) {
        let values = count(shared.values, "value stands", "values stand");
        out.push(format!("{values} in more than one row, {} in all", count(shared.rows, "row", "rows")));
    }
    if let Some(orphans) = counts.orphans.as_ref().filter(|orphans| orphans.gone + orphans.inactive > 0) {
        let drawn = if orphans.method == Method::Sample { " drawn" } else { "" };
        out.push(format!(
            "of {}{drawn}, the user in {} is gone for {} and inactive for {}",
            count(orphans.tokens, "token", "tokens"),
            clean(&orphans.users),
            orphans.gone,
            orphans.inactive
        ));
    }
    for trend in &counts.trends {
        let share = |(rows, bare): (u64, u64)| format!("{bare} of {}", count(rows, "row", "rows"));
        let word = match trend.tendency {
            Tendency::Falls if is_use(&trend.name) => "fewer in recent months, rows heal",
            Tendency::Level if is_use(&trend.name) => "no fewer in recent months, rows do not heal",
            Tendency::Falls => "fewer in recent months",
            Tendency::Level => "no fewer in recent months",
            Tendency::Rises => "more in recent months, it gets worse",
        };
        out.push(format!(
            "by {}, without a token: {} before {}, {} since: {word}",
            clean(&trend.name),
            share(trend.before),
            clean(&trend.since),
            share(trend.recent)
        ));
    }
    out.extend(changes(counts));
    if let Some(declared) = &counts.declared {
        let mentions: Vec<String> =
            declared.mentions.iter().map(|(kind, name)| format!("{kind} {}", clean(name))).collect();
        if !mentions.is_empty() {
            out.push(format!("named in the database by: {}", mentions.join(", ")));
        }
        out.extend(declared.writers.iter().map(|writer| {
            let (name, does) = (clean(&writer.name), does(writer.operation, &writer.semantics));
            format!("{} {name} of the database {does}", writer.kind)
        }));
    }
    for seen in &counts.statements_seen {
        let texts = count(seen.texts, "statement", "statements");
        let runs = count(seen.calls, "run", "runs");
        out.push(format!(
            "the server has seen {runs} of {texts}, each of which {}",
            does(seen.operation, &seen.semantics)
        ));
    }
    out.extend(counts.skipped.iter().map(|why| format!("left out: {}", clean(why))));
    out.extend(counts.incomplete.iter().map(|why| format!("INCOMPLETE: {}", clean(why))));
    out
}

/// Whether a cohort tells by its name that its months are those of a use, which is what heals a row; those of the creation are not.
fn is_use(cohort: &str) -> bool {
    let cohort = cohort.to_lowercase();
    ["login", "log_in", "signin", "sign_in", "seen", "active", "activity", "used", "access", "refresh"]
        .iter()
        .any(|mark| cohort.contains(mark))
}

/// `writes it (update: null)`, `leaves it out (insert: omitted)`
fn does(operation: &str, semantics: &str) -> String {
    let verb = if semantics == "omitted" { "leaves it out" } else { "writes it" };
    format!("{verb} ({operation}: {semantics})")
}

/// What moved since earlier counts: `since 2026-11-01: without a token 33 % then (40 of 120 rows), 14 % now (20 of 140 rows): fewer`.
pub(crate) fn changes(counts: &Counts) -> Vec<String> {
    let tells = |change: &&Change| change.cohort.is_none() || change.tendency != Tendency::Level;
    counts.changes.iter().filter(tells).map(changed).collect()
}

fn changed(change: &Change) -> String {
    let day = change.since.split('T').next().unwrap_or_default();
    let part = change.cohort.as_ref().map_or_else(String::new, |(name, value)| {
        let value = value.as_deref().map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", clean(value)));
        format!(", {} = {value}", clean(name))
    });
    let share = |(rows, bare): (u64, u64)| (percent(bare, rows), format!("{bare} of {}", count(rows, "row", "rows")));
    let ((then, of_then), (now, of_now)) = (share(change.before), share(change.now));
    let word = match change.tendency {
        Tendency::Falls => "fewer",
        Tendency::Level => "no clear change",
        Tendency::Rises => "more",
    };
    format!("since {}{part}: without a token {then} then ({of_then}), {now} now ({of_now}): {word}", clean(day))
}

/// Rounded, but never to 0 % or 100 % what is not.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let Some(hundredths) = (u128::from(part) * 10_000).checked_div(u128::from(whole)) else { return "-".to_owned() };
    match (hundredths, part) {
        (_, 0) => "0 %".to_owned(),
        (0..100, _) => "<1 %".to_owned(),
        (9_900.., _) if part < whole => ">99 %".to_owned(),
        _ => format!("{} %", (hundredths + 50) / 100),
    }
}

fn holds(rows: u64) -> String {
    let verb = if rows == 1 { "holds" } else { "hold" };
    format!("{} {verb}", count(rows, "row", "rows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_to_none_or_all() {
        assert_eq!(percent(1, 1_000_000), "<1 %");
        assert_eq!(percent(999_999, 1_000_000), ">99 %");
        assert_eq!(percent(40, 120), "33 %");
        assert_eq!((percent(0, 5), percent(5, 5)), ("0 %".to_owned(), "100 %".to_owned()));
        assert_eq!(percent(u64::MAX, u64::MAX), "100 %");
    }

    #[test]
    fn cohorts_are_told_where_they_moved_and_the_whole_always() {
        let change = |cohort: Option<&str>, tendency| Change {
            since: "2026-11-01T12:00:00Z".into(),
            cohort: cohort.map(|value| ("client".to_owned(), Some(value.to_owned()))),
            before: (120, 40),
            now: (140, 20),
            tendency,
        };
        let changes_of = |changes: Vec<Change>| super::changes(&Counts { changes, ..Counts::default() });
        let told = changes_of(vec![
            change(None, Tendency::Level),
            change(Some("web"), Tendency::Falls),
            change(Some("app"), Tendency::Level),
        ]);
        assert_eq!(
            told,
            [
                "since 2026-11-01: without a token 33 % then (40 of 120 rows), 14 % now (20 of 140 rows): no clear change",
                "since 2026-11-01, client = 'web': without a token 33 % then (40 of 120 rows), 14 % now (20 of 140 rows): fewer",
            ]
        );
    }
}
