//! `wicker run FILE [-- ARG...]`: a command component, run here to its exit code. No lattice is needed.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use wicker_engine::{Actor, ActorConfig, Engine, EngineConfig, Level, LogLine, LogSink, Origin};
use wicker_lattice::id::ObjectId;
use wicker_lattice::link::Links;
use wicker_lattice::store::record::{FileGrant, Grants};

use crate::cli::{Global, out};
use crate::data_dir;

/// A command is one instance; those that it starts none.
const INSTANCES: u32 = 4;

/// What `wicker run` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component that exports `wasi:cli/run`, or a core module for WASI preview 1.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// An environment variable for it; repeatable. It sees no others.
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub environment: Vec<String>,
    /// A directory that it may read and write; repeatable. It sees no others.
    #[arg(long = "dir", value_name = "HOST[:GUEST]")]
    pub directories: Vec<String>,
    /// Its arguments, after its own name.
    #[arg(value_name = "ARG", last = true)]
    pub arguments: Vec<String>,
}

/// Runs the verb and exits with the command's own code.
///
/// # Errors
/// The file is no command, or it traps.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let shown = args.file.display().to_string();
    let wasm = std::fs::read(&args.file).with_context(|| format!("cannot read {shown}"))?;
    let data = global.data.map_or_else(data_dir::default_dir, Ok).ok();
    let cache = global.cache.or_else(|| data.and_then(|data| artifacts(&data).ok()));
    let engine =
        Engine::new(EngineConfig { cache, instances: INSTANCES, ..EngineConfig::default() })?;
    let program = engine.load(wasm.into()).await.with_context(|| format!("cannot run {shown}"))?;
    let mut config = ActorConfig::new(name(&args.file)?, Arc::new(Stderr));
    config.grants = Grants {
        environment: args
            .environment
            .iter()
            .map(|pair| variable(pair))
            .collect::<anyhow::Result<_>>()?,
        arguments: Vec::new(),
        files: args
            .directories
            .iter()
            .map(|text| directory(text))
            .collect::<anyhow::Result<_>>()?,
        network: Vec::new(),
    };
    let actor = Actor::new(&engine, program, config, Arc::new(Links::default()))
        .map_err(|error| anyhow::Error::new(error).context(format!("cannot run {shown}")))?;
    let code = actor.run(args.arguments).await.with_context(|| format!("cannot run {shown}"))?;
    Ok(ExitCode::from(code))
}

/// What messages call it: the file's name, if it can be one.
fn name(file: &std::path::Path) -> anyhow::Result<ObjectId> {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_lowercase().replace('_', "-"));
    let named = stem.and_then(|stem| ObjectId::bare(&stem).ok());
    named.map_or_else(|| Ok(ObjectId::bare("command")?), Ok)
}

/// Where compiled artifacts are kept: private to the user, or not at all.
fn artifacts(data: &std::path::Path) -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = data.join("artifacts");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
    Ok(path)
}

fn variable(pair: &str) -> anyhow::Result<(String, String)> {
    let (name, value) =
        pair.split_once('=').with_context(|| format!("--env {pair}: expected NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `HOST:GUEST`, or a directory that keeps its name: `./data` is `/data` to the command.
fn directory(text: &str) -> anyhow::Result<FileGrant> {
    let (host, guest) = match text.split_once(':') {
        Some((host, guest)) => (host, guest.to_owned()),
        None => (text, format!("/{}", text.trim_start_matches("./").trim_matches('/'))),
    };
    if !guest.starts_with('/') {
        bail!("--dir {text}: the command's path starts with /");
    }
    let host =
        std::fs::canonicalize(host).with_context(|| format!("--dir {text}: no such directory"))?;
    let host = host
        .into_os_string()
        .into_string()
        .ok()
        .with_context(|| format!("--dir {text}: not UTF-8"))?;
    Ok(FileGrant { host, guest, write: true })
}

/// What the engine has to say goes to stderr; the command has this process's own streams.
#[derive(Debug)]
struct Stderr;

impl LogSink for Stderr {
    fn write(&self, line: LogLine<'_>) {
        if line.origin != Origin::Engine || line.level >= Level::Warn {
            out::note(line.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_keeps_its_name_unless_told_otherwise() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().to_str().unwrap();
        assert_eq!(directory(path).unwrap().guest, path);
        assert_eq!(directory(&format!("{path}:/data")).unwrap().guest, "/data");
        assert!(directory(&format!("{path}:data")).is_err());
        assert!(directory("/no/such/directory").is_err());
    }
}
