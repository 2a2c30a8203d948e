use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::config::{Cohort, Column, Config, Database};
use crate::probe::session::Session;
use crate::probe::{ColumnProbe, Counts, Deadline, Options, Outcome, SecretUrl, Target, probe};

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn execute(file: &Path, sql: &str) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection
}

/// A database file made by `sql`, in a folder that goes with the test.
fn database(sql: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    block(execute(&file, sql));
    let url = format!("sqlite:{}", file.display());
    (folder, url)
}

/// Table, column, and its cohorts by name and expression.
type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

fn config(columns: &[Asked]) -> Config {
    let mut config = Config::default();
    for (table, column, cohorts) in columns {
        let cohorts = cohorts.iter().map(|(name, by)| Cohort {
            name: (*name).into(),
            by: (*by).into(),
            is_monthly: false,
            path: Vec::new(),
            line: 1,
        });
        config.columns.push(Column {
            table: (*table).into(),
            column: (*column).into(),
            cohorts: cohorts.collect(),
            ..Column::default()
        });
    }
    config
}

fn with_budget(config: &mut Config, milliseconds: u64) {
    config.databases.push(Database {
        name: "replica".into(),
        url_env: "REPLICA_URL".into(),
        require_replica: false,
        budget_ms: milliseconds,
        line: 1,
    });
}

fn run(url: &str, config: &Config) -> Vec<ColumnProbe> {
    let target = Target::new(SecretUrl::parse(url).unwrap(), config.databases.first());
    probe(&[target], config, &Options::default()).columns
}

fn ask(url: &str, columns: &[Asked]) -> Vec<Outcome> {
    let probes = run(url, &config(columns));
    assert_eq!(probes.iter().map(|probe| probe.column).collect::<Vec<_>>(), (0..columns.len()).collect::<Vec<_>>());
    probes.into_iter().map(|probe| probe.outcome).collect()
}

fn refusal(url: &str) -> String {
    failed(&ask(url, &[("users", "access_token", &[])])[0]).to_owned()
}

fn counted(outcome: &Outcome) -> &Counts {
    match outcome {
        Outcome::Counted(counts) => counts,
        Outcome::Failed(why) => panic!("not counted: {why}"),
    }
}

fn failed(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed(why) => why,
        Outcome::Counted(counts) => panic!("counted: {counts:?}"),
    }
}

/// `name=value: rows/nulls/empty`
fn cohorts(counts: &Counts) -> Vec<String> {
    let line = |part: &crate::probe::CohortCounts| {
        let value = part.value.as_deref().unwrap_or("NULL");
        format!("{}={value}: {}/{}/{}", part.name, part.rows, part.nulls, part.empty)
    };
    counts.cohorts.iter().map(line).collect()
}

/// Each of five users thirty times, so that no cohort is too small to be told.
const USERS: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, access_token TEXT, refresh_token TEXT, signup_client TEXT, created_at TEXT);
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 30)
    INSERT INTO users (access_token, refresh_token, signup_client, created_at) SELECT u.* FROM n, (
      SELECT NULL, 'r1', 'web', '2024-01-03' UNION ALL SELECT NULL, NULL, 'web', '2024-02-03' UNION ALL
      SELECT 't1', '', 'mobile', '2024-01-09' UNION ALL SELECT 't2', 'r2', 'mobile', '2024-02-01' UNION ALL
      SELECT '', 'r3', NULL, '2024-02-01') u;
    CREATE TABLE orders (id INTEGER);";

#[test]
fn rows_nulls_and_empty_values_are_counted_whole_and_by_cohort() {
    let (_folder, url) = database(USERS);
    let outcomes = ask(
        &url,
        &[
            ("users", "access_token", &[("client", "signup_client"), ("month", "substr(created_at, 1, 7)")]),
            ("Users", "REFRESH_TOKEN", &[("client", "signup_client")]),
        ],
    );
    let access = counted(&outcomes[0]);
    assert_eq!((access.rows, access.nulls, access.empty), (150, 60, 30));
    assert_eq!(
        cohorts(access),
        [
            "client=NULL: 30/0/30",
            "client=mobile: 60/0/0",
            "client=web: 60/60/0",
            "month=2024-01: 60/30/0",
            "month=2024-02: 90/30/30"
        ]
    );
    let refresh = counted(&outcomes[1]);
    assert_eq!((refresh.rows, refresh.nulls, refresh.empty), (150, 30, 30));
    assert_eq!(cohorts(refresh), ["client=NULL: 30/0/0", "client=mobile: 60/0/30", "client=web: 60/30/0"]);
}

