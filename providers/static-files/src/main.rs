//! `static-files` as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    wicker_provider::run::<static_files::StaticFiles>()
}
