//! The measure of all: hyper, one thread, answering from memory.

use std::convert::Infallible;

use anyhow::Result;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::{Contestant, free_port, pinned};

const GREETING: Bytes = Bytes::from_static(b"Hello from a component!\n");

/// This program itself, as a server.
pub(crate) fn contestant() -> Result<Contestant> {
    let port = free_port()?;
    let mut command = pinned(&std::env::current_exe()?);
    command.args(["native", &port.to_string()]);
    Contestant::start("native hyper", port, command, None)
}

/// Serves until it is killed.
pub(crate) fn serve(port: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service =
                service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::new(GREETING))) });
            let mut http = http1::Builder::new();
            // As `http-server` does: its timeouts cost no timer per request, so neither does this.
            let connection =
                http.header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(async { drop(connection.await) });
        }
    })
}
