//! Files that a NATS server reads: who may see them, and how text stands in them.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// Writes a file that only the user may read, beside and renamed: never half of it.
pub(super) fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let fresh = file.with_extension("new");
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut open = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        std::fs::rename(&fresh, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

/// Text in quotes, as nats-server reads it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
