//! What forges read: SARIF within its schema and GitHub's limits, annotations, code quality, comments; identities that edits leave alone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use crate::command::{audit_json, files_below, nest_auth, repository, tokendrift, write_files};
use crate::node;

fn audit(dir: &Path, args: &[&str]) -> String {
    let fixed = ["audit", "--quiet"];
    tokendrift(fixed.iter().chain(args).map(OsStr::new).chain([dir.as_os_str()])).stdout
}

fn sarif(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&audit(dir, &[&["--format", "sarif"], args].concat())).expect("SARIF is JSON")
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[test]
fn every_sarif_log_is_valid_against_the_published_schema() {
    let text = std::fs::read_to_string(repository().join("tests/schemas/sarif-2.1.0.json")).expect("the schema");
    // The published schema has one pattern that is no regular expression: a closing bracket too many.
    let text = text.replace("-[a-zA-Z]{2}]?$", "-[a-zA-Z]{2}$");
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).expect("JSON")).expect("a schema");
    for state in ["drifted", "write-consistently", "drop-writes"] {
        let url = format!("sqlite:{}", nest_auth(state).join("database.sqlite").display());
        for args in [&[][..], &["--database-url", &url]] {
            let log = sarif(&nest_auth(state), args);
            let errors: Vec<String> =
                validator.iter_errors(&log).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{state} {args:?}: {errors:#?}");
        }
    }
    let mut broken = sarif(&nest_auth("drifted"), &[]);
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!validator.is_valid(&broken), "the schema lets an unknown level pass");
}

