//! `wicker link set|promote|rm|ls`: who serves an import, changed while everything runs.

mod promote;
mod remove;
mod set;
mod trial;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::Scope;
use wicker_lattice::types::World;
use wicker_reconciler::known::is_host_served;
use wicker_reconciler::pattern::InterfacePattern;

use crate::cli::ps::{LinkRow, Ps, links_table};
use crate::cli::session::Session;
use crate::cli::table::short;
use crate::cli::{Global, inventory, out};

/// What `wicker link` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with links.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a link, or point it somewhere else.
    Set(set::Args),
    /// Give all calls of a link to one of the targets that share them. Everything else about it stays.
    Promote(promote::Args),
    /// Remove a link; calls through it wait for another.
    Rm(remove::Args),
    /// List links.
    Ls(ListArgs),
}

/// What `wicker link ls` takes.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only the links of this component or provider, and those that lead to it.
    #[arg(value_name = "OBJECT")]
    pub object: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// Nothing is called so, or the lattice cannot be reached.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    match args.command {
        Command::Set(args) => set::run(args, &session).await,
        Command::Promote(args) => promote::run(args, &session).await,
        Command::Rm(args) => remove::run(args, &session).await,
        Command::Ls(args) => list(args, &session).await,
    }
}

async fn list(args: ListArgs, session: &Session) -> anyhow::Result<ExitCode> {
    let inventory = inventory::read(session).await?;
    let mut links = Ps::new(&inventory).links;
    if let Some(object) = &args.object {
        let id = inventory::object(&inventory, object)?;
        links.retain(|link| link.source == id || link.leads_to(&id));
    }
    print(session, &links);
    Ok(ExitCode::SUCCESS)
}

fn print(session: &Session, links: &[LinkRow]) {
    if session.is_json() {
        out::json(&links);
    } else if links.is_empty() {
        out::note("no links");
    } else {
        out::line(links_table(links).to_string().trim_end());
    }
}

/// What links for `pattern` are keyed by: one for each package or interface version that the source really imports.
///
/// # Errors
/// The source does not import it, or its imports are not known and `pattern` has no version.
fn scopes(
    source: &ObjectId,
    pattern: &InterfacePattern,
    world: Option<&World>,
) -> anyhow::Result<Vec<Scope>> {
    let Some(world) = world else {
        let scope = match pattern.interface() {
            Some(interface) => Some(Scope::Interface(interface)),
            None => pattern.package().map(Scope::Package),
        };
        let scope = scope.filter(|_| pattern.has_version()).with_context(|| {
            format!(
                "what {} imports is not known: write the version, {pattern}@VERSION",
                short(source)
            )
        })?;
        return Ok(vec![scope]);
    };
    let linkable = || world.imports.keys().filter(|name| !is_host_served(name));
    let mut scopes: Vec<Scope> = linkable()
        .filter(|name| pattern.matches(name))
        .map(|name| match pattern.is_interface() {
            true => Scope::Interface(name.key()),
            false => Scope::Package(name.key().package()),
        })
        .collect();
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        let mut packages: Vec<String> =
            linkable().map(|name| name.key().package().to_string()).collect();
        packages.dedup();
        bail!("{} does not import {pattern}; it imports {}", short(source), packages.join(", "));
    }
    Ok(scopes)
}
