//! `wicker machine ls|replace`: which machines keep the lattice's state, and another one in place of one that is gone for good.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use tokio::time::{sleep, timeout};
use wicker_lattice::id::ProcessId;
use wicker_lattice::nats::Keeper;
use wicker_lattice::store::record::{Host, Machine, Servers};
use wicker_lattice::store::{Record as _, Store, key};
use wicker_reconciler::inventory::Inventory;

use crate::cli::session::Session;
use crate::cli::table::Table;
use crate::cli::{Global, inventory, out};

/// How often it is looked how far the others are.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What `wicker machine` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the machines that hosts run NATS servers on, and which of them keep the lattice's state.
    Ls,
    /// Have another machine keep the state in place of one that is gone for good.
    Replace(ReplaceArgs),
}

/// What `wicker machine replace` takes.
#[derive(Debug, clap::Args)]
struct ReplaceArgs {
    /// The machine that is gone: its host's name, any ending of its id, or its address.
    #[arg(value_name = "MACHINE")]
    lost: String,
    /// The machine that takes its place. By default any that has joined and keeps nothing yet.
    #[arg(long, value_name = "MACHINE")]
    with: Option<String>,
    /// How long to wait until it has everything, in seconds.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    timeout: u64,
}

/// The machines, as `--output json` prints them.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Machines(Vec<Row>);

#[derive(Debug, Serialize)]
struct Row {
    /// Its host's name, where that is known.
    host: Option<String>,
    process: ProcessId,
    /// Where other machines reach it.
    address: String,
    /// Its host answers.
    is_alive: bool,
    /// It is one of those that keep the state.
    keeps_state: bool,
    /// It has everything that the state holds. `None`: it keeps nothing, or one machine keeps it alone.
    is_current: Option<bool>,
}

/// Runs the verb.
///
/// # Errors
/// The lattice cannot be reached, or the machine cannot be replaced.
pub async fn run(args: Args, global: Global) -> anyhow::Result<ExitCode> {
    let session = Session::open(&global).await?;
    let machines = match args.command {
        Command::Ls => Machines::read(&session).await?,
        Command::Replace(args) => replace(&session, &args).await?,
    };
    if session.is_json() {
        out::json(&machines);
    } else {
        out::line(machines.to_string().trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

async fn replace(session: &Session, args: &ReplaceArgs) -> anyhow::Result<Machines> {
    let entry = session.store.get::<Servers>(key::SERVERS).await?;
    let entry = entry.filter(|entry| entry.record.is_formed);
    let entry =
        entry.context("no three machines keep this lattice's state: nothing is to be replaced")?;
    let machines = Machines::read(session).await?;
    let lost = machines.find(&args.lost, |row| row.keeps_state, "keeps the lattice's state")?;
    ensure!(
        !lost.is_alive,
        "the host on {} answers: stop it first, if that machine is to go",
        lost.address
    );
    let is_free = |row: &Row| row.is_alive && !row.keeps_state;
    let next = match &args.with {
        Some(with) => machines.find(with, is_free, "has joined and keeps nothing yet")?,
        None => machines.0.iter().find(|row| is_free(row)).context(
            "no other machine has joined: start `wicker up --join LINE` on one, then try again",
        )?,
    };
    let machine = Machine { process: next.process, address: next.address.clone() };
    let replaced = entry.record.replaced(lost.process, machine);
    let replaced = replaced.context("others have changed the three meanwhile: try again")?;
    session.store.update(&replaced, entry.revision).await?;
    out::note(&format!("{} takes the place of {}", next.address, lost.address));
    let all_are_there = async {
        loop {
            if let Ok(machines) = Machines::read(session).await {
                let mut keep = machines.0.iter().filter(|row| row.keeps_state);
                if keep.all(|row| row.is_current == Some(true)) {
                    return machines;
                }
            }
            sleep(LOOK_EVERY).await;
        }
    };
    match timeout(Duration::from_secs(args.timeout), all_are_there).await {
        Ok(machines) => Ok(machines),
        Err(_) => bail!(
            "it was written, but after {} s {} does not have everything yet: see `wicker machine ls`",
            args.timeout,
            next.address
        ),
    }
}

impl Machines {
    async fn read(session: &Session) -> anyhow::Result<Self> {
        let inventory = inventory::read(session).await?;
        let machines = session.store.list::<Machine>(&Machine::all()).await?;
        let mut machines: Vec<Machine> = machines.into_iter().map(|entry| entry.record).collect();
        let servers = session.store.get::<Servers>(key::SERVERS).await?;
        let servers = servers.map(|entry| entry.record).filter(|servers| servers.is_formed);
        let listed = servers.iter().flat_map(|servers| &servers.machines);
        for machine in listed {
            if !machines.iter().any(|each| each.process == machine.process) {
                machines.push(machine.clone());
            }
        }
        let mut keepers = Vec::with_capacity(3);
        for stream in Store::streams(&session.lattice) {
            keepers.push(session.nats.keepers(&stream).await?);
        }
        let row = |machine: Machine| row(&inventory, servers.as_ref(), &keepers, machine);
        Ok(Self(machines.into_iter().map(row).collect()))
    }

    fn find(&self, text: &str, is: impl Fn(&Row) -> bool, what: &str) -> anyhow::Result<&Row> {
        let may_mean = |row: &&Row| {
            row.host.as_deref() == Some(text)
                || row.address == text
                || row.address.rsplit_once(':').is_some_and(|(host, _)| host == text)
                || row.process.to_string().ends_with(&text.to_ascii_uppercase())
        };
        let found: Vec<&Row> = self.0.iter().filter(may_mean).filter(|row| is(row)).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => bail!("no machine `{text}` {what}: see `wicker machine ls`"),
            several => {
                let addresses: Vec<&str> = several.iter().map(|row| row.address.as_str()).collect();
                bail!("`{text}` may mean {}: write an address", addresses.join(" or "))
            }
        }
    }
}

fn row(
    inventory: &Inventory,
    servers: Option<&Servers>,
    keepers: &[Vec<Keeper>],
    machine: Machine,
) -> Row {
    let Machine { process, address } = machine;
    let is_this = |host: &&Host| host.process == process;
    let alive = inventory.hosts.iter().find(is_this);
    let host = alive.or_else(|| inventory.silent_hosts.iter().find(is_this));
    let keeps_state = servers.is_some_and(|servers| servers.lists(process));
    let name = process.to_string();
    let has = |keepers: &Vec<Keeper>| {
        keepers.iter().any(|keeper| keeper.name == name && keeper.is_current)
    };
    let is_current = || keepers.iter().all(has);
    Row {
        host: host.map(|host| host.name.clone()),
        process,
        address,
        is_alive: alive.is_some(),
        keeps_state,
        is_current: keeps_state.then(is_current),
    }
}

impl fmt::Display for Machines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no host of this lattice runs a NATS server that others can reach");
        }
        let mut table = Table::new(["HOST", "ADDRESS", "HOST IS", "THE STATE"]);
        for row in &self.0 {
            let host = row.host.clone().unwrap_or_else(|| row.process.to_string());
            let alive = if row.is_alive { "alive" } else { "away" };
            let state = match (row.keeps_state, row.is_current) {
                (true, Some(true)) => "kept here, whole",
                (true, _) => "to be kept here: behind, or away",
                (false, _) => "reached from here",
            };
            table.row([host, row.address.clone(), alive.to_owned(), state.to_owned()]);
        }
        table.fmt(f)
    }
}
