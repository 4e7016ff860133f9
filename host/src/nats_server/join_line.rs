//! What one machine prints and others are started with: where it is reached, and the secret that lets them in.
//!
//! `10.0.0.1:7422/SECRET`, or several addresses, separated by commas: any of them will do.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Letters of a secret: 160 bits in base 32, in pairs of [`ulid::Ulid`] randomness.
const SECRET_LETTERS: usize = 32;

/// The port where machines reach each other unless told otherwise: the customary one of NATS's leaf nodes. The next one
/// up is used by the three that keep the state.
pub(super) const DEFAULT_PORT: u16 = 7422;

/// Lets a machine in. Whoever knows it may join.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JoinSecret(String);

impl JoinSecret {
    /// A new one. The first 10 letters of a ulid are the time, so that only its last 16 count.
    #[must_use]
    pub fn generate() -> Self {
        let letters = || ulid::Ulid::new().to_string().split_off(10).to_lowercase();
        Self(letters() + &letters())
    }

    /// The text, for the join line.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// With what the machines that keep the state log in to the system account of their servers.
    #[must_use]
    pub(super) fn system_password(&self) -> String {
        wicker_lattice::store::digest(format!("wicker system account {}", self.0).as_bytes())
    }

    /// What the authority that signs the machines' certificates is derived from, the same on every machine.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        Sha256::digest(format!("wicker join authority {}", self.0)).into()
    }
}

impl fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Where to join, and with what secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinLine {
    /// `host:port` of machines that are in the lattice.
    pub addresses: Vec<String>,
    /// Lets a machine in.
    pub secret: JoinSecret,
}

impl fmt::Display for JoinLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addresses.join(","), self.secret.0)
    }
}

impl FromStr for JoinLine {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (addresses, secret) = text
            .trim()
            .rsplit_once('/')
            .context("expected ADDRESS/SECRET, as the first machine's `wicker up` prints it")?;
        let is_secret = secret.len() == SECRET_LETTERS
            && secret.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        ensure!(
            is_secret,
            "the secret after `/` is {SECRET_LETTERS} letters and digits; some are missing or too many"
        );
        let addresses: Vec<String> = addresses.split(',').map(with_port).collect();
        ensure!(addresses.iter().all(|address| !address.starts_with(':')), "an address is missing");
        Ok(Self { addresses, secret: JoinSecret(secret.to_owned()) })
    }
}

/// `host:port`, with [`DEFAULT_PORT`] where none is named.
pub(super) fn with_port(address: &str) -> String {
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    match (has_port, address.parse::<std::net::Ipv6Addr>()) {
        (true, _) => address.to_owned(),
        (false, Ok(ip)) => format!("[{ip}]:{DEFAULT_PORT}"),
        (false, Err(_)) => format!("{address}:{DEFAULT_PORT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_line_survives_being_printed_and_read() {
        let line = JoinLine {
            addresses: vec!["10.0.0.1:7422".to_owned(), "[fd00::2]:9000".to_owned()],
            secret: JoinSecret::generate(),
        };
        assert_eq!(line.to_string().parse::<JoinLine>().unwrap(), line);
    }

    #[test]
    fn secrets_differ_and_are_not_shown() {
        let (one, other) = (JoinSecret::generate(), JoinSecret::generate());
        assert_ne!(one.seed(), other.seed());
        assert!(!format!("{one:?}").contains(one.reveal()));
    }

    #[test]
    fn address_without_a_port_has_the_customary_one() {
        for (text, expected) in [
            ("10.0.0.1", "10.0.0.1:7422"),
            ("one.example:80", "one.example:80"),
            ("fd00::2", "[fd00::2]:7422"),
            ("[fd00::2]:9", "[fd00::2]:9"),
        ] {
            assert_eq!(with_port(text), expected);
        }
    }

    #[test]
    fn mistyped_line_says_what_is_wrong() {
        for (text, expected) in [("10.0.0.1", "ADDRESS/SECRET"), ("10.0.0.1/short", "32 letters")] {
            let error = text.parse::<JoinLine>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
