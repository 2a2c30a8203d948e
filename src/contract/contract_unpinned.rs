//! A declared contract that no test holds.

use crate::config::Contract;
use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Finding, Level, Precision};
use crate::source::{Scope, SourceFile};

pub(crate) const CHECK: Check = Check {
    id: "contract-unpinned",
    summary: "no test fails when a path breaks the declared contract",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    docs: include_str!("../../docs/checks/contract-unpinned.md"),
    run: Run::Column(run),
};

/// The words that `tokendrift pin` writes before the column and the contract.
const MARK: &str = "tokendrift-pin:";

/// What a line holds that can make a test fail.
const ASSERTIONS: &[&str] = &[
    "expect",
    "assert",
    "should",
    "ok(",
    "is(",
    "isnt(",
    "results_eq",
    "is_empty",
    "isnt_empty",
    "raise exception",
    "check (",
    "equal(",
];

/// What says that there must be no value.
const EMPTY: &[&str] =
    &["tobenull", "not.tobedefined", "tobeundefined", "is_none", "isnull", "to.be.null", "falsy", "=== null"];

/// What says the opposite of the words that it holds.
const NEGATED: &[&str] = &[
    "not.tobenull",
    "not.tobeundefined",
    "!x.is_none",
    "is not null",
    "isnotnull",
    "not.to.be.null",
    "!== null",
    "isnt(",
];

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let (Some(contract), Some(at)) = (case.contract(), case.anchor()) else { return };
    let tests = case.facts.sources.iter().map(|(_, file)| file).filter(|file| file.scope == Scope::Test);
    if tests.into_iter().any(|file| pins(case, contract, file)) {
        return;
    }
    let message = format!(
        "{} is declared `{}`, and no test fails when a path breaks that: `tokendrift pin {}` writes one",
        case.name,
        contract.word(),
        case.name
    );
    findings.push(CHECK.finding(case, at, (contract.word(), "unpinned"), message, Vec::new()));
}

fn pins(case: &Case<'_>, contract: Contract, file: &SourceFile) -> bool {
    if let Some((_, after)) = file.text.split_once(MARK) {
        let mut words = after.split_whitespace();
        if words.next() == Some(&case.name) && words.next() == Some(contract.word()) {
            return true;
        }
    }
    let names = names(case);
    let about_table = file.text.split(|c: char| !is_word(c)).any(|word| {
        let tables = case.column.bindings.iter().filter_map(|(model, _)| case.facts.schema.models.get(model.0));
        word.eq_ignore_ascii_case(&case.column.table)
            || tables.into_iter().any(|model| word.eq_ignore_ascii_case(&model.name) || word == model.table)
    });
    about_table && file.text.lines().any(|line| asserts(line, &names, contract))
}

/// What the column is called in code and in the database.
fn names<'a>(case: &Case<'a>) -> Vec<&'a str> {
    let mut names = vec![case.column.column.as_str()];
    names.extend(case.declarations().map(|property| property.name.as_str()));
    names
}

/// Whether a line holds the column to the contract: names it, can fail, and wants a value or wants none.
fn asserts(line: &str, names: &[&str], contract: Contract) -> bool {
    let folded = line.to_lowercase();
    // A commented line fails nothing.
    let code = folded.trim_start();
    let is_comment = ["//", "--", "#", "*", "/*"].iter().any(|mark| code.starts_with(mark));
    let is_about = || line.split(|c: char| !is_word(c)).any(|word| names.contains(&word));
    if is_comment || !is_about() || !ASSERTIONS.iter().any(|word| folded.contains(word)) {
        return false;
    }
    let negated = NEGATED.iter().any(|word| folded.contains(word));
    let wants_none = !negated && EMPTY.iter().any(|word| folded.contains(word));
    match contract {
        Contract::WriteConsistently => !wants_none,
        Contract::DropWrites => wants_none,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{NOWHERE, bench, path};

    const UNPINNED: &str = "contract-unpinned";

    #[test]
    fn a_contract_that_no_test_holds_is_reported_at_its_column() {
        let bench = bench().contract(Contract::WriteConsistently).update(10, vec![path("a", "fresh")]);
        assert_eq!(bench.lines(UNPINNED), [3]);
    }

    #[test]
    fn without_a_contract_there_is_nothing_to_pin() {
        assert_eq!(bench().update(10, vec![path("a", "fresh")]).lines(UNPINNED), NOWHERE);
    }

    #[test]
    fn an_assertion_holds_the_contract_whose_direction_it_has() {
        let holds = |line: &str, contract| asserts(line, &["accessToken", "access_token"], contract);
        for line in [
            "expect(user.accessToken).toBe(body.accessToken);",
            "expect(user.accessToken).not.toBeNull();",
            "assert_eq!(row.access_token.as_deref(), Some(token));",
        ] {
            assert!(holds(line, Contract::WriteConsistently) && !holds(line, Contract::DropWrites), "{line}");
        }
        for line in ["expect(user.accessToken).toBeNull();", "assert!(row.access_token.is_none());"] {
            assert!(holds(line, Contract::DropWrites) && !holds(line, Contract::WriteConsistently), "{line}");
        }
        for line in
            ["// expect(user.accessToken).toBe(token);", "const t = user.accessToken;", "expect(user.name).toBe('x');"]
        {
            assert!(!holds(line, Contract::WriteConsistently), "{line}");
        }
    }
}
