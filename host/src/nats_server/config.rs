//! The configuration file of a NATS server, for each thing that it may be to the others.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::files::quoted;
use super::identity::Certificates;
use super::place::{Place, Role, Trio, bound_for, port_above};

/// The account that everything is in, where no other is declared; as in NATS itself.
const ACCOUNT: &str = "$G";

/// Who the servers let in while they form, or are left behind; and to their system account.
pub(super) const USER: &str = "wicker";

/// A server to be started.
#[derive(Debug, Clone)]
pub(super) struct ServerConfig {
    /// Its name, unique among all of the lattice; the host's id.
    pub(super) name: String,
    /// Where this machine's processes reach it.
    pub(super) client: SocketAddr,
    /// Where it keeps JetStream's data; `None`: it keeps none.
    pub(super) store: Option<Store>,
    /// What clients must say; `None`: nothing.
    pub(super) password: Option<String>,
    /// What [`USER`] says to the system account; `None`: nobody is let in there.
    pub(super) system_password: Option<String>,
    /// How it stands to other machines; `None`: it is open to none.
    pub(super) peers: Option<Peers>,
}

/// Where JetStream's data lie.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) folder: PathBuf,
    /// Whether it acknowledges only what is on the disk.
    pub(super) is_synced: bool,
}

/// How a server stands to other machines.
#[derive(Debug, Clone)]
pub(super) struct Peers {
    pub(super) certificates: Certificates,
    /// `host:port` of this machine.
    pub(super) address: String,
    /// Whether other machines may attach here.
    pub(super) takes_leaves: bool,
    /// Where it is attached itself.
    pub(super) hubs: Vec<String>,
    /// With whom it keeps the state.
    pub(super) trio: Option<Trio>,
}

impl Peers {
    /// What `place` says.
    pub(super) fn of(place: &Place, certificates: Certificates) -> Self {
        let (takes_leaves, hubs, trio) = match &place.role {
            Role::Alone => (true, Vec::new(), None),
            Role::Leaf { hubs } => (false, hubs.clone(), None),
            Role::Committing(trio) | Role::Server(trio) => (true, Vec::new(), Some(trio.clone())),
        };
        Self { certificates, address: place.address.clone(), takes_leaves, hubs, trio }
    }
}

/// Where the data of a server lie that keeps the state with two others.
pub(super) fn trio_store(nats: &Path, trio: &Trio) -> PathBuf {
    nats.join(format!("servers-{}", trio.id))
}

impl ServerConfig {
    /// The text of the file.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![
            format!("server_name: {}", quoted(&self.name)),
            format!("listen: {}", quoted(&self.client.to_string())),
            // A machine that is cut off without a word is noticed after six seconds.
            "ping_interval: \"3s\"".to_owned(),
            "ping_max: 2".to_owned(),
            // A server that keeps nothing passes on what is asked of JetStream.
            format!("default_js_domain: {{ {}: \"\" }}", quoted(ACCOUNT)),
        ];
        if let Some(store) = &self.store {
            let folder = quoted(&store.folder.display().to_string());
            let sync = if store.is_synced { ", sync_interval: always" } else { "" };
            lines.push(format!("jetstream {{ store_dir: {folder}{sync} }}"));
        }
        if let Some(password) = &self.password {
            let password = quoted(password);
            lines.push(format!("authorization {{ user: {USER}, password: {password} }}"));
        }
        if let Some(password) = &self.system_password {
            let password = quoted(password);
            // Whoever says nothing is in the account of all others, as without this line.
            lines.push(format!(
                "accounts {{ $SYS {{ users: [{{ user: {USER}, password: {password} }}] }} }}"
            ));
        }
        if let Some(peers) = &self.peers {
            lines.extend(peers.leaf_nodes());
            lines.extend(peers.cluster());
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Peers {
    fn leaf_nodes(&self) -> Option<String> {
        let tls = self.certificates.tls();
        if self.takes_leaves {
            let (bound, address) = (bound_for(&self.address), quoted(&self.address));
            let listen = quoted(&bound);
            return Some(format!("leafnodes {{ listen: {listen}, advertise: {address}, {tls} }}"));
        }
        if self.hubs.is_empty() {
            return None;
        }
        let urls = urls(&self.hubs);
        Some(format!("leafnodes {{ reconnect: 1, remotes: [{{ urls: [{urls}], {tls} }}] }}"))
    }

    fn cluster(&self) -> Option<String> {
        let trio = self.trio.as_ref()?;
        let own = port_above(&self.address);
        let (listen, advertise) = (quoted(&bound_for(&own)), quoted(&own));
        let routes: Vec<_> = trio.addresses.iter().map(|address| port_above(address)).collect();
        let (name, tls) = (quoted(&format!("wicker-{}", trio.id)), self.certificates.tls());
        // Clients keep to the server of their machine, so they are not told of the others.
        Some(format!(
            "cluster {{ name: {name}, listen: {listen}, advertise: {advertise}, no_advertise: true, routes: [{}], {tls} }}",
            urls(&routes)
        ))
    }
}

fn urls(addresses: &[String]) -> String {
    let urls = addresses.iter().map(|address| quoted(&format!("tls://{address}")));
    urls.collect::<Vec<_>>().join(", ")
}
