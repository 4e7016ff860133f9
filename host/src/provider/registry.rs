//! The provider implementations that are linked into `wicker`: the one place that names them.

use wicker_provider::Builtin;

/// By name, as manifests and the command line know them.
static BUILTINS: &[Builtin] = &[];

/// Every implementation.
#[must_use]
pub fn builtins() -> &'static [Builtin] {
    BUILTINS
}
