//! `--record`: counts that later runs are held against, without a server.

use std::path::Path;

use serde_json::Value;
use sqlx::{Connection, Executor, SqliteConnection};

use crate::command::{Run, nest_auth, tokendrift};

/// In each row's token.
const CANARY: &str = "canaryTOKEN4711";

/// A database of `web` rows without a token and `app` rows with one, all anew.
fn database(file: &Path, web: u32, filled: u32) -> String {
    let url = format!("sqlite:{}?mode=rwc", file.display());
    let sql = format!(
        "DROP TABLE IF EXISTS users; CREATE TABLE users (id INTEGER PRIMARY KEY, signup_client TEXT, access_token TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
         INSERT INTO users (signup_client, access_token) SELECT CASE WHEN i <= {web} THEN 'web' ELSE 'mobile' END,
           CASE WHEN i > {web} OR i <= {filled} THEN '{CANARY}' || i END FROM n"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.expect("the database opens");
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.expect("the rows");
        connection.close().await.expect("it closes");
    });
    format!("sqlite:{}", file.display())
}

/// `COMMAND --record FILE ARGS` on the drifted fixture.
fn run(command: &str, url: &str, record: &Path, args: &[&str]) -> Run {
    let root = nest_auth("drifted");
    let (root, config) = (root.display().to_string(), root.join("tokendrift.toml").display().to_string());
    let record = record.display().to_string();
    let mut all = vec![command, "--config", &config, "--database-url", url, "--record", &record, "--quiet"];
    all.extend(args);
    if command == "audit" {
        all.push(&root);
    }
    tokendrift(all)
}

#[test]
fn counts_are_recorded_and_the_next_run_tells_how_they_moved() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, record) = (folder.path().join("users.sqlite"), folder.path().join("record.jsonl"));
    let url = database(&file, 200, 0);
    let first = run("probe", &url, &record, &["--format", "json"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(first.report()["columns"][0]["live"]["changes"], serde_json::json!([]));
    database(&file, 200, 150);
    let second = run("probe", &url, &record, &["--format", "json"]);
    let changes = second.report()["columns"][0]["live"]["changes"].clone();
    let told: Vec<String> = changes
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| {
            let part = change["value"].as_str().unwrap_or("all");
            let bare = |at: &str| change[at]["without_token"].clone();
            format!("{part} {} {} {}", bare("before"), bare("now"), change["tendency"].as_str().unwrap_or(""))
        })
        .collect();
    assert_eq!(told, ["all 200 50 falls", "mobile 0 0 level", "web 200 50 falls"], "{changes}");
    let audit = run("audit", &url, &record, &["--format", "json"]);
    // Against the first and against the last of the two records.
    assert_eq!(audit.report()["columns"][0]["live"]["changes"].as_array().map(Vec::len), Some(6));
    let lines = std::fs::read_to_string(&record).expect("the record");
    assert_eq!(lines.lines().count(), 3, "{lines}");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&line["schema"], &line["rows"]), (&"tokendrift-record/1".into(), &400.into()), "{line}");
    }
    for (command, format, wanted) in [
        (
            "probe",
            "table",
            "client = 'web': without a token 100 % then (200 of 200 rows), 25 % now (50 of 200 rows): fewer",
        ),
        ("audit", "markdown", "(200 of 200 rows), 25 % now (50 of 200 rows): fewer"),
        ("audit", "table", "(50 of 200 rows): fewer"),
    ] {
        let shown = run(command, &url, &record, &["--format", format]);
        let words: Vec<&str> = shown.stdout.split_whitespace().collect();
        assert!(words.join(" ").contains(wanted), "{command} {format}: {}", shown.stdout);
        assert!(!shown.stdout.contains(CANARY), "{}", shown.stdout);
    }
    let lines = std::fs::read_to_string(&record).expect("the record");
    assert!(!lines.contains(CANARY), "{lines}");
}

#[test]
fn a_file_that_is_no_record_is_neither_read_nor_added_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, record) = (folder.path().join("users.sqlite"), folder.path().join("record.jsonl"));
    let url = database(&file, 10, 0);
    std::fs::write(&record, "{\"schema\": \"something else\"}\n").expect("a file");
    for command in ["probe", "audit"] {
        let refused = run(command, &url, &record, &[]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("record.jsonl:1"), "{}", refused.stderr);
    }
    assert_eq!(std::fs::read_to_string(&record).expect("the file"), "{\"schema\": \"something else\"}\n");
    // Without counts there is nothing to record.
    std::fs::remove_file(&record).expect("the file");
    let failed = run("probe", "sqlite:/nowhere/users.sqlite", &record, &[]);
    assert_eq!(failed.code, 3, "{}", failed.stderr);
    assert_eq!(std::fs::read_to_string(&record).expect("the file"), "");
}
