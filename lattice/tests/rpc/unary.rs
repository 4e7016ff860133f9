//! Calls of one message there and one back, and the ways in which they fail.

use crate::common::{End, call, echo, on_every_server};
use wicker_lattice::call::Status;
use wicker_lattice::id::ProcessId;

#[test]
fn call_reaches_its_callee_whole_and_its_reply_comes_back() {
    on_every_server(|server| async move {
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, echo()).await?);
        let reply = caller.call(&callee, "hello").await?;
        assert_eq!(reply.results, "hello");
        assert!(reply.streams.is_empty());
        Ok(())
    });
}

#[test]
fn nobody_there_is_unavailable_at_once() {
    on_every_server(|server| async move {
        let caller = End::caller(&server).await?;
        let error = caller.rpc.remote(ProcessId::generate()).invoke(call("x")).await.unwrap_err();
        assert_eq!(error.status, Status::Unavailable);
        Ok(())
    });
}
