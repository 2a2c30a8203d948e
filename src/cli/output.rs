//! Where a result goes: stdout, or a file that is there whole or not at all.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::cli::interrupt::Temporary;
use crate::cli::terminal::note;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    Stdout,
    File(PathBuf),
    /// A file that must not be there yet.
    New(PathBuf),
    /// A file that this goes to the end of.
    End(PathBuf),
}

impl Sink {
    /// `-` is standard output, as everywhere.
    pub(crate) fn of(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdout } else { Self::File(path) }
    }
}

/// Writes a result, piece by piece.
pub(crate) type Render = Box<dyn Fn(&mut dyn Write) -> io::Result<()>>;

/// A result and where it goes.
pub(crate) struct Output {
    pub(crate) sink: Sink,
    /// Whether to say on stderr where it went.
    pub(crate) quiet: bool,
    pub(crate) render: Render,
}

impl Output {
    /// A text on stdout.
    pub(crate) fn text(text: String) -> Self {
        Self::text_to(Sink::Stdout, text, true)
    }

    /// A text, and where it goes.
    pub(crate) fn text_to(sink: Sink, text: String, quiet: bool) -> Self {
        Self { sink, quiet, render: Box::new(move |out| out.write_all(text.as_bytes())) }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("sink", &self.sink).finish_non_exhaustive()
    }
}

/// Writes a result, or says why it cannot be written.
pub(crate) fn write(output: &Output) -> Result<(), String> {
    match &output.sink {
        Sink::Stdout => to_stdout(&output.render).map_err(|error| format!("cannot write to stdout: {error}")),
        Sink::File(path) => {
            to_file(path, &output.render).map_err(|error| {
                let hint = match error.kind() {
                    ErrorKind::NotFound => "; its folder does not exist, make it first",
                    ErrorKind::IsADirectory => "; name a file in it",
                    _ => "",
                };
                format!("cannot write {}: {error}{hint}", path.display())
            })?;
            if !output.quiet {
                note(&format!("wrote {}", path.display()));
            }
            Ok(())
        }
        Sink::End(path) => {
            let file = fs::OpenOptions::new().append(true).create(true).open(path);
            file.and_then(|mut file| (output.render)(&mut file))
                .map_err(|error| format!("cannot append to {}: {error}", path.display()))?;
            if !output.quiet {
                note(&format!("appended to {}", path.display()));
            }
            Ok(())
        }
        Sink::New(path) => {
            to_new_file(path, &output.render).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => format!("{} is there already and is not overwritten", path.display()),
                _ => format!("cannot write {}: {error}", path.display()),
            })?;
            if !output.quiet {
                note(&format!("wrote {}", path.display()));
            }
            Ok(())
        }
    }
}

/// Writes a file that is not there yet, with the folders it needs.
fn to_new_file(path: &Path, render: &Render) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    render(&mut file)?;
    file.sync_all()
}

/// Whoever reads may stop at any time (`| head`): that is no error.
fn to_stdout(render: &Render) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let result = render(&mut stdout).and_then(|()| stdout.flush());
    // What is left in the buffer after an error has nowhere to go.
    let (_, _unwritten) = stdout.into_parts();
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes beside the file, then renames, so that no reader meets half of a result and a failure leaves the old one.
pub(crate) fn to_file(path: &Path, render: &Render) -> io::Result<()> {
    let into = |file: &mut File| {
        let mut buffered = BufWriter::new(file);
        let result = render(&mut buffered).and_then(|()| buffered.flush());
        let (_, _unwritten) = buffered.into_parts();
        result
    };
    // The file that a link leads to, so that the link stays one.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = fs::metadata(&target).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        // A pipe or a device cannot be replaced; a folder fails here with the right reason.
        return into(&mut fs::OpenOptions::new().write(true).open(&target)?);
    }
    if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "the file there is read-only"));
    }
    let name = target.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "that names no file"))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = target.with_file_name(beside);
    let _temporary = Temporary::file(&beside);
    let written = File::create(&beside).and_then(|mut file| {
        into(&mut file)?;
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
