//! Every integration test, in one executable.

mod accepted;
mod architecture;
mod cli;
mod command;
mod drafts;
mod endings;
mod explanations;
mod fixes;
mod fixtures;
mod formats;
mod generated;
mod inputs;
mod jobs;
mod literate;
mod node;
mod page;
mod probe_facts;
mod probe_faults;
mod probe_traps;
mod probes;
mod readme;
mod records;
mod rust_text;
mod servers;
mod tidy;
mod tree;