#[test]
fn an_empty_table_has_no_rows_with_and_without_cohorts() {
    let (_folder, url) = database("CREATE TABLE t (a TEXT, b TEXT, c TEXT)");
    let outcomes = ask(&url, &[("t", "a", &[]), ("t", "b", &[("c", "c")])]);
    for outcome in &outcomes {
        let counts = counted(outcome);
        assert_eq!((counts.rows, counts.nulls, counts.empty, counts.cohorts.len()), (0, 0, 0, 0));
    }
}

#[test]
fn names_that_need_quotes_and_labels_that_are_bytes_are_counted() {
    let (_folder, url) = database(
        "CREATE TABLE \"odd \"\"one\" (\"to'ken\" TEXT, \"order\" BLOB);
         WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20)
         INSERT INTO \"odd \"\"one\" SELECT CASE WHEN x % 2 = 0 THEN 'x' END, x'ff1b41' FROM n;",
    );
    let outcomes = ask(&url, &[("odd \"one", "to'ken", &[("o", "order")])]);
    let counts = counted(&outcomes[0]);
    assert_eq!((counts.rows, counts.nulls), (20, 10));
    assert_eq!(cohorts(counts), ["o=\u{fffd}A: 20/10/0"]);
}

#[test]
fn a_missing_table_or_column_names_the_closest_and_costs_the_others_nothing() {
    let (_folder, url) = database(USERS);
    let outcomes = ask(
        &url,
        &[
            ("user", "access_token", &[]),
            ("users", "acces_token", &[]),
            ("users", "refresh_token", &[]),
            ("sessions", "x", &[]),
        ],
    );
    assert_eq!(failed(&outcomes[0]), "the database has no table `user`; did you mean `users`?");
    assert_eq!(failed(&outcomes[1]), "table `users` has no column `acces_token`; did you mean `access_token`?");
    assert_eq!(counted(&outcomes[2]).rows, 150);
    assert_eq!(failed(&outcomes[3]), "the database has no table `sessions`; it has orders, users");
}

#[test]
fn a_cohort_that_cannot_be_counted_says_why_and_costs_the_others_nothing() {
    let (_folder, url) = database(USERS);
    let outcomes = ask(
        &url,
        &[
            ("users", "access_token", &[("client", "signup_clinet")]),
            ("users", "refresh_token", &[("client", "signup_client")]),
            ("users", "created_at", &[("c", "lower(nothing)")]),
            ("users", "id", &[("c", "substr(access_token, 1, 20)")]),
            ("users", "signup_client", &[("c", "count(*) > 1")]),
        ],
    );
    let hint = "cohort `client`: table `users` has no column `signup_clinet`; did you mean `signup_client`?";
    assert_eq!(failed(&outcomes[0]), hint);
    // `signup_client` is tracked here, too.
    assert!(failed(&outcomes[1]).contains("uses the tracked column `signup_client`"), "{outcomes:?}");
    assert!(failed(&outcomes[2]).contains("no expression that SQLite understands over table `users`"));
    assert!(failed(&outcomes[3]).contains("uses the tracked column `access_token`"));
    assert!(failed(&outcomes[4]).contains("`by` calls `count`"), "{outcomes:?}");
}

#[test]
fn a_cohort_with_thousands_of_values_is_refused_by_name() {
    let (_folder, url) = database(
        "CREATE TABLE users (email TEXT, kind TEXT, token TEXT);
         WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000)
         INSERT INTO users SELECT x || '@example.org', x % 2, NULL FROM n;",
    );
    let outcomes = ask(&url, &[("users", "token", &[("kind", "kind"), ("mail", "email")])]);
    let why = failed(&outcomes[0]);
    assert!(why.contains("the cohort `mail` splits the table into more than 2000 groups"), "{why}");
    assert!(!why.contains("@example.org"));
}

