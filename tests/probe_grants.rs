//! The view of `--grants`: what a role that may read nothing else is told.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};

use crate::probes::{CANARY, COHORT, column, counted, failure, probe, run_sql, shared};
use crate::servers::Servers;

/// Runs what `--grants` prints, twice, and gives the URL of the role that it makes.
fn granted(servers: &Servers, toml: &str, server: &str) -> String {
    let (url, admin) =
        (servers.get(server), servers.get(if server == "MARIADB" { "MARIADB_ADMIN" } else { "PG_ADMIN" }));
    let sql = probe(toml, url, &["--grants"]);
    assert_eq!(sql.code, 0, "{}", sql.stderr);
    for _ in 0..2 {
        run_sql(admin, &sql.stdout);
    }
    let password = if server == "MARIADB" {
        "ALTER USER tokendrift_probe@'%' IDENTIFIED BY 'p' ACCOUNT UNLOCK"
    } else {
        "ALTER ROLE tokendrift_probe PASSWORD 'p'"
    };
    run_sql(admin, password);
    url.replace(&format!("app:{}", servers.get("PASSWORD")), "tokendrift_probe:p")
}

#[test]
fn the_granted_view_gives_the_figures_and_no_token() {
    let Some((servers, _guard)) = shared() else { return };
    let table = format!(
        "CREATE TABLE granted (id integer PRIMARY KEY, access_token text, \"signupClient\" text);
         INSERT INTO granted SELECT n, CASE WHEN n % 2 = 0 THEN concat('{CANARY}', n) WHEN n = 1 THEN '' WHEN n = 3 THEN 'null'
           WHEN n < 10 THEN 'eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.c2ln' END, 'web' FROM SERIES;"
    );
    run_sql(servers.get("PG_PRIMARY"), &table.replace("SERIES", "generate_series(1, 100) n"));
    run_sql(
        servers.get("MARIADB"),
        &table.replace("SERIES", "(SELECT seq AS n FROM seq_1_to_100) s").replace('"', "`"),
    );
    let toml = format!("{}{}", column("granted"), COHORT.replace("by = \"client\"", "by = \"signupclient\""));
    for server in ["PG_PRIMARY", "MARIADB"] {
        let role = granted(servers, &toml, server);
        let (direct, live) = (counted(&toml, servers.get(server), &[]), counted(&toml, &role, &[]));
        assert_eq!((&live["rows"], &live["nulls"]), (&100.into(), &45.into()), "{live}");
        for same in ["rows", "nulls", "empty", "null_text", "shapes", "cohorts"] {
            assert_eq!(live[same], direct[same], "{server}, {same}");
        }
        let read = AssertSqlSafe("SELECT access_token FROM granted".to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let denied = runtime.block_on(async {
            if server == "MARIADB" {
                MySqlConnection::connect(&role).await?.execute(sqlx::raw_sql(read)).await.map(|_| ())
            } else {
                PgConnection::connect(&role).await?.execute(sqlx::raw_sql(read)).await.map(|_| ())
            }
        });
        assert!(denied.is_err(), "the role reads tokens");
    }
}

#[test]
fn the_view_tells_whose_user_is_gone_or_inactive() {
    let Some((servers, _guard)) = shared() else { return };
    let tables = "CREATE TABLE view_users (id integer PRIMARY KEY, is_active boolean);
         INSERT INTO view_users VALUES (1, true), (2, false);
         CREATE TABLE view_tokens (id integer PRIMARY KEY, user_id integer, access_token varchar(99));
         INSERT INTO view_tokens VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 2, 'c'), (4, 99, 'd'), (5, 2, NULL);";
    // Both tables have an `id`.
    let cohort = "[[column.cohort]]\nname = \"odd\"\nby = \"mod(id, 2)\"\n";
    let with = format!("{}[column.user]\ntable = \"view_users\"\nby = \"user_id\"\n{cohort}", column("view_tokens"));
    for server in ["PG_PRIMARY", "MARIADB"] {
        run_sql(servers.get(server), tables);
        let role = granted(servers, &with, server);
        let orphans =
            |live: &Value| ["tokens", "gone", "inactive"].map(|key| live["orphans"][key].as_u64().unwrap_or(99));
        let live = counted(&with, &role, &[]);
        assert_eq!(
            (orphans(&live), live["orphans"]["users"].as_str()),
            ([4, 1, 2], Some("view_users")),
            "{server}: {live}"
        );
        // A view that was made without: what the configuration asks for is owed.
        run_sql(servers.get(server), "CREATE TABLE bare_tokens AS SELECT * FROM view_tokens;");
        let role = granted(servers, &column("bare_tokens"), server);
        let owed = probe(&with.replace("view_tokens", "bare_tokens"), &role, &["--format", "json", "--quiet"]);
        assert_eq!(owed.code, 3, "{}", owed.stdout);
    }
}

#[test]
fn a_big_table_is_counted_through_its_view() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE granted_big (id bigserial PRIMARY KEY, access_token text);
         INSERT INTO granted_big (access_token) SELECT CASE WHEN n % 3 > 0 THEN 'eyJhbGciOiJub25lIn0.' || repeat('eyJleHAiOjEw', 12) || '.' || n END
           FROM generate_series(1, 300000) n; ANALYZE granted_big;",
    );
    let role = granted(servers, &column("granted_big"), "PG_PRIMARY");
    let live = counted(&column("granted_big"), &role, &[]);
    assert_eq!((&live["rows"], &live["nulls"]), (&300_000.into(), &100_000.into()), "{live}");
}

#[test]
fn a_view_answers_for_its_own_schema_alone() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_ADMIN"),
        "CREATE SCHEMA auth AUTHORIZATION app; CREATE TABLE auth.twins AS SELECT n AS id, NULL::text AS access_token FROM generate_series(1, 200) n;
         CREATE TABLE public.twins AS SELECT n AS id, 'x' AS access_token FROM generate_series(1, 100) n;
         ALTER TABLE auth.twins OWNER TO app; ALTER TABLE public.twins OWNER TO app;",
    );
    let role = granted(servers, &column("auth.twins"), "PG_PRIMARY");
    assert_eq!(counted(&column("auth.twins"), &role, &[])["nulls"], 200);
    let why = failure(&column("public.twins"), &role);
    assert!(why.contains("permission"), "{why}");
}

#[test]
fn sqlite_has_nothing_to_grant() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("a.db").display());
    run_sql(&format!("{url}?mode=rwc"), "CREATE TABLE users (id integer PRIMARY KEY, access_token text);");
    let run = probe(&column("users"), &url, &["--grants"]);
    assert!(run.code != 0 && run.stdout.is_empty(), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("no roles"), "{}", run.stderr);
}
