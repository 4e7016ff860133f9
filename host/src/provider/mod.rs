//! Providers on this host: which implementations there are ([`registry`]), those that run in processes of their own
//! ([`process`], [`registrations`]), and where any of them reads its links ([`StoreLinks`]).

pub mod process;
pub mod registrations;
pub mod registry;

mod store_links;

pub use store_links::StoreLinks;
