use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};

use super::*;
use crate::cli::args::{AuditArgs, ColorChoice};

fn audit_args(args: &[&str]) -> AuditArgs {
    match Cli::try_parse_from(["tokendrift", "audit"].iter().chain(args)).map(|cli| cli.command) {
        Ok(Command::Audit(args)) => *args,
        Ok(_) => panic!("no audit"),
        Err(error) => panic!("{error}"),
    }
}

fn usage_error(args: &[&str]) -> String {
    match Cli::try_parse_from(["tokendrift"].iter().chain(args)) {
        Ok(_) => panic!("{args:?} is taken"),
        Err(error) => error.to_string(),
    }
}

fn run(args: &[&str]) -> Result<Ran, String> {
    audit::run(&audit_args(args), &Streams::default())
}

fn error(args: &[&str]) -> String {
    match run(args) {
        Ok(ran) => panic!("{args:?} ran: {}", text(&ran)),
        Err(error) => error,
    }
}

/// All that it would write.
fn text(ran: &Ran) -> String {
    let mut bytes = Vec::new();
    ran.outputs.iter().for_each(|output| (output.render)(&mut bytes).unwrap());
    String::from_utf8(bytes).unwrap()
}

fn to_file(path: &Path) {
    output::to_file(path, &Output::text("new".into()).render).unwrap();
}

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let full = folder.path().join(path);
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(full, text).unwrap();
        }
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        self.path(path).to_str().unwrap().to_owned()
    }
}

#[test]
fn the_flags_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn commands_and_values_that_do_not_work_are_not_there() {
    for args in [
        &["audit", "--format", "xml"][..],
        &["probe", "--plan", "--grants"],
        &["baseline"],
        &["audit", "--baseline", "x", "--baseline-ref", "main"],
        &["audit", "--jobs", "0"],
        &["audit", "--quiet", "--verbose"],
        &["audit", "--config", "x", "--no-config"],
        &["audit", "--fail-on", "fatal"],
        &[],
    ] {
        usage_error(args);
    }
    assert!(usage_error(&["audit", "--format", "xml"]).contains("[possible values: table, json, sarif"));
    assert!(usage_error(&["audit", "--column", "access_token"]).contains("TABLE.COLUMN"));
}

#[test]
fn no_column_at_all_teaches_both_ways_to_name_one() {
    let tree = Tree::new(&[("a.ts", "")]);
    let without = error(&["--no-config", &tree.text("")]);
    assert!(without.contains("--column users.access_token") && without.contains("[[column]]"), "{without}");
    let tree = Tree::new(&[("a.ts", ""), ("tokendrift.toml", "[audit]\n")]);
    let empty = error(&[&tree.text("")]);
    assert!(empty.contains("tokendrift.toml has no [[column]]"), "{empty}");
}

#[test]
fn input_that_cannot_be_used_is_named() {
    let tree = Tree::new(&[
        ("src/a.ts", ""),
        ("docs/a.md", ""),
        ("broken/tokendrift.toml", "[[column]]\ntable = \"users\n"),
        ("broken/a.ts", ""),
    ]);
    let column = ["--column", "users.access_token"];
    let with = |args: &[&str]| error(&[&column, args].concat());
    assert!(with(&[&tree.text("scr")]).contains("did you mean `src`?"));
    assert!(with(&[&tree.text("docs")]).contains("nothing to audit"));
    assert!(with(&[&tree.text("broken")]).contains("tokendrift.toml:2: "));
    let absent = with(&["--config", &tree.text("gone.toml"), &tree.text("src")]);
    assert!(absent.contains("gone.toml") && absent.contains("no such file"), "{absent}");
    let folder = with(&["--config", &tree.text("src"), &tree.text("src")]);
    assert!(folder.contains("it is a folder"), "{folder}");
}

#[test]
fn the_nearest_configuration_counts_and_columns_on_the_command_line_narrow_it() {
    let toml = "[[column]]\ntable = \"users\"\ncolumn = \"a\"\n[[column]]\ntable = \"users\"\ncolumn = \"b\"\n";
    let table = "CREATE TABLE users (a text, b text, c text);";
    let tree = Tree::new(&[("src/a.ts", ""), ("src/users.sql", table), ("tokendrift.toml", toml)]);
    let audited = |args: &[&str]| -> Vec<String> {
        let ran = run(args).unwrap();
        text(&ran).lines().filter(|line| line.starts_with("users.")).map(str::to_owned).collect()
    };
    let (src, file, config) = (tree.text("src"), tree.text("src/a.ts"), tree.text("tokendrift.toml"));
    assert_eq!(audited(&[&src]), ["users.a", "users.b"]);
    assert_eq!(audited(&[&src, "--column", "users.b"]), ["users.b"]);
    assert_eq!(audited(&[&src, "--no-config", "--column", "users.c"]), ["users.c"]);
    assert_eq!(audited(&[&file, &src, "--config", &config]), ["users.a", "users.b"]);
}

