//! Bad input gets a clear error or a counted gap: never a panic, never silence.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{Run, audit_json, copy, nest_auth, tokendrift, write_files};

const COLUMN: &[&str] = &["--no-config", "--column", "users.access_token"];

const ENTITY: (&str, &str) = (
    "user.entity.ts",
    "import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';\n\
     @Entity('users')\nexport class User {\n  @PrimaryGeneratedColumn() id!: number;\n\
     \x20 @Column({ name: 'access_token', type: 'text', nullable: true }) accessToken!: string | null;\n}\n",
);

const LOGOUT: (&str, &str) = (
    "logout.ts",
    "import { Repository } from 'typeorm';\nimport { User } from './user.entity';\n\
     export async function logout(users: Repository<User>, id: number) {\n\
     \x20 await users.update({ id }, { accessToken: null });\n}\n",
);

/// A project with one write site, and what else `files` says.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_files(folder.path(), &[ENTITY, LOGOUT]);
    write_files(folder.path(), files);
    folder
}

/// `file line semantics` of every write site.
fn sites(report: &Value) -> Vec<String> {
    let columns = report["columns"].as_array().expect("columns");
    let sites = columns.iter().flat_map(|column| column["write_sites"].as_array().expect("sites"));
    sites.map(|site| format!("{} {} {}", site["file"], site["line"], site["semantics"]).replace('"', "")).collect()
}

fn gap_files(report: &Value) -> Vec<&str> {
    report["gaps"].as_array().expect("gaps").iter().filter_map(|gap| gap["file"].as_str()).collect()
}

/// The run could not start: exit 2, nothing on stdout, and an error that has all of `words`.
fn refused(run: &Run, words: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    for word in words {
        assert!(run.stderr.contains(word), "`{word}` is not in: {}", run.stderr);
    }
}

const LOGOUT_SITE: &str = "logout.ts 4 null";

#[test]
fn a_missing_path_is_named() {
    refused(&audit_json(Path::new("no/such/folder"), COLUMN), &["no/such/folder"]);
}

#[test]
fn a_tree_without_source_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_files(folder.path(), &[("notes.txt", "nothing to audit")]);
    refused(&audit_json(folder.path(), COLUMN), &[]);
}

#[test]
fn nothing_to_track_is_refused() {
    refused(&audit_json(project(&[]).path(), &["--no-config"]), &["column"]);
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_a_gap() {
    use std::os::unix::fs::PermissionsExt;
    let folder = project(&[("secret.ts", "export const accessToken = 1;\n")]);
    let secret = folder.path().join("secret.ts");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("permissions can be set");
    if fs::read(&secret).is_ok() {
        // Root reads everything; then there is no such input.
        return;
    }
    let report = audit_json(folder.path(), COLUMN).report();
    assert!(gap_files(&report).contains(&"secret.ts"), "{}", report["gaps"]);
    assert_eq!(sites(&report), [LOGOUT_SITE]);
}

#[test]
fn a_broken_configuration_is_named_with_its_line() {
    let column = "[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\n";
    for (text, line, word) in [
        (format!("{column}contract = \"write-consistently\n"), 4, ""),
        (format!("{column}contract = \"keep\"\n"), 4, "keep"),
        (format!("{column}contrct = \"drop-writes\"\n"), 4, "contract"),
        ("[audit]\nexclud = []\n".to_owned(), 2, "exclude"),
        ("[[column]]\ntable = \"users\"\n".to_owned(), 1, "column"),
    ] {
        let folder = project(&[("tokendrift.toml", &text)]);
        refused(&audit_json(folder.path(), &[]), &["tokendrift.toml", &format!(":{line}"), word]);
    }
}

/// Where only the model declared the column, nothing names it once the stage is reached.
#[test]
fn a_column_that_no_model_maps_any_more_is_unknown_only_before_that_stage() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = "model User {\n  id Int @id\n\n  @@map(\"users\")\n}\n";
    for (stage, code) in [("writes-stopped", 2), ("column-ignored", 0), ("column-dropped", 0)] {
        let config = format!(
            "[[column]]\ntable = \"users\"\ncolumn = \"token\"\ncontract = \"drop-writes\"\nstage = \"{stage}\"\n"
        );
        write_files(folder.path(), &[("schema.prisma", model), ("tokendrift.toml", &config)]);
        let run = tokendrift(["audit", folder.path().to_str().expect("UTF-8")]);
        assert_eq!(run.code, code, "{stage}: {}", run.stderr);
        assert!(code == 0 || run.stderr.contains("tokendrift.toml:1: users.token"), "{}", run.stderr);
    }
}

