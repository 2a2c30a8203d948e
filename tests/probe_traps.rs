//! Tables that invite a wrong answer: statistics that know too little, names that fit too much, keys with gaps.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::tokendrift_with;
use crate::probe_faults::slow_view;
use crate::probes::{column, configured, counted, failure, probe, run_sql, shared};

fn number(live: &Value, key: &str) -> u64 {
    live[key].as_u64().unwrap_or_else(|| panic!("{key}: {live}"))
}

#[test]
fn statistics_decide_nothing_that_they_do_not_know() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE blanks AS SELECT n AS id, '' AS access_token FROM generate_series(1, 150000) n; ANALYZE blanks;
         CREATE TABLE grown (id serial PRIMARY KEY, access_token uuid) WITH (autovacuum_enabled = off);
         INSERT INTO grown (access_token) SELECT gen_random_uuid() FROM generate_series(1, 150000); ANALYZE grown;
         INSERT INTO grown (access_token) SELECT NULL FROM generate_series(1, 600000);
         CREATE TABLE owner_users (id int PRIMARY KEY, is_active boolean);
         INSERT INTO owner_users SELECT n, n % 2 = 0 FROM generate_series(1, 1000) n;
         CREATE TABLE owned (id serial PRIMARY KEY, user_id int REFERENCES owner_users, access_token uuid);
         INSERT INTO owned (user_id, access_token) SELECT 1 + n % 1000, gen_random_uuid() FROM generate_series(1, 150000) n; ANALYZE owned;",
    );
    let blanks = counted(&column("blanks"), pg, &[]);
    assert_eq!((number(&blanks, "nulls"), number(&blanks, "empty")), (0, number(&blanks, "rows")), "{blanks}");
    let grown = counted(&column("grown"), pg, &[]);
    let share = grown["interval"][1].as_f64().unwrap_or(0.0);
    assert!(share > 0.7, "{grown}");
    assert!(number(&grown, "table_rows") > 400_000, "{grown}");
    let owned = counted(&column("owned"), pg, &[]);
    assert!(number(&owned["orphans"], "inactive") > 0, "{owned}");
}

#[test]
fn a_limit_is_decided_by_what_is_counted_and_not_by_half() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE limited (id serial PRIMARY KEY, access_token text);
         INSERT INTO limited (access_token) SELECT CASE WHEN n % 66 > 0 THEN 'x' END FROM generate_series(1, 200000) n; ANALYZE limited;",
    );
    let toml = format!("{}max-null-ratio = 0.0149\n", column("limited"));
    assert_eq!(counted(&toml, pg, &[])["method"], "exact");
    // 60 % are NULL and 35 % empty: above the limit only together, which statistics do not tell.
    run_sql(
        pg,
        "CREATE TABLE mostly_bare (id serial PRIMARY KEY, client text, access_token text);
         INSERT INTO mostly_bare (client, access_token) SELECT CASE WHEN n % 50 = 7 THEN 'tv' ELSE 'web' END,
           CASE WHEN n % 20 >= 19 THEN 'x' WHEN n % 20 >= 12 THEN '' END FROM generate_series(1, 150000) n;",
    );
    run_sql(pg, "ANALYZE mostly_bare");
    let bare = counted(&format!("{}max-null-ratio = 0.9\n", column("mostly_bare")), pg, &[]);
    assert!(bare["method"] != "statistics" && number(&bare, "empty") > 0, "{bare}");
    // A cohort is held to the limit too, whether paths are known for it or not.
    let cohort = "[[column.cohort]]\nname = \"client\"\nby = \"client\"\n";
    let cohorts = counted(&format!("{}max-null-ratio = 0.95\n{cohort}", column("mostly_bare")), pg, &[]);
    assert_eq!(cohorts["method"], "exact", "{cohorts}");
}

#[test]
fn the_parts_of_a_table_count_once() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE parted (id int, access_token text) PARTITION BY RANGE (id);
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100000);
         CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100000) TO (200001);
         INSERT INTO parted SELECT n, NULL FROM generate_series(1, 200000) n; ANALYZE parted;",
    );
    let live = counted(&column("parted"), pg, &["--method", "statistics"]);
    assert!((190_000..210_000).contains(&number(&live, "rows")), "{live}");
}

