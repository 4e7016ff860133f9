//! The provider as a host runs it, against real servers on this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod allowed;
mod exchanges;
mod support;
