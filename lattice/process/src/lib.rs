//! wicker-process.
