//! Who compiles, how often, and what becomes of a compiler that does not come back.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use wicker_engine::{Cause, CompilerCommand, Engine, EngineConfig, LoadError};

use crate::guest::component;
use crate::harness::eventually;

/// Loads of one component at the same time.
const LOADS: usize = 8;

fn answering(number: u8) -> Bytes {
    component(
        "package test:one; interface outer { get: func() -> u8; } world w { export outer; }",
        &format!(r#"(func (export "test:one/outer#get") (result i32) (i32.const {number}))"#),
    )
}

/// Of `answering(3)`.
async fn digest() -> String {
    Engine::new(small()).unwrap().load(answering(3)).await.unwrap().digest()
}

fn small() -> EngineConfig {
    EngineConfig { instances: 10, ..EngineConfig::default() }
}

/// An engine whose compiler is a script, which finds the artifact directory in `$0`.
fn scripted(directory: &Path, script: &str) -> Engine {
    let compiler =
        CompilerCommand { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] };
    let cache = Some(directory.join("artifacts"));
    Engine::new(EngineConfig {
        cache,
        compiler: Some(compiler),
        compile_timeout: Duration::from_secs(30),
        ..small()
    })
    .unwrap()
}

async fn fails(script: &str) -> LoadError {
    let directory = tempfile::tempdir().unwrap();
    scripted(directory.path(), script).load(answering(0)).await.unwrap_err()
}

#[tokio::test]
async fn loads_of_one_component_at_once_share_one_compilation() {
    let engine = Engine::new(small()).unwrap();
    let loads = futures::future::join_all((0..LOADS).map(|_| engine.load(answering(3))));
    let other = engine.load(answering(4));
    let (loaded, other) = tokio::join!(loads, other);
    assert!(loaded.iter().all(|program| program.is_ok()) && other.is_ok());
    assert_eq!(engine.compilations(), 2);
}

#[tokio::test]
async fn component_that_is_in_use_or_in_the_cache_is_not_fetched() {
    let directory = tempfile::tempdir().unwrap();
    let cached = || EngineConfig { cache: Some(directory.path().join("artifacts")), ..small() };
    let digest = digest().await;
    let fetched = Arc::new(AtomicUsize::new(0));
    let load = async |engine: &Engine| {
        let fetched = Arc::clone(&fetched);
        let fetch = || async move {
            fetched.fetch_add(1, Ordering::SeqCst);
            Ok(answering(3))
        };
        engine.load_by(&digest, fetch).await.unwrap()
    };
    let engine = Engine::new(cached()).unwrap();
    let programs = futures::future::join_all((0..LOADS).map(|_| load(&engine))).await;
    assert!(programs.iter().all(|program| Arc::ptr_eq(program, &programs[0])));
    assert!(Arc::ptr_eq(&load(&engine).await, &programs[0]), "it is in use");
    assert_eq!(load(&Engine::new(cached()).unwrap()).await.digest(), digest);
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn component_that_cannot_be_fetched_is_tried_again_by_the_next_load() {
    let engine = Engine::new(small()).unwrap();
    let digest = digest().await;
    let away = || async { Err(Cause::from(std::io::Error::other("nobody there"))) };
    let error = engine.load_by(&digest, away).await.unwrap_err();
    assert!(matches!(error, LoadError::Fetch(_)), "{error:?}");
    assert!(engine.load_by(&digest, || async { Ok(answering(3)) }).await.is_ok());
}

#[tokio::test]
async fn loads_of_one_component_at_once_share_its_failure() {
    let directory = tempfile::tempdir().unwrap();
    let engine = scripted(directory.path(), r#"echo >> "$0/count"; exit 1"#);
    let loads = futures::future::join_all((0..LOADS).map(|_| engine.load(answering(3)))).await;
    assert!(loads.iter().all(Result::is_err));
    assert_eq!(engine.compilations(), 1);
    let count = || fs::read(directory.path().join("artifacts/count")).unwrap().len();
    assert_eq!(count(), 1);
    // Nothing is remembered of a failure.
    assert!(engine.load(answering(3)).await.is_err());
    assert_eq!(count(), 2);
}

#[tokio::test]
async fn a_compiler_that_crashes_is_an_error_of_the_component() {
    for (script, why) in [
        ("kill -SEGV $$", "signal: 11"),
        ("echo 'not that again' >&2; exit 101", "not that again"),
        ("exit 0", "no code"),
        ("printf '{'; exit 2", "exit status: 2"),
    ] {
        match fails(script).await {
            LoadError::Crashed(text) => assert!(text.contains(why), "{text}"),
            other => panic!("{script}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_the_compiler_says_of_a_component_arrives_typed() {
    assert_eq!(fails(r#"printf '"NotWasm"'; exit 2"#).await, LoadError::NotWasm);
}

#[tokio::test]
async fn a_compiler_that_the_system_ended_says_nothing_of_the_component() {
    assert!(matches!(fails("kill -KILL $$").await, LoadError::Compiler(_)));
}

#[tokio::test]
async fn a_compiler_that_nobody_waits_for_any_more_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let engine = scripted(directory.path(), r#"echo $$ > "$0/pid"; exec sleep 1000"#);
    let pid = || fs::read_to_string(directory.path().join("artifacts/pid")).unwrap_or_default();
    let started = eventually("the compiler starts", || pid().ends_with('\n'));
    tokio::select! {
        loaded = engine.load(answering(5)) => panic!("{loaded:?}"),
        () = started => {}
    }
    let process = format!("/proc/{}", pid().trim());
    // A zombie is ended as well; the runtime collects it when it gets round to it.
    let is_running = || {
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        status.contains("State:") && !status.contains("State:\tZ")
    };
    eventually("the compiler is stopped", || !is_running()).await;
}

#[tokio::test]
async fn a_compilation_ends_at_its_time_limit() {
    let directory = tempfile::tempdir().unwrap();
    let compiler = CompilerCommand {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), "exec sleep 1000".into()],
    };
    let config = EngineConfig {
        cache: Some(directory.path().join("artifacts")),
        compiler: Some(compiler),
        compile_timeout: Duration::from_millis(50),
        ..small()
    };
    let error = Engine::new(config).unwrap().load(answering(6)).await.unwrap_err();
    assert!(matches!(&error, LoadError::Crashed(why) if why.contains("not done")), "{error:?}");
}
