//! The server as a provider of its own, on a real NATS server: routes from the lattice, requests over RPC.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use http_server::HttpServer;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Reply, Status};
use wicker_lattice::http::{self as wire, ResponseHead};
use wicker_lattice::id::{Incarnation, ObjectId, ProcessId};
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::store::Store;
use wicker_lattice::store::record::{ObjectKind, Route, RunState, Running};
use wicker_lattice::testing::NatsServer;
use wicker_process::Tasks;
use wicker_provider::http::{Body, from_streams, into_streams};
use wicker_provider::link::NoLinkSource;
use wicker_provider::{Builtin, Environment, NatsAccess, ProviderInstance, ProviderStart};

const LATTICE: &str = "test";

/// Longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stands in for a host that runs `default/shop/shop`.
#[derive(Debug)]
struct Shop {
    name: &'static str,
    is_draining: bool,
    calls: AtomicU64,
}

impl Invoke for Shop {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            if self.is_draining {
                return Err(CallError::new(Status::Draining, "stopping"));
            }
            let head = wire::decode_request(&call.params).unwrap();
            let path = head.path_with_query.as_ref().unwrap().as_str().to_owned();
            let body = match path.as_str() {
                "/shop/echo" => from_streams(call.streams, None),
                "/shop/trap" => {
                    return Err(CallError::new(Status::Trapped, "unreachable in shop"));
                }
                _ => {
                    let scheme = head.scheme.unwrap();
                    let text =
                        format!("{} {scheme}://{}{path}", self.name, head.authority.unwrap());
                    Bytes::from(text).into()
                }
            };
            let results = wire::encode_response(&Ok(ResponseHead::default()));
            Ok(Reply { results, streams: into_streams(body) })
        })
    }
}

/// A lattice with one `http-server` in it.
struct Lattice {
    nats: Nats,
    store: Store,
    server: Arc<dyn ProviderInstance>,
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    _server: NatsServer,
}

impl Lattice {
    async fn start() -> Self {
        let server = NatsServer::start().await;
        let nats = Nats::connect(NatsConfig::at(server.url())).await.unwrap();
        let store = Store::open(&nats.jetstream(), LATTICE, 1).await.unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let environment = Environment {
            lattice: LATTICE.to_owned(),
            id: ObjectId::bare("http-server").unwrap(),
            process: wicker_provider::lattice::id::ProcessId::generate(),
            data_dir: "/nonexistent".into(),
            nats: Some(NatsAccess { url: server.url().to_owned(), credentials: None }),
            tasks: Tasks::default(),
        };
        let config = serde_json::json!({ "listen": free });
        let (links, calls) = (Arc::new(NoLinkSource), Arc::new(NoLinkSource));
        let start = ProviderStart { environment, config, links, calls };
        let instance = Builtin::of::<HttpServer>().start(start).await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { nats, store, server: instance, address: free, client, _server: server }
    }

    /// Starts a process that runs the shop, and says so.
    async fn shop(&self, shop: Shop) -> (Arc<Shop>, Rpc) {
        let (process, shop) = (ProcessId::generate(), Arc::new(shop));
        let config = RpcConfig::new(LATTICE, process);
        let rpc = Rpc::start(config, &self.nats, Arc::clone(&shop) as _).await.unwrap();
        let running = Running {
            object: ObjectId::bare("shop").unwrap(),
            kind: ObjectKind::Component,
            process,
            incarnation: Incarnation::generate(),
            host: Some(process),
            generation: 1,
            digest: None,
            serves: vec![wire::interface()],
            types: None,
            state: RunState::Ready,
            reason: None,
            failing_links: Default::default(),
            failed_generation: None,
            since: String::new(),
        };
        self.store.put(&running).await.unwrap();
        (shop, rpc)
    }

    async fn claim(&self, path: &str) {
        let route = Route {
            host: None,
            path: path.to_owned(),
            target: ObjectId::bare("shop").unwrap(),
            claimed_by: "default/shop".to_owned(),
            only_on: None,
            split: Vec::new(),
        };
        self.store.create(&route).await.unwrap();
    }

    async fn send(&self, path: &str, body: Body) -> Response<Incoming> {
        let uri = format!("http://{}{path}", self.address);
        self.client.request(Request::post(uri).body(body).unwrap()).await.unwrap()
    }

    async fn text(&self, path: &str) -> (StatusCode, String) {
        let response = self.send(path, Body::Empty).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Asks until the answer is `wanted`: what the store says takes a moment to arrive.
    async fn eventually(&self, path: &str, wanted: &str) {
        let ask = async {
            while self.text(path).await.1 != wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ask).await.unwrap();
    }
}

fn shop(name: &'static str) -> Shop {
    Shop { name, is_draining: false, calls: AtomicU64::new(0) }
}

#[tokio::test]
async fn requests_go_where_routes_and_status_say() {
    let lattice = Lattice::start().await;
    assert_eq!(lattice.text("/shop").await.0, StatusCode::NOT_FOUND);
    let (_one, _rpc) = lattice.shop(shop("one")).await;
    lattice.claim("/shop").await;
    lattice.eventually("/shop/x", &format!("one http://{}/shop/x", lattice.address)).await;
    assert_eq!(lattice.text("/other").await.0, StatusCode::NOT_FOUND);

    let (status, line) = lattice.text("/shop/trap").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(line.starts_with("500 the component failed (request "), "{line}");
}

#[tokio::test]
async fn process_that_drains_loses_no_request_to_another_one() {
    let lattice = Lattice::start().await;
    let draining = Shop { is_draining: true, ..shop("draining") };
    let (draining, _one) = lattice.shop(draining).await;
    let (_, _two) = lattice.shop(shop("two")).await;
    lattice.claim("/").await;
    lattice.eventually("/", &format!("two http://{}/", lattice.address)).await;
    let ask = async {
        // Both are asked in the end, and every answer is the second one's.
        while draining.calls.load(Ordering::SeqCst) == 0 {
            assert_eq!(lattice.text("/").await.0, StatusCode::OK);
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.unwrap();
}

#[tokio::test]
async fn bodies_stream_through_nats_both_ways() {
    let lattice = Lattice::start().await;
    let (_shop, _rpc) = lattice.shop(shop("one")).await;
    lattice.claim("/").await;
    lattice.eventually("/", &format!("one http://{}/", lattice.address)).await;
    let chunk = Bytes::from(vec![7_u8; 64 << 10]);
    let frames = futures::stream::iter(
        std::iter::repeat_n(chunk, 320)
            .map(|chunk| Ok::<_, hyper::Error>(http_body::Frame::data(chunk))),
    );
    let body = Body::new(http_body_util::StreamBody::new(frames));
    let mut body = lattice.send("/shop/echo", body).await.into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    assert_eq!(read, 320 * (64 << 10));
}

#[tokio::test]
async fn drain_closes_the_listener_and_ends() {
    let lattice = Lattice::start().await;
    lattice.text("/").await;
    tokio::time::timeout(PATIENCE, lattice.server.drain()).await.unwrap();
    tokio::net::TcpStream::connect(lattice.address).await.unwrap_err();
}
