//! What the live half knows beyond counts, on real servers: who in the database writes, whose tokens they are, whether rows heal.

use std::process::Command;

use serde_json::Value;

use crate::command::{audit_json, nest_auth, write_files};
use crate::probes::{CANARY, column, configured, counted, failure, probe, replayed, run_sql, shared};

/// `trigger clear update null` of each writer.
fn writers(live: &Value) -> Vec<String> {
    let writers = live["declared"]["writers"].as_array().expect("writers");
    let words = |writer: &Value| {
        ["kind", "name", "operation", "semantics"].map(|key| writer[key].as_str().unwrap_or("").to_owned())
    };
    writers.iter().map(|writer| words(writer).join(" ")).collect()
}

#[test]
fn triggers_and_routines_are_read_for_what_they_write() {
    let Some((servers, _guard)) = shared() else { return };
    let table = format!(
        "CREATE TABLE written (id integer PRIMARY KEY, access_token varchar(99), banned integer);
         CREATE TABLE written_sessions (user_id integer, token varchar(99));
         INSERT INTO written VALUES (1, '{CANARY}', 0);"
    );
    run_sql(servers.get("PG_PRIMARY"), &table);
    run_sql(servers.get("MARIADB"), &table);
    run_sql(
        servers.get("PG_PRIMARY"),
        &format!(
            "CREATE FUNCTION written_clear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF NEW.banned = 1 THEN NEW.access_token := NULL; END IF; RETURN NEW; END $$;
             CREATE TRIGGER written_banned BEFORE UPDATE ON written FOR EACH ROW EXECUTE FUNCTION written_clear();
             CREATE FUNCTION written_copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               UPDATE written SET access_token = NEW.token WHERE id = NEW.user_id; RETURN NEW; END $$;
             CREATE TRIGGER written_session AFTER INSERT ON written_sessions FOR EACH ROW EXECUTE FUNCTION written_copy();
             CREATE PROCEDURE written_purge() LANGUAGE sql AS $$ UPDATE written SET access_token = '{CANARY}' $$;
             CREATE FUNCTION written_read() RETURNS bigint LANGUAGE sql AS $$ SELECT count(access_token) FROM written $$;
             CREATE VIEW written_seen AS SELECT id, access_token FROM written;
             CREATE VIEW written_again AS SELECT access_token FROM written_seen;
             CREATE TABLE written_log (id integer);
             CREATE RULE written_rule AS ON INSERT TO written_log DO ALSO UPDATE written SET access_token = NULL WHERE id = NEW.id;
             CREATE RULE written_kept AS ON DELETE TO written_log DO INSTEAD UPDATE written SET access_token = access_token WHERE id = OLD.id;
             CREATE VIEW written_other AS SELECT id, access_token AS tok FROM written_seen;
             CREATE VIEW written_third AS SELECT tok FROM written_other;
             CREATE FUNCTION far_away() RETURNS void LANGUAGE sql AS $$ UPDATE written_other SET tok = NULL $$;
             CREATE FUNCTION written_new() RETURNS void LANGUAGE sql AS $$ INSERT INTO written (id) VALUES (7) $$;
             CREATE TABLE rewritten (id integer, access_token text);
             CREATE FUNCTION other_table() RETURNS void LANGUAGE sql AS $$ UPDATE rewritten SET access_token = 'x' $$;"
        ),
    );
    run_sql(
        servers.get("MARIADB"),
        "CREATE TRIGGER written_banned BEFORE UPDATE ON written FOR EACH ROW SET NEW.access_token = IF(NEW.banned = 1, NULL, NEW.access_token)",
    );
    run_sql(
        servers.get("MARIADB"),
        "CREATE TRIGGER written_session AFTER INSERT ON written_sessions FOR EACH ROW UPDATE written SET access_token = NEW.token WHERE id = NEW.user_id",
    );
    run_sql(servers.get("MARIADB"), "CREATE PROCEDURE written_purge() UPDATE written SET access_token = NULL");
    run_sql(servers.get("MARIADB"), "CREATE VIEW written_seen AS SELECT id, access_token FROM written");
    let toml = column("written");
    let postgres = counted(&toml, servers.get("PG_PRIMARY"), &[]);
    assert_eq!(
        writers(&postgres),
        [
            "routine far_away update null",
            "routine written_copy update supplied",
            "routine written_new insert omitted",
            "routine written_purge update supplied",
            "rule written_kept update preserved",
            "rule written_rule update null",
            "trigger written_banned update null"
        ]
    );
    let maria = counted(&toml, servers.get("MARIADB"), &[]);
    let found = writers(&maria);
    assert_eq!(found[0], "routine written_purge update null");
    assert!(found[1].starts_with("trigger written_banned update "), "{found:?}");
    assert_eq!(found[2], "trigger written_session update supplied");
    let mentions = postgres["declared"]["mentions"].to_string();
    for named in ["written_again", "written_other", "written_third"] {
        assert!(mentions.contains(named), "{named}: {mentions}");
    }
    assert!(!mentions.contains("other_table"), "{mentions}");
    for live in [&postgres, &maria] {
        let mentions = live["declared"]["mentions"].to_string();
        assert!(mentions.contains("written_seen"), "{mentions}");
    }
    for server in ["PG_PRIMARY", "MARIADB"] {
        let shown = probe(&toml, servers.get(server), &[]);
        assert!(shown.stdout.contains("trigger written_banned of the database writes it"), "{}", shown.stdout);
        assert!(!shown.stdout.contains(CANARY) && !shown.stderr.contains(CANARY), "{}", shown.stdout);
    }
}

