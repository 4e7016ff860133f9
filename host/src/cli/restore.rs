//! `wicker restore FILE`: puts back what `wicker backup` wrote.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::backup::{self, Restored};
use crate::cli::session::Session;
use crate::cli::{Global, out};

/// What `wicker restore` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What `wicker backup` wrote.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// What was put back, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    file: PathBuf,
    /// Of which lattice, and when it was written.
    lattice: String,
    at: String,
    applications: Vec<String>,
    values: usize,
    images: usize,
}

/// Runs the verb.
///
/// # Errors
/// The file is damaged, something else is in the way, or the lattice's state cannot be written.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let contents = backup::read(&args.file)?;
    let session = Session::open(&global).await?;
    let restored = Box::pin(backup::put_back(&args.file, &contents, &session.store)).await?;
    let Restored { applications, values, images } = restored;
    let (lattice, at) = (contents.lattice, contents.at);
    let report = Report { file: args.file, lattice, at, applications, values, images };
    if session.is_json() {
        out::json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    out::line(&format!("restored lattice `{}` as of {}", report.lattice, report.at));
    for application in &report.applications {
        out::line(&format!("  {application}"));
    }
    out::note("hosts start it now: `wicker status` shows how far they are");
    Ok(ExitCode::SUCCESS)
}
