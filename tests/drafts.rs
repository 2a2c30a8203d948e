//! `init`, `pin` and `adr`: what they write does what it says, on the worked example in its three states.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Run, audit_json, copy, nest_auth, tokendrift, write_files};
use crate::{node, probes};

const STATES: [&str; 3] = ["drifted", "write-consistently", "drop-writes"];

fn run(args: &[&str]) -> Run {
    tokendrift(args.iter().map(OsStr::new))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A copy of a state without its configuration.
fn unconfigured(state: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&nest_auth(state), folder.path());
    std::fs::remove_file(folder.path().join("tokendrift.toml")).expect("the state has a configuration");
    folder
}

#[test]
fn a_proposed_configuration_audits_as_it_stands_and_is_never_overwritten() {
    for state in STATES {
        let tree = unconfigured(state);
        let file = tree.path().join("tokendrift.toml");
        let run = self::run(&["init", text(tree.path())]);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
        let proposed = std::fs::read_to_string(&file).expect("init writes the file");
        let audit = audit_json(tree.path(), &[]);
        assert!(audit.code < 2, "{state}: {}", audit.stderr);
        let columns: Vec<String> =
            audit.report()["columns"].as_array().expect("columns").iter().map(|c| c["column"].to_string()).collect();
        assert_eq!(columns, ["\"users.access_token\"", "\"users.refresh_token\""]);
        let again = self::run(&["init", text(tree.path())]);
        assert_eq!(again.code, 2, "{}", again.stderr);
        assert!(again.stderr.contains("is not overwritten"), "{}", again.stderr);
        assert_eq!(std::fs::read_to_string(&file).expect("the file"), proposed);
        let printed = self::run(&["init", "--print", text(tree.path())]);
        assert_eq!((printed.code, printed.stdout), (0, proposed));
    }
}

#[test]
fn a_proposal_takes_the_contract_from_the_majority_and_says_who_does_what() {
    let tree = unconfigured("drifted");
    let proposed = run(&["init", "--print", text(tree.path())]).stdout;
    for wanted in [
        "# User.accessToken (src/users/user.entity.ts:21): may be NULL",
        "#   2 write fresh: POST /v1/mobile/auth/login and POST /v1/mobile/auth/refresh",
        "#   1 write preserved: POST /v1/web/auth/login",
        "contract = \"write-consistently\"",
        "by = \"signup_client\"",
    ] {
        assert!(proposed.contains(wanted), "{wanted} is not in:\n{proposed}");
    }
    let bare: Vec<&str> = proposed.lines().filter(|line| line.contains(" = ") && !line.contains('#')).collect();
    assert!(bare.is_empty(), "lines without a comment: {bare:?}");
}

#[test]
fn a_tree_without_a_token_column_gets_no_file() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(
        tree.path().join("schema.sql"),
        "CREATE TABLE users (id int, max_tokens int, token_expires_at date);",
    )
    .expect("the file can be written");
    let run = run(&["init", text(tree.path())]);
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(run.stderr.contains("looks like a token") && !tree.path().join("tokendrift.toml").exists());
}

fn pin(state: &str, kind: &str, contract: &str) -> String {
    let state = nest_auth(state);
    let run = run(&["pin", "users.access_token", "--in", text(&state), "--as", kind, "--contract", contract]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stdout.contains("{{"), "a hole is open in {}", run.stdout);
    run.stdout
}

/// The contract whose pin runs against a state's database, and whether it holds there.
const HELD: [(&str, &str, bool); 5] = [
    ("drifted", "write-consistently", false),
    ("write-consistently", "write-consistently", true),
    ("drifted", "drop-writes", false),
    ("write-consistently", "drop-writes", false),
    ("drop-writes", "drop-writes", true),
];

#[test]
fn the_sql_pin_fails_on_the_drifted_rows_and_holds_on_the_repaired_ones() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (state, contract, holds) in HELD {
        let script = pin("write-consistently", "sql", contract);
        let url = format!("sqlite:{}?mode=ro", nest_auth(state).join("database.sqlite").display());
        let ran = runtime.block_on(async {
            use sqlx::{Connection, Executor};
            let mut database = sqlx::SqliteConnection::connect(&url).await.expect("the fixture's database");
            database.execute(sqlx::AssertSqlSafe(script)).await.map(|_| ())
        });
        match ran {
            Ok(()) => assert!(holds, "{contract} holds on {state}"),
            Err(error) => assert!(!holds && error.to_string().contains("CHECK"), "{state}, {contract}: {error}"),
        }
    }
}

