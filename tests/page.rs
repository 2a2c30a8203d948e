//! The HTML report, used in a real Chromium: keyboard, colours, paper, thousands of paths, and no network.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{nest_auth, tokendrift};
use crate::node;

fn browser() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    let find = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find(runs);
    let found = find().or_else(|| node::installed(&["chromium"]).then(find).flatten());
    if found.is_none() {
        node::skipped("no Chromium is installed: apt-get install chromium");
    }
    found
}

/// What a reader saw of the page.
fn browse(page: &Path) -> Option<Value> {
    let (project, browser) = (node::project()?, browser()?);
    let path = Command::new("sh").args(["-c", &format!("command -v {browser}")]).output().expect("a shell");
    let path = String::from_utf8(path.stdout).expect("a path").trim().to_owned();
    let shots = page.parent().expect("a folder");
    let output = Command::new("node")
        .arg(project.join("browse.mjs"))
        .args([OsStr::new(&path), page.as_os_str(), shots.as_os_str()])
        .current_dir(project)
        .output()
        .expect("node starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}")))
}

fn write_page(tree: &Path, args: &[&str], to: &Path) {
    let fixed = ["audit", "--format", "html", "--quiet", "--output"].map(OsStr::new);
    let args = args.iter().map(OsStr::new);
    let run = tokendrift(fixed.into_iter().chain([to.as_os_str(), tree.as_os_str()]).chain(args));
    assert_eq!(run.code, 1, "{}", run.stderr);
}

#[test]
fn a_reader_finds_the_path_that_deviates_by_keyboard_in_light_and_dark_and_on_paper() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("report.html");
    let url = format!("sqlite:{}", nest_auth("drifted").join("database.sqlite").display());
    write_page(&nest_auth("drifted"), &["--database-url", &url], &page);
    let text = std::fs::read_to_string(&page).expect("the page");
    let printed = text.split("token-").skip(1).find(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(printed, None, "a stored value stands in the page");
    let Some(seen) = browse(&page) else { return };
    assert_eq!((&seen["errors"], &seen["requests"]), (&Value::Array(vec![]), &Value::Array(vec![])), "{seen}");
    assert_eq!(
        (&seen["colors"]["light"], &seen["colors"]["dark"]),
        (&"rgb(255, 255, 255)".into(), &"rgb(21, 24, 28)".into())
    );
    assert_eq!((&seen["first"], &seen["odd"]), (&"POST /v1/web/auth/login".into(), &1.into()), "{seen}");
    let counts = |key: &str| seen[key].as_str().unwrap_or_default().to_owned();
    assert!(counts("all").starts_with("5 of 5 paths, 4 of"), "{seen}");
    assert!(counts("filtered").starts_with("2 of 5 paths"), "{seen}");
    assert_eq!(counts("cleared"), counts("all"));
    assert!(counts("deviating").starts_with("1 of 5 paths"), "{seen}");
    assert!(counts("detail").contains("generateRefreshToken(user.id)"), "no source line in the detail: {seen}");
    let bars: Vec<&str> = seen["bars"].as_array().expect("bars").iter().filter_map(Value::as_str).collect();
    assert!(bars.contains(&"client web: 100 % NULL") && bars.contains(&"client mobile: 0 % NULL"), "{bars:?}");
    assert_eq!((&seen["wide"], &seen["narrow"]), (&false.into(), &false.into()), "the page scrolls sideways");
    assert!(seen["printed"].as_u64().is_some_and(|bytes| bytes > 5000), "{seen}");
}

#[test]
fn thousands_of_paths_stay_usable() {
    const ROUTES: usize = 2500;
    let tree = tempfile::tempdir().expect("a temporary folder");
    let routes = |n: usize| format!("  @Post('login-{n}')\n  login{n}(id: number) {{ return this.store(id); }}\n");
    let source = format!(
        "import {{ Controller, Post }} from '@nestjs/common';\nimport {{ JwtService }} from '@nestjs/jwt';\n\
         import {{ Column, Entity, PrimaryGeneratedColumn, Repository }} from 'typeorm';\n\n\
         @Entity('users')\nexport class User {{\n  @PrimaryGeneratedColumn() id!: number;\n  \
         @Column({{ name: 'access_token', type: 'text', nullable: true }}) accessToken!: string | null;\n}}\n\n\
         @Controller()\nexport class Logins {{\n  constructor(private users: Repository<User>, private jwt: JwtService) {{}}\n\n  \
         store(id: number) {{\n    return this.users.update({{ id }}, {{ accessToken: this.jwt.sign({{ sub: id }}) }});\n  }}\n\n{}}}\n",
        (0..ROUTES).map(routes).collect::<String>()
    );
    std::fs::write(tree.path().join("logins.ts"), source).expect("the file can be written");
    let page = tree.path().join("report.html");
    let config = "[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\n";
    std::fs::write(tree.path().join("tokendrift.toml"), config).expect("the file can be written");
    write_page(tree.path(), &[], &page);
    let Some(seen) = browse(&page) else { return };
    assert!(seen["all"].as_str().is_some_and(|all| all.starts_with("2500 of 2500 paths")), "{seen}");
    assert_eq!(seen["rows"], 100, "only what can be looked at is drawn");
    assert!(seen["loaded"].as_u64().is_some_and(|ms| ms < 20_000), "{}", seen["loaded"]);
}
