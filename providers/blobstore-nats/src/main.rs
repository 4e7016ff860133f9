//! `blobstore-nats` as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    wicker_provider::run::<blobstore_nats::Nats>()
}
