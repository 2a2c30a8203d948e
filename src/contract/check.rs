//! What a check is, and the slice that registers all of them.

use crate::contract::case::Case;
use crate::contract::{
    Anchor, Facts, Finding, Level, Related, Standing, contract_broken, contract_undeclared, contract_unpinned,
    decision_missing, denylist_by_hash, discarded_token, form_drift, insecure_cookie, live_incomplete,
    misleading_comment, missing_write, non_atomic_rotation, null_overwrite, null_ratio, orphaned_tokens, path_drift,
    prediction_contradicted, reader_at_risk, schema_contract, stale_relogin, stateful_guard, suppression,
    token_in_storage, unbounded_token, unchecked_status, unchecked_user, unknown_value, unread_column,
    unwritten_column,
};

/// A rule that findings are reported under.
#[derive(Debug)]
pub struct Check {
    /// Kebab-case; also the name of its page and, with underscores, of its file.
    pub id: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// The level of its findings; some checks change it where the code bounds or widens the harm.
    pub level: Level,
    /// How many of its findings are right on code that nobody tuned it to.
    pub precision: Precision,
    /// Where its findings are a security matter: how grave, on the scale of CVSS (`"5.9"`).
    pub security_severity: Option<&'static str>,
    /// Why what it reports is believed: what of it is proven and what inferred.
    pub believed: &'static str,
    /// Its page in Markdown.
    pub docs: &'static str,
    pub(crate) run: Run,
}

/// When a check runs.
#[derive(Debug)]
pub(crate) enum Run {
    /// Once a tracked column.
    Column(fn(&Case<'_>, &mut Vec<Finding>)),
    /// Once, on the tree as a whole.
    Tree(fn(&Facts<'_>, &mut Vec<Finding>)),
    /// Last: the findings of this check are comments that put others aside wrongly.
    Comments,
}

/// The words that code scanning sorts rules by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    Medium,
    High,
    VeryHigh,
}

impl Precision {
    pub fn word(self) -> &'static str {
        match self {
            Self::Medium => "medium",
            Self::High => "high",
            Self::VeryHigh => "very-high",
        }
    }
}

/// All checks, in the order of their ids.
pub static CHECKS: &[Check] = &[
    contract_broken::CHECK,
    contract_undeclared::CHECK,
    contract_unpinned::CHECK,
    decision_missing::CHECK,
    denylist_by_hash::CHECK,
    discarded_token::CHECK,
    form_drift::CHECK,
    insecure_cookie::CHECK,
    live_incomplete::CHECK,
    misleading_comment::CHECK,
    missing_write::CHECK,
    non_atomic_rotation::CHECK,
    null_overwrite::CHECK,
    null_ratio::CHECK,
    orphaned_tokens::CHECK,
    path_drift::CHECK,
    prediction_contradicted::CHECK,
    reader_at_risk::CHECK,
    schema_contract::CHECK,
    stale_relogin::CHECK,
    stateful_guard::CHECK,
    suppression::CHECK,
    token_in_storage::CHECK,
    unbounded_token::CHECK,
    unchecked_status::CHECK,
    unchecked_user::CHECK,
    unknown_value::CHECK,
    unread_column::CHECK,
    unwritten_column::CHECK,
];

/// The checks that judge rows, and those that judge rows beside code.
const OF_ROWS: [&str; 4] = ["live-incomplete", "null-ratio", "orphaned-tokens", "prediction-contradicted"];
const OF_BOTH: [&str; 2] = ["form-drift", "schema-contract"];

/// The page of the check `id`.
pub fn page(id: &str) -> Option<&'static str> {
    CHECKS.iter().find(|check| check.id == id).map(|check| check.docs)
}

/// Why findings of the check `id` are believed.
pub fn believed(id: &str) -> &'static str {
    CHECKS.iter().find(|check| check.id == id).map_or("", |check| check.believed)
}

impl Check {
    /// Whether what it finds at `at` needs a database that is asked: what is found in rows alone stands in the configuration.
    pub fn is_live(&self, at: &Anchor) -> bool {
        OF_ROWS.contains(&self.id) || OF_BOTH.contains(&self.id) && matches!(at, Anchor::Config { .. })
    }

