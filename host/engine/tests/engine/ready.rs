//! Asking a component whether it is ready.

use std::sync::Arc;

use bytes::Bytes;
use wicker_engine::{Actor, Codec};
use wicker_lattice::link::Links;
use wicker_lattice::store::record::{Probe, Ready};

use crate::guest::component;
use crate::harness::{actor, engine};

/// A guest whose answers are constants, and one that never answers.
fn guest() -> Bytes {
    component(
        "package test:health;
         interface health {
             yes: func() -> bool; no: func() -> bool; good: func() -> result; bad: func() -> result;
             nothing: func(); traps: func(); spins: func();
         }
         world w { export health; }",
        r#"(func (export "test:health/health#yes") (result i32) (i32.const 1))
           (func (export "test:health/health#no") (result i32) (i32.const 0))
           (func (export "test:health/health#good") (result i32) (i32.const 0))
           (func (export "test:health/health#bad") (result i32) (i32.const 1))
           (func (export "test:health/health#nothing"))
           (func (export "test:health/health#traps") unreachable)
           (func (export "test:health/health#spins") (loop (br 0)))"#,
    )
}

async fn asked(name: &str) -> Arc<Actor> {
    let (actor, _) = actor(engine(Codec::Direct), guest(), Links::default(), |config| {
        let interface = "test:health/health".parse().unwrap();
        let probe = Probe::Function { interface, name: name.to_owned() };
        config.ready = Some(Ready { probe, interval_ms: 1000, timeout_ms: 100, failures: 3 });
        config.limits.concurrency = 1;
        config.warm = 1;
    })
    .await;
    actor
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_answers_are_true_ok_and_nothing_at_all() {
    for name in ["yes", "good", "nothing"] {
        assert_eq!(asked(name).await.probe().await, Ok(()), "{name}");
    }
    for (name, expected) in [
        ("no", "test:health/health.no answered false"),
        ("bad", "test:health/health.bad answered err"),
        ("traps", "test:health/health.traps failed: "),
        ("spins", "test:health/health.spins failed: "),
        ("else", "test:health/health.else is not exported"),
    ] {
        let why = asked(name).await.probe().await.unwrap_err();
        assert!(why.starts_with(expected), "{why}");
    }
}

#[tokio::test]
async fn asking_takes_no_turn_and_counts_as_no_call() {
    let actor = asked("yes").await;
    actor.drain().await;
    assert_eq!(actor.probe().await, Ok(()), "no turn is left, and none is needed");
    assert_eq!(actor.stats().calls, 0);
}
