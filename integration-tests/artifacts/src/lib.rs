//! The guests that tests run, built from source: once per test process, incrementally, into one directory beside the
//! tests' own build output, so that the tests of all crates share them.
//!
//! Needs the `wasm32-wasip2` target, which `rust-toolchain.toml` asks for.

mod languages;

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

pub use languages::{c, javascript, python, shop_inventory, shop_payments};

/// What cargo calls the target that makes components.
const TARGET: &str = "wasm32-wasip2";

/// The component that `integration-tests/guests/<name>` builds.
///
/// # Panics
/// It does not build; the message is the compiler's.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    component("integration-tests/guests", name)
}

/// The component that package `name` of the workspace `examples` builds.
///
/// # Panics
/// As [`guest`].
#[must_use]
pub fn example(name: &str) -> PathBuf {
    component("examples", name)
}

/// The component that package `name` of the guest workspace in `folder` builds; `folder` is relative to the root of
/// the repository.
///
/// # Panics
/// As [`guest`].
#[must_use]
pub fn component(folder: &str, name: &str) -> PathBuf {
    let output = build(folder);
    let file = output.join(format!("{}.wasm", name.replace('-', "_")));
    let command = output.join(format!("{name}.wasm"));
    let found = [file, command].into_iter().find(|path| path.exists());
    #[expect(clippy::panic, reason = "a test that lacks its guest cannot go on")]
    found.unwrap_or_else(|| panic!("`{folder}` builds no component `{name}`"))
}

/// Builds the workspace in `folder`, unless this process already did, and returns where the components are.
fn build(folder: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    if let Some(output) = built.get(folder) {
        return output.clone();
    }
    // Each workspace has a directory of its own: equal names in two of them must not overwrite each other.
    let target = target_directory().join("guests").join(folder.replace('/', "-"));
    compile(&repository().join(folder), &target);
    let output = target.join(TARGET).join("release");
    built.insert(folder.to_owned(), output.clone());
    output
}

/// Runs cargo, which locks `target` against other test processes that build the same.
fn compile(workspace: &Path, target: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--quiet", "--target", TARGET, "--target-dir"]);
    cargo.arg(target).current_dir(workspace);
    // Flags and directories meant for the tests themselves, not for their guests.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "RUSTC_WRAPPER",
    ] {
        cargo.env_remove(name);
    }
    run(&mut cargo, workspace);
}

/// Runs a command that builds what is in `folder`.
fn run(command: &mut Command, folder: &Path) {
    let result = command.output();
    #[expect(clippy::panic, reason = "a test that lacks its guest cannot go on")]
    match result {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            panic!(
                "cannot build {}:\n{}",
                folder.display(),
                String::from_utf8_lossy(&output.stderr)
            )
        }
        Err(error) => panic!("cannot start {command:?}: {error}"),
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where cargo puts this test's own executable, up to the directory that it marks as a cache.
fn target_directory() -> PathBuf {
    let executable = env::current_exe().unwrap_or_default();
    let marked = executable.ancestors().find(|path| path.join("CACHEDIR.TAG").exists());
    marked.map_or_else(|| repository().join("target"), Path::to_path_buf)
}
