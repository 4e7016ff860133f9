//! Whether what one side imports is what the other exports: checked when a link is made, before anything is called.

use std::fmt;

use wicker_lattice::interface::InterfaceName;
use wicker_lattice::types::{FunctionType, Functions, World};

use crate::known::{is_blob_import, is_http_export, is_http_import, wire_import};

/// What a target serves that blobs are reached in.
const BLOBS: &str = "wicker:blobstore/blobs@0.1.0";

/// One reason why a target cannot serve an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The target has no such interface.
    NoInterface {
        /// What is imported.
        import: InterfaceName,
    },
    /// The target's interface lacks a function that is imported.
    NoFunction {
        /// What is imported.
        import: InterfaceName,
        /// Which function of it.
        function: String,
    },
    /// Both have the function, with different types.
    Signature {
        /// What is imported.
        import: InterfaceName,
        /// Which function of it.
        function: String,
        /// As the import has it.
        wanted: String,
        /// As the export has it.
        found: String,
    },
}

/// Every reason why `target` cannot serve the functions that are imported of `import`; none: it can.
#[must_use]
pub fn mismatches(import: &InterfaceName, functions: &Functions, target: &World) -> Vec<Mismatch> {
    if is_http_import(import) {
        let serves = target.exports.keys().any(is_http_export);
        return if serves {
            Vec::new()
        } else {
            vec![Mismatch::NoInterface { import: import.clone() }]
        };
    }
    let key = wire_import(import);
    let Some((_, offered)) = target.exports.iter().find(|(name, _)| name.key() == key) else {
        // The host speaks `wicker:blobstore` for it: that is what the target lacks.
        let wire = is_blob_import(import).then(|| BLOBS.parse().ok()).flatten();
        return vec![Mismatch::NoInterface { import: wire.unwrap_or_else(|| import.clone()) }];
    };
    if is_blob_import(import) {
        // What the host calls in it is not what the component calls.
        return Vec::new();
    }
    let check = |(function, wanted): (&String, &FunctionType)| -> Option<Mismatch> {
        let (import, function) = (import.clone(), function.clone());
        let Some(found) = offered.get(&function) else {
            return Some(Mismatch::NoFunction { import, function });
        };
        (found.hash() != wanted.hash()).then(|| Mismatch::Signature {
            import,
            function,
            wanted: format!("{wanted:#}"),
            found: format!("{found:#}"),
        })
    };
    functions.iter().filter_map(check).collect()
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterface { import } => write!(f, "does not export {import}"),
            Self::NoFunction { import, function } => {
                write!(f, "exports {import} without `{function}`")
            }
            Self::Signature { import, function, wanted, found } => {
                write!(f, "exports {import} `{function}` as {found}, imported as {wanted}")
            }
        }
    }
}
