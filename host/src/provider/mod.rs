//! Providers on this host: which implementations there are ([`registry`]), those that run in processes of their own
//! ([`process`], [`registrations`]).

pub mod process;
pub mod registrations;
pub mod registry;
