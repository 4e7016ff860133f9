//! What a provider is made of: native code that serves WIT interfaces over links.
//!
//! A provider is one type that implements [`Provider`]. Its `Link` is the connection that one link stands for, and
//! implements the traits that [`bindgen!`] makes of WIT. Everything else is done here, once for all providers: typed
//! configs, opening and closing links as the lattice changes, limits, deadlines, panics, health, draining. The same
//! code runs in a host ([`Builtin`]) and as a process of its own ([`run()`]).
//!
//! Refuses: to know any interface, any backend, or wasmtime. Read [`provider`] first, then [`interface`] (what is
//! served), [`instance`] (a running provider) and [`process`] (one in a process of its own). `docs/providers.md` walks
//! through writing one.

pub mod builtin;
pub mod client;
#[doc(hidden)]
pub mod codegen;
pub mod config;
pub mod error;
mod fence;
mod gate;
pub mod handle;
pub mod http;
pub mod instance;
pub mod interface;
pub mod link;
pub mod outlet;
mod outlets;
pub mod pinned;
pub mod process;
pub mod provider;
pub mod scope;
pub mod secrets;
#[cfg(feature = "testing")]
pub mod testing;

pub use builtin::Builtin;
pub use client::Client;
pub use config::NoConfig;
pub use error::{LinkFailure, ProviderError};
pub use handle::{Handle, Own, Resource, Stateless};
pub use instance::{Health, Limits, ProviderInstance};
pub use interface::{Incoming, Interface, Interfaces};
pub use link::{LinkRecord, LinkSource, LinkSourceError};
pub use outlet::Outlet;
pub use pinned::{PinError, Pinned};
pub use process::{Launch, run};
pub use provider::{Environment, NatsAccess, Provider, ProviderStart};
pub use scope::Scope;

pub use wicker_bindgen::bindgen;
pub use wicker_lattice as lattice;
pub use wicker_lattice::store::record::Sharing;
pub use wicker_lattice::value::Stream;