    /// Runs it on one column.
    pub(crate) fn run(&self, case: &Case<'_>, findings: &mut Vec<Finding>) {
        match self.run {
            Run::Column(run) => run(case, findings),
            Run::Tree(_) | Run::Comments => {}
        }
    }

    /// Runs it on the tree.
    pub(crate) fn run_on_tree(&self, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
        if let Run::Tree(run) = self.run {
            run(facts, findings);
        }
    }

    /// A finding about the tree, which belongs to no column. `signature` names functions, never lines.
    pub(crate) fn tree_finding(
        &self,
        at: Anchor,
        level: Level,
        signature: &str,
        message: String,
        related: Vec<Related>,
    ) -> Finding {
        Finding {
            check: self.id,
            level,
            column: String::new(),
            message,
            at,
            identity: format!("{}||{signature}|", self.id),
            related,
            flow: Vec::new(),
            ways: Vec::new(),
            fix: None,
            standing: Standing::Open,
        }
    }

    /// A finding of this check. `signature` names functions, never lines.
    pub(crate) fn finding(
        &self,
        case: &Case<'_>,
        at: Anchor,
        (signature, semantics): (&str, &str),
        message: String,
        related: Vec<Related>,
    ) -> Finding {
        Finding {
            check: self.id,
            level: self.level,
            column: case.name.clone(),
            message,
            at,
            identity: format!("{}|{}|{signature}|{semantics}", self.id, case.name),
            related,
            flow: Vec::new(),
            ways: Vec::new(),
            fix: None,
            standing: Standing::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn ids_are_kebab_case_and_sorted_so_that_none_stands_twice() {
        for pair in CHECKS.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} before {}", pair[0].id, pair[1].id);
        }
        for check in CHECKS {
            let kebab = check.id.split('-').all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase()));
            assert!(kebab, "{}", check.id);
            assert!(!check.summary.is_empty() && !check.summary.ends_with('.'), "{}", check.id);
        }
    }

    #[test]
    fn every_check_has_its_own_file_and_page_and_every_page_its_check() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for check in CHECKS {
            let file = root.join(format!("src/contract/{}.rs", check.id.replace('-', "_")));
            assert!(file.is_file(), "{}", file.display());
            let on_disk = std::fs::read_to_string(root.join(format!("docs/checks/{}.md", check.id))).unwrap();
            assert_eq!(Some(on_disk.as_str()), page(check.id), "{}", check.id);
        }
        for entry in std::fs::read_dir(root.join("docs/checks")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(page(name.trim_end_matches(".md")).is_some(), "{name} is the page of no check");
        }
        assert_eq!(page("no-such-check"), None);
    }

    #[test]
    fn every_page_has_the_same_sections_and_names_its_level() {
        let sections =
            ["## What it reports", "## Why it matters", "## Example", "## How to fix", "## When it is wrong"];
        for check in CHECKS {
            let mut lines = check.docs.lines();
            assert_eq!(lines.next(), Some(format!("# {}", check.id).as_str()));
            let level = format!("Level: {}.", check.level.word());
            assert!(check.docs.lines().any(|line| line == level), "{}: no line `{level}`", check.id);
            let found: Vec<&str> = check.docs.lines().filter(|line| line.starts_with("## ")).collect();
            assert_eq!(found, sections, "{}", check.id);
        }
    }

    /// Pages run as tests: what stands before `<!-- fixed -->` must expect the page's check, what follows must not.
    #[test]
    fn every_runnable_example_expects_its_check_and_shows_it_fixed() {
        for check in CHECKS.iter().filter(|check| check.docs.contains(" file=")) {
            let (broken, fixed) = check.docs.split_once("<!-- fixed -->").expect(check.id);
            let states = |line: &str| {
                let said = line.split_once('~').map(|(_, said)| said.trim_start_matches('^').trim());
                said == Some(&format!("finding {}", check.id))
            };
            let expects = |text: &str| text.lines().any(states);
            assert!(broken.contains("<!-- column: ") && expects(broken), "{}", check.id);
            assert!(fixed.contains(" file=") && !expects(fixed), "{}", check.id);
        }
    }
}
