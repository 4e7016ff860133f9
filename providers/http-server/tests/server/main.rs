//! The server over real sockets: protocols, bodies, limits, drain.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bodies;
mod drain;
mod limits;
mod protocols;
mod support;
