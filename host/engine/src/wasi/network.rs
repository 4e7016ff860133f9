//! Sockets of an actor's own, as far as `grants.network` goes: outgoing, to the addresses that it lists and those that
//! the names in it resolve to. Nobody connects to a component this way.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use wasmtime_wasi::sockets::SocketAddrUse;
use wicker_lattice::network::{Protocol, Reach, may_lead_to};

/// How long a name may take to be resolved.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses that are remembered of one name at most.
const ADDRESSES_MAX: usize = 256;

/// What one actor may reach.
#[derive(Debug)]
pub(super) struct Network {
    reach: Vec<Reach>,
    /// What each granted name has resolved to: a name may have more addresses than one answer holds.
    known: Mutex<HashMap<String, HashSet<IpAddr>>>,
}

impl Network {
    /// The entries of a manifest, which were checked when it was deployed: one that is none grants nothing.
    pub(super) fn new(entries: &[String]) -> Self {
        let reach = entries.iter().filter_map(|entry| entry.parse().ok()).collect();
        Self { reach, known: Mutex::default() }
    }

    /// Whether anything is granted.
    pub(super) fn is_any(&self) -> bool {
        !self.reach.is_empty()
    }

    /// Whether a socket may be used so. `Err`: the entry that would allow it, if one could.
    pub(super) async fn check(
        &self,
        address: SocketAddr,
        usage: SocketAddrUse,
    ) -> Result<(), Option<String>> {
        let protocol = match usage {
            SocketAddrUse::TcpConnect => Protocol::Tcp,
            SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => Protocol::Udp,
            // The system chooses the port from which a connection leaves.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind
                if address.port() == 0 && address.ip().is_unspecified() =>
            {
                return Ok(());
            }
            _ => return Err(None),
        };
        if self.reach.iter().any(|reach| reach.covers(protocol, address)) {
            return Ok(());
        }
        let ip = address.ip().to_canonical();
        let for_it = self.reach.iter().filter(|reach| reach.is_for(protocol, address.port()));
        for name in for_it.filter_map(Reach::name) {
            if may_lead_to(name, ip) && self.leads_to(name, ip).await {
                return Ok(());
            }
        }
        Err(Some(format!("{protocol}://{address}")))
    }

    /// Whether a name may be resolved. What it resolves to is known from then on.
    pub(super) async fn resolve(&self, name: &str) -> Option<Vec<IpAddr>> {
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            return Some(vec![address]);
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if !self.reach.iter().any(|reach| reach.name() == Some(&name)) {
            return None;
        }
        let found = self.look_up(&name).await;
        Some(found.into_iter().filter(|address| may_lead_to(&name, *address)).collect())
    }

    async fn leads_to(&self, name: &str, address: IpAddr) -> bool {
        self.has_led_to(name, address) || {
            self.look_up(name).await;
            self.has_led_to(name, address)
        }
    }

    fn has_led_to(&self, name: &str, address: IpAddr) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).is_some_and(|known| known.contains(&address))
    }

    async fn look_up(&self, name: &str) -> Vec<IpAddr> {
        let found = match timeout(LOOKUP_TIMEOUT, lookup_host((name, 0))).await {
            Ok(Ok(found)) => found.map(|found| found.ip().to_canonical()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(name.to_owned()).or_default();
        if known.len() + found.len() > ADDRESSES_MAX {
            known.clear();
        }
        known.extend(&found);
        found
    }
}
