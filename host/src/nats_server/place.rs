//! What a machine's NATS server is to the others, kept in the data directory so that a restart changes nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use super::files::write_private;
use super::join_line::{DEFAULT_PORT, JoinLine, JoinSecret, with_port};
use crate::data_dir::DataDir;

/// How many machines keep the state.
pub const SERVERS: usize = 3;

/// An address of the range for documentation: nothing is ever sent there.
const ANYWHERE: &str = "192.0.2.1:9";

/// How often a pair of free ports is looked for.
const PORT_ATTEMPTS: usize = 20;

/// What a machine's NATS server is to the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Lets machines in.
    pub secret: JoinSecret,
    /// `host:port` at which others reach this machine; the port above it is used by the three that keep the state.
    pub address: String,
    /// What the server does.
    pub role: Role,
}

/// What a NATS server does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It keeps the state alone; others may attach to it.
    Alone,
    /// It keeps nothing and is attached to one of these.
    Leaf {
        /// `host:port`, any of them.
        hubs: Vec<String>,
    },
    /// It kept the state alone, and all of that has been copied to the three; only the word that it counts may be missing.
    Committing(Trio),
    /// It is one of the three that keep the state.
    Server(Trio),
}

/// The three that keep the state together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trio {
    /// Of [`wicker_lattice::store::record::Servers`].
    pub id: String,
    /// `host:port` of each.
    pub addresses: Vec<String>,
}

/// Whether a killed host has left its server, which then uses the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// It runs.
    Yes,
    /// It does not.
    No,
}

impl Place {
    /// What the data directory says; `None` where no server of this host was ever open to others.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn read(data: &DataDir) -> anyhow::Result<Option<Self>> {
        let file = file(data)?;
        let text = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.with_context(|| format!("cannot read {}", file.display()))?,
        };
        let place = serde_json::from_str(&text);
        place.map(Some).with_context(|| format!("{} is damaged", file.display()))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, data: &DataDir) -> anyhow::Result<()> {
        write_private(&file(data)?, &serde_json::to_string_pretty(self)?)
    }

    /// The place that a host has that was started with `join` and `address`, which may be given again at each start.
    ///
    /// # Errors
    /// It belongs to another lattice, or the address is none.
    pub fn of(
        before: Option<(Self, Running)>,
        join: Option<&JoinLine>,
        address: Option<&str>,
    ) -> anyhow::Result<Self> {
        let Some((mut place, running)) = before else {
            let address = reached_at(address, join)?;
            return Ok(match join {
                Some(JoinLine { addresses, secret }) => Self {
                    secret: secret.clone(),
                    address,
                    role: Role::Leaf { hubs: addresses.clone() },
                },
                None => Self { secret: JoinSecret::generate(), address, role: Role::Alone },
            });
        };
        if let Some(join) = join {
            ensure!(
                join.secret == place.secret,
                "--join: this data directory belongs to another lattice: join with another --data DIR"
            );
            let is_itself = join.addresses.contains(&place.address);
            ensure!(
                place.role != Role::Alone || is_itself,
                "--join: this host has started the lattice itself"
            );
        }
        if let Some(address) = address {
            let is_fixed = matches!(place.role, Role::Committing(_) | Role::Server(_));
            ensure!(
                !is_fixed || with_port(address) == place.address,
                "--address: the others know this machine as {}, which keeps the lattice's state with them",
                place.address
            );
            place.address = reached_at(Some(address), join)?;
        } else if running == Running::No && place.role == Role::Alone && !is_free(&place.address) {
            // Moved to another network, or another server is there by now.
            place.address = reached_at(None, join)?;
        }
        Ok(place)
    }

    /// What other machines are started with.
    #[must_use]
    pub fn join_line(&self) -> JoinLine {
        let addresses = match &self.role {
            Role::Alone => vec![self.address.clone()],
            Role::Leaf { hubs } => hubs.clone(),
            Role::Committing(trio) | Role::Server(trio) => trio.addresses.clone(),
        };
        JoinLine { addresses, secret: self.secret.clone() }
    }

    /// What opens the system account of its server, if it is one of the three: they decide who keeps the state.
    pub(super) fn system_password(&self) -> Option<String> {
        matches!(self.role, Role::Server(_)).then(|| self.secret.system_password())
    }

    /// The name or address without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        host_of(&self.address)
    }
}

