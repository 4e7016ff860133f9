//! `blobstore-s3` as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    wicker_provider::run::<blobstore_s3::S3>()
}
