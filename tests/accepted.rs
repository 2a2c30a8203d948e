//! Baselines and suppressions: what was accepted does not count, and nothing else is hidden.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{Run, nest_auth, tokendrift, write_files};

const CONFIG: &str = "[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\ncontract = \"write-consistently\"\n";

const ENTITY: &str = "import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';\n\
                      @Entity('users')\nexport class User {\n  @PrimaryGeneratedColumn() id!: number;\n\
                      \x20 @Column({ name: 'access_token', type: 'text', nullable: true }) accessToken!: string | null;\n}\n";

const HEAD: &str = "import { Controller, Post } from '@nestjs/common';\nimport { JwtService } from '@nestjs/jwt';\n\
                    import { InjectRepository } from '@nestjs/typeorm';\nimport { Repository } from 'typeorm';\n\
                    import { User } from './user.entity';\n";

/// A login that mints, and stores the token or writes the stored one back; `above` stands on the line before the write.
fn login(name: &str, stores: bool, above: &str) -> String {
    let value = if stores { "accessToken" } else { "accessToken: user.accessToken" };
    format!(
        "{HEAD}@Controller('{name}')\nexport class {name}Controller {{\n\
         \x20 constructor(@InjectRepository(User) private users: Repository<User>, private jwt: JwtService) {{}}\n\
         \x20 @Post() async login(id: number) {{\n    const user = await this.users.findOneByOrFail({{ id }});\n\
         \x20   const accessToken = this.jwt.sign({{ sub: id }});\n    {above}\n\
         \x20   await this.users.update({{ id }}, {{ {value} }});\n    return accessToken;\n  }}\n}}\n"
    )
}

/// Mobile stores, web does not.
fn project(above: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_files(
        folder.path(),
        &[
            ("tokendrift.toml", CONFIG),
            ("src/user.entity.ts", ENTITY),
            ("src/mobile.ts", &login("Mobile", true, "")),
            ("src/web.ts", &login("Web", false, above)),
        ],
    );
    folder
}

fn run(folder: &Path, args: &[&str]) -> Run {
    tokendrift(args.iter().copied().chain(["--quiet", folder.to_str().expect("UTF-8")]))
}

fn audit(folder: &Path, args: &[&str]) -> (i32, Value) {
    let run = run(folder, &[&["audit", "--format", "json"], args].concat());
    (run.code, run.report())
}

fn standings(report: &Value) -> Vec<(&str, &str)> {
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().filter_map(|finding| Some((finding["check"].as_str()?, finding["standing"].as_str()?))).collect()
}