#[test]
fn what_is_no_database_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("notes.txt"), "hunter2 ".repeat(400)).unwrap();
    std::fs::write(at("short"), "x").unwrap();
    let url = |name: &str| format!("sqlite:{}", at(name).display());
    assert!(refusal(&url("nothing.db")).contains("no such file"));
    assert!(!at("nothing.db").exists());
    assert!(refusal(&format!("sqlite:{}", folder.path().display())).contains("this is a folder"));
    assert!(refusal(&url("notes.txt")).contains("not a SQLite database"));
    assert!(!refusal(&url("notes.txt")).contains("hunter2"));
    assert!(refusal(&url("short")).contains("not a SQLite database"));
    let server = refusal("mongodb://u:hunter2@db/app");
    assert!(server.starts_with("mongodb://db/app: this kind of database is not supported"), "{server}");
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let all = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_write_ahead_log_is_read_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["open", "copy", "closed"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    let file = at("open").join("app.db");
    let log = |name: &str| at(name).join("app.db-wal");
    let open = block(execute(
        &file,
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE users (id INTEGER, access_token TEXT);
         INSERT INTO users VALUES (1, 'a'), (2, NULL); PRAGMA wal_checkpoint(TRUNCATE);
         INSERT INTO users VALUES (3, NULL);",
    ));
    // What a process that ended in the middle leaves, or a copy of both files.
    for suffix in ["", "-wal"] {
        let name = format!("app.db{suffix}");
        std::fs::copy(at("open").join(&name), at("copy").join(&name)).unwrap();
    }
    let rows = |name: &str| {
        let url = format!("sqlite:{}", at(name).join("app.db").display());
        let counts = counted(&ask(&url, &[("users", "access_token", &[])])[0]).clone();
        (counts.rows, counts.nulls)
    };
    let before = std::fs::read(log("copy")).unwrap();
    assert_eq!(rows("copy"), (3, 2));
    assert_eq!(names(&at("copy")), ["app.db", "app.db-wal"]);
    assert_eq!(std::fs::read(log("copy")).unwrap(), before);
    // Somebody has it open.
    assert_eq!(rows("open"), (3, 2));
    assert_eq!(names(&at("open")), ["app.db", "app.db-shm", "app.db-wal"]);
    block(async { sqlx::Connection::close(open).await.unwrap() });
    std::fs::copy(&file, at("closed").join("app.db")).unwrap();
    assert_eq!(rows("closed"), (3, 2));
    assert_eq!(names(&at("closed")), ["app.db"]);
}

#[test]
fn an_empty_file_is_a_database_without_tables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.db");
    std::fs::write(&file, "").unwrap();
    let outcomes = ask(&format!("sqlite:{}", file.display()), &[("users", "t", &[])]);
    assert_eq!(failed(&outcomes[0]), "the database has no table `users`; it has no table at all");
    assert_eq!(std::fs::read(&file).unwrap().len(), 0);
}

