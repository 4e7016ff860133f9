//! A whole host, as `wicker up MANIFEST` starts it: NATS, state, lease and routes are all there.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use wicker_lattice::testing::NatsServer;

use crate::{Contestant, free_port, hello, pinned, root};

/// A host that serves the hello component, with `warm` instances kept between requests.
///
/// It may compile the component first, and the generator waits for its first answer.
pub(crate) fn contestant(name: &'static str, warm: u32, nats: &NatsServer) -> Result<Contestant> {
    let program = program();
    ensure!(program.exists(), "{} is not built: run `make build`", program.display());
    ensure!(hello().exists(), "{} is not built: run `make guests`", hello().display());
    let folder = tempfile::tempdir()?;
    let manifest = folder.path().join("wicker.yaml");
    std::fs::copy(hello(), folder.path().join("hello.wasm"))?;
    let text = format!(
        "application: bench\ncomponents:\n  hello:\n    image: hello.wasm\n    warm: {warm}\nroutes:\n  /: hello\n"
    );
    std::fs::write(&manifest, text)?;
    let port = free_port()?;
    let mut command = pinned(&program);
    // What the developer has set for hosts of their own has no place here.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WICKER_") {
            command.env_remove(name);
        }
    }
    command.args(["--nats", nats.url(), "--lattice", &format!("bench-{warm}"), "--data"]);
    command.arg(folder.path().join("data"));
    command.args(["up", "--http", &format!("127.0.0.1:{port}")]).arg(&manifest);
    Contestant::start(name, port, command, Some(folder))
}

/// The release build of `wicker`, or what `WICKER_BENCH_PROGRAM` names.
fn program() -> PathBuf {
    let named = std::env::var_os("WICKER_BENCH_PROGRAM").map(PathBuf::from);
    named.unwrap_or_else(|| root().join("target/release/wicker"))
}
