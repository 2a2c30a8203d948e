//! The pages about jobs (`docs/ci-lint.md` and its like): every command in them is run, and prints what they show.
//!
//! `<!-- tree: FOLDER -->` names what a page starts from: a copy of it, as a git repository. A block with `file=PATH` is written there. In a
//! `console` block a line that begins with `$ ` is run by bash, and what follows is what it prints, with `[..]` for lines or parts of a line
//! that are left out.

use std::path::Path;
use std::process::Command;

use crate::command::{copy, repository, write_files};

/// What a page does, in order.
#[derive(Debug)]
enum Step {
    File(String, String),
    Run { line: usize, command: String, shown: Vec<String> },
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut open: Option<(String, usize, Vec<&str>)> = None;
    for (at, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.to_owned(), at + 2, Vec::new())),
            (Some(_), Some(_)) => {
                let (info, first, lines) = open.take().expect("a block is open");
                if let Some((_, path)) = info.split_once(" file=") {
                    steps.push(Step::File(path.trim().to_owned(), lines.join("\n") + "\n"));
                } else if info == "console" {
                    commands(first, &lines, &mut steps);
                }
            }
            (Some((_, _, lines)), None) => lines.push(line),
            (None, None) => {}
        }
    }
    steps
}

fn commands(first: usize, lines: &[&str], steps: &mut Vec<Step>) {
    for (at, line) in lines.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step::Run { line: first + at, command: command.to_owned(), shown: Vec::new() });
        } else if let Some(Step::Run { shown, .. }) = steps.last_mut() {
            shown.push((*line).to_owned());
        }
    }
}

/// Whether a text is what is shown, `[..]` standing for anything.
fn fits(shown: &str, text: &str) -> bool {
    let mut parts = shown.split("[..]");
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn follow(name: &str) {
    let page = std::fs::read_to_string(repository().join("docs").join(name)).expect("the page");
    let tree = tempfile::tempdir().expect("a temporary folder");
    let from = page.lines().find_map(|line| line.strip_prefix("<!-- tree: ")?.strip_suffix(" -->"));
    copy(&repository().join(from.expect("the page names its tree")), tree.path());
    let git = "git init -q -b main && git config user.email a@b.c && git config user.name a && git add -A && git commit -q -m tree";
    assert_eq!(bash(tree.path(), git), "");
    let steps = steps(&page);
    assert!(steps.iter().any(|step| matches!(step, Step::Run { .. })), "{name} runs nothing");
    for step in steps {
        match step {
            Step::File(path, text) => write_files(tree.path(), &[(&path, &text)]),
            Step::Run { line, command, shown } => {
                let printed = bash(tree.path(), &command);
                let shown = shown.join("\n");
                let printed = printed.trim_end();
                // `[..]` on a line of its own is any number of lines.
                assert!(fits(&shown, printed), "docs/{name}:{line}: {command}\nshown:\n{shown}\nprinted:\n{printed}");
            }
        }
    }
}

/// What a command line prints, on both streams.
fn bash(folder: &Path, command: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_tokendrift")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", binary.display()))
        .env("NO_COLOR", "1")
        .env_remove("FORCE_COLOR")
        .env_remove("TOKENDRIFT_DATABASE_URL")
        .env_remove("TOKENDRIFT_CONFIG")
        .output()
        .expect("bash starts");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    printed.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_about_ci_prints_what_it_shows() {
    follow("ci-lint.md");
}

#[test]
fn the_page_about_code_review_prints_what_it_shows() {
    follow("code-review.md");
}

#[test]
fn the_page_about_migrating_away_prints_what_it_shows() {
    follow("migrating-away.md");
}

#[test]
fn what_is_left_out_may_be_anything_and_the_rest_is_exact() {
    assert!(fits("a [..] c\n[..]\ne", "a b c\nd\nd\ne"));
    assert!(!fits("a [..] c", "a b d"));
    assert!(fits("same", "same") && !fits("same", "same and more"));
}
