//! Expectations written on the very lines they are about, in fixtures and in the code blocks of pages.
//!
//! # Expectations
//!
//! A comment that starts with `//~` (also `--~` in SQL and `#~` in TOML) states what the audit says about its line. With `^` after it,
//! it is about the line above (`//~^`), with two about the one above that. Several are separated by `;`:
//!
//! ```text
//! //~ users.access_token update fresh
//! //~ users.access_token update fresh via AuthMobileController.login; users.access_token update null via SessionController.logout
//! //~ update preserved
//! //~ insert fresh as hashed
//! //~ finding discarded-token
//! ```
//!
//! - `[<table.column>] <operation> <semantics> [as <form>] [via <entry point>]`: a write site whose value stands on this line (or,
//!   where no expectation fits better, whose call starts here). The column may be left out where the page tracks one. Without `via` it
//!   is about the whole site; with it, about the path from that entry point (its name or its route).
//! - `finding <check>`: a finding of that check at this line.
//! - `guard <verdict> [via <its routes, in order>]`, `read <kind>`: a guard, a read of the column at this line, what is said of it.
//!
//! # Pages
//!
//! `rules/*.md` and `docs/checks/*.md` hold fenced blocks with a file's name: ` ```ts file=src/users.ts `; a block without one that states
//! an expectation is a file too (`block-<line>.ts`), and any other is only shown. `<!-- column: users.access_token -->`
//! starts a project and says what it tracks; `<!-- fixed -->` starts the project's repaired state, which tracks the same. A project that has
//! a `tokendrift.toml` among its files is audited with it instead; one that has a block ` ```sql database ` is held against the SQLite
//! database that these statements make. Every project is written to a folder of its own and audited by the
//! real binary.
//!
//! # What fails
//!
//! An expectation that does not hold; a comment that cannot be read as one; on a rule page and in a fixture a production site or a
//! path of it that nothing is expected of; on a check's page a finding of that check, and in a fixture any finding, that is not expected. So the
//! repaired state of a check's page, which expects no finding, must have none.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::command::{audit_json, files_below, write_files};
use crate::inputs::database;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expectation {
    file: String,
    /// 1-based.
    line: u64,
    what: Expected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    Write {
        column: Option<String>,
        operation: String,
        semantics: String,
        form: Option<String>,
        via: Option<String>,
    },
    Finding {
        check: String,
    },
    /// A guard's verdict, a read's kind: what an element of the report's list says under the key.
    Listed {
        list: &'static str,
        key: &'static str,
        says: String,
        routes: Option<String>,
    },
}

/// What must not be there without an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed<'a> {
    /// Production sites and their paths.
    Sites,
    /// Findings of one check.
    Check(&'a str),
    /// Production sites, their paths, and all findings.
    All,
}

/// The expectations of a file. A comment that cannot be read is an `Err` that says where it is.
pub(crate) fn expectations(file: &str, text: &str) -> Result<Vec<Expectation>, String> {
    let mut found = Vec::new();
    for (line, content) in (1_u64..).zip(text.lines()) {
        let markers = ["//~", "--~", "#~"];
        let Some(rest) = markers.iter().find_map(|marker| content.split_once(marker).map(|(_, rest)| rest)) else {
            continue;
        };
        let above = rest.bytes().take_while(|b| *b == b'^').count();
        let line = line.saturating_sub(above as u64);
        for item in rest[above..].split(';') {
            let what = expected(item).ok_or_else(|| format!("{file}:{line}: cannot read `{}`", item.trim()))?;
            found.push(Expectation { file: file.to_owned(), line, what });
        }
    }
    Ok(found)
}

