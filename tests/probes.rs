//! The live half against real servers: what is counted, and that asking does no harm.

use std::path::Path;
use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection, Row, SqliteConnection};

use crate::command::{Run, tokendrift};
use crate::probe_faults::slow_view;
use crate::servers::{Servers, servers};

/// Every row's token holds it, and nothing that is printed may.
pub(crate) const CANARY: &str = "canaryTOKEN4711";

/// Whoever measures what the whole server writes takes it alone.
pub(crate) static QUIET: RwLock<()> = RwLock::new(());

pub(crate) fn shared() -> Option<(&'static Servers, RwLockReadGuard<'static, ()>)> {
    Some((servers()?, QUIET.read().unwrap_or_else(PoisonError::into_inner)))
}

fn block<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs SQL on a server.
pub(crate) fn run_sql(url: &str, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    block(async {
        if url.starts_with("mysql") {
            MySqlConnection::connect(url).await?.execute(sqlx::raw_sql(sql)).await.map(|_| ())
        } else if url.starts_with("sqlite") {
            SqliteConnection::connect(url).await?.execute(sqlx::raw_sql(sql)).await.map(|_| ())
        } else {
            PgConnection::connect(url).await?.execute(sqlx::raw_sql(sql)).await.map(|_| ())
        }
    });
}

/// The only field of the only row of a query on PostgreSQL.
pub(crate) fn value(url: &str, sql: &str) -> String {
    let sql = AssertSqlSafe(sql.to_owned());
    block(async {
        let row = PgConnection::connect(url).await?.fetch_one(sqlx::raw_sql(sql)).await?;
        Ok(row.try_get_raw(0)?.as_str().unwrap_or_default().to_owned())
    })
}

