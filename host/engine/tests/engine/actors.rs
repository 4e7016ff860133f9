//! Fresh and warm instances.

use bytes::Bytes;
use wicker_engine::{Actor, Codec};
use wicker_lattice::call::Invoke as _;
use wicker_lattice::link::Links;

use crate::guest::component;
use crate::harness::{actor, call, engine, eventually};

/// A guest that counts its calls in its own memory.
fn counter() -> Bytes {
    component(
        "package test:count; interface outer { next: func() -> u32; } world w { export outer; }",
        r#"(global $count (mut i32) (i32.const 0))
           (func (export "test:count/outer#next") (result i32)
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                (global.get $count))"#,
    )
}

async fn next(actor: &Actor) -> u8 {
    let call = call(actor, "test:count/outer", "next", Bytes::new());
    actor.invoke(call).await.unwrap().results[0]
}

#[tokio::test]
async fn calls_share_nothing_unless_the_actor_is_warm() {
    let (fresh, _) = actor(engine(Codec::Direct), counter(), Links::default(), |_| {}).await;
    assert_eq!([next(&fresh).await, next(&fresh).await], [1, 1]);
    let (warm, _) =
        actor(engine(Codec::Direct), counter(), Links::default(), |config| config.warm = 1).await;
    assert_eq!([next(&warm).await, next(&warm).await], [1, 2]);
    assert_eq!(warm.stats().calls, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_each_have_an_instance_of_their_own() {
    let (actor, _) = actor(engine(Codec::Direct), counter(), Links::default(), |config| {
        config.limits.concurrency = 20;
        config.limits.queue = 1000;
    })
    .await;
    let answers = futures::future::join_all((0..1000).map(|_| next(&actor))).await;
    assert!(answers.iter().all(|answer| *answer == 1));
}

#[tokio::test]
async fn actor_that_is_not_called_keeps_no_instance() {
    let (actor, _) = actor(engine(Codec::Direct), counter(), Links::default(), |config| {
        config.warm = 4;
        config.idle = std::time::Duration::from_millis(50);
    })
    .await;
    for _ in 0..2 {
        assert_eq!(next(&actor).await, 1);
        assert!(actor.stats().warm <= 1);
        eventually("nothing is kept", || actor.stats().warm == 0).await;
    }
}
