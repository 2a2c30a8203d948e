//! A declared contract that no test holds.

use crate::config::Contract;
use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::{Finding, Level, Precision};
use crate::source::{Language, Scope, SourceFile};

pub(crate) const CHECK: Check = Check {
    id: "contract-unpinned",
    summary: "no test fails when a path breaks the declared contract",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    believed: "proven as far as texts tell: no running test holds the column to the contract, by its mark or by an assertion that names it",
    docs: include_str!("../../docs/checks/contract-unpinned.md"),
    run: Run::Column(run),
};

/// The words that `tokendrift pin` writes before the column and the contract.
const MARK: &str = "tokendrift-pin:";

/// What a line holds that can make a test fail.
const ASSERTIONS: &[&str] = &[
    "expect",
    "assert",
    ".should",
    "should(",
    "ok(",
    "is(",
    "isnt(",
    "results_eq",
    "hasnt_column",
    "is_empty",
    "isnt_empty",
    "raise exception",
    "check (",
    "equal(",
];

/// How a test starts that does not run; also `it.skip(`, `describe.skip(`.
const SKIPS: &[&str] = &["xit(", "xtest(", "xdescribe(", "#[ignore"];

/// What says that of the rows without a value there must be none.
const ZERO: &[&str] =
    &["tobe(0)", "toequal(0)", "tostrictequal(0)", ", 0)", ", 0::", "some(0)", "values (0", "= 0", "equal(0)"];

/// What says so of a list of rows, or of whether there is one.
const NO_ROW: &[(&str, &str)] = &[
    ("", "tohavelength(0)"),
    ("", "toequal([])"),
    ("select", "is_empty("),
    ("exist", "raise exception"),
    ("exist", "tobe(false)"),
    ("exist", "tobefalsy"),
    ("exist", "assert!(!"),
    ("find", "tobeundefined"),
];

/// What reads a row.
const READS: &[&str] = &["find", "select", "query", "fetch", "load", "get_result", "first", "getone", "getrow", "one("];

/// What says that there must be no value.
const EMPTY: &[&str] = &[
    "tobenull",
    "not.tobedefined",
    "tobeundefined",
    "is_none",
    "isnull",
    "is_null",
    "is null",
    "hasnt_column",
    "to.be.null",
    "falsy",
    "=== null",
    // `{ accessToken: null }`, `access_token: None`
    ": null",
    ": none",
];

/// What says the opposite of the words that it holds.
const NEGATED: &[&str] = &[
    "not.tobenull",
    "not.tobeundefined",
    "!x.is_none",
    "is not null",
    "is_not_null",
    "isnotnull",
    "not.to.be.null",
    "!== null",
    "isnt(",
    "not(isnull",
    "not: null",
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
    let finding = CHECK.finding(case, at, (contract.word(), "unpinned"), message, Vec::new());
    findings.push(finding.resting_on(case.all_ways()));
}

fn pins(case: &Case<'_>, contract: Contract, file: &SourceFile) -> bool {
    if let Some((_, after)) =
        file.text.split_once(MARK).filter(|_| running(&file.text).count() == file.text.lines().count())
    {
        let mut words = after.split_whitespace();
        if words.next() == Some(&case.name) && words.next() == Some(contract.word()) {
            return true;
        }
    }
    // A function that nobody marks as a test never runs.
    if file.language == Language::Rust && !["test]", "test("].iter().any(|mark| file.text.contains(mark)) {
        return false;
    }
    let names = names(case);
    let about_table = file.text.split(|c: char| !is_word(c)).any(|word| {
        let tables = case.column.bindings.iter().filter_map(|(model, _)| case.facts.schema.models.get(model.0));
        word.eq_ignore_ascii_case(&case.column.table)
            || tables.into_iter().any(|model| word.eq_ignore_ascii_case(&model.name) || word == model.table)
    });
    let lines: Vec<&str> = running(&file.text).filter(|line| !is_comment(line)).collect();
    // What is counted or looked for on one line is often asserted on the next, or checked by a table that is made before.
    let counted = |at: usize| {
        let folded = lines.get(at)?.to_lowercase();
        let asks = ["count", "exist", "find", "select", "is_null"].iter().any(|word| folded.contains(word));
        let end = (at + 4).min(lines.len());
        // What came before may name the column for a reason of its own.
        let is_asked_about = lines.get(at..end)?.iter().any(|line| is_about(line, &names));
        let around = lines.get(at.saturating_sub(2)..end).filter(|_| asks && is_asked_about)?;
        Some(around.join(" "))
    };
    let asserted = |at: usize, line: &str| {
        let holds = |text: &str| asserts(text, &names, contract);
        holds(line) && (is_of_rows(line) || is_of_row_read(line, &names, &lines))
            || counted(at).is_some_and(|text| is_of_rows(&text) && holds(&text))
    };
    about_table && lines.iter().enumerate().any(|(at, line)| asserted(at, line))
}

