//! Streams: in order, under credits, with an end that is always told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use wicker_lattice::call::{ByteStream, Call, Reply, StreamError};

use crate::common::{
    CHUNK, End, Serve, call_with, check_chunks, check_chunks_from, chunks, echo, later,
    on_every_server, until,
};

/// 100 MB in chunks of 64 KiB.
const HUNDRED_MB: usize = 100_000_000 / CHUNK;

/// What a stream may hold anywhere between its writer and its reader, in chunks: the reader's window, what is on its way
/// to the window's end, and what the writer holds.
const IN_BETWEEN: usize = (4 << 20) / CHUNK;

/// A callee that reads its first parameter stream and answers with the number of bytes.
fn count() -> Arc<dyn wicker_lattice::call::Invoke> {
    Arc::new(Serve(|mut call: Call| async move {
        let mut stream = call.streams.pop().unwrap();
        let read = check_chunks(&mut stream).await;
        let text = read.map_or_else(|error| error.to_string(), |bytes| bytes.to_string());
        Ok(Reply { results: text.into(), streams: Vec::new() })
    }))
}

/// A callee that answers with a stream of so many chunks.
fn write(count: usize, taken: &Arc<AtomicUsize>) -> Arc<dyn wicker_lattice::call::Invoke> {
    let taken = Arc::clone(taken);
    Arc::new(Serve(move |_| {
        let streams = vec![chunks(count, &taken)];
        async { Ok(Reply { results: Bytes::new(), streams }) }
    }))
}

#[test]
fn hundred_megabytes_arrive_at_the_callee() {
    on_every_server(|server| async move {
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, count()).await?);
        let sent = call_with("", vec![chunks(HUNDRED_MB, &Arc::default())]);
        let reply = caller.send(&callee, sent).await?;
        assert_eq!(reply.results, (HUNDRED_MB * CHUNK).to_string());
        Ok(())
    });
}

#[test]
fn hundred_megabytes_arrive_at_the_caller() {
    on_every_server(|server| async move {
        let callee = End::start(&server, write(HUNDRED_MB, &Arc::default())).await?;
        let caller = End::caller(&server).await?;
        let mut reply = caller.call(&callee, "").await?;
        assert_eq!(check_chunks(&mut reply.streams.pop().unwrap()).await?, HUNDRED_MB * CHUNK);
        Ok(())
    });
}

#[test]
fn stream_of_an_end_that_stopped_is_lost() {
    on_every_server(|server| async move {
        let callee = End::start(&server, write(HUNDRED_MB, &Arc::default())).await?;
        let caller = End::caller(&server).await?;
        let mut stream = caller.call(&callee, "").await?.streams.pop().unwrap();
        drop(caller);
        let end = check_chunks(&mut stream).await;
        assert!(matches!(end, Err(StreamError::Lost(_))), "{end:?}");
        Ok(())
    });
}

#[test]
fn writer_runs_ahead_of_its_reader_by_a_window_at_most() {
    on_every_server(|server| async move {
        let taken = Arc::new(AtomicUsize::new(0));
        let callee = End::start(&server, write(HUNDRED_MB, &taken)).await?;
        let caller = End::caller(&server).await?;
        let mut stream = caller.call(&callee, "").await?.streams.pop().unwrap();
        let (mut read, mut most) = (0, 0);
        while let Some(bytes) = stream.next().await {
            read += bytes?.len();
            most = most.max(taken.load(Ordering::SeqCst).saturating_sub(read / CHUNK));
        }
        assert_eq!(read, HUNDRED_MB * CHUNK);
        assert!(most <= IN_BETWEEN, "{most} chunks of 64 KiB in between");
        Ok(())
    });
}

#[test]
fn slow_reader_stalls_only_its_own_stream() {
    on_every_server(|server| async move {
        let taken = Arc::new(AtomicUsize::new(0));
        let callee = End::start(&server, write(HUNDRED_MB, &taken)).await?;
        let caller = End::caller(&server).await?;
        let unread = caller.call(&callee, "").await?.streams.pop().unwrap();
        until("the writer has used its credit", || taken.load(Ordering::SeqCst) > 0).await;
        for _ in 0..20 {
            let mut reply = caller.call(&callee, "").await?;
            let mut stream = reply.streams.pop().unwrap();
            let first = stream.next().await.unwrap()?;
            assert!(!first.is_empty());
        }
        let mut other = caller.call(&callee, "").await?.streams.pop().unwrap();
        assert_eq!(check_chunks(&mut other).await?, HUNDRED_MB * CHUNK);
        drop(unread);
        Ok(())
    });
}

#[test]
fn idle_stream_outlives_the_silence_that_ends_a_lost_one() {
    on_every_server(|server| async move {
        let (go, gone) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (held, ended) = (Arc::clone(&go), Arc::clone(&gone));
        let serve = move |_| {
            let (held, ended) = (Arc::clone(&held), Arc::clone(&ended));
            let last = futures::stream::once(async move {
                held.notified().await;
                ended.fetch_add(1, Ordering::SeqCst);
                Ok(Bytes::from("at last"))
            });
            async { Ok(Reply { results: Bytes::new(), streams: vec![ByteStream::new(last)] }) }
        };
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, Arc::new(Serve(serve))).await?);
        let mut stream = caller.call(&callee, "").await?.streams.pop().unwrap();
        tokio::select! {
            item = stream.next() => panic!("{item:?}"),
            () = tokio::time::sleep(wicker_lattice::rpc::SILENCE * 2) => {}
        }
        go.notify_one();
        assert_eq!(stream.next().await, Some(Ok(Bytes::from("at last"))));
        assert_eq!(stream.next().await, None);
        Ok(())
    });
}