#[test]
fn the_pgtap_pin_fails_on_the_drifted_rows_and_holds_on_the_repaired_ones() {
    let Some((servers, _shared)) = probes::shared() else { return };
    if servers.get("PGTAP") != "yes" {
        return node::skipped("PostgreSQL has no extension pgtap, and it cannot be installed");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let psql = Path::new(servers.get("PG_BIN")).join("psql");
    for (nth, (state, contract, holds)) in HELD.into_iter().enumerate() {
        let rows = format!("sqlite:{}?mode=ro", nest_auth(state).join("database.sqlite").display());
        let rows: Vec<(Option<String>, Option<String>)> = runtime.block_on(async {
            use sqlx::Connection;
            let mut database = sqlx::SqliteConnection::connect(&rows).await.expect("the fixture's database");
            let select = "SELECT access_token, refresh_token FROM users";
            sqlx::query_as(select).fetch_all(&mut database).await.expect("the fixture's rows")
        });
        let literal = |token: &Option<String>| token.as_ref().map_or("NULL".to_owned(), |token| format!("'{token}'"));
        let rows: Vec<String> = rows.iter().map(|(a, b)| format!("({}, {})", literal(a), literal(b))).collect();
        let schema = format!("pin_{nth}");
        let script = format!(
            "CREATE SCHEMA {schema}; SET search_path TO {schema}, public; CREATE EXTENSION IF NOT EXISTS pgtap SCHEMA public;\n\
             CREATE TABLE users (access_token text, refresh_token text);\nINSERT INTO users VALUES {};\n{}\nDROP SCHEMA {schema} CASCADE;\n",
            rows.join(", "),
            pin("write-consistently", "pgtap", contract)
        );
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), script).expect("the script can be written");
        let mut psql = Command::new(&psql);
        let psql =
            psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--file"]);
        let ran = psql.arg(file.path()).arg(servers.get("PG_ADMIN")).output().expect("psql starts");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let said = String::from_utf8_lossy(&ran.stdout);
        let verdict = said.lines().find(|line| line.starts_with("ok 1") || line.starts_with("not ok 1"));
        let verdict = verdict.unwrap_or_else(|| panic!("{said}"));
        assert_eq!(verdict.starts_with("ok"), holds, "{state}, {contract}: {said}");
    }
}

#[test]
fn the_typescript_pins_run_green_on_the_repaired_state_and_red_on_the_drifted() {
    let Some(project) = node::project() else { return };
    for (state, contract, holds) in &HELD[..2] {
        for kind in ["jest", "vitest"] {
            let tree = node::workspace(project);
            copy(&nest_auth(state).join("src"), &tree.path().join("src"));
            let database = tree.path().join("live.sqlite");
            std::fs::copy(nest_auth(state).join("database.sqlite"), &database).expect("the database can be copied");
            std::fs::create_dir(tree.path().join("test")).expect("the folder can be made");
            std::fs::write(tree.path().join("test/users.pin.spec.ts"), pin(state, kind, contract)).expect("the pin");
            let config = project.join(if kind == "jest" { "jest.config.js" } else { "vitest.config.mjs" });
            let (config, root) = (text(&config), text(tree.path()));
            let args: &[&str] = if kind == "jest" {
                &["--config", config, "--rootDir", root]
            } else {
                &["run", "--config", config, "--root", root]
            };
            let env = [("DATABASE_FILE", text(&database)), ("JWT_SECRET", "signs nothing")];
            let (passed, output) = node::run(project, tree.path(), kind, args, &env);
            assert_eq!(passed, *holds, "{state} under {kind}: {output}");
            // Red for the reason that it is there for.
            assert!(*holds || output.contains("40"), "{output}");
        }
    }
}

const PRISMA_SCHEMA: &str = r#"generator client {
  provider   = "prisma-client-js"
  engineType = "client"
}

datasource db {
  provider = "sqlite"
  url      = env("DATABASE_URL")
}

model User {
  id           Int     @id
  email        String  @unique
  accessToken  String? @map("access_token")
  refreshToken String? @map("refresh_token")

  @@map("users")
}
"#;

const PRISMA_CLIENT: &str = r"import { PrismaLibSQL } from '@prisma/adapter-libsql';
import { PrismaClient } from '@prisma/client';

export const prisma = new PrismaClient({ adapter: new PrismaLibSQL({ url: process.env.DATABASE_URL! }) });

export async function login(id: number, refreshToken: string): Promise<string> {
  const accessToken = jwt.sign({ sub: id }, process.env.JWT_SECRET!);
  await prisma.user.update({ where: { id }, data: { accessToken, refreshToken } });
  return accessToken;
}
";

