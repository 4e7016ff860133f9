//! Guests that break their limits, beside one that must not notice.

use std::time::Duration;

use http_body_util::BodyExt as _;
use wicker_lattice::call::Status;
use wicker_lattice::link::Links;

use crate::support::{Stage, eventually, stage, stage_with};

/// Of guests that use all of it.
const SHORT: Duration = Duration::from_secs(2);

/// Of guests that must fail for another reason, however slow the machine is.
const LONG: Duration = Duration::from_secs(60);

async fn misbehaving(guest: &str, deadline: Duration) -> Stage {
    stage_with(guest, Links::default(), |config| {
        config.limits.deadline = deadline;
        config.limits.memory_bytes = 32 << 20;
    })
    .await
}

async fn fails(guest: &str, path: &str, status: Status, why: &str) {
    let deadline = if status == Status::Deadline { SHORT } else { LONG };
    let stage = misbehaving(guest, deadline).await;
    let error = stage.get(path).await.unwrap_err();
    assert_eq!(error.status, status, "{guest}{path}: {error}");
    assert!(error.message.contains(why), "{guest}{path}: {error}");
    eventually("it has ended", || stage.actor.stats().running == 0).await;
}

#[tokio::test]
async fn a_trap_is_typed_and_explained_in_the_log() {
    let stage = misbehaving("http-misbehave", LONG).await;
    assert_eq!(stage.get("/trap").await.unwrap_err().status, Status::Trapped);
    assert_eq!(stage.log.count("asked to"), 1);
    assert_eq!(stage.log.count("call failed"), 1);
    fails("http-async", "/trap", Status::Trapped, "").await;
}

#[tokio::test]
async fn a_guest_that_does_not_answer_ends_at_its_deadline() {
    for path in ["/spin", "/sleep"] {
        fails("http-misbehave", path, Status::Deadline, "in time").await;
        fails("http-async", path, Status::Deadline, "in time").await;
    }
}

#[tokio::test]
async fn a_guest_that_takes_too_much_memory_or_stack_traps() {
    fails("http-misbehave", "/allocate", Status::Trapped, "32 MiB").await;
    fails("http-misbehave", "/recurse", Status::Trapped, "stack").await;
}

#[tokio::test]
async fn a_guest_that_ends_without_a_response_is_an_error() {
    fails("http-misbehave", "/no-response", Status::Trapped, "without a response").await;
}

#[tokio::test]
async fn what_fails_after_the_head_ends_the_body_with_an_error() {
    let stage = misbehaving("http-misbehave", SHORT).await;
    let mut body = stage.get("/spin-after-head").await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("computed"), "{error}");
    assert!(body.frame().await.is_none());
    assert_eq!(stage.actor.stats().running, 0);
    // Nothing of it was sent yet, so this one can still be a proper error.
    assert_eq!(stage.get("/trap-after-head").await.unwrap_err().status, Status::Trapped);
}

#[tokio::test]
async fn a_response_that_streams_may_be_silent_for_longer_than_the_deadline() {
    let stage = misbehaving("http-misbehave", SHORT).await;
    assert_eq!(stage.text("/pause-after-head").await, "first and last");
    let stage = misbehaving("http-async", SHORT).await;
    assert_eq!(stage.text("/pause-after-head").await, "Hello from an async component!\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_notice_nothing() {
    let bad = misbehaving("http-misbehave", SHORT).await;
    let good = stage("http-hello").await;
    let misbehave = async {
        for _ in 0..2 {
            let paths = ["/trap", "/spin", "/allocate", "/recurse", "/no-response", "/sleep"];
            let all = futures::future::join_all(paths.iter().map(|path| bad.get(path))).await;
            assert!(all.iter().all(Result::is_err));
        }
    };
    let behave = async {
        let mut answered = 0;
        while answered < 200 {
            assert_eq!(good.text("/").await, "Hello from a component!\n");
            answered += 1;
            tokio::task::yield_now().await;
        }
    };
    futures::future::join(misbehave, behave).await;
    assert_eq!(good.actor.stats().failures, 0);
}