/// Whether an assertion is of how many rows there are, or of whether the column is there.
fn is_of_rows(text: &str) -> bool {
    let folded = text.to_lowercase();
    wants_no_row(&folded) || folded.contains("hasnt_column")
}

/// Whether what an assertion compares comes out of the database, rather than of a response, a mock or the code under test.
fn is_of_row_read(line: &str, names: &[&str], lines: &[&str]) -> bool {
    let reads = |text: &str| {
        let folded = text.to_lowercase();
        !folded.contains("mock") && READS.iter().any(|word| folded.contains(word))
    };
    let mut places = names.iter().flat_map(|name| line.match_indices(name).map(|(at, _)| (at, *name)));
    places.any(|(at, name)| {
        let before = line.get(..at).unwrap_or_default();
        let owner = match before.strip_suffix('.') {
            Some(owner) => owner.trim_end_matches(['?', '!']),
            None => {
                return before.ends_with(|c| !is_word(c))
                    && lines.iter().any(|line| assigns(line, name) && reads(line));
            }
        };
        let owner = owner.rsplit_once('[').map_or(owner, |(owner, _)| owner);
        let start = owner.rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
        match owner.get(start..).unwrap_or_default() {
            // `(await users.findOne(..)).accessToken`
            "" => reads(before),
            owner => lines.iter().any(|line| assigns(line, owner) && reads(line)),
        }
    })
}

/// Whether a line gives a name a value.
fn assigns(line: &str, name: &str) -> bool {
    let Some((left, _)) = line.split_once('=') else { return false };
    left.split(|c| !is_word(c)).any(|word| word == name)
}

/// What says that no row is found of those that are asked for.
fn wants_no_row(folded: &str) -> bool {
    let is_counted = ["count", ".length", ".len()"].iter().any(|word| folded.contains(word));
    let is_zero = is_counted && ZERO.iter().any(|word| folded.contains(word));
    let finds_none = |(of, none): &(&str, &str)| folded.contains(of) && folded.contains(none);
    let is_other = ["isnt_empty", "not.tobe(0)", "not.toequal(0)", "greater"].iter().any(|word| folded.contains(word));
    !is_other && (is_zero || NO_ROW.iter().any(finds_none) || finds_no_null(folded))
}

/// Whether a row without a value is looked for and none must be found: `expect(await find({ token: null })).toBeNull()`.
fn finds_no_null(folded: &str) -> bool {
    let asks_for_null = |(at, _): (usize, &str)| {
        let mut depth = 0_usize;
        let call = folded.get(at..).unwrap_or_default();
        let end = call.find(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ')' && depth == 0
        });
        let asked = end.and_then(|end| call.get(..end)).unwrap_or_default();
        [": null", "isnull(", "is null"].iter().any(|word| asked.contains(word))
    };
    (folded.contains(").tobenull") || folded.contains("is_none")) && folded.match_indices("find").any(asks_for_null)
}

/// The lines of a test file without the tests that are skipped: from the line that skips one to the one that closes it.
fn running(text: &str) -> impl Iterator<Item = &str> {
    let mut skipped: Option<usize> = None;
    text.lines().filter(move |line| {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some(since) = skipped {
            let starts = ["fn ", "async ", "pub ", "#["].iter().any(|word| code.starts_with(word));
            if code.is_empty() || indent > since || starts {
                return false;
            }
            skipped = None;
            if code.starts_with('}') {
                return false;
            }
        }
        let is_put_off = [".skip(", ".skipIf(", ".todo(", ".fails("].iter().any(|word| code.contains(word));
        if SKIPS.iter().any(|word| code.starts_with(word)) || is_put_off {
            // A test on one line ends with it.
            skipped = (!code.ends_with(';')).then_some(indent);
            return false;
        }
        true
    })
}

/// A commented line fails nothing.
fn is_comment(line: &str) -> bool {
    ["//", "--", "* ", "/*", "# "].iter().any(|mark| line.trim_start().starts_with(mark))
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
    if !is_about(line, names) || !ASSERTIONS.iter().any(|word| folded.contains(word)) {
        return false;
    }
    let negated = NEGATED.iter().any(|word| folded.contains(word));
    let of_none = !negated && EMPTY.iter().any(|word| folded.contains(word));
    // No row of those without a value: each has one.
    let wants_none = of_none != wants_no_row(&folded);
    match contract {
        Contract::WriteConsistently => !wants_none,
        Contract::DropWrites => wants_none,
    }
}

