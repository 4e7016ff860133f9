//! The `wicker` program: one host of a lattice, and the verbs that talk to one.
//!
//! A host runs components as actors and providers beside them, answers HTTP, and reaches everything else over the
//! lattice. Two paths run through here. A *request* goes `ingress` or `rpc` → `table` (snapshots, no lock) →
//! `link` (who serves this, where) → an actor, a provider or another process. *Control* goes store → `control`
//! (watches) → `state` (pure: what to do) → effects, which end in new tables.
//!
//! Only [`provider::registry`] names concrete providers, and only [`cli`] prints.

pub mod backup;
pub mod bare;
pub mod cli;
pub mod config;
pub mod control;
pub mod data_dir;
pub mod execute;
pub mod fence;
mod hand_over;
pub mod host;
pub mod image;
pub mod ingress;
pub mod inventory;
pub mod link;
pub mod logs;
pub mod member;
pub mod nats_server;
pub mod provider;
mod questions;
pub mod reconcile;
pub mod restore;
pub mod schedule;
pub mod secrets;
pub mod state;
pub mod table;
