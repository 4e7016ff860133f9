//! What of the network a component may reach by sockets of its own: `tcp://HOST:PORT` or `udp://HOST:PORT`.
//!
//! `HOST` is a name (`db.example.com`), an address (`10.0.0.5`, `[::1]`) or a network (`10.0.0.0/8`); `PORT` may be `*`. A name
//! stands for whatever it resolves to, but for this machine and its neighbourhood (loopback, link-local): those are
//! reached by entries that say so, and by the name `localhost`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// One entry of `grants.network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// By which protocol.
    pub protocol: Protocol,
    /// Whom.
    pub host: Host,
    /// `None`: any port.
    pub port: Option<u16>,
}

/// What goes over sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `tcp`.
    Tcp,
    /// `udp`.
    Udp,
}

/// Who is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name, in lower case.
    Name(String),
    /// All addresses that have the same first bits.
    Network(IpAddr, u32),
}

/// It is no entry. The text says which it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not written as tcp://HOST:PORT or udp://HOST:PORT")]
pub struct ParseReachError(String);

impl Reach {
    /// Whether it covers an address, by its address. Names cover none.
    #[must_use]
    pub fn covers(&self, protocol: Protocol, address: SocketAddr) -> bool {
        let Host::Network(network, bits) = self.host else { return false };
        self.is_for(protocol, address.port()) && is_in(address.ip().to_canonical(), network, bits)
    }

    /// The name whose addresses it covers.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            Host::Network(..) => None,
        }
    }

    /// Whether it is for this protocol and port.
    #[must_use]
    pub fn is_for(&self, protocol: Protocol, port: u16) -> bool {
        self.protocol == protocol && self.port.is_none_or(|own| own == port)
    }
}

/// Whether a name may lead to an address.
#[must_use]
pub fn may_lead_to(name: &str, address: IpAddr) -> bool {
    let is_near = match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified()
        }
    };
    if name == "localhost" { address.to_canonical().is_loopback() } else { !is_near }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let rest = 32_u32.saturating_sub(bits);
            address.to_bits().checked_shr(rest) == network.to_bits().checked_shr(rest)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let rest = 128_u32.saturating_sub(bits);
            address.to_bits().checked_shr(rest) == network.to_bits().checked_shr(rest)
        }
        _ => false,
    }
}

impl FromStr for Reach {
    type Err = ParseReachError;

    fn from_str(text: &str) -> Result<Self, ParseReachError> {
        parse(text).ok_or_else(|| ParseReachError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Reach> {
    let (protocol, rest) = text.split_once("://")?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    let (host, port) = rest.rsplit_once(':')?;
    let port = match port {
        "*" => None,
        port => Some(port.parse().ok().filter(|port| *port > 0)?),
    };
    Some(Reach { protocol, host: parse_host(host)?, port })
}

fn parse_host(text: &str) -> Option<Host> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(address).parse::<IpAddr>() {
        let all = if address.is_ipv4() { 32 } else { 128 };
        let is_bracketed = bare.is_some() == address.is_ipv6();
        return bits
            .is_none_or(|bits| bits <= all)
            .then(|| Host::Network(address, bits.unwrap_or(all)))
            .filter(|_| is_bracketed);
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let is_name = bits.is_none() && address.len() <= 253 && address.split('.').all(is_label);
    is_name.then(|| Host::Name(address.to_ascii_lowercase()))
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_covers_its_addresses_and_ports_and_no_others() {
        for (entry, covered, others) in [
            ("tcp://10.0.0.5:5432", "10.0.0.5:5432", ["10.0.0.5:5433", "10.0.0.6:5432"]),
            ("tcp://10.0.0.0/8:*", "10.9.8.7:1", ["11.0.0.1:1", "[::1]:1"]),
            ("tcp://[::1]:80", "[::1]:80", ["[::2]:80", "127.0.0.1:80"]),
            ("tcp://0.0.0.0/0:80", "1.2.3.4:80", ["1.2.3.4:81", "[::1]:80"]),
            ("tcp://10.0.0.0/8:1", "[::ffff:10.0.0.1]:1", ["[::ffff:11.0.0.1]:1", "11.0.0.1:1"]),
        ] {
            let reach: Reach = entry.parse().unwrap();
            assert!(reach.covers(Protocol::Tcp, covered.parse().unwrap()), "{entry} {covered}");
            assert!(!reach.covers(Protocol::Udp, covered.parse().unwrap()), "{entry} {covered}");
            for other in others {
                assert!(!reach.covers(Protocol::Tcp, other.parse().unwrap()), "{entry} {other}");
            }
        }
        let named: Reach = "udp://DNS.example.com:53".parse().unwrap();
        assert_eq!(named.name(), Some("dns.example.com"));
        assert!(named.is_for(Protocol::Udp, 53) && !named.is_for(Protocol::Tcp, 53));
    }

    #[test]
    fn names_do_not_lead_to_this_machine_or_its_neighbourhood() {
        for address in
            ["127.0.0.1", "169.254.169.254", "::1", "fe80::1", "0.0.0.0", "::ffff:127.0.0.1"]
        {
            assert!(!may_lead_to("db.example.com", address.parse().unwrap()), "{address}");
        }
        assert!(may_lead_to("db.example.com", "10.0.0.1".parse().unwrap()));
        assert!(may_lead_to("localhost", "127.0.0.1".parse().unwrap()));
        assert!(!may_lead_to("localhost", "10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for entry in [
            "10.0.0.1:80",
            "tcp://host",
            "http://host:80",
            "tcp://host:0",
            "tcp://host:http",
            "tcp://10.0.0.0/33:80",
            "tcp://::1:80",
            "tcp://[10.0.0.1]:80",
            "tcp://:80",
            "tcp://a..b:80",
            "tcp://host/8:80",
            "tcp://*:80",
        ] {
            entry.parse::<Reach>().unwrap_err();
        }
    }
}
