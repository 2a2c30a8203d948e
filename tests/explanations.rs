//! `explain` of a finding: found by identity, by place and by its number in a report, and told hop by hop.

use crate::command::{Run, audit_json, nest_auth, tokendrift};

fn explain(id: &str, more: &[&str]) -> Run {
    let tree = nest_auth("drifted");
    let tree = tree.to_str().expect("a path in UTF-8");
    tokendrift(["explain", id, tree].iter().chain(more))
}

const IDENTITY: &str = "discarded-token|users.access_token|fixtures/nest-auth/drifted:AuthWebController.login>\
                        fixtures/nest-auth/drifted:AuthWebService.generateRefreshToken>\
                        fixtures/nest-auth/drifted:UsersService.updateToken|preserved";

#[test]
fn a_finding_is_told_hop_by_hop_with_why_and_what_to_do() {
    let run = explain(IDENTITY, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let words = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut from = 0;
    for wanted in [
        "warning[discarded-token]",
        "The path",
        "It writes preserved. That is proven: every step was resolved.",
        "`POST /v1/web/auth/login` (AuthWebController.login) starts here",
        "`AuthWebService.login` calls on (proven); `AuthWebService.generateRefreshToken` has no parameter for the token",
        "src/auth/auth-web.service.ts:17 const refreshToken = await this.generateRefreshToken(user.id);",
        "`AuthWebService.generateRefreshToken` calls on (proven)",
        "`UsersService.updateToken` writes here",
        "The tokens made on it",
        "From the written value back to where it comes from",
        "What would make it go away",
        "When it is wrong",
        "tokendrift explain discarded-token",
    ] {
        let at =
            words[from..].find(wanted).unwrap_or_else(|| panic!("{wanted} is not behind the rest in:\n{}", run.stdout));
        from += at;
    }
}

#[test]
fn what_a_finding_is_judged_by_is_shown_beside_its_path() {
    let words = explain("path-drift|", &[]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, judged) = words.split_once("What it is judged by").unwrap_or_else(|| panic!("{words}"));
    assert!(judged.contains("counter-example: `POST /v1/mobile/auth/login`"), "{judged}");
    assert!(judged.contains("src/auth/auth-mobile.service.ts:28 await"), "{judged}");
}

#[test]
fn a_place_a_number_and_a_part_of_the_identity_lead_to_it_too() {
    let report = tempfile::NamedTempFile::new().expect("a temporary file");
    let audit = audit_json(&nest_auth("drifted"), &[]);
    std::fs::write(report.path(), &audit.stdout).expect("the report can be written");
    let file = report.path().to_str().expect("a path in UTF-8");
    let findings = audit.report()["findings"].as_array().expect("findings").clone();
    let at = findings.iter().position(|finding| finding["identity"] == IDENTITY).expect("the finding is listed");
    let whole = explain(IDENTITY, &[]).stdout;
    assert_eq!(explain(&(at + 1).to_string(), &["--report", file]).stdout, whole);
    assert!(explain("src/users/users.service.ts:45", &[]).stdout.contains(&whole));
    assert_eq!(explain("generateRefreshToken>fixtures/nest-auth/drifted:UsersService.updateToken|", &[]).stdout, whole);
    let none = explain("99", &["--report", file]);
    assert!(none.code == 2 && none.stderr.contains(IDENTITY), "{}", none.stderr);
}

#[test]
fn a_report_of_another_schema_is_refused() {
    let report = tempfile::NamedTempFile::new().expect("a temporary file");
    let audit = audit_json(&nest_auth("drifted"), &[]);
    let other = audit.stdout.replace("tokendrift-report/1", "tokendrift-report/9");
    std::fs::write(report.path(), other).expect("the report can be written");
    let run = explain("1", &["--report", report.path().to_str().expect("UTF-8")]);
    assert!(run.code == 2 && run.stderr.contains("not of schema `tokendrift-report/1`"), "{}", run.stderr);
}

#[test]
fn a_finding_that_is_gone_is_said_to_be_gone() {
    let report = tempfile::NamedTempFile::new().expect("a temporary file");
    let audit = audit_json(&nest_auth("drifted"), &[]);
    std::fs::write(report.path(), &audit.stdout).expect("the report can be written");
    let (file, tree) = (report.path().to_str().expect("UTF-8"), nest_auth("write-consistently"));
    let run = tokendrift(["explain", IDENTITY, "--report", file, tree.to_str().expect("UTF-8")]);
    assert!(run.code == 2 && run.stderr.contains("has changed since the report"), "{}", run.stderr);
}