/// Microsoft's validator, with the rules of SARIF and those of GitHub's code scanning: no error and no warning, so there is none to
/// list with a reason. Its notes are left alone: they ask for ids with numbers, for copies of the audited code in the log, for the
/// commit, and whether each help page can be reached from here.
#[test]
fn the_validator_of_microsoft_has_nothing_against_any_sarif_log() {
    let Some(project) = node::project() else { return };
    let Some(validator) = node::native(project, "sarif-multitool", "Sarif.Multitool") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let logs = folder.path().join("logs");
    std::fs::create_dir(&logs).expect("the folder can be made");
    let put = |name: &str, text: String| std::fs::write(logs.join(name), text).expect("the file can be written");
    for state in ["drifted", "write-consistently", "drop-writes"] {
        let url = format!("sqlite:{}", nest_auth(state).join("database.sqlite").display());
        put(&format!("{state}.sarif"), audit(&nest_auth(state), &["--format", "sarif"]));
        put(&format!("{state}-live.sarif"), audit(&nest_auth(state), &["--format", "sarif", "--database-url", &url]));
    }
    // Findings that belong to no column, names that a URI must escape, code that does not parse, and a baseline.
    let odd = folder.path().join("odd [a] #1");
    let strategy = "import { PassportStrategy } from '@nestjs/passport';\nimport { Strategy } from 'passport-jwt';\n\
                    export class JwtStrategy extends PassportStrategy(Strategy) {\n\
                    \x20 async validate(payload: any) {\n    return payload;\n  }\n}\n";
    let more =
        [("src/jwt [1]/é%41 b.strategy.ts", strategy), ("src/broken.ts", "const accessToken = {{{ [x](y) \u{1}")];
    let example = drifted();
    let files = example.iter().map(|(path, text)| (path.as_str(), text.as_str())).chain(more);
    write_files(&odd, &files.collect::<Vec<_>>());
    let baseline = odd.join("known.json");
    let odd_paths = [baseline.as_os_str(), odd.as_os_str()];
    let written = tokendrift(["baseline", "write", "--quiet", "--baseline"].iter().map(OsStr::new).chain(odd_paths));
    assert_eq!(written.code, 0, "{}", written.stderr);
    let known = baseline.to_str().expect("UTF-8");
    let marked = audit(&odd, &["--format", "sarif", "--baseline", known]);
    assert!(marked.contains("%C3%A9%2541%20b.strategy.ts") && marked.contains("unchanged"), "{marked}");
    put("odd.sarif", marked);

    let out = folder.path().join("validation.sarif");
    let output = std::process::Command::new(validator)
        .arg("validate")
        .arg(logs.join("*.sarif"))
        .args(["--rule-kind", "Sarif;Ghas", "--level", "Error;Warning", "--log", "ForceOverwrite", "--output"])
        .arg(&out)
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .output()
        .expect("the validator starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("7 files scanned"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let log: Value = serde_json::from_str(&std::fs::read_to_string(&out).expect("its log")).expect("SARIF");
    let faults: Vec<&Value> = list(&log, "/runs/0/results").iter().map(|result| &result["message"]).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{said}");
}

#[test]
fn every_sarif_result_stands_on_one_line_links_its_related_places_and_shows_its_path() {
    let log = sarif(&nest_auth("drifted"), &[]);
    let results = list(&log, "/runs/0/results");
    assert!(results.len() >= 3, "{log}");
    for result in results {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!(region["startLine"], region["endLine"], "{region}");
        assert!(region["endColumn"].as_u64() > region["startColumn"].as_u64(), "{region}");
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a URI");
        assert!(repository().join(uri).is_file(), "{uri} is no file from the repository's root");
        let text = result["message"]["text"].as_str().expect("a message");
        for related in list(result, "/relatedLocations").iter().take(10) {
            assert!(text.contains(&format!("]({})", related["id"])), "{text}");
        }
        let prints = result["partialFingerprints"].as_object().expect("fingerprints");
        assert_eq!(prints.keys().collect::<Vec<_>>(), ["tokendrift/v1"]);
        assert!(result.get("baselineState").is_none(), "without a baseline there is no state");
    }
    let discarded = results.iter().find(|result| result["ruleId"] == "discarded-token").expect("the finding");
    let flow = list(discarded, "/codeFlows/0/threadFlows/0/locations");
    let lines: Vec<&Value> =
        flow.iter().map(|at| &at["location"]["physicalLocation"]["artifactLocation"]["uri"]).collect();
    assert!(flow.len() >= 3, "entry point, call, write: {flow:?}");
    assert!(lines[0].as_str().is_some_and(|uri| uri.ends_with("auth-web.controller.ts")), "{lines:?}");
    assert!(lines.last().and_then(|uri| uri.as_str()).is_some_and(|uri| uri.ends_with("users.service.ts")));
    let rules = list(&log, "/runs/0/tool/driver/rules");
    let index = usize::try_from(discarded["ruleIndex"].as_u64().expect("an index")).expect("a small one");
    assert_eq!(rules[index]["id"], "discarded-token");
    assert!(
        rules.iter().all(|rule| rule["properties"]["precision"].is_string() && rule["help"]["markdown"].is_string())
    );
}

/// Checks that only a database can set off.
const LIVE: [&str; 4] = ["live-incomplete", "null-ratio", "orphaned-tokens", "prediction-contradicted"];

#[test]
fn a_live_finding_stands_at_the_columns_line_and_no_message_holds_a_live_number() {
    let url = format!("sqlite:{}", nest_auth("drifted").join("database.sqlite").display());
    let live = audit_json(&nest_auth("drifted"), &["--database-url", &url]).report();
    let without = audit_json(&nest_auth("drifted"), &[]).report();
    let messages = |report: &Value| -> BTreeSet<String> {
        list(report, "/findings").iter().map(|finding| finding["message"].to_string()).collect()
    };
    for finding in list(&live, "/findings")
        .iter()
        .filter(|finding| finding["check"].as_str().is_some_and(|check| LIVE.contains(&check)))
    {
        assert_eq!(finding["file"], "tokendrift.toml", "{finding}");
    }
    assert!(messages(&live).is_superset(&messages(&without)));
}

#[test]
fn annotations_name_file_and_line_and_end_in_a_count() {
    let text = audit(&nest_auth("drifted"), &["--format", "github"]);
    let lines: Vec<&str> = text.lines().collect();
    let discarded = lines.iter().find(|line| line.contains("title=discarded-token")).expect("the finding");
    let file = "fixtures/nest-auth/drifted/src/users/users.service.ts";
    assert!(discarded.starts_with(&format!("::warning file={file},line=")), "{discarded}");
    assert!(discarded.contains("%0A"), "related places stand on lines of their own");
    assert!(lines.last().is_some_and(|line| line.starts_with("tokendrift: ")), "{text}");
}

#[test]
fn code_quality_issues_have_fingerprints_of_their_own() {
    let text = audit(&nest_auth("drifted"), &["--format", "gitlab"]);
    let issues: Vec<Value> = serde_json::from_str(&text).expect("a list");
    let prints: BTreeSet<&str> = issues.iter().filter_map(|issue| issue["fingerprint"].as_str()).collect();
    assert!(!issues.is_empty() && prints.len() == issues.len(), "{text}");
    for issue in &issues {
        let known = ["info", "minor", "major", "critical", "blocker"];
        assert!(issue["severity"].as_str().is_some_and(|severity| known.contains(&severity)), "{issue}");
        assert!(repository().join(issue["location"]["path"].as_str().expect("a path")).is_file(), "{issue}");
        assert!(issue["location"]["lines"]["begin"].is_u64() && issue["description"].is_string(), "{issue}");
    }
}

#[test]
fn a_comment_has_its_mark_its_counts_and_every_finding() {
    let text = audit(&nest_auth("drifted"), &["--format", "markdown"]);
    assert!(text.starts_with("<!-- tokendrift -->\n"), "{text}");
    for part in ["discarded-token", "path-drift", "fixtures/nest-auth/drifted/src/users/users.service.ts:", "warning"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

#[test]
fn several_formats_of_one_run_go_to_files_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (sarif, json, table) = (path("a.sarif"), path("a.json"), path("a.txt"));
    let args = ["--sarif-output", &sarif, "--json-output", &json, "--output", &table];
    assert_eq!(audit(&nest_auth("drifted"), &args), "");
    assert_eq!(std::fs::read_to_string(&sarif).expect("SARIF"), audit(&nest_auth("drifted"), &["--format", "sarif"]));
    assert_eq!(std::fs::read_to_string(&json).expect("JSON"), audit(&nest_auth("drifted"), &["--format", "json"]));
    assert!(std::fs::read_to_string(&table).expect("a table").contains("discarded-token"));
    let dir = nest_auth("drifted");
    let twice = tokendrift(["audit", "--sarif-output", &json, "--json-output", &json, dir.to_str().expect("UTF-8")]);
    assert!(twice.code == 2 && twice.stderr.contains("two results would go to"), "{}", twice.stderr);
}

#[test]
fn a_result_never_goes_over_what_audits_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    for (file, flags) in [
        ("tokendrift.toml", vec!["audit", "--output"]),
        ("a.ts", vec!["audit", "--sarif-output"]),
        ("mine.toml", vec!["audit", "--config", "FILE", "--json-output"]),
        ("known.json", vec!["audit", "--baseline", "FILE", "--output"]),
        ("tokendrift.toml", vec!["baseline", "write", "--baseline"]),
    ] {
        std::fs::write(path(file), "kept").expect("a file");
        let flags = flags.into_iter().map(|flag| if flag == "FILE" { path(file) } else { flag.to_owned() });
        let args: Vec<String> = flags.chain([path(file), path("")]).collect();
        let ran = tokendrift(args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ran.code == 2 && ran.stderr.contains("name another file"), "{args:?}: {}", ran.stderr);
        assert_eq!(std::fs::read_to_string(path(file)).expect("a file"), "kept", "{args:?}");
    }
}

#[test]
fn a_result_never_goes_over_a_database_or_over_code_behind_a_link() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("rows.dat"), b"SQLite format 3\0 and more").expect("a file");
    std::fs::write(path("a.ts"), "kept").expect("a file");
    std::os::unix::fs::symlink(path("a.ts"), path("out.json")).expect("a link");
    for file in ["rows.dat", "out.json"] {
        let ran = tokendrift(["audit", "--json-output", &path(file), &path("")]);
        assert!(ran.code == 2 && ran.stderr.contains("name another file"), "{file}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read_to_string(path("a.ts")).expect("a file"), "kept");
    let config = "[[column]]\ntable = \"users\"\ncolumn = \"token\"\ndecision = \"why.md\"\n";
    write_files(folder.path(), &[("tokendrift.toml", config), ("why.md", "kept")]);
    let ran = tokendrift(["audit", "--markdown-output", &path("why.md"), &path("")]);
    assert!(ran.code == 2 && ran.stderr.contains("is a decision record"), "{}", ran.stderr);
}

/// The drifted example's files, with what comments say for tests taken out.
fn drifted() -> Vec<(String, String)> {
    let root = "fixtures/nest-auth/drifted/";
    let mut files = files_below(root, "ts");
    files.extend(files_below(root, "toml"));
    files.into_iter().map(|(path, text)| (path[root.len()..].to_owned(), text)).collect()
}

fn identities(files: &[(String, String)]) -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    write_files(folder.path(), &files);
    let report = audit_json(folder.path(), &[]).report();
    list(&report, "/findings").iter().filter_map(|finding| finding["identity"].as_str()).map(str::to_owned).collect()
}

