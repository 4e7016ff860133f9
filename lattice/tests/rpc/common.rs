//! Ends of a lattice in one test: each with connections of its own.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::{BoxFuture, join_all};
use tokio::sync::Notify;
use tokio::time::Instant;
use wicker_lattice::call::{
    ByteStream, Call, CallError, DEFAULT_LINK, Invocation, Invoke, LinkRef, Reply, StreamError,
};
use wicker_lattice::id::{CallId, ProcessId};
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::testing::NatsServer;
use wicker_lattice::types::TypeHash;

/// What a test waits for anything, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `test` with a server of each nats-server of this machine.
pub(crate) fn on_every_server<F: Future<Output = anyhow::Result<()>>>(
    test: impl Fn(NatsServer) -> F,
) {
    on_every_program(|program| {
        let test = &test;
        async move { test(NatsServer::start_program(&program).await).await }
    });
}

/// Runs `test` with each nats-server of this machine, to start as it likes.
pub(crate) fn on_every_program<F: Future<Output = anyhow::Result<()>>>(
    test: impl Fn(PathBuf) -> F,
) {
    let programs = NatsServer::installed();
    assert!(!programs.is_empty(), "no nats-server on the PATH; install one");
    for program in programs {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let run = async {
            tokio::time::timeout(PATIENCE, test(program.clone())).await.expect("the test hangs")
        };
        let ended = runtime.block_on(run);
        ended.unwrap_or_else(|error| panic!("on {}: {error:?}", program.display()));
    }
}

/// Serves calls with a function.
pub(crate) struct Serve<F>(pub(crate) F);

impl<F, R> Invoke for Serve<F>
where
    F: Fn(Call) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Reply, CallError>> + Send + 'static,
{
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin((self.0)(call))
    }
}

/// One process's end.
pub(crate) struct End {
    pub(crate) id: ProcessId,
    pub(crate) nats: Nats,
    pub(crate) rpc: Rpc,
}

impl End {
    pub(crate) async fn start(server: &NatsServer, serve: Arc<dyn Invoke>) -> anyhow::Result<Self> {
        Self::start_with(server, serve, |_| {}).await
    }

    pub(crate) async fn start_with(
        server: &NatsServer,
        serve: Arc<dyn Invoke>,
        change: impl FnOnce(&mut RpcConfig),
    ) -> anyhow::Result<Self> {
        let nats = Nats::connect(NatsConfig::at(server.url())).await?;
        let id = ProcessId::generate();
        let mut config = RpcConfig::new("test", id);
        change(&mut config);
        let rpc = Rpc::start(config, &nats, serve).await?;
        Ok(Self { id, nats, rpc })
    }

    /// An end that only calls.
    pub(crate) async fn caller(server: &NatsServer) -> anyhow::Result<Self> {
        Self::start(server, echo()).await
    }

    pub(crate) async fn call(
        &self,
        to: &End,
        params: impl Into<Bytes>,
    ) -> Result<Reply, CallError> {
        self.send(to, call(params)).await
    }

    pub(crate) async fn send(&self, to: &End, call: Call) -> Result<Reply, CallError> {
        self.rpc.remote(to.id).invoke(call).await
    }
}

/// Answers with the parameters and the streams that it got.
pub(crate) fn echo() -> Arc<dyn Invoke> {
    Arc::new(Serve(|call: Call| async move {
        Ok(Reply { results: call.params, streams: call.streams })
    }))
}

/// Never answers; counts the calls that it holds, and those that were dropped.
#[derive(Clone, Default)]
pub(crate) struct Hold {
    pub(crate) held: Arc<AtomicUsize>,
    pub(crate) dropped: Arc<AtomicUsize>,
    /// Lets one call go on for each notification.
    pub(crate) go: Arc<Notify>,
}

struct Held(Hold);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Hold {
    pub(crate) fn serve(&self) -> Arc<dyn Invoke> {
        let hold = self.clone();
        Arc::new(Serve(move |call: Call| {
            let hold = hold.clone();
            async move {
                hold.held.fetch_add(1, Ordering::SeqCst);
                let held = Held(hold.clone());
                hold.go.notified().await;
                drop(held);
                Ok(Reply { results: call.params, streams: call.streams })
            }
        }))
    }