#[test]
fn a_locked_database_is_told_within_the_budget() {
    let (folder, url) = database(USERS);
    let mut config = config(&[("users", "access_token", &[])]);
    with_budget(&mut config, 400);
    let lock = block(execute(&folder.path().join("app.db"), "BEGIN EXCLUSIVE"));
    let start = Instant::now();
    let probes = run(&url, &config);
    assert!(failed(&probes[0].outcome).contains("locked by another process"), "{probes:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(lock);
}

#[test]
fn a_spent_budget_keeps_what_was_counted_and_says_so_for_the_rest() {
    let (_folder, url) = database(
        "CREATE TABLE a (token TEXT); INSERT INTO a VALUES (NULL);
         CREATE VIEW b AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT NULL AS token FROM n;",
    );
    let mut config = config(&[("a", "token", &[]), ("b", "token", &[])]);
    with_budget(&mut config, 300);
    let start = Instant::now();
    let probes = run(&url, &config);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(counted(&probes[0].outcome).nulls, 1);
    assert!(failed(&probes[1].outcome).starts_with("table `b`: not counted within 300 ms; out of time"));
}

#[test]
fn the_file_is_opened_so_that_nothing_can_be_written() {
    let (folder, url) = database(USERS);
    let file = folder.path().join("app.db");
    let before = std::fs::read(&file).unwrap();
    ask(&url, &[("users", "access_token", &[("client", "signup_client")])]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let url = SecretUrl::parse(&url).unwrap();
    let deadline = Deadline::after(Duration::from_secs(5));
    let refused = block(async {
        let mut session = Session::open(&url, deadline).await.unwrap_or_else(|error| panic!("{error}"));
        session.ask("UPDATE users SET access_token = 'x' RETURNING 1").await.unwrap_err()
    });
    assert_ne!(refused, crate::probe::Trouble::OutOfTime);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_database_in_wal_mode_is_read_while_a_writer_holds_it() {
    let (folder, url) = database(USERS);
    let writer =
        block(execute(&folder.path().join("app.db"), "PRAGMA journal_mode = WAL; INSERT INTO users (id) VALUES (999)"));
    assert_eq!(counted(&ask(&url, &[("users", "access_token", &[])])[0]).rows, 151);
    drop(writer);
}

#[test]
fn cohorts_of_few_rows_are_told_as_one() {
    let (_folder, url) = database(
        "CREATE TABLE t (token TEXT, mail TEXT);
         WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 60)
         INSERT INTO t SELECT NULL, CASE WHEN x > 20 THEN 'many' ELSE x || '@example.org' END FROM n;",
    );
    let outcomes = ask(&url, &[("t", "token", &[("mail", "mail")])]);
    assert_eq!(cohorts(counted(&outcomes[0])), ["mail=many: 40/40/0", "mail=(other): 20/20/0"]);
}

#[test]
fn the_shapes_of_values_are_counted_and_no_value_is_told() {
    let (_folder, url) = database(
        "CREATE TABLE t (token TEXT);
         INSERT INTO t VALUES (NULL), (''), ('null'), ('eyJhbGciOi.eyJzdWIi.c2ln'), ('$2b$10$abcdefghijklmnopqrstuv'),
           ('0123456789abcdef0123456789abcdef'), ('f81d4fae-7dec-11d0-a765-00a0c91e6bf6'), ('vault:v1:AAAA'), ('plain'), ('plain');",
    );
    let outcomes = ask(&url, &[("t", "token", &[])]);
    let counts = counted(&outcomes[0]);
    let shapes = counts.shapes.as_ref().unwrap();
    let told: Vec<String> = shapes.rows.iter().map(|(shape, rows)| format!("{} {rows}", shape.word())).collect();
    assert_eq!(told, ["jwt 1", "uuid 1", "hex-hash 1", "password-hash 1", "encrypted 1", "other 3"]);
    assert_eq!((counts.null_text, counts.duplicates.map(|shared| (shared.values, shared.rows))), (1, Some((1, 2))));
}

#[test]
fn tokens_of_inactive_and_missing_users_are_counted() {
    let (_folder, url) = database(
        "PRAGMA foreign_keys = OFF; CREATE TABLE users (id INTEGER PRIMARY KEY, is_active INTEGER NOT NULL, status TEXT);
         CREATE TABLE sessions (token TEXT, user_id INTEGER REFERENCES users (id));
         INSERT INTO users VALUES (1, 1, 'active'), (2, 0, NULL), (4, 1, 'Deactivated');
         INSERT INTO sessions VALUES ('a', 1), ('b', 2), ('c', 3), (NULL, 3), ('d', 4);",
    );
    let outcomes = ask(&url, &[("sessions", "token", &[])]);
    let orphans = counted(&outcomes[0]).orphans.clone().unwrap();
    assert_eq!((orphans.tokens, orphans.gone, orphans.inactive), (4, 1, 2));
}