#[test]
fn identities_stay_when_code_moves_locals_are_renamed_and_files_change_their_order() {
    let files = drifted();
    let before = identities(&files);
    assert!(before.len() >= 3, "{before:?}");
    let change = |edit: &dyn Fn(&str, &str) -> (String, String)| {
        let edited: Vec<(String, String)> = files.iter().map(|(path, text)| edit(path, text)).collect();
        assert_ne!(edited, files, "the edit changes something");
        identities(&edited)
    };
    let moved = change(&|path, text| {
        let mark = if path.ends_with("toml") { "#" } else { "//" };
        (path.to_owned(), format!("{mark} a line\n\n\n{mark} another\n{text}"))
    });
    assert_eq!(moved, before, "lines above");
    let renamed = change(&|path, text| {
        if path.ends_with("auth-web.service.ts") {
            let text = text.replace("const user ", "const account ").replace("user.", "account.");
            return (
                path.to_owned(),
                text.replace("const accessToken", "const jwt").replace("{ accessToken,", "{ accessToken: jwt,"),
            );
        }
        (path.to_owned(), text.to_owned())
    });
    assert_eq!(renamed, before, "locals renamed");
    let swapped = change(&|path, text| {
        let swap = |text: &str| {
            text.replace("users.service", "a-users.service")
                .replace("auth-web.service", "zz-web.service")
                .replace("auth-mobile.controller", "zz.controller")
        };
        (swap(path), swap(text))
    });
    assert_eq!(swapped, before, "files in another order");
    let reordered = change(&|path, text| {
        if path.ends_with("auth-web.service.ts") {
            let (head, rest) = text.split_once("  async login(").expect("a method");
            let (login, helper) = rest.split_once("\n  /** Every web login").expect("two methods");
            let helper = helper.trim_end().trim_end_matches('}');
            return (path.to_owned(), format!("{head}  /** Every web login{helper}\n  async login({login}}}\n"));
        }
        (path.to_owned(), text.to_owned())
    });
    assert_eq!(reordered, before, "methods in another order");
}

