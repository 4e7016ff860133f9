//! One connection: TLS, which protocol it speaks, then requests until either side has had enough.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
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
use crate::unread::Unread;

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
    serve_protocol(Unread::new(stream), protocol, opening).await
}

async fn serve_clear<T: HttpTarget>(
    stream: Counted<TcpStream>,
    opening: Opening<T>,
) -> Result<(), BoxError> {
    let mut stream = Unread::new(stream);
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
    stream: Unread<S>,
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
    match protocol {
        Protocol::Http1 => serve_http1(activity, &protocols, stream, service).await,
        Protocol::Http2 => {
            let io = TokioIo::new(stream);
            let mut connection = Box::new(protocols.http2.serve_connection(io, service));
            // GOAWAY loses nothing, so there is no reason to wait with it.
            let close = http2::Connection::graceful_shutdown;
            drive(activity, Pin::new(&mut *connection), Order::Drain, close).await?;
            Ok(())
        }
    }
}

/// One request after the other. A connection that waits long for the next one gives up its buffers until it comes: of
/// ten thousand idle ones they would be most of the memory.
async fn serve_http1<S, V, B>(
    activity: &Activity,
    protocols: &Protocols,
    mut stream: Unread<S>,
    mut service: V,
) -> Result<(), BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: HttpService<Incoming, ResBody = B, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>> + 'static,
{
    loop {
        // Boxed, so that a connection that rests does not hold the room for it.
        let io = TokioIo::new(stream);
        let mut connection = Box::new(protocols.http1.serve_connection(io, service));
        let close = http1::Connection::graceful_shutdown;
        match drive(activity, Pin::new(&mut *connection), Order::Close, close).await? {
            Pause::End => return Ok(()),
            Pause::Rest => {}
        }
        let parts = connection.into_parts();
        (stream, service) = (parts.io.into_inner(), parts.service);
        stream.unread(parts.read_buf);
        let Some(first) = unless_closed(activity, some_bytes(&mut stream)).await else {
            return Ok(());
        };
        let first = first?;
        if first.is_empty() {
            return Ok(());
        }
        stream.unread(first);
    }
}

/// What comes first, some bytes of it; none: the client has closed.
async fn some_bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut some = [0; 16];
    let n = stream.read(&mut some).await?;
    Ok(Bytes::copy_from_slice(some.get(..n).unwrap_or_default()))
}

/// Why a connection is not driven any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// It is over.
    End,
    /// Nothing has come for long.
    Rest,
}

/// Runs `connection` to its end or to its rest, or until it is ordered to end before: from `close_at` on with `close`.
async fn drive<C, E>(
    activity: &Activity,
    mut connection: Pin<&mut C>,
    close_at: Order,
    close: impl Fn(Pin<&mut C>),
) -> Result<Pause, E>
where
    C: Future<Output = Result<(), E>>,
{
    let mut is_closing = false;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(result.map(|()| Pause::End));
            }
            let order = activity.poll_order(cx);
            if order == Order::Cut {
                return Poll::Ready(Ok(Pause::End));
            }
            if activity.takes_rest() && !is_closing {
                return Poll::Ready(Ok(Pause::Rest));
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

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tokio::io::{AsyncWriteExt as _, DuplexStream};

    use super::*;
    use crate::activity::InFlight;

    /// A client, and the connection that serves it.
    struct Case {
        client: DuplexStream,
        activity: Arc<Activity>,
    }

    fn case() -> (Case, impl Future<Output = Result<(), BoxError>>) {
        let (client, server) = tokio::io::duplex(1024);
        let activity = Arc::new(Activity::default());
        let seen = Arc::clone(&activity);
        let serving = async move {
            let protocols = Protocols::new(&Limits::default(), &Tasks::default());
            let stream = Unread::new(Counted::new(server, Arc::clone(&seen)));
            let service = service_fn(|_| {
                let request = InFlight::start(&seen);
                async move {
                    drop(request);
                    Ok::<_, BoxError>(http::Response::new(Full::new(Bytes::from_static(b"hello"))))
                }
            });
            serve_http1(&seen, &protocols, stream, service).await
        };
        (Case { client, activity }, serving)
    }

    impl Case {
        async fn asks(&mut self) {
            // In two pieces: the connection that wakes up does not get a whole head at once.
            self.client.write_all(b"GET / HT").await.unwrap();
            tokio::task::yield_now().await;
            self.client.write_all(b"TP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"hello") {
                assert_ne!(self.client.read_buf(&mut answer).await.unwrap(), 0);
            }
        }

        async fn rests(&self) {
            self.activity.ask_to_rest();
            while self.activity.is_asked_to_rest() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn connection_that_rested_answers_what_comes_next() {
        let (mut case, serving) = case();
        let asking = async move {
            for _ in 0..3 {
                case.asks().await;
                case.rests().await;
            }
            case.asks().await;
        };
        let (served, ()) = tokio::join!(serving, asking);
        served.unwrap();
    }

    #[tokio::test]
    async fn connection_that_rests_closes_when_it_is_told_to_and_when_its_client_does() {
        for order in [Some(Order::Close), Some(Order::Cut), None] {
            let (mut case, serving) = case();
            let asking = async move {
                case.asks().await;
                case.rests().await;
                match order {
                    Some(order) => {
                        case.activity.give(order);
                        let closed = case.client.read(&mut [0]).await.unwrap();
                        assert_eq!(closed, 0);
                    }
                    None => drop(case),
                }
            };
            let (served, ()) = tokio::join!(serving, asking);
            served.unwrap();
        }
    }
}
