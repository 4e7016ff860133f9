//! The frames of lattice RPC v1, byte for byte. `docs/protocol.md` says the same in prose, with golden vectors.
//!
//! Every frame is one NATS message and begins with [`VERSION`] and its kind. Integers are little-endian and of fixed
//! width; what has no length runs to the end of the message. Decoding never allocates from a length on the wire and
//! refuses what it does not know.
//!
//! ```text
//! request  1  u8 flags, u8 streams, [8] type hash, [16] call id, u32 budget ms, u32 credit bytes, u64 link revision,
//!             u8 n + source, u8 n + link name (empty: default), trace?, u32 total?, heads, parameters
//! reply    2  u8 flags, u8 streams, u8 status, u8 load, u32 total?, heads, results     (error: message in their place)
//! accept   3  u8 load                      the callee works on it and will beat
//! beat     4  u8 load                      it still does
//! cancel   5                               the caller gave up
//! chunk    6  u8 stream, u8 flags, u32 sequence, bytes
//! abort    7  u8 stream, u32 sequence, message            the writer gave up
//! credit   8  u8 stream, u64 limit         the reader takes bytes up to this position, counted from the stream's start
//! stop     9  u8 stream                    the reader is gone
//! pulse   10  u8 stream, u32 sequence      the writer lives and has sent the chunks below this sequence number
//!
//! trace    [16] trace id, [8] span id, u8 flags           with flag 2
//! total    bytes of the value, which follows as stream 0  with flag 1 (then no parameters or results follow)
//! head     u8 flags (1: this is all), u32 n + bytes       the beginning of stream 1, 2, ...
//! ```
//!
//! A *stream number* has bit 7 set where the callee writes it. 0 is the value itself, where it is too large for one
//! message; 1 and up are the streams that the value refers to (their index plus one).

mod body;
mod error;
mod header;
mod input;
mod notice;
mod reply;
mod request;
mod status;
mod stream;
#[cfg(test)]
mod tests;

pub use body::{Head, Value};
pub use error::FrameError;
pub use header::VERSION;
pub use notice::Frame;
pub use reply::{Outcome, Reply, has_streams, is_reply};
pub use request::{REQUEST_HEADER_BYTES_MAX, Request};
pub use status::{status_code, status_from_code};
pub use stream::{STREAMS_MAX, StreamNumber};