fn expected(item: &str) -> Option<Expected> {
    let (item, via) = match item.split_once(" via ") {
        Some((item, via)) => (item, Some(via.trim().to_owned())),
        None => (item, None),
    };
    let mut words: Vec<&str> = item.split_whitespace().collect();
    if let ["finding", check] = words[..] {
        return via.is_none().then(|| Expected::Finding { check: check.to_owned() });
    }
    if let [word @ ("guard" | "read"), says] = words[..] {
        let (list, key) = if word == "guard" { ("guards", "verdict") } else { ("read_sites", "kind") };
        let fits = via.is_none() || word == "guard";
        return fits.then(|| Expected::Listed { list, key, says: says.to_owned(), routes: via });
    }
    let form = match words[..] {
        [.., "as", form] => Some(form.to_owned()),
        _ => None,
    };
    if form.is_some() {
        words.truncate(words.len() - 2);
    }
    let column = words.first().filter(|word| word.contains('.')).map(|word| (*word).to_owned());
    let [operation, semantics] = words[usize::from(column.is_some())..] else { return None };
    let operations = ["insert", "update", "upsert-create", "upsert-update"];
    let origins = ["fresh", "preserved", "null", "supplied", "generated", "omitted", "unknown"];
    let known = operations.contains(&operation) && semantics.split("-or-").all(|origin| origins.contains(&origin));
    known.then(|| Expected::Write {
        column,
        operation: operation.to_owned(),
        semantics: semantics.to_owned(),
        form,
        via,
    })
}

/// A write site of a report, with the name of its column.
struct Site<'a> {
    column: &'a str,
    json: &'a Value,
}

