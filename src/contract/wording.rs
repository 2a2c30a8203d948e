//! The words that messages share.

use crate::contract::practice::Stance;
use crate::provenance::EntryPoint;

/// How many entry points a message names before it counts the rest.
const NAMED: usize = 3;

/// `` `POST /v1/auth/login` (AuthV1Controller.login) ``
pub(crate) fn entry_point(entry: &EntryPoint) -> String {
    match (entry.route.as_str(), entry.name.as_str()) {
        ("", name) => format!("`{name}`"),
        (route, name) if route == name => format!("`{route}`"),
        (route, "") => format!("`{route}`"),
        (route, name) => format!("`{route}` ({name})"),
    }
}

/// Entry points with the verb: `` `POST /a` and `POST /b` write NULL ``.
pub(crate) fn clause(entries: &[&EntryPoint], stance: Stance) -> String {
    let (one, many, rest) = match stance {
        Stance::Stores => ("stores", "store", "the fresh token"),
        Stance::Partly => ("stores", "store", "the fresh token on some branches only"),
        Stance::Fills => ("keeps", "keep", "a stored token and a fresh one only where there is none"),
        Stance::Keeps => ("writes", "write", "the stored value back"),
        Stance::Supplies => ("writes", "write", "a value handed in by the caller"),
        Stance::Generates => ("leaves", "leave", "the value to the default"),
        Stance::Clears => ("writes", "write", "NULL"),
        Stance::Omits => ("leaves", "leave", "the column out, so the row starts with NULL"),
        Stance::Missing => ("never writes", "never write", "the column"),
        Stance::Unknown => ("writes", "write", "a value that could not be told"),
    };
    let verb = if entries.len() == 1 { one } else { many };
    format!("{} {verb} {rest}", list(entries))
}

/// `` `A`, `B`, `C` and 2 more ``
pub(crate) fn list(entries: &[&EntryPoint]) -> String {
    let words: Vec<String> = entries.iter().take(NAMED).map(|entry| entry_point(entry)).collect();
    match (entries.len().saturating_sub(NAMED), words.as_slice()) {
        (0, [before @ .., last]) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        (0, _) => words.join(", "),
        (more, _) => format!("{} and {more} more", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::entry;

    #[test]
    fn a_clause_agrees_with_the_number_of_entry_points() {
        let (a, b) = (entry("A.login", "POST /a"), entry("job", ""));
        assert_eq!(clause(&[&a], Stance::Clears), "`POST /a` (A.login) writes NULL");
        assert_eq!(clause(&[&a, &b], Stance::Clears), "`POST /a` (A.login) and `job` write NULL");
    }

    #[test]
    fn many_entry_points_are_counted_not_listed() {
        let all: Vec<EntryPoint> = (0..30).map(|n| entry(&format!("e{n:02}"), "")).collect();
        let all: Vec<&EntryPoint> = all.iter().collect();
        assert_eq!(list(&all[..5]), "`e00`, `e01`, `e02` and 2 more");
    }
}
