//! How a run ends where it cannot go on: each with a word about why, and nothing half done.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::FORMATS;
use crate::command::{nest_auth, tokendrift};

fn drifted() -> String {
    nest_auth("drifted").to_str().expect("UTF-8").to_owned()
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokendrift"));
    command.env("NO_COLOR", "1").env_remove("TOKENDRIFT_DATABASE_URL");
    command
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_leaves_the_old_result() {
    for format in FORMATS {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let output = command().args(["audit", "--format", format, &drifted()]).stdout(full).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{format}: {stderr}");
        assert!(stderr.contains("cannot write to stdout: No space left on device"), "{format}: {stderr}");
        let run = tokendrift(["audit", "--quiet", "--format", format, "--output", "/dev/full", &drifted()]);
        assert!(
            run.code == 2 && run.stderr.contains("cannot write /dev/full: No space left"),
            "{format}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    for format in FORMATS {
        let mut child = command()
            .args(["audit", "--quiet", "--format", format, &drifted()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().expect("stderr").read_to_string(&mut stderr).expect("UTF-8");
        assert_eq!((child.wait().expect("it ends").code(), stderr.as_str()), (Some(1), ""), "{format}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let run = tokendrift(["audit", "--quiet", "--sarif-output", "/no/such/folder/a.sarif", &drifted()]);
    assert!(run.code == 2 && run.stderr.contains("/no/such/folder/a.sarif"), "{}", run.stderr);
    assert!(run.stderr.contains("its folder does not exist"), "{}", run.stderr);
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    for flags in [
        &["--quiet", "--verbose"][..],
        &["--config", "x.toml", "--no-config"],
        &["--baseline", "x.json", "--baseline-ref", "main"],
        &["--output", "x", "--json-output", "x"],
        &["--json-output", "-"],
    ] {
        let run = tokendrift([&["audit"], flags, &[drifted().as_str()]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{flags:?}");
        assert!(!run.stderr.is_empty(), "{flags:?}");
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = nest_auth("drifted");
    let column = "[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\n";
    let config = folder.path().join("mine.toml");
    fs::write(&config, format!("[audit]\nfail-on = \"error\"\n{column}")).expect("written");
    let config = config.to_str().expect("UTF-8");
    let code = |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = command();
        command.args(["audit", "--quiet"]).args(flags).arg(&root).envs(variables.iter().copied());
        command.output().expect("it runs").status.code()
    };
    // All findings of the drifted example are warnings.
    assert_eq!(code(&[], &["--config", config]), Some(0), "the file alone");
    assert_eq!(code(&[("TOKENDRIFT_CONFIG", config)], &[]), Some(0), "the environment names the file");
    let warning = ("TOKENDRIFT_FAIL_ON", "warning");
    assert_eq!(code(&[("TOKENDRIFT_CONFIG", config), warning], &[]), Some(1), "the environment over the file");
    assert_eq!(code(&[warning], &["--config", config, "--fail-on", "error"]), Some(0), "the flag over both");
    assert_eq!(code(&[("TOKENDRIFT_CONFIG", "no/such.toml")], &["--config", config]), Some(0));
    assert_eq!(code(&[("TOKENDRIFT_CONFIG", "no/such.toml")], &[]), Some(2));
    assert_eq!(code(&[("TOKENDRIFT_CONFIG", "")], &["--fail-on", "error"]), Some(0), "an empty variable is none");
    assert_eq!(code(&[("TOKENDRIFT_FAIL_ON", "fatal")], &["--config", config]), Some(2));
}

/// Ctrl-C while the tree of a revision is audited: nothing stays behind, and the exit code says so.
#[cfg(unix)]
#[test]
fn an_interrupt_removes_what_is_temporary_and_exits_130() {
    let repository = tempfile::tempdir().expect("a temporary folder");
    let temporary = tempfile::tempdir().expect("a temporary folder");
    crate::tree::write(repository.path(), 3000).expect("the tree can be written");
    for args in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b.org",
            "-c",
            "commit.gpgsign=false",
            "commit",
            "--quiet",
            "-m",
            "a",
        ],
    ] {
        assert!(Command::new("git").current_dir(repository.path()).args(args).status().expect("git runs").success());
    }
    let mut child = command()
        .args(["audit", "--quiet", "--no-config", "--column", "accounts.access_token", "--baseline-ref", "HEAD"])
        .arg(repository.path())
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let is_empty = || fs::read_dir(temporary.path()).expect("a folder").next().is_none();
    let start = Instant::now();
    while is_empty() {
        assert!(child.try_wait().expect("a state").is_none(), "it ended before it could be interrupted");
        assert!(start.elapsed() < Duration::from_mins(1), "no temporary folder was made");
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(is_empty(), "a temporary folder is left");
}
