//! wicker-reconciler.
