//! The lattice's state: one JetStream KV key per object, and the only place that knows its keys and schemas.
//!
//! Two buckets: *spec* (what should be; written by the command line and the reconciler; with history) and *status*
//! (what is; each key written only by the process it names, and removed by the leader once that is dead), and an
//! object store for the bytes of components. [`record`] holds the values, [`key`] the keys, [`lease`] the rule that says who is alive. `open` finds
//! the buckets, `bucket` reads and writes, `watch` tells of changes, `image` moves the bytes,
//! `values` is everything at once, for backups.

#[cfg(feature = "nats")]
mod bucket;
#[cfg(feature = "nats")]
mod entry;
#[cfg(feature = "nats")]
mod image;
pub mod key;
pub mod lease;
#[cfg(feature = "nats")]
mod open;
pub mod record;
#[cfg(feature = "nats")]
mod values;
#[cfg(feature = "nats")]
mod watch;

pub use key::{Bucket, Record};

#[cfg(feature = "nats")]
pub use bucket::{MODIFY_ATTEMPTS, OpenError, Store};
#[cfg(feature = "nats")]
pub use entry::{Entry, StoreError};
#[cfg(feature = "nats")]
pub use image::{IMAGE_BYTES_MAX, ImageError, digest};
#[cfg(feature = "nats")]
pub use open::{BucketConfig, open_bucket};
#[cfg(feature = "nats")]
pub use watch::{Change, Watch};
