//! The wire, held against itself: random types and values through three codecs, random bytes through every decoder,
//! and golden vectors, which docs/protocol.md cites and other languages test against.
//!
//! `UPDATE_GOLDEN=1 cargo test -p wicker-lattice --test wire` writes the vectors anew.

#[cfg(test)]
mod golden;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod values;
