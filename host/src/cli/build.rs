//! `wicker build FILE`: makes a component of what other tools have made, ready for a registry or a manifest.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use wicker_lattice::store::digest;

use crate::cli::{Global, Output, out};

/// What `wicker build` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component, or a core module for WASI preview 1, which is adapted.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to write the component; by default FILE with `.component.wasm` in place of `.wasm`.
    #[arg(long, short, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Leave out names, debug information and notes about tools: the same code in a smaller file, whose traps name
    /// functions by number.
    #[arg(long)]
    pub slim: bool,
}

/// What was made, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    file: PathBuf,
    digest: String,
    /// Of the file that was given.
    bytes_before: usize,
    /// Of the component.
    bytes: usize,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// The file is neither component nor module for WASI preview 1, or the component cannot be written.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let given = std::fs::read(&args.file).with_context(|| format!("cannot read {shown}"))?;
    let made = || {
        let component = wicker_engine::component_of(&given)?;
        let component = if args.slim { wicker_engine::slim(&component)? } else { component };
        let world = wicker_engine::world_of(&component)?;
        Ok::<_, wicker_engine::LoadError>((component, world))
    };
    let (component, world) =
        made().with_context(|| format!("cannot make a component of {shown}"))?;
    let to = args.to.clone().unwrap_or_else(|| args.file.with_extension("component.wasm"));
    ensure!(to != args.file, "{shown} would be overwritten: name another file with --to");
    write(&to, &component)?;
    let report = Report {
        digest: digest(&component),
        bytes_before: given.len(),
        bytes: component.len(),
        imports: world.imports.keys().map(ToString::to_string).collect(),
        exports: world.exports.keys().map(ToString::to_string).collect(),
        file: to,
    };
    match global.output {
        Output::Json => out::json(&report),
        Output::Text => out::line(&format!(
            "{}\n  {} bytes, of {}; {} imports, {} exports\n  {}",
            report.file.display(),
            report.bytes,
            report.bytes_before,
            report.imports.len(),
            report.exports.len(),
            report.digest
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// All of it or nothing: a deployment that reads the file meanwhile gets the one from before.
fn write(to: &Path, component: &[u8]) -> anyhow::Result<()> {
    let part = to.with_extension("wasm.part");
    std::fs::write(&part, component)
        .and_then(|()| std::fs::rename(&part, to))
        .inspect_err(|_| _ = std::fs::remove_file(&part))
        .with_context(|| format!("cannot write {}", to.display()))
}
