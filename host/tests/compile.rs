//! The program as a compiler: what it leaves behind and what it answers.

#![allow(clippy::unwrap_used, reason = "a test, and what only tests call, fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use wicker_engine::{CompilerCommand, Engine, EngineConfig};

/// What every component begins with. Alone it is one, without imports and exports.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn compiler() -> CompilerCommand {
    let program = env!("CARGO_BIN_EXE_wicker").into();
    CompilerCommand { program, arguments: vec!["compile".into()] }
}

fn engine(directory: &Path, compiler: Option<CompilerCommand>) -> Engine {
    let cache = Some(directory.join("artifacts"));
    Engine::new(EngineConfig { cache, compiler, instances: 10, ..EngineConfig::default() }).unwrap()
}

#[tokio::test]
async fn a_component_compiled_by_a_process_of_its_own_is_the_one_compiled_here() {
    let wasm = tokio::task::spawn_blocking(|| artifacts::guest("http-hello")).await.unwrap();
    let wasm = Bytes::from(std::fs::read(wasm).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let compiling = engine(directory.path(), Some(compiler()));
    let elsewhere = compiling.load(wasm.clone()).await.unwrap();
    assert!(elsewhere.serves_http());
    assert_eq!(compiling.compilations(), 1);
    // What the process left is what an engine that compiles by itself would have kept.
    let here = engine(directory.path(), None);
    let again = here.load(wasm).await.unwrap();
    assert_eq!(here.compilations(), 0);
    assert_eq!((again.digest(), again.world()), (elsewhere.digest(), elsewhere.world()));
}

#[test]
fn a_compiler_process_gives_way_to_every_other() {
    const LOWEST: &str = "19";
    let directory = tempfile::tempdir().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_wicker"))
        .arg("compile")
        .arg(directory.path().join("artifacts"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // It waits for its input, and has stepped back before that.
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
        // Fields are counted from the name, which ends with the last parenthesis and is the second.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        if fields.get(19 - 3) == Some(&LOWEST) {
            break;
        }
        assert!(Instant::now() < end, "it never stepped back: {stat}");
        std::thread::yield_now();
    }
    drop(process.stdin.take());
    assert!(!process.wait().unwrap().success());
}

#[tokio::test]
async fn what_is_wrong_with_a_component_is_said_alike_by_either_compiler() {
    let damaged = [EMPTY, &[0xff; 8]].concat();
    let module = b"\0asm\x01\0\0\0\x02\x07\x01\x01a\x01b\x03\x7f\0".to_vec();
    for wasm in [b"#!/bin/sh".to_vec(), damaged, module, EMPTY.get(..7).unwrap().to_vec()] {
        let wasm = Bytes::from(wasm);
        let directory = tempfile::tempdir().unwrap();
        let elsewhere =
            engine(directory.path(), Some(compiler())).load(wasm.clone()).await.unwrap_err();
        let here = engine(directory.path(), None).load(wasm).await.unwrap_err();
        assert_eq!(elsewhere, here);
    }
    let directory = tempfile::tempdir().unwrap();
    assert!(
        engine(directory.path(), Some(compiler())).load(Bytes::from_static(EMPTY)).await.is_ok()
    );
}
