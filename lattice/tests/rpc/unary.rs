//! Calls of one message there and one back, and the ways in which they fail.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use tokio::time::Instant;
use wicker_lattice::call::{Call, CallError, Class, Reply, Status, TraceContext};
use wicker_lattice::id::ProcessId;
use wicker_lattice::nats::{Drive, Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::testing::NatsServer;

use crate::common::{End, Hold, Serve, call, echo, on_every_server, until};

#[test]
fn call_reaches_its_callee_whole_and_its_reply_comes_back() {
    on_every_server(|server| async move {
        let seen = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&seen);
        let callee = End::start(
            &server,
            Arc::new(Serve(move |call: Call| {
                let keep = Arc::clone(&keep);
                async move {
                    let results = call.params.clone();
                    *keep.lock().unwrap() = Some(call);
                    Ok(Reply { results, streams: Vec::new() })
                }
            })),
        )
        .await?;
        let caller = End::caller(&server).await?;
        let trace = Some(TraceContext { trace_id: [7; 16], span_id: [8; 8], flags: 1 });
        let sent = Call { trace, ..call("hello") };
        let (id, link) = (sent.id, sent.link.clone());
        let reply = caller.send(&callee, sent).await?;
        assert_eq!(reply.results, "hello");
        assert!(reply.streams.is_empty());

        let seen = seen.lock().unwrap().take().unwrap();
        let expected = call("hello");
        assert_eq!(seen.id, id);
        assert_eq!(seen.link, link);
        assert_eq!(seen.target, expected.target);
        assert_eq!(seen.source, expected.source);
        assert_eq!(seen.interface, expected.interface);
        assert_eq!(seen.function, expected.function);
        assert_eq!(seen.type_hash, expected.type_hash);
        assert_eq!(seen.trace, trace);
        assert_eq!(seen.params, "hello");
        Ok(())
    });
}

#[test]
fn unary_call_is_two_messages() {
    on_every_server(|server| async move {
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, echo()).await?);
        caller.call(&callee, "warm").await?;
        let before = messages(&server)?;
        for _ in 0..500 {
            caller.call(&callee, "x").await?;
        }
        // A beat of a call that met a pause of the machine is no message of a call.
        let used = messages(&server)? - before;
        assert!((1_000..1_010).contains(&used), "{used} messages for 500 calls");
        Ok(())
    });
}

/// Messages that clients have published, by the server's own count.
fn messages(server: &NatsServer) -> anyhow::Result<u64> {
    let text = server.statistics("varz").ok_or_else(|| anyhow::anyhow!("no statistics"))?;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    json.get("in_msgs")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| anyhow::anyhow!("no in_msgs in {text}"))
}

#[test]
fn calls_flow_whatever_drives_the_connections() {
    on_every_server(|server| async move {
        let start = async || {
            let config = NatsConfig { drive: Drive::Runtime, ..NatsConfig::at(server.url()) };
            let nats = Nats::connect(config).await?;
            let id = ProcessId::generate();
            anyhow::Ok((id, Rpc::start(RpcConfig::new("test", id), &nats, echo()).await?))
        };
        let ((_, caller), (id, _callee)) = (start().await?, start().await?);
        assert_eq!(caller.remote(id).invoke(call("x")).await?.results, "x");
        Ok(())
    });
}

#[test]
fn nobody_there_is_unavailable_and_was_not_executed() {
    on_every_server(|server| async move {
        let caller = End::caller(&server).await?;
        let error = caller.rpc.remote(ProcessId::generate()).invoke(call("x")).await.unwrap_err();
        assert_eq!(error.status, Status::Unavailable);
        assert_eq!(error.class(), Class::NotExecuted);
        Ok(())
    });
}

#[test]
fn callee_s_error_arrives_as_it_is() {
    on_every_server(|server| async move {
        let refuse = |_| async { Err(CallError::new(Status::TypeMismatch, "signatures differ")) };
        let callee = End::start(&server, Arc::new(Serve(refuse))).await?;
        let error = End::caller(&server).await?.call(&callee, "x").await.unwrap_err();
        assert_eq!(error, CallError::new(Status::TypeMismatch, "signatures differ"));
        Ok(())
    });
}

