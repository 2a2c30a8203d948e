//! What scripts rely on: exit codes, the JSON report and its schema, reruns, and how much is lowered.

use std::ffi::OsStr;
use std::path::Path;

use crate::command::{Run, audit_json, files_below, nest_auth, repository, tokendrift, write_files};

/// A project whose one login stores the fresh token.
const CLEAN: &[(&str, &str)] = &[
    (
        "tokendrift.toml",
        "[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\ncontract = \"write-consistently\"\n",
    ),
    (
        "src/user.entity.ts",
        "import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';\n\
         @Entity('users')\nexport class User {\n  @PrimaryGeneratedColumn() id!: number;\n\
         \x20 @Column({ name: 'access_token', type: 'text', nullable: true }) accessToken!: string | null;\n}\n",
    ),
    (
        "src/login.ts",
        "import { Controller, Post } from '@nestjs/common';\nimport { JwtService } from '@nestjs/jwt';\n\
         import { InjectRepository } from '@nestjs/typeorm';\nimport { Repository } from 'typeorm';\n\
         import { User } from './user.entity';\n\
         @Controller('login')\nexport class LoginController {\n\
         \x20 constructor(@InjectRepository(User) private users: Repository<User>, private jwt: JwtService) {}\n\
         \x20 @Post() async login(id: number) {\n    const accessToken = this.jwt.sign({ sub: id });\n\
         \x20   await this.users.update({ id }, { accessToken });\n  }\n}\n",
    ),
];

pub(crate) const FORMATS: [&str; 6] = ["table", "json", "sarif", "github", "gitlab", "markdown"];

fn clean_project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_files(folder.path(), CLEAN);
    folder
}

fn audit_as(format: &str, dir: &Path, args: &[&str]) -> Run {
    let fixed = ["audit", "--quiet", "--format", format];
    tokendrift(fixed.iter().chain(args).map(OsStr::new).chain([dir.as_os_str()]))
}

#[test]
fn the_exit_code_tells_clean_findings_and_unable_apart_in_every_format() {
    let clean = clean_project();
    for format in FORMATS {
        let code = |dir: &Path, args: &[&str]| audit_as(format, dir, args).code;
        assert_eq!(code(clean.path(), &[]), 0, "clean, {format}");
        assert_eq!(code(&nest_auth("drifted"), &[]), 1, "findings, {format}");
        assert_eq!(code(&clean.path().join("absent"), &[]), 2, "no such path, {format}");
        let absent = format!("sqlite:{}", clean.path().join("absent.sqlite").display());
        assert_eq!(code(clean.path(), &["--database-url", &absent]), 3, "no such database, {format}");
    }
}

#[test]
fn a_usage_error_exits_2_and_says_so_on_stderr() {
    for args in [&["audit", "--no-such-option"][..], &["no-such-command"], &["audit", "--format", "no-such-format"]] {
        let run = tokendrift(args);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.contains("no-such"), "{}", run.stderr);
    }
}

#[test]
fn an_empty_database_url_is_said_and_quiet_outranks_timings() {
    let clean = clean_project();
    let audit = |more: &[&str]| tokendrift([&["audit", clean.path().to_str().expect("a UTF-8 path")], more].concat());
    let run = audit(&["--database-url", "", "--timings"]);
    assert!(run.stderr.contains("the database URL given is empty") && run.stderr.contains("trace"), "{}", run.stderr);
    let run = audit(&["--timings", "--quiet"]);
    assert_eq!(run.stderr, "");
}

#[test]
fn fail_on_moves_the_limit_between_clean_and_findings() {
    assert_eq!(audit_json(&nest_auth("drifted"), &["--fail-on", "note"]).code, 1);
    let report = audit_json(&nest_auth("drifted"), &[]).report();
    let levels: Vec<&str> = report["findings"]
        .as_array()
        .expect("a list of findings")
        .iter()
        .filter_map(|finding| finding["level"].as_str())
        .collect();
    let expected = i32::from(levels.contains(&"error"));
    assert_eq!(audit_json(&nest_auth("drifted"), &["--fail-on", "error"]).code, expected, "{levels:?}");
}

#[test]
fn results_stand_on_stdout_alone_and_without_colour() {
    let run = tokendrift([OsStr::new("audit"), nest_auth("drifted").as_os_str()]);
    assert!(run.stdout.contains("discarded-token"), "{}", run.stdout);
    assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'), "no escape codes off a terminal");
    assert!(!run.stderr.contains("discarded-token"), "{}", run.stderr);
}

