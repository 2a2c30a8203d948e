//! Every integration test, in one executable.

mod accepted;
mod architecture;
mod cli;
mod command;
mod endings;
mod fixtures;
mod formats;
mod generated;
mod inputs;
mod literate;
mod probe_faults;
mod probes;
mod readme;
mod rust_text;
mod servers;
mod tidy;
mod tree;
