//! wicker:blobstore: blobs of any size, streamed both ways. A backend implements [`blobs::Blobs`].
//!
//! What every backend promises is in the WIT and in the laws of `tests/conformance`.

wicker_provider::bindgen!({
    path: "../../wit/wicker-blobstore",
    interfaces: ["wicker:blobstore/blobs@0.1.0"],
});

use wicker_provider::Interfaces;

/// Objects of a page.
pub const PAGE: usize = 1_000;

/// Whether a link that was given `containers`, all where there are none, may use `container`.
///
/// # Errors
/// It may not.
pub fn allow(containers: &[String], container: &str) -> Result<(), blobs::Error> {
    if containers.is_empty() || containers.iter().any(|each| each == container) {
        return Ok(());
    }
    Err(blobs::Error::Denied(format!("the link does not allow container `{container}`")))
}

/// Everything that a link `L` serves.
#[must_use]
pub fn interfaces<L: blobs::Blobs>() -> Interfaces<L> {
    Interfaces::new().with(blobs::serve())
}