#[test]
fn dropped_reader_stops_its_writer() {
    on_every_server(|server| async move {
        let dropped = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&dropped);
        let serve = move |_| {
            let streams = vec![endless(&counter)];
            async { Ok(Reply { results: Bytes::new(), streams }) }
        };
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, Arc::new(Serve(serve))).await?);
        let mut stream = caller.call(&callee, "").await?.streams.pop().unwrap();
        stream.next().await.unwrap()?;
        drop(stream);
        until("the writer is dropped", || dropped.load(Ordering::SeqCst) == 1).await;
        // And so does a reply that nobody takes.
        let reply = caller.call(&callee, "").await?;
        drop(reply);
        until("the writer is dropped", || dropped.load(Ordering::SeqCst) == 2).await;
        Ok(())
    });
}

#[test]
fn callee_that_ignores_a_stream_stops_the_caller_s_writer() {
    on_every_server(|server| async move {
        let serve = |call: Call| async move {
            drop(call.streams);
            Ok(Reply { results: call.params, streams: Vec::new() })
        };
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, Arc::new(Serve(serve))).await?);
        let dropped = Arc::new(AtomicUsize::new(0));
        let reply = caller.send(&callee, call_with("x", vec![endless(&dropped)])).await?;
        assert_eq!(reply.results, "x");
        until("the writer is dropped", || dropped.load(Ordering::SeqCst) == 1).await;
        Ok(())
    });
}

#[test]
fn writer_that_gives_up_tells_its_reader_why() {
    on_every_server(|server| async move {
        let serve = |_| async {
            let failing = later(futures::stream::iter([
                Ok(Bytes::from("some")),
                Err(StreamError::Aborted("the disk is full".to_owned())),
            ]));
            Ok(Reply { results: Bytes::new(), streams: vec![failing] })
        };
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, Arc::new(Serve(serve))).await?);
        let mut stream = caller.call(&callee, "").await?.streams.pop().unwrap();
        assert_eq!(stream.next().await, Some(Ok(Bytes::from("some"))));
        match stream.next().await {
            Some(Err(StreamError::Aborted(why))) => {
                assert!(why.contains("the disk is full"), "{why}")
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(stream.next().await, None);
        Ok(())
    });
}

#[test]
fn stream_of_a_writer_that_dies_is_lost() {
    on_every_server(|server| async move {
        let dropped = Arc::new(AtomicUsize::new(0));
        let serve = move |_| {
            let streams = vec![endless(&dropped)];
            async { Ok(Reply { results: Bytes::new(), streams }) }
        };
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, Arc::new(Serve(serve))).await?);
        let mut stream = caller.call(&callee, "").await?.streams.pop().unwrap();
        stream.next().await.unwrap()?;
        drop(callee);
        let end = loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                end => break end,
            }
        };
        assert!(matches!(end, Some(Err(StreamError::Lost(_)))), "{end:?}");
        Ok(())
    });
}

#[test]
fn stream_cut_by_a_nats_restart_is_lost_and_never_resumes_with_a_gap() {
    on_every_server(|mut server| async move {
        let callee = End::start(&server, write(HUNDRED_MB, &Arc::default())).await?;
        let caller = End::caller(&server).await?;
        let mut stream = caller.call(&callee, "").await?.streams.pop().unwrap();
        let first = stream.next().await.unwrap()?.len();
        server.stop();
        server.run();
        until("both are back", || caller.nats.is_connected() && callee.nats.is_connected()).await;
        // Whole if nothing of it was on its way just then, lost otherwise; checked to be gapless as far as it goes.
        let end = check_chunks_from(first, &mut stream).await;
        assert!(matches!(end, Ok(_) | Err(StreamError::Lost(_))), "{end:?}");
        Ok(())
    });
}

#[test]
fn small_streams_travel_within_the_two_messages_of_their_call() {
    on_every_server(|server| async move {
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, echo()).await?);
        let body = Bytes::from(vec![7; 20_000]);
        let sent = call_with("head", vec![ByteStream::from_bytes(body.clone())]);
        let mut reply = caller.send(&callee, sent).await?;
        assert_eq!(reply.results, "head");
        assert_eq!(reply.streams.pop().unwrap().next().await, Some(Ok(body)));
        Ok(())
    });
}

#[test]
fn both_ways_at_once_through_one_call() {
    on_every_server(|server| async move {
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, echo()).await?);
        let sent = call_with("", vec![chunks(300, &Arc::default())]);
        let mut reply = caller.send(&callee, sent).await?;
        let mut stream = reply.streams.pop().unwrap();
        let read = check_chunks(&mut stream);
        assert_eq!(tokio::time::timeout(Duration::from_secs(60), read).await??, 300 * CHUNK);
        Ok(())
    });
}

/// A stream without end, which counts when it is dropped.
fn endless(dropped: &Arc<AtomicUsize>) -> ByteStream {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let count = Count(Arc::clone(dropped));
    later(futures::stream::repeat_with(move || {
        let _ = &count;
        Ok(Bytes::from_static(&[1; 4096]))
    }))
}
