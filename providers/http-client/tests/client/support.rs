//! A server that does what its path says, a client provider with one link, and calls through it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use http_client::HttpClient;
use http_server::{Config, Listener, Server, Tls};
use tempfile::TempDir;
use tokio::time::Instant;
use wicker_process::Tasks;
use wicker_provider::http::{
    Body, BoxError, HttpError, HttpTarget, Peer, from_streams, into_streams,
};
use wicker_provider::lattice::call::{Call, CallError, LinkRef};
use wicker_provider::lattice::http::{self as wire, ErrorCode, RequestHead, ResponseHead};
use wicker_provider::lattice::id::{CallId, ObjectId};
use wicker_provider::lattice::store::record::{Link, Scope};
use wicker_provider::link::NoLinkSource;
use wicker_provider::{
    Builtin, Environment, LinkFailure, LinkRecord, ProviderInstance, ProviderStart,
};

/// Answers by path.
#[derive(Debug, Default)]
pub(crate) struct Site {
    /// Requests that arrived.
    pub(crate) requests: AtomicU64,
    /// Bytes that `/download` has made.
    pub(crate) made: Arc<AtomicU64>,
}

impl HttpTarget for Site {
    type Body = Body;

    async fn handle(&self, request: Request<Body>, _: Peer) -> Result<Response<Body>, HttpError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/describe" => {
                let version = format!("{:?}", request.version());
                let mut text = format!("{} {version}\n", request.method());
                let authority = request.uri().authority().map(ToString::to_string);
                let host = request.headers().get("host").map(|host| host.to_str().unwrap());
                let host = host.map_or(authority, |host| Some(host.to_owned()));
                text.push_str(&format!("host {}\n", host.unwrap()));
                for name in ["content-length", "transfer-encoding", "x-mine", "connection"] {
                    if let Some(value) = request.headers().get(name) {
                        text.push_str(&format!("{name} {}\n", value.to_str().unwrap()));
                    }
                }
                let body = request.into_body().collect().await.unwrap().to_bytes();
                text.push_str(&format!("body {}\n", body.len()));
                Ok(Response::new(Bytes::from(text).into()))
            }
            "/redirect" => Ok(Response::builder()
                .status(302)
                .header("location", "http://169.254.169.254/secrets")
                .body(Body::Empty)
                .unwrap()),
            "/echo" => Ok(Response::new(request.into_body())),
            "/download" => {
                let zeros = Zeros { left: 100_000_000, made: Arc::clone(&self.made) };
                Ok(Response::new(Body::new(zeros)))
            }
            "/never" => std::future::pending().await,
            "/trailers" => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", HeaderValue::from_static("42"));
                let frames: [Result<_, BoxError>; 2] =
                    [Ok(Frame::data(Bytes::from_static(b"data"))), Ok(Frame::trailers(trailers))];
                let body = http_body_util::StreamBody::new(futures::stream::iter(frames));
                Ok(Response::new(Body::new(body)))
            }
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
        let n = self.left.min(CHUNK.len() as u64);
        self.left -= n;
        self.made.fetch_add(n, Ordering::SeqCst);
        let chunk = CHUNK.get(..usize::try_from(n).unwrap()).unwrap();
        Poll::Ready((n > 0).then_some(Ok(Frame::data(Bytes::from_static(chunk)))))
    }
}

/// A server, and what it saw.
pub(crate) struct Running {
    pub(crate) site: Arc<Site>,
    pub(crate) server: Server,
}

/// Starts a server on a free port.
pub(crate) async fn site() -> Running {
    start(None).await
}