/// Waits until the standby has all that the primary has.
pub(crate) fn replayed(servers: &Servers) {
    let wanted = value(servers.get("PG_ADMIN"), "SELECT pg_current_wal_insert_lsn()::text");
    let reached = format!("SELECT (pg_last_wal_replay_lsn() >= '{wanted}')::int::text");
    let start = Instant::now();
    while value(servers.get("PG_STANDBY_ADMIN"), &reached) != "1" {
        assert!(start.elapsed() < Duration::from_secs(20), "the standby does not follow");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn configured(folder: &Path, toml: &str) -> String {
    let file = folder.join("tokendrift.toml");
    std::fs::write(&file, toml).expect("the file can be written");
    file.display().to_string()
}

/// `probe --config CONFIG --database-url URL ARGS`
pub(crate) fn probe(toml: &str, url: &str, args: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = configured(folder.path(), toml);
    tokendrift(["probe", "--config", &config, "--database-url", url].iter().chain(args))
}

pub(crate) fn column(table: &str) -> String {
    format!("[[column]]\ntable = '{table}'\ncolumn = \"access_token\"\n")
}

/// The figures of the only column.
fn live(run: &Run) -> Value {
    let report = run.report();
    assert!(report["columns"][0]["live"].is_object(), "{report}\n{}", run.stderr);
    report["columns"][0]["live"].clone()
}

pub(crate) fn counted(toml: &str, url: &str, args: &[&str]) -> Value {
    let run = probe(toml, url, &[&["--format", "json", "--quiet"], args].concat());
    assert_eq!(run.code, 0, "{}\n{}", run.stderr, run.stdout);
    live(&run)
}

/// The reason why the only column was not counted; the run is incomplete.
pub(crate) fn failure(toml: &str, url: &str) -> String {
    let run = probe(toml, url, &["--format", "json", "--quiet"]);
    assert_eq!(run.code, 3, "{}\n{}", run.stderr, run.stdout);
    run.report()["columns"][0]["live_error"].as_str().unwrap_or_else(|| panic!("{}", run.stdout)).to_owned()
}

pub(crate) const COHORT: &str = "[[column.cohort]]\nname = \"client\"\nby = \"client\"\npath.web = \"web\"\n";

#[test]
fn every_server_gives_the_same_figures() {
    let Some((servers, _guard)) = shared() else { return };
    let payload = |exp: &str| format!("concat('eyJhbGciOiJIUzI1NiJ9.', {exp}, '.c2ln')");
    // {"sub":"1","exp":1500000000} and {"sub":"1","exp":9500000000}
    let (old, new) = ("'eyJzdWIiOiIxIiwiZXhwIjoxNTAwMDAwMDAwfQ'", "'eyJzdWIiOiIxIiwiZXhwIjo5NTAwMDAwMDAwfQ'");
    let table = |serial: &str, series: &str| {
        format!(
            "CREATE TABLE same (id {serial} PRIMARY KEY, access_token varchar(400), client varchar(20), is_active int,
               status varchar(20) DEFAULT 'active');
             INSERT INTO same (access_token, client, is_active, status) SELECT CASE n % 10 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'null'
               WHEN 3 THEN {} WHEN 4 THEN {} WHEN 5 THEN concat('$2b$10$', n) WHEN 6 THEN md5(concat(n, '')) WHEN 7 THEN
               'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' WHEN 8 THEN 'gAAAAABh' ELSE concat('{CANARY}', n) END,
               CASE WHEN n % 2 = 0 THEN 'web' WHEN n > 990 THEN 'tv' ELSE 'app' END, CASE WHEN n % 8 = 0 THEN 0 ELSE 1 END,
               CASE WHEN n % 8 = 4 THEN 'Suspended' ELSE 'active' END
             FROM {series};",
            payload(old),
            payload(new)
        )
    };
    run_sql(servers.get("PG_PRIMARY"), &table("serial", "generate_series(1, 1000) n"));
    run_sql(servers.get("MARIADB"), &table("integer auto_increment", "(SELECT seq AS n FROM seq_1_to_1000) s"));
    replayed(servers);
    let toml = format!("{}{COHORT}", column("same"));
    for server in ["PG_PRIMARY", "PG_STANDBY", "PG_POOLER", "MARIADB"] {
        let live = counted(&toml, servers.get(server), &[]);
        let figures = ["rows", "nulls", "empty", "null_text", "expired"].map(|key| live[key].as_u64().unwrap_or(9));
        assert_eq!(figures, [1000, 100, 100, 100, 100], "{server}: {live}");
        assert_eq!(live["method"], "exact");
        let shapes: Vec<(&str, u64)> = live["shapes"]
            .as_array()
            .expect("shapes")
            .iter()
            .map(|part| (part["shape"].as_str().unwrap_or(""), part["rows"].as_u64().unwrap_or(0)))
            .collect();
        let wanted = [
            ("jwt", 200),
            ("uuid", 100),
            ("hex-hash", 100),
            ("password-hash", 100),
            ("encrypted", 100),
            ("other", 200),
        ];
        assert_eq!(shapes, wanted, "{server}");
        let cohorts: Vec<String> = live["cohorts"]
            .as_array()
            .expect("cohorts")
            .iter()
            .map(|part| format!("{} {} {}", part["value"].as_str().unwrap_or("NULL"), part["rows"], part["nulls"]))
            .collect();
        // Five rows of `tv` are too few to be told by themselves.
        assert_eq!(cohorts, ["app 495 0", "web 500 100", "(other) 5 0"], "{server}");
        assert_eq!(live["orphans"]["inactive"], 200, "{server}: {live}");
        assert_eq!(live["duplicates"]["rows"], 500, "{server}: {live}");
    }
}

#[test]
fn no_token_and_no_password_reaches_any_output() {
    let Some((servers, _guard)) = shared() else { return };
    let rows = format!(
        "CREATE TABLE canary (id integer PRIMARY KEY, access_token text, client text);
         INSERT INTO canary SELECT n, concat('{CANARY}', n), 'web' FROM SERIES;"
    );
    run_sql(servers.get("PG_PRIMARY"), &rows.replace("SERIES", "generate_series(1, 60) n"));
    run_sql(servers.get("MARIADB"), &rows.replace("SERIES", "(SELECT seq AS n FROM seq_1_to_60) s"));
    // A routine that holds a token itself, and one that no parser understands.
    run_sql(
        servers.get("PG_PRIMARY"),
        &format!(
            "CREATE PROCEDURE canary_set() LANGUAGE sql AS $$ UPDATE canary SET access_token = '{CANARY}' $$;
             CREATE PROCEDURE canary_odd() LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'UPDATE canary SET access_token = ''{CANARY}'' WHERE'; END $$;"
        ),
    );
    run_sql(
        servers.get("MARIADB"),
        &format!("CREATE PROCEDURE canary_set() UPDATE canary SET access_token = '{CANARY}'"),
    );
    let password = servers.get("PASSWORD");
    let asked = [
        format!("{}{COHORT}", column("canary")),
        format!("{}[column.user]\nactive = \"access_token = '{CANARY}x'\"\n", column("canary")),
        column("canari"),
        column("canary").replace("access_token", "acces_token"),
        format!("{}[[column.cohort]]\nname = \"c\"\nby = \"substr(access_token, 1, 99)\"\n", column("canary")),
        format!("{}[[column.cohort]]\nname = \"c\"\nby = \"cast(canary as text)\"\n", column("canary")),
        format!("{}[[column.cohort]]\nname = \"c\"\nby = \"cast(concat('x', id) as integer)\"\n", column("canary")),
    ];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut runs = 0;
    for url in [servers.get("PG_PRIMARY"), servers.get("MARIADB")] {
        let broken = [
            url.to_owned(),
            url.replace("app:", "nobody:"),
            url.replace(password, &format!("{password}x")),
            format!("{url}?password={password}"),
            format!("{url}?sslmode={password}"),
            format!("{url}?sslmode=verify-full&sslrootcert=/{password}"),
            format!("{url}?{password}=1"),
            url.replace(password, &format!("{password}/x")),
        ];
        for (at, toml) in asked.iter().enumerate() {
            let config = configured(folder.path(), toml);
            for (nth, url) in broken.iter().enumerate().filter(|(nth, _)| at == 0 || *nth == 0) {
                let record = folder.path().join("record.jsonl").display().to_string();
                let recording = ["--record", &record, "--method", "exact"];
                let modes: &[&[&str]] = if nth == 0 {
                    &[&[], &["--format", "json"], &["--plan"], &["--grants"], &recording]
                } else {
                    &[&[]]
                };
                for mode in modes {
                    let output = Command::new(env!("CARGO_BIN_EXE_tokendrift"))
                        .args(["probe", "--config", &config])
                        .args(*mode)
                        .env("TOKENDRIFT_DATABASE_URL", url)
                        .env("RUST_LOG", "trace")
                        .env("RUST_BACKTRACE", "full")
                        .output()
                        .expect("the binary runs");
                    let printed = [output.stdout, output.stderr].concat();
                    let printed = String::from_utf8_lossy(&printed);
                    assert!(!printed.contains("panicked"), "{printed}");
                    assert!(!printed.contains(password), "{mode:?} {nth}: {printed}");
                    assert!(!printed.contains(CANARY), "{mode:?} {nth}: {printed}");
                    runs += 1;
                }
            }
        }
    }
    assert!(runs > 40, "{runs}");
    let recorded = std::fs::read_to_string(folder.path().join("record.jsonl")).expect("the record");
    assert!(recorded.lines().count() > 1 && !recorded.contains(CANARY) && !recorded.contains(password), "{recorded}");
}

#[test]
fn a_role_with_every_right_writes_nothing() {
    let Some(servers) = servers() else { return };
    let _alone = QUIET.write().unwrap_or_else(PoisonError::into_inner);
    let (url, admin) = (servers.get("PG_PRIMARY"), servers.get("PG_ADMIN"));
    run_sql(
        url,
        "CREATE TABLE calm (id serial PRIMARY KEY, access_token text);
         INSERT INTO calm (access_token) SELECT CASE WHEN n % 2 = 0 THEN 'x' || n END FROM generate_series(1, 5000) n;
         CREATE TABLE calm_log (at timestamptz);
         CREATE FUNCTION calm_write() RETURNS text LANGUAGE sql VOLATILE AS 'INSERT INTO calm_log VALUES (now()) RETURNING NULL';
         CREATE VIEW calm_trap AS SELECT id, calm_write() AS access_token FROM calm;",
    );
    let checksum = "SELECT md5(string_agg(calm::text, ',' ORDER BY id)) FROM calm";
    let before = value(url, checksum);
    let quiet = (0..5).any(|_| {
        // The server itself notes its running transactions now and then.
        let start = value(admin, "SELECT pg_current_wal_insert_lsn()::text");
        assert_eq!(counted(&column("calm"), url, &[])["nulls"], 2500);
        value(admin, "SELECT pg_current_wal_insert_lsn()::text") == start
    });
    assert!(quiet, "the probe made the server write to its log");
    assert_eq!(value(url, checksum), before);
    // A view that writes when it is read cannot.
    failure(&column("calm_trap"), url);
    assert_eq!(value(url, "SELECT count(*)::text FROM calm_log"), "0");
}

#[test]
fn tables_of_every_kind_are_counted() {
    let Some((servers, _guard)) = shared() else { return };
    let url = servers.get("PG_PRIMARY");
    run_sql(
        url,
        "CREATE TABLE \"Odd Names\" (id serial, access_token text); INSERT INTO \"Odd Names\" (access_token) VALUES (NULL), ('x');
         CREATE SCHEMA side; CREATE TABLE side.placed (access_token text); CREATE TABLE placed (access_token text);
         INSERT INTO side.placed VALUES (NULL), (NULL), ('x');
         CREATE TABLE parts (id int, access_token text) PARTITION BY RANGE (id);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
         INSERT INTO parts SELECT n, CASE WHEN n < 5 THEN 'x' END FROM generate_series(0, 19) n;
         CREATE TABLE parent (access_token text); CREATE TABLE child (more int) INHERITS (parent);
         INSERT INTO parent VALUES (NULL); INSERT INTO child VALUES ('x', 1), (NULL, 2);
         CREATE VIEW seen AS SELECT access_token FROM parts; CREATE MATERIALIZED VIEW stored AS SELECT access_token FROM parts;
         CREATE TABLE typed_bytea (access_token bytea); INSERT INTO typed_bytea VALUES (NULL), (''), ('\\xff00'), ('\\x24326224');
         CREATE TABLE typed_json (access_token json); INSERT INTO typed_json VALUES (NULL), ('\"\"'), ('\"null\"'), ('{}');
         CREATE TABLE typed_uuid (access_token uuid); INSERT INTO typed_uuid VALUES (NULL), (gen_random_uuid());
         CREATE TABLE nothing (access_token text);",
    );
    for (table, figures) in [
        ("\"Odd Names\"", [2, 1, 0]),
        ("side.placed", [3, 2, 0]),
        ("public.placed", [0, 0, 0]),
        ("parts", [20, 15, 0]),
        ("parent", [3, 2, 0]),
        ("seen", [20, 15, 0]),
        ("stored", [20, 15, 0]),
        ("typed_bytea", [4, 1, 1]),
        ("typed_json", [4, 1, 1]),
        ("typed_uuid", [2, 1, 0]),
        ("nothing", [0, 0, 0]),
    ] {
        let live = counted(&column(table), url, &[]);
        let found = ["rows", "nulls", "empty"].map(|key| live[key].as_u64().unwrap_or(99));
        assert_eq!(found, figures, "{table}: {live}");
    }
}

#[test]
fn a_table_of_millions_is_decided_by_statistics_or_a_sample_and_counted_in_chunks() {
    let Some((servers, _guard)) = shared() else { return };
    let (pg, maria) = (servers.get("PG_PRIMARY"), servers.get("MARIADB"));
    run_sql(
        pg,
        "CREATE TABLE big (id bigserial PRIMARY KEY, access_token text, client text, device uuid DEFAULT gen_random_uuid());
         INSERT INTO big (access_token, client) SELECT CASE WHEN n % 7 > 1 OR n < 300000 THEN 'x' || n END,
           CASE WHEN n % 7 = 0 THEN 'web' ELSE 'app' END FROM generate_series(1, 1000000) n;
         CREATE TABLE big_keyless AS SELECT access_token, client FROM big WHERE id <= 400000; ANALYZE big_keyless;",
    );
    // In a transaction of its own: the server notes changes at the end of one.
    run_sql(pg, "ANALYZE big");
    run_sql(
        maria,
        "CREATE TABLE big (id bigint AUTO_INCREMENT PRIMARY KEY, access_token text, client varchar(9));
         INSERT INTO big (access_token, client) SELECT CASE WHEN seq % 7 > 1 OR seq < 300000 THEN CONCAT('x', seq) END,
           CASE WHEN seq % 7 = 0 THEN 'web' ELSE 'app' END FROM seq_1_to_500000;
         ANALYZE TABLE big;",
    );
    // Other tests keep the machine busy.
    let budget = "[[database]]\nname = \"r\"\nurl-env = \"R\"\nbudget = \"5m\"\n";
    let toml = format!("{}{COHORT}{budget}", column("big"));
    for (url, rows) in [(pg, 1_000_000_u64), (maria, 500_000)] {
        let truth = (300_000..=rows).filter(|n| n % 7 <= 1).count() as u64;
        let start = Instant::now();
        let sample = counted(&toml, url, &[]);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(sample["method"], "sample", "{sample}");
        assert!(sample["rows"].as_u64().is_some_and(|seen| seen < rows / 10), "{sample}");
        let bound = |at: usize| sample["interval"][at].as_f64().unwrap_or(9.0);
        let share = f64::from(u32::try_from(truth).expect("small")) / f64::from(u32::try_from(rows).expect("small"));
        assert!(bound(0) <= share && share <= bound(1), "{share} {sample}");
        let exact = counted(&toml, url, &["--method", "exact"]);
        assert_eq!((exact["rows"].as_u64(), exact["nulls"].as_u64()), (Some(rows), Some(truth)), "{exact}");
        assert_eq!(exact["method"], "exact");
        assert!(exact["statements"].as_u64().is_some_and(|chunks| chunks > 2), "{exact}");
    }
    // '' is no token either, and only what is mostly NULL, or cannot be '', is settled without a look.
    assert_eq!(counted(&column("big"), pg, &[])["method"], "sample");
    let start = Instant::now();
    let statistics = counted(&column("big").replace("access_token", "device"), pg, &[]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(statistics["method"], "statistics", "{statistics}");
    assert_eq!(statistics["empty"], serde_json::Value::Null, "{statistics}");
    let keyless = counted(&column("big_keyless"), pg, &["--method", "exact"]);
    assert_eq!(keyless["rows"], 400_000, "{keyless}");
    let plan = probe(&toml, pg, &["--plan"]);
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    for wanted in ["TABLESAMPLE SYSTEM", "BETWEEN", "(cost "] {
        assert!(plan.stdout.contains(wanted), "{wanted}: {}", plan.stdout);
    }
}

#[test]
fn a_plan_looks_at_no_row() {
    let Some((servers, _guard)) = shared() else { return };
    slow_view(servers, "slow_plan");
    let start = Instant::now();
    let run = probe(&column("slow_plan"), servers.get("PG_PRIMARY"), &["--plan"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(run.stdout.contains("slow_plan, all rows at once (cost "), "{}", run.stdout);
}

#[test]
fn tls_is_as_strict_as_the_url_says() {
    let Some((servers, _guard)) = shared() else { return };
    let authority = servers.get("SERVERS_CA");
    for url in [servers.get("PG_PRIMARY"), servers.get("MARIADB")] {
        let with = |query: &str| failure(&column("no_such_table_at_all"), &format!("{url}?{query}"));
        for good in ["sslmode=require".to_owned(), format!("sslmode=verify-full&sslrootcert={authority}")] {
            let why = with(&good);
            assert!(why.contains("has no table"), "{good}: {why}");
        }
        for bad in ["sslmode=verify-full", "sslmode=verify-ca&sslrootcert=/nowhere"] {
            let why = with(bad);
            assert!(!why.contains("has no table"), "{bad}: {why}");
        }
    }
}

#[test]
fn text_that_is_not_utf_8_is_counted() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_ADMIN"),
        "CREATE DATABASE ascii OWNER app ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    let url = format!("{}ascii", servers.get("PG_PRIMARY").trim_end_matches("app"));
    run_sql(
        &url,
        "CREATE TABLE users (access_token text, client text);
         INSERT INTO users SELECT E'tok\\xff\\xfe', E'w\\xe9b' FROM generate_series(1, 30);",
    );
    let live = counted(&format!("{}{COHORT}", column("users")), &url, &[]);
    assert_eq!((&live["rows"], &live["cohorts"][0]["value"]), (&30.into(), &"w\u{fffd}b".into()), "{live}");
}