#[test]
fn every_report_is_valid_against_the_published_schema() {
    let text = std::fs::read_to_string(repository().join("docs/report.schema.json")).expect("the schema");
    let schema: serde_json::Value = serde_json::from_str(&text).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    for state in ["drifted", "write-consistently", "drop-writes"] {
        let url = format!("sqlite:{}", nest_auth(state).join("database.sqlite").display());
        for args in [&[][..], &["--database-url", &url]] {
            let report = audit_json(&nest_auth(state), args).report();
            let errors: Vec<String> =
                validator.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{state} {args:?}: {errors:#?}");
            assert_eq!(report["schema"], "tokendrift-report/1");
        }
    }
    let mut broken = audit_json(&nest_auth("drifted"), &[]).report();
    broken["columns"][0]["write_sites"][0]["operation"] = "change".into();
    assert!(!validator.is_valid(&broken), "the schema lets an unknown operation pass");
}

#[test]
fn every_report_of_a_probe_is_valid_against_its_published_schema() {
    let read = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(repository().join("docs").join(name)).expect("the schema");
        serde_json::from_str(&text).expect("the schema is JSON")
    };
    let (schema, shared) = (read("probe.schema.json"), read("report.schema.json"));
    let place = shared["$id"].as_str().expect("a place").to_owned();
    let registry = jsonschema::Registry::new().add(place, shared).expect("a place").prepare().expect("a registry");
    let validator = jsonschema::options().with_registry(&registry).build(&schema).expect("the schema is a schema");
    let config = nest_auth("drifted").join("tokendrift.toml");
    let probe = |url: &str| {
        let args = ["--format", "json", "--quiet", "--database-url", url, "--config"].map(OsStr::new);
        tokendrift([OsStr::new("probe")].into_iter().chain(args).chain([config.as_os_str()])).report()
    };
    let file = nest_auth("drifted").join("database.sqlite");
    let mut counted = probe(&format!("sqlite:{}", file.display()));
    assert!(counted["columns"][0]["live"].is_object(), "{counted}");
    for report in [&counted, &probe("sqlite:/no/such/file.sqlite")] {
        let errors: Vec<String> =
            validator.iter_errors(report).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    counted["columns"][0]["live"]["method"] = "guess".into();
    assert!(!validator.is_valid(&counted), "the schema lets an unknown method pass");
}

#[test]
fn reruns_give_the_same_bytes_with_any_number_of_jobs() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    crate::tree::write(tree.path(), 200).expect("the tree can be written");
    for (dir, args) in [(nest_auth("drifted"), &[][..]), (tree.path().into(), &["--column", "accounts.access_token"])] {
        for format in FORMATS {
            let with = |jobs: &str| audit_as(format, &dir, &[args, &["--jobs", jobs]].concat()).stdout;
            let first = with("1");
            assert!(!first.is_empty());
            for jobs in ["1", "2", "2"] {
                assert_eq!(with(jobs), first, "{format} with {jobs} jobs");
            }
        }
    }
}

/// What the file system lists first is what was written first, or anything else; what the command line names first is read first.
#[test]
fn files_in_another_order_give_the_same_bytes() {
    let root = "fixtures/nest-auth/drifted/";
    let mut files: Vec<(String, String)> =
        ["ts", "toml"].iter().flat_map(|extension| files_below(root, extension)).collect();
    let mut other: Vec<(&str, &str)> = CLEAN[1..].to_vec();
    let write = |files: &[(String, String)], other: &[(&str, &str)]| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let below: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (&path[root.len()..], text.as_str()))
            .chain(other.iter().copied())
            .collect();
        write_files(folder.path(), &below);
        folder
    };
    let first = write(&files, &other);
    files.reverse();
    other.reverse();
    let second = write(&files, &other);
    for format in FORMATS {
        let parts = |root: &Path, names: [&str; 3]| {
            let paths = names.map(|name| root.join("src").join(name));
            let fixed = ["audit", "--quiet", "--format", format].map(OsStr::new);
            tokendrift(fixed.into_iter().chain(paths.iter().map(|path| path.as_os_str()))).stdout
        };
        let whole = audit_as(format, first.path(), &[]).stdout;
        assert!(whole.contains("discarded-token"), "{format}: {whole}");
        assert_eq!(whole, audit_as(format, second.path(), &["--jobs", "1"]).stdout, "{format}");
        assert_eq!(
            parts(first.path(), ["auth", "users", "login.ts"]),
            parts(second.path(), ["login.ts", "users", "auth"]),
            "{format}"
        );
    }
}

#[test]
fn elapsed_time_is_reported_unless_quiet() {
    let has = |run: Run| run.report()["summary"].get("elapsed_ms").is_some();
    let dir = nest_auth("drifted");
    assert!(!has(audit_json(&dir, &[])));
    assert!(has(tokendrift([OsStr::new("audit"), OsStr::new("--format"), OsStr::new("json"), dir.as_os_str()])));
}

#[test]
fn a_tree_that_hardly_mentions_the_column_is_hardly_lowered() {
    const FILES: u64 = 600;
    let tree = tempfile::tempdir().expect("a temporary folder");
    crate::tree::write(tree.path(), usize::try_from(FILES).expect("a small number")).expect("the tree can be written");
    let report = audit_json(tree.path(), &["--column", "accounts.access_token"]).report();
    let summary = &report["summary"];
    assert_eq!(summary["files"], FILES, "{summary}");
    let lowered = summary["files_lowered"].as_u64().expect("a count");
    assert!((4..FILES / 10).contains(&lowered), "{lowered} of {FILES} files were lowered");
    let site = &report["columns"][0]["write_sites"][0];
    assert_eq!((&site["semantics"], &site["confidence"]), (&"fresh".into(), &"proven".into()), "{site}");
    assert_eq!(site["paths"][0]["entry_point"]["name"], "LoginController.login", "{site}");
}
