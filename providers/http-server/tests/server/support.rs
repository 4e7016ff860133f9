//! A target that does what its path says, a server around it, and clients.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use http_server::{Config, Limits, Listener, Server};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use wicker_process::Tasks;
use wicker_provider::http::{Body, BoxError, HttpError, HttpTarget, Peer};

/// Longer than anything here takes, on any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Answers by path; see [`Script::handle`].
#[derive(Debug)]
pub(crate) struct Script {
    /// Requests that reached the target.
    pub(crate) started: AtomicU64,
    /// What `/wait` takes one of before it answers.
    pub(crate) permits: Semaphore,
    /// Bytes that `/upload` has read.
    pub(crate) read: Arc<AtomicU64>,
    /// Bytes that `/download` has made.
    pub(crate) made: Arc<AtomicU64>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            started: AtomicU64::new(0),
            permits: Semaphore::new(0),
            read: Arc::default(),
            made: Arc::default(),
        }
    }
}

impl HttpTarget for Script {
    type Body = Body;

    async fn handle(&self, request: Request<Body>, _: Peer) -> Result<Response<Body>, HttpError> {
        self.started.fetch_add(1, Ordering::SeqCst);
        let path = request.uri().path().to_owned();
        let (kind, argument) = path.trim_start_matches('/').split_once('/').unwrap_or((&path, ""));
        match kind.trim_start_matches('/') {
            "headers" => {
                let lines = request.headers().iter().map(|(name, value)| {
                    format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
                });
                Ok(Response::new(Bytes::from(lines.collect::<String>()).into()))
            }
            "wait" => {
                self.permits.acquire().await.unwrap().forget();
                Ok(Response::new(Bytes::from_static(b"waited").into()))
            }
            "echo" => Ok(Response::new(request.into_body())),
            "upload" => {
                let mut body = request.into_body();
                while let Some(frame) = body.frame().await {
                    let frame = frame.map_err(|error| {
                        HttpError::new(StatusCode::BAD_REQUEST, "body lost").because(error)
                    })?;
                    let n = frame.data_ref().map_or(0, Bytes::len) as u64;
                    self.read.fetch_add(n, Ordering::SeqCst);
                }
                Ok(Response::new(Bytes::from_static(b"read").into()))
            }
            "download" => {
                let left = argument.parse().unwrap();
                Ok(Response::new(Body::new(Zeros { left, made: Arc::clone(&self.made) })))
            }
            "fail" => Err(HttpError::new(StatusCode::BAD_GATEWAY, "unavailable")
                .because("team/secret/name is down")),
            "lie" => Ok(Response::builder()
                .header("content-length", argument)
                .body(Bytes::from_static(b"four").into())
                .unwrap()),
            _ => Ok(Response::new(Bytes::from_static(b"hello").into())),
        }
    }
}

/// A body of so many zero bytes, which counts what it gave.
pub(crate) struct Zeros {
    /// Bytes still to give.
    pub(crate) left: u64,
    /// Where they are counted.
    pub(crate) made: Arc<AtomicU64>,
}

static CHUNK: [u8; 16 << 10] = [0; 16 << 10];

impl http_body::Body for Zeros {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let n = self.left.min(CHUNK.len() as u64);
        self.left -= n;
        self.made.fetch_add(n, Ordering::SeqCst);
        let chunk = CHUNK.get(..usize::try_from(n).unwrap()).unwrap();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(chunk)))))
    }
}

/// A server on a free port.
pub(crate) struct Running {
    /// What it asks.
    pub(crate) script: Arc<Script>,
    /// It, until it is drained.
    pub(crate) server: Server,
    /// Tasks of the clients.
    pub(crate) tasks: Tasks,
}

/// Starts a server with the limits given.
pub(crate) async fn start(limits: Limits) -> Running {
    start_with(Config { limits, ..local() }).await
}

/// Any free port on this machine.
pub(crate) fn local() -> Config {
    Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Config::default() }
}

/// Starts a server.
pub(crate) async fn start_with(config: Config) -> Running {
    let script = Arc::new(Script::default());
    let server = Listener::bind(config).await.unwrap().serve(Arc::clone(&script));
    Running { script, server, tasks: Tasks::default() }
}

impl Running {
    /// A connection to it.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.server.address()).await.unwrap()
    }

    /// An HTTP/1.1 connection to it.
    pub(crate) async fn http1(&self) -> http1::SendRequest<Body> {
        http1_over(self.connect().await, &self.tasks).await
    }

    /// An HTTP/2 connection to it.
    pub(crate) async fn http2(&self) -> http2::SendRequest<Body> {
        http2_over(self.connect().await, &self.tasks).await
    }
}

/// Speaks HTTP/1.1 over `stream`.
pub(crate) async fn http1_over<S>(stream: S, tasks: &Tasks) -> http1::SendRequest<Body>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tasks.spawn_work(async { drop(connection.await) });
    sender
}

/// Speaks HTTP/2 over `stream`.
pub(crate) async fn http2_over<S>(stream: S, tasks: &Tasks) -> http2::SendRequest<Body>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tasks.spawn_work(async { drop(connection.await) });
    sender
}

/// A request for `path` with `body`.
pub(crate) fn request(path: &str, body: Body) -> Request<Body> {
    let method = if body.is_end_stream() { "GET" } else { "POST" };
    let uri = format!("http://a.example{path}");
    Request::builder().method(method).uri(uri).header("host", "a.example").body(body).unwrap()
}

/// Reads a whole body as text.
pub(crate) async fn text<B>(response: Response<B>) -> String
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Writes `bytes` and reads until the server closes.
pub(crate) async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is the server's right.
    drop(tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap());
    String::from_utf8(answer).unwrap()
}
