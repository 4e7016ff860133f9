//! What a caller may rely on of the handles that its callee keeps something for.

use std::sync::atomic::Ordering;

use futures::future::join_all;
use wicker_lattice::call::Status;
use wicker_lattice::value::{Handle, PinnedHandle};

use crate::places::{Place, until};
use crate::trial;

/// Longer than any test.
const LONG: u32 = 600_000;

/// Handles that are open at once while they are counted: fewer than a provider keeps.
const BATCH: usize = 1_000;

async fn open(trial: &trial::Client) -> Handle {
    trial.open(LONG).await.unwrap().unwrap().0
}

async fn is_gone(trial: &trial::Client, handle: &Handle) -> bool {
    match trial.locker_put(handle, 1).await {
        Err(error) => error.status == Status::Gone,
        Ok(_) => false,
    }
}

async fn drop_all(place: &Place, handles: Vec<Handle>) {
    place.client.release(&trial::name().key(), handles).await.unwrap();
}

pub(crate) async fn pinned_handle_keeps_what_it_stands_for(place: &Place) {
    let trial = place.trial();
    let (one, other) = (open(&trial).await, open(&trial).await);
    for n in 1..=10 {
        trial.locker_put(&one, n).await.unwrap();
    }
    assert_eq!(trial.locker_put(&other, 3).await, Ok(3));
    assert_eq!(trial.close(one).await, Ok(55));
    assert_eq!(trial.close(other).await, Ok(3));
}

pub(crate) async fn forged_foreign_and_spent_handles_are_refused(place: &Place) {
    let trial = place.trial();
    let handle = open(&trial).await;
    let Handle::Pinned(pinned) = handle.clone() else { panic!("it is kept: {handle:?}") };
    let forged = Handle::Pinned(PinnedHandle { nonce: [7; 16], ..pinned });
    assert!(is_gone(&trial, &forged).await);
    let stranger = place.trial_of("default/laws/stranger");
    assert!(is_gone(&stranger, &handle).await);
    assert_eq!(stranger.close(handle.clone()).await.unwrap_err().status, Status::Gone);
    // A handle whose kind the function does not expect is no handle of its.
    let error = trial.locker_put(&Handle::stateless("x"), 1).await.unwrap_err();
    assert_eq!(error.status, Status::BadFrame);
    assert_eq!(trial.locker_put(&handle, 5).await, Ok(5));
    assert_eq!(trial.close(handle.clone()).await, Ok(5));
    assert!(is_gone(&trial, &handle).await);
}

pub(crate) async fn dropped_handle_ends_what_it_stands_for(place: &Place) {
    let closed = place.seen.closed.load(Ordering::SeqCst);
    let trial = place.trial();
    let (one, other) = (open(&trial).await, open(&trial).await);
    drop_all(place, vec![one.clone(), Handle::stateless("nothing")]).await;
    assert_eq!(place.seen.closed.load(Ordering::SeqCst), closed + 1);
    assert!(is_gone(&trial, &one).await);
    drop_all(place, vec![one, other]).await;
    assert_eq!(place.seen.closed.load(Ordering::SeqCst), closed + 2);
}

pub(crate) async fn handle_left_alone_expires(place: &Place) {
    let closed = place.seen.closed.load(Ordering::SeqCst);
    let trial = place.trial();
    let handle = trial.open(50).await.unwrap().unwrap().0;
    until(|| place.seen.closed.load(Ordering::SeqCst) > closed).await;
    assert!(is_gone(&trial, &handle).await);
}

pub(crate) async fn nothing_leaks_however_many_handles_come_and_go(place: &Place) {
    let trial = place.trial();
    for _ in 0..place.cycles / BATCH {
        let handles = join_all((0..BATCH).map(|_| open(&trial))).await;
        drop_all(place, handles).await;
    }
    let count = |of: &std::sync::atomic::AtomicUsize| of.load(Ordering::SeqCst);
    assert_eq!(count(&place.seen.opened), count(&place.seen.closed));
}
