//! Overload and drain: bounded, and answered at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::join_all;
use wicker_lattice::call::{Call, CallError, Reply, Status};
use wicker_lattice::rpc::{DrainError, UnderWay};

use crate::common::{
    End, Holding, Serve, call, call_with, check_chunks, chunks, on_every_server, only, until,
};

#[test]
fn calls_above_the_limit_are_overloaded_at_once() {
    on_every_server(|server| async move {
        let limit = |config: &mut wicker_lattice::rpc::RpcConfig| config.in_flight_max = 3;
        let Holding { hold, callee, caller, held } = Holding::start_with(&server, 3, limit).await?;
        let error = caller.call(&callee, "one too many").await.unwrap_err();
        assert_eq!(error.status, Status::Overloaded);
        assert_eq!(caller.rpc.load_of(callee.id), 255);
        assert!(hold.let_go(held).await.iter().all(Result::is_ok));
        Ok(())
    });
}

#[test]
fn thousand_callers_on_a_callee_limited_to_ten_are_each_answered() {
    on_every_server(|server| async move {
        let serve = |call: Call| async move {
            tokio::task::yield_now().await;
            Ok(Reply { results: call.params, streams: Vec::new() })
        };
        let limit = |config: &mut wicker_lattice::rpc::RpcConfig| config.in_flight_max = 10;
        let callee = End::start_with(&server, Arc::new(Serve(serve)), limit).await?;
        let caller = End::caller(&server).await?;
        let remote = caller.rpc.remote(callee.id);
        let results = join_all((0..1_000).map(|_| remote.invoke(call("x")))).await;
        let answered = results.iter().filter(|result| result.is_ok()).count();
        let overloaded = results
            .iter()
            .filter(|result| result.as_ref().is_err_and(|error| error.status == Status::Overloaded))
            .count();
        assert_eq!(
            answered + overloaded,
            1_000,
            "{:?}",
            results.iter().find(|result| result.is_err())
        );
        assert!(answered >= 10, "{answered} answered");
        Ok(())
    });
}

#[test]
fn call_that_holds_its_thread_delays_no_other() {
    on_every_server(|server| async move {
        let (go, gone) = std::sync::mpsc::channel();
        let (go, gone) = (Mutex::new(go), Mutex::new(gone));
        let answer = move |params: &Bytes| match &params[..] {
            b"busy" => gone.lock().unwrap().recv().unwrap(),
            _ => go.lock().unwrap().send(()).unwrap(),
        };
        let answer = Arc::new(answer);
        let serve = move |call: Call| {
            let answer = Arc::clone(&answer);
            async move {
                answer(&call.params);
                Ok(Reply { results: call.params, streams: Vec::new() })
            }
        };
        let callee = End::start(&server, Arc::new(Serve(serve))).await?;
        let caller = End::caller(&server).await?;
        // The first ends only once the second has been served.
        let calls = ["busy", "other"].map(|params| caller.call(&callee, params));
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        Ok(())
    });
}

#[test]
fn nothing_is_left_behind_by_calls_that_end_in_every_way() {
    on_every_server(|server| async move {
        let serve = |call: Call| async move {
            match call.params.first().map(|kind| kind % 4) {
                Some(0) => Ok(Reply { results: call.params, streams: call.streams }),
                Some(1) => Err(CallError::new(Status::Denied, "no")),
                Some(2) => Ok(Reply { results: vec![0; 2 << 20].into(), streams: call.streams }),
                _ => std::future::pending().await,
            }
        };
        let callee = End::start(&server, Arc::new(Serve(serve))).await?;
        let caller = End::caller(&server).await?;
        let remote = caller.rpc.remote(callee.id);
        let calls = (0..200_u8).map(|index| {
            let remote = Arc::clone(&remote);
            async move {
                let streams = (0..index % 3).map(|_| chunks(20, &Arc::default())).collect();
                let sent = call_with(vec![index], streams);
                let wait = Duration::from_millis(u64::from(index) * 10);
                match tokio::time::timeout(wait, remote.invoke(sent)).await {
                    // Some read what they get, some drop it at once or half-way.
                    Ok(Ok(mut reply)) if index % 8 < 4 => {
                        for stream in &mut reply.streams {
                            let _ = check_chunks(stream).await;
                        }
                    }
                    Ok(Ok(mut reply)) if index % 8 < 6 => {
                        if let Some(stream) = reply.streams.first_mut() {
                            stream.next().await;
                        }
                    }
                    _ => {}
                }
            }
        });
        join_all(calls).await;
        let nothing = UnderWay::default();
        until("nothing is under way", || {
            caller.rpc.under_way() == nothing && callee.rpc.under_way() == nothing
        })
        .await;
        assert_eq!(caller.rpc.outstanding(callee.id), 0);
        Ok(())
    });
}

#[test]
fn draining_process_takes_nothing_and_finishes_what_it_has() {
    on_every_server(|server| async move {
        let Holding { hold, callee, caller, held } = Holding::start(&server, 1).await?;
        let mut draining = Box::pin(callee.rpc.drain(Duration::from_secs(60)));
        tokio::select! {
            biased; // it drains before the late call is sent
            drained = &mut draining => panic!("drained: {drained:?}"),
            error = caller.call(&callee, "late") => assert_eq!(error.unwrap_err().status, Status::Draining),
        }
        hold.go.notify_one();
        assert_eq!(only(held.await)?.results, "held");
        draining.await?;
        let error = caller.call(&callee, "after").await.unwrap_err();
        assert_eq!(error.status, Status::Unavailable);
        Ok(())
    });
}

#[test]
fn no_call_vanishes_while_its_callee_drains() {
    on_every_server(|server| async move {
        let serve = |call: Call| async move {
            tokio::task::yield_now().await;
            Ok(Reply { results: call.params, streams: Vec::new() })
        };
        let callee = End::start(&server, Arc::new(Serve(serve))).await?;
        let caller = End::caller(&server).await?;
        let remote = caller.rpc.remote(callee.id);
        let answered = AtomicUsize::new(0);
        // Each calls until it learns that the callee has gone, and takes `draining` for an answer.
        let calls = (0..64).map(|_| async {
            loop {
                match remote.invoke(call("x")).await {
                    Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                    Err(error) if error.status == Status::Draining => 0,
                    Err(error) => break error.status,
                };
            }
        });
        let drain = async {
            until("calls flow", || answered.load(Ordering::Relaxed) > 500).await;
            callee.rpc.drain(Duration::from_secs(60)).await
        };
        let (ends, drained) = tokio::join!(join_all(calls), drain);
        drained?;
        assert!(ends.iter().all(|status| *status == Status::Unavailable), "{ends:?}");
        Ok(())
    });
}

#[test]
fn drain_cuts_off_what_outlasts_its_grace() {
    on_every_server(|server| async move {
        let Holding { hold, callee, caller: _caller, held } = Holding::start(&server, 1).await?;
        let grace = Duration::from_millis(100);
        let error = callee.rpc.drain(grace).await.unwrap_err();
        assert_eq!(error, DrainError { calls: 1, streams: 0, grace });
        hold.until_dropped(1).await;
        assert_eq!(only(held.await).unwrap_err().status, Status::Lost);
        Ok(())
    });
}
