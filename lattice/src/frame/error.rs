//! Why a message is not a frame.

use super::header::VERSION;
use crate::call::VALUE_BYTES_MAX;

/// A message is not a frame of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It ends before its frame does.
    #[error("frame ends early")]
    Short,
    /// Another version of the protocol.
    #[error("frame has version {0}, this process speaks {VERSION}")]
    Version(u8),
    /// No such frame, or not here.
    #[error("frame has unknown kind {0}")]
    Kind(u8),
    /// A flag or a status that this version does not have.
    #[error("frame has an unknown flag or status {0}")]
    Code(u8),
    /// More bytes than the frame has.
    #[error("frame has bytes after its end")]
    Trailing,
    /// A source that is no object's id.
    #[error("frame names a source that is no object's id")]
    Source,
    /// Text that is not UTF-8.
    #[error("frame holds text that is not UTF-8")]
    Utf8,
    /// A value that is too large.
    #[error("frame announces a value of {0} bytes, the most is {VALUE_BYTES_MAX}")]
    TooLarge(u32),
}
