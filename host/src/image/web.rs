//! Fetches components from web servers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use wicker_lattice::store::IMAGE_BYTES_MAX;

use super::{is_loopback, too_large, use_ring, whole};

/// How long a server may take to answer, or stay silent in between.
const SILENCE: Duration = Duration::from_secs(30);

/// Gets what lies at `url`; redirections stay with https.
pub(super) async fn fetch(url: &str) -> Result<Bytes, String> {
    use_ring();
    let is_plain = url.strip_prefix("http://").is_some_and(is_loopback);
    let client = reqwest::Client::builder()
        .https_only(!is_plain)
        .connect_timeout(SILENCE)
        .read_timeout(SILENCE)
        .build()
        .map_err(whole)?;
    let mut response = client.get(url).send().await.map_err(whole)?;
    if !response.status().is_success() {
        return Err(format!("the server answers {}", response.status()));
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(whole)? {
        if bytes.len() + chunk.len() > IMAGE_BYTES_MAX {
            return Err(too_large((bytes.len() + chunk.len()) as u64));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}
