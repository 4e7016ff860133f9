//! `wicker team create NAME` and `wicker teams`: who owns what. `token` lets somebody act for a team.
//!
//! The private key of the authority is a file of the operator's; the lattice knows its public half. The first team makes
//! both, and speaks for what is there already.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use wicker_lattice::id::{DEFAULT_TEAM, is_name};
use wicker_lattice::store::record::{Authority as AuthorityRecord, Team};
use wicker_lattice::store::{Record as _, StoreError, key};
use wicker_lattice::token::team::Authority;
use wicker_process::Clock;
use wicker_reconciler::inventory::Inventory;
use wicker_reconciler::plan::AnyRecord;

use crate::cli::approve::{self, now};
use crate::cli::exports::Rows;
use crate::cli::session::Session;
use crate::cli::table::Table;
use crate::cli::{Global, inventory, out};
use crate::data_dir;

/// How long the authority may take to speak for what is there, in seconds.
pub(super) const ADOPTION_SECONDS: i64 = 600;

/// What `wicker team` takes.
#[derive(Debug, clap::Args)]
pub struct TeamArgs {
    /// What to do.
    #[command(subcommand)]
    command: TeamCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TeamCommand {
    /// Make a team. From the first one on, whoever writes for a team other than `default` needs a token of it.
    Create(CreateArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// Its name: the first part of its ids.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    authority: AuthorityArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct AuthorityArgs {
    /// The file of the authority's private key; the first `team create` makes it. By default `authority-LATTICE.key` in the
    /// data directory.
    #[arg(long, env = "WICKER_AUTHORITY", value_name = "FILE")]
    authority: Option<PathBuf>,
}

/// What `wicker teams` takes.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// One team, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct TeamRow {
    team: String,
    /// `null`: applications name it, and nobody has made it.
    created_at: Option<String>,
    applications: Vec<String>,
    /// What it offers to others.
    exports: Vec<String>,
    /// The exports of others that its objects are linked to.
    uses: Vec<String>,
}

/// Runs `wicker team`.
///
/// # Errors
/// There is such a team, or this is not the lattice's authority.
pub async fn team(args: TeamArgs, global: Global) -> anyhow::Result<ExitCode> {
    let TeamCommand::Create(CreateArgs { name, authority }) = args.command;
    ensure!(
        is_name(&name),
        "`{name}` cannot name a team: names are 1 to 63 of a-z, 0-9 and inner hyphens"
    );
    ensure!(
        name != DEFAULT_TEAM,
        "team `{DEFAULT_TEAM}` is everybody's: give the team a name of its own"
    );
    let session = Session::open(&global).await?;
    let file = file(&authority, &global)?;
    let is_first = session.store.get::<AuthorityRecord>(key::AUTHORITY).await?.is_none();
    if is_first {
        make_authority(&session, &file).await?;
    } else {
        read_authority(&session, &file).await?;
    }
    let created_at = Clock::system().rfc3339();
    match session.store.create(&Team { name: name.clone(), created_at }).await {
        Ok(_) => {}
        Err(StoreError::Conflict { .. }) => bail!("there is a team `{name}` already"),
        Err(error) => return Err(error).with_context(|| format!("cannot make team `{name}`")),
    }
    if session.is_json() {
        out::json(&serde_json::json!({ "team": name, "authority": file }));
    } else {
        out::line(&format!(
            "team {name} is made; give out tokens: wicker token issue --team {name}"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `wicker teams`.
///
/// # Errors
/// The lattice cannot be reached.
pub async fn list(_args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let inventory = inventory::read(&session).await?;
    let made = session.store.list::<Team>(&Team::all()).await?;
    let made = made.into_iter().map(|entry| (entry.record.name, entry.record.created_at));
    let rows = rows(&inventory, &made.collect());
    if session.is_json() {
        out::json(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["TEAM", "APPLICATIONS", "OFFERS", "USES", "MADE"]);
    for TeamRow { team, created_at, applications, exports, uses } in rows {
        let made = created_at.unwrap_or_default();
        let lists = [applications, exports, uses].map(|list| list.join(", "));
        let [applications, exports, uses] = lists;
        table.row([team, applications, exports, uses, made]);
    }
    out::line(table.to_string().trim_end());
    Ok(ExitCode::SUCCESS)
}

fn rows(inventory: &Inventory, made: &BTreeMap<String, String>) -> Vec<TeamRow> {
    let applications = || inventory.applications.values().map(|stored| &stored.record);
    let mut names: BTreeSet<&str> = applications().map(|each| each.team.as_str()).collect();
    names.extend(made.keys().map(String::as_str));
    let exports = Rows::new(inventory, None).0;
    let row = |team: &str| {
        let own = exports.iter().filter(|row| row.export.team() == team);
        let is_used = |row: &&crate::cli::exports::ExportRow| {
            row.to.iter().any(|grant| grant.team == team && !grant.used_by.is_empty())
        };
        TeamRow {
            team: team.to_owned(),
            created_at: made.get(team).cloned(),
            applications: applications()
                .filter(|each| each.team == team)
                .map(|each| each.name.clone())
                .collect(),
            exports: own.map(|row| row.export.to_string()).collect(),
            uses: exports.iter().filter(is_used).map(|row| row.export.to_string()).collect(),
        }
    };
    names.into_iter().map(row).collect()
}

/// Where the authority's key is.
pub(super) fn file(args: &AuthorityArgs, global: &Global) -> anyhow::Result<PathBuf> {
    if let Some(file) = &args.authority {
        return Ok(file.clone());
    }
    let folder = global.data.clone().map_or_else(data_dir::default_dir, Ok)?;
    Ok(folder.join(format!("authority-{}.key", global.lattice)))
}

/// Makes the key, the lattice's record of it, and teams of what is there; lets these teams keep what they have.
async fn make_authority(session: &Session, file: &Path) -> anyhow::Result<()> {
    let authority = Authority::generate()?;
    write_secret(file, &authority.to_secret_text())?;
    let record = AuthorityRecord { key: authority.public_key().to_owned() };
    let inventory = inventory::read(session).await?;
    adopt(session, &authority, &inventory).await?;
    if let Err(error) = session.store.create(&record).await {
        // Nobody has seen it yet.
        let _ = std::fs::remove_file(file);
        return Err(error).context("cannot make the lattice's authority");
    }
    out::note(&format!(
        "the lattice's authority is {}: keep it safe, who has it may act for every team",
        file.display()
    ));
    Ok(())
}

/// Approves everything that teams have deployed so far.
async fn adopt(
    session: &Session,
    authority: &Authority,
    inventory: &Inventory,
) -> anyhow::Result<()> {
    let mut records: Vec<AnyRecord> = Vec::new();
    records.extend(inventory.components.values().map(|stored| stored.record.clone().into()));
    records.extend(inventory.providers.values().map(|stored| stored.record.clone().into()));
    records.extend(inventory.exports.values().map(|stored| stored.record.clone().into()));
    records.extend(inventory.links.values().map(|stored| stored.record.clone().into()));
    records.extend(inventory.routes.values().map(|stored| stored.record.clone().into()));
    let now = now();
    let mut credentials = BTreeMap::new();
    for record in records.iter().filter_map(approve::governed) {
        if !credentials.contains_key(&record.team) {
            let issued =
                authority.issue(&session.lattice, &record.team, (now, ADOPTION_SECONDS))?;
            credentials.insert(record.team.clone(), issued);
        }
        let Some(credential) = credentials.get(&record.team) else { continue };
        approve::write(session, credential, &record).await?;
    }
    for name in credentials.into_keys() {
        let created_at = Clock::system().rfc3339();
        match session.store.create(&Team { name, created_at }).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The lattice's authority, from its file.
pub(super) async fn read_authority(session: &Session, file: &Path) -> anyhow::Result<Authority> {
    let record = session.store.get::<AuthorityRecord>(key::AUTHORITY).await?;
    let record = record.context("the lattice has no teams yet: wicker team create NAME")?.record;
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| {
        format!("cannot read the authority's key {shown}: say where it is with --authority FILE")
    })?;
    let authority: Authority =
        text.parse().with_context(|| format!("{shown} holds no authority's key"))?;
    ensure!(
        authority.public_key() == record.key,
        "{shown} is the key of another lattice's authority"
    );
    Ok(authority)
}

/// Writes a file that only its user reads; never over another one.
fn write_secret(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file);
    let written = opened.and_then(|mut file| writeln!(file, "{text}"));
    written.with_context(|| format!("cannot write the authority's key to {}", file.display()))
}