#[test]
fn the_pin_for_prisma_runs_through_the_client_that_the_project_exports() {
    let Some(project) = node::project() else { return };
    let tree = node::workspace(project);
    let import = "import jwt from 'jsonwebtoken';\n";
    crate::command::write_files(
        tree.path(),
        &[("prisma/schema.prisma", PRISMA_SCHEMA), ("src/db.ts", &format!("{import}{PRISMA_CLIENT}"))],
    );
    let file = tree.path().join("test/users.pin.spec.ts");
    let args = ["pin", "users.access_token", "--contract", "write-consistently", "--as", "vitest"];
    let written = run(&[&args[..], &["--in", text(tree.path()), "--output", text(&file)]].concat());
    assert_eq!(written.code, 0, "{}", written.stderr);
    // No engine is needed with an adapter; without these the generator downloads the ones it does not use.
    let env = ["PRISMA_SCHEMA_ENGINE_BINARY", "PRISMA_QUERY_ENGINE_LIBRARY", "PRISMA_QUERY_ENGINE_BINARY"];
    let env = env.map(|name| (name, "/bin/true"));
    let schema = tree.path().join("prisma/schema.prisma");
    let (made, output) = node::run(project, project, "prisma", &["generate", "--schema", text(&schema)], &env);
    assert!(made, "{output}");
    for (state, _, holds) in &HELD[..2] {
        let database = tree.path().join(format!("{state}.sqlite"));
        std::fs::copy(nest_auth(state).join("database.sqlite"), &database).expect("the database can be copied");
        let (config, url) = (project.join("vitest.config.mjs"), format!("file:{}", text(&database)));
        let args = ["run", "--config", text(&config), "--root", text(tree.path())];
        let (passed, output) = node::run(project, tree.path(), "vitest", &args, &[("DATABASE_URL", &url)]);
        assert_eq!(passed, *holds, "{state}: {output}");
        assert!(*holds || output.contains("40"), "{output}");
    }
}

/// The libraries of that name that were built for this package or another of the same target folder, the newest first.
fn libraries(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_BIN_EXE_tokendrift")).parent().expect("the target's folder").join("deps");
    let found = std::fs::read_dir(&folder).expect("the dependencies").map(|entry| entry.expect("an entry").path());
    let prefix = format!("lib{name}-");
    let is_it = |path: &PathBuf| {
        let file = path.file_name().and_then(OsStr::to_str).unwrap_or("");
        file.starts_with(&prefix) && path.extension() == Some(OsStr::new("rlib"))
    };
    let age = |path: &PathBuf| std::fs::metadata(path).and_then(|meta| meta.modified()).expect("a time");
    let mut found: Vec<PathBuf> = found.filter(is_it).collect();
    found.sort_by_key(|path| std::cmp::Reverse(age(path)));
    found
}

/// Compiles `file` with two libraries that were built for each other: of others, some part is missing or is not the same.
fn compile(file: &Path, program: &Path) {
    let mut complaints = "no library was built".to_owned();
    let tokios = libraries("tokio");
    for (sqlx, tokio) in libraries("sqlx").iter().flat_map(|sqlx| tokios.iter().map(move |tokio| (sqlx, tokio))) {
        let output = Command::new("rustc")
            .args(["--edition", "2024", "--test", "-A", "warnings", text(file), "-o", text(program)])
            .args(["--extern", &format!("sqlx={}", text(sqlx)), "--extern", &format!("tokio={}", text(tokio))])
            .arg("-L")
            .arg(format!("dependency={}", text(sqlx.parent().expect("a folder"))))
            .output()
            .expect("rustc starts");
        if output.status.success() {
            return;
        }
        complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    panic!("{complaints}");
}

#[test]
fn the_rust_pin_compiles_and_tells_the_states_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The fixture is no Rust tree, so the pin has the default connection; its databases are SQLite.
    let source = pin("write-consistently", "sqlx", "write-consistently").replace("PgConnection", "SqliteConnection");
    let (file, program) = (folder.path().join("pin.rs"), folder.path().join("pin"));
    std::fs::write(&file, source).expect("the pin can be written");
    compile(&file, &program);
    for (state, _, holds) in &HELD[..2] {
        let url = format!("sqlite:{}?mode=ro", nest_auth(state).join("database.sqlite").display());
        let output = Command::new(&program).env("DATABASE_URL", url).output().expect("the pin starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), *holds, "{state}: {said}");
        assert!(*holds || said.contains("40"), "{said}");
    }
}

#[test]
fn a_pin_that_is_written_is_known_and_a_contract_without_one_is_a_note() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    copy(&nest_auth("write-consistently"), tree.path());
    std::fs::remove_dir_all(tree.path().join("test")).expect("the state has a pin");
    let unpinned = |tree: &Path| {
        let run = audit_json(tree, &[]);
        assert_eq!(run.code, 0, "a note fails nothing: {}", run.stderr);
        let report = run.report();
        report["findings"].as_array().expect("findings").iter().any(|finding| finding["check"] == "contract-unpinned")
    };
    assert!(unpinned(tree.path()));
    for (kind, file) in [("sql", "test/a.pin.sql"), ("jest", "test/a.pin.spec.ts"), ("vitest", "test/b.pin.spec.ts")] {
        let file = tree.path().join(file);
        let args = ["pin", "--in", text(tree.path()), "--as", kind, "--output", text(&file)];
        let written = run(&args);
        assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{}", written.stderr);
        assert!(!unpinned(tree.path()), "{kind}");
        assert_eq!(run(&args).code, 2, "a file that is there is not overwritten");
        std::fs::remove_file(file).expect("the pin was written");
    }
}

