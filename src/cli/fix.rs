//! `audit --fix`: the fixes of open findings -> the files, all of them or none.

use std::path::{Path, PathBuf};

use tokendrift::Audit;
use tokendrift::contract::Finding;
use tokendrift::fix::{self, Fix, Fixed};
use tokendrift::report;

use crate::cli::args::AuditArgs;
use crate::cli::audit::baseline;
use crate::cli::inputs;
use crate::cli::output::to_file;
use crate::cli::terminal::{Streams, note};

/// The patch of what would be fixed; empty where nothing is.
pub(crate) fn patch(audit: &Audit, take_unsafe: bool) -> String {
    fix::patch(&fixed(audit, take_unsafe))
}

/// Says which fixes wait to be asked for, where none is offered, and why.
pub(crate) fn say_what_waits(audit: &Audit, take_unsafe: bool) {
    let waiting = fixes(audit).filter(|fix| !fix.is_safe && !take_unsafe).count();
    if waiting > 0 {
        note(&format!("{waiting} more may change other code: see them with --fix --unsafe-fixes --diff"));
    }
    let report = audit.report(None);
    for finding in audit.judgement.findings.iter().filter(|finding| finding.is_open()) {
        if let Some((at, why)) = finding.held() {
            let (file, line) = report::place_of(&report, at);
            note(&format!("{file}:{line}: no fix of {}: {why}", finding.check));
        }
    }
}

/// Fixes the tree. What is left is for the audit behind this to tell.
pub(crate) fn apply(args: &AuditArgs, streams: &Streams) -> Result<(), String> {
    let quiet = args.input.quiet;
    let mut request = inputs::request(&args.input)?;
    request.baseline = baseline(args, &request)?;
    let root = request.root.clone();
    let audit = {
        let _progress = streams.progress("looking for what can be fixed", quiet);
        tokendrift::audit(request).map_err(|error| error.to_string())?
    };
    let fixed = fixed(&audit, args.unsafe_fixes);
    write(&root, &fixed)?;
    if !quiet {
        for file in &fixed {
            note(&format!("fixed {}", file.path));
        }
        let unread = fixes(&audit).filter(|fix| !fix.is_in_text(&audit.sources)).count();
        if unread > 0 {
            note(&format!("{unread} not fixed: they change files that are not UTF-8; save those as UTF-8"));
        }
        say_what_waits(&audit, args.unsafe_fixes);
    }
    Ok(())
}

fn fixes(audit: &Audit) -> impl Iterator<Item = &Fix> {
    audit
        .judgement
        .findings
        .iter()
        .filter(|finding| finding.is_open())
        .filter_map(|finding: &Finding| finding.fix.as_ref())
}

fn fixed(audit: &Audit, take_unsafe: bool) -> Vec<Fixed> {
    fix::fixed(&audit.sources, fixes(audit), take_unsafe)
}

/// Writes the files, unless one is no longer what was read; where one cannot be written, those before it are put back.
fn write(root: &Path, files: &[Fixed]) -> Result<(), String> {
    let path = |file: &Fixed| -> PathBuf { root.join(&file.path) };
    for file in files {
        let now = std::fs::read(path(file)).map_err(|error| format!("cannot read {}: {error}", file.path))?;
        if now != file.before.as_bytes() {
            return Err(format!("{} is not what was read: nothing was fixed", file.path));
        }
    }
    for (done, file) in files.iter().enumerate() {
        let put = |file: &Fixed, text: &str| {
            let text = text.to_owned();
            to_file(&path(file), &(Box::new(move |out: &mut dyn std::io::Write| out.write_all(text.as_bytes())) as _))
        };
        if let Err(error) = put(file, &file.after) {
            let lost = files.iter().take(done).filter(|file| put(file, &file.before).is_err());
            let lost: Vec<&str> = lost.map(|file| file.path.as_str()).collect();
            let left =
                if lost.is_empty() { "nothing was fixed".to_owned() } else { format!("fixed: {}", lost.join(", ")) };
            return Err(format!("cannot write {}: {error}; {left}", file.path));
        }
    }
    Ok(())
}
