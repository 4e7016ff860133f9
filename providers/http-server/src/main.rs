//! `http-server` as a process of its own: HTTP for a lattice on a machine that runs no components.

use std::process::ExitCode;

fn main() -> ExitCode {
    wicker_provider::run::<http_server::HttpServer>()
}
