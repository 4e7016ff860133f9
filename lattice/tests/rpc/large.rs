//! Values that do not fit into one message.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use wicker_lattice::call::{ByteStream, Call, Reply, Status, VALUE_BYTES_MAX};
use wicker_lattice::nats::{Nats, NatsConfig};

use crate::common::{End, Serve, call_with, echo, on_every_server};

/// Bytes of which no two pages are alike.
fn value(len: usize) -> Bytes {
    (0..len).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xff).unwrap()).collect()
}

#[test]
fn values_of_every_size_up_to_16_mib_travel_both_ways() {
    on_every_server(|server| async move {
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, echo()).await?);
        let payload_max = 1 << 20;
        for len in [0, 1, payload_max - 600, payload_max, payload_max + 1, 3 << 20, VALUE_BYTES_MAX]
        {
            let sent = value(len);
            let reply = caller.call(&callee, sent.clone()).await?;
            assert!(reply.results == sent, "{len} bytes came back as {}", reply.results.len());
        }
        Ok(())
    });
}

#[test]
fn values_above_16_mib_are_refused_on_either_side() {
    on_every_server(|server| async move {
        let serve = |_| async {
            Ok(Reply { results: vec![0; VALUE_BYTES_MAX + 1].into(), streams: Vec::new() })
        };
        let (caller, callee) =
            (End::caller(&server).await?, End::start(&server, Arc::new(Serve(serve))).await?);
        let error = caller.call(&callee, vec![0; VALUE_BYTES_MAX + 1]).await.unwrap_err();
        assert_eq!(error.status, Status::Unsupported);
        let error = caller.call(&callee, "x").await.unwrap_err();
        assert_eq!(error.status, Status::Unsupported);
        assert!(error.message.contains("stream<u8>"), "{error}");
        Ok(())
    });
}

#[test]
fn large_values_and_streams_travel_in_one_call() {
    on_every_server(|server| async move {
        let (caller, callee) = (End::caller(&server).await?, End::start(&server, echo()).await?);
        let (params, body) = (value(2 << 20), value(3 << 20));
        let streams =
            vec![ByteStream::from_bytes(body.clone()), ByteStream::from_bytes(Bytes::new())];
        let mut reply = caller.send(&callee, call_with(params.clone(), streams)).await?;
        assert!(reply.results == params);
        let mut second = reply.streams.pop().unwrap();
        assert_eq!(second.next().await, None);
        let mut first = reply.streams.pop().unwrap();
        let mut got = Vec::new();
        while let Some(bytes) = first.next().await {
            got.extend_from_slice(&bytes?);
        }
        assert!(got == body);
        Ok(())
    });
}

#[test]
fn many_large_parameters_at_once_are_overloaded() {
    on_every_server(|server| async move {
        let serve = |call: Call| async move {
            Ok(Reply { results: call.params.slice(..1), streams: Vec::new() })
        };
        let limit =
            |config: &mut wicker_lattice::rpc::RpcConfig| config.gathering_bytes_max = 3 << 20;
        let callee = End::start_with(&server, Arc::new(Serve(serve)), limit).await?;
        let caller = End::caller(&server).await?;
        let error = caller.call(&callee, value(4 << 20)).await.unwrap_err();
        assert_eq!(error.status, Status::Overloaded);
        assert_eq!(caller.call(&callee, value(2 << 20)).await?.results.len(), 1);
        Ok(())
    });
}

#[test]
fn unreachable_server_is_named_with_what_to_do() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let error = Nats::connect(NatsConfig::at("nats://127.0.0.1:1")).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains("nats://127.0.0.1:1") && message.contains("--nats"), "{message}");
        let error = Nats::connect(NatsConfig::at("not a url")).await.unwrap_err();
        assert!(error.to_string().contains("not a url"), "{error}");
    });
}