#[test]
fn panic_of_a_callee_is_trapped_and_it_goes_on_serving() {
    on_every_server(|server| async move {
        let serve = |call: Call| async move {
            assert_ne!(call.params, Bytes::from("panic"), "as asked");
            Ok(Reply { results: call.params, streams: Vec::new() })
        };
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, Arc::new(Serve(serve))).await?);
        let error = caller.call(&callee, "panic").await.unwrap_err();
        assert_eq!(error.status, Status::Trapped);
        assert!(!error.message.contains("as asked"), "{error}");
        assert_eq!(caller.call(&callee, "fine").await?.results, "fine");
        Ok(())
    });
}

#[test]
fn deadline_reaches_the_callee() {
    on_every_server(|server| async move {
        let hold = Hold::default();
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, hold.serve()).await?);
        let deadline = Instant::now() + Duration::from_millis(300);
        let error = caller.send(&callee, Call { deadline, ..call("x") }).await.unwrap_err();
        assert_eq!(error.status, Status::Deadline);
        hold.until_dropped(1).await;
        until("nothing is in flight", || callee.rpc.in_flight() == 0).await;
        assert_eq!(caller.rpc.outstanding(callee.id), 0);
        Ok(())
    });
}

#[test]
fn callee_inherits_what_is_left_of_the_deadline() {
    on_every_server(|server| async move {
        let serve = |call: Call| async move {
            let left = call.deadline.saturating_duration_since(Instant::now());
            Ok(Reply { results: left.as_millis().to_string().into(), streams: Vec::new() })
        };
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, Arc::new(Serve(serve))).await?);
        let deadline = Instant::now() + Duration::from_secs(20);
        let reply = caller.send(&callee, Call { deadline, ..call("x") }).await?;
        let left: u64 = std::str::from_utf8(&reply.results)?.parse()?;
        assert!((1..=20_000).contains(&left), "{left} ms");
        Ok(())
    });
}

#[test]
fn deadline_that_has_passed_sends_nothing() {
    on_every_server(|server| async move {
        let hold = Hold::default();
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, hold.serve()).await?);
        let error =
            caller.send(&callee, Call { deadline: Instant::now(), ..call("x") }).await.unwrap_err();
        assert_eq!(error.status, Status::Deadline);
        assert_eq!(hold.held.load(Ordering::SeqCst), 0);
        Ok(())
    });
}

#[test]
fn dropped_call_is_cancelled_at_the_callee() {
    on_every_server(|server| async move {
        let hold = Hold::default();
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, hold.serve()).await?);
        let remote = caller.rpc.remote(callee.id);
        tokio::select! {
            reply = remote.invoke(call("x")) => panic!("answered: {reply:?}"),
            () = hold.until_held(1) => {}
        }
        hold.until_dropped(1).await;
        until("nothing is in flight", || callee.rpc.in_flight() == 0).await;
        assert_eq!(caller.rpc.outstanding(callee.id), 0);
        Ok(())
    });
}

#[test]
fn calls_that_are_dropped_at_once_leave_nothing_behind() {
    on_every_server(|server| async move {
        let hold = Hold::default();
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, hold.serve()).await?);
        let remote = caller.rpc.remote(callee.id);
        for _ in 0..200 {
            // Polled once, so that the request and its cancel leave back to back.
            assert!(remote.invoke(call("x")).now_or_never().is_none());
        }
        drop(hold.go.notified());
        until("nothing is in flight", || callee.rpc.in_flight() == 0).await;
        until("what was held is dropped", || {
            hold.held.load(Ordering::SeqCst) == hold.dropped.load(Ordering::SeqCst)
        })
        .await;
        assert_eq!(caller.rpc.outstanding(callee.id), 0);
        Ok(())
    });
}

#[test]
fn load_of_a_process_travels_with_its_replies() {
    on_every_server(|server| async move {
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, echo()).await?);
        assert_eq!(caller.rpc.load_of(callee.id), 0);
        callee.rpc.report_load(201);
        caller.call(&callee, "x").await?;
        assert_eq!(caller.rpc.load_of(callee.id), 201);
        Ok(())
    });
}
