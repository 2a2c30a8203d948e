//! Tables whose rows lie unevenly, rights that are narrow, and troubles that are one table's own.

use serde_json::Value;

use crate::command::tokendrift_with;
use crate::probes::{column, configured, counted, failure, probe, replayed, run_sql, shared};

/// The share without a token, at least and at most.
fn interval(live: &Value) -> [f64; 2] {
    [0, 1].map(|end| live["interval"][end].as_f64().unwrap_or_else(|| panic!("{live}")))
}

#[test]
fn keys_that_lie_dense_in_one_stretch_are_not_left_out() {
    let Some((servers, _guard)) = shared() else { return };
    let maria = servers.get("MARIADB");
    run_sql(
        maria,
        "CREATE TABLE tenants (tenant_id int, user_id int, access_token varchar(40), PRIMARY KEY (tenant_id, user_id));
         INSERT INTO tenants SELECT seq % 5000, seq, concat('t', seq) FROM seq_1_to_30000;
         INSERT INTO tenants SELECT 1234, 100000 + seq, NULL FROM seq_1_to_120000;
         CREATE TABLE two_generators (id bigint PRIMARY KEY, access_token char(36));
         INSERT INTO two_generators SELECT seq, NULL FROM seq_1_to_120000;
         INSERT INTO two_generators SELECT ((seq * 2600000) << 22) + (seq % 4096), uuid() FROM seq_1_to_30000;
         CREATE TABLE two_crowds (id bigint PRIMARY KEY, access_token char(36));
         INSERT INTO two_crowds SELECT 1000000000 + seq, uuid() FROM seq_1_to_60000;
         INSERT INTO two_crowds SELECT 2003000000 + seq, NULL FROM seq_1_to_60000;
         INSERT INTO two_crowds SELECT seq * 100000, uuid() FROM seq_1_to_30000;
         ANALYZE TABLE tenants, two_generators, two_crowds;",
    );
    for (table, truth) in [("tenants", 0.8), ("two_generators", 0.8), ("two_crowds", 0.4)] {
        let live = counted(&column(table), maria, &[]);
        let [low, high] = interval(&live);
        assert!(low <= truth && high >= truth, "{table}: {live}");
        let drawn = probe(&column(table), maria, &["--method", "sample", "--format", "json", "--quiet"]);
        if table == "tenants" {
            assert!(drawn.code == 3, "one key of several columns: {}", drawn.stdout);
            continue;
        }
        let [low, high] = interval(&drawn.report()["columns"][0]["live"]);
        assert!(low <= truth && high >= truth, "{table}, drawn: {}", drawn.stdout);
    }
}

#[test]
fn ordinary_keys_have_a_sample_that_decides() {
    let Some((servers, _guard)) = shared() else { return };
    let maria = servers.get("MARIADB");
    run_sql(
        maria,
        "CREATE TABLE ordinary (id bigint AUTO_INCREMENT PRIMARY KEY, access_token char(36));
         INSERT INTO ordinary (access_token) SELECT CASE WHEN seq % 10 = 0 THEN uuid() END FROM seq_1_to_200000;
         DELETE FROM ordinary WHERE id % 7 = 3; ANALYZE TABLE ordinary;",
    );
    let live = counted(&column("ordinary"), maria, &[]);
    assert_eq!(live["method"], "sample", "{live}");
    let [low, high] = interval(&live);
    assert!(low <= 0.9 && high >= 0.9, "{live}");
}

#[test]
fn a_sqlite_table_with_deleted_rows_is_counted_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("purged.db").display());
    run_sql(
        &format!("{url}?mode=rwc"),
        "CREATE TABLE sessions (id integer PRIMARY KEY AUTOINCREMENT, access_token text);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO sessions SELECT i, 't' || i FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000) INSERT INTO sessions SELECT 99000000 + i, NULL FROM n;",
    );
    let live = counted(&column("sessions"), &url, &[]);
    assert_eq!(
        (&live["rows"], &live["nulls"], &live["table_rows"]),
        (&150_000.into(), &120_000.into(), &150_000.into())
    );
    let drawn = probe(&column("sessions"), &url, &["--method", "sample"]);
    assert!(drawn.code == 3 && drawn.stderr.contains("wide gaps"), "{}{}", drawn.stdout, drawn.stderr);
}

