//! http-client.
