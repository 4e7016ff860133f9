//! Compiled components on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wicker_engine::{Codec, Engine, EngineConfig, EngineError, LoadError};
use wicker_lattice::call::Invoke as _;
use wicker_lattice::link::Links;

use crate::guest::component;
use crate::harness::{actor, call, engine};

fn answering(number: u8) -> Bytes {
    component(
        "package test:one; interface outer { get: func() -> u8; } world w { export outer; }",
        &format!(r#"(func (export "test:one/outer#get") (result i32) (i32.const {number}))"#),
    )
}

fn engine_in(directory: &Path) -> Result<Engine, EngineError> {
    let cache = Some(directory.to_owned());
    Engine::new(EngineConfig { cache, instances: 10, ..EngineConfig::default() })
}

async fn answer(engine: &Engine, wasm: Bytes) -> Bytes {
    let (actor, _) = actor(engine, wasm, Links::default(), |_| {}).await;
    let call = call(&actor, "test:one/outer", "get", Bytes::new());
    actor.invoke(call).await.unwrap().results
}

fn artifacts(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[tokio::test]
async fn an_artifact_is_made_once_and_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("artifacts");
    let first = engine_in(&cache).unwrap();
    assert_eq!(answer(&first, answering(1)).await, b"\x01".as_slice());
    let [made] = &artifacts(&cache)[..] else { panic!("expected one artifact") };
    let written = fs::metadata(made).unwrap().modified().unwrap();
    let second = engine_in(&cache).unwrap();
    assert_eq!(answer(&second, answering(1)).await, b"\x01".as_slice());
    assert_eq!(fs::metadata(made).unwrap().modified().unwrap(), written);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_damaged_artifact_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("artifacts");
    assert_eq!(answer(&engine_in(&cache).unwrap(), answering(2)).await, b"\x02".as_slice());
    let [made] = &artifacts(&cache)[..] else { panic!("expected one artifact") };
    let whole = fs::read(made).unwrap();
    fs::remove_file(made).unwrap();
    fs::write(made, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(answer(&engine_in(&cache).unwrap(), answering(2)).await, b"\x02".as_slice());
    assert_eq!(fs::read(made).unwrap().len(), whole.len());
}

#[tokio::test]
async fn a_directory_that_others_can_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = engine_in(directory.path()).unwrap_err();
    assert!(matches!(error, EngineError::Cache(_)), "{error:?}");
    assert!(error.to_string().contains("0700"), "{error}");
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let error = engine(Codec::Direct).load(Bytes::from_static(b"#!/bin/sh")).await.unwrap_err();
    assert!(matches!(error, LoadError::NotWasm), "{error:?}");
}

#[tokio::test]
async fn a_core_module_for_preview_1_becomes_a_command() {
    let module = wat::parse_str(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (call $exit (i32.const 0))))"#,
    );
    let program = engine(Codec::Direct).load(module.unwrap().into()).await.unwrap();
    assert!(program.is_command());
    assert!(!program.serves_http());
}
