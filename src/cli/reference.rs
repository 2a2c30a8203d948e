//! `--baseline-ref REF`: what the tree of a git revision shows already.
//!
//! The revision's files are written to a temporary folder through an index of their own: neither the work tree nor the repository's
//! index is read or touched, so it may be as dirty as it likes.

use std::path::{Path, PathBuf};
use std::process::Command;

use tokendrift::config::{self, Baseline, Column, Config};
use tokendrift::{Error, Request};

use crate::cli::interrupt::{self, TemporaryFolder};

/// The identities of the findings that the revision has, seen with its own configuration and decision records.
/// `columns` are those of the command line.
pub(crate) fn baseline(reference: &str, columns: &[Column], today: &Request) -> Result<Baseline, String> {
    let repository = git(&today.root, &["rev-parse", "--show-toplevel"], None)
        .map_err(|why| format!("--baseline-ref needs a git repository around {}: {why}", today.root.display()))?;
    let repository = std::fs::canonicalize(repository.trim()).map_err(|error| error.to_string())?;
    let commit = format!("{reference}^{{commit}}");
    let commit = git(&repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit], None).map_err(|_| {
        format!("--baseline-ref: there is no revision `{reference}` here; in a shallow clone fetch it first, as in `git fetch origin main`")
    })?;

    let folder = TemporaryFolder::new().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let index = folder.path().join("index");
    let tree = folder.path().join("tree");
    let prefix = format!("{}/", tree.display());
    let failed = |why| format!("--baseline-ref: cannot read the files of `{reference}`: {why}");
    git(&repository, &["read-tree", commit.trim()], Some(&index)).map_err(failed)?;
    git(&repository, &["checkout-index", "--all", "--force", "--quiet", &format!("--prefix={prefix}")], Some(&index))
        .map_err(failed)?;

    // Paths are named from the repository's root, as in the work tree.
    std::fs::create_dir_all(tree.join(".git")).map_err(|error| failed(error.to_string()))?;

    let then = |path: &Path| Some(tree.join(path.strip_prefix(&repository).ok()?));
    // A folder that the revision does not have shows nothing.
    let there = |path: &Path| then(path).filter(|path| path.exists());
    let Some(root) = there(&today.root) else { return Ok(Baseline::default()) };
    let inputs: Vec<PathBuf> = today.inputs.iter().filter_map(|input| there(input)).collect();
    if inputs.is_empty() && !today.inputs.is_empty() {
        return Ok(Baseline::default());
    }
    let request = |config| Request {
        root: root.clone(),
        inputs: inputs.clone(),
        config,
        jobs: today.jobs,
        databases: Vec::new(),
        probe: today.probe.clone(),
        baseline: None,
        suppressions: today.suppressions,
        today: today.today,
    };
    let file = today.config.file.as_deref().and_then(|file| then(&std::fs::canonicalize(file).ok()?));
    let mut config = match file {
        Some(file) => configuration(&file, &root, today)
            .map_err(|why| format!("--baseline-ref {reference}: {}", why.replace(&prefix, &format!("{reference}:"))))?,
        None => today.config.clone(),
    };
    config.select(columns.to_vec());
    let audit = loop {
        match tokendrift::audit(request(config.clone())) {
            Ok(audit) => break audit,
            // A column that the revision does not have yet has no findings there.
            Err(Error::Columns(unknown)) if unknown.len() < config.columns.len() => {
                let name = |table: &str, column: &str| format!("{table}.{column}");
                config
                    .columns
                    .retain(|known| unknown.iter().all(|column| name(&column.table, &column.column) != known.name()));
            }
            Err(Error::Columns(_) | Error::Discover(_)) => return Ok(Baseline::default()),
            Err(error) => return Err(format!("--baseline-ref {reference}: {error}")),
        }
    };
    let open = audit.judgement.findings.into_iter().filter(tokendrift::contract::Finding::is_open);
    Ok(Baseline { identities: open.map(|finding| finding.identity).collect() })
}

/// What stood at `file` in the revision; where it had none yet, today's over the revision's files.
fn configuration(file: &Path, root: &Path, today: &Request) -> Result<Config, String> {
    if file.exists() {
        return config::load(file, root).map_err(|error| error.to_string());
    }
    let written =
        file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(file, &today.config.text));
    written.map_err(|error| error.to_string())?;
    // It may name rule packs that the revision does not have.
    Ok(config::load(file, root).unwrap_or_else(|_| today.config.clone()))
}

/// What git prints, or why it failed.
fn git(folder: &Path, args: &[&str], index: Option<&Path>) -> Result<String, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(args).env("GIT_LFS_SKIP_SMUDGE", "1").env("LC_ALL", "C");
    // A hook runs with these set for its own repository and index.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    let output = interrupt::output(&mut command).map_err(|error| format!("cannot run git: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().unwrap_or("git failed").trim_start_matches("fatal: ").to_owned())
}
