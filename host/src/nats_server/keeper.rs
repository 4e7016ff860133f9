//! Keeps the machine's NATS server running while the host runs, and what it is to others up to date.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wicker_lattice::store::key;
use wicker_lattice::store::record::{Machine as MachineRecord, Servers};
use wicker_process::Tasks;

use super::machine::Machine;
use super::managed::NatsServer;
use super::place::{Place, Role};
use crate::data_dir::DataDir;
use crate::member::Member;

/// How often it is looked whether machines have joined, or who keeps the state.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a server that has ended gets before it is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// How long the end of a look that is under way may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A machine's NATS server, kept running until [`Keeper::stop`].
#[derive(Debug)]
pub struct Keeper {
    tasks: Tasks,
    left: Arc<Mutex<Option<NatsServer>>>,
}

/// What the task of a [`Keeper`] works with.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) member: Member,
    pub(super) data: Arc<DataDir>,
    pub(super) machine: Machine,
    server: Option<NatsServer>,
    pub(super) looks: u32,
    /// Whether everything has been done so that the three are who they are to be.
    pub(super) is_settled: bool,
    /// Until when the three are not tried again.
    pub(super) waits_until: Option<Instant>,
}

impl Keeper {
    /// Keeps `server` running as `machine` says, for the lattice of `member`.
    #[must_use]
    pub fn start(member: Member, data: Arc<DataDir>, machine: Machine, server: NatsServer) -> Self {
        let (tasks, left) = (Tasks::default(), Arc::new(Mutex::new(None)));
        let keeping = Keeping {
            member,
            data,
            machine,
            server: Some(server),
            looks: 0,
            is_settled: false,
            waits_until: None,
        };
        let (stopping, leave) = (tasks.clone(), Arc::clone(&left));
        tasks.spawn("nats-server", async move {
            let mut keeping = keeping;
            tokio::select! {
                // Whatever is under way is gone on with at the next start.
                () = Box::pin(keeping.keep()) => {}
                () = stopping.stopping() => {}
            }
            let server = keeping.server.take();
            *leave.lock().unwrap_or_else(PoisonError::into_inner) = server;
            Ok::<(), Infallible>(())
        });
        Self { tasks, left }
    }

    /// Stops the server, when nothing speaks NATS any more.
    pub async fn stop(self) {
        if let Err(error) = self.tasks.drain(STOP_TIMEOUT).await {
            tracing::warn!("the NATS server is left running: {error}");
        }
        let server = self.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.stop().await;
        }
    }
}

impl Keeping {
    async fn keep(&mut self) {
        self.say_where().await;
        loop {
            let has_ended = match &mut self.server {
                Some(server) => tokio::select! {
                    // Cancel-safe, both.
                    () = server.ended() => true,
                    () = sleep(LOOK_EVERY) => false,
                },
                None => true,
            };
            let looked = if has_ended { self.restart().await } else { self.look().await };
            if let Err(error) = looked {
                tracing::warn!("the NATS server of this machine: {error:#}");
            }
        }
    }

    async fn restart(&mut self) -> anyhow::Result<()> {
        tracing::warn!("the NATS server has ended and is started again");
        self.stop_server().await;
        sleep(RESTART_PAUSE).await;
        self.ensure_server().await
    }

    async fn look(&mut self) -> anyhow::Result<()> {
        self.looks = self.looks.wrapping_add(1);
        match self.role() {
            None => Ok(()),
            Some(Role::Alone) => self.grow_if_possible().await,
            Some(Role::Committing(trio)) => self.finish_growing(trio).await,
            Some(Role::Leaf { hubs }) => self.follow(&hubs).await,
            Some(Role::Server(trio)) => self.stay(trio).await,
        }
    }

    /// Of a machine that is attached to others: to whom, or whether it is to become one of them.
    async fn follow(&mut self, hubs: &[String]) -> anyhow::Result<()> {
        let Ok(Some(servers)) = self.member.store.get::<Servers>(key::SERVERS).await else {
            return Ok(());
        };
        let servers = servers.record;
        if servers.lists(self.member.process) {
            return self.enter(&servers).await;
        }
        if servers.is_formed && servers.addresses() != hubs {
            return self.change_to(Role::Leaf { hubs: servers.addresses() }).await;
        }
        Ok(())
    }

    /// Tells the others where they reach this machine.
    async fn say_where(&self) {
        let Some(place) = &self.machine.place else { return };
        let (process, address) = (self.member.process, place.address.clone());
        while self
            .member
            .store
            .put(&MachineRecord { process, address: address.clone() })
            .await
            .is_err()
        {
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn role(&self) -> Option<Role> {
        self.machine.place.as_ref().map(|place| place.role.clone())
    }

    /// Keeps what the server is to others; it becomes so with its next start.
    pub(super) fn set_role(&mut self, role: Role) -> anyhow::Result<()> {
        if let Some(place) = &mut self.machine.place {
            let changed = Place { role, ..place.clone() };
            changed.write(&self.data)?;
            *place = changed;
        }
        Ok(())
    }

    /// Starts the server anew as something else.
    pub(super) async fn change_to(&mut self, role: Role) -> anyhow::Result<()> {
        self.set_role(role)?;
        self.stop_server().await;
        self.ensure_server().await
    }

    pub(super) async fn stop_server(&mut self) {
        if let Some(server) = self.server.take() {
            // This machine's processes know it by this address.
            self.machine.listen = Some(server.listens_at());
            server.stop().await;
        }
    }

    pub(super) async fn ensure_server(&mut self) -> anyhow::Result<()> {
        if self.server.is_none() {
            self.server = Some(self.machine.start(&self.data).await?);
        }
        Ok(())
    }
}
