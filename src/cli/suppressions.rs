//! `suppressions`: every comment that puts findings aside.

use std::rc::Rc;

use tokendrift::report;

use crate::cli::args::InputArgs;
use crate::cli::output::{Output, Sink};
use crate::cli::terminal::Streams;
use crate::cli::{Exit, Ran, inputs};

/// Lists them all; one that is no good fails the run as it fails an audit.
pub(crate) fn run(args: &InputArgs, streams: &Streams) -> Result<Ran, String> {
    let request = inputs::request(args)?;
    let audit = {
        let _progress = streams.progress("auditing", args.quiet);
        tokendrift::audit(request).map_err(|error| error.to_string())?
    };
    let any_fault = audit.judgement.suppressions.iter().any(|comment| !comment.faults.is_empty());
    let audit = Rc::new(audit);
    let render = move |out: &mut dyn std::io::Write| report::suppressions(&audit.report(None), out);
    let exit = if any_fault { Exit::Findings } else { Exit::Clean };
    Ok(Ran { exit, outputs: vec![Output { sink: Sink::Stdout, quiet: true, render: Box::new(render) }] })
}
