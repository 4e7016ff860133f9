//! What two Wicker processes must agree on: names, types, values, calls, the wire and the state.
//!
//! No wasmtime in here, and no other member of the workspace. NATS sits behind the feature `nats`, so that the
//! engine and the reconciler build without it; WIT and WAVE sit behind `wit`.
//!
//! Read [`call`] first: it is the one boundary that every call crosses, wherever its target lives.

pub mod blobs;
pub mod call;
pub mod escape;
pub mod event;
pub mod export;
pub mod fence;
pub mod frame;
pub mod http;
pub mod id;
pub mod interface;
pub mod link;
#[cfg(feature = "nats")]
pub mod nats;
pub mod network;
pub mod release;
#[cfg(feature = "nats")]
pub mod rpc;
pub mod secret;
pub mod store;
pub mod subject;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "nats")]
pub mod token;
pub mod types;
pub mod value;
#[cfg(feature = "wit")]
pub mod wave;
pub mod weighted;
