//! The modules of the crate depend on each other only as the table says, and no edge of the table is idle.

use std::collections::BTreeSet;

use crate::command::repository;
use crate::rust_text::{RustFile, sources, whole_words};

/// A module and the modules it may name, in pipeline order: the order of `pub mod` in `src/lib.rs`. A row names only rows above
/// it, and each of its edges is in use.
const MODULES: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("ir", &["source"]),
    ("rules", &[]),
    ("config", &["source"]),
    ("discover", &["source", "config"]),
    ("frontend", &["source", "ir"]),
    ("summary", &["source", "ir"]),
    ("graph", &["source", "ir", "rules", "summary"]),
    ("schema", &["source", "ir", "rules", "config", "summary"]),
    ("sites", &["source", "ir", "rules", "summary", "graph", "schema"]),
    ("provenance", &["source", "ir", "rules", "summary", "graph", "schema", "sites"]),
    ("guards", &["source", "ir", "rules", "summary", "graph", "schema", "sites", "provenance"]),
    ("pins", &["source", "ir", "rules", "config", "graph", "schema"]),
    ("demand", &["source", "ir", "rules", "config", "summary", "graph", "schema"]),
    ("probe", &["source", "ir", "config", "frontend", "provenance"]),
    ("fix", &["source", "ir", "rules", "graph"]),
    ("contract", &["source", "ir", "rules", "config", "graph", "schema", "provenance", "guards", "probe", "fix"]),
    ("draft", &["source", "rules", "config", "schema", "provenance", "probe", "contract"]),
    ("report", &["source", "rules", "config", "schema", "provenance", "guards", "probe", "fix", "contract"]),
];

/// What may name every module (path prefixes): the crate's root, which chains the stages, and the binary.
const ROOTS: &[&str] = &["src/lib.rs", "src/main.rs", "src/cli"];

/// Words of the standard library and of crates, and the only places (path prefixes) that may use them.
const PLACES: &[(&[&str], &[&str], &str)] = &[
    (
        &["std::fs", "fs::", "File::open", "read_dir"],
        &["src/discover/", "src/config/", "src/rules/load.rs", "src/probe/session/sqlite.rs", "src/main.rs", "src/cli"],
        "only discovery, configuration, rule packs and the probe (its database) read files",
    ),
    (
        &["print!", "println!", "eprint!", "eprintln!", "stdout", "stderr"],
        &["src/main.rs", "src/cli", "src/report/"],
        "only the binary and the report print",
    ),
    (&["sqlx", "tokio", "async"], &["src/probe/"], "only the probe connects, and only it is async"),
    (&["Serialize"], &["src/report/"], "only the report serialises"),
    (&["tree_sitter", "sqlparser"], &["src/frontend/"], "only front ends parse source"),
    (&["clap"], &["src/main.rs", "src/cli"], "the command line never leaves the binary"),
];

/// Every `crate::x` of a file outside its tests: the module `x`, and where it stands.
fn edges(file: &RustFile) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for at in whole_words(&file.code, "crate::") {
        let after = &file.code[at + "crate::".len()..];
        let line = file.line(at);
        if let Some(group) = after.strip_prefix('{') {
            found.extend(group_heads(group).into_iter().map(|name| (name, line)));
        } else {
            found.push((identifier(after), line));
        }
    }
    found.retain(|(name, _)| !name.is_empty());
    found
}

/// The first segments in `{a::b, c::{d, e}}`, the opening brace taken off.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0_usize;
    let mut at_head = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            c if at_head && !c.is_whitespace() => {
                heads.push(identifier(&group[at..]));
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn is_root(file: &RustFile) -> bool {
    ROOTS.iter().any(|root| file.path.starts_with(root))
}

fn fail_on(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
}

#[test]
fn modules_name_only_the_modules_that_their_row_allows() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !is_root(file)) {
        let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == file.module()) else {
            wrong.push(format!("{}: module `{}` has no row", file.path, file.module()));
            continue;
        };
        for (to, line) in edges(file) {
            let known = MODULES.iter().any(|(name, _)| *name == to);
            if known && to != file.module() && !allowed.contains(&to.as_str()) {
                wrong.push(format!("{}:{line}: `{}` must not name `{to}`", file.path, file.module()));
            }
        }
    }
    fail_on(&wrong, "edges that MODULES does not allow");
}

#[test]
fn every_allowed_edge_is_used() {
    let used: BTreeSet<(String, String)> = sources()
        .iter()
        .flat_map(|file| edges(file).into_iter().map(|(to, _)| (file.module().to_owned(), to)))
        .collect();
    let idle: Vec<String> = MODULES
        .iter()
        .flat_map(|(from, allowed)| allowed.iter().map(|to| ((*from).to_owned(), (*to).to_owned())))
        .filter(|edge| !used.contains(edge))
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect();
    fail_on(&idle, "edges of MODULES that nobody uses");
}

#[test]
fn a_row_names_only_rows_above_it() {
    for (at, (name, allowed)) in MODULES.iter().enumerate() {
        for to in *allowed {
            let above = MODULES[..at].iter().any(|(other, _)| other == to);
            assert!(above, "`{name}` names `{to}`, which does not stand above it");
        }
    }
}

#[test]
fn the_modules_of_the_crate_stand_in_pipeline_order() {
    let files = sources();
    let root = files.iter().find(|file| file.path == "src/lib.rs").expect("the crate has a root");
    let declared: Vec<String> = whole_words(&root.code, "pub mod ")
        .into_iter()
        .map(|at| identifier(&root.code[at + "pub mod ".len()..]))
        .collect();
    let table: Vec<&str> = MODULES.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared, table, "`pub mod` lines of src/lib.rs against MODULES");
}

#[test]
fn the_code_map_has_every_module_in_pipeline_order() {
    let page = std::fs::read_to_string(repository().join("docs/architecture.md")).expect("the page");
    let (_, map) = page.split_once("## Code map").expect("the page has a code map");
    let (map, _) = map.split_once("\n## ").expect("the code map ends");
    let rows = map.lines().filter_map(|line| line.strip_prefix("| `src/"));
    let mapped: Vec<&str> = rows.filter_map(|row| row.split(['/', '.']).next()).collect();
    let table: Vec<&str> = MODULES.iter().map(|(name, _)| *name).collect();
    assert_eq!(mapped, table, "the code map against MODULES");
}

#[test]
fn paths_start_at_the_crate_and_not_at_the_parent() {
    let wrong: Vec<String> = sources()
        .iter()
        .flat_map(|file| {
            let at = whole_words(&file.code, "super::");
            at.into_iter().map(|at| format!("{}:{}", file.path, file.line(at))).collect::<Vec<_>>()
        })
        .collect();
    fail_on(&wrong, "`super::` outside of tests");
}

#[test]
fn input_and_output_stand_where_they_belong() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (words, places, rule) in PLACES {
            if places.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for at in words.iter().flat_map(|word| whole_words(&file.code, word)) {
                wrong.push(format!("{}:{}: {rule}", file.path, file.line(at)));
            }
        }
    }
    fail_on(&wrong, "words outside of their places");
}

#[test]
fn edges_are_found_in_groups_and_in_paths() {
    let code = "use crate::{ir::{Expr, Stmt}, source::Span}; fn f() -> crate::rules::Form { my_crate::x() }";
    let file = RustFile { path: "src/sites/mod.rs".into(), text: code.into(), code: code.into() };
    let found: Vec<String> = edges(&file).into_iter().map(|(to, _)| to).collect();
    assert_eq!((found, file.module()), (vec!["ir".into(), "source".into(), "rules".into()], "sites"));
}
