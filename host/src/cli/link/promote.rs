//! `wicker link promote SOURCE INTERFACE TARGET`: the end of a canary.

use std::process::ExitCode;

use anyhow::{bail, ensure};
use wicker_lattice::call::DEFAULT_LINK;
use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::Link;
use wicker_reconciler::names::{self, Resolved};
use wicker_reconciler::pattern::InterfacePattern;

use super::remove::covers;
use super::set::{print, write};
use crate::cli::inventory;
use crate::cli::session::Session;
use crate::cli::table::short;
use crate::provider::registry;

/// What `wicker link promote` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who imports: any ending of its id.
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The interface or package that the link covers.
    #[arg(value_name = "INTERFACE")]
    pub interface: InterfacePattern,
    /// Which of its targets serves every call from now on: any ending of its id.
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// The link's name.
    #[arg(long, default_value = DEFAULT_LINK, value_name = "NAME")]
    pub name: String,
}

pub(super) async fn run(args: Args, session: &Session) -> anyhow::Result<ExitCode> {
    let builtins = registry::facts();
    let inventory = inventory::read(session).await?;
    let source = inventory::object(&inventory, &args.source)?;
    let is_meant = |link: &&Link| {
        link.source == source && link.name == args.name && covers(&args.interface, &link.scope)
    };
    let links = inventory.links.values().map(|stored| &stored.record);
    let meant: Vec<&Link> = links.filter(is_meant).collect();
    ensure!(
        !meant.is_empty(),
        "{} has no link {} for {}",
        short(&source),
        args.name,
        args.interface
    );
    let mut reports = Vec::with_capacity(meant.len());
    for link in meant {
        let target = one_of(link, &args.target)?.clone();
        let link = Link { target, split: Vec::new(), ..link.clone() };
        reports.push(write(session, (&inventory, &builtins), link).await?);
    }
    Ok(print(session, &reports))
}

/// The target that `text` means.
fn one_of<'a>(link: &'a Link, text: &str) -> anyhow::Result<&'a ObjectId> {
    let meant = match names::resolve(text, link.targets()) {
        Resolved::One(id) => link.targets().find(|target| **target == id),
        Resolved::Unknown(_) | Resolved::Several(_) | Resolved::None => None,
    };
    let Some(meant) = meant else {
        let known: Vec<String> = link.targets().map(short).collect();
        let scope = link.scope.as_str();
        bail!("`{text}` is none of the targets of {scope}: {}", known.join(", "))
    };
    Ok(meant)
}
