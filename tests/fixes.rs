//! `--fix`: the drifted example is mended by it, still compiles, and nothing else changes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::command::{Run, audit_json, copy, files_below, nest_auth, repository, tokendrift, write_files};
use crate::node;

const PATCH: &str = "\
--- a/src/auth/auth-web.service.ts
+++ b/src/auth/auth-web.service.ts
@@ -14,15 +14,15 @@
   async login(email: string, password: string): Promise<TokenPair> {
     const user = await this.usersService.authenticate(email, password);
     const accessToken = await this.jwtService.signAsync({ sub: user.id });
-    const refreshToken = await this.generateRefreshToken(user.id);
+    const refreshToken = await this.generateRefreshToken(user.id, accessToken);
     return { accessToken, refreshToken };
   }
 
   /** Every web login gets a refresh token of its own, so that a stolen one ends with the next login. */
-  private async generateRefreshToken(userId: number): Promise<string> {
-    const user = await this.usersService.findById(userId);
+  private async generateRefreshToken(userId: number, accessToken: string): Promise<string> {
+    await this.usersService.findById(userId);
     const refreshToken = randomUUID();
-    await this.usersService.updateToken(userId, user.accessToken, refreshToken);
+    await this.usersService.updateToken(userId, accessToken, refreshToken);
     return refreshToken;
   }
 }
";

fn audit(tree: &Path, args: &[&str]) -> Run {
    tokendrift([OsStr::new("audit"), tree.as_os_str()].into_iter().chain(args.iter().map(OsStr::new)))
}

fn drifted() -> tempfile::TempDir {
    let tree = tempfile::tempdir().expect("a temporary folder");
    copy(&nest_auth("drifted"), tree.path());
    tree
}

#[test]
fn the_patch_shows_the_edits_and_changes_nothing() {
    let tree = drifted();
    let run = audit(tree.path(), &["--fix", "--diff", "--quiet"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, PATCH), "{}", run.stderr);
    for (path, text) in files_below("fixtures/nest-auth/drifted", "ts") {
        let copied = tree.path().join(path.trim_start_matches("fixtures/nest-auth/drifted/"));
        assert_eq!(std::fs::read_to_string(copied).expect("the file"), text, "{path}");
    }
}

#[test]
fn the_fixed_example_drifts_no_more_and_only_the_helper_has_changed() {
    let tree = drifted();
    let run = audit(tree.path(), &["--fix", "--format", "json", "--quiet"]);
    let report = run.report();
    let checks: Vec<&str> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| finding["check"].as_str())
        .collect();
    assert_eq!(
        checks,
        ["unchecked-user", "contract-undeclared", "unread-column"],
        "what is left is for people: {}",
        run.stderr
    );
    assert_eq!(report["columns"][0]["verdict"]["agree"], true);
    for (path, text) in files_below("fixtures/nest-auth/drifted", "ts") {
        let now = std::fs::read_to_string(tree.path().join(path.trim_start_matches("fixtures/nest-auth/drifted/")));
        assert_eq!(now.expect("the file") == text, !path.ends_with("auth-web.service.ts"), "{path}");
    }
    let again = audit(tree.path(), &["--fix", "--diff", "--quiet"]);
    assert_eq!(again.stdout, "", "a second run has nothing to fix");
    compiles(tree.path());
}

/// Runs the TypeScript compiler, which also minds what nothing uses.
fn compiles(tree: &Path) {
    let Some(project) = node::project() else { return };
    let work = node::workspace(project);
    copy(tree, work.path());
    let args = ["--noEmit", "-p", ".", "--noUnusedLocals", "--noUnusedParameters"];
    let (compiles, output) = node::run(project, work.path(), "tsc", &args, &[]);
    assert!(compiles, "{output}");
}

