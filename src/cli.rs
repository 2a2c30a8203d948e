//! Parse -> run -> exit code. Results on stdout (or in `--output`), everything else on stderr.
//!
//! Invariants: clap and the terminal never leave the binary; the exit code does not depend on the format; no message holds
//! a URL, since it may hold a password.

mod args;
mod audit;
mod baseline;
mod draft;
mod explain;
mod fix;
mod init;
mod inputs;
mod interrupt;
mod output;
mod probe;
mod reference;
mod suppressions;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command};
use output::Output;
use terminal::Streams;

/// How a run ended. The same for every format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It ran to the end, and nothing at or above `--fail-on` was found.
    Clean = 0,
    /// There are findings at or above `--fail-on`, whether it ran to the end or not.
    Findings = 1,
    /// It could not run: usage, configuration, no inputs, or no place to write the result to.
    CouldNotRun = 2,
    /// It found nothing, and did not see everything: a database that does not answer, too many unknowns. Never clean.
    Incomplete = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a command leaves behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    /// Written in this order; the first that cannot be written ends the run.
    pub(crate) outputs: Vec<Output>,
}

impl Ran {
    /// A text on stdout.
    pub(crate) fn text(exit: Exit, text: String) -> Self {
        Self { exit, outputs: vec![Output::text(text)] }
    }
}

/// Runs what the command line says.
pub(crate) fn main() -> ExitCode {
    interrupt::watch();
    let streams = Streams::of_process();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ran = match cli.command {
        Command::Audit(args) => audit::run(&args, &streams),
        Command::Baseline(command) => baseline::run(&command, &streams),
        Command::Suppressions(args) => suppressions::run(&args, &streams),
        Command::Probe(args) => probe::run(&args, &streams),
        Command::Init(args) => init::run(&args, &streams),
        Command::Explain(args) => explain::run(&args, &streams),
        Command::Pin(args) => draft::pin(&args, &streams),
        Command::Adr(args) => draft::adr(&args, &streams),
        Command::Completions { shell } => Ok(completions(shell)),
        Command::Man { command } => man(command.as_deref()),
    };
    let written = ran.and_then(|ran| ran.outputs.iter().try_for_each(output::write).map(|()| ran.exit));
    let exit = written.unwrap_or_else(|why| {
        streams.error(&why);
        Exit::CouldNotRun
    });
    exit.into()
}

/// Help and version are results; anything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() && text.contains("://") {
        // Somebody put a database URL where none belongs.
        terminal::note(&text);
    } else if let Err(why) = error.print() {
        // A reader who has gone needs nothing; a full disk is to be told.
        let is_gone = why.kind() == std::io::ErrorKind::BrokenPipe;
        return if is_gone { Exit::Clean.into() } else { Exit::CouldNotRun.into() };
    }
    if error.use_stderr() { Exit::CouldNotRun.into() } else { Exit::Clean.into() }
}

fn completions(shell: clap_complete::Shell) -> Ran {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tokendrift", &mut script);
    Ran::text(Exit::Clean, String::from_utf8_lossy(&script).into_owned())
}

/// A page in roff, from the same definition as the help.
fn man(command: Option<&str>) -> Result<Ran, String> {
    let program = Cli::command();
    let page = match command {
        None => program,
        Some(name) => {
            let found = program.get_subcommands().find(|command| command.get_name() == name).cloned();
            let found = found.ok_or_else(|| format!("there is no command `{name}`"))?;
            found
                .name(format!("tokendrift-{name}"))
                .bin_name(format!("tokendrift {name}"))
                .version(env!("CARGO_PKG_VERSION"))
        }
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(page).render(&mut roff).map_err(|error| error.to_string())?;
    Ok(Ran::text(Exit::Clean, String::from_utf8_lossy(&roff).into_owned()))
}

#[cfg(test)]
mod tests;
