//! Keeps pictures and shows them. A picture goes from the client to the store as it arrives, and its name into a message: whoever
//! makes thumbnails is told by that.

wit_bindgen::generate!({
    path: ["../../../wit/wasi-0.2", "../../../wit/wicker-messaging"],
    inline: "
        package example:gallery;

        world web {
            include wasi:http/proxy@0.2.12;
            import wasi:blobstore/blobstore@0.2.0-draft;
            import wasi:blobstore/container@0.2.0-draft;
            import wasi:blobstore/types@0.2.0-draft;
            import wicker:messaging/consumer@0.1.0;
        }
    ",
    world: "example:gallery/web",
    generate_all,
});

use exports::wasi::http::incoming_handler::Guest;
use wasi::blobstore::blobstore::{create_container, get_container};
use wasi::blobstore::container::Container;
use wasi::blobstore::types::{IncomingValue, OutgoingValue};
use wasi::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::{OutputStream, StreamError};
use wicker::messaging::consumer::publish;
use wicker::messaging::types::Message;

const CHUNK_BYTES: u64 = 64 << 10;

/// Names in one answer to a list.
const NAMES: u64 = 1_000;

struct Web;

impl Guest for Web {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (request.method(), &parts[..]) {
            (Method::Put, ["photos", name]) => match keep(&request, name) {
                Ok(bytes) => answer(out, 201, format!("{bytes} bytes\n").as_bytes()),
                Err(error) => answer(out, 502, format!("{error}\n").as_bytes()),
            },
            (Method::Get, [""]) => match names() {
                Ok(names) => answer(out, 200, names.as_bytes()),
                Err(error) => answer(out, 502, format!("{error}\n").as_bytes()),
            },
            (Method::Get, [container @ ("photos" | "thumbnails"), name]) => {
                match open(container).and_then(|all| all.get_data(name, 0, u64::MAX)) {
                    Ok(picture) => show(out, picture),
                    Err(error) => answer(out, 404, format!("{error}\n").as_bytes()),
                }
            }
            _ => answer(
                out,
                404,
                b"try PUT /photos/NAME, GET /, GET /photos/NAME, GET /thumbnails/NAME\n",
            ),
        }
    }
}

/// A container, made when it is first needed.
fn open(name: &str) -> Result<Container, String> {
    get_container(name).or_else(|_| create_container(name))
}

/// Streams the request's body into the store, and then says so.
fn keep(request: &IncomingRequest, name: &str) -> Result<u64, String> {
    let value = OutgoingValue::new_outgoing_value();
    open("photos")?.write_data(name, &value)?;
    let body = request.consume().map_err(|()| "the request has no body")?;
    let input = body.stream().map_err(|()| "the request has no body")?;
    let output = value.outgoing_value_write_body().map_err(|()| "the value has no stream")?;
    let mut bytes = 0;
    loop {
        match output.blocking_splice(&input, CHUNK_BYTES) {
            Ok(moved) => bytes += moved,
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    drop(output);
    OutgoingValue::finish(value)?;
    let subject = "gallery.photos".to_owned();
    let told = Message { subject, body: name.into(), reply_to: None, headers: Vec::new() };
    publish(&told).map_err(|error| format!("{error:?}"))?;
    Ok(bytes)
}

fn names() -> Result<String, String> {
    let (names, _) = open("photos")?.list_objects()?.read_stream_object_names(NAMES)?;
    Ok(names.iter().map(|name| format!("{name}\n")).collect())
}

/// Streams a picture out of the store.
fn show(out: ResponseOutparam, picture: IncomingValue) {
    respond(out, 200, |output| {
        let input = IncomingValue::incoming_value_consume_async(picture).expect("it is read once");
        loop {
            match output.blocking_splice(&input, CHUNK_BYTES) {
                Ok(_) => {}
                Err(StreamError::Closed) => break,
                // The client sees that the answer broke off.
                Err(error) => panic!("cannot read the picture: {error}"),
            }
        }
        output.blocking_flush().expect("the client listens");
    });
}

fn answer(out: ResponseOutparam, status: u16, text: &[u8]) {
    respond(out, status, |output| {
        for part in text.chunks(4096) {
            output.blocking_write_and_flush(part).expect("the client listens");
        }
    });
}

fn respond(out: ResponseOutparam, status: u16, fill: impl FnOnce(&OutputStream)) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).expect("a status");
    let body = response.body().expect("it is taken once");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("it is taken once");
    fill(&stream);
    drop(stream);
    OutgoingBody::finish(body, None).expect("it is as long as it says");
}

export!(Web);