#[test]
fn a_database_url_is_never_repeated() {
    let tree = Tree::new(&[("a.ts", "")]);
    let error = error(&["--no-config", "--column", "a.b", "--database-url", "hunter2", &tree.text("")]);
    assert!(!error.contains("hunter2") && error.contains("database URL"), "{error}");
}

#[test]
fn colour_follows_the_flag_then_the_environment_then_the_terminal() {
    let terminal = Streams { stdout_is_terminal: true, ..Streams::default() };
    let with = |change: &dyn Fn(&mut Streams)| {
        let mut streams = terminal.clone();
        change(&mut streams);
        streams
    };
    let auto = |streams: &Streams| streams.color(ColorChoice::Auto, false);
    assert!(auto(&terminal));
    assert!(!auto(&Streams::default()));
    assert!(!auto(&with(&|s| s.no_color = true)));
    assert!(!auto(&with(&|s| s.dumb = true)));
    assert!(auto(&with(&|s| (s.stdout_is_terminal, s.force_color) = (false, true))));
    assert!(!auto(&with(&|s| (s.no_color, s.force_color) = (true, true))));
    assert!(with(&|s| s.no_color = true).color(ColorChoice::Always, true));
    assert!(!with(&|s| s.force_color = true).color(ColorChoice::Never, false));
    assert!(!with(&|s| s.force_color = true).color(ColorChoice::Auto, true), "a file has no colour unasked");
}

#[test]
fn a_result_that_goes_to_no_terminal_has_one_width() {
    let narrow = Streams { columns: Some(61), ..Streams::default() };
    assert_eq!(narrow.width(false), 100);
    let terminal = Streams { stdout_is_terminal: true, ..narrow };
    assert_eq!((terminal.width(false), terminal.width(true)), (61, 100));
}

#[test]
fn an_output_file_is_replaced_as_a_whole() {
    let tree = Tree::new(&[("out.json", "old and longer"), ("sub/x", "")]);
    to_file(&tree.path("out.json"));
    to_file(&tree.path("fresh.json"));
    assert_eq!(std::fs::read(tree.path("out.json")).unwrap(), b"new");
    assert_eq!(std::fs::read(tree.path("fresh.json")).unwrap(), b"new");
    let mut names: Vec<_> = std::fs::read_dir(tree.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["fresh.json", "out.json", "sub"], "nothing is left beside");
}

#[cfg(unix)]
#[test]
fn an_output_that_is_a_link_or_a_device_stays_one() {
    let tree = Tree::new(&[("real.json", "old")]);
    std::os::unix::fs::symlink("real.json", tree.path("link.json")).unwrap();
    to_file(&tree.path("link.json"));
    assert!(std::fs::symlink_metadata(tree.path("link.json")).unwrap().is_symlink());
    assert_eq!(std::fs::read(tree.path("real.json")).unwrap(), b"new");
    to_file(Path::new("/dev/null"));
}

#[test]
fn an_output_that_cannot_be_written_says_why() {
    let tree = Tree::new(&[("a.ts", "")]);
    let write = |path: &str| {
        let output = Output { sink: output::Sink::File(tree.path(path)), ..Output::text("x".into()) };
        output::write(&output).unwrap_err()
    };
    let missing = write("no/out.json");
    assert!(missing.contains("out.json") && missing.contains("its folder does not exist"), "{missing}");
    let folder = write("");
    assert!(folder.contains("name a file in it"), "{folder}");
}

#[test]
fn explain_prints_a_page_or_the_ids_there_are() {
    let explain = |id: &str| {
        let cli = Cli::try_parse_from(["tokendrift", "explain", id]).unwrap();
        let Command::Explain(args) = cli.command else { panic!("explain is a command") };
        explain::run(&args, &Streams::of_process())
    };
    assert!(explain("path-drift").is_ok_and(|ran| ran.exit == Exit::Clean && text(&ran).contains("path-drift")));
    let unknown = explain("path-drfit").unwrap_err();
    assert!(unknown.contains("did you mean `path-drift`?") && unknown.contains("typeorm"), "{unknown}");
}

#[test]
fn every_command_has_a_manual_page() {
    for command in Cli::command().get_subcommands() {
        let page = man(Some(command.get_name())).unwrap();
        assert!(text(&page).contains(".SH SYNOPSIS"), "{}", command.get_name());
    }
    assert!(text(&man(None).unwrap()).contains(".TH tokendrift 1"));
    assert!(man(Some("no")).unwrap_err().contains("no command `no`"));
}

#[test]
fn completions_name_the_commands() {
    for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Fish, clap_complete::Shell::Zsh] {
        let script = text(&completions(shell));
        assert!(["audit", "explain", "completions", "max-unknown"].iter().all(|word| script.contains(word)), "{shell}");
    }
}