    /// Waits for `calls`, and lets every held call go on meanwhile.
    pub(crate) async fn let_go<T>(&self, calls: impl Future<Output = T>) -> T {
        let going = async {
            loop {
                self.go.notify_waiters();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            results = calls => results,
            () = going => unreachable!("never ends"),
        }
    }

    pub(crate) async fn until_held(&self, count: usize) {
        until("calls are held", || self.held.load(Ordering::SeqCst) == count).await;
    }

    pub(crate) async fn until_dropped(&self, count: usize) {
        until("calls are dropped", || self.dropped.load(Ordering::SeqCst) == count).await;
    }
}

/// Two ends, and calls from one that the other holds.
pub(crate) struct Holding {
    pub(crate) hold: Hold,
    pub(crate) callee: End,
    pub(crate) caller: End,
    pub(crate) held: BoxFuture<'static, Vec<Result<Reply, CallError>>>,
}

impl Holding {
    pub(crate) async fn start(server: &NatsServer, count: usize) -> anyhow::Result<Self> {
        Self::start_with(server, count, |_| {}).await
    }

    pub(crate) async fn start_with(
        server: &NatsServer,
        count: usize,
        change: impl FnOnce(&mut RpcConfig),
    ) -> anyhow::Result<Self> {
        let hold = Hold::default();
        let callee = End::start_with(server, hold.serve(), change).await?;
        let caller = End::caller(server).await?;
        let remote = caller.rpc.remote(callee.id);
        let mut held: BoxFuture<'static, _> =
            Box::pin(
                async move { join_all((0..count).map(|_| remote.invoke(call("held")))).await },
            );
        tokio::select! {
            replies = &mut held => panic!("answered: {replies:?}"),
            () = hold.until_held(count) => {}
        }
        Ok(Self { hold, callee, caller, held })
    }
}

/// The one of one.
pub(crate) fn only<T>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1);
    all.remove(0)
}

pub(crate) fn call(params: impl Into<Bytes>) -> Call {
    Call {
        id: CallId::generate(),
        target: "default/test/callee".parse().unwrap(),
        source: "default/test/caller".parse().unwrap(),
        link: LinkRef { name: DEFAULT_LINK.into(), revision: 3 },
        interface: "test:echo/echo@0.1".parse().unwrap(),
        function: "[method]thing.echo".into(),
        type_hash: TypeHash([1, 2, 3, 4, 5, 6, 7, 8]),
        deadline: Instant::now() + Duration::from_secs(60),
        trace: None,
        fence: None,
        params: params.into(),
        streams: Vec::new(),
    }
}

pub(crate) fn call_with(params: impl Into<Bytes>, streams: Vec<ByteStream>) -> Call {
    Call { streams, ..call(params) }
}

/// A stream that is never there at once, so that nothing of it travels with the call.
pub(crate) fn later(
    chunks: impl futures::Stream<Item = Result<Bytes, StreamError>> + Send + 'static,
) -> ByteStream {
    ByteStream::new(
        futures::stream::once(tokio::task::yield_now())
            .flat_map(|()| futures::stream::empty())
            .chain(chunks),
    )
}

/// A stream of `count` chunks of 64 KiB, each of its own letter, which counts those that were taken.
pub(crate) fn chunks(count: usize, taken: &Arc<AtomicUsize>) -> ByteStream {
    let taken = Arc::clone(taken);
    later(futures::stream::iter(0..count).map(move |index| {
        taken.fetch_add(1, Ordering::SeqCst);
        Ok(chunk(index))
    }))
}

pub(crate) const CHUNK: usize = 64 << 10;

pub(crate) fn chunk(index: usize) -> Bytes {
    Bytes::from(vec![u8::try_from(index % 251).unwrap(); CHUNK])
}

/// Reads what [`chunks`] writes, to its end; tells how many bytes it was.
pub(crate) async fn check_chunks(stream: &mut ByteStream) -> Result<usize, StreamError> {
    check_chunks_from(0, stream).await
}

/// [`check_chunks`], where so many bytes were read before.
pub(crate) async fn check_chunks_from(
    mut position: usize,
    stream: &mut ByteStream,
) -> Result<usize, StreamError> {
    while let Some(bytes) = stream.next().await {
        let bytes = bytes?;
        for (offset, part) in bytes.chunks(1024).enumerate() {
            let at = position + offset * 1024;
            let first = *part.first().unwrap();
            assert_eq!(usize::from(first), (at / CHUNK) % 251, "at {at}");
        }
        position += bytes.len();
    }
    Ok(position)
}

/// Waits until `holds`, which must become true.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