#[test]
fn an_unknown_column_or_table_is_answered_with_the_closest_names() {
    let folder = project(&[]);
    let run = |column: &str| audit_json(folder.path(), &["--no-config", "--column", column]);
    refused(&run("users.acess_token"), &["users.acess_token", "access_token"]);
    refused(&run("usres.access_token"), &["usres.access_token", "users"]);
    refused(&run("access_token"), &["access_token"]);
}

#[test]
fn broken_source_is_a_gap_and_the_rest_is_found() {
    let broken = "import { User } from './user.entity';\nexport async function save(users: Repository<User>) {\n\
                  \x20 await users.update({ id: 1 }, { accessToken: ((( });\n";
    let folder = project(&[("broken.ts", broken), ("binary.ts", "accessToken \0\0\0 accessToken")]);
    let report = audit_json(folder.path(), COLUMN).report();
    assert!(gap_files(&report).contains(&"broken.ts"), "{}", report["gaps"]);
    assert!(sites(&report).contains(&LOGOUT_SITE.to_owned()), "{:?}", sites(&report));
}

#[test]
fn source_that_is_not_utf_8_is_read_as_far_as_it_goes() {
    let folder = project(&[]);
    let mut bytes = b"// caf\xe9 \xff\n".to_vec();
    bytes.extend_from_slice(LOGOUT.1.as_bytes());
    fs::write(folder.path().join("latin.ts"), bytes).expect("the file can be written");
    let report = audit_json(folder.path(), COLUMN).report();
    assert_eq!(sites(&report), ["latin.ts 5 null", LOGOUT_SITE]);
}

#[test]
fn cyclic_imports_and_calls_end() {
    let folder = project(&[
        (
            "a.ts",
            "import { b } from './b';\nexport * from './b';\n\
             export async function a(users, token, n) {\n  return n ? b(users, token, n - 1) : token;\n}\n",
        ),
        (
            "b.ts",
            "import { a } from './a';\nimport { Repository } from 'typeorm';\nimport { User } from './user.entity';\n\
             export * from './a';\n\
             export async function b(users: Repository<User>, token, n) {\n\
             \x20 const next = await a(users, token, n);\n\
             \x20 await users.update({ id: n }, { accessToken: next });\n  return b(users, next, n);\n}\n",
        ),
    ]);
    let report = audit_json(folder.path(), COLUMN).report();
    assert_eq!(sites(&report).iter().filter(|site| site.starts_with("b.ts 7 ")).count(), 1, "{:?}", sites(&report));
}

#[test]
fn deeply_nested_source_ends() {
    let deep = format!(
        "import {{ User }} from './user.entity';\nexport const accessToken = {}1{};\n",
        "(".repeat(50_000),
        ")".repeat(50_000)
    );
    let chain = format!("export const accessToken = x{};\n", ".accessToken".repeat(20_000));
    let folder = project(&[("deep.ts", &deep), ("chain.ts", &chain)]);
    let report = audit_json(folder.path(), COLUMN).report();
    assert!(sites(&report).contains(&LOGOUT_SITE.to_owned()), "{:?}", sites(&report));
}

/// The one write of a method whose body assigns `t` and then writes it.
fn written_after(body: &str) -> serde_json::Value {
    let text = format!(
        "import {{ Repository }} from 'typeorm';\nimport {{ User }} from './user.entity';\nexport class Deep {{\n  constructor(private repo: Repository<User>) {{}}\n  async store(id: number, a: number, b: string) {{\n    let t = null;\n{body}\n    await this.repo.update(id, {{ accessToken: t }});\n  }}\n}}\n"
    );
    let folder = project(&[("deep.ts", &text)]);
    let report = audit_json(folder.path(), COLUMN).report();
    let sites = report["columns"][0]["write_sites"].as_array().cloned().unwrap_or_default();
    sites.into_iter().find(|site| site["file"] == "deep.ts").expect("the write is found")
}