/// Starts a server that encrypts, with a certificate for `localhost`, and gives the folder that holds it.
pub(crate) async fn encrypted_site() -> (Running, TempDir) {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls { certificate: folder.path().join("ca.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&tls.certificate, signed.cert.pem()).unwrap();
    std::fs::write(&tls.key, signed.signing_key.serialize_pem()).unwrap();
    (start(Some(tls)).await, folder)
}

async fn start(tls: Option<Tls>) -> Running {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let site = Arc::new(Site::default());
    let config = Config { listen, tls, ..Config::default() };
    let server = Listener::bind(config).await.unwrap().serve(Arc::clone(&site));
    Running { site, server }
}

impl Running {
    pub(crate) fn port(&self) -> u16 {
        self.server.address().port()
    }
}

/// The provider with one link.
pub(crate) struct Client {
    instance: Arc<dyn ProviderInstance>,
    /// How long the next call may take.
    pub(crate) timeout: Duration,
}

/// A response, or how the request failed.
pub(crate) type Outcome = Result<Result<Response<Body>, ErrorCode>, CallError>;

impl Client {
    /// A client whose link allows `allow`.
    pub(crate) async fn new(allow: &str) -> Self {
        Self::with_config(allow, serde_json::Value::Null).await
    }

    /// The same with a config of the provider.
    pub(crate) async fn with_config(allow: &str, config: serde_json::Value) -> Self {
        let instance = start_provider(config).await;
        instance.apply_link(LinkRecord { link: link(allow), revision: 1 }).await.unwrap();
        Self { instance, timeout: Duration::from_secs(60) }
    }

    /// Why a link that allows `allow` cannot be opened.
    pub(crate) async fn refused(allow: &str) -> LinkFailure {
        let instance = start_provider(serde_json::Value::Null).await;
        instance.apply_link(LinkRecord { link: link(allow), revision: 1 }).await.unwrap_err()
    }

    /// Sends a GET.
    pub(crate) async fn get(&self, url: &str) -> Outcome {
        self.send(Request::get(url).body(Body::Empty).unwrap()).await
    }

    /// Sends a POST.
    pub(crate) async fn post(&self, url: &str, body: Body) -> Outcome {
        self.send(Request::builder().method(Method::POST).uri(url).body(body).unwrap()).await
    }

    /// Sends `request` as a component's host does.
    pub(crate) async fn send(&self, request: Request<Body>) -> Outcome {
        let (parts, body) = request.into_parts();
        let link = link("");
        let call = Call {
            id: CallId::generate(),
            target: link.target,
            source: link.source,
            link: LinkRef { name: "default".into(), revision: 1 },
            interface: wire::interface(),
            function: wire::HANDLE.into(),
            type_hash: wire::type_hash(),
            deadline: Instant::now() + self.timeout,
            trace: None,
            fence: None,
            params: wire::encode_request(&RequestHead::from(parts)),
            streams: into_streams(body),
        };
        let reply = self.instance.invoke(call).await?;
        let head: Result<ResponseHead, ErrorCode> = wire::decode_response(&reply.results).unwrap();
        Ok(head.map(|head| Response::from_parts(head.into(), from_streams(reply.streams, None))))
    }
}

async fn start_provider(config: serde_json::Value) -> Arc<dyn ProviderInstance> {
    let environment = Environment {
        lattice: "test".to_owned(),
        id: ObjectId::bare("http-client").unwrap(),
        process: wicker_provider::lattice::id::ProcessId::generate(),
        data_dir: "/nonexistent".into(),
        nats: None,
        tasks: Tasks::default(),
    };
    let (links, calls) = (Arc::new(NoLinkSource), Arc::new(NoLinkSource));
    let start = ProviderStart { environment, config, links, calls };
    Builtin::of::<HttpClient>().start(start).await.unwrap()
}

fn link(allow: &str) -> Link {
    Link {
        source: "default/shop/cart".parse().unwrap(),
        scope: Scope::Package("wasi:http@0.2".parse().unwrap()),
        name: "default".to_owned(),
        target: ObjectId::bare("http-client").unwrap(),
        secrets: Default::default(),
        config: BTreeMap::from([("allow".to_owned(), allow.to_owned())]),
        timeout_ms: None,
        idempotent: Vec::new(),
        split: Vec::new(),
    }
}

/// Reads a whole response as text.
pub(crate) async fn text(outcome: Outcome) -> String {
    let response = outcome.unwrap().unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
