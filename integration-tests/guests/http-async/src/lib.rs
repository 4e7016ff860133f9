//! The guests of WASI 0.3 in one: greets, echoes while the request arrives, sends on, traps and sleeps, as the path says.

wit_bindgen::generate!({ world: "http", path: "../../../wit/wasi-0.3", generate_all });

use exports::wasi::http::handler::Guest;
use wasi::clocks::monotonic_clock;
use wasi::http::client;
use wasi::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wit_bindgen::StreamResult;

const CHUNK_BYTES: usize = 64 << 10;

/// Longer than the deadline of the test that asks for it.
const PAUSE_NS: u64 = 3_000_000_000;

struct Async;

impl Guest for Async {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        match path.as_str() {
            "/echo" => Ok(echo(request)),
            "/copy" => Ok(copy(request)),
            "/proxy" => client::send(onward(request)).await,
            "/error" => Err(ErrorCode::LoopDetected),
            "/trap" => panic!("asked to"),
            "/spin" => loop {
                std::hint::spin_loop();
            },
            "/sleep" => {
                monotonic_clock::wait_for(3_600_000_000_000).await;
                Ok(greet())
            }
            "/pause-after-head" => Ok(greet_after(PAUSE_NS)),
            _ => Ok(greet()),
        }
    }
}

fn greet() -> Response {
    greet_after(0)
}

/// Answers at once, and says something after a while.
fn greet_after(pause_ns: u64) -> Response {
    let headers = Fields::from_list(&[("content-type".into(), b"text/plain".to_vec())]).unwrap();
    let (mut writer, reader) = wit_stream::new();
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(headers, Some(reader), trailers_reader);
    wit_bindgen::spawn_local(async move {
        if pause_ns > 0 {
            monotonic_clock::wait_for(pause_ns).await;
        }
        writer.write_all(b"Hello from an async component!\n".to_vec()).await;
        drop(writer);
        _ = trailers.write(Ok(None)).await;
    });
    response
}

/// Hands the request's stream on as it is.
fn echo(request: Request) -> Response {
    let (_, done) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, done);
    Response::new(Fields::new(), Some(body), trailers).0
}

/// Reads and writes each chunk.
fn copy(request: Request) -> Response {
    let (_, done) = wit_future::new(|| Ok(()));
    let (mut body, trailers) = Request::consume_body(request, done);
    let (mut writer, reader) = wit_stream::new();
    let response = Response::new(Fields::new(), Some(reader), trailers).0;
    wit_bindgen::spawn_local(async move {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        loop {
            let (result, read) = body.read(chunk).await;
            let StreamResult::Complete(_) = result else { return };
            chunk = writer.write_all(read).await;
            if !chunk.is_empty() {
                return;
            }
            chunk.clear();
        }
    });
    response
}

/// The request, for the URL in `x-target`.
fn onward(request: Request) -> Request {
    let target = request.get_headers().get("x-target").pop().expect("x-target is set");
    let target = String::from_utf8(target).unwrap();
    let (scheme, rest) = target.split_once("://").unwrap();
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let method = request.get_method();
    let (_, done) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, done);
    let outgoing = Request::new(Fields::new(), Some(body), trailers, None).0;
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    outgoing.set_method(&method).unwrap();
    outgoing.set_scheme(Some(&scheme)).unwrap();
    outgoing.set_authority(Some(authority)).unwrap();
    outgoing.set_path_with_query(Some(path)).unwrap();
    outgoing
}

export!(Async);