/// A handler that mints a token and stores the old one, over a local function called `local`.
fn keeps_the_old(name: &str, local: &str) -> String {
    format!(
        "import jwt from 'jsonwebtoken';\nimport {{ PrismaClient }} from '@prisma/client';\nconst prisma = new PrismaClient();\n\
         export async function {name}(id: string) {{\n  const {local} = async (t: string | null) => {{\n    \
         await prisma.user.update({{ where: {{ id }}, data: {{ accessToken: t }} }});\n  }};\n  \
         const u = await prisma.user.findUniqueOrThrow({{ where: {{ id }} }});\n  const token = jwt.sign({{ sub: id }}, 's');\n  \
         await {local}(u.accessToken);\n  return token;\n}}\n"
    )
}

/// A project whose `src/good/` stores what it mints, with `handlers` beside.
fn prisma_project(handlers: &[(&str, String)]) -> Vec<(String, String)> {
    let schema =
        "model User {\n  id String @id\n  accessToken String? @map(\"access_token\")\n\n  @@map(\"users\")\n}\n";
    let config = "[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\n";
    let good = |name: &str| keeps_the_old(name, "store").replace("store(u.accessToken)", "store(token)");
    let mut files = vec![
        ("schema.prisma".to_owned(), schema.to_owned()),
        ("tokendrift.toml".to_owned(), config.to_owned()),
        ("src/good/a.ts".to_owned(), good("signUp")),
        ("src/good/b.ts".to_owned(), good("refresh")),
    ];
    files.extend(handlers.iter().map(|(path, text)| ((*path).to_owned(), text.clone())));
    files
}

