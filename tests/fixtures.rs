//! The worked example in its three states, and the databases that its logins left.

use std::ffi::OsStr;

use serde_json::Value;

use crate::command::{Run, audit_json, files_below, nest_auth, repository, tokendrift};
use crate::literate::{Closed, differences, expectations};

const STATES: [&str; 3] = ["drifted", "write-consistently", "drop-writes"];

fn audit(state: &str) -> Run {
    audit_json(&nest_auth(state), &[])
}

fn audit_with_database(state: &str) -> Run {
    let url = format!("sqlite:{}", nest_auth(state).join("database.sqlite").display());
    audit_json(&nest_auth(state), &["--database-url", &url])
}

fn findings<'a>(report: &'a Value, check: &str) -> Vec<&'a Value> {
    let all = report["findings"].as_array().expect("a list of findings");
    all.iter().filter(|finding| finding["check"] == check).collect()
}

/// `file: text` of the lines that a finding points at, its own first.
fn places(state: &str, finding: &Value) -> Vec<String> {
    let related = finding["related"].as_array().expect("a list of related places");
    std::iter::once(finding)
        .chain(related)
        .map(|place| {
            let file = place["file"].as_str().expect("a file");
            let line = usize::try_from(place["line"].as_u64().expect("a line")).expect("a small number");
            let text = std::fs::read_to_string(nest_auth(state).join(file)).expect("a file of the fixture");
            format!("{file}: {}", text.lines().nth(line - 1).expect("a line of the file").trim())
        })
        .collect()
}

#[test]
fn every_line_means_what_its_comment_says() {
    let mut wrong = Vec::new();
    for state in STATES {
        let below = format!("fixtures/nest-auth/{state}");
        let files: Vec<(String, String)> = ["ts", "toml"].iter().flat_map(|kind| files_below(&below, kind)).collect();
        let wanted: Vec<_> = files
            .iter()
            .flat_map(|(path, text)| {
                let inner = path.strip_prefix(&below).expect("below the state").trim_start_matches('/');
                expectations(inner, text).unwrap_or_else(|error| panic!("{error}"))
            })
            .collect();
        assert!(!wanted.is_empty(), "{state} expects nothing");
        let run = audit(state);
        let found = differences(&wanted, &run.report(), Closed::All);
        wrong.extend(found.into_iter().map(|difference| format!("{state}/{difference}")));
    }
    assert!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
}

#[test]
fn the_discarded_token_shows_the_mint_the_helper_and_the_write() {
    let run = audit("drifted");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report = run.report();
    let found = findings(&report, "discarded-token");
    assert_eq!(found.len(), 1, "{found:?}");
    let message = found[0]["message"].as_str().expect("a message");
    for wanted in ["AuthWebController.login", "generateRefreshToken", "no parameter"] {
        assert!(message.contains(wanted), "{wanted} is not in: {message}");
    }
    let places = places("drifted", found[0]);
    for wanted in [
        "src/auth/auth-web.service.ts: const accessToken = await this.jwtService.signAsync({ sub: user.id });",
        "src/auth/auth-web.service.ts: const refreshToken = await this.generateRefreshToken(user.id);",
        "src/auth/auth-web.service.ts: await this.usersService.updateToken(userId, user.accessToken, refreshToken);",
        "src/users/users.service.ts: accessToken,",
    ] {
        assert!(places.iter().any(|place| place.starts_with(wanted)), "{wanted} is not among {places:#?}");
    }
}

#[test]
fn the_drift_names_the_majority_and_both_change_lists() {
    let report = audit("drifted").report();
    let drift = findings(&report, "path-drift");
    assert_eq!(drift.len(), 1, "{drift:?}");
    let places = places("drifted", drift[0]);
    assert!(places.iter().any(|place| place.contains("auth-mobile")), "no counter-example among {places:#?}");
    let verdict = &report["columns"][0]["verdict"];
    assert_eq!(verdict["agree"], false);
    assert_eq!(verdict["majority"], "fresh");
    assert_eq!(verdict["recommendation"], "write-consistently");
    let changes = serde_json::to_string(&verdict["changes"]).expect("JSON");
    for wanted in ["write-consistently", "drop-writes", "src/auth/auth-web.service.ts", "src/users/users.service.ts"] {
        assert!(changes.contains(wanted), "{wanted} is not in {changes}");
    }
}

#[test]
fn a_logout_that_writes_null_is_no_drift() {
    let report = audit("drifted").report();
    for finding in report["findings"].as_array().expect("a list of findings") {
        assert!(!finding["message"].as_str().expect("a message").contains("logout"), "{finding}");
    }
}

#[test]
fn the_repaired_states_are_clean() {
    for state in ["write-consistently", "drop-writes"] {
        for run in [audit(state), audit_with_database(state)] {
            let report = run.report();
            assert_eq!(run.code, 0, "{state}: {} {}", report["findings"], run.stderr);
            assert_eq!(report["columns"][0]["verdict"]["agree"], true, "{state}");
        }
    }
}

#[test]
fn the_database_confirms_that_web_users_have_no_token() {
    let run = audit_with_database("drifted");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report = run.report();
    let live = &report["columns"][0]["live"];
    assert_eq!((&live["rows"], &live["nulls"], &live["empty"]), (&120.into(), &40.into(), &0.into()), "{live}");
    let cohorts = serde_json::to_string(&live["cohorts"]).expect("JSON");
    for value in ["mobile", "web"] {
        assert!(cohorts.contains(value), "{cohorts}");
    }
    let table = tokendrift([
        OsStr::new("audit"),
        nest_auth("drifted").as_os_str(),
        OsStr::new("--database-url"),
        OsStr::new("sqlite:fixtures/nest-auth/drifted/database.sqlite"),
    ]);
    assert!(table.stdout.contains("40 of 40"), "{}", table.stdout);
}

#[test]
fn no_stored_value_of_the_database_reaches_an_output() {
    let run = audit_with_database("drifted");
    for output in [&run.stdout, &run.stderr] {
        // The fixture's tokens are `token-1`, `token-2` and so on.
        let printed = output.split("token-").skip(1).find(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(printed, None);
    }
}

#[test]
fn the_committed_databases_are_the_committed_dumps() {
    for state in STATES {
        let dump = std::fs::read_to_string(repository().join(format!("fixtures/nest-auth/dumps/{state}.sql")))
            .unwrap_or_else(|error| panic!("{state}: {error}"));
        let rows = dump.lines().filter(|line| line.starts_with("INSERT INTO users"));
        let nulls = rows.clone().filter(|row| !row.contains("'token-")).count();
        let report = audit_with_database(state).report();
        let live = &report["columns"][0]["live"];
        assert_eq!((&live["rows"], &live["nulls"]), (&rows.count().into(), &nulls.into()), "{state}");
    }
}
