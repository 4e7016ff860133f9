//! Why bytes are not the value they should be.

use crate::call::{CallError, Status};

/// Bytes are not the value they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub fault: Fault,
    /// Where the reader stood when it noticed.
    pub offset: usize,
}

/// What is wrong with the bytes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes end inside the value.
    #[error("the value is cut off")]
    CutOff,
    /// Bytes follow the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// The value is larger than [`VALUE_BYTES_MAX`](crate::call::VALUE_BYTES_MAX).
    #[error("a value of {0} bytes is too large")]
    TooLarge(usize),
    /// Types nest deeper than [`DEPTH_MAX`](crate::types::DEPTH_MAX).
    #[error("the value is nested too deeply")]
    TooDeep,
    /// An integer does not fit its type.
    #[error("an integer does not fit its type")]
    Overflow,
    /// An integer is written with more bytes than it needs.
    #[error("an integer is longer than it need be")]
    NotShortest,
    /// A list is longer than the bytes that are left.
    #[error("a list of {0} elements does not fit the bytes that are left")]
    ListTooLong(u64),
    /// A `bool`, or the tag of an option or result, is neither 0 nor 1.
    #[error("{0} is neither 0 nor 1")]
    NotABool(u8),
    /// A variant or enum has no such case.
    #[error("there is no case {0}")]
    NoSuchCase(u64),
    /// A bit is set that stands for no flag.
    #[error("a bit is set that stands for no flag")]
    NoSuchFlag,
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A handle is of a kind that this version does not know, or not whole.
    #[error("a handle of an unknown kind")]
    HandleKind,
    /// A pinned handle stands for nothing that is kept here for this caller.
    #[error(
        "a handle that is not valid here: it expired, was dropped, or was given to somebody else"
    )]
    HandleGone,
    /// Streams are not numbered as they occur, or a reference has no stream.
    #[error("a stream is out of order or missing")]
    StreamOrder,
    /// A text that must be a name, an id or an HTTP part is none.
    #[error("a text is not the {0} that it should be")]
    NotA(&'static str),
}

impl DecodeError {
    /// The failure of a call whose parameters cannot be read: it did not run.
    #[must_use]
    pub fn in_params(self) -> CallError {
        let status = match self.fault {
            Fault::HandleGone => Status::Gone,
            _ => Status::BadFrame,
        };
        CallError::new(status, format!("cannot read the parameters: {self}"))
    }

    /// The failure of a call whose results cannot be read: it did run.
    #[must_use]
    pub fn in_results(self) -> CallError {
        CallError::new(Status::Trapped, format!("cannot read the results: {self}"))
    }
}