impl Site<'_> {
    fn is_at(&self, key: &str, at: &Expectation) -> bool {
        self.json["file"] == at.file.as_str() && self.json[key] == at.line
    }

    fn paths(&self) -> &[Value] {
        self.json["paths"].as_array().map_or(&[], Vec::as_slice)
    }

    fn shown(&self) -> String {
        format!("{}:{}", text(&self.json["file"]), self.json["value_line"])
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn entry(path: &Value) -> [&str; 2] {
    [text(&path["entry_point"]["name"]), text(&path["entry_point"]["route"])]
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Holds a report against expectations; the answer is one line for everything that differs.
pub(crate) fn differences(expectations: &[Expectation], report: &Value, closed: Closed) -> Vec<String> {
    let sites: Vec<Site> = items(report, "columns")
        .iter()
        .flat_map(|column| {
            items(column, "write_sites").iter().map(|json| Site { column: text(&column["column"]), json })
        })
        .collect();
    let mut wrong = Vec::new();
    // Per site: which of its paths are accounted for. A site without an entry is not.
    let mut accounted: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
    let mut findings: Vec<&Value> = items(report, "findings").iter().collect();
    for expectation in expectations {
        let shown = format!("{}:{}", expectation.file, expectation.line);
        match &expectation.what {
            Expected::Finding { check } => {
                let at = findings.iter().position(|finding| {
                    finding["check"] == check.as_str()
                        && finding["file"] == expectation.file.as_str()
                        && finding["line"] == expectation.line
                });
                match at {
                    Some(at) => drop(findings.remove(at)),
                    None => wrong.push(format!("{shown}: no finding {check}")),
                }
            }
            Expected::Listed { list, key, says, routes } => {
                let here = std::iter::once(report).chain(items(report, "columns")).flat_map(|at| items(at, list));
                let here = here.filter(|it| it["file"] == expectation.file.as_str() && it["line"] == expectation.line);
                let joined = |it: &Value| items(it, "routes").iter().map(text).collect::<Vec<_>>().join(", ");
                let found: Vec<(&str, String)> = here.map(|it| (text(&it[*key]), joined(it))).collect();
                if !found.iter().any(|(word, of)| word == says && routes.as_ref().is_none_or(|routes| routes == of)) {
                    wrong.push(format!("{shown}: no {says} {routes:?} of {list} here, but {found:?}"));
                }
            }
            Expected::Write { column, operation, semantics, form, via } => {
                let fits = |site: &Site| {
                    column.as_deref().is_none_or(|column| column == site.column)
                        && site.json["operation"] == operation.as_str()
                };
                let at = ["value_line", "line"]
                    .iter()
                    .find_map(|key| sites.iter().position(|site| site.is_at(key, expectation) && fits(site)));
                let Some(at) = at else {
                    let here: Vec<String> = sites
                        .iter()
                        .filter(|site| site.is_at("value_line", expectation) || site.is_at("line", expectation))
                        .map(|site| format!("{} {}", site.column, text(&site.json["operation"])))
                        .collect();
                    wrong.push(format!("{shown}: no site {operation} {semantics} here, but {here:?}"));
                    continue;
                };
                let paths = sites[at].paths();
                let seen = accounted.entry(at).or_insert_with(|| vec![false; paths.len()]);
                let mut judged: Vec<&Value> = Vec::new();
                match via {
                    None => {
                        seen.fill(true);
                        judged.push(sites[at].json);
                    }
                    Some(via) => {
                        for (path, seen) in paths.iter().zip(seen.iter_mut()) {
                            if entry(path).contains(&via.as_str()) {
                                *seen = true;
                                judged.push(path);
                            }
                        }
                    }
                }
                if judged.is_empty() {
                    let known: Vec<&str> = paths.iter().map(|path| entry(path)[0]).collect();
                    wrong.push(format!("{shown}: no path via {}, but {known:?}", via.as_deref().unwrap_or("?")));
                }
                for json in judged {
                    let via = via.as_deref().map_or(String::new(), |via| format!(" via {via}"));
                    let reason = text(&json["reason"]);
                    if json["semantics"] != semantics.as_str() {
                        let got = text(&json["semantics"]);
                        wrong.push(format!("{shown}: {operation}{via} is {got}, not {semantics} ({reason})"));
                    }
                    if form.as_deref().is_some_and(|form| json["form"] != form) {
                        wrong.push(format!("{shown}: {operation}{via} has form {}, not {form:?}", json["form"]));
                    }
                }
            }
        }
    }
    if matches!(closed, Closed::Sites | Closed::All) {
        for (at, site) in sites.iter().enumerate().filter(|(_, site)| site.json["scope"] == "production") {
            let what = format!("{} {} {}", site.column, text(&site.json["operation"]), text(&site.json["semantics"]));
            match accounted.get(&at) {
                None => wrong.push(format!("{}: unexpected site: {what}", site.shown())),
                Some(seen) => {
                    for (path, _) in site.paths().iter().zip(seen).filter(|(_, seen)| !**seen) {
                        let path = format!("{} via {}", text(&path["semantics"]), entry(path)[0]);
                        wrong.push(format!("{}: unexpected path: {path}", site.shown()));
                    }
                }
            }
        }
    }
    for finding in findings {
        let check = text(&finding["check"]);
        let counts = match closed {
            Closed::Sites => false,
            Closed::Check(own) => check == own,
            Closed::All => true,
        };
        if counts {
            let at = format!("{}:{}", text(&finding["file"]), finding["line"]);
            wrong.push(format!("{at}: unexpected finding {check}: {}", text(&finding["message"])));
        }
    }
    wrong
}

/// One project of a page.
#[derive(Debug)]
struct Project {
    /// The page's line where it starts.
    line: usize,
    column: String,
    files: Vec<(String, String)>,
    /// The statements that make its database.
    database: Option<String>,
}

impl Project {
    fn new(line: usize, column: &str) -> Self {
        Self { line, column: column.to_owned(), files: Vec::new(), database: None }
    }
}

/// How the name of a block's file starts where the page does not say it.
const UNNAMED: &str = "block-";

/// The name that stands for the database among a project's blocks.
const DATABASE: &str = "database";

/// The projects of a page, in order.
fn projects(page: &str) -> Result<Vec<Project>, String> {
    let mut found: Vec<Project> = Vec::new();
    let mut block: Option<(String, String)> = None;
    for (number, line) in (1..).zip(page.lines()) {
        if let Some((name, text)) = &mut block {
            if line.trim_end() == "```" {
                let file = (std::mem::take(name), std::mem::take(text));
                block = None;
                // Without a name it is part of the project only where it is about something.
                if file.0.is_empty() || (file.0.starts_with(UNNAMED) && !file.1.contains("//~")) {
                    continue;
                }
                let project = found.last_mut().ok_or(format!("line {number}: a file before any `<!-- column: -->`"))?;
                if project.files.iter().any(|(name, _)| *name == file.0) {
                    return Err(format!("line {number}: `{}` stands twice in one project", file.0));
                }
                if file.0 == DATABASE {
                    project.database = Some(file.1);
                } else {
                    project.files.push(file);
                }
            } else {
                text.push_str(line);
                text.push('\n');
            }
        } else if let Some(name) = line.strip_prefix("```").and_then(|info| info.split_once(" file=")) {
            block = Some((name.1.trim().to_owned(), String::new()));
        } else if line.trim_end() == "```sql database" {
            block = Some((DATABASE.to_owned(), String::new()));
        } else if let Some(language) = line.strip_prefix("```") {
            let language = language.trim();
            let name = if language.is_empty() { String::new() } else { format!("{UNNAMED}{number}.{language}") };
            block = Some((name, String::new()));
        } else if let Some(column) = line.trim().strip_prefix("<!-- column:").and_then(|r| r.strip_suffix("-->")) {
            found.push(Project::new(number, column.trim()));
        } else if line.trim() == "<!-- fixed -->" {
            let column = found.last().map(|project| project.column.clone());
            let column = column.ok_or(format!("line {number}: `<!-- fixed -->` before any `<!-- column: -->`"))?;
            found.push(Project::new(number, &column));
        }
    }
    if block.is_some() {
        return Err("the last block is not closed".into());
    }
    found.retain(|project| !project.files.is_empty());
    Ok(found)
}

/// Runs the projects of one page; the answer is one line for everything that differs.
fn run_page(path: &str, page: &str, closed: Closed) -> Vec<String> {
    let projects = match projects(page) {
        Ok(projects) => projects,
        Err(error) => return vec![format!("{path}: {error}")],
    };
    let mut wrong = Vec::new();
    let mut expected = 0;
    for project in projects {
        let shown = format!("{path} (project at line {})", project.line);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files: Vec<(&str, &str)> =
            project.files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        write_files(folder.path(), &files);
        let configured = files.iter().any(|(name, _)| *name == "tokendrift.toml");
        let column = ["--no-config", "--column", &project.column];
        let mut args = if configured { Vec::new() } else { column.to_vec() };
        let beside = tempfile::tempdir().expect("a temporary folder");
        let file = beside.path().join("page.sqlite");
        let url = format!("sqlite:{}", file.display());
        if let Some(sql) = &project.database {
            database(&file, sql.clone());
            args.extend(["--database-url", &url]);
        }
        let run = audit_json(folder.path(), &args);
        // Only a database can leave a page's run incomplete.
        let ran = matches!(run.code, 0 | 1) || (run.code == 3 && project.database.is_some());
        if !ran {
            wrong.push(format!("{shown}: exit {}: {}", run.code, run.stderr));
            continue;
        }
        let wanted: Result<Vec<_>, String> = files.iter().map(|(name, text)| expectations(name, text)).collect();
        match wanted {
            Ok(wanted) => {
                let wanted = wanted.concat();
                expected += wanted.len();
                let found = differences(&wanted, &run.report(), closed);
                wrong.extend(found.into_iter().map(|difference| format!("{shown}: {difference}")));
            }
            Err(error) => wrong.push(format!("{shown}: {error}")),
        }
    }
    if expected == 0 {
        wrong.push(format!("{path}: expects nothing"));
    }
    wrong
}

fn run_pages(folder: &str, closed: impl Fn(&str) -> Closed<'_>) {
    let pages = files_below(folder, "md");
    assert!(!pages.is_empty(), "no pages in {folder}/");
    let mut wrong = Vec::new();
    for (path, page) in &pages {
        let id = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".md");
        wrong.extend(run_page(path, page, closed(id)));
    }
    assert!(wrong.is_empty(), "{} of {folder}/ do not hold:\n  {}", wrong.len(), wrong.join("\n  "));
}

#[test]
fn the_examples_of_every_rule_page_hold() {
    run_pages("rules", |_| Closed::Sites);
}

#[test]
fn the_examples_of_every_check_page_hold_in_both_directions() {
    run_pages("docs/checks", |id| Closed::Check(id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        let path = |name: &str, semantics: &str| json!({"entry_point": {"name": name, "route": ""}, "semantics": semantics, "form": "plain", "reason": "r"});
        json!({
            "columns": [{"column": "t.c", "write_sites": [{
                "file": "a.ts", "line": 1, "value_line": 2, "operation": "update", "scope": "production",
                "semantics": "fresh-or-preserved", "form": "plain",
                "paths": [path("A.x", "fresh"), path("B.y", "preserved")]
            }]}],
            "findings": [{"check": "path-drift", "file": "a.ts", "line": 2, "message": "m"}]
        })
    }

    fn held(text: &str, closed: Closed) -> Vec<String> {
        differences(&expectations("a.ts", text).unwrap(), &report(), closed)
    }

    #[test]
    fn an_expectation_that_holds_makes_no_difference() {
        let both = "x\ny //~ t.c update fresh via A.x; update preserved as plain via B.y; finding path-drift";
        assert_eq!(held(both, Closed::All), Vec::<String>::new());
        assert_eq!(held("x\ny\n//~^ update fresh-or-preserved", Closed::Sites), Vec::<String>::new());
        assert_eq!(held("x //~ update fresh-or-preserved", Closed::Sites), Vec::<String>::new(), "by the call's line");
    }

    #[test]
    fn a_wrong_word_a_wrong_line_and_a_missing_expectation_are_differences() {
        for text in [
            "x\ny //~ update preserved via A.x; update preserved via B.y",
            "x\ny //~ update fresh-or-preserved as hashed",
            "x\ny //~ insert fresh-or-preserved; update fresh-or-preserved",
            "x\ny //~ t.d update fresh; update fresh-or-preserved",
            "x\ny\nz //~ update fresh-or-preserved",
            "x\ny //~ update fresh via A.x",
            "x\ny //~ update fresh-or-preserved; update fresh via C.z",
            "x\ny //~ update fresh-or-preserved; finding missing-write",
            "x\ny",
        ] {
            assert_ne!(held(text, Closed::Sites), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_finding_that_nobody_expects_counts_where_the_page_is_about_it() {
        let text = "x\ny //~ update fresh-or-preserved";
        assert_eq!(held(text, Closed::Check("missing-write")), Vec::<String>::new());
        assert_eq!(held(text, Closed::Check("path-drift")).len(), 1);
        assert_eq!(held(text, Closed::All).len(), 1);
    }

    #[test]
    fn a_comment_that_is_no_expectation_is_an_error() {
        for text in ["//~ update", "//~ update frsh", "//~ change fresh", "//~ finding a b", "//~ finding a via B.c"] {
            assert!(expectations("a.ts", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_is_a_row_of_projects() {
        let page = "# t\n<!-- column: t.c -->\n```ts file=a.ts\nx\n```\n```sh\nls\n```\n<!-- fixed -->\n```ts file=a.ts\ny\n```\n";
        let unnamed = projects("<!-- column: t.c -->\n```ts\nx //~ update null\n```\n").unwrap();
        assert_eq!(unnamed[0].files, [("block-2.ts".to_owned(), "x //~ update null\n".to_owned())]);
        let found = projects(page).unwrap();
        let files: Vec<_> = found.iter().map(|project| (project.column.as_str(), project.files.clone())).collect();
        let one = |text: &str| vec![("a.ts".to_owned(), text.to_owned())];
        assert_eq!(files, [("t.c", one("x\n")), ("t.c", one("y\n"))]);
        assert!(projects("```ts file=a.ts\nx\n```\n").is_err(), "a file that belongs to no project");
        assert!(projects("<!-- column: t.c -->\n```ts file=a.ts\nx\n").is_err(), "a block without end");
    }
}
