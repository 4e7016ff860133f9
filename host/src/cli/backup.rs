//! `wicker backup FILE`: the lattice's state in one file.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use wicker_process::Clock;

use crate::backup;
use crate::cli::session::Session;
use crate::cli::{Global, out};

/// What `wicker backup` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write it. Configs are in it as they are: keep it as you keep a password.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// What was written, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    file: PathBuf,
    lattice: String,
    at: String,
    values: usize,
    images: usize,
    bytes: u64,
}

/// Runs the verb.
///
/// # Errors
/// The lattice's state cannot be read, or the file not be written.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let at = Clock::system().rfc3339();
    let values = backup::worth_keeping(session.store.spec_values().await?);
    let named = (session.lattice.as_str(), at.as_str());
    let images = Box::pin(backup::write(&args.file, named, &values, &session.store)).await?;
    let bytes = std::fs::metadata(&args.file).map(|file| file.len()).unwrap_or_default();
    let lattice = session.lattice.clone();
    let report = Report { file: args.file, lattice, at, values: values.len(), images, bytes };
    if session.is_json() {
        out::json(&report);
    } else {
        let Report { file, values, .. } = &report;
        out::line(&format!(
            "{}: {values} records and {images} components, {bytes} bytes",
            file.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
