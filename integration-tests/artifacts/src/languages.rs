//! Guests in languages whose tools are no part of Rust. `.ci/install test` fetches the tools into `target/tools`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{repository, run, target_directory};

/// Where the WIT lies that the guests of the tests are built for.
const WIT: &str = "wit/wasi-0.2";

/// Held while one is built: each takes most of a gigabyte.
static BUILDING: Mutex<()> = Mutex::new(());

/// A guest, what it is built for, and what it is called once it is built.
#[derive(Clone, Copy)]
struct Sources {
    folder: &'static str,
    wit: &'static str,
    output: &'static str,
}

/// The component that `integration-tests/guests/javascript` builds: StarlingMonkey, and a script.
///
/// # Panics
/// It does not build, or a tool is missing.
#[must_use]
pub fn javascript() -> PathBuf {
    let folder = "integration-tests/guests/javascript";
    build_javascript(Sources { folder, wit: WIT, output: "javascript" })
}

/// The component that `examples/shop/payments` builds, of JavaScript.
///
/// # Panics
/// As [`javascript`].
#[must_use]
pub fn shop_payments() -> PathBuf {
    let (folder, wit) = ("examples/shop/payments", "examples/shop/wit/payments.wit");
    build_javascript(Sources { folder, wit, output: "shop-payments" })
}

fn build_javascript(sources: Sources) -> PathBuf {
    let modules = tool("javascript/node_modules");
    build(sources, |folder, output| {
        let mut node = Command::new("node");
        node.arg(folder.join("build.mjs")).args([&modules, output]);
        node
    })
}

/// The component that `integration-tests/guests/python` builds: CPython, and a script.
///
/// # Panics
/// As [`javascript`].
#[must_use]
pub fn python() -> PathBuf {
    let folder = "integration-tests/guests/python";
    let sources = Sources { folder, wit: WIT, output: "python" };
    build_python(sources, "http", &["guest"])
}

/// The component that `examples/shop/inventory` builds, of Python.
///
/// # Panics
/// As [`javascript`].
#[must_use]
pub fn shop_inventory() -> PathBuf {
    let (folder, wit) = ("examples/shop/inventory", "examples/shop/wit/inventory.wit");
    let sources = Sources { folder, wit, output: "shop-inventory" };
    build_python(sources, "keeper", &["--stub-wasi", "inventory"])
}

/// The component that `integration-tests/guests/c` builds: a module that `zig cc` compiles, and the types of its WIT.
///
/// # Panics
/// As [`javascript`].
#[must_use]
pub fn c() -> PathBuf {
    let folder = "integration-tests/guests/c";
    let packages = tool("ziglang");
    let sources = Sources { folder, wit: "integration-tests/guests/c/tally.wit", output: "c" };
    let compiled = build(Sources { output: "c-core", ..sources }, |folder, output| {
        let mut zig = Command::new("python3");
        zig.env("PYTHONPATH", &packages).args(["-m", "ziglang", "cc", "-Os", "-nostdlib"]);
        zig.args(["-target", "wasm32-freestanding", "-Wl,--no-entry", "-o"]).arg(output);
        zig.arg(folder.join("tally.c")).current_dir(folder);
        zig
    });
    let component = compiled.with_file_name("c.wasm");
    #[expect(clippy::expect_used, reason = "a test that lacks its guest cannot go on")]
    let bytes = componentize(&compiled, &repository().join(sources.wit)).expect("a component");
    let draft = component.with_extension(format!("{}.draft", std::process::id()));
    #[expect(clippy::expect_used, reason = "a test that lacks its guest cannot go on")]
    fs::write(&draft, bytes)
        .and_then(|()| fs::rename(&draft, &component))
        .expect("the component is written");
    component
}

/// Makes a component of a core module that speaks the canonical ABI of the only world of `wit`.
fn componentize(module: &Path, wit: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut module = fs::read(module)?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(ComponentEncoder::default().validate(true).module(&module)?.encode()?)
}

fn build_python(sources: Sources, world: &str, app: &[&str]) -> PathBuf {
    let packages = tool("componentize-py");
    build(sources, |folder, output| {
        let mut python = Command::new("python3");
        python.arg(packages.join("bin/componentize-py")).env("PYTHONPATH", &packages);
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python.arg("-d").arg(repository().join(sources.wit)).args(["-w", world, "componentize"]);
        python.args(app).arg("-o").arg(output).current_dir(folder);
        python
    })
}

/// Runs what `command` makes of the guest's folder and a file to write, unless an earlier run was later than every
/// change of its sources.
fn build(sources: Sources, command: impl FnOnce(&Path, &Path) -> Command) -> PathBuf {
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let Sources { folder, wit, output: name } = sources;
    let folder = repository().join(folder);
    let outputs = target_directory().join("guests");
    let output = outputs.join(format!("{name}.wasm"));
    let changed = age(&folder).into_iter().chain(age(&repository().join(wit))).min();
    if output.exists() && age(&output) < changed {
        return output;
    }
    #[expect(clippy::expect_used, reason = "a test that lacks its guest cannot go on")]
    fs::create_dir_all(&outputs).expect("the build directory can be written");
    let draft = outputs.join(format!("{name}.{}.wasm", std::process::id()));
    run(&mut command(&folder, &draft), &folder);
    #[expect(clippy::expect_used, reason = "a test that lacks its guest cannot go on")]
    fs::rename(&draft, &output).expect("the guest was built");
    output
}

/// How long ago the newest file at or below `path` was written.
fn age(path: &Path) -> Option<Duration> {
    let below = fs::read_dir(path).into_iter().flatten().flatten();
    let below = below.filter_map(|entry| age(&entry.path()));
    let own = path.is_file().then(|| fs::metadata(path).ok()?.modified().ok()?.elapsed().ok());
    below.chain(own.flatten()).min()
}

fn tool(name: &str) -> PathBuf {
    let found = repository().join("target/tools").join(name);
    assert!(found.exists(), "{} is missing: run `.ci/install test`", found.display());
    found
}