#[test]
fn where_writes_are_to_be_dropped_the_key_goes_with_the_parameters_and_arguments_that_only_served_it() {
    let tree = drifted();
    let config = tree.path().join("tokendrift.toml");
    let text = std::fs::read_to_string(&config).expect("the state has a configuration");
    let declared = text.replace("column = \"access_token\"", "column = \"access_token\"\ncontract = \"drop-writes\"");
    std::fs::write(&config, declared).expect("the configuration can be written");
    // That nobody reads it is for people to say.
    let unasked = audit(tree.path(), &["--fix", "--diff", "--quiet"]);
    assert_eq!(unasked.stdout, "", "{}", unasked.stderr);
    let run = audit(tree.path(), &["--fix", "--unsafe-fixes", "--format", "json", "--quiet"]);
    let report = run.report();
    let findings = report["findings"].as_array().expect("findings");
    assert!(findings.iter().all(|finding| finding["check"] != "contract-broken"), "{findings:?}");
    let service = std::fs::read_to_string(tree.path().join("src/users/users.service.ts")).expect("the service");
    assert!(service.contains("async updateToken(userId: number, refreshToken: string | null)"), "{service}");
    let logout = std::fs::read_to_string(tree.path().join("src/auth/session.controller.ts")).expect("the controller");
    assert!(logout.contains("updateToken(userId, null)"), "{logout}");
    compiles(tree.path());
}

