//! Streams the request's body back while it arrives, and its trailers after it. `/upload` only counts the bytes and
//! answers with their number once all have arrived; `/download?N` answers with N bytes.

wit_bindgen::generate!({ world: "http", path: "../../../wit/wasi-0.2", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::{OutputStream, StreamError};

const CHUNK_BYTES: u64 = 64 << 10;

struct Echo;

impl Guest for Echo {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let headers = Fields::new();
        for (name, value) in request.headers().entries() {
            if name.starts_with("x-") {
                headers.append(&name, &value).unwrap();
            }
        }
        let method = format!("{:?}", request.method());
        headers.append("x-method", method.as_bytes()).unwrap();
        let path = request.path_with_query().unwrap_or_default();
        headers.append("x-path", path.as_bytes()).unwrap();
        let authority = request.authority().unwrap_or_default();
        headers.append("x-authority", authority.as_bytes()).unwrap();

        let response = OutgoingResponse::new(headers);
        if path == "/upload" {
            let bytes = swallow(&request);
            write(response, out, |stream| {
                stream.blocking_write_and_flush(bytes.to_string().as_bytes()).unwrap();
            });
        } else if let Some(bytes) = path.strip_prefix("/download?") {
            let mut rest: usize = bytes.parse().unwrap();
            write(response, out, |stream| {
                while rest > 0 {
                    let len = rest.min(4096);
                    stream.blocking_write_and_flush(&[b'x'; 4096][..len]).unwrap();
                    rest -= len;
                }
            });
        } else {
            echo(&request, response, out);
        }
    }
}

/// Reads the whole body and counts its bytes.
fn swallow(request: &IncomingRequest) -> usize {
    let incoming = request.consume().unwrap();
    let input = incoming.stream().unwrap();
    let mut bytes = 0;
    while let Ok(chunk) = input.blocking_read(CHUNK_BYTES) {
        bytes += chunk.len();
    }
    bytes
}

/// Answers with what `fill` writes.
fn write(response: OutgoingResponse, out: ResponseOutparam, fill: impl FnOnce(&OutputStream)) {
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().unwrap();
    fill(&stream);
    drop(stream);
    OutgoingBody::finish(body, None).unwrap();
}

fn echo(request: &IncomingRequest, response: OutgoingResponse, out: ResponseOutparam) {
    let incoming = request.consume().unwrap();
    let input = incoming.stream().unwrap();
    let body = response.body().unwrap();
    let output = body.write().unwrap();
    ResponseOutparam::set(out, Ok(response));
    loop {
        match output.blocking_splice(&input, CHUNK_BYTES) {
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            Err(error) => panic!("cannot echo: {error}"),
        }
    }
    output.blocking_flush().unwrap();
    drop((input, output));
    let trailers = IncomingBody::finish(incoming);
    trailers.subscribe().block();
    let trailers = trailers.get().unwrap().unwrap().unwrap();
    // What arrived cannot be sent on as it is: it is immutable, but a clone is not.
    OutgoingBody::finish(body, trailers.map(|fields| fields.clone())).unwrap();
}

export!(Echo);