#[test]
fn a_table_that_may_not_be_read_is_not_taken_for_another_of_its_name() {
    let Some((servers, _guard)) = shared() else { return };
    run_sql(
        servers.get("PG_ADMIN"),
        "CREATE SCHEMA shelf; GRANT USAGE ON SCHEMA shelf TO app; CREATE SCHEMA shelf_2; GRANT USAGE ON SCHEMA shelf_2 TO app;
         CREATE TABLE public.guarded (id int, access_token text); CREATE TABLE shelf.guarded (id int, access_token text);
         CREATE TABLE shelf.lonely (id int, access_token text); CREATE TABLE shelf.twin (id int, access_token text);
         CREATE TABLE shelf_2.twin (id int, access_token text);
         GRANT SELECT ON shelf.guarded, shelf.lonely, shelf.twin, shelf_2.twin TO app;",
    );
    let pg = servers.get("PG_PRIMARY");
    assert!(failure(&column("guarded"), pg).contains("no permission to read"));
    let lonely = counted(&column("lonely"), pg, &[]);
    assert!(lonely["skipped"].to_string().contains("only the schema `shelf` has a `lonely`"), "{lonely}");
    assert!(failure(&column("twin"), pg).contains("several schemas have a table `twin`"));
}

#[test]
fn whose_token_it_is_tells_the_reference_that_says_so() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE club_users (id int PRIMARY KEY, invited_by int REFERENCES club_users, access_token text, is_active boolean);
         INSERT INTO club_users SELECT n, CASE WHEN n > 90 THEN 1 END, 'x' || n, n > 5 FROM generate_series(1, 100) n;
         CREATE TABLE club_sessions (id int PRIMARY KEY, revoked_by int REFERENCES club_users, user_id int REFERENCES club_users,
           access_token text);
         INSERT INTO club_sessions SELECT n, NULL, n, 'x' || n FROM generate_series(1, 100) n;
         CREATE TABLE club_notes (id int PRIMARY KEY, written_by int REFERENCES club_users, access_token text);
         INSERT INTO club_notes SELECT n, NULL, 'x' || n FROM generate_series(1, 100) n;",
    );
    for table in ["club_users", "club_sessions"] {
        let live = counted(&column(table), pg, &[]);
        let orphans = &live["orphans"];
        assert_eq!((number(orphans, "gone"), number(orphans, "inactive")), (0, 5), "{table}: {live}");
    }
    assert_eq!(counted(&column("club_notes"), pg, &[])["orphans"], Value::Null);
}

#[test]
fn cohorts_that_multiply_are_counted_one_by_one() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE longlived (id serial PRIMARY KEY, a int, b int, c int, access_token text);
         INSERT INTO longlived (a, b, c, access_token) SELECT n % 40, n / 40 % 40, n / 1600 % 40, CASE WHEN n % 40 = 3 THEN 'x' END
         FROM generate_series(0, 63999) n;",
    );
    let cohorts = ["a", "b", "c"].map(|by| format!("[[column.cohort]]\nname = \"{by}\"\nby = \"{by}\"\n")).concat();
    let live = counted(&format!("{}{cohorts}", column("longlived")), pg, &[]);
    let parts = live["cohorts"].as_array().expect("cohorts");
    assert_eq!((parts.len(), number(&live, "rows"), number(&live, "nulls")), (120, 64_000, 62_400), "{live}");
    let of = |name: &str, key: &str| -> u64 {
        parts.iter().filter(|part| part["name"] == name).map(|part| number(part, key)).sum()
    };
    assert_eq!(["a", "b", "c"].map(|name| (of(name, "rows"), of(name, "nulls"))), [(64_000, 62_400); 3]);
    let third = parts.iter().find(|part| part["name"] == "a" && part["value"] == "3").expect("the third");
    assert_eq!((number(third, "rows"), number(third, "nulls")), (1600, 0));
}

