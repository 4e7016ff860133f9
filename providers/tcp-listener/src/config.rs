//! What a link from the provider to a component is configured with.

use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

/// On what a component's connections come in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Listen {
    /// The port. Required.
    pub port: u16,
    /// Of which address. All of IPv4 by default: `0.0.0.0`.
    #[serde(default = "everywhere")]
    pub address: IpAddr,
    /// Connections that are open at once in each process of the provider. 1024 by default.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
}

fn everywhere() -> IpAddr {
    Ipv4Addr::UNSPECIFIED.into()
}

fn max_connections() -> usize {
    1024
}
