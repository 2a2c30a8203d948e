//! What a file tree can show: headers, file lengths, documents that name files which exist, pages and their sources.

use std::collections::BTreeSet;

use crate::command::{files_below, repository};
use crate::rust_text::{sources, whole_words};

const LONGEST_FILE: usize = 500;

fn fail_on(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
}

fn header(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with("//!"));
    lines.map(|line| line.trim_start_matches("//!")).collect::<Vec<_>>().join("\n")
}

/// The stems of the files right below `folder`.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    files_below(folder, extension)
        .into_iter()
        .filter_map(|(path, _)| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?;
            (!name.contains('/')).then(|| name.rsplit_once('.').map(|(stem, _)| stem.to_owned()))?
        })
        .collect()
}

#[test]
fn every_stage_opens_with_what_goes_in_what_comes_out_and_what_holds() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|file| {
            let below = file.path.trim_start_matches("src/");
            let is_folder = below.ends_with("/mod.rs") && below.matches('/').count() == 1;
            is_folder || !(below.contains('/') || ["lib.rs", "main.rs", "cli.rs"].contains(&below))
        })
        .flat_map(|file| {
            let header = header(&file.text);
            let missing = ["Input", "Output", "Invariants"].into_iter().filter(move |word| !header.contains(*word));
            missing.map(|word| format!("{}: no {word}", file.path)).collect::<Vec<_>>()
        })
        .collect();
    fail_on(&wrong, "headers of stages");
}

#[test]
fn every_module_opens_with_a_header() {
    let bare: Vec<String> =
        sources().iter().filter(|file| header(&file.text).trim().is_empty()).map(|file| file.path.clone()).collect();
    fail_on(&bare, "files without a `//!` header");
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let mut files = files_below("src", "rs");
    files.extend(files_below("tests", "rs"));
    files.extend(files_below("benches", "rs"));
    let long: Vec<String> = files
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    fail_on(&long, "long files");
}

#[test]
fn nothing_is_left_undone() {
    let mut wrong = Vec::new();
    for file in sources() {
        for word in ["todo!", "unimplemented!", "unreachable!", "dbg!"] {
            let at = whole_words(&file.code, word);
            wrong.extend(at.into_iter().map(|at| format!("{}:{}: {word}", file.path, file.line(at))));
        }
    }
    fail_on(&wrong, "places that end in a panic");
}

/// A backticked word that is meant as a path of this repository: it starts with one of its folders or names a file at its top.
fn is_path(word: &str) -> bool {
    const FOLDERS: [&str; 8] = ["src/", "tests/", "docs/", "rules/", "fixtures/", "benches/", ".ci/", "corpus/"];
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let top = ["md", "toml", "lock"].iter().any(|kind| word.ends_with(&format!(".{kind}")))
        && !word.contains('/')
        && !word.starts_with('.');
    plain && (FOLDERS.iter().any(|folder| word.starts_with(folder)) || (top && word != "tokendrift.toml"))
}

#[test]
fn documents_name_paths_that_exist() {
    let mut documents = files_below("docs", "md");
    documents.retain(|(path, _)| !path.starts_with("docs/checks/"));
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    documents.push(("README.md".to_owned(), readme));
    let mut named = 0;
    let mut wrong = Vec::new();
    for (path, text) in &documents {
        let mut fenced = false;
        for line in text.lines() {
            if line.starts_with("```") {
                fenced = !fenced;
            }
            let quoted = line.split('`').skip(1).step_by(2).filter(|word| !fenced && is_path(word));
            // A link's target is a path relative to the document.
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            let linked = linked.filter(|to| !to.contains("://") && !to.starts_with('#'));
            let linked = linked.map(|to| format!("{folder}/{}", to.split('#').next().unwrap_or(to)));
            for target in quoted.map(str::to_owned).chain(linked) {
                named += 1;
                if !repository().join(target.trim_start_matches('/')).exists() {
                    wrong.push(format!("{path}: {target}"));
                }
            }
        }
    }
    assert!(named > 20, "the documents name {named} paths: this test no longer finds them");
    fail_on(&wrong, "paths that do not exist");
}

#[test]
fn every_check_has_a_page_and_every_page_a_check() {
    let mut files = stems("src/contract", "rs");
    for shared in ["mod", "finding"] {
        assert!(files.remove(shared), "src/contract/{shared}.rs");
    }
    let pages: BTreeSet<String> = stems("docs/checks", "md").iter().map(|id| id.replace('-', "_")).collect();
    assert!(!pages.is_empty());
    let without: Vec<String> = pages.difference(&files).map(|id| format!("src/contract/{id}.rs is missing")).collect();
    fail_on(&without, "pages without a check");
    // Files of the folder that register no check (they have no id of their own) need no page.
    let checks: Vec<String> = files_below("src/contract", "rs")
        .into_iter()
        .filter(|(_, text)| text.contains("Check {") && text.contains("include_str!"))
        .map(|(path, _)| path.trim_start_matches("src/contract/").trim_end_matches(".rs").to_owned())
        .collect();
    let unpaged: Vec<String> = checks.into_iter().filter(|id| !pages.contains(id)).collect();
    fail_on(&unpaged, "checks without a page");
}

#[test]
fn every_rule_pack_has_a_page_and_every_page_a_pack() {
    let packs = stems("rules", "toml");
    assert!(!packs.is_empty());
    assert_eq!(packs, stems("rules", "md"));
}

#[test]
fn the_libraries_of_the_manifest_are_those_that_the_architecture_explains() {
    let manifest: toml::Table = std::fs::read_to_string(repository().join("Cargo.toml"))
        .expect("the manifest")
        .parse()
        .expect("the manifest is TOML");
    let page = std::fs::read_to_string(repository().join("docs/architecture.md")).expect("the page");
    let (_, libraries) = page.split_once("## Libraries").expect("the page has a section on libraries");
    let explained: BTreeSet<&str> =
        libraries.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let used: BTreeSet<&str> = ["dependencies", "dev-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|section| section.keys().map(String::as_str))
        .collect();
    assert_eq!(explained, used);
}

/// A word like `no_file_is_longer_than_500_lines`, which only a test is called.
fn is_test_name(word: &str) -> bool {
    word.matches('_').count() >= 3 && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn tests_that_the_architecture_names_exist() {
    let page = std::fs::read_to_string(repository().join("docs/architecture.md")).expect("the page");
    let tests: String = files_below("tests", "rs").into_iter().map(|(_, text)| text).collect();
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(|word| is_test_name(word)).collect();
    assert!(named.len() > 10, "the page names {} tests: this test no longer finds them", named.len());
    let gone: Vec<String> =
        named.iter().filter(|name| !tests.contains(&format!("fn {name}()"))).map(|name| (*name).to_owned()).collect();
    fail_on(&gone, "tests that do not exist");
}