#[test]
fn statements_that_the_server_has_seen_are_told_with_their_calls() {
    let Some((servers, _guard)) = shared() else { return };
    for (app, admin) in [("PG_PRIMARY", "PG_ADMIN"), ("MARIADB", "MARIADB_ADMIN")] {
        let (app, admin) = (servers.get(app), servers.get(admin));
        run_sql(app, "CREATE TABLE called (id integer PRIMARY KEY, email varchar(9), access_token varchar(99))");
        for id in 1..=3 {
            run_sql(app, &format!("INSERT INTO called (id, email) VALUES ({id}, 'x')"));
            run_sql(app, &format!("UPDATE called SET access_token = '{CANARY}{id}' WHERE id = {id}"));
        }
        run_sql(app, "UPDATE called SET access_token = NULL WHERE id = 3");
        run_sql(app, "UPDATE called SET email = 'y' WHERE id = 3");
        run_sql(app, "UPDATE called SET access_token = access_token WHERE id = 3");
        // Only who may read the statistics of all users sees them; this one may.
        let live = counted(&column("called"), admin, &[]);
        let seen = live["statements_seen"].as_array().expect("statements");
        let told: Vec<String> = seen
            .iter()
            .map(|seen| {
                let word = |key: &str| seen[key].as_str().unwrap_or("").to_owned();
                format!("{} {} {}", word("operation"), word("semantics"), seen["calls"])
            })
            .collect();
        // Their texts have lost every constant: NULL and a token look alike.
        assert_eq!(told, ["insert omitted 3", "update preserved 1", "update unknown 4"], "{live}");
        assert!(!live.to_string().contains(CANARY), "{live}");
    }
}

#[test]
fn the_users_are_those_that_the_configuration_names() {
    let Some((servers, _guard)) = shared() else { return };
    let tables = "CREATE TABLE members (id integer PRIMARY KEY, status varchar(9));
         INSERT INTO members VALUES (1, 'active'), (2, 'locked'), (3, NULL);
         CREATE TABLE member_tokens (id integer PRIMARY KEY, member integer, access_token varchar(99), status varchar(9));
         INSERT INTO member_tokens VALUES (1, 1, 'a', 'on'), (2, 2, 'b', 'off'), (3, 3, 'c', 'on'), (4, 99, 'd', 'on'), (5, 2, NULL, 'on');";
    run_sql(servers.get("PG_PRIMARY"), tables);
    run_sql(servers.get("MARIADB"), tables);
    let with = |user: &str| format!("{}[column.user]\n{user}", column("member_tokens"));
    for server in ["PG_PRIMARY", "MARIADB"] {
        let url = servers.get(server);
        let orphans = |user: &str| {
            let live = counted(&with(user), url, &[]);
            ["tokens", "gone", "inactive"].map(|key| live["orphans"][key].as_u64().unwrap_or(99))
        };
        let named = "table = \"members\"\nby = \"member\"\nactive = \"status = 'active'\"\n";
        assert_eq!(orphans(named), [4, 1, 2], "{server}");
        assert_eq!(orphans("active = \"status = 'on'\"\n"), [4, 0, 1], "{server}");
        for (user, why) in [
            ("table = \"member\"\n", "`members`"),
            ("table = \"members\"\n", "no foreign key leads from `member_tokens` to `members`"),
            ("table = \"members\"\nby = \"membr\"\n", "`member`"),
            ("table = \"members\"\nby = \"member\"\nactive = \"access_token = 'x'\"\n", "must not leave the database"),
        ] {
            let said = failure(&with(user), url);
            assert!(said.contains(why), "{server}: {said}");
        }
        let refused = probe(&with("active = \"no_such_column = 1\"\n"), url, &[]);
        assert_eq!(refused.code, 3, "{}", refused.stdout);
    }
}

