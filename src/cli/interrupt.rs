//! What is to be gone when the process ends early: temporary files, the program that fills them, statements on a server.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

struct State {
    temporary: BTreeSet<PathBuf>,
    child: Option<Child>,
    /// Whether databases are being asked, which cancel their statements themselves.
    asks: bool,
    /// Whether the process is about to end.
    ending: bool,
}

static STATE: Mutex<State> = Mutex::new(State { temporary: BTreeSet::new(), child: None, asks: false, ending: false });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on an interrupt removes what is temporary and ends the process with 128 and the signal's number (130 for Ctrl-C).
pub(crate) fn watch() {
    // Without the handlers an interrupt ends the process all the same, only less tidily.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            end(signal);
        }
    });
}

/// How long statements on a server may take to be cancelled.
const CANCELLING: Duration = Duration::from_secs(2);

/// While this is there, an interrupt leaves the probe a moment to cancel what it runs on servers.
#[derive(Debug)]
pub(crate) struct Asking(());

impl Asking {
    pub(crate) fn start() -> Self {
        state().asks = true;
        Self(())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let ending = {
            let mut state = state();
            state.asks = false;
            state.ending
        };
        // What follows would report an interrupted run as an incomplete one.
        if ending {
            loop {
                std::thread::park();
            }
        }
    }
}

#[expect(clippy::exit, reason = "an interrupt ends the process wherever it is")]
fn end(signal: i32) {
    let start = Instant::now();
    state().ending = true;
    while state().asks && start.elapsed() < CANCELLING {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Held to the end, so that nothing new becomes temporary.
    let mut state = state();
    if let Some(child) = &mut state.child {
        _ = child.kill();
        _ = child.wait();
    }
    for path in &state.temporary {
        _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    }
    std::process::exit(128 + signal);
}

/// A file or folder that an interrupt removes, as long as this is there.
#[derive(Debug)]
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// A file that the caller makes, and renames or removes itself.
    pub(crate) fn file(path: &Path) -> Self {
        state().temporary.insert(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        state().temporary.remove(&self.0);
    }
}

/// An empty folder, gone when dropped or interrupted.
#[derive(Debug)]
pub(crate) struct TemporaryFolder {
    // In the order in which they are dropped.
    folder: tempfile::TempDir,
    _known: Temporary,
}

impl TemporaryFolder {
    pub(crate) fn new() -> io::Result<Self> {
        // Nothing can interrupt between the two steps: the handler waits for the lock.
        let mut state = state();
        let folder = tempfile::Builder::new().prefix("tokendrift-").tempdir()?;
        state.temporary.insert(folder.path().to_owned());
        let known = Temporary(folder.path().to_owned());
        Ok(Self { folder, _known: known })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Runs a program to its end; an interrupt ends it.
pub(crate) fn output(command: &mut Command) -> io::Result<Output> {
    let (mut stdout, mut stderr) = {
        let mut state = state();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let pipes = (child.stdout.take(), child.stderr.take());
        state.child = Some(child);
        pipes
    };
    let errors = std::thread::spawn(move || {
        let mut read = Vec::new();
        _ = stderr.as_mut().map(|pipe| pipe.read_to_end(&mut read));
        read
    });
    let mut read = Vec::new();
    _ = stdout.as_mut().map(|pipe| pipe.read_to_end(&mut read));
    let errors = errors.join().unwrap_or_default();
    let child = state().child.take();
    let status = child.map_or_else(|| Err(io::ErrorKind::Interrupted.into()), |mut child| child.wait())?;
    Ok(Output { status, stdout: read, stderr: errors })
}
