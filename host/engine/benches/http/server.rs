//! The servers under test: one thread, hyper, and what answers behind it.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use wicker_engine::http::Incoming;
use wicker_engine::log::NoLog;
use wicker_engine::{Actor, ActorConfig, Engine, EngineConfig};
use wicker_lattice::link::Links;
use wicker_process::Tasks;

const GREETING: Bytes = Bytes::from_static(b"Hello from a component!\n");

/// Serves until it is killed.
pub(crate) fn serve(kind: &str, port: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
        match kind {
            "native" => native(listener).await,
            "fresh" => component(listener, 0).await,
            "warm" => component(listener, 64).await,
            other => bail!("no server is called `{other}`"),
        }
    })
}

async fn native(listener: TcpListener) -> Result<()> {
    accept(listener, |_request: Request<Body>| async {
        let response = Response::builder().header("content-type", "text/plain");
        response.body(Full::new(GREETING))
    })
    .await
}

async fn component(listener: TcpListener, warm: usize) -> Result<()> {
    let engine = Engine::new(EngineConfig::default())?;
    let program = engine.load(std::fs::read(artifacts::guest("http-hello"))?.into()).await?;
    let mut config = ActorConfig::new("default/bench/hello".parse()?, Arc::new(NoLog));
    config.warm = warm;
    let actor = Actor::new(&engine, program, config, Arc::new(Links::default()))?;
    accept(listener, move |request| {
        let actor = Arc::clone(&actor);
        async move { actor.http(request, Incoming::default()).await }
    })
    .await
}

async fn accept<F, B, E>(
    listener: TcpListener,
    answer: impl Fn(Request<Body>) -> F + Clone + Send + 'static,
) -> Result<()>
where
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<wicker_engine::http::BoxError>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let tasks = Tasks::default();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tasks.spawn_work(async move {
            let mut server = http1::Builder::new();
            let server = server.timer(TokioTimer::new()).pipeline_flush(true);
            // A connection that breaks is the generator's to notice.
            _ = server.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}
