//! Streams the request's body back while it arrives, and its trailers after it.

wit_bindgen::generate!({ world: "http", path: "../wit/p2", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::StreamError;

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

        let incoming = request.consume().unwrap();
        let input = incoming.stream().unwrap();
        let response = OutgoingResponse::new(headers);
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
}

export!(Echo);
