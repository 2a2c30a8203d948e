//! What the streams are: colour, width, a sign of life, messages.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokendrift::config::without_urls;

use crate::cli::args::ColorChoice;

/// The width of a result that goes to no terminal: the same on every machine.
const PLAIN_WIDTH: usize = 100;

/// What the process was started with, read once.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Streams {
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr_is_terminal: bool,
    /// Columns of the terminal on stdout.
    pub(crate) columns: Option<usize>,
    pub(crate) no_color: bool,
    pub(crate) force_color: bool,
    pub(crate) dumb: bool,
}

impl Streams {
    pub(crate) fn of_process() -> Self {
        // An empty variable counts as none, as no-color.org says.
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = |name| set(name) && std::env::var_os(name).is_none_or(|value| value != "0" && value != "false");
        Self {
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            columns: terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0)),
            no_color: set("NO_COLOR"),
            force_color: forced("FORCE_COLOR") || forced("CLICOLOR_FORCE"),
            dumb: std::env::var_os("TERM").is_some_and(|term| term == "dumb"),
        }
    }

    /// Whether a result on stdout has colour. A file has it only when told so.
    pub(crate) fn color(&self, choice: ColorChoice, to_file: bool) -> bool {
        match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => !to_file && self.wants_color(self.stdout_is_terminal),
        }
    }

    fn wants_color(&self, is_terminal: bool) -> bool {
        !self.no_color && (self.force_color || (is_terminal && !self.dumb))
    }

    /// How many columns a result may take.
    pub(crate) fn width(&self, to_file: bool) -> usize {
        match self.columns {
            Some(columns) if self.stdout_is_terminal && !to_file => columns.clamp(40, 200),
            _ => PLAIN_WIDTH,
        }
    }

    pub(crate) fn error(&self, message: &str) {
        let word = if self.wants_color(self.stderr_is_terminal) { "\x1b[1;31merror\x1b[0m" } else { "error" };
        note(&format!("{word}: {message}"));
    }

    pub(crate) fn warning(&self, message: &str) {
        let word = if self.wants_color(self.stderr_is_terminal) { "\x1b[1;33mwarning\x1b[0m" } else { "warning" };
        note(&format!("{word}: {message}"));
    }

    /// A sign of life on stderr while something takes long; gone when dropped. Only on a terminal.
    pub(crate) fn progress(&self, what: &'static str, quiet: bool) -> Progress {
        if quiet || !self.stderr_is_terminal || self.dumb {
            return Progress(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(Some(bar))
    }
}

impl Streams {
    /// A bar on stderr for rows that are counted: how many, how fast, how long it will still take. Only on a terminal.
    pub(crate) fn counting(&self, quiet: bool) -> Progress {
        if quiet || !self.stderr_is_terminal || self.dumb {
            return Progress(None);
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "{spinner} {msg} {bar:24} {human_pos} of about {human_len} rows, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message("asking");
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(Some(bar))
    }
}

/// A line on stderr.
pub(crate) fn note(message: &str) {
    let message = without_urls(message);
    // Without a stderr there is nobody to tell.
    _ = writeln!(std::io::stderr().lock(), "{}", message.trim_end());
}

pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// What moves the bar: the table, the rows counted, and about how many there are.
    pub(crate) fn watch(&self) -> Option<impl Fn(&str, u64, u64) + Send + Sync + 'static> {
        let bar = self.0.clone()?;
        Some(move |table: &str, rows, of| {
            bar.set_message(table.to_owned());
            bar.set_length(of);
            bar.set_position(rows);
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
