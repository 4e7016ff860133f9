//! The `wicker` program: parses the command line and hands over to the verb.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    wicker_host::cli::main(wicker_host::cli::Cli::parse())
}
