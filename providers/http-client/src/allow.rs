//! The allow-list of one link: which hosts a component may ask, and which addresses they may have.
//!
//! Nothing is allowed unless listed. An entry is `HOST` or `HOST:PORT`, where `HOST` is
//! - a name (`example.com`), or `*.` and a name, which stands for every name below it;
//! - `*`, which stands for every name;
//! - an address (`127.0.0.1`, `[::1]`), or a network (`10.0.0.0/8`).
//!
//! Without a port an entry is for 80 and 443; `:*` is for every port. A name never leads to an address that is not
//! public, whatever the DNS says, unless an address or network entry grants that address, too. `localhost` grants
//! loopback to itself: that name leads nowhere else.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::uri::Authority;

use crate::address::is_public;

/// The hosts that one link allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AllowList(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    host: Host,
    ports: Ports,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Name(String),
    Below(String),
    Network(Network),
}

/// Addresses that share their first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    Web,
    Any,
    One(u16),
}

/// Who is asked: a name in lower case, or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) host: HostName,
    pub(crate) port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostName {
    Name(String),
    Address(IpAddr),
}

/// An entry cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`allow` holds `{entry}`, which is not HOST or HOST:PORT")]
pub(crate) struct ParseAllowError {
    entry: String,
}

impl AllowList {
    /// Reads the entries of a link's config.
    pub(crate) fn parse(entries: &[String]) -> Result<Self, ParseAllowError> {
        let entry = |text: &String| {
            Entry::parse(text.trim()).ok_or_else(|| ParseAllowError { entry: text.clone() })
        };
        entries.iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `destination` may be asked, before anybody has looked up where it is.
    pub(crate) fn allows(&self, destination: &Destination) -> bool {
        self.0.iter().any(|entry| entry.allows(destination))
    }

    /// Whether `address` may be connected to, for `destination`, which is allowed.
    pub(crate) fn allows_address(&self, destination: &Destination, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match &destination.host {
            // It was named itself.
            HostName::Address(_) => true,
            HostName::Name(_) if is_public(address) => true,
            HostName::Name(name) if is_localhost(name) && address.is_loopback() => true,
            HostName::Name(_) => {
                let as_named =
                    Destination { host: HostName::Address(address), port: destination.port };
                self.allows(&as_named)
            }
        }
    }

    /// The config value that would allow `destination`, too.
    pub(crate) fn with(&self, destination: &Destination) -> String {
        let mut entries: Vec<String> = self.0.iter().map(Entry::to_string).collect();
        entries.push(destination.to_string());
        entries.join(",")
    }
}

fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (host, ports) = split_port(text)?;
        Some(Self { host: Host::parse(host)?, ports })
    }

    fn allows(&self, destination: &Destination) -> bool {
        let fits = match (&self.host, &destination.host) {
            (Host::Any, HostName::Name(_)) => true,
            (Host::Name(name), HostName::Name(asked)) => name == asked,
            (Host::Below(name), HostName::Name(asked)) => {
                asked.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            (Host::Network(network), HostName::Address(address)) => network.holds(*address),
            _ => false,
        };
        fits && match self.ports {
            Ports::Web => matches!(destination.port, 80 | 443),
            Ports::Any => true,
            Ports::One(port) => port == destination.port,
        }
    }
}

