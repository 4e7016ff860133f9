//! wicker-engine.