#[test]
fn keys_with_gaps_hide_no_row_and_no_shape() {
    let Some((servers, _guard)) = shared() else { return };
    let maria = servers.get("MARIADB");
    run_sql(
        maria,
        "CREATE TABLE gaps (id bigint PRIMARY KEY, access_token varchar(60));
         INSERT INTO gaps SELECT seq, 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' FROM seq_1_to_120000;
         INSERT INTO gaps VALUES (9223372036854775807, NULL);
         CREATE TABLE uuid_key (id char(36) PRIMARY KEY, access_token varchar(60));
         INSERT INTO uuid_key SELECT UUID(), 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' FROM seq_1_to_120000;
         ANALYZE TABLE gaps, uuid_key;",
    );
    let run = probe(&column("gaps"), maria, &["--method", "sample"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    for (table, rows) in [("gaps", 120_001), ("uuid_key", 120_000)] {
        let toml = format!("{}form = \"hashed\"\n", column(table));
        let live = counted(&toml, maria, &[]);
        assert_eq!((number(&live, "rows"), number(&live["shapes"][0], "rows")), (rows, 120_000), "{table}: {live}");
    }
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE last_key (id bigint PRIMARY KEY, access_token text);
         INSERT INTO last_key SELECT n, NULL FROM generate_series(1, 150000) n;
         INSERT INTO last_key VALUES (9223372036854775807, 'x'), (-9223372036854775808, 'x'); ANALYZE last_key;",
    );
    let live = counted(&column("last_key"), pg, &["--method", "exact"]);
    assert_eq!((number(&live, "rows"), number(&live, "nulls")), (150_002, 150_000), "{live}");
}

#[test]
fn a_key_that_is_no_number_cuts_a_table_too_but_never_the_token() {
    let Some((servers, _guard)) = shared() else { return };
    let maria = servers.get("MARIADB");
    run_sql(
        maria,
        "CREATE TABLE by_text (id char(36) PRIMARY KEY, access_token varchar(60));
         INSERT INTO by_text SELECT UUID(), IF(seq % 4 = 0, NULL, 'x') FROM seq_1_to_240000;
         CREATE TABLE by_bytes (id binary(16), nth int, access_token varchar(60), PRIMARY KEY (id, nth));
         INSERT INTO by_bytes SELECT UNHEX(MD5(seq % 70000)), seq, IF(seq % 4 = 0, NULL, 'x') FROM seq_1_to_240000;
         CREATE TABLE by_gbk (id varchar(40) CHARACTER SET gbk PRIMARY KEY, access_token varchar(60));
         INSERT INTO by_gbk SELECT CONCAT(CHAR(0xB0A1 + seq % 90 USING gbk), seq), IF(seq % 4 = 0, NULL, 'x') FROM seq_1_to_240000;
         CREATE TABLE by_token (access_token varchar(60) PRIMARY KEY);
         INSERT INTO by_token SELECT CONCAT('x', seq) FROM seq_1_to_240000;
         ANALYZE TABLE by_text, by_bytes, by_gbk, by_token;",
    );
    for table in ["by_text", "by_bytes", "by_gbk"] {
        let live = counted(&column(table), maria, &[]);
        assert_eq!((number(&live, "rows"), number(&live, "nulls")), (240_000, 60_000), "{table}: {live}");
        let plan = probe(&column(table), maria, &["--plan"]).stdout;
        assert!(plan.contains("where a chunk of") && plan.contains("OFFSET 50000"), "{table}: {plan}");
    }
    let run = probe(&column("by_token"), maria, &["--plan"]);
    assert!(!run.stdout.contains("SELECT HEX"), "{}", run.stdout);
    assert_eq!(number(&counted(&column("by_token"), maria, &[]), "rows"), 240_000);
}

#[test]
fn a_big_view_is_told_without_what_costs_a_multiple_and_has_no_sample() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE below (id int PRIMARY KEY, access_token text);
         INSERT INTO below SELECT n, CASE WHEN n % 4 > 0 THEN 'x' || n END FROM generate_series(1, 200000) n;",
    );
    run_sql(pg, "ANALYZE below");
    run_sql(pg, "CREATE VIEW above AS SELECT id, access_token FROM below");
    let live = counted(&column("above"), pg, &[]);
    assert_eq!((number(&live, "rows"), number(&live, "nulls")), (200_000, 50_000), "{live}");
    assert!(live["shapes"].is_null() && live["duplicates"].is_null(), "{live}");
    let run = probe(&column("above"), pg, &["--method", "sample"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(run.stdout.contains("nor anything else to draw a sample by"), "{}", run.stdout);
}

#[test]
fn a_table_that_takes_the_whole_budget_is_asked_last() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    slow_view(servers, "a_slow_one");
    run_sql(pg, "CREATE TABLE z_small (id int, access_token text); INSERT INTO z_small VALUES (1, NULL)");
    run_sql(pg, "ANALYZE z_small");
    let toml = format!(
        "{}{}[[database]]\nname = \"r\"\nurl-env = \"R\"\nbudget = \"3s\"\n",
        column("a_slow_one"),
        column("z_small")
    );
    let run = probe(&toml, pg, &["--format", "json", "--quiet"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    let report = run.report();
    let rows = report["columns"].as_array().expect("columns").iter().map(|column| column["live"]["rows"].as_u64());
    assert_eq!(rows.collect::<Vec<_>>(), [None, Some(1)], "{report}");
}

#[test]
fn values_that_differ_in_case_alone_are_not_shared() {
    let Some((servers, _guard)) = shared() else { return };
    for server in ["PG_PRIMARY", "MARIADB"] {
        let url = servers.get(server);
        run_sql(url, "CREATE TABLE cased (id int, access_token varchar(9))");
        run_sql(url, "INSERT INTO cased VALUES (1, 'abc'), (2, 'ABC'), (3, 'x'), (4, 'x')");
        let live = counted(&column("cased"), url, &[]);
        assert_eq!(
            (number(&live["duplicates"], "values"), number(&live["duplicates"], "rows")),
            (1, 2),
            "{server}: {live}"
        );
    }
}

#[test]
fn a_collation_changes_no_figure() {
    let Some((servers, _guard)) = shared() else { return };
    let rows = "INSERT INTO collated VALUES (1, ' '), (2, 'NULL'), (3, 'ab'), (4, 'AB'), (5, ''), (6, 'null')";
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        &format!(
            "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             CREATE TABLE collated (id int, access_token text COLLATE blind); {rows}"
        ),
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("db.sqlite").display().to_string();
    let made = format!("CREATE TABLE collated (id int, access_token text COLLATE NOCASE); {rows}");
    run_sql(&format!("sqlite:{file}?mode=rwc"), &made);
    let maria = servers.get("MARIADB");
    run_sql(maria, &format!("CREATE TABLE collated (id int, access_token varchar(9)); {rows}"));
    for url in [pg, maria, &format!("sqlite:{file}")] {
        let live = counted(&column("collated"), url, &[]);
        let figures = ["empty", "null_text"].map(|key| number(&live, key));
        assert_eq!((figures, number(&live["duplicates"], "values")), ([1, 1], 0), "{url}: {live}");
    }
}

#[test]
fn statistics_that_may_be_old_decide_nothing() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(
        pg,
        "CREATE TABLE aged (id int PRIMARY KEY, access_token uuid) WITH (autovacuum_enabled = off);
         INSERT INTO aged SELECT n, CASE WHEN n % 5 > 2 THEN gen_random_uuid() END FROM generate_series(1, 200000) n;",
    );
    run_sql(pg, "ANALYZE aged");
    let method = |wanted: &str| {
        // What a session changed the server counts a moment later.
        let start = Instant::now();
        loop {
            let live = counted(&column("aged"), pg, &[]);
            if live["method"] == wanted || start.elapsed() > Duration::from_secs(10) {
                return live["method"].as_str().unwrap_or("").to_owned();
            }
        }
    };
    assert_eq!(method("statistics"), "statistics");
    run_sql(pg, "UPDATE aged SET access_token = gen_random_uuid() WHERE id <= 10000");
    assert_eq!(method("sample"), "sample", "five rows in a hundred changed");
    run_sql(pg, "ANALYZE aged");
    assert_eq!(method("statistics"), "statistics");
    run_sql(servers.get("PG_ADMIN"), "SELECT pg_stat_reset_single_table_counters('aged'::regclass)");
    assert_eq!(method("sample"), "sample", "nobody knows how much changed");
    // The statistics over all parts are made by hand alone, those of each part by the server.
    run_sql(
        pg,
        "CREATE TABLE split_up (id int, access_token uuid) PARTITION BY RANGE (id);
         CREATE TABLE split_up_1 PARTITION OF split_up FOR VALUES FROM (0) TO (1000000) WITH (autovacuum_enabled = off);
         INSERT INTO split_up SELECT n, gen_random_uuid() FROM generate_series(1, 200000) n;",
    );
    run_sql(pg, "ANALYZE split_up");
    run_sql(pg, "UPDATE split_up SET access_token = NULL WHERE id % 3 < 2");
    run_sql(pg, "ANALYZE split_up_1");
    assert_ne!(counted(&column("split_up"), pg, &[])["method"], "statistics");
}

#[test]
fn months_are_told_of_numbers_too() {
    let Some((servers, _guard)) = shared() else { return };
    let toml = format!("{}[[column.cohort]]\nname = \"made\"\nby = \"made\"\nevery = \"month\"\n", column("epochs"));
    // 2026-01-15 in seconds, 2026-03-15 in milliseconds.
    let rows = "INSERT INTO epochs VALUES (1, 'x', 1768435200), (2, 'x', 1773532800000)";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("db.sqlite");
    let made = format!("CREATE TABLE epochs (id int, access_token text, made DATETIME); {rows}");
    run_sql(&format!("sqlite:{}?mode=rwc", file.display()), &made);
    let mut urls = vec![format!("sqlite:{}", file.display())];
    for server in ["PG_PRIMARY", "MARIADB"] {
        run_sql(servers.get(server), "CREATE TABLE epochs (id int, access_token varchar(9), made bigint)");
        run_sql(servers.get(server), rows);
        urls.push(servers.get(server).to_owned());
    }
    let named = toml.replace("every", "path.\"2026-01\" = \"a\"\npath.\"2026-03\" = \"b\"\nevery");
    for url in &urls {
        let live = counted(&named, url, &[]);
        let months: Vec<_> =
            live["cohorts"].as_array().expect("cohorts").iter().map(|part| part["value"].as_str()).collect();
        assert_eq!(months, [Some("2026-01"), Some("2026-03")], "{live}");
    }
}

#[test]
fn statistics_of_mariadb_are_told_where_it_has_them() {
    let Some((servers, _guard)) = shared() else { return };
    let admin = servers.get("MARIADB_ADMIN");
    run_sql(
        admin,
        "CREATE TABLE app.analyzed (id int PRIMARY KEY, access_token varchar(9));
         INSERT INTO app.analyzed SELECT seq, IF(seq % 4 = 0, NULL, 'x') FROM app.seq_1_to_120000;
         ANALYZE TABLE app.analyzed PERSISTENT FOR ALL;",
    );
    let toml = column("app.analyzed");
    let live = counted(&toml, admin, &["--method", "statistics"]);
    let share = live["interval"][0].as_f64().unwrap_or(9.0);
    assert!((0.23..0.25).contains(&share), "{live}");
    assert_eq!((number(&live, "rows_read"), live["empty"].is_null()), (0, true), "{live}");
    assert!(live["skipped"].to_string().contains("is not known"), "{live}");
}

#[test]
fn a_plan_has_every_statement_on_the_rows() {
    let Some((servers, _guard)) = shared() else { return };
    for (server, serial, series) in [
        ("PG_PRIMARY", "bigserial", "generate_series(1, 300000)"),
        ("MARIADB", "bigint AUTO_INCREMENT", "seq_1_to_300000"),
    ] {
        let url = servers.get(server);
        run_sql(url, &format!("CREATE TABLE planned (id {serial} PRIMARY KEY, access_token varchar(20))"));
        run_sql(url, &format!("INSERT INTO planned (access_token) SELECT NULL FROM {series}"));
        run_sql(url, if server == "MARIADB" { "ANALYZE TABLE planned" } else { "ANALYZE planned" });
        let plan = probe(&column("planned"), url, &["--plan"]).stdout;
        for purpose in ["a sample", "what values of planned look like", "in chunks such as this one"] {
            assert!(plan.contains(purpose), "{server}: {purpose} is not in {plan}");
        }
    }
}

#[test]
fn several_databases_are_judged_each() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    let maria = servers.get("MARIADB");
    run_sql(pg, "CREATE TABLE sharded (id int, access_token text)");
    run_sql(maria, "CREATE TABLE sharded AS SELECT seq AS id, CAST(NULL AS CHAR(9)) AS access_token FROM seq_1_to_400");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shard = |nth: u8| format!("[[database]]\nname = \"shard{nth}\"\nurl-env = \"SHARD_{nth}\"\n");
    let toml = format!(
        "[[column]]\ntable = \"sharded\"\ncolumn = \"access_token\"\nmax-null-ratio = 0.05\n{}{}",
        shard(0),
        shard(1)
    );
    let config = configured(folder.path(), &toml);
    std::fs::write(folder.path().join("schema.sql"), "CREATE TABLE sharded (id int, access_token text);")
        .expect("written");
    let path = folder.path().display().to_string();
    let run = tokendrift_with(
        ["audit", &path, "--config", &config, "--format", "json", "--quiet"],
        &[("SHARD_0", pg), ("SHARD_1", maria)],
    );
    let report = run.report();
    let databases = report["columns"][0]["databases"].as_array().unwrap_or_else(|| panic!("{report}"));
    assert_eq!(databases.iter().map(|one| number(&one["live"], "rows")).collect::<Vec<_>>(), [0, 400]);
    let findings = report["findings"].as_array().expect("findings");
    let ratio: Vec<&Value> = findings.iter().filter(|finding| finding["check"] == "null-ratio").collect();
    assert!(
        matches!(ratio.as_slice(), [one] if one["message"].to_string().contains("in database `shard1`")),
        "{report}"
    );
}

