//! Node for tests: the packages of `tests/node/package.json`, installed once from the npm registry.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::command::repository;

/// The folder with the installed packages; `None`, said on stderr, where there is no Node or no registry.
pub(crate) fn project() -> Option<&'static Path> {
    static PROJECT: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROJECT.get_or_init(install).as_deref()
}

/// Says past the capture of the test harness that a test did not run.
pub(crate) fn skipped(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(std::io::stderr(), "SKIPPED {name}: {why}").expect("stderr is there");
}

/// Installs Debian packages where that is allowed; whether it was.
pub(crate) fn installed(packages: &[&str]) -> bool {
    let mut script = Command::new(repository().join("tests/packages.sh"));
    script.args(packages).output().is_ok_and(|output| output.status.success())
}

fn install() -> Option<PathBuf> {
    let is_there = || Command::new("npm").arg("--version").output().is_ok();
    if !is_there() {
        installed(&["nodejs", "npm"]);
    }
    if !is_there() {
        skipped("npm is not installed");
        return None;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("node");
    std::fs::create_dir_all(&folder).expect("a folder below target/");
    let source = repository().join("tests/node");
    let wanted = std::fs::read_to_string(source.join("package.json")).expect("the package file");
    let done = folder.join("installed.json");
    for name in ["package.json", "jest.config.js", "vitest.config.mjs", "swc.json", "browse.mjs"] {
        std::fs::copy(source.join(name), folder.join(name)).expect("the file can be copied");
    }
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Some(folder);
    }
    let output = Command::new("npm")
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"])
        .current_dir(&folder)
        .output()
        .expect("npm starts");
    if !output.status.success() {
        skipped(&format!("npm install failed: {}", String::from_utf8_lossy(&output.stderr)));
        return None;
    }
    std::fs::write(&done, wanted).expect("the file can be written");
    Some(folder)
}

/// A program that the package `@microsoft/NAME` has for this system; `None`, said on stderr, where it has none that starts.
pub(crate) fn native(project: &Path, name: &str, program: &str) -> Option<PathBuf> {
    let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let path = project.join(format!("node_modules/@microsoft/{name}-{system}")).join(program);
    // What its install script would do.
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(&path) {
        let mut rights = found.permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o755);
        std::fs::set_permissions(&path, rights).expect("the rights can be set");
    }
    let starts = Command::new(&path)
        .arg("--version")
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .output()
        .is_ok_and(|output| !output.stdout.is_empty() || !output.stderr.is_empty());
    if !starts {
        skipped(&format!("{} does not start", path.display()));
    }
    starts.then_some(path)
}

/// A folder of its own below the project, where its packages are found.
pub(crate) fn workspace(project: &Path) -> tempfile::TempDir {
    tempfile::Builder::new().prefix("work-").tempdir_in(project).expect("a folder below the project")
}

/// Runs a program of the packages; whether it ended well, and what it printed.
pub(crate) fn run(project: &Path, folder: &Path, program: &str, args: &[&str], env: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new(project.join("node_modules/.bin").join(program))
        .args(args)
        .current_dir(folder)
        .envs(env.iter().copied())
        .env("NO_COLOR", "1")
        .env_remove("FORCE_COLOR")
        .output()
        .expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
