//! What breaks: a callee that hangs or dies, a NATS that goes away. Every call ends, typed and in time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wicker_lattice::call::Status;
use wicker_lattice::id::ProcessId;
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::subject;

use crate::common::{End, Hold, Holding, call, echo, on_every_server, only, until};

#[test]
fn callee_that_falls_silent_is_lost_before_the_deadline() {
    on_every_server(|server| async move {
        let Holding { callee, held, caller: _caller, .. } = Holding::start(&server, 1).await?;
        // As with SIGKILL: no answer, no farewell. The call's deadline is a minute away.
        drop(callee);
        let began = Instant::now();
        assert_eq!(only(held.await).unwrap_err().status, Status::Lost);
        assert!(began.elapsed() < Duration::from_secs(30));
        Ok(())
    });
}

#[test]
fn process_that_hears_and_never_answers_is_lost() {
    on_every_server(|server| async move {
        let caller = End::caller(&server).await?;
        // As with SIGSTOP: NATS still knows it as a subscriber.
        let frozen = ProcessId::generate();
        let deaf = caller.nats.subscribe(&subject::requests("test", frozen)).await?;
        let error = caller.rpc.remote(frozen).invoke(call("x")).await.unwrap_err();
        assert_eq!(error.status, Status::Lost);
        drop(deaf);
        Ok(())
    });
}

#[test]
fn slowcallee_that_beats_is_not_lost() {
    on_every_server(|server| async move {
        let hold = Hold::default();
        let callee = End::start(&server, hold.serve()).await?;
        let caller = End::caller(&server).await?;
        let remote = caller.rpc.remote(callee.id);
        let mut held = remote.invoke(call("held"));
        let longer_than_silence = tokio::time::sleep(wicker_lattice::rpc::SILENCE * 2);
        tokio::select! {
            reply = &mut held => panic!("ended: {reply:?}"),
            () = longer_than_silence => {}
        }
        hold.go.notify_one();
        assert_eq!(held.await?.results, "held");
        Ok(())
    });
}

#[test]
fn nats_restarted_under_load_ends_every_call_typed() {
    on_every_server(|mut server| async move {
        let Holding { hold, callee, caller, held } = Holding::start(&server, 50).await?;
        server.stop();
        // Each connection notices by itself; what is sent on one that has not yet is lost.
        while caller.call(&callee, "x").await.unwrap_err().status != Status::Unavailable {}
        server.run();
        until("both are back", || caller.nats.is_connected() && callee.nats.is_connected()).await;
        // The calls survive if the callee beats again in time, and are lost if not; none hangs.
        let results = hold.let_go(held).await;
        for result in &results {
            assert!(
                result.as_ref().is_ok_and(|reply| reply.results == "held")
                    || result.as_ref().is_err_and(|error| error.status == Status::Lost),
                "{result:?}"
            );
        }
        Ok(())
    });
}

#[test]
fn calls_work_again_after_nats_was_away() {
    on_every_server(|mut server| async move {
        let callee = End::start(&server, echo()).await?;
        let caller = End::caller(&server).await?;
        caller.call(&callee, "before").await?;
        server.stop();
        until("the caller notices", || !caller.nats.is_connected()).await;
        server.run();
        until("both are back", || caller.nats.is_connected() && callee.nats.is_connected()).await;
        assert_eq!(caller.call(&callee, "after").await?.results, "after");
        Ok(())
    });
}

#[test]
fn restarted_process_under_the_same_id_is_called_by_nobody_s_old_frames() {
    on_every_server(|server| async move {
        let hold = Hold::default();
        let callee = End::start(&server, hold.serve()).await?;
        let first = End::caller(&server).await?;
        let remote = first.rpc.remote(callee.id);
        tokio::select! {
            reply = remote.invoke(call("old")) => panic!("answered: {reply:?}"),
            () = hold.until_held(1) => {}
        }
        let (id, nats) = (first.id, first.nats.clone());
        drop(remote);
        drop(first);
        let second = Rpc::start(RpcConfig::new("test", id), &nats, echo()).await?;
        let remote = second.remote(callee.id);
        let mut new = remote.invoke(call("new"));
        tokio::select! {
            reply = &mut new => panic!("answered: {reply:?}"),
            () = hold.until_held(2) => {}
        }
        assert_eq!(hold.let_go(new).await?.results, "new");
        Ok(())
    });
}

#[test]
fn stopped_end_fails_its_own_calls() {
    on_every_server(|server| async move {
        let Holding { callee, caller, held, .. } = Holding::start(&server, 1).await?;
        let remote = caller.rpc.remote(callee.id);
        drop(caller);
        assert_eq!(only(held.await).unwrap_err().status, Status::Lost);
        let error = Arc::clone(&remote).invoke(call("x")).await.unwrap_err();
        assert_eq!(error.status, Status::Unavailable);
        Ok(())
    });
}
