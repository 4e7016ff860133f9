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

/// Everything that a link `L` serves.
#[must_use]
pub fn interfaces<L: blobs::Blobs>() -> Interfaces<L> {
    Interfaces::new().with(blobs::serve())
}
