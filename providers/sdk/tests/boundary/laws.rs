//! What a caller may rely on, wherever its callee is.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt as _, poll};
use wicker_lattice::call::{Class, Status};
use wicker_lattice::types::TypeHash;
use wicker_lattice::value::Writer;
use wicker_provider::Stream;
use wicker_provider::client::Callee;

use crate::places::{CHUNK, Place, until};
use crate::trial::{self, Letter};

fn letter(count: i64) -> Letter {
    Letter { title: "Straße".to_owned(), count, page: vec![9; 3_000].into(), mark: Some('∎') }
}

pub(crate) async fn values_come_back_as_they_were(place: &Place) {
    let trial = place.trial();
    for count in [0, -1, i64::MIN, i64::MAX] {
        assert_eq!(trial.echo(letter(count)).await.unwrap(), letter(count));
    }
    let large = Letter { page: vec![3; 4 << 20].into(), mark: None, ..letter(1) };
    assert_eq!(trial.echo(large.clone()).await.unwrap(), large);
}

pub(crate) async fn failures_keep_their_class(place: &Place) {
    let trial = place.trial();
    assert_eq!(trial.refuse("no".to_owned()).await.unwrap(), Err("no".to_owned()));
    let error = trial.break_down().await.unwrap_err();
    assert_eq!((error.status, error.class()), (Status::Trapped, Class::Executed));
    assert!(!error.message.contains("broken"), "{error}");
}

pub(crate) async fn signature_that_differs_is_refused(place: &Place) {
    let interface = trial::name().key();
    let call = async |function, type_hash| {
        let callee = Callee { interface: &interface, function, type_hash };
        let error = place.client.call::<()>(callee, Writer::new()).await.unwrap_err();
        assert_eq!(error.class(), Class::NotExecuted);
        error.status
    };
    assert_eq!(call("echo", TypeHash([0; 8])).await, Status::TypeMismatch);
    assert_eq!(call("sing", TypeHash([0; 8])).await, Status::NotFound);
}

pub(crate) async fn deadline_ends_a_call(place: &Place) {
    let before = place.seen.dropped.load(Ordering::SeqCst);
    let hasty = place.client.clone().with_timeout(Duration::from_millis(300));
    let error = trial::Client::new(hasty).hold().await.unwrap_err();
    assert_eq!((error.status, error.class()), (Status::Deadline, Class::MaybeExecuted));
    until(|| place.seen.dropped.load(Ordering::SeqCst) > before).await;
}

pub(crate) async fn dropped_call_is_dropped_at_its_callee(place: &Place) {
    let (held, dropped) =
        (place.seen.held.load(Ordering::SeqCst), place.seen.dropped.load(Ordering::SeqCst));
    let trial = place.trial();
    tokio::select! {
        ended = trial.hold() => panic!("ended: {ended:?}"),
        () = until(|| place.seen.held.load(Ordering::SeqCst) > held) => {}
    }
    until(|| place.seen.dropped.load(Ordering::SeqCst) > dropped).await;
}

pub(crate) async fn many_calls_at_once_are_each_answered(place: &Place) {
    let trial = place.trial();
    let letters = join_all((0..200).map(|count| trial.echo(letter(count)))).await;
    for (count, letter) in (0..).zip(letters) {
        assert_eq!(letter.unwrap().count, count);
    }
}

pub(crate) async fn streams_flow_both_ways(place: &Place) {
    for chunks in [0, 1, 100] {
        let sent = futures::stream::iter((0..chunks).map(|at| Ok(Bytes::from(vec![at; CHUNK]))));
        let mut back = place.trial().pipe(Stream::new(sent)).await.unwrap().into_chunks();
        let mut received = Vec::new();
        while let Some(chunk) = back.next().await {
            received.extend_from_slice(&chunk.unwrap());
        }
        let expected: Vec<u8> = (0..chunks).flat_map(|at| vec![at; CHUNK]).collect();
        assert!(received == expected, "{} bytes of {}", received.len(), expected.len());
    }
}

pub(crate) async fn writer_waits_for_its_reader(place: &Place) {
    place.seen.poured.store(0, Ordering::SeqCst);
    let mut stream = place.trial().pour(1_000).await.unwrap().into_chunks();
    stream.next().await.unwrap().unwrap();
    // Calls go on beside it, and show that it has had time to run ahead.
    many_calls_at_once_are_each_answered(place).await;
    let poured = place.seen.poured.load(Ordering::SeqCst);
    assert!(poured <= 64, "{poured} chunks of which one was read");
    let mut len = 0;
    while let Some(chunk) = stream.next().await {
        len += chunk.unwrap().len();
    }
    assert!(len > 900 * CHUNK, "{len}");
    assert_eq!(place.seen.poured.load(Ordering::SeqCst), 1_000);
}

pub(crate) async fn dropped_reader_stops_its_writer(place: &Place) {
    let before = place.seen.pours_dropped.load(Ordering::SeqCst);
    let mut stream = place.trial().pour(u32::MAX).await.unwrap().into_chunks();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    until(|| place.seen.pours_dropped.load(Ordering::SeqCst) > before).await;
}

pub(crate) async fn stream_that_breaks_off_says_why(place: &Place) {
    let mut stream = place.trial().tear().await.unwrap().into_chunks();
    assert_eq!(stream.next().await.unwrap().unwrap(), "beginning");
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("torn"), "{error}");
    assert!(stream.next().await.is_none());
}

pub(crate) async fn drain_finishes_what_runs_and_takes_no_more(place: &Place) {
    let held = place.seen.held.load(Ordering::SeqCst);
    let trial = place.trial();
    let mut holding = pin!(trial.hold());
    tokio::select! {
        ended = &mut holding => panic!("ended: {ended:?}"),
        () = until(|| place.seen.held.load(Ordering::SeqCst) > held) => {}
    }
    let mut draining = pin!(place.drain());
    assert!(poll!(&mut draining).is_pending());
    place.seen.go.notify_one();
    let (held, ()) = tokio::join!(holding, draining);
    held.unwrap();
    let error = trial.echo(letter(1)).await.unwrap_err();
    assert!(matches!(error.status, Status::Draining | Status::Unavailable), "{error}");
}
