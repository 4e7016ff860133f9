//! `wicker secret set|ls|rm|get`: the secrets of a lattice, or of a file. Only `get` prints a value, to who has the key.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use secrets::{FileSecrets, Key};
use serde::Serialize;
use wicker_lattice::secret::{SECRET_BYTES_MAX, Secret, SecretId};
use wicker_lattice::store::key;
use wicker_lattice::store::record::SealedSecret;
use wicker_process::Clock;
use zeroize::Zeroizing;

use crate::cli::session::Session;
use crate::cli::table::Table;
use crate::cli::{Global, Output, out};
use crate::data_dir;
use crate::secrets::{KEY_FILE, file};

/// What `wicker secret` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SecretCommand {
    /// Set a secret to what comes on standard input, or is in a file. What runs and uses it goes on with the new value.
    Set(SetArgs),
    /// List the secrets there are; never what they are.
    Ls(LsArgs),
    /// Remove a secret.
    Rm(OneArgs),
    /// Print what a secret is. Needs the key.
    Get(OneArgs),
}

#[derive(Debug, clap::Args)]
struct SetArgs {
    /// Its name; `TEAM/NAME` for a team other than `default`.
    #[arg(value_name = "NAME")]
    name: SecretId,
    /// Read the value from this file instead of standard input, byte for byte.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    #[command(flatten)]
    at: Place,
}

#[derive(Debug, clap::Args)]
struct LsArgs {
    #[command(flatten)]
    at: Place,
}

#[derive(Debug, clap::Args)]
struct OneArgs {
    /// Its name; `TEAM/NAME` for a team other than `default`.
    #[arg(value_name = "NAME")]
    name: SecretId,
    #[command(flatten)]
    at: Place,
}

/// Where the secrets are.
#[derive(Debug, clap::Args)]
struct Place {
    /// A file of secrets, as `wicker up --secrets` reads it, instead of the lattice: `NAME=value` lines, or the same sealed
    /// if its name ends with `.age`.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// The key that opens secrets. By default `secrets.key` in the data directory, which the lattice's first host made.
    #[arg(long, env = "WICKER_SECRETS_KEY", value_name = "FILE")]
    secrets_key: Option<PathBuf>,
}

/// One secret, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Row {
    secret: SecretId,
    /// `null`: in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_at: Option<String>,
}

impl Place {
    fn key(&self, global: &Global) -> anyhow::Result<PathBuf> {
        if let Some(key) = &self.secrets_key {
            return Ok(key.clone());
        }
        let folder = global.data.clone().map_or_else(data_dir::default_dir, Ok)?;
        Ok(folder.join(KEY_FILE))
    }

    fn file(&self, global: &Global) -> anyhow::Result<Option<FileSecrets>> {
        let Some(path) = &self.store else { return Ok(None) };
        file(path.clone(), self.key(global)?).map(Some)
    }
}

/// Runs the verb.
///
/// # Errors
/// The lattice cannot be reached, the file or the key cannot be used, or there is no such secret.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    match args.command {
        SecretCommand::Set(args) => set(args, &global).await?,
        SecretCommand::Ls(args) => list(args, &global).await?,
        SecretCommand::Rm(args) => remove(args, &global).await?,
        SecretCommand::Get(args) => get(args, &global).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(args: SetArgs, global: &Global) -> anyhow::Result<()> {
    let SetArgs { name, from_file, at } = args;
    let value = read_value(from_file)?;
    match at.file(global)? {
        Some(file) => {
            file.change(|values| values.insert(name.clone(), value))?;
        }
        None => {
            let session = Session::open(global).await?;
            let now = Clock::system().rfc3339();
            secrets_nats::set(&session.store, &name, &value, now).await?;
        }
    }
    say(global, &name, "is set")
}

/// From standard input, without the line feed that ends it; from a file as it is.
fn read_value(from_file: Option<PathBuf>) -> anyhow::Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::new());
    let most = SECRET_BYTES_MAX as u64 + 1;
    match &from_file {
        Some(path) => {
            let file = std::fs::File::open(path);
            let read = file.and_then(|file| file.take(most).read_to_end(&mut bytes));
            read.with_context(|| format!("cannot read {}", path.display()))?;
        }
        None => {
            let stdin = std::io::stdin();
            if stdin.is_terminal() {
                out::note("type the value, then Enter and Ctrl-D");
            }
            stdin.lock().take(most).read_to_end(&mut bytes).context("cannot read the value")?;
            if bytes.ends_with(b"\n") {
                bytes.pop();
            }
        }
    }
    ensure!(
        !bytes.is_empty(),
        "the value is empty: give it on standard input, or with --from-file"
    );
    ensure!(bytes.len() <= SECRET_BYTES_MAX, "the value is larger than 64 KiB");
    Ok(Secret::new(bytes.to_vec()))
}

async fn list(args: LsArgs, global: &Global) -> anyhow::Result<()> {
    let rows: Vec<Row> = match args.at.file(global)? {
        Some(file) => {
            let row = |secret| Row { secret, set_at: None };
            file.read()?.into_keys().map(row).collect()
        }
        None => {
            let session = Session::open(global).await?;
            let all =
                secrets_nats::list(&session.store).await?.into_iter().map(|entry| entry.record);
            all.map(|record| Row { secret: record.id, set_at: Some(record.set_at) }).collect()
        }
    };
    if global.output == Output::Json {
        out::json(&rows);
        return Ok(());
    }
    let mut table = Table::new(["SECRET", "SET"]);
    for Row { secret, set_at } in rows {
        table.row([secret.to_string(), set_at.unwrap_or_default()]);
    }
    out::line(table.to_string().trim_end());
    Ok(())
}

async fn remove(args: OneArgs, global: &Global) -> anyhow::Result<()> {
    let OneArgs { name, at } = args;
    let is_gone = match at.file(global)? {
        Some(file) => file.change(|values| values.remove(&name).is_some())?,
        None => {
            let session = Session::open(global).await?;
            secrets_nats::remove(&session.store, &name).await?
        }
    };
    ensure!(is_gone, "there is no secret `{name}`; see `wicker secret ls`");
    say(global, &name, "is removed")
}

async fn get(args: OneArgs, global: &Global) -> anyhow::Result<()> {
    let OneArgs { name, at } = args;
    let missing = || format!("there is no secret `{name}`; see `wicker secret ls`");
    let secret = match at.file(global)? {
        Some(file) => file.read()?.remove(&name).with_context(missing)?,
        None => {
            let session = Session::open(global).await?;
            let found = session.store.get::<SealedSecret>(&key::secret(&name)).await?;
            let found = found.with_context(missing)?;
            let path = at.key(global)?;
            let Some(key) = Key::read(&path)? else {
                bail!("there is no key {}: give --secrets-key", path.display())
            };
            let secret = secrets_nats::unseal(&key, &found.record);
            secret.with_context(|| format!("cannot read the secret `{name}`"))?
        }
    };
    let text = secret.reveal_text().context("the secret is no text")?;
    if global.output == Output::Json {
        out::json(&serde_json::json!({ "secret": name, "value": text }));
    } else {
        out::line(text);
    }
    Ok(())
}

fn say(global: &Global, name: &SecretId, what: &str) -> anyhow::Result<()> {
    if global.output == Output::Json {
        out::json(&serde_json::json!({ "secret": name }));
    } else {
        out::line(&format!("{name} {what}"));
    }
    Ok(())
}
