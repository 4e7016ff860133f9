//! The `wicker` program: parses the command line and hands over to the verb.

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;

/// Gives what thousands of idle connections have freed back to the kernel; the C library's own keeps it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    wicker_host::cli::main(wicker_host::cli::Cli::parse())
}