#[test]
fn cohorts_are_told_apart_by_every_letter() {
    let Some((servers, _guard)) = shared() else { return };
    let rows = "INSERT INTO spelt SELECT n, CASE WHEN n <= 100 THEN 'x' END, CASE WHEN n <= 5 THEN 'WEB' WHEN n <= 100 THEN 'web' WHEN n <= 130 THEN 'Mobile' ELSE 'mobile' END FROM SERIES";
    let toml = format!(
        "{}[[column.cohort]]\nname = \"client\"\nby = \"client\"\npath.web = \"web\"\npath.WEB = \"web\"\n",
        column("spelt")
    );
    for (server, kind, series) in [
        ("PG_PRIMARY", "text COLLATE spelt_ci", "generate_series(1, 200) n"),
        ("MARIADB", "varchar(20) COLLATE utf8mb4_general_ci", "(SELECT seq AS n FROM seq_1_to_200) s"),
    ] {
        let url = servers.get(server);
        if server == "PG_PRIMARY" {
            run_sql(
                url,
                "CREATE COLLATION spelt_ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            );
        }
        run_sql(url, &format!("CREATE TABLE spelt (id int PRIMARY KEY, access_token varchar(9), client {kind})"));
        run_sql(url, &rows.replace("SERIES", series));
        let live = counted(&toml, url, &[]);
        let parts: Vec<(String, u64)> = live["cohorts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|part| (part["value"].as_str().unwrap_or("?").to_owned(), part["rows"].as_u64().unwrap_or(0)))
            .collect();
        for part in [("WEB", 5), ("web", 95), ("Mobile", 30), ("mobile", 70)] {
            assert!(parts.contains(&(part.0.to_owned(), part.1)), "{server}: {parts:?}");
        }
    }
}

#[test]
fn cohorts_of_bits_and_bytes_are_told_apart() {
    let Some((servers, _guard)) = shared() else { return };
    let maria = servers.get("MARIADB");
    run_sql(
        maria,
        "CREATE TABLE bits (id int PRIMARY KEY, access_token varchar(9), is_mobile bit(1), device varbinary(4));
         INSERT INTO bits SELECT seq, CASE WHEN seq <= 40 THEN 'x' END, seq > 40, CASE WHEN seq <= 40 THEN x'ff01' WHEN seq <= 70 THEN 'web' ELSE x'ff02' END FROM seq_1_to_100;",
    );
    for (by, wanted) in [("is_mobile", &["0", "1"][..]), ("device", &["FF01", "FF02", "web"])] {
        let live = counted(&format!("{}[[column.cohort]]\nname = \"c\"\nby = \"{by}\"\n", column("bits")), maria, &[]);
        let values: Vec<&str> =
            live["cohorts"].as_array().into_iter().flatten().filter_map(|part| part["value"].as_str()).collect();
        assert_eq!(values, wanted, "{live}");
    }
}

#[test]
fn rights_to_columns_are_enough() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_ADMIN"),
        "CREATE TABLE narrow_rights (id int, access_token text, secret text);
         INSERT INTO narrow_rights SELECT n, CASE WHEN n % 2 = 0 THEN 'x' END FROM generate_series(1, 150000) n; ANALYZE narrow_rights;
         CREATE ROLE narrow LOGIN PASSWORD 'p'; GRANT SELECT (id, access_token) ON narrow_rights TO narrow;",
    );
    let url = servers.get("PG_PRIMARY").replace(&format!("app:{}", servers.get("PASSWORD")), "narrow:p");
    let live = counted(&column("narrow_rights"), &url, &[]);
    assert_eq!((&live["rows"], &live["nulls"]), (&150_000.into(), &75_000.into()), "{live}");
}

