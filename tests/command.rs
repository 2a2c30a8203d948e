//! Runs the real binary, away from the user's environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Stdout as a JSON report; fails with all that the run printed where it is none.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("no JSON ({error}), exit {}\nstdout: {}\nstderr: {}", self.code, self.stdout, self.stderr)
        })
    }
}

/// Runs `tokendrift` in the folder of the package. A panic of the program fails the test, whatever it is about.
pub(crate) fn tokendrift<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    tokendrift_with(args, &[])
}

/// [`tokendrift`] with variables in its environment.
pub(crate) fn tokendrift_with<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, variables: &[(&str, &str)]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_tokendrift"))
        .args(args)
        .current_dir(repository())
        .env_remove("TOKENDRIFT_DATABASE_URL")
        .env_remove("TOKENDRIFT_CONFIG")
        .env_remove("TOKENDRIFT_BASELINE")
        .env_remove("TOKENDRIFT_FAIL_ON")
        .env_remove("TOKENDRIFT_MAX_UNKNOWN")
        .env_remove("FORCE_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .output()
        .expect("the binary starts");
    let stdout = String::from_utf8(output.stdout).expect("stdout is UTF-8");
    let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert!(!stderr.contains("panicked at"), "{stderr}");
    let code = output.status.code().unwrap_or_else(|| panic!("ended by a signal\n{stderr}"));
    Run { code, stdout, stderr }
}

/// `audit --format json --quiet ARGS DIR`
pub(crate) fn audit_json(dir: &Path, args: &[&str]) -> Run {
    let fixed = ["audit", "--format", "json", "--quiet"];
    tokendrift(fixed.iter().chain(args).map(OsStr::new).chain([dir.as_os_str()]))
}

pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A state of the fixture: `drifted`, `write-consistently`, `drop-writes`.
pub(crate) fn nest_auth(state: &str) -> PathBuf {
    repository().join("fixtures/nest-auth").join(state)
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("the file can be copied");
        }
    }
}

/// Writes text files below `root`, with the folders they need.
pub(crate) fn write_files(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        std::fs::write(&path, text).expect("the file can be written");
    }
}

/// Every file below `folder` (relative to the package) whose name ends in `.extension`, sorted, with its text; paths are relative
/// to the package.
pub(crate) fn files_below(folder: &str, extension: &str) -> Vec<(String, String)> {
    let root = repository();
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension() == Some(OsStr::new(extension)) {
                let shown = path.strip_prefix(&root).expect("below the package").to_string_lossy().replace('\\', "/");
                found.push((shown, std::fs::read_to_string(&path).expect("the file can be read")));
            }
        }
    }
    found.sort();
    found
}
