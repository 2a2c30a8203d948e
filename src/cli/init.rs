//! `init [PATH]`: a proposal for `tokendrift.toml`, which never replaces one that is there.

use tokendrift::Request;
use tokendrift::config::{self, Config};
use tokendrift::probe::Options;

use crate::cli::args::InitArgs;
use crate::cli::inputs::today;
use crate::cli::output::{Output, Sink};
use crate::cli::terminal::Streams;
use crate::cli::{Exit, Ran};

pub(crate) fn run(args: &InitArgs, streams: &Streams) -> Result<Ran, String> {
    let file = args.path.join(config::FILE_NAME);
    if !args.path.is_dir() {
        return Err(format!(
            "{} is no folder; name the folder that tokendrift.toml is to stand in",
            args.path.display()
        ));
    }
    if !args.print && file.symlink_metadata().is_ok() {
        return Err(format!("{} is there already and is not overwritten; --print shows the proposal", file.display()));
    }
    let request = Request {
        root: args.path.clone(),
        inputs: Vec::new(),
        config: Config::default(),
        jobs: None,
        databases: Vec::new(),
        probe: Options::default(),
        baseline: None,
        suppressions: true,
        today: today(),
    };
    let proposed = {
        let _progress = streams.progress("reading", args.quiet);
        tokendrift::propose(request).map_err(|error| error.to_string())?
    };
    let Some(proposed) = proposed else {
        return Err(format!(
            "no table that {} declares has a column that looks like a token. Name one yourself: audit --column \
             users.access_token; for the guards alone any column of the users' table, as in audit --column users.password",
            args.path.display()
        ));
    };
    let sink = if args.print { Sink::Stdout } else { Sink::New(file) };
    Ok(Ran { exit: Exit::Clean, outputs: vec![Output::text_to(sink, proposed.text, args.quiet)] })
}