#[test]
fn a_helper_in_rust_is_handed_the_token_and_compiles() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    copy(&repository().join("fixtures/diesel-auth"), tree.path());
    let run = audit(tree.path(), &["--fix", "--format", "json", "--quiet"]);
    let report = run.report();
    let findings = report["findings"].as_array().expect("findings");
    assert!(findings.iter().all(|finding| finding["check"] != "discarded-token"), "{findings:?}");
    assert_eq!(report["columns"][0]["verdict"]["agree"], true);
    let code = std::fs::read_to_string(tree.path().join("src/lib.rs")).expect("the code");
    for wanted in [
        "renew(users, user_id, &access_token)?;",
        "user_id: i64, access_token: &str) -> QueryResult<usize> {",
        "users.update_token(user.id, Some(access_token.to_owned()), \"web\")",
    ] {
        assert!(code.contains(wanted), "{wanted} is not in:\n{code}");
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("diesel-auth");
    let cargo = |args: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        let cargo = cargo.args(args).current_dir(tree.path()).env("CARGO_TARGET_DIR", &target);
        cargo.env("RUSTFLAGS", "-D warnings").output().expect("cargo starts")
    };
    let fetched = cargo(&["fetch", "--locked", "--quiet"]);
    if !fetched.status.success() {
        return node::skipped(&format!("no crates: {}", String::from_utf8_lossy(&fetched.stderr)));
    }
    let checked = cargo(&["check", "--locked", "--offline", "--quiet"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn sarif_and_json_carry_the_edits() {
    let report = audit(&nest_auth("drifted"), &["--format", "json", "--quiet"]).report();
    let findings = report["findings"].as_array().expect("findings");
    let fix = findings.iter().find_map(|finding| finding.get("fix")).expect("a fix");
    assert_eq!((&fix["is_safe"], fix["edits"].as_array().map(Vec::len)), (&true.into(), Some(4)), "{fix}");
    let sarif = audit(&nest_auth("drifted"), &["--format", "sarif", "--quiet"]).report();
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let fixes = results.iter().find_map(|result| result.get("fixes")).expect("a fix");
    let replacements = &fixes[0]["artifactChanges"][0]["replacements"];
    assert_eq!(replacements.as_array().map(Vec::len), Some(4), "{fixes}");
    assert_eq!(replacements[0]["insertedContent"]["text"], ", accessToken", "{fixes}");
}

#[test]
fn a_file_that_has_changed_meanwhile_or_cannot_be_written_leaves_all_as_it_was() {
    let tree = drifted();
    let file = tree.path().join("src/auth/auth-web.service.ts");
    let mut permissions = std::fs::metadata(&file).expect("the file").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).expect("the permissions can be set");
    let before = std::fs::read(&file).expect("the file");
    let run = audit(tree.path(), &["--fix", "--quiet"]);
    assert!(run.code == 2 && run.stderr.contains("nothing was fixed"), "{}", run.stderr);
    assert_eq!(std::fs::read(&file).expect("the file"), before);
}

#[test]
fn a_byte_order_mark_stays_and_a_file_of_other_bytes_is_left_as_it_is() {
    let tree = drifted();
    let file = tree.path().join("src/auth/auth-web.service.ts");
    let text = std::fs::read(&file).expect("the service");
    std::fs::write(&file, [b"\xef\xbb\xbf", text.as_slice()].concat()).expect("the service can be written");
    assert!(
        audit(tree.path(), &["--fix", "--diff", "--quiet"])
            .stdout
            .ends_with(PATCH.split_once("@@\n").expect("a hunk").1)
    );
    let run = audit(tree.path(), &["--fix", "--quiet"]);
    assert_eq!(run.stderr, "");
    let fixed = std::fs::read(&file).expect("the service");
    assert!(fixed.starts_with(b"\xef\xbb\xbfimport") && fixed.len() > text.len() + 3);

    let latin = [b"// caf\xe9\n", text.as_slice()].concat();
    std::fs::write(&file, &latin).expect("the service can be written");
    let run = audit(tree.path(), &["--fix", "--format", "json"]);
    assert!(run.code == 1 && run.stderr.contains("not UTF-8"), "{}", run.stderr);
    assert_eq!(std::fs::read(&file).expect("the service"), latin);
}

#[test]
fn a_write_is_not_taken_away_unasked_while_somebody_reads_the_column() {
    let tree = drifted();
    let config = tree.path().join("tokendrift.toml");
    let text = std::fs::read_to_string(&config).expect("the state has a configuration");
    let declared = text.replace("column = \"access_token\"", "column = \"access_token\"\ncontract = \"drop-writes\"");
    let reader = "import { UsersService } from '../users/users.service';\n\n\
                  export async function send(users: UsersService, id: number) {\n  const user = await users.findById(id);\n  \
                  return fetch('https://x', { headers: { authorization: `Bearer ${user.accessToken}` } });\n}\n";
    write_files(tree.path(), &[("tokendrift.toml", &declared), ("src/auth/send.ts", reader)]);
    assert_eq!(audit(tree.path(), &["--fix", "--diff", "--quiet"]).stdout, "", "readers stop first");
    let patch = audit(tree.path(), &["--fix", "--unsafe-fixes", "--diff", "--quiet"]).stdout;
    assert!(patch.contains("-        accessToken,"), "{patch}");
}

#[test]
fn a_helper_with_other_callers_is_changed_only_when_told_so_and_goes_on_for_them() {
    let tree = drifted();
    let file = tree.path().join("src/auth/auth-web.service.ts");
    let text = std::fs::read_to_string(&file).expect("the service");
    let text = text.replace("private async generate", "async generate");
    std::fs::write(&file, text).expect("the service can be written");
    let other = "import { AuthWebService } from './auth-web.service';\n\n\
                 export const renew = (auth: AuthWebService, id: number) => auth.generateRefreshToken(id);\n";
    write_files(tree.path(), &[("src/auth/renew.ts", other)]);
    assert_eq!(audit(tree.path(), &["--fix", "--diff", "--quiet"]).stdout, "");
    let patch = audit(tree.path(), &["--fix", "--unsafe-fixes", "--diff", "--quiet"]).stdout;
    for line in [
        "+    const refreshToken = await this.generateRefreshToken(user.id, accessToken);",
        "+  async generateRefreshToken(userId: number, accessToken?: string): Promise<string> {",
        "+    await this.usersService.updateToken(userId, accessToken ?? user.accessToken, refreshToken);",
    ] {
        assert!(patch.lines().any(|found| found == line), "{line} is not in:\n{patch}");
    }
}

/// The drifted example with one change of the web login's service.
fn changed(from: &str, to: &str) -> tempfile::TempDir {
    let tree = drifted();
    let file = tree.path().join("src/auth/auth-web.service.ts");
    let text = std::fs::read_to_string(&file).expect("the service");
    assert!(text.contains(from), "{from} is not in:\n{text}");
    std::fs::write(&file, text.replace(from, to)).expect("the service can be written");
    tree
}

#[test]
fn a_row_that_was_taken_out_of_a_list_leaves_no_unused_variable() {
    let read = "const user = await this.usersService.findById(userId);";
    for (pattern, value) in [
        ("[user]", "[await this.usersService.findById(userId)]"),
        ("{ rows: [user] }", "{ rows: [await this.usersService.findById(userId)] as const }"),
    ] {
        let tree = changed(read, &format!("const {pattern} = {value};"));
        let run = audit(tree.path(), &["--fix", "--quiet"]);
        assert_eq!(run.stderr, "");
        let code = std::fs::read_to_string(tree.path().join("src/auth/auth-web.service.ts")).expect("the service");
        assert!(code.contains("updateToken(userId, accessToken, refreshToken)") && !code.contains(pattern), "{code}");
        compiles(tree.path());
    }
}

#[test]
fn a_helper_that_a_variable_holds_is_handed_the_token_too() {
    let tree = changed(
        "const refreshToken = await this.generateRefreshToken(user.id);",
        "const renew = () => this.generateRefreshToken(user.id);\n    const refreshToken = await renew();",
    );
    let run = audit(tree.path(), &["--fix", "--quiet"]);
    assert_eq!(run.stderr, "");
    let code = std::fs::read_to_string(tree.path().join("src/auth/auth-web.service.ts")).expect("the service");
    assert!(code.contains("generateRefreshToken(user.id, accessToken)"), "{code}");
    compiles(tree.path());

    let tree = tempfile::tempdir().expect("a temporary folder");
    write_files(
        tree.path(),
        &[
            (
                "src/user.js",
                "const { DataTypes } = require('sequelize')
const { sequelize } = require('./db')
exports.User = sequelize.define('User', { accessToken: { type: DataTypes.STRING, field: 'access_token' } }, { tableName: 'users' })
",
            ),
            (
                "src/app.js",
                "const express = require('express')
const jwt = require('jsonwebtoken')
const { User } = require('./user')

const renew = async id => {
  const user = await User.findByPk(id)
  await User.update({ accessToken: user.accessToken, seen: true }, { where: { id } })
}

async function login (req, res) {
  const accessToken = jwt.sign({ sub: req.body.id }, 'secret')
  await renew(req.body.id)
  res.json({ accessToken })
}

express().post('/login', login)
",
            ),
        ],
    );
    let run = audit(tree.path(), &["--column", "users.access_token", "--fix", "--diff", "--quiet"]);
    assert!(run.stdout.contains("+const renew = async (id, accessToken) => {"), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("+  await renew(req.body.id, accessToken)"), "{}", run.stdout);
}

#[test]
fn what_would_leave_a_variable_without_a_use_is_held_back_where_writes_are_dropped_too() {
    let tree = changed(
        "const user = await this.usersService.findById(userId);\n    const refreshToken = randomUUID();",
        "const user = await this.usersService.findById(userId),\n      refreshToken = randomUUID();",
    );
    let config = tree.path().join("tokendrift.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let text = text.replacen("column = \"access_token\"", "column = \"access_token\"\ncontract = \"drop-writes\"", 1);
    std::fs::write(&config, text).expect("the configuration can be written");
    let run = audit(tree.path(), &["--fix", "--unsafe-fixes", "--quiet"]);
    let code = std::fs::read_to_string(tree.path().join("src/auth/auth-web.service.ts")).expect("the service");
    assert!(code.contains("const user = await this.usersService.findById(userId),"), "{code}\n{}", run.stdout);
    assert!(run.stdout.contains("`user` would be left without a use"), "{}", run.stdout);
    compiles(tree.path());
}

#[test]
fn where_no_fix_is_offered_a_sentence_says_why() {
    let read = "const user = await this.usersService.findById(userId);";
    let minted = "const accessToken = await this.jwtService.signAsync({ sub: user.id });";
    for (from, to, why) in [
        (
            read,
            "const [user, other] = [await this.usersService.findById(userId), 1]; void other;",
            "`user` would be left without a use",
        ),
        (minted, "const accessToken = this.jwtService.signAsync({ sub: user.id });", "is a promise of the token"),
        (
            minted,
            "const minted = { token: await this.jwtService.signAsync({ sub: user.id }) }; const accessToken = minted.token;",
            "no variable holds this token by itself",
        ),
        (
            "this.generateRefreshToken(user.id)",
            "this.generateRefreshToken(user.id /* whose */)",
            "a comment stands among the arguments",
        ),
        (
            "generateRefreshToken(userId: number)",
            "generateRefreshToken(userId: number, note = '')",
            "has a parameter that may be left out",
        ),
        (
            "await this.usersService.updateToken(userId, user.accessToken, refreshToken);",
            "if (user.accessToken) { await this.usersService.updateToken(userId, user.accessToken, refreshToken); }",
            "a row without a value would stay without one",
        ),
        (
            "await this.usersService.updateToken(userId, user.accessToken, refreshToken);",
            "if (!user.accessToken) return refreshToken;\n    await this.usersService.updateToken(userId, user.accessToken, refreshToken);",
            "a row without a value would stay without one",
        ),
    ] {
        let tree = changed(from, to);
        let run = audit(tree.path(), &["--fix", "--diff"]);
        assert!(run.stdout.is_empty() && run.stderr.contains(why), "{to}\n{}\n{}", run.stdout, run.stderr);
        let explained =
            tokendrift(["explain", "discarded-token|", tree.path().to_str().expect("a path in UTF-8")]).stdout;
        let words = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("No fix is offered: ") && words.contains(why), "{explained}");
    }
}

