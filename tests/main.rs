//! Every integration test, in one executable.

mod architecture;
mod cli;
mod command;
mod fixtures;
mod inputs;
mod literate;
mod probes;
mod readme;
mod rust_text;
mod servers;
mod tidy;
mod tree;
