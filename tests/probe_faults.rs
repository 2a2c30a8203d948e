//! What goes wrong with real servers, and what must not go on there.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};

use crate::probes::{QUIET, column, configured, counted, failure, probe, replayed, run_sql, shared, value};
use crate::servers::{Servers, servers};

#[test]
fn a_spent_budget_ends_the_statement_on_the_server_too() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_PRIMARY"),
        "CREATE VIEW slow_budget AS SELECT n, CASE WHEN pg_sleep(0.2) IS NULL THEN 'x' END AS access_token
         FROM generate_series(1, 1000) n",
    );
    run_sql(
        servers.get("MARIADB"),
        "CREATE VIEW slow_budget AS SELECT seq, IF(SLEEP(0.2) = 0, 'x', NULL) AS access_token FROM seq_1_to_1000",
    );
    let toml = format!("{}[[database]]\nname = \"r\"\nurl-env = \"R\"\nbudget = \"1s\"\n", column("slow_budget"));
    for server in ["PG_PRIMARY", "PG_POOLER", "MARIADB"] {
        let start = Instant::now();
        let why = failure(&toml, servers.get(server));
        assert!(start.elapsed() < Duration::from_secs(15), "{server}: {:?}", start.elapsed());
        assert!(why.contains("not counted within 1 s; out of time"), "{server}: {why}");
    }
    no_statement_runs(servers, "slow_budget");
}

