//! From what a user wants to what the lattice's records should say: `manifest` → `validate` → `plan`; and from those
//! records to where things run: [`reconcile`], which asks [`placement`].
//!
//! Pure: no I/O, no clock, no NATS, no wasmtime. Whoever calls reads files, gathers the [`inventory::Inventory`] and
//! writes the [`plan::Plan`]. [`manifest::parse`] and [`validate::validate`] report every problem at once, with its
//! place.
//!
//! When schedules are due, and what is to be done about it: [`schedule`].
//!
//! What the command line needs to read what users type lives here too: [`names`] and [`pattern`].

pub mod compat;
pub mod diagnostic;
pub mod explain;
pub mod inventory;
pub mod known;
pub mod manifest;
pub mod names;
pub mod pattern;
pub mod placement;
pub mod plan;
pub mod reconcile;
pub mod route;
pub mod schedule;
mod suggest;
mod units;
pub mod validate;
