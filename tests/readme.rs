//! The README shows what the program really prints.

use crate::command::{files_below, repository, tokendrift};

/// The text between `<!-- begin NAME -->` and `<!-- end NAME -->`: its fenced block's content and the offsets of that content.
fn block<'a>(readme: &'a str, name: &str) -> (usize, &'a str) {
    let begin = format!("<!-- begin {name} -->");
    let start = readme.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
    let fence = start + readme[start..].find("```").expect("a block opens");
    let content = fence + readme[fence..].find('\n').expect("the fence ends its line") + 1;
    let length = readme[content..].find("```").expect("the block closes");
    (content, &readme[content..content + length])
}

/// The columns and the first finding; the rest of the findings as `[..]`; the last line.
fn shortened(output: &str) -> String {
    let mut lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let starts = |line: &&str| ["error[", "warning[", "note["].iter().any(|word| line.starts_with(word));
    let second = lines.iter().enumerate().filter(|(_, line)| starts(line)).map(|(at, _)| at).nth(1);
    let second = second.expect("the example has two findings");
    lines.splice(second..lines.len() - 1, ["[..]", ""]);
    lines.join("\n") + "\n"
}

/// The output under the README's first command is that command's; `TOKENDRIFT_BLESS=1` writes it.
#[test]
fn the_shown_output_is_the_output_of_the_shown_command() {
    let path = repository().join("README.md");
    let readme = std::fs::read_to_string(&path).expect("the README");
    let (_, command) = block(&readme, "command");
    let args = command.trim().strip_prefix("cargo run --release -- ").expect("the command runs the tool");
    let run = tokendrift(args.split_whitespace().chain(["--quiet"]));
    let (at, shown) = block(&readme, "output");
    let real = shortened(&run.stdout);
    if std::env::var_os("TOKENDRIFT_BLESS").is_some() {
        let blessed = format!("{}{real}{}", &readme[..at], &readme[at + shown.len()..]);
        std::fs::write(&path, blessed).expect("the README can be written");
    } else {
        assert_eq!(shown, real, "run the tests with TOKENDRIFT_BLESS=1 to write it");
    }
}

#[test]
fn the_shown_code_stands_in_the_fixture() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let (_, code) = block(&readme, "example");
    let fixture: String =
        files_below("fixtures/nest-auth/drifted/src", "ts").into_iter().map(|(_, text)| text).collect();
    let lines: Vec<&str> = code.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 8, "an example has lines");
    for line in lines {
        let written = line.split("  // ").next().unwrap_or(line).trim_end();
        assert!(fixture.contains(written), "the fixture has no `{written}`");
    }
}

#[test]
fn continuous_integration_runs_the_command_that_the_readme_names_for_tests() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let (_, command) = block(&readme, "tests");
    let ci = std::fs::read_to_string(repository().join(".ci/run")).expect("the script");
    assert!(ci.lines().any(|line| line.trim() == command.trim()), ".ci/run does not run `{}`", command.trim());
}

#[test]
fn every_way_to_install_that_the_readme_names_is_tried() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).expect("the file");
    let readme = read("README.md");
    let (_, ways) = block(&readme, "install");
    let (check, docker) = (read("packaging/check.sh"), read("packaging/docker/Dockerfile"));
    let mut tried = 0;
    for way in ["cargo install --path . --locked", "cd packaging/python && ", "packaging/npm/build.sh "] {
        assert!(ways.contains(way) && check.contains(way), "`{way}` is not said, or not tried");
        tried += 1;
    }
    let image = ways.lines().find(|line| line.starts_with("docker ")).expect("an image");
    assert!(docker.contains(image.split(" #").next().unwrap_or(image).trim_end()), "{image}");
    assert_eq!(ways.lines().count(), tried + 1, "another way that nothing tries");
}
