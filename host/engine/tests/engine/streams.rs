//! `stream<u8>` through a guest, in constant memory, and what ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use wicker_engine::Codec;
use wicker_lattice::call::{ByteStream, Invoke as _, StreamError};

use crate::guest::passthrough;
use crate::harness::{actor, call, echo, engine, eventually, links};

const CHUNK: usize = 64 << 10;

/// A guest that hands on a stream with a name beside it.
fn guest() -> Bytes {
    passthrough(
        "",
        "pass: async func(name: string, body: stream<u8>) -> tuple<string, stream<u8>>;",
    )
}

/// Name `a`, and the stream with index 0.
const PARAMS: &[u8] = b"\x01a\x00";

/// `count` chunks; `pulled` counts those that were asked for.
fn chunks(count: usize, pulled: &Arc<AtomicUsize>) -> ByteStream {
    let pulled = Arc::clone(pulled);
    ByteStream::new(stream::iter(0..count).map(move |n| {
        pulled.fetch_add(1, Ordering::Relaxed);
        Ok(Bytes::from(vec![n as u8; CHUNK]))
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_passes_through_a_guest_whole_and_no_faster_than_it_is_read() {
    for codec in [Codec::Direct, Codec::Val] {
        let inner = links(&["test:echo/inner"], echo());
        let (actor, _) = actor(engine(codec), guest(), inner, |_| {}).await;
        let pulled = Arc::new(AtomicUsize::new(0));
        let mut call = call(&actor, "test:echo/outer", "pass", Bytes::from_static(PARAMS));
        call.streams.push(chunks(200, &pulled));
        let mut reply = actor.invoke(call).await.unwrap();
        assert_eq!(reply.results, PARAMS);
        let mut body = reply.streams.pop().unwrap();
        let mut read = 0;
        while let Some(chunk) = body.next().await {
            read += chunk.unwrap().len();
            // Two hops of a few chunks each lie between writer and reader.
            assert!(pulled.load(Ordering::Relaxed) * CHUNK < read + 40 * CHUNK);
        }
        assert_eq!(read, 200 * CHUNK);
        eventually("the instance ends", || actor.stats().running == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_leaves_stops_the_writer() {
    let inner = links(&["test:echo/inner"], echo());
    let (actor, _) = actor(engine(Codec::Direct), guest(), inner, |_| {}).await;
    let pulled = Arc::new(AtomicUsize::new(0));
    let mut call = call(&actor, "test:echo/outer", "pass", Bytes::from_static(PARAMS));
    call.streams.push(chunks(usize::MAX, &pulled));
    let mut reply = actor.invoke(call).await.unwrap();
    assert!(reply.streams[0].next().await.unwrap().is_ok());
    drop(reply);
    eventually("the instance ends", || actor.stats().running == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_is_not_taken_for_one_that_ended() {
    let inner = links(&["test:echo/inner"], echo());
    let (actor, _) = actor(engine(Codec::Direct), guest(), inner, |_| {}).await;
    let mut call = call(&actor, "test:echo/outer", "pass", Bytes::from_static(PARAMS));
    let broken = [Ok(Bytes::from_static(b"abc")), Err(StreamError::Lost("gone".into()))];
    call.streams.push(ByteStream::new(stream::iter(broken)));
    let mut reply = actor.invoke(call).await.unwrap();
    let body = reply.streams.pop().unwrap();
    // What was under way may be lost with it.
    let read: Vec<_> = body.collect().await;
    assert!(matches!(read.last(), Some(Err(StreamError::Lost(_)))), "{read:?}");
}