#[test]
fn a_repaired_tree_has_nothing_to_fix() {
    for state in ["write-consistently", "drop-writes"] {
        let run = audit(&nest_auth(state), &["--fix", "--diff", "--unsafe-fixes", "--quiet"]);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    }
    assert_eq!(audit(&nest_auth("drifted"), &["--diff"]).code, 2, "--diff alone is a usage error");
    assert_eq!(audit_json(&nest_auth("drifted"), &[]).code, 1);
}

#[test]
fn a_column_that_rows_cannot_do_without_stays_in_what_makes_them() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    let config = "[[column]]\ntable = \"users\"\ncolumn = \"token\"\ncontract = \"drop-writes\"\n";
    let model = "model User {\n  id Int @id\n  token String\n  @@map(\"users\")\n}\n";
    let code = "import { PrismaClient } from '@prisma/client';\nconst prisma = new PrismaClient();\n\
        export async function add(id: number, token: string) {\n  await prisma.user.create({ data: { id, token: token } });\n}\n\
        export async function change(id: number, token: string) {\n  await prisma.user.update({ where: { id }, data: { id, token: token } });\n}\n";
    crate::command::write_files(
        tree.path(),
        &[("tokendrift.toml", config), ("schema.prisma", model), ("src/users.ts", code)],
    );
    let run = audit(tree.path(), &["--fix", "--unsafe-fixes", "--quiet"]);
    let code = std::fs::read_to_string(tree.path().join("src/users.ts")).expect("the code");
    assert!(code.contains("create({ data: { id, token: token } })"), "{code}\n{}", run.stdout);
    assert!(!code.contains("where: { id }, data: { id, token"), "{code}\n{}", run.stdout);
    assert!(run.stdout.contains("make it nullable first"), "{}", run.stdout);
}
