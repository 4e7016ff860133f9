//! Where the `nats-server` program is.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// `$WICKER_NATS_SERVER`, the `PATH`, where Debian and pip put it, and at last wherever Python puts scripts.
pub(super) async fn find() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("WICKER_NATS_SERVER").filter(|value| !value.is_empty()) {
        return Some(given.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/bin"));
    let known = ["/usr/local/bin", "/usr/local/sbin", "/usr/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path)
        .chain(home)
        .chain(known)
        .map(|dir| dir.join("nats-server"))
        .find(|file| is_executable(file));
    match found {
        Some(found) => Some(found),
        None => python_scripts()
            .await
            .map(|dir| dir.join("nats-server"))
            .filter(|file| is_executable(file)),
    }
}

async fn python_scripts() -> Option<PathBuf> {
    let code = "import sysconfig; print(sysconfig.get_path('scripts'))";
    let output =
        Command::new("python3").args(["-c", code]).stdin(Stdio::null()).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