#[test]
fn what_the_baseline_has_does_not_count_and_what_is_new_does() {
    let folder = project("");
    let folder = folder.path();
    let before = audit(folder, &[]);
    assert_eq!(before.0, 1);
    assert_eq!(run(folder, &["baseline", "write"]).code, 0);
    let file = folder.join("tokendrift-baseline.json");
    let path = file.to_str().expect("UTF-8");
    let text = std::fs::read_to_string(&file).expect("the baseline");
    assert!(!text.contains("\"line\""), "{text}");
    let (code, report) = audit(folder, &["--baseline", path]);
    assert_eq!(code, 0, "{report}");
    assert!(standings(&report).iter().all(|(_, standing)| *standing == "baselined"), "{report}");
    assert_eq!(run(folder, &["baseline", "check"]).code, 0);

    // Code above moves the finding; another deviating login is new.
    write_files(folder, &[("src/web.ts", &format!("// moved\n\n\n{}", login("Web", false, "")))]);
    assert_eq!(audit(folder, &["--baseline", path]).0, 0, "a line number is no part of an identity");
    write_files(folder, &[("src/tv.ts", &login("Tv", false, ""))]);
    let (code, report) = audit(folder, &["--baseline", path]);
    assert_eq!(code, 1);
    let open: Vec<&Value> =
        report["findings"].as_array().expect("findings").iter().filter(|f| f["standing"] == "open").collect();
    assert!(!open.is_empty() && open.iter().all(|finding| finding["file"] == "src/tv.ts"), "{open:?}");
    let check = run(folder, &["baseline", "check"]);
    assert!(check.code == 1 && check.stdout.contains("new: src/tv.ts:"), "{}", check.stdout);
    let shrink = run(folder, &["baseline", "write", "--shrink-only"]);
    assert_eq!(shrink.code, 1, "a new finding is not taken in");
    assert_eq!(std::fs::read_to_string(&file).expect("the baseline"), text, "and nothing is written");
    let sarif = run(folder, &["audit", "--format", "sarif", "--baseline", path]).stdout;
    let sarif: Value = serde_json::from_str(&sarif).expect("SARIF");
    let states: Vec<(&Value, usize)> = sarif["runs"][0]["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| (&result["baselineState"], result["suppressions"].as_array().map_or(0, Vec::len)))
        .collect();
    assert!(states.contains(&(&"new".into(), 0)) && states.contains(&(&"unchanged".into(), 1)), "{states:?}");
}

#[test]
fn what_is_gone_is_told_and_pruned() {
    let folder = project("");
    let folder = folder.path();
    assert_eq!(run(folder, &["baseline", "write"]).code, 0);
    write_files(folder, &[("src/web.ts", &login("Web", true, ""))]);
    let check = run(folder, &["baseline", "check"]);
    assert!(check.code == 1 && check.stdout.contains("gone: "), "{}", check.stdout);
    assert_eq!(run(folder, &["baseline", "write", "--shrink-only"]).code, 0);
    assert_eq!(run(folder, &["baseline", "check"]).code, 0);
    write_files(folder, &[("src/web.ts", &login("Web", false, ""))]);
    assert_eq!(run(folder, &["baseline", "prune"]).code, 0, "pruning adds nothing");
    assert_eq!(run(folder, &["baseline", "check"]).code, 1);
}

#[test]
fn a_baseline_that_is_none_stops_the_run_with_its_file_and_line() {
    let folder = project("");
    let folder = folder.path();
    for (text, words) in [
        (
            "{\n  \"schema\": \"tokendrift-baseline/1\",\n  \"findings\": [oops]\n}",
            &["base.json:3: ", "baseline write"][..],
        ),
        ("{\"schema\": \"other/9\", \"findings\": []}", &["base.json:1: ", "tokendrift-baseline/1"]),
        ("{\"schema\": \"tokendrift-baseline/1\", \"findings\": [], \"extra\": 1}", &["base.json:1: ", "extra"]),
        ("", &["base.json:1: "]),
    ] {
        write_files(folder, &[("base.json", text)]);
        let path = folder.join("base.json");
        let run = run(folder, &["audit", "--baseline", path.to_str().expect("UTF-8")]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{text}");
        assert!(words.iter().all(|word| run.stderr.contains(word)), "{text}: {}", run.stderr);
    }
    let absent = run(folder, &["audit", "--baseline", "no/such.json"]);
    assert!(absent.code == 2 && absent.stderr.contains("no such file"), "{}", absent.stderr);
}

#[test]
fn a_suppression_with_a_reason_counts_no_finding_and_is_listed() {
    let folder = project("// tokendrift-ignore-next-line contract-broken,discarded-token -- web goes until=2999-01-01");
    // What is left is that no test pins the contract: this one does.
    let pin = nest_auth("write-consistently").join("test/users-access-token.pin.sql");
    let pin = std::fs::read_to_string(pin).expect("the fixture's pin");
    write_files(folder.path(), &[("test/users.pin.sql", &pin)]);
    let (code, report) = audit(folder.path(), &[]);
    assert_eq!(code, 0, "{report}");
    assert!(standings(&report).iter().all(|(_, standing)| *standing == "suppressed"), "{report}");
    assert_eq!(report["findings"][0]["reason"], "web goes");
    let listed = run(folder.path(), &["suppressions"]);
    assert_eq!(listed.code, 0);
    assert!(
        listed
            .stdout
            .starts_with("src/web.ts:12: contract-broken,discarded-token -- web goes until=2999-01-01 (puts 2")
    );
    let sarif = run(folder.path(), &["audit", "--format", "sarif"]).stdout;
    assert!(sarif.contains("\"suppressions\":[{\"kind\":\"inSource\",\"justification\":\"web goes\"}]"), "{sarif}");
}

#[test]
fn an_auditor_sees_what_comments_put_aside() {
    let folder = project("// tokendrift-ignore-next-line contract-broken,discarded-token -- web goes until=2999-01-01");
    let folder = folder.path();
    assert!(standings(&audit(folder, &[]).1).contains(&("discarded-token", "suppressed")));
    let (code, report) = audit(folder, &["--no-ignores"]);
    assert_eq!(code, 1);
    assert!(standings(&report).iter().all(|(_, standing)| *standing == "open"), "{report}");
    assert!(standings(&report).iter().all(|(check, _)| *check != "suppression"), "the comment is no worse for it");
    // A baseline is no comment, and what it has stays accepted.
    let path = folder.join("tokendrift-baseline.json");
    let path = path.to_str().expect("UTF-8");
    assert_eq!(run(folder, &["baseline", "write"]).code, 0);
    let (code, report) = audit(folder, &["--no-ignores", "--baseline", path]);
    assert_eq!(code, 1, "{report}");
    assert!(standings(&report).contains(&("discarded-token", "open")), "baselines take in no suppressed finding");
    assert!(standings(&report).contains(&("contract-unpinned", "baselined")), "{report}");
}

#[test]
fn a_suppression_that_is_no_good_is_a_finding_of_its_own() {
    for (comment, word) in [
        ("// tokendrift-ignore-next-line contract-broken", "no reason"),
        ("// tokendrift-ignore-next-line contract-broken -- known until=2001-01-01", "expired"),
        ("// tokendrift-ignore-next-line contract-brokn -- known", "did you mean `contract-broken`"),
        ("// tokendrift-ignore-next-line unknown-value -- known", "puts nothing aside"),
    ] {
        let folder = project(comment);
        let (code, report) = audit(folder.path(), &[]);
        assert_eq!(code, 1, "{comment}");
        let findings = report["findings"].as_array().expect("findings");
        let own: Vec<&Value> = findings.iter().filter(|finding| finding["check"] == "suppression").collect();
        assert!(own.len() == 1 && own[0]["message"].as_str().is_some_and(|text| text.contains(word)), "{findings:?}");
        assert_eq!((own[0]["file"].as_str(), own[0]["line"].as_u64()), (Some("src/web.ts"), Some(12)));
        assert_eq!(run(folder.path(), &["suppressions"]).code, 1);
    }
}

fn git(folder: &Path, args: &[&str]) -> String {
    let fixed = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").current_dir(folder).args(fixed).args(args).output().expect("git runs");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_revision_as_baseline_leaves_what_is_new_and_touches_nothing() {
    let folder = project("");
    let folder = folder.path();
    git(folder, &["init", "--quiet", "--initial-branch=main"]);
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message=start"]);
    // A dirty work tree: one deviating login more, staged; one file changed, not staged; one not tracked.
    write_files(
        folder,
        &[("src/tv.ts", &login("Tv", false, "")), ("src/mobile.ts", &login("Mobile", true, "// dirty"))],
    );
    git(folder, &["add", "src/tv.ts"]);
    write_files(folder, &[("notes.txt", "not tracked")]);
    let before = (git(folder, &["status", "--porcelain=v2"]), git(folder, &["worktree", "list"]));

    let (code, report) = audit(folder, &["--baseline-ref", "main"]);
    assert_eq!(code, 1, "{report}");
    let findings = report["findings"].as_array().expect("findings");
    let open: Vec<&Value> = findings.iter().filter(|finding| finding["standing"] == "open").collect();
    assert!(!open.is_empty() && open.iter().all(|finding| finding["file"] == "src/tv.ts"), "{findings:?}");
    assert!(open.len() < findings.len(), "what main has is marked, not left out");
    assert_eq!((git(folder, &["status", "--porcelain=v2"]), git(folder, &["worktree", "list"])), before);

    git(folder, &["commit", "--quiet", "--message=tv"]);
    assert_eq!(audit(folder, &["--baseline-ref", "HEAD"]).0, 0, "all of it is known");
    let below = audit(
        &folder.join("src"),
        &["--baseline-ref", "HEAD~1", "--config", folder.join("tokendrift.toml").to_str().expect("UTF-8")],
    );
    assert_eq!(below.0, 1, "a folder of the repository can be audited alone");
    let unknown = run(folder, &["audit", "--baseline-ref", "no-such-branch"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("no revision `no-such-branch`"), "{}", unknown.stderr);
    let both = run(folder, &["audit", "--baseline-ref", "main", "--baseline", "x"]);
    assert_eq!(both.code, 2);
}

#[test]
fn a_baseline_is_not_narrowed_to_some_columns() {
    let folder = project("");
    let folder = folder.path();
    let file = folder.join("tokendrift.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::write(&file, format!("{text}\n[[column]]\ntable = \"users\"\ncolumn = \"id\"\n"))
        .expect("a configuration");
    assert_eq!(run(folder, &["baseline", "write"]).code, 0);
    let before = std::fs::read(folder.join("tokendrift-baseline.json")).expect("a baseline");
    for command in [&["write"][..], &["write", "--shrink-only"], &["prune"], &["check"]] {
        let ran = run(folder, &[&["baseline"], command, &["--column", "users.access_token"]].concat());
        assert!(ran.code == 2 && ran.stderr.contains("would be lost"), "{command:?}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read(folder.join("tokendrift-baseline.json")).expect("a baseline"), before);
}

#[test]
fn a_revision_is_judged_by_its_own_configuration_and_decision_records() {
    let folder = project("");
    let folder = folder.path();
    let file = folder.join("tokendrift.toml");
    let started = std::fs::read_to_string(&file).expect("a configuration");
    let decided = started.replacen("[[column]]", "[[column]]\ndecision = \"decision.md\"", 1);
    let record = "# users.access_token\n\nusers: access_token is written by every login.\n";
    write_files(folder, &[("tokendrift.toml", decided.as_str()), ("decision.md", record)]);
    git(folder, &["init", "--quiet", "--initial-branch=main"]);
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message=start"]);
    let new = || -> Vec<String> {
        let (_, report) = audit(folder, &["--baseline-ref", "main"]);
        let open = |finding: &&Value| finding["standing"] == "open";
        let findings = report["findings"].as_array().expect("findings").iter().filter(open);
        findings.filter_map(|finding| finding["check"].as_str()).map(str::to_owned).collect()
    };
    assert_eq!(new(), [""; 0], "nothing changed");
    std::fs::remove_file(folder.join("decision.md")).expect("a decision");
    assert_eq!(new(), ["decision-missing"], "the record is gone");
    write_files(folder, &[("decision.md", record)]);
    let lines = decided.lines().filter(|line| !line.starts_with("contract"));
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).expect("a configuration");
    assert!(new().contains(&"contract-undeclared".to_owned()), "{:?}", new());

    // The revision has no configuration: today's holds for it.
    std::fs::remove_file(&file).expect("a configuration");
    git(folder, &["commit", "--quiet", "--all", "--message=none"]);
    write_files(folder, &[("tokendrift.toml", decided.as_str())]);
    assert_eq!(audit(folder, &["--baseline-ref", "HEAD"]).0, 0);
    // One that is none is an error that names the revision.
    std::fs::write(&file, "[[column]\n").expect("a configuration");
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message=broken"]);
    std::fs::write(&file, decided).expect("a configuration");
    let ran = run(folder, &["audit", "--baseline-ref", "HEAD"]);
    assert!(ran.code == 2 && ran.stderr.contains("HEAD:tokendrift.toml:1"), "{}", ran.stderr);
}

#[test]
fn a_revision_needs_a_repository() {
    let folder = project("");
    let run = run(folder.path(), &["audit", "--baseline-ref", "main"]);
    assert!(run.code == 2 && run.stderr.contains("needs a git repository"), "{}", run.stderr);
}
