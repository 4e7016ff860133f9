//! wicker.