#[test]
fn a_local_function_may_be_renamed_and_a_function_of_the_same_name_elsewhere_is_another() {
    let of = |path, local| identities(&prisma_project(&[(path, keeps_the_old("login", local))]));
    let before = of("src/web/a.ts", "store");
    assert!(before.iter().any(|identity| identity.starts_with("discarded-token|")), "{before:?}");
    assert_eq!(of("src/web/a.ts", "put"), before, "a local function renamed");
    let drift = |identities: &BTreeSet<String>| -> BTreeSet<String> {
        identities.iter().filter(|identity| identity.contains("login")).cloned().collect()
    };
    let mock = ("test/mock.spec.ts", "export class Web { login() {} }\nexport function login() {}\n".to_owned());
    let mocked = identities(&prisma_project(&[("src/web/a.ts", keeps_the_old("login", "store")), mock]));
    assert_eq!(mocked, before, "what else has the name changes nothing");
    let elsewhere = of("src/tv/a.ts", "store");
    assert!(drift(&elsewhere).is_disjoint(&drift(&before)), "one mended, another like it elsewhere: that one is new");
    let both = [("src/web/a.ts", keeps_the_old("login", "store")), ("src/tv/a.ts", keeps_the_old("login", "store"))];
    let both = identities(&prisma_project(&both));
    assert_eq!(drift(&both), &drift(&before) | &drift(&elsewhere), "each keeps its own beside the other");
}

#[test]
fn identities_are_the_same_from_whatever_folder_of_a_repository_an_audit_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = prisma_project(&[("src/web/a.ts", keeps_the_old("login", "store"))]);
    let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.iter_mut().filter(|(path, _)| *path == "schema.prisma").for_each(|(path, _)| *path = "src/schema.prisma");
    write_files(folder.path(), &files);
    std::fs::create_dir(folder.path().join(".git")).expect("a folder");
    let of = |below: &str| {
        let report = audit_json(&folder.path().join(below), &[]).report();
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let all: BTreeSet<(String, String)> = list(&report, "/findings")
            .iter()
            .map(|finding| (text(finding, "identity"), text(finding, "file")))
            .collect();
        all
    };
    let identities = |all: &BTreeSet<(String, String)>| all.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    let (whole, below) = (of(""), of("src"));
    assert_eq!(identities(&whole), identities(&below));
    assert!(whole.iter().any(|(_, file)| file == "tokendrift.toml"), "{whole:?}");
    assert!(below.iter().any(|(_, file)| file == "../tokendrift.toml"), "{below:?}");
    let sarif = audit(&folder.path().join("src"), &["--format", "sarif"]);
    assert!(sarif.contains("\"uri\":\"tokendrift.toml\"") && !sarif.contains("\"uri\":\".."), "{sarif}");
}
