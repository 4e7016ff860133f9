//! Sends the request on to the URL in `x-target`, streaming both ways, and says in `x-error` what went wrong.

wit_bindgen::generate!({ world: "http", path: "../../../wit/wasi-0.2", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::outgoing_handler;
use wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingRequest, IncomingResponse, OutgoingBody,
    OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};
use wasi::io::streams::{InputStream, OutputStream, StreamError};

const CHUNK_BYTES: u64 = 64 << 10;

struct Proxy;

impl Guest for Proxy {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match send(&request) {
            Ok(response) => answer(response, out),
            Err(error) => {
                let headers =
                    Fields::from_list(&[("x-error".into(), format!("{error:?}").into_bytes())]);
                let response = OutgoingResponse::new(headers.unwrap());
                response.set_status_code(502).unwrap();
                ResponseOutparam::set(out, Ok(response));
            }
        }
    }
}

/// Sends the request; its body while it arrives.
fn send(request: &IncomingRequest) -> Result<IncomingResponse, ErrorCode> {
    let target = request.headers().get("x-target").pop().expect("x-target is set");
    let target = String::from_utf8(target).unwrap();
    let (scheme, rest) = target.split_once("://").unwrap();
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let outgoing = OutgoingRequest::new(Fields::new());
    outgoing.set_method(&request.method()).unwrap();
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    outgoing.set_scheme(Some(&scheme)).unwrap();
    outgoing.set_authority(Some(authority)).unwrap();
    outgoing.set_path_with_query(Some(path)).unwrap();
    let body = outgoing.body().unwrap();
    let future = outgoing_handler::handle(outgoing, None)?;
    let output = body.write().unwrap();
    let incoming = request.consume().unwrap();
    let input = incoming.stream().unwrap();
    let sent = copy(&input, &output);
    drop((input, output));
    if sent {
        OutgoingBody::finish(body, None)?;
    }
    response(&future)
}

fn response(future: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    future.subscribe().block();
    future.get().unwrap().unwrap()
}

/// Answers with what the target said.
fn answer(incoming: IncomingResponse, out: ResponseOutparam) {
    let headers = Fields::from_list(&incoming.headers().entries()).unwrap();
    let response = OutgoingResponse::new(headers);
    response.set_status_code(incoming.status()).unwrap();
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    let output = body.write().unwrap();
    let incoming = incoming.consume().unwrap();
    let input = incoming.stream().unwrap();
    copy(&input, &output);
    drop((input, output));
    OutgoingBody::finish(body, None).unwrap();
}

/// Whether all of it arrived.
fn copy(input: &InputStream, output: &OutputStream) -> bool {
    loop {
        match output.blocking_splice(input, CHUNK_BYTES) {
            Ok(_) => {}
            Err(StreamError::Closed) => return true,
            Err(_) => return false,
        }
    }
}

export!(Proxy);
