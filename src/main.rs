//! The command line of tokendrift: parse, run, exit.

mod cli;

/// Most of an audit's work is small values made and dropped; the system's allocator spends a fifth of the run on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