#[test]
fn the_pins_of_the_repaired_states_are_what_the_command_writes() {
    for state in &STATES[1..] {
        let written = pin(state, "sql", state);
        let committed = nest_auth(state).join("test/users-access-token.pin.sql");
        assert_eq!(std::fs::read_to_string(committed).expect("the fixture's pin"), written);
    }
}

#[test]
fn without_a_contract_or_rows_a_pin_says_what_is_missing() {
    let drifted = nest_auth("drifted");
    let none = run(&["pin", "--in", text(&drifted)]);
    assert_eq!(none.code, 2, "{}", none.stdout);
    assert!(none.stderr.contains("--contract"), "{}", none.stderr);
    let dropped = nest_auth("drop-writes");
    let rows = run(&["pin", "--in", text(&dropped), "--contract", "write-consistently"]);
    assert!(rows.code == 2 && rows.stderr.contains("--rows"), "{}", rows.stderr);
    let given = run(&["pin", "--in", text(&dropped), "--contract", "write-consistently", "--rows", "id > 1"]);
    let asked = "WHERE (id > 1) AND (access_token IS NULL OR access_token = '')";
    assert!(given.stdout.contains(asked), "{}", given.stdout);
}

/// What `--rows` holds must neither change the meaning of the rest nor end the text that it stands in.
#[test]
fn any_condition_on_rows_stays_within_its_place() {
    let rows = r##"signup_client = 'mobile' OR signup_client = '$$' OR "signup_client" = '"#'"##;
    let state = nest_auth("write-consistently");
    let with = |kind: &str| {
        let asked = ["pin", "--in", text(&state), "--contract", "write-consistently", "--rows", rows, "--as", kind];
        run(&asked).stdout
    };
    let condition = format!("WHERE ({rows}) AND (access_token IS NULL OR access_token = '')");
    assert!(with("sql").contains(&condition), "{}", with("sql"));
    assert!(with("pgtap").contains(&format!("$pin0$ SELECT count(*) AS broken_rows FROM users {condition} $pin0$")));
    let rust = with("sqlx");
    assert!(rust.contains(&format!("r##\"SELECT count(*) AS broken_rows FROM users {condition}\"##")), "{rust}");
    syn::parse_file(&rust).expect("Rust");
}

#[test]
fn a_column_that_takes_no_null_is_pinned_by_what_it_can_lack() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    let schema = "model User {\n  id Int @id\n  token String @map(\"access_token\")\n\n  @@map(\"users\")\n}\n";
    write_files(tree.path(), &[("schema.prisma", schema)]);
    let asked = ["pin", "users.access_token", "--in", text(tree.path())];
    let more = ["--contract", "write-consistently", "--rows", "id > 1", "--as", "sql"];
    let run = run(&asked.iter().chain(&more).copied().collect::<Vec<_>>());
    assert!(run.stdout.contains("WHERE (id > 1) AND access_token = '';"), "{} {}", run.stdout, run.stderr);
}

