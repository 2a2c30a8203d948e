//! `--fix`: the drifted example is mended by it, still compiles, and nothing else changes.

use std::ffi::OsStr;
use std::path::Path;

use crate::command::{Run, audit_json, copy, files_below, nest_auth, tokendrift, write_files};
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
    assert_eq!(checks, ["contract-undeclared"], "what is left is for people: {}", run.stderr);
    assert_eq!(report["columns"][0]["verdict"]["agree"], true);
    for (path, text) in files_below("fixtures/nest-auth/drifted", "ts") {
        let now = std::fs::read_to_string(tree.path().join(path.trim_start_matches("fixtures/nest-auth/drifted/")));
        assert_eq!(now.expect("the file") == text, !path.ends_with("auth-web.service.ts"), "{path}");
    }
    let again = audit(tree.path(), &["--fix", "--diff", "--quiet"]);
    assert_eq!(again.stdout, "", "a second run has nothing to fix");
    let Some(project) = node::project() else { return };
    let work = node::workspace(project);
    copy(tree.path(), work.path());
    let (compiles, output) = node::run(project, work.path(), "tsc", &["--noEmit", "-p", "."], &[]);
    assert!(compiles, "{output}");
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

#[test]
fn a_repaired_tree_has_nothing_to_fix() {
    for state in ["write-consistently", "drop-writes"] {
        let run = audit(&nest_auth(state), &["--fix", "--diff", "--unsafe-fixes", "--quiet"]);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    }
    assert_eq!(audit(&nest_auth("drifted"), &["--diff"]).code, 2, "--diff alone is a usage error");
    assert_eq!(audit_json(&nest_auth("drifted"), &[]).code, 1);
}