/// Whether a line names the column.
fn is_about(line: &str, names: &[&str]) -> bool {
    line.split(|c: char| !is_word(c)).any(|word| names.contains(&word))
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
    fn a_test_that_is_skipped_holds_nothing() {
        let text = "it('a', () => {\n  one();\n});\nit.skip('b', () => {\n  two();\n});\nxit('c', () => three());\n\
                    #[test]\n#[ignore]\nfn d() {\n    four();\n}\nfn e() {}";
        let lines: Vec<&str> = running(text).collect();
        assert_eq!(lines, ["it('a', () => {", "  one();", "});", "#[test]", "fn e() {}"]);
    }

    #[test]
    fn what_is_compared_comes_out_of_the_database() {
        let is_read =
            |line: &str, before: &str| is_of_row_read(line, &["accessToken", "access_token"], &[before, line]);
        for (line, before) in [
            ("expect(user.accessToken).toBe(token);", "const user = await users.findOneByOrFail({ id });"),
            ("expect(rows[0].access_token).not.toBeNull();", "const rows = await db.query('SELECT * FROM users');"),
            ("expect(accessToken).toBeTruthy();", "const { accessToken } = await prisma.user.findUnique({ where });"),
            ("expect((await users.findOne({ id }))!.accessToken).toBe(token);", ""),
            (
                "assert_eq!(row.access_token.as_deref(), Some(token));",
                "let row = query_as!(User, \"..\").fetch_one(&db).await?;",
            ),
        ] {
            assert!(is_read(line, before), "{line}");
        }
        for (line, before) in [
            ("expect(response.body.accessToken).toBeDefined();", "const response = await request(app).post('/login');"),
            ("expect(pair.accessToken).toBe('jwt');", "const pair = await service.login();"),
            ("expect(user.accessToken).toBe('x');", "const user = { accessToken: 'x' };"),
        ] {
            assert!(!is_read(line, before), "{line}");
        }
        assert!(!wants_no_row("expect(count).not.tobe(0)") && !wants_no_row("expect(count).tobegreaterthanorequal(0)"));
    }

    #[test]
    fn an_assertion_holds_the_contract_whose_direction_it_has() {
        let holds = |line: &str, contract| asserts(line, &["accessToken", "access_token"], contract);
        for line in [
            "expect(user.accessToken).toBe(body.accessToken);",
            "expect(user.accessToken).not.toBeNull();",
            "assert_eq!(row.access_token.as_deref(), Some(token));",
            "expect(await repo.count({ where: { accessToken: IsNull() } })).toBe(0);",
            "assert_eq!(count(\"select count(*) from users where access_token is null\"), 0);",
            "SELECT is((SELECT count(*) FROM users WHERE access_token IS NULL), 0::bigint);",
            "SELECT is_empty($$SELECT id FROM users WHERE access_token IS NULL$$);",
            "SELECT results_eq($$ SELECT count(*) FROM users WHERE access_token IS NULL $$, $$ VALUES (0::bigint) $$);",
            "IF EXISTS (SELECT 1 FROM users WHERE access_token IS NULL) THEN RAISE EXCEPTION 'lost';",
            "CREATE TABLE t (n int CHECK (n = 0)); INSERT INTO t SELECT count(*) FROM users WHERE access_token IS NULL;",
            "const rows = await repo.find({ where: { accessToken: IsNull() } }); expect(rows).toHaveLength(0);",
            "expect(await repo.existsBy({ accessToken: IsNull() })).toBe(false);",
            "let n = query_scalar!(\"select count(*) from users where access_token is null\"); assert_eq!(n, Some(0));",
            "const rows = await repo.findBy({ accessToken: IsNull() }); expect(rows.length).toBe(0);",
            "expect(await repo.findOneBy({ accessToken: IsNull() })).toBeNull();",
            "const row = await prisma.user.findFirst({ where: { accessToken: null } }); expect(row).toBeNull();",
            "expect(await prisma.user.count({ where: { accessToken: null } })).toBe(0);",
            "let n: i64 = users.filter(access_token.is_null()).count().get_result(c)?; assert_eq!(n, 0);",
        ] {
            assert!(holds(line, Contract::WriteConsistently) && !holds(line, Contract::DropWrites), "{line}");
        }
        for line in [
            "expect(user.accessToken).toBeNull();",
            "assert!(row.access_token.is_none());",
            "expect(await repo.count({ where: { accessToken: Not(IsNull()) } })).toBe(0);",
            "expect(await prisma.user.count({ where: { accessToken: { not: null } } })).toBe(0);",
            "expect(await repo.findOneBy({ accessToken: Not(IsNull()) })).toBeNull();",
            "expect(user).toMatchObject({ accessToken: null });",
            "await repo.update(id, { accessToken: null }); expect((await repo.findOneBy({ id })).accessToken).toBeNull();",
            "SELECT hasnt_column('users', 'access_token', 'gone');",
            "SELECT is_empty($$SELECT id FROM users WHERE access_token IS NOT NULL$$);",
        ] {
            assert!(holds(line, Contract::DropWrites) && !holds(line, Contract::WriteConsistently), "{line}");
        }
        for line in [
            "it('should return accessToken', () => {});",
            "const t = user.accessToken;",
            "expect(user.name).toBe('x');",
        ] {
            assert!(!holds(line, Contract::WriteConsistently), "{line}");
        }
    }
}
