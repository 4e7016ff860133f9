//! From one server to three, once, when the third machine has joined.
//!
//! The machine that kept the state alone names the three. Each starts a second NATS server beside its own; these find
//! each other while everything goes on. Then, for seconds, nobody reaches the state (hosts serve on): what the first one
//! kept is copied, the copy is declared to count, and each machine changes to its new server. Whoever fails before that
//! word changes nothing; whoever fails after it goes on where it was. See docs/adr/0008.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep};
use wicker_lattice::id::ProcessId;
use wicker_lattice::nats::{Drive, Login, Nats, NatsConfig, Secret};
use wicker_lattice::store::record::{Host, Machine as MachineRecord, Servers};
use wicker_lattice::store::{Record as _, Store, key};

use super::config::USER;
use super::join_line::JoinSecret;
use super::keeper::Keeping;
use super::machine::Machine;
use super::managed::NatsServer;
use super::place::{Role, SERVERS, Trio};

/// How long the servers may take to find each other before everything is left as it was.
const FORMING_TIMEOUT: Duration = Duration::from_secs(60);

/// How often it is tried whether something is so by now.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How long a question to a server beside may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Keeping {
    /// Of the machine that keeps the state alone: forms the three if two more are there.
    pub(super) async fn grow_if_possible(&mut self) -> anyhow::Result<()> {
        if self.waits_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let Some(servers) = candidates(&self.member.store, self.member.process).await? else {
            return Ok(());
        };
        tracing::info!(machines = ?servers.addresses(), "three machines are there: they are going to keep the state together");
        self.put_servers(&servers).await?;
        let outcome = self.form(&servers).await;
        if outcome.is_err() {
            self.waits_until = Some(Instant::now() + FORMING_TIMEOUT);
            if self.role() == Some(Role::Alone) {
                self.back_to_alone(&servers.id).await?;
            }
        }
        outcome
    }

    /// Finishes what a killed host had begun: the copy is there, and counts once it says so.
    pub(super) async fn finish_growing(&mut self, trio: Trio) -> anyhow::Result<()> {
        let entry = self.member.store.get::<Servers>(key::SERVERS).await?;
        let servers = entry.context("the state does not say who was to keep it")?.record;
        self.put_servers(&Servers { is_formed: true, ..servers }).await?;
        self.set_role(Role::Server(trio))
    }

    async fn form(&mut self, servers: &Servers) -> anyhow::Result<()> {
        let trio = Trio { id: servers.id.clone(), addresses: servers.addresses() };
        let forming = self.machine.start_forming(&self.data, &trio, &servers.password).await?;
        let to = connect(&forming, &servers.password).await?;
        wait_for_three(&to).await?;
        // From here on nobody reaches the state, so that nothing is written which is not copied.
        self.stop_server().await;
        let frozen = self.machine.start_frozen(&self.data, &servers.password).await?;
        let from = connect(&frozen, &servers.password).await?;
        for stream in from.streams().await? {
            from.copy_stream(&stream, &to, SERVERS).await?;
        }
        drop((from, to));
        frozen.stop().await;
        self.set_role(Role::Committing(trio))?;
        self.commit(servers, forming).await
    }

    /// Says in the state of the three that it counts, and becomes one of them.
    async fn commit(&mut self, servers: &Servers, forming: NatsServer) -> anyhow::Result<()> {
        let to = connect(&forming, &servers.password).await?;
        let deadline = Instant::now() + FORMING_TIMEOUT;
        while let Err(error) = declare(&to, &self.member.lattice, servers).await {
            if Instant::now() > deadline {
                return Err(error);
            }
            sleep(LOOK_EVERY).await;
        }
        drop(to);
        forming.stop().await;
        let trio = Trio { id: servers.id.clone(), addresses: servers.addresses() };
        self.change_to(Role::Server(trio)).await?;
        tracing::info!("three machines keep the lattice's state: any one of them may be lost");
        Ok(())
    }

    /// Nothing has changed, and whoever had begun to follow is told so.
    async fn back_to_alone(&mut self, id: &str) -> anyhow::Result<()> {
        Machine::forget(&self.data, id);
        self.ensure_server().await?;
        let entry = self.member.store.get::<Servers>(key::SERVERS).await?;
        if let Some(entry) = entry.filter(|entry| !entry.record.is_formed) {
            self.member.store.delete_at::<Servers>(&entry.key, entry.revision).await?;
        }
        Ok(())
    }

    /// Of a machine that is attached to others and is to keep the state with them: follows until the three count.
    ///
    /// # Errors
    /// It was called off, or cannot be done here.
    pub(super) async fn enter(&mut self, servers: &Servers) -> anyhow::Result<()> {
        let trio = Trio { id: servers.id.clone(), addresses: servers.addresses() };
        let forming = self.machine.start_forming(&self.data, &trio, &servers.password).await?;
        let to = connect(&forming, &servers.password).await?;
        let deadline = Instant::now() + 2 * FORMING_TIMEOUT;
        while !counts(&to, &self.member.lattice, servers).await {
            let told = self.member.store.get::<Servers>(key::SERVERS).await;
            let is_called_off =
                told.is_ok_and(|told| told.is_none_or(|told| told.record.id != servers.id));
            if is_called_off || Instant::now() > deadline {
                drop(to);
                forming.stop().await;
                // What may count yet must stay: others may have relied on this copy.
                if is_called_off {
                    Machine::forget(&self.data, &servers.id);
                }
                bail!("the three were not formed");
            }
            sleep(LOOK_EVERY).await;
        }
        drop(to);
        forming.stop().await;
        self.change_to(Role::Server(trio)).await?;
        tracing::info!("this machine is one of the three that keep the lattice's state");
        Ok(())
    }

    async fn put_servers(&self, servers: &Servers) -> anyhow::Result<()> {
        self.member.store.put(servers).await.context("cannot name the three machines")?;
        Ok(())
    }
}

