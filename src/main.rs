//! The command line of tokendrift: parse, run, exit.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