/// Three logins of five clear the column, which alone would speak for dropping it.
#[test]
fn what_somebody_reads_or_rows_cannot_do_without_is_never_proposed_to_be_dropped() {
    let proposal = |nullable: bool, more: &str| {
        let tree = tempfile::tempdir().expect("a temporary folder");
        let kind = if nullable { "String?" } else { "String" };
        let schema = format!(
            "model User {{\n  id String @id\n  accessToken {kind} @map(\"access_token\")\n\n  @@map(\"users\")\n}}\n"
        );
        let login = |name: &str, value: &str| {
            format!(
                "export async function {name}(id: string) {{\n  const token = jwt.sign({{ sub: id }}, 's');\n  \
                 await prisma.user.update({{ where: {{ id }}, data: {{ accessToken: {value} }} }});\n  return token;\n}}\n"
            )
        };
        let head = "import jwt from 'jsonwebtoken';\nimport { PrismaClient } from '@prisma/client';\nconst prisma = new PrismaClient();\n";
        let code = [
            head.to_owned(),
            login("a", "null"),
            login("b", "null"),
            login("c", "null"),
            login("d", "token"),
            more.to_owned(),
        ];
        write_files(tree.path(), &[("schema.prisma", &schema), ("src/login.ts", &code.concat())]);
        run(&["init", "--print", text(tree.path())]).stdout
    };
    let dropped = proposal(true, "");
    assert!(dropped.contains("\ncontract = \"drop-writes\""), "{dropped}");
    let reader = "export async function send(id: string) {\n  const user = await prisma.user.findUniqueOrThrow({ where: { id } });\n  \
                  return fetch('https://x', { headers: { authorization: user.accessToken ?? '' } });\n}\n";
    let read = proposal(true, reader);
    assert!(read.contains("# contract = \"drop-writes\"") && read.contains("but it is read"), "{read}");
    let solid = proposal(false, "");
    assert!(solid.contains("# contract = \"drop-writes\"") && solid.contains("but it is not nullable"), "{solid}");
}

#[test]
fn the_record_has_the_parts_of_madr_and_the_facts_of_the_audit() {
    let drifted = nest_auth("drifted");
    let url = format!("sqlite:{}", drifted.join("database.sqlite").display());
    let run = run(&["adr", "users.access_token", "--in", text(&drifted), "--database-url", &url]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let record = run.stdout;
    for heading in [
        "# What becomes of `users.access_token`",
        "## Context and Problem Statement",
        "## Decision Drivers",
        "## Considered Options",
        "## Decision Outcome",
        "### Consequences",
        "### Confirmation",
        "## Pros and Cons of the Options",
    ] {
        assert!(record.lines().any(|line| line == heading), "{heading} is not in:\n{record}");
    }
    for fact in [
        "* preserved (1): POST /v1/web/auth/login",
        "Chosen option: `write-consistently`, because most paths that issue a token do so already.",
        "120 rows, 40 NULL, 0 empty",
        "| client web | 40 | 40 | 0 |",
        "* [ ] src/users/users.service.ts:45: pass the token minted at src/auth/auth-web.service.ts:16 to",
        "* [ ] src/auth/auth-web.service.ts:25: stop reading users.access_token",
        "No guard was found that reads it",
    ] {
        assert!(record.contains(fact), "{fact} is not in:\n{record}");
    }
    assert!(!record.contains("{{"), "a hole is open in:\n{record}");
}

#[test]
fn a_record_whose_database_does_not_answer_is_written_and_called_incomplete() {
    let drifted = nest_auth("drifted");
    let url = format!("sqlite:{}", drifted.join("no-such.sqlite").display());
    let run = run(&["adr", "users.access_token", "--in", text(&drifted), "--database-url", &url]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("incomplete: ") && run.stderr.contains("users.access_token"), "{}", run.stderr);
    assert!(run.stdout.contains("# What becomes of `users.access_token`"), "{}", run.stdout);
}

#[test]
fn a_pin_asks_of_a_column_only_what_its_type_can_hold() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    let file = |kind: &str, null: &str| {
        format!(
            "import {{ Column, Entity, PrimaryGeneratedColumn }} from 'typeorm';\n@Entity('users')\nexport class User {{\n  \
             @PrimaryGeneratedColumn() id: number;\n  @Column({{ type: '{kind}', nullable: {null} }}) token: string | null;\n}}\n"
        )
    };
    let pin = |kind: &str, null: &str, rows: &str| {
        write_files(tree.path(), &[("user.entity.ts", &file(kind, null))]);
        run(&[
            "pin",
            "users.token",
            "--in",
            text(tree.path()),
            "--contract",
            "write-consistently",
            "--rows",
            rows,
            "--output",
            "-",
        ])
    };
    let uuid = pin("uuid", "true", "id > 0");
    assert!(uuid.stdout.contains("WHERE (id > 0) AND token IS NULL"), "{}\n{}", uuid.stdout, uuid.stderr);
    let held = pin("uuid", "false", "id > 0");
    assert!(held.code == 2 && held.stderr.contains("nothing to pin"), "{}", held.stderr);
    for rows in ["", "id > 0 -- x", "1=1); DROP TABLE users; --", "(id > 0"] {
        let refused = pin("text", "true", rows);
        assert!(refused.code == 2 && refused.stderr.contains("--rows"), "{rows}: {}", refused.stdout);
    }
}