#[test]
fn no_spelling_of_a_cohort_reaches_the_tokens() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(pg, "CREATE TABLE spelled (id int, access_token text); INSERT INTO spelled VALUES (1, 'canaryTOKEN4711')");
    for by in [
        r#"left(U&"access\005ftoken", 40)"#,
        "(SELECT max(t) FROM other)",
        "query_to_xml('x', true, true, '')",
        "pg_read_file('/etc/passwd')",
        "ts_stat('sel'||'ect access'||'_token')",
        "unnest(ARRAY[1, 2])",
    ] {
        let toml = format!("{}[[column.cohort]]\nname = \"c\"\nby = '''{by}'''\n", column("spelled"));
        let why = failure(&toml, pg);
        assert!(why.contains("cohort `c`: `by` "), "{by}: {why}");
    }
}

#[test]
fn the_password_may_stand_in_the_password_file_of_libpq() {
    let Some((servers, _guard)) = shared() else { return };
    let pg = servers.get("PG_PRIMARY");
    run_sql(pg, "CREATE TABLE passed (id int, access_token text)");
    // postgres://USER:PASSWORD@HOST:PORT/DATABASE
    let (user, rest) = pg.trim_start_matches("postgres://").split_once(':').expect("a user");
    let (password, place) = rest.split_once('@').expect("a password");
    let (host, database) = place.split_once('/').expect("a database");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("pgpass");
    std::fs::write(&file, format!("elsewhere:5432:*:{user}:wrong\n{host}:{database}:{user}:{password}\n"))
        .expect("written");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");
    let config = configured(folder.path(), &column("passed"));
    let url = format!("postgres://{user}@{place}");
    let args = ["probe", "--config", &config, "--database-url", &url];
    let run = tokendrift_with(args, &[("PGPASSFILE", &file.display().to_string())]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(tokendrift_with(args, &[("PGPASSFILE", "/nowhere")]).code, 3);
}
