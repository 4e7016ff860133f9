//! Where the bytes of a component come from: a file, a registry (`oci://`), or a web server (`https://`).
//!
//! What is fetched counts by its digest from then on: a tag or an address is resolved once, by the verb that deploys,
//! and hosts get the bytes from the lattice. `registry` speaks to registries, `web` to web servers.

mod registry;
mod web;

pub use registry::{Pushed, push};

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use bytes::Bytes;
use oci_client::Reference;
use wicker_lattice::store::IMAGE_BYTES_MAX;

/// The scheme of a registry's address.
const REGISTRY: &str = "oci://";

/// Where a component's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file of this machine.
    File(PathBuf),
    /// A registry: `oci://HOST/REPOSITORY:TAG` or `@sha256:DIGEST`.
    Registry(Reference),
    /// A web server.
    Web(String),
}

impl Origin {
    /// Reads what a manifest or a command line says; files lie in `folder` unless their path is absolute.
    ///
    /// # Errors
    /// It is no address; the message says what is wrong with it.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        if let Some(reference) = text.strip_prefix(REGISTRY) {
            return parse_reference(reference).map(Self::Registry);
        }
        match text.split_once("://") {
            Some(("https", _)) => Ok(Self::Web(text.to_owned())),
            Some(("http", rest)) if is_loopback(rest) => Ok(Self::Web(text.to_owned())),
            Some(("http", rest)) => {
                Err(format!("what comes over http may be anybody's: write https://{rest}"))
            }
            Some((scheme, _)) => {
                Err(format!("{scheme}:// is not known: write a file, oci:// or https://"))
            }
            None => Ok(Self::File(folder.join(text))),
        }
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Fetches the bytes, 256 MiB at most.
    ///
    /// # Errors
    /// Why there are none, for people.
    pub async fn fetch(&self) -> Result<Bytes, String> {
        match self {
            Self::File(path) => read(path).await,
            Self::Registry(reference) => registry::pull(reference).await,
            Self::Web(url) => web::fetch(url).await,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Registry(reference) => write!(f, "{REGISTRY}{}", reference.whole()),
            Self::Web(url) => url.fmt(f),
        }
    }
}

/// Reads `HOST/REPOSITORY`, with a tag or a digest. The host must be named: there is no registry by default.
fn parse_reference(text: &str) -> Result<Reference, String> {
    let wrong = "expected oci://HOST/REPOSITORY:TAG or oci://HOST/REPOSITORY@sha256:DIGEST";
    let host = text.split('/').next().unwrap_or_default();
    let names_host = host.contains(['.', ':']) || host == "localhost";
    if !names_host || !text.contains('/') {
        return Err(format!("no registry is named: {wrong}"));
    }
    text.parse().map_err(|error| format!("{error}: {wrong}"))
}

/// Whether `host:port/path` is on this machine, so that nobody else can listen in.
fn is_loopback(authority: &str) -> bool {
    let host = authority.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

async fn read(path: &Path) -> Result<Bytes, String> {
    match tokio::fs::read(path).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err("no such file".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

fn too_large(bytes: u64) -> String {
    format!("it has {bytes} bytes, more than the limit of {IMAGE_BYTES_MAX}")
}

/// Has TLS use ring, as everything else here; whoever is first decides.
fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The error with all its causes, in one line.
fn whole(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_told_by_its_scheme() {
        let parse = |text| Origin::parse(text, Path::new("/app")).unwrap();
        assert_eq!(parse("api.wasm"), Origin::File("/app/api.wasm".into()));
        for text in [
            "oci://ghcr.io/acme/api:1.0",
            "oci://127.0.0.1:5000/api:latest",
            "https://example.org/api.wasm",
            "http://127.0.0.1:8000/api.wasm",
        ] {
            assert_eq!(parse(text).to_string(), text);
            assert!(!parse(text).is_file());
        }
    }

    #[test]
    fn address_that_cannot_be_used_says_why() {
        for (text, expected) in [
            ("oci://acme/api:1.0", "no registry is named"),
            ("oci://ghcr.io/ACME api", "expected oci://"),
            ("http://example.org/api.wasm", "https://example.org/api.wasm"),
            ("ftp://example.org/api.wasm", "ftp:// is not known"),
        ] {
            let error = Origin::parse(text, Path::new("")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