#[test]
fn what_is_assigned_too_deep_is_unknown_and_not_proven() {
    let site = written_after(&format!("{}t = b;\n{}", "if (a) {\n".repeat(3_000), "}\n".repeat(3_000)));
    assert!(site["origins"].as_array().is_some_and(|origins| origins.contains(&"unknown".into())), "{site}");
    assert_eq!(site["confidence"], "inferred");
}

#[test]
fn a_switch_of_hundreds_of_cases_that_fall_through_hides_no_write() {
    let cases: Vec<String> = (0..600).map(|case| format!("case {case}: t = t + b;")).collect();
    let site = written_after(&format!("switch (a) {{\n{}\n}}", cases.join("\n")));
    assert!(site["origins"].as_array().is_some_and(|origins| origins.contains(&"unknown".into())), "{site}");
}

#[test]
fn a_generated_file_of_200_mb_is_passed_over_and_counted() {
    let folder = project(&[]);
    let file = fs::File::create(folder.path().join("bundle.ts")).expect("the file can be made");
    file.set_len(200 << 20).expect("the file can be sparse");
    let report = audit_json(folder.path(), COLUMN).report();
    assert_eq!(sites(&report), [LOGOUT_SITE]);
    let bytes = report["summary"]["bytes"].as_u64().expect("a count");
    assert!(bytes < 1 << 20, "{bytes} bytes were read");
    assert!(gap_files(&report).contains(&"bundle.ts"), "{}", report["gaps"]);
}

#[cfg(unix)]
#[test]
fn a_symlink_loop_is_walked_once() {
    let folder = project(&[]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).expect("a link can be made");
    std::os::unix::fs::symlink("self.ts", folder.path().join("self.ts")).expect("a link can be made");
    let report = audit_json(folder.path(), COLUMN).report();
    assert_eq!(sites(&report), [LOGOUT_SITE]);
}

#[cfg(unix)]
#[test]
fn code_behind_a_link_is_found_by_the_path_of_the_link_too() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    copy(&nest_auth("drifted"), tree.path());
    let (link, target) = (tree.path().join("src/auth/auth-web.service.ts"), tree.path().join("src/real.ts"));
    let text = fs::read_to_string(&link).expect("the service");
    fs::remove_file(&link).expect("the service goes");
    fs::write(&target, text.replace("'../users", "'./users").replace("'./token-pair", "'./auth/token-pair"))
        .expect("it comes back");
    std::os::unix::fs::symlink("../real.ts", &link).expect("a link can be made");
    let report = audit_json(tree.path(), &[]).report();
    let found = report["findings"].as_array().expect("findings");
    let lost = found.iter().find(|finding| finding["check"] == "discarded-token").expect("the discarded token");
    assert!(lost["message"].as_str().is_some_and(|words| words.contains("POST /v1/web/auth/login")), "{lost}");
}

/// The static part is clean, so that only the database can make it fail: exit 3, with `words` in what was printed.
fn incomplete(database: &Path, words: &[&str]) {
    let url = format!("sqlite:{}", database.display());
    let run = audit_json(&nest_auth("write-consistently"), &["--database-url", &url]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let report = run.report();
    assert!(!sites(&report).is_empty(), "the static part is reported all the same");
    for word in words {
        assert!(run.stderr.contains(word) || run.stdout.contains(word), "`{word}` is not in: {}", run.stderr);
    }
}

/// Makes a database out of SQL by way of the probe's own library.
pub(crate) fn database(path: &Path, sql: String) {
    use sqlx::ConnectOptions as _;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = options.connect().await.expect("the database opens");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("the statements run");
    });
}

#[test]
fn a_database_that_is_none_leaves_the_run_incomplete() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("text.sqlite");
    fs::write(&file, "this is a text, and a long one, so that it could have been a header of a database ".repeat(20))
        .expect("the file can be written");
    incomplete(&file, &["text.sqlite"]);
    let absent = folder.path().join("absent.sqlite");
    incomplete(&absent, &["absent.sqlite"]);
    assert!(!absent.exists(), "the probe made a database");
}

