//! The lattice's state: one JetStream KV key per object, and the only place that knows its keys and schemas.
//!
//! Two buckets: *spec* (what should be; written by the command line and the reconciler; with history) and *status*
//! (what is; each key written only by the process it names). [`record`] holds the values, [`key`] the keys.

pub mod record;
