//! What is known beyond rows and NULLs, in sentences.

use crate::probe::{Counts, Method, Tendency};
use crate::report::lines::{clean, count};

/// How the figures were found, where not every row was looked at: `a sample of about 5,000,000 rows; NULL in 32.9 % to 34.1 %`.
pub(crate) fn method(counts: &Counts) -> Option<String> {
    let of = match counts.method {
        Method::Exact => return None,
        Method::Sample => format!("a sample of a table of about {}", count(counts.table_rows, "row", "rows")),
        Method::Statistics => {
            "from the server's statistics, no row was looked at; empty values are not known".to_owned()
        }
    };
    let [low, high] = counts.interval()?;
    Some(format!("{of}; NULL in {:.1} % to {:.1} % of the rows (95 % sure)", low * 100.0, high * 100.0))
}

/// Everything else, a line each.
pub(crate) fn rest(counts: &Counts) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(shapes) = counts.shapes.as_ref().filter(|shapes| !shapes.rows.is_empty()) {
        let kinds: Vec<String> = shapes.rows.iter().map(|(shape, rows)| format!("{rows} {}", shape.word())).collect();
        let expired =
            if shapes.expired > 0 { format!(", {} of the jwt expired", shapes.expired) } else { String::new() };
        out.push(format!("values look like: {}{expired}", kinds.join(", ")));
    }
    if counts.null_text > 0 {
        out.push(format!("{} the text 'null'", holds(counts.null_text)));
    }
    if let Some(shared) = counts.duplicates.filter(|shared| shared.values > 0) {
        let values = count(shared.values, "value stands", "values stand");
        out.push(format!("{values} in more than one row, {} in all", count(shared.rows, "row", "rows")));
    }
    if let Some(orphans) = counts.orphans.as_ref().filter(|orphans| orphans.gone + orphans.inactive > 0) {
        out.push(format!(
            "of {}, the user in {} is gone for {} and inactive for {}",
            count(orphans.tokens, "token", "tokens"),
            clean(&orphans.users),
            orphans.gone,
            orphans.inactive
        ));
    }
    for trend in &counts.trends {
        let share = |(rows, bare): (u64, u64)| format!("{bare} of {}", count(rows, "row", "rows"));
        let word = match trend.tendency {
            Tendency::Falls => "rows heal with new logins",
            Tendency::Level => "rows do not heal",
            Tendency::Rises => "it gets worse",
        };
        out.push(format!(
            "by {}, without a token: {} before {}, {} since: {word}",
            clean(&trend.name),
            share(trend.before),
            clean(&trend.since),
            share(trend.recent)
        ));
    }
    if let Some(declared) = &counts.declared {
        let mentions: Vec<String> =
            declared.mentions.iter().map(|(kind, name)| format!("{kind} {}", clean(name))).collect();
        if !mentions.is_empty() {
            out.push(format!("named in the database by: {}", mentions.join(", ")));
        }
    }
    for seen in &counts.statements_seen {
        let texts = count(seen.texts, "statement", "statements");
        out.push(format!("the server has seen {} {} of it run {} times", texts, clean(&seen.kind), seen.calls));
    }
    out.extend(counts.skipped.iter().map(|why| format!("left out: {}", clean(why))));
    out.extend(counts.incomplete.iter().map(|why| format!("INCOMPLETE: {}", clean(why))));
    out
}

fn holds(rows: u64) -> String {
    let verb = if rows == 1 { "holds" } else { "hold" };
    format!("{} {verb}", count(rows, "row", "rows"))
}