/// Three machines whose hosts are alive, this one first; `None`: there are fewer.
async fn candidates(store: &Store, own: ProcessId) -> anyhow::Result<Option<Servers>> {
    let machines = store.list::<MachineRecord>(&MachineRecord::all()).await?;
    let hosts = store.list::<Host>(&Host::all()).await?;
    let is_alive = |process: ProcessId| {
        hosts.iter().any(|host| host.record.process == process && host.record.lost_at.is_none())
    };
    let mut machines: Vec<_> = machines
        .into_iter()
        .map(|entry| entry.record)
        .filter(|machine| is_alive(machine.process))
        .collect();
    machines.sort_by_key(|machine| (machine.process != own, machine.process));
    machines.truncate(SERVERS);
    let is_complete = machines.len() == SERVERS && machines.iter().any(|each| each.process == own);
    let (id, password) = (JoinSecret::generate(), JoinSecret::generate());
    Ok(is_complete.then(|| Servers {
        id: id.reveal().split_at(8).0.to_owned(),
        machines,
        password: password.reveal().to_owned(),
        is_formed: false,
        removed: BTreeSet::new(),
    }))
}

async fn connect(server: &NatsServer, password: &str) -> anyhow::Result<Nats> {
    login(server.url(), Secret::new(password)).await
}

/// A connection of [`USER`].
pub(super) async fn login(url: &str, password: Secret) -> anyhow::Result<Nats> {
    let login = Login::User { name: USER.to_owned(), password };
    let config = NatsConfig {
        login,
        timeout: CONNECT_TIMEOUT,
        drive: Drive::Runtime,
        ..NatsConfig::at(url)
    };
    Ok(Nats::connect(config).await?)
}

async fn wait_for_three(to: &Nats) -> anyhow::Result<()> {
    let deadline = Instant::now() + FORMING_TIMEOUT;
    while let Err(error) = to.require_copies(SERVERS).await {
        if Instant::now() > deadline {
            return Err(error).context(
                "the NATS servers of three machines do not find each other: can they reach each other's ports?",
            );
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn declare(to: &Nats, lattice: &str, servers: &Servers) -> anyhow::Result<()> {
    let store = Store::find(&to.jetstream(), lattice).await.context("the three do not answer")?;
    store.put(&Servers { is_formed: true, ..servers.clone() }).await?;
    Ok(())
}

/// Whether what these servers keep counts by now.
async fn counts(to: &Nats, lattice: &str, servers: &Servers) -> bool {
    let Some(store) = Store::find(&to.jetstream(), lattice).await else { return false };
    let found = store.get::<Servers>(key::SERVERS).await.ok().flatten();
    found.is_some_and(|found| found.record.id == servers.id && found.record.is_formed)
}
