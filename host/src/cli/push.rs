//! `wicker push FILE oci://HOST/REPOSITORY:TAG`: puts a component into a registry.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Serialize;

use crate::cli::{Global, Output, out};
use crate::image::{self, Origin};

/// What `wicker push` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The component.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to: `oci://HOST/REPOSITORY:TAG`. Credentials are those of `docker login`.
    #[arg(value_name = "REFERENCE")]
    pub to: String,
}

/// What was pushed, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    /// By tag, as asked for.
    reference: String,
    /// By digest: what it says can never change.
    pinned: String,
    /// The digest of the artifact.
    digest: String,
    /// The digest of the component.
    image: String,
    bytes: usize,
}

/// Runs the verb.
///
/// # Errors
/// The file is no component, or the registry refuses it.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let origin = Origin::parse(&args.to, Path::new(""))
        .map_err(|why| anyhow::anyhow!("{}: {why}", args.to))?;
    let Origin::Registry(reference) = &origin else {
        bail!("{}: expected oci://HOST/REPOSITORY:TAG", args.to)
    };
    let component = tokio::fs::read(&args.file).await;
    let component = component.with_context(|| format!("cannot read {shown}"))?;
    let world =
        wicker_engine::world_of(&component).with_context(|| format!("{shown} cannot be pushed"))?;
    let bytes = component.len();
    let pushed = image::push(reference, component.into(), &world).await?;
    let repository = format!("oci://{}/{}", reference.registry(), reference.repository());
    let report = Report {
        reference: origin.to_string(),
        pinned: format!("{repository}@{}", pushed.digest),
        digest: pushed.digest,
        image: pushed.image,
        bytes,
    };
    match global.output {
        Output::Json => out::json(&report),
        Output::Text => out::line(&format!("{}\n  {}", report.reference, report.pinned)),
    }
    Ok(ExitCode::SUCCESS)
}
