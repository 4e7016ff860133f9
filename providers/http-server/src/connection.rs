//! One connection: TLS, which protocol it speaks, then requests until either side has had enough.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use bytes::Bytes;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::debug;
use wicker_process::Tasks;
use wicker_provider::http::{BoxError, HttpTarget, Peer};

use crate::activity::{Activity, Counted, Order};
use crate::config::Limits;
use crate::roster::Entry;
use crate::service::{Policy, Requests};
use crate::tls;

/// What a client that speaks HTTP/2 without asking sends first.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// The protocols, configured once for all connections.
#[derive(Debug)]
pub(crate) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<Streams>,
}

impl Protocols {
    pub(crate) fn new(limits: &Limits, tasks: &Tasks) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            // The roster's timeouts stand in: hyper's costs a timer per request.
            .header_read_timeout(None)
            .max_header_size(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX));
        let mut http2 = http2::Builder::new(Streams(tasks.clone()));
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_per_connection)
            .max_header_list_size(limits.header_bytes);
        Self { http1, http2 }
    }
}

/// Everything that one connection starts with.
pub(crate) struct Opening<T> {
    pub(crate) peer: SocketAddr,
    pub(crate) entry: Entry,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) protocols: Arc<Protocols>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) target: Arc<T>,
}

/// Serves one connection until it is closed. What goes wrong on it is the client's business, and only logged.
pub(crate) async fn serve<T: HttpTarget>(stream: TcpStream, opening: Opening<T>) {
    let activity = Arc::clone(&opening.entry.activity);
    let stream = Counted::new(stream, Arc::clone(&activity));
    let peer = opening.peer;
    let served = match opening.tls.clone() {
        Some(tls) => serve_encrypted(stream, tls, opening).await,
        None => serve_clear(stream, opening).await,
    };
    if let Err(error) = served {
        debug!(%peer, error = &*error as &dyn std::error::Error, "connection ended early");
    }
}

async fn serve_encrypted<T: HttpTarget>(
    stream: Counted<TcpStream>,
    tls: TlsAcceptor,
    opening: Opening<T>,
) -> Result<(), BoxError> {
    let Some(stream) = unless_closed(&opening.entry.activity, tls.accept(stream)).await else {
        return Ok(());
    };
    let stream = stream?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(tls::HTTP2) => Protocol::Http2,
        _ => Protocol::Http1,
    };
    serve_protocol(stream, protocol, opening).await
}

async fn serve_clear<T: HttpTarget>(
    mut stream: Counted<TcpStream>,
    opening: Opening<T>,
) -> Result<(), BoxError> {
    let first = unless_closed(&opening.entry.activity, first_bytes(&mut stream)).await;
    let Some(first) = first else { return Ok(()) };
    let (protocol, first) = first?;
    stream.unread(first);
    serve_protocol(stream, protocol, opening).await
}

/// Reads as little as tells HTTP/2 from HTTP/1: nothing else begins with `PRI `.
async fn first_bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Bytes)> {
    let mut first = Vec::with_capacity(HTTP2_PREFACE.len());
    while first.len() < HTTP2_PREFACE.len() {
        let wanted = (HTTP2_PREFACE.len() - first.len()) as u64;
        let n = (&mut *stream).take(wanted).read_buf(&mut first).await?;
        if n == 0 || !HTTP2_PREFACE.starts_with(&first) {
            return Ok((Protocol::Http1, first.into()));
        }
    }
    Ok((Protocol::Http2, first.into()))
}

async fn serve_protocol<T, S>(
    stream: S,
    protocol: Protocol,
    opening: Opening<T>,
) -> Result<(), BoxError>
where
    T: HttpTarget,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Opening { peer, entry, tls, protocols, policy, target } = opening;
    let activity = &entry.activity;
    activity.is_http2.store(protocol == Protocol::Http2, Relaxed);
    let peer = Peer { address: peer, is_encrypted: tls.is_some() };
    let requests = Arc::new(Requests::new(target, policy, Arc::clone(activity), peer));
    let service = service_fn(move |request| {
        let requests = Arc::clone(&requests);
        async move { requests.answer(request).await }
    });
    let io = TokioIo::new(stream);
    match protocol {
        Protocol::Http1 => {
            let connection = protocols.http1.serve_connection(io, service);
            drive(activity, connection, Order::Close, http1::Connection::graceful_shutdown).await?;
        }
        Protocol::Http2 => {
            let connection = protocols.http2.serve_connection(io, service);
            // GOAWAY loses nothing, so there is no reason to wait with it.
            drive(activity, connection, Order::Drain, http2::Connection::graceful_shutdown).await?;
        }
    }
    Ok(())
}

/// Runs `connection` to its end, or until it is ordered to end before: from `close_at` on with `close`.
async fn drive<C, E>(
    activity: &Activity,
    connection: C,
    close_at: Order,
    close: impl Fn(Pin<&mut C>),
) -> Result<(), E>
where
    C: Future<Output = Result<(), E>>,
{
    let mut connection = pin!(connection);
    let mut is_closing = false;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            let order = activity.poll_order(cx);
            if order == Order::Cut {
                return Poll::Ready(Ok(()));
            }
            if is_closing || order < close_at {
                return Poll::Pending;
            }
            is_closing = true;
            close(connection.as_mut());
        }
    })
    .await
}

/// Waits for `opening`, a step before the first request, unless the connection must close meanwhile.
async fn unless_closed<F: Future>(activity: &Activity, opening: F) -> Option<F::Output> {
    let mut opening = pin!(opening);
    poll_fn(|cx| {
        if let Poll::Ready(output) = opening.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        match activity.poll_order(cx) {
            Order::Serve | Order::Drain => Poll::Pending,
            Order::Close | Order::Cut => Poll::Ready(None),
        }
    })
    .await
}

/// Requests of one HTTP/2 connection run in tasks of their own: one that computes must not hold up the others.
#[derive(Debug, Clone)]
struct Streams(Tasks);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.spawn_work(stream);
    }
}
