//! wicker-provider.
