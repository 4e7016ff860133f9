//! Providers on this host.

pub mod registry;