/// `nats/machine.json`.
fn file(data: &DataDir) -> anyhow::Result<PathBuf> {
    Ok(data.subdir("nats")?.join("machine.json"))
}

fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The address of the port above: of the three that keep the state.
pub(super) fn port_above(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let port = port.parse().unwrap_or(DEFAULT_PORT);
    format!("{host}:{}", port.saturating_add(1))
}

/// What to bind so that `address` reaches it: that address where it is this machine's, else every one.
pub(super) fn bound_for(address: &str) -> String {
    let port = address.rsplit_once(':').map_or("0", |(_, port)| port);
    let own = host_of(address).parse::<IpAddr>().ok();
    match own.filter(|ip| TcpListener::bind((*ip, 0)).is_ok()) {
        Some(ip) => SocketAddr::new(ip, port.parse().unwrap_or_default()).to_string(),
        None => format!("0.0.0.0:{port}"),
    }
}

/// Where others reach this machine: as told, or as its own routes say.
fn reached_at(told: Option<&str>, join: Option<&JoinLine>) -> anyhow::Result<String> {
    if let Some(told) = told {
        let full = with_port(told);
        ensure!(
            !host_of(&full).is_empty(),
            "--address {told}: expected an address or a name, such as 10.0.0.1"
        );
        let names_port = full == told;
        return if names_port || is_free(&full) { Ok(full) } else { free_ports(host_of(&full)) };
    }
    let peer = join.and_then(|join| join.addresses.first().cloned());
    let ip = own_address(peer.as_deref()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let customary = SocketAddr::new(ip, DEFAULT_PORT).to_string();
    if is_free(&customary) { Ok(customary) } else { free_ports(&ip.to_string()) }
}

/// The address from which this machine would speak to `peer`, or to anybody.
fn own_address(peer: Option<&str>) -> Option<IpAddr> {
    let peer = peer.unwrap_or(ANYWHERE).to_socket_addrs().ok()?.next()?;
    let any: IpAddr = if peer.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Whether both ports of `address` can be listened to.
fn is_free(address: &str) -> bool {
    let [own, above] = [address.to_owned(), port_above(address)].map(|address| bound_for(&address));
    TcpListener::bind(own).is_ok() && TcpListener::bind(above).is_ok()
}

fn free_ports(host: &str) -> anyhow::Result<String> {
    for _ in 0..PORT_ATTEMPTS {
        let bound = bound_for(&with_port(host)).rsplit_once(':').map(|(ip, _)| format!("{ip}:0"));
        let listener = TcpListener::bind(bound.unwrap_or_default())
            .context("cannot listen to other machines")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let address = match host.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, port).to_string(),
            Err(_) => format!("{host}:{port}"),
        };
        if is_free(&address) {
            return Ok(address);
        }
    }
    bail!(
        "cannot find two free ports for other machines on {host}: name one with --address {host}:PORT"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> JoinLine {
        JoinLine { addresses: vec!["127.0.0.9:7422".to_owned()], secret: JoinSecret::generate() }
    }

    #[test]
    fn place_survives_a_restart_and_says_where_to_join() {
        let root = tempfile::tempdir().unwrap();
        let data = DataDir::open(Some(&root.path().join("data"))).unwrap();
        assert_eq!(Place::read(&data).unwrap(), None);
        let place = Place::of(None, None, Some("127.0.0.1")).unwrap();
        place.write(&data).unwrap();
        assert_eq!(Place::read(&data).unwrap(), Some(place.clone()));
        assert_eq!(place.join_line().addresses, [place.address]);
    }

    #[test]
    fn machine_that_joins_is_attached_to_who_is_there() {
        let line = line();
        let place = Place::of(None, Some(&line), None).unwrap();
        assert_eq!(place.role, Role::Leaf { hubs: line.addresses.clone() });
        assert!(place.address.starts_with("127.0.0."), "{}", place.address);
        assert_eq!(
            Place::of(Some((place.clone(), Running::No)), Some(&line), None).unwrap(),
            place
        );
    }

    #[test]
    fn machine_of_one_lattice_does_not_join_another() {
        let place = Place::of(None, Some(&line()), None).unwrap();
        let error =
            Place::of(Some((place, Running::No)), Some(&line()), None).unwrap_err().to_string();
        assert!(error.contains("another lattice"), "{error}");
    }
}