#[test]
fn rows_are_told_to_heal_or_not_by_the_month_of_the_last_login() {
    let Some((servers, _guard)) = shared() else { return };
    let rows = "CREATE TABLE logins (id integer PRIMARY KEY, access_token varchar(9), last_login_at timestamp, created_at timestamp);
         INSERT INTO logins SELECT n, CASE WHEN n % 10 >= 6 THEN 'x' END, MONTH(n % 10), MONTH(n % 7) FROM SERIES;";
    let postgres = rows
        .replace("SERIES", "generate_series(1, 2000) n")
        .replace("MONTH(n % 10)", "timestamp '2026-01-15' + (n % 10) * interval '1 month'")
        .replace("MONTH(n % 7)", "timestamp '2025-01-15' + (n % 7) * interval '1 month'");
    let maria = rows
        .replace("SERIES", "(SELECT seq AS n FROM seq_1_to_2000) s")
        .replace("MONTH(n % 10)", "date_add('2026-01-15', interval (n % 10) month)")
        .replace("MONTH(n % 7)", "date_add('2025-01-15', interval (n % 7) month)");
    run_sql(servers.get("PG_PRIMARY"), &postgres);
    run_sql(servers.get("MARIADB"), &maria);
    let cohort = |name: &str| format!("[[column.cohort]]\nname = \"{name}\"\nby = \"{name}\"\nevery = \"month\"\n");
    let toml = format!("{}{}{}", column("logins"), cohort("last_login_at"), cohort("created_at"));
    for server in ["PG_PRIMARY", "MARIADB"] {
        let live = counted(&toml, servers.get(server), &[]);
        let trend = |at: usize, key: &str| live["trends"][at][key].as_str().unwrap_or("").to_owned();
        assert_eq!((trend(0, "tendency"), trend(0, "since")), ("falls".into(), "2026-08".into()), "{server}: {live}");
        assert_eq!(trend(1, "tendency"), "level", "{server}: {live}");
        let shown = probe(&toml, servers.get(server), &[]).stdout;
        assert!(
            shown.contains("fewer in recent months, rows heal") && shown.contains("since: no fewer in recent months\n"),
            "{shown}"
        );
    }
}

/// Everything the code cannot know: the database's own trigger, a default, the form of what is stored.
#[test]
fn an_audit_holds_the_schema_and_the_form_of_the_database_against_the_code() {
    let Some((servers, _guard)) = shared() else { return };
    let url = servers.get("PG_PRIMARY");
    run_sql(
        url,
        &format!(
            "CREATE SCHEMA held; CREATE TABLE held.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), signup_client text,
               access_token text NOT NULL DEFAULT '');
             INSERT INTO held.users (signup_client, access_token) SELECT 'web', 'eyJ{CANARY}.eyJ{CANARY}.' || n FROM generate_series(1, 30) n;
             CREATE FUNCTION held.quietly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.access_token := ''; RETURN NEW; END $$;
             CREATE TRIGGER quietly_clears BEFORE INSERT ON held.users FOR EACH ROW EXECUTE FUNCTION held.quietly();"
        ),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let toml =
        "[[column]]\ntable = \"held.users\"\ncolumn = \"access_token\"\nform = \"hashed\"\nmax-null-ratio = 0.9\n";
    let config = configured(folder.path(), toml);
    let root = nest_auth("drifted");
    let run = audit_json(&root, &["--config", &config, "--database-url", url]);
    let report = run.report();
    let found: Vec<String> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|finding| ["schema-contract", "form-drift"].contains(&finding["check"].as_str().unwrap_or("")))
        .map(|finding| finding["identity"].as_str().unwrap_or("").to_owned())
        .collect();
    for wanted in
        ["live-not-nullable", "live-default", "trigger quietly_clears|null", "form-drift|users.access_token|rows|jwt"]
    {
        assert!(found.iter().any(|identity| identity.contains(wanted)), "{wanted}: {found:?}");
    }
    assert!(!run.stdout.contains(CANARY), "{}", run.stdout);
    let gone = failure(&column("held.usrs"), url);
    assert!(gone.contains("`users`"), "{gone}");
}

/// The commands of the page, as they stand there, with its configuration.
#[test]
fn the_commands_of_the_page_on_replicas_run() {
    let Some((servers, _guard)) = shared() else { return };
    // Other tests have a table of that name too.
    run_sql(servers.get("PG_ADMIN"), "CREATE DATABASE page OWNER app");
    let own = |server: &str| format!("{}page", servers.get(server).trim_end_matches("app"));
    run_sql(
        &own("PG_PRIMARY"),
        "CREATE TABLE users (id serial PRIMARY KEY, signup_client text, access_token text, last_login_at timestamptz, status text);
         INSERT INTO users (signup_client, access_token, last_login_at, status) SELECT 'web', NULL, now(), 'active' FROM generate_series(1, 50);",
    );
    replayed(servers);
    let page = include_str!("../docs/replica-audit.md");
    let toml = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).expect("a configuration");
    let commands: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `tokendrift ")?.split('`').next()).collect();
    assert!(commands.len() >= 6, "{commands:?}");
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), &[("tokendrift.toml", toml)]);
    for file in ["src/users/user.entity.ts", "src/users/users.service.ts", "src/auth/auth.service.ts"] {
        if let Ok(text) = std::fs::read_to_string(nest_auth("drifted").join(file)) {
            write_files(folder.path(), &[(file, &text)]);
        }
    }
    for command in commands {
        let args = command.replace("FILE", "record.jsonl");
        let output = Command::new(env!("CARGO_BIN_EXE_tokendrift"))
            .args(args.split_whitespace())
            .current_dir(folder.path())
            .env_remove("TOKENDRIFT_DATABASE_URL")
            .env("REPLICA_URL", own("PG_STANDBY"))
            .output()
            .expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        // An audit may find something; nothing may be unable to run, or incomplete.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{command}: {stderr}");
    }
}
