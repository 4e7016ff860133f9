//! wicker-provider.

pub mod http;
