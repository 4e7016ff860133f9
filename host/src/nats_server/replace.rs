//! Of the three machines that keep the state: whether this one still is one of them, and with whom.
//!
//! `wicker machine replace` only writes who is to keep the state; everybody does their part of it. The machine that is new
//! joins the others ([`Keeping::enter`]), the two that are left take the lost one out, and what it kept is copied to the new
//! one by JetStream. Nothing pauses.

use anyhow::Context as _;
use wicker_lattice::nats::Secret;
use wicker_lattice::store::key;
use wicker_lattice::store::record::Servers;

use super::grow::login;
use super::keeper::Keeping;
use super::machine::Machine;
use super::place::{Role, SERVERS, Trio};

/// Looks between two at what others may have changed without a word.
const SETTLE_EVERY: u32 = 15;

impl Keeping {
    /// Of one of the three: does what is to be done so that they are who they are to be.
    pub(super) async fn stay(&mut self, trio: Trio) -> anyhow::Result<()> {
        let Ok(Some(entry)) = self.member.store.get::<Servers>(key::SERVERS).await else {
            return Ok(());
        };
        let servers = entry.record;
        if servers.id != trio.id || !servers.is_formed {
            return Ok(());
        }
        if !servers.lists(self.member.process) {
            tracing::info!("another machine keeps the lattice's state in place of this one");
            self.change_to(Role::Leaf { hubs: servers.addresses() }).await?;
            Machine::forget(&self.data, &trio.id);
            return Ok(());
        }
        if servers.addresses() != trio.addresses {
            // The server learns of the new one from it; this is for the next start.
            self.set_role(Role::Server(Trio { addresses: servers.addresses(), ..trio }))?;
            self.is_settled = false;
        }
        if !self.is_settled || self.looks % SETTLE_EVERY == 1 {
            self.settle(&servers).await?;
        }
        Ok(())
    }

    async fn settle(&mut self, servers: &Servers) -> anyhow::Result<()> {
        if !servers.removed.is_empty() {
            // Not before the new one is there: what a lost one kept has to go somewhere.
            let three = self.member.nats.require_copies(SERVERS).await;
            three.context("the machine that is to keep the state is not there yet")?;
            self.take_out(servers).await?;
        }
        // What was made meanwhile by those who did not know of the three.
        let raised = self.member.nats.raise_copies(SERVERS).await?;
        if raised > 0 {
            tracing::info!(raised, "streams are kept by all three machines");
        }
        self.is_settled = true;
        Ok(())
    }

    async fn take_out(&self, servers: &Servers) -> anyhow::Result<()> {
        let place = self.machine.place.as_ref();
        let password = place.and_then(super::Place::system_password);
        let password = password.context("this machine is none of the three")?;
        let system = login(self.member.nats.url(), Secret::new(&password)).await?;
        for process in &servers.removed {
            system.remove_server(&process.to_string()).await?;
        }
        Ok(())
    }
}
