//! `messaging-memory` as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    wicker_provider::run::<messaging_memory::Memory>()
}