fn no_statement_runs(servers: &Servers, name: &str) {
    let running = format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{name}%' AND pid <> pg_backend_pid()"
    );
    let start = Instant::now();
    while value(servers.get("PG_ADMIN"), &running) != "0" {
        assert!(start.elapsed() < Duration::from_secs(10), "the server goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts a probe, and waits until the server works for it.
fn started(servers: &Servers, url: &str, table: &str, folder: &Path) -> std::process::Child {
    let config = configured(folder, &column(table));
    let child = Command::new(env!("CARGO_BIN_EXE_tokendrift"))
        .args(["probe", "--config", &config, "--database-url", url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let running = format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE application_name LIKE 'tokendrift/%' AND state = 'active' \
         AND query LIKE '%{table}%' AND query LIKE '%count(*)%'"
    );
    let start = Instant::now();
    while value(servers.get("PG_ADMIN"), &running) == "0" {
        assert!(start.elapsed() < Duration::from_secs(20), "no session shows the program's name");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

pub(crate) fn slow_view(servers: &Servers, name: &str) {
    run_sql(
        servers.get("PG_PRIMARY"),
        &format!(
            "CREATE VIEW {name} AS SELECT n, CASE WHEN pg_sleep(0.1) IS NULL THEN 'x' END AS access_token \
             FROM generate_series(1, 1000) n"
        ),
    );
}

#[test]
fn an_interrupt_ends_the_statement_on_the_server_too() {
    let Some((servers, _guard)) = shared() else { return };
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let name = format!("slow{}", signal.to_lowercase().replace('-', "_"));
        slow_view(servers, &name);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let child = started(servers, servers.get("PG_PRIMARY"), &name, folder.path());
        let start = Instant::now();
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let output = child.wait_with_output().expect("it ends");
        assert!(start.elapsed() < Duration::from_secs(15));
        assert_eq!(output.status.code(), Some(code));
        no_statement_runs(servers, &name);
    }
}

#[test]
fn a_connection_that_is_lost_leaves_the_run_incomplete() {
    let Some((servers, _guard)) = shared() else { return };
    slow_view(servers, "slow_lost");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = started(servers, servers.get("PG_PRIMARY"), "slow_lost", folder.path());
    value(
        servers.get("PG_ADMIN"),
        "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity WHERE query LIKE '%slow_lost%' \
         AND application_name LIKE 'tokendrift/%'",
    );
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("connection was lost"), "{stderr}");
}

/// Waits until the standby answers.
fn answers(servers: &Servers) {
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    while runtime.block_on(PgConnection::connect(servers.get("PG_STANDBY_ADMIN"))).is_err() {
        assert!(start.elapsed() < Duration::from_secs(30), "the standby does not come back");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_server_that_restarts_leaves_the_run_incomplete_and_the_next_one_whole() {
    let Some(servers) = servers() else { return };
    let _alone = QUIET.write().unwrap_or_else(PoisonError::into_inner);
    slow_view(servers, "slow_restart");
    run_sql(servers.get("PG_PRIMARY"), "CREATE TABLE after_restart (id serial PRIMARY KEY, access_token text)");
    replayed(servers);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = configured(folder.path(), &column("slow_restart"));
    let child = Command::new(env!("CARGO_BIN_EXE_tokendrift"))
        .args(["probe", "--config", &config, "--database-url", servers.get("PG_STANDBY")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let running = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name LIKE 'tokendrift/%' AND state = 'active' \
                   AND query LIKE '%slow_restart%' AND query LIKE '%count(*)%'";
    let start = Instant::now();
    while value(servers.get("PG_STANDBY_ADMIN"), running) == "0" {
        assert!(start.elapsed() < Duration::from_secs(20), "the probe does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let mut restart = Command::new(if is_root { "runuser" } else { "env" });
    restart.args(if is_root { &["-u", "postgres", "--"][..] } else { &[] });
    let pg_ctl = format!("{}/pg_ctl", servers.get("PG_BIN"));
    restart.args([pg_ctl.as_str(), "-D", servers.get("PG_STANDBY_DATA"), "-m", "fast", "-w", "restart"]);
    let done = restart.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(done.expect("pg_ctl runs").success());
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("connection was lost"), "{stderr}");
    answers(servers);
    assert_eq!(counted(&column("after_restart"), servers.get("PG_STANDBY"), &[])["rows"], 0);
}

#[test]
fn a_mariadb_connection_that_is_killed_leaves_the_run_incomplete() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("MARIADB"),
        "CREATE VIEW slow_killed AS SELECT seq, IF(SLEEP(0.2) = 0, 'x', NULL) AS access_token FROM seq_1_to_1000",
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = configured(folder.path(), &column("slow_killed"));
    let child = Command::new(env!("CARGO_BIN_EXE_tokendrift"))
        .args(["probe", "--config", &config, "--database-url", servers.get("MARIADB")])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let find = "BEGIN NOT ATOMIC DECLARE thread bigint; DECLARE tries int DEFAULT 0; REPEAT SET tries = tries + 1; DO SLEEP(0.05);
          SET thread = (SELECT max(id) FROM information_schema.processlist WHERE info LIKE '/* tokendrift/% */ SELECT count(*)%slow_killed%');
        UNTIL thread IS NOT NULL OR tries > 400 END REPEAT; KILL CONNECTION thread; END";
    run_sql(servers.get("MARIADB_ADMIN"), find);
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("connection was lost"), "{stderr}");
}

#[test]
fn names_in_mixed_case_and_tables_without_any_right_are_told_apart() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_PRIMARY"),
        "CREATE SCHEMA \"Side\"; CREATE TABLE \"Side\".\"MixedUsers\" (id serial, \"accessToken\" text);
         INSERT INTO \"Side\".\"MixedUsers\" (\"accessToken\") VALUES (NULL), ('x');
         CREATE TABLE mixedusers (accesstoken text);",
    );
    run_sql(
        servers.get("MARIADB"),
        "CREATE TABLE MixedUsers (id int, `accessToken` varchar(9)); INSERT INTO MixedUsers VALUES (1, NULL), (2, 'x')",
    );
    let of = |table: &str| column(table).replace("access_token", "accessToken");
    for (server, table) in [
        ("PG_PRIMARY", "\"MixedUsers\""),
        ("PG_PRIMARY", "Side.MixedUsers"),
        ("MARIADB", "MixedUsers"),
        ("MARIADB", "app.MixedUsers"),
    ] {
        let live = counted(&of(table), servers.get(server), &[]);
        assert_eq!((&live["rows"], &live["nulls"]), (&2.into(), &1.into()), "{server} {table}: {live}");
    }
    run_sql(
        servers.get("PG_ADMIN"),
        "CREATE TABLE told_closed (id serial, access_token text); REVOKE ALL ON told_closed FROM app;",
    );
    run_sql(
        servers.get("MARIADB_ADMIN"),
        "CREATE DATABASE closed; CREATE TABLE closed.told_closed (id int, access_token text);",
    );
    let why = failure(&column("told_closed"), servers.get("PG_PRIMARY"));
    assert!(why.contains("no permission to read"), "{why}");
    // What a user may not read at all is not there for it.
    let why = failure(&column("closed.told_closed"), servers.get("MARIADB"));
    assert!(why.contains("has no table") || why.contains("no permission"), "{why}");
}

#[test]
fn among_ten_thousand_tables_one_is_found_at_once_and_a_missing_one_is_told_with_the_closest() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(servers.get("PG_ADMIN"), "CREATE DATABASE many OWNER app");
    let many = format!("{}many", servers.get("PG_PRIMARY").trim_end_matches("app"));
    // A transaction holds only so many locks.
    for thousand in 0..10 {
        let create = format!(
            "DO $$ BEGIN FOR n IN 1..1000 LOOP EXECUTE format('CREATE TABLE t_%s (n int)', {thousand} * 1000 + n); END LOOP; END $$"
        );
        run_sql(&many, &create);
    }
    run_sql(&many, "CREATE TABLE users (id serial PRIMARY KEY, access_token text); INSERT INTO users VALUES (1, NULL)");
    let start = Instant::now();
    assert_eq!(counted(&column("users"), &many, &[])["nulls"], 1);
    let why = failure(&column("usres"), &many);
    assert!(why.contains("`users`"), "{why}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    run_sql(servers.get("PG_ADMIN"), "DROP DATABASE many");
}

/// On a terminal, which `script` gives it: the bar says the table, the rows, how many a second, and how long it will take.
#[test]
fn a_long_count_shows_its_progress_on_a_terminal_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("long.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let url = format!("sqlite:{}?mode=rwc", file.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("the database opens");
        let sql = "CREATE TABLE long_count (id INTEGER PRIMARY KEY, access_token TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
            INSERT INTO long_count SELECT i, CASE WHEN i % 3 = 0 THEN 'x' || i END FROM n";
        connection.execute(sqlx::raw_sql(sql)).await.expect("the rows");
        connection.close().await.expect("it closes");
    });
    let config = configured(folder.path(), &column("long_count"));
    let command = format!(
        "{} probe --config {config} --method exact --database-url sqlite:{}",
        env!("CARGO_BIN_EXE_tokendrift"),
        file.display()
    );
    let script = |command: &str| {
        let output = Command::new("script")
            .args(["-qec", command, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .output();
        String::from_utf8_lossy(&output.expect("script runs").stdout).into_owned()
    };
    let shown = script(&format!("stty cols 140; {command}"));
    for wanted in ["long_count", " of about 1,000,000 rows, ", "/s, ", " left"] {
        assert!(shown.contains(wanted), "{wanted}: {shown:?}");
    }
    assert!(shown.contains("666667 NULL"), "{shown:?}");
    let piped = Command::new("sh").args(["-c", &command]).output().expect("sh runs");
    assert!(!String::from_utf8_lossy(&piped.stderr).contains("left"), "{:?}", piped.stderr);
}

#[test]
fn a_policy_that_hides_rows_leaves_the_run_incomplete() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_PRIMARY"),
        "CREATE TABLE tenants (id serial PRIMARY KEY, access_token text, tenant text);
         INSERT INTO tenants (access_token, tenant) SELECT 'x', 'a' FROM generate_series(1, 30);
         ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
         ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON tenants USING (tenant = current_setting('app.tenant', true))",
    );
    let why = failure(&column("tenants"), servers.get("PG_PRIMARY"));
    assert!(why.contains("row-level security hides rows from this role"), "{why}");
    assert_eq!(counted(&column("tenants"), servers.get("PG_ADMIN"), &[])["rows"], 30);
}

#[test]
fn a_standby_that_cancels_again_and_again_leaves_the_run_incomplete() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_PRIMARY"),
        "CREATE TABLE busy (id serial PRIMARY KEY, n int); INSERT INTO busy (n) SELECT 0 FROM generate_series(1, 1000);
         CREATE VIEW slow_standby AS SELECT id, CASE WHEN pg_sleep(0.05) IS NULL THEN 'x' END AS access_token FROM busy;",
    );
    replayed(servers);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = configured(folder.path(), &column("slow_standby"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_tokendrift"))
        .args(["probe", "--config", &config, "--database-url", servers.get("PG_STANDBY"), "--require-replica"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let start = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        assert!(start.elapsed() < Duration::from_secs(50), "it does not end");
        run_sql(servers.get("PG_PRIMARY"), "UPDATE busy SET n = n + 1");
        run_sql(servers.get("PG_PRIMARY"), "VACUUM busy");
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("standby cancelled the statement"), "{stderr}");
}

#[test]
fn a_primary_is_refused_where_a_replica_is_required_and_warned_of_otherwise() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(servers.get("PG_PRIMARY"), "CREATE TABLE primary_only (id serial, access_token text)");
    let toml = format!(
        "{}[[database]]\nname = \"replica\"\nurl-env = \"R\"\nrequire-replica = true\n",
        column("primary_only")
    );
    for server in ["PG_PRIMARY", "MARIADB"] {
        assert!(failure(&toml, servers.get(server)).contains("require-replica"), "{server}");
    }
    replayed(servers);
    assert_eq!(counted(&toml, servers.get("PG_STANDBY"), &[])["rows"], 0);
    let warned = probe(&column("primary_only"), servers.get("PG_PRIMARY"), &[]);
    assert!(warned.stderr.contains("takes writes"), "{}", warned.stderr);
}

#[test]
fn what_is_missing_or_forbidden_is_told_with_what_there_is() {
    let Some((servers, _guard)) = shared() else { return };
    let url = servers.get("PG_PRIMARY");
    run_sql(url, "CREATE TABLE told_users (id serial, acces_token text, access_token_ text)");
    run_sql(
        servers.get("PG_ADMIN"),
        "CREATE TABLE told_forbidden (id serial, access_token text); GRANT SELECT (id) ON told_forbidden TO app;",
    );
    run_sql(servers.get("MARIADB"), "CREATE TABLE told_users (id int, acces_token text)");
    for url in [url, servers.get("MARIADB")] {
        for (table, hint) in [("told_user", "`told_users`"), ("told_users", "did you mean `acces")] {
            let why = failure(&column(table), url);
            assert!(why.contains(hint), "{why}");
        }
    }
    let why = failure(&column("told_forbidden"), url);
    assert!(why.contains("no permission to read column `access_token`"), "{why}");
    let locked = failure_while_locked(servers);
    assert!(locked.contains("lock of another session"), "{locked}");
}

fn failure_while_locked(servers: &Servers) -> String {
    run_sql(servers.get("PG_PRIMARY"), "CREATE TABLE told_locked (access_token text)");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut holder = runtime.block_on(PgConnection::connect(servers.get("PG_PRIMARY"))).expect("a connection");
    runtime.block_on(holder.execute("BEGIN; LOCK told_locked IN ACCESS EXCLUSIVE MODE")).expect("the lock");
    failure(&column("told_locked"), servers.get("PG_PRIMARY"))
}

#[test]
fn a_database_that_is_down_costs_the_others_nothing() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_PRIMARY"),
        "CREATE TABLE pair (id serial, access_token text); INSERT INTO pair VALUES (1, NULL)",
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let toml = format!(
        "{}[[database]]\nname = \"down\"\nurl-env = \"DOWN_URL\"\n[[database]]\nname = \"up\"\nurl-env = \"UP_URL\"\n",
        column("pair")
    );
    let config = configured(folder.path(), &toml);
    let output = Command::new(env!("CARGO_BIN_EXE_tokendrift"))
        .args(["probe", "--config", &config, "--format", "json"])
        .env("DOWN_URL", "postgres://app:x@127.0.0.1:1/app")
        .env("UP_URL", servers.get("PG_PRIMARY"))
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["columns"][0]["database"], "down");
    assert!(report["columns"][0]["live_error"].as_str().is_some_and(|why| why.contains("no connection")), "{report}");
    assert_eq!(report["columns"][1]["live"]["nulls"], 1);
}
