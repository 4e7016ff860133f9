//! Where a host has its secrets from, as far as they are files; and the keys that they are sealed with.
//!
//! A file of secrets is lines of `NAME=value` ([`text`]), in the clear or as an age file ([`mod@file`]). A host reads it at its
//! start and again whenever it changes, and answers from memory. `secrets-nats` keeps them in the lattice instead, sealed
//! with a [`Key`]. Nothing here prints, logs or shows a value.

pub mod file;
pub mod key;
pub mod text;

pub use file::{FileError, FileSecrets};
pub use key::{Key, KeyError, Recipient};
