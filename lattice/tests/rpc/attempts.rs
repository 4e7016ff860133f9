//! Numbers of attempts, as anybody may read them in the subjects.
#![expect(clippy::disallowed_methods, reason = "a bystander at the server")]

use std::collections::HashSet;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use wicker_lattice::call::{ByteStream, Call};
use wicker_lattice::testing::NatsServer;

use crate::common::{End, Hold, call, echo, on_every_server};

/// Reads along where requests want to be answered.
struct Bystander(async_nats::Subscriber);

impl Bystander {
    async fn at(server: &NatsServer) -> anyhow::Result<Self> {
        let client = async_nats::connect(server.url()).await?;
        let requests = client.subscribe("wicker.test.c.>").await?;
        client.flush().await?;
        Ok(Self(requests))
    }

    async fn inboxes(&mut self, count: usize) -> Vec<String> {
        let requests = self.0.by_ref().take(count);
        requests.map(|request| request.reply.unwrap().to_string()).collect().await
    }
}

#[test]
fn number_serves_again_once_its_call_was_answered() {
    on_every_server(|server| async move {
        let mut bystander = Bystander::at(&server).await?;
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, echo()).await?);
        for _ in 0..3 {
            caller.call(&callee, "x").await?;
        }
        assert_eq!(bystander.inboxes(3).await.into_iter().collect::<HashSet<_>>().len(), 1);
        Ok(())
    });
}

#[test]
fn calls_under_way_have_numbers_of_their_own() {
    on_every_server(|server| async move {
        let mut bystander = Bystander::at(&server).await?;
        let hold = Hold::default();
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, hold.serve()).await?);
        for _ in 0..2 {
            let calls = (0..50).map(|_| caller.call(&callee, "x"));
            let replies = hold.let_go(futures::future::join_all(calls)).await;
            assert!(replies.iter().all(Result::is_ok));
            let inboxes = bystander.inboxes(50).await;
            assert_eq!(inboxes.into_iter().collect::<HashSet<_>>().len(), 50);
        }
        Ok(())
    });
}

#[test]
fn number_of_a_call_that_was_given_up_or_had_streams_never_serves_again() {
    on_every_server(|server| async move {
        let mut bystander = Bystander::at(&server).await?;
        let hold = Hold::default();
        let caller = End::caller(&server).await?;
        let (holds, echoes) =
            (End::start(&server, hold.serve()).await?, End::start(&server, echo()).await?);
        assert!(caller.rpc.remote(holds.id).invoke(call("x")).now_or_never().is_none());
        let streams = vec![ByteStream::from_bytes(Bytes::from_static(b"stream"))];
        drop(caller.send(&echoes, Call { streams, ..call("x") }).await?);
        hold.let_go(caller.call(&holds, "x")).await?;
        caller.call(&echoes, "x").await?;
        assert_eq!(bystander.inboxes(4).await.into_iter().collect::<HashSet<_>>().len(), 4);
        Ok(())
    });
}