#[test]
fn a_table_or_column_that_the_database_lacks_is_answered_with_the_closest_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = folder.path().join("other.sqlite");
    database(&other, "CREATE TABLE user (id INTEGER, access_token TEXT);".into());
    incomplete(&other, &["users", "`user`"]);
    let lacking = folder.path().join("lacking.sqlite");
    database(&lacking, "CREATE TABLE users (id INTEGER, signup_client TEXT, acces_token TEXT);".into());
    incomplete(&lacking, &["access_token", "acces_token"]);
}

#[test]
fn a_database_url_of_another_kind_is_refused_without_its_password() {
    let clean = nest_auth("write-consistently");
    let url = "oracle://someone:hunter2@db.example:1521/app";
    let run = audit_json(&clean, &["--database-url", url]);
    assert!(matches!(run.code, 2 | 3), "exit {}", run.code);
    assert!(!run.stderr.contains("hunter2") && !run.stdout.contains("hunter2"), "{}", run.stderr);
}

#[test]
fn a_database_whose_url_is_not_set_leaves_the_run_incomplete() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\n\
                [[database]]\nname = \"replica\"\nurl-env = \"TOKENDRIFT_TEST_UNSET\"\n";
    write_files(folder.path(), &[ENTITY, LOGOUT, ("tokendrift.toml", text)]);
    let run = |more: &[&str]| {
        let args = ["audit", "--format", "json", "--quiet", "--fail-on", "error"];
        tokendrift(args.iter().chain(more).map(OsStr::new).chain([folder.path().as_os_str()]))
    };
    // The code is audited all the same.
    let asked = run(&[]);
    assert_eq!(sites(&asked.report()), [LOGOUT_SITE]);
    assert_eq!(asked.code, 3, "{}", asked.stderr);
    assert!(
        asked.stderr.contains("replica is not asked: the environment variable TOKENDRIFT_TEST_UNSET"),
        "{}",
        asked.stderr
    );
    let offline = run(&["--offline"]);
    assert_eq!(offline.code, 0, "{}", offline.stderr);
    assert_eq!(sites(&offline.report()), [LOGOUT_SITE]);
}

#[test]
fn a_column_that_the_entity_inherits_from_a_class_of_another_file_is_found() {
    let holder = "import { Column } from 'typeorm';\nexport abstract class TokenHolder {\n\
                  \x20 @Column({ name: 'access_token', nullable: true }) accessToken?: string;\n}\n";
    let entity = "import { Entity } from 'typeorm';\nimport { Base } from '../base';\n\
                  @Entity('users')\nexport class User extends Base {}\n";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let logout = LOGOUT.1.replace("./user.entity", "./users/user.entity");
    write_files(
        folder.path(),
        &[
            (LOGOUT.0, logout.as_str()),
            ("users/user.entity.ts", entity),
            ("base.ts", "import { TokenHolder } from './holder';\nexport class Base extends TokenHolder {}\n"),
            ("holder.ts", holder),
            // Another class of that name, which nothing of the table extends.
            ("admin/base.ts", "export class Base {}\n"),
        ],
    );
    assert_eq!(sites(&audit_json(folder.path(), COLUMN).report()), [LOGOUT_SITE]);
}

#[test]
fn what_stands_in_code_that_does_not_parse_is_quoted_nowhere() {
    let broken = "export const config = { key: 'a\nSECRET0013' };\nexport const pair = [ SECRET0014 SECRET0015 'x\n ];\n\
                  export const accessToken = 'users';\n";
    let folder = project(&[("broken.ts", broken)]);
    for format in ["json", "table", "sarif"] {
        let args = ["audit", "--verbose", "--format", format];
        let args = args.iter().chain(COLUMN).map(OsStr::new);
        let run = tokendrift(args.chain([folder.path().as_os_str()]));
        assert!(run.stderr.contains("could not be parsed"), "{}", run.stderr);
        assert!(!run.stdout.contains("SECRET00") && !run.stderr.contains("SECRET00"), "{}{}", run.stdout, run.stderr);
    }
}
