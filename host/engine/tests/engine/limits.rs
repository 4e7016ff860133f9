//! A guest that traps, spins, allocates or recurses ends its own call and no other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wicker_engine::{Actor, Codec, Engine, EngineConfig};
use wicker_lattice::call::{CallError, Invoke as _, Status};
use wicker_lattice::link::Links;

use crate::guest::component;
use crate::harness::{Lines, actor, call, engine};

const WIT: &str = "
    package test:bad;
    interface ways { good: func() -> u32; trap: func(); spin: func(); grow: func(); recurse: func() -> u32; }
    world w { export ways; }
";

const CORE: &str = r#"
    (func (export "test:bad/ways#good") (result i32) (i32.const 42))
    (func (export "test:bad/ways#trap") unreachable)
    (func (export "test:bad/ways#spin") (loop $forever (br $forever)))
    (func (export "test:bad/ways#grow")
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        unreachable)
    (func $recurse (export "test:bad/ways#recurse") (result i32)
        (i32.add (i32.const 1) (call $recurse)))
"#;

async fn bad(deadline: Duration) -> (Arc<Actor>, Arc<Lines>) {
    let wasm = component(WIT, CORE);
    actor(engine(Codec::Direct), wasm, Links::default(), |config| {
        config.limits.deadline = deadline;
        config.limits.memory_bytes = 64 << 20;
        config.warm = 4;
    })
    .await
}

async fn send(actor: &Actor, function: &str) -> Result<Bytes, CallError> {
    let call = call(actor, "test:bad/ways", function, Bytes::new());
    actor.invoke(call).await.map(|reply| reply.results)
}

async fn fails(function: &str, status: Status, says: &str) {
    let (actor, lines) = bad(Duration::from_secs(10)).await;
    // Warm, so that the instance that fails is one that others have used.
    assert_eq!(send(&actor, "good").await.unwrap(), b"\x2a".as_slice());
    let (failed, good) = tokio::join!(send(&actor, function), send(&actor, "good"));
    let error = failed.unwrap_err();
    assert_eq!(error.status, status, "{error}");
    assert!(error.message.contains(says), "{error}");
    assert_eq!(good.unwrap(), b"\x2a".as_slice());
    assert_eq!(send(&actor, "good").await.unwrap(), b"\x2a".as_slice());
    assert!(lines.hold(says));
    assert_eq!(actor.stats().failures, 1);
}

#[tokio::test]
async fn a_trap_ends_its_own_call_only() {
    fails("trap", Status::Trapped, "unreachable").await;
}

#[tokio::test]
async fn deep_recursion_ends_its_own_call_only() {
    fails("recurse", Status::Trapped, "stack overflow").await;
}

#[tokio::test]
async fn a_memory_bomb_ends_its_own_call_only() {
    fails("grow", Status::Trapped, "64 MiB").await;
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_deadline_and_blocks_nobody() {
    // One thread, so a loop that did not yield would stop everything.
    let (actor, lines) = bad(Duration::from_millis(300)).await;
    let spin = send(&actor, "spin");
    let mut spin = std::pin::pin!(spin);
    for _ in 0..5 {
        assert!(futures::poll!(spin.as_mut()).is_pending());
        assert_eq!(send(&actor, "good").await.unwrap(), b"\x2a".as_slice());
    }
    let error = spin.await.unwrap_err();
    assert_eq!(error.status, Status::Deadline);
    assert!(lines.hold("limits.deadline"));
    assert_eq!(actor.stats().running, 0);
}

#[tokio::test]
async fn the_nearer_deadline_counts() {
    let (actor, _) = bad(Duration::from_secs(3600)).await;
    let mut call = call(&actor, "test:bad/ways", "spin", Bytes::new());
    call.deadline = Instant::now() + Duration::from_millis(100);
    assert_eq!(actor.invoke(call).await.unwrap_err().status, Status::Deadline);
}

#[tokio::test]
async fn calls_past_the_queue_are_overloaded_at_once() {
    let wasm = component(WIT, CORE);
    let (actor, _) = actor(engine(Codec::Direct), wasm, Links::default(), |config| {
        config.limits.deadline = Duration::from_millis(500);
        config.limits.concurrency = 1;
        config.limits.queue = 0;
    })
    .await;
    let spin = send(&actor, "spin");
    let mut spin = std::pin::pin!(spin);
    assert!(futures::poll!(spin.as_mut()).is_pending());
    assert_eq!(send(&actor, "good").await.unwrap_err().status, Status::Overloaded);
    assert_eq!(spin.await.unwrap_err().status, Status::Deadline);
    assert!(send(&actor, "good").await.is_ok());
}

#[tokio::test]
async fn a_host_without_a_free_instance_is_overloaded() {
    let small = Engine::new(EngineConfig { instances: 1, ..EngineConfig::default() }).unwrap();
    let (actor, _) = actor(&small, component(WIT, CORE), Links::default(), |config| {
        config.limits.deadline = Duration::from_millis(300);
    })
    .await;
    let spin = send(&actor, "spin");
    let mut spin = std::pin::pin!(spin);
    assert!(futures::poll!(spin.as_mut()).is_pending());
    assert_eq!(send(&actor, "good").await.unwrap_err().status, Status::Overloaded);
    assert_eq!(spin.await.unwrap_err().status, Status::Deadline);
    assert!(send(&actor, "good").await.is_ok());
}

#[tokio::test]
async fn drain_finishes_what_runs_and_refuses_the_rest() {
    let (actor, _) = bad(Duration::from_millis(300)).await;
    let spin = send(&actor, "spin");
    let mut spin = std::pin::pin!(spin);
    assert!(futures::poll!(spin.as_mut()).is_pending());
    let drain = actor.drain();
    let mut drain = std::pin::pin!(drain);
    assert!(futures::poll!(drain.as_mut()).is_pending());
    assert_eq!(send(&actor, "good").await.unwrap_err().status, Status::Draining);
    let (spun, ()) = tokio::join!(spin, drain);
    assert_eq!(spun.unwrap_err().status, Status::Deadline);
}
