//! What an `http-server` is told, and the bounds of everything that strangers can make it hold.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// One listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen. Port 0: any free one.
    pub listen: SocketAddr,
    /// Encrypts; clear text where absent. Read once, at start.
    pub tls: Option<Tls>,
    /// Bounds of what one client, or all together, can occupy. In config files `connection`: `limits` of a provider
    /// are those of its calls.
    #[serde(rename = "connection")]
    pub limits: Limits,
    /// What the target is told about the client's address.
    pub forwarded: Forwarded,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            tls: None,
            limits: Limits::default(),
            forwarded: Forwarded::default(),
        }
    }
}

/// The server's certificate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file: the certificate, then what links it to its authority.
    pub certificate: PathBuf,
    /// PEM file: the certificate's private key.
    pub key: PathBuf,
}

/// Bounds. Time is checked about four times per shortest timeout, so a timeout may take a quarter longer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections open at once; more wait in the system's backlog. Default 10,000.
    pub connections: usize,
    /// Requests at once on one HTTP/2 connection. Default 256.
    pub streams_per_connection: u32,
    /// Bytes of a request's line and headers; more is answered with 431. At most 100 headers. Default 64 KiB.
    pub header_bytes: u32,
    /// From the first byte of a request (or the connection) to the end of its headers. Default 10 s.
    #[serde(rename = "header_timeout_ms", with = "milliseconds")]
    pub header_timeout: Duration,
    /// How long a connection may stay without a request. Default 75 s.
    #[serde(rename = "idle_timeout_ms", with = "milliseconds")]
    pub idle_timeout: Duration,
    /// How long a client may neither send the body that is waited for, nor take the bytes that wait for it. Default
    /// 30 s. An answer that the target is slow to produce does not count.
    #[serde(rename = "stall_timeout_ms", with = "milliseconds")]
    pub stall_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            streams_per_connection: 256,
            header_bytes: 64 << 10,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(30),
        }
    }
}

/// What becomes of `forwarded`, `x-forwarded-*` and `x-real-ip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarded {
    /// What the client sent is dropped: anybody could have written it. `x-forwarded-for` becomes its address and
    /// `x-forwarded-proto` the scheme it used.
    #[default]
    Replace,
    /// For a listener that only a proxy of yours can reach: what it sent is kept, and its address is added to
    /// `x-forwarded-for`.
    Append,
}

/// Durations as whole milliseconds, so that a config file needs no unit.
mod milliseconds {
    use super::{Deserialize, Duration};

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
