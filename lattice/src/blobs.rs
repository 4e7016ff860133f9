//! Blobs over a link: one wire interface, [`INTERFACE`], whether a component imports that or `wasi:blobstore`.
//!
//! `wit/wicker-blobstore` says what it is. Who turns `wasi:blobstore` into it: the engine.

use std::sync::LazyLock;

use crate::interface::InterfaceKey;

/// The wire interface.
pub const INTERFACE: &str = "wicker:blobstore/blobs@0.1";

/// What components import that leads to it. The third interface of the package, `types`, calls nobody.
pub const IMPORTS: [&str; 2] =
    ["wasi:blobstore/blobstore@0.2.0-draft", "wasi:blobstore/container@0.2.0-draft"];

/// [`INTERFACE`], parsed.
#[must_use]
pub fn interface() -> InterfaceKey {
    static KEY: LazyLock<Option<InterfaceKey>> = LazyLock::new(|| INTERFACE.parse().ok());
    #[expect(clippy::expect_used, reason = "a constant; a test reads it")]
    KEY.clone().expect("INTERFACE is the key of an interface")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_keys() {
        assert_eq!(interface().as_str(), INTERFACE);
        assert!(IMPORTS.iter().all(|import| import.parse::<InterfaceKey>().is_ok()));
    }
}
