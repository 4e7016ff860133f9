//! The first two bytes of every frame: the protocol's version, and the frame's kind.

/// The version of the protocol, the first byte of every frame.
pub const VERSION: u8 = 1;

pub(super) const REQUEST: u8 = 1;
pub(super) const REPLY: u8 = 2;
pub(super) const ACCEPT: u8 = 3;
pub(super) const BEAT: u8 = 4;
pub(super) const CANCEL: u8 = 5;
pub(super) const CHUNK: u8 = 6;
pub(super) const ABORT: u8 = 7;
pub(super) const CREDIT: u8 = 8;
pub(super) const STOP: u8 = 9;
pub(super) const PULSE: u8 = 10;
