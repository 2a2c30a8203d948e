//! Where a result goes: stdout, or a file that is there whole or not at all.

use std::fs;
use std::io::{ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use crate::cli::Ran;
use crate::cli::terminal::note;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    Stdout,
    File(PathBuf),
}

/// Writes the result, or says why it cannot be written.
pub(crate) fn write(ran: &Ran) -> std::result::Result<(), String> {
    match &ran.sink {
        Sink::Stdout => to_stdout(&ran.result).map_err(|error| format!("cannot write to stdout: {error}")),
        Sink::File(path) => {
            to_file(path, ran.result.as_bytes()).map_err(|error| {
                let hint = match error.kind() {
                    ErrorKind::NotFound => "; its folder does not exist, make it first",
                    ErrorKind::IsADirectory => "; name a file in it",
                    _ => "",
                };
                format!("cannot write {}: {error}{hint}", path.display())
            })?;
            if !ran.quiet {
                note(&format!("wrote {}", path.display()));
            }
            Ok(())
        }
    }
}

/// Whoever reads may stop at any time (`| head`): that is no error.
fn to_stdout(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes beside the file, then renames, so that no reader meets half of a result and a failure leaves the old one.
pub(crate) fn to_file(path: &Path, bytes: &[u8]) -> Result<()> {
    // The file that a link leads to, so that the link stays one.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = fs::metadata(&target).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        // A pipe or a device cannot be replaced; a folder fails here with the right reason.
        return fs::OpenOptions::new().write(true).open(&target)?.write_all(bytes);
    }
    if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
        return Err(std::io::Error::new(ErrorKind::PermissionDenied, "the file there is read-only"));
    }
    let name = target.file_name().ok_or_else(|| std::io::Error::new(ErrorKind::InvalidInput, "that names no file"))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = target.with_file_name(beside);
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        if let Some(old) = &old {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()
    });
    let result = written.and_then(|()| fs::rename(&beside, &target));
    if result.is_err() {
        // What failed first is what is reported.
        _ = fs::remove_file(&beside);
    }
    result
}
