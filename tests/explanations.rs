//! `explain` of a finding: found by identity, by place and by its number in a report, and told hop by hop.

use crate::command::{Run, audit_json, copy, nest_auth, tokendrift, write_files};

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

/// The drifted example with more code: a guard that lets in by the column, and a reader that does not ask.
fn with_readers() -> tempfile::TempDir {
    let tree = tempfile::tempdir().expect("a temporary folder");
    copy(&nest_auth("drifted"), tree.path());
    let guard = "import { CanActivate, ExecutionContext, Injectable, UnauthorizedException } from '@nestjs/common';\n\
                 import { UsersService } from '../users/users.service';\n\n\
                 @Injectable()\nexport class RowGuard implements CanActivate {\n  constructor(private readonly users: UsersService) {}\n\
                   async canActivate(context: ExecutionContext) {\n    const request = context.switchToHttp().getRequest();\n    \
                 const user = await this.users.findById(request.params.id);\n    \
                 if (user.accessToken !== request.headers.authorization) throw new UnauthorizedException();\n    return true;\n  }\n}\n";
    let reader = "import { UsersService } from '../users/users.service';\n\n\
                  export async function send(users: UsersService, id: number) {\n  const user = await users.findById(id);\n  \
                  return fetch('https://x', { headers: { authorization: `Bearer ${user.accessToken}` } });\n}\n";
    write_files(tree.path(), &[("src/auth/row.guard.ts", guard), ("src/auth/send.ts", reader)]);
    tree
}

fn words_of(tree: &std::path::Path, id: &str) -> String {
    let run = tokendrift(["explain", id, tree.to_str().expect("a path in UTF-8")]);
    assert_eq!(run.code, 0, "{id}: {}", run.stderr);
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_finding_that_rests_on_paths_shows_them_hop_by_hop() {
    let tree = with_readers();
    let web = "`POST /v1/web/auth/login` (AuthWebController.login)";
    for (id, wanted) in [
        (
            "stateful-guard|",
            vec![
                "The paths that it rests on",
                "writes the stored value back. That is proven: every step was resolved.",
                "`AuthWebService.generateRefreshToken` calls on (proven)",
                "store the fresh token. That is proven",
                "`AuthMobileService.issueTokens` calls on (proven)",
            ],
        ),
        (
            "reader-at-risk|",
            vec![
                "believed the read is proven",
                "leaves it NULL for a user who has none yet. That is proven",
                "await this.usersService.updateToken(userId, user.accessToken, refreshToken);",
            ],
        ),
        (
            "contract-undeclared|",
            vec![
                "tokendrift.toml:6 [[column]] table = \"users\", column = \"access_token\"",
                "The paths that it rests on",
            ],
        ),
    ] {
        let words = words_of(tree.path(), id);
        assert!(words.contains(web), "{id}: {words}");
        for wanted in wanted {
            assert!(words.contains(wanted), "{id}: {wanted} is not in\n{words}");
        }
    }
}

#[test]
fn every_finding_is_told_with_a_source_line_why_it_is_believed_and_what_would_end_it() {
    let tree = with_readers();
    let report = audit_json(tree.path(), &[]).report();
    let findings = report["findings"].as_array().expect("findings");
    assert!(findings.len() > 5, "{findings:?}");
    for finding in findings {
        let identity = finding["identity"].as_str().expect("an identity");
        let run = tokendrift(["explain", identity, tree.path().to_str().expect("a path in UTF-8")]);
        let mut lines = run.stdout.lines().skip_while(|line| !line.starts_with("  where "));
        lines.next();
        let source_or_path = lines.next().is_some_and(|line| !line.trim().is_empty());
        assert!(source_or_path || run.stdout.contains("\nThe path\n"), "{}", run.stdout);
        for part in ["  believed  ", "\nWhat would make it go away\n", "\nWhen it is wrong\n"] {
            assert!(run.stdout.contains(part), "{part} is not in\n{}", run.stdout);
        }
        for place in run.stdout.lines().filter(|line| line.trim_start().starts_with("src/")) {
            let at = run.stdout.find(place).expect("the line");
            let shown = run.stdout[at..].lines().take(2).collect::<Vec<_>>().join(" ");
            assert!(shown.split_whitespace().count() > 1, "{place} has no source line in\n{}", run.stdout);
        }
    }
}