/// Splits the port off; the colons of an IPv6 address are inside brackets.
fn split_port(text: &str) -> Option<(&str, Ports)> {
    let after_brackets = text.rfind(']').map_or(0, |end| end + 1);
    match text.get(after_brackets..)?.rfind(':') {
        None => Some((text, Ports::Web)),
        Some(at) => {
            let (host, port) = text.split_at(after_brackets + at);
            let ports = match port.strip_prefix(':')? {
                "*" => Ports::Any,
                port => Ports::One(port.parse().ok()?),
            };
            Some((host, ports))
        }
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        if let Some(network) = Network::parse(text) {
            return Some(Self::Network(network));
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let name = canonical(name);
        let is_name = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        match (is_name, below) {
            (false, _) => None,
            (true, true) => Some(Self::Below(name)),
            (true, false) => Some(Self::Name(name)),
        }
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address = parse_address(address)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        (bits <= all).then_some(Self { address, bits })
    }

    fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differ = ours.to_bits() ^ theirs.to_bits();
                differ.leading_zeros() >= self.bits
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differ = ours.to_bits() ^ theirs.to_bits();
                differ.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

fn parse_address(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
    .map(|address: IpAddr| address.to_canonical())
}

/// Names are compared in lower case, without the dot that ends a full one.
fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl Destination {
    /// Who `authority` names; `port` where it names none.
    pub(crate) fn new(authority: &Authority, port: u16) -> Self {
        let host = authority.host();
        let host = match parse_address(host) {
            Some(address) => HostName::Address(address),
            None => HostName::Name(canonical(host)),
        };
        Self { host, port: authority.port_u16().unwrap_or(port) }
    }
}

impl FromStr for AllowList {
    type Err = ParseAllowError;

    fn from_str(text: &str) -> Result<Self, ParseAllowError> {
        let entries: Vec<String> =
            text.split(',').filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        Self::parse(&entries)
    }
}

/// As an entry of an allow-list.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostName::Name(name) => f.write_str(name)?,
            HostName::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            HostName::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        match self.port {
            80 | 443 => Ok(()),
            port => write!(f, ":{port}"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => f.write_str("*")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Below(name) => write!(f, "*.{name}")?,
            Host::Network(Network { address, bits }) => {
                match address {
                    IpAddr::V4(address) => write!(f, "{address}")?,
                    IpAddr::V6(address) => write!(f, "[{address}]")?,
                }
                let all = if address.is_ipv4() { 32 } else { 128 };
                if *bits < all {
                    write!(f, "/{bits}")?;
                }
            }
        }
        match self.ports {
            Ports::Web => Ok(()),
            Ports::Any => f.write_str(":*"),
            Ports::One(port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &str, authority: &str) -> bool {
        let list: AllowList = list.parse().unwrap();
        list.allows(&Destination::new(&authority.parse().unwrap(), 443))
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        assert!(!allows("", "example.com"));
        assert!(allows("example.com", "example.com"));
        assert!(allows("example.com", "EXAMPLE.com.:80"));
        assert!(!allows("example.com", "example.com:8443"));
        assert!(!allows("example.com", "sub.example.com"));
        assert!(!allows("example.com", "badexample.com"));
        assert!(allows("example.com:8443", "example.com:8443"));
        assert!(!allows("example.com:8443", "example.com"));
        assert!(allows("example.com:*", "example.com:1"));
        assert!(allows("a.org,*.example.org:8443", "x.y.example.org:8443"));
        assert!(!allows("*.example.org:8443", "example.org:8443"));
        assert!(!allows("*.example.org", "badexample.org"));
        assert!(allows("*", "anything.example"));
    }

    #[test]
    fn addresses_are_only_allowed_by_address() {
        assert!(!allows("*", "1.1.1.1"));
        assert!(!allows("*:*", "[::1]:80"));
        assert!(allows("127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(!allows("127.0.0.1:8080", "127.0.0.1:8081"));
        assert!(!allows("127.0.0.1:8080", "127.0.0.2:8080"));
        assert!(!allows("127.0.0.1:8080", "localhost:8080"));
        assert!(allows("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080"));
        assert!(allows("[::1]:8080", "[::1]:8080"));
        assert!(allows("10.0.0.0/8", "10.9.8.7"));
        assert!(!allows("10.0.0.0/8", "11.0.0.1"));
        assert!(allows("[fd00::]/8:1", "[fd12::1]:1"));
        assert!(allows("0.0.0.0/0:*", "192.168.0.1:9"));
    }

    #[test]
    fn name_does_not_grant_what_it_leads_to() {
        let check = |list: &str, name: &str, address: &str| {
            let list: AllowList = list.parse().unwrap();
            let destination = Destination::new(&name.parse().unwrap(), 80);
            assert!(list.allows(&destination));
            list.allows_address(&destination, address.parse().unwrap())
        };
        assert!(check("a.example", "a.example", "1.1.1.1"));
        assert!(!check("a.example", "a.example", "10.0.0.1"));
        assert!(!check("a.example", "a.example", "::ffff:127.0.0.1"));
        assert!(check("a.example,10.0.0.1", "a.example", "10.0.0.1"));
        assert!(!check("a.example,10.0.0.1:81", "a.example", "10.0.0.1"));
        assert!(check("a.example,10.0.0.0/8", "a.example", "10.0.0.1"));
        assert!(check("localhost", "localhost", "127.0.0.1"));
        assert!(!check("localhost", "localhost", "10.0.0.1"));
        assert!(check("127.0.0.1", "127.0.0.1", "127.0.0.1"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "http://a.example", "a.example/x", "a.example:http", "10.0.0.0/33", "*.", "a b"]
        {
            assert!(AllowList::parse(&[text.to_owned()]).is_err(), "{text}");
        }
    }

    #[test]
    fn list_prints_as_it_is_read_and_can_be_added_to() {
        let text = "a.example,*.b.example:8443,*:*,127.0.0.1:8080,[::1],10.0.0.0/8:*";
        let list: AllowList = text.parse().unwrap();
        let more = Destination::new(&"c.example:99".parse().unwrap(), 80);
        assert_eq!(list.with(&more), format!("{text},c.example:99"));
    }
}