#[test]
fn a_table_without_rows_on_a_standby_says_why() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_PRIMARY"),
        "CREATE UNLOGGED TABLE unlogged_tokens (id int PRIMARY KEY, access_token text); INSERT INTO unlogged_tokens VALUES (1, 'x');
         CREATE MATERIALIZED VIEW unfilled_tokens AS SELECT * FROM unlogged_tokens WITH NO DATA;",
    );
    replayed(servers);
    let why = failure(&column("unlogged_tokens"), servers.get("PG_STANDBY"));
    assert!(why.contains("unlogged table"), "{why}");
    let why = failure(&column("unfilled_tokens"), servers.get("PG_PRIMARY"));
    assert!(why.contains("REFRESH MATERIALIZED VIEW"), "{why}");
}

#[test]
fn domains_are_seen_through() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE DOMAIN token_domain AS text DEFAULT 'none' NOT NULL; CREATE DOMAIN text_bytes AS bytea;
         CREATE TYPE textstate AS ENUM ('a', 'b');
         CREATE TABLE domains (id int PRIMARY KEY, access_token token_domain, bytes text_bytes, state textstate, document jsonb);
         INSERT INTO domains VALUES (1, 'x', '', 'a', 'null'), (2, '', 'a', 'b', '\"t\"'), (3, 'y', NULL, NULL, NULL);",
    );
    let of = |name: &str| counted(&column("domains").replace("access_token", name), pg, &[]);
    let token = of("access_token");
    assert_eq!(
        (&token["declared"]["nullable"], &token["declared"]["has_default"]),
        (&false.into(), &true.into()),
        "{token}"
    );
    let bytes = of("bytes");
    assert_eq!((&bytes["nulls"], &bytes["empty"]), (&1.into(), &1.into()), "{bytes}");
    assert_eq!(of("state")["nulls"], 1);
    assert_eq!(of("document")["null_text"], 1);
}

#[test]
fn a_question_that_takes_too_long_costs_the_next_table_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("slow.db").display());
    run_sql(
        &format!("{url}?mode=rwc"),
        "CREATE TABLE slow_users (id text, is_active int);
         CREATE TABLE slow_tokens (id integer PRIMARY KEY, user_id integer, access_token text);
         CREATE TABLE quick_tokens (id integer PRIMARY KEY, access_token text);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) INSERT INTO slow_users SELECT 'u' || i, 1 FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) INSERT INTO slow_tokens SELECT i, i, 't' || i FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO quick_tokens SELECT i, 't' || i FROM n;",
    );
    let slow = format!(
        "{}[column.user]\ntable = \"slow_users\"\nby = \"user_id\"\nkey = \"id\"\nactive = \"instr(id, 'x') = 0\"\n",
        column("slow_tokens")
    );
    let database = "[[database]]\nname = \"slow\"\nurl-env = \"SLOW_URL\"\nbudget = \"8s\"\n";
    let config = configured(folder.path(), &format!("{slow}{}{database}", column("quick_tokens")));
    let run = tokendrift_with(["probe", "--config", &config, "--format", "json", "--quiet"], &[("SLOW_URL", &url)]);
    let report = run.report();
    assert_eq!(report["columns"][1]["live"]["rows"], 60_000, "{report}");
}

#[test]
fn a_plan_has_what_follows_an_exact_count_too() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE planned_users (id int PRIMARY KEY, is_active boolean);
         CREATE TABLE planned_tokens (id serial PRIMARY KEY, user_id int REFERENCES planned_users, access_token text);
         INSERT INTO planned_tokens (access_token) SELECT 'x' FROM generate_series(1, 150000) n; ANALYZE planned_tokens;",
    );
    let plan = probe(&column("planned_tokens"), pg, &["--plan"]);
    assert!(
        plan.stdout.contains("where all rows were counted, tokens in planned_tokens.access_token"),
        "{}",
        plan.stdout
    );
}
