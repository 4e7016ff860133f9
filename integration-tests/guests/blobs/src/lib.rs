//! `wasi:blobstore@0.2.0-draft`, as components of WASI 0.2 use it. `/VERB/CONTAINER/NAME?MORE` does one thing and answers
//! with what it came to.

wit_bindgen::generate!({ world: "blobs", path: "../../../wit/wasi-0.2", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use wasi::blobstore::blobstore;
use wasi::blobstore::container::Container;
use wasi::blobstore::types::{IncomingValue, ObjectId, OutgoingValue};
use wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::{InputStream, OutputStream, StreamError};

const CHUNK_BYTES: u64 = 64 << 10;

struct Blobs;

impl Guest for Blobs {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (path, more) = path.split_once('?').unwrap_or((&path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').splitn(3, '/').collect();
        let [verb, container, name] = parts[..] else { panic!("no such path: {path}") };
        if verb == "read" {
            return read(container, name, more, out);
        }
        let done = match verb {
            "upload" => upload(&request, container, name),
            "fill" => fill(container, name, more.parse().unwrap()),
            "sum" => sum(container, name),
            "late" => late(container, name, more.parse().unwrap()),
            "closed" => closed(container, name, more),
            "abandon" => abandon(container, name),
            "glance" => glance(container, name),
            "sync" => range(container, name, more).and_then(|value| {
                let size = value.size();
                let bytes = IncomingValue::incoming_value_consume_sync(value)?;
                Ok(format!("{size} {}", String::from_utf8_lossy(&bytes[..bytes.len().min(100)])))
            }),
            other => small(other, container, name, more),
        };
        let text = done.unwrap_or_else(|error| format!("error: {error}"));
        respond(out, |stream| write(stream, text.as_bytes()).unwrap());
    }
}

/// What needs no stream.
fn small(verb: &str, container: &str, name: &str, more: &str) -> Result<String, String> {
    let id = |container: &str, object: &str| ObjectId {
        container: container.to_owned(),
        object: object.to_owned(),
    };
    match verb {
        "create" => blobstore::create_container(container)?.name(),
        "remove" => blobstore::delete_container(container).map(|()| "removed".to_owned()),
        "exists" => Ok(blobstore::container_exists(container)?.to_string()),
        "copy" => {
            blobstore::copy_object(&id(container, name), &id(container, more))?;
            Ok("copied".to_owned())
        }
        "move" => {
            blobstore::move_object(&id(container, name), &id(container, more))?;
            Ok("moved".to_owned())
        }
        "info" => open(container)?.info().map(|info| info.name),
        "has" => Ok(open(container)?.has_object(name)?.to_string()),
        "size" => {
            let info = open(container)?.object_info(name)?;
            assert!(info.created_at > 1_600_000_000 && info.container == container);
            Ok(format!("{} {}", info.name, info.size))
        }
        "delete" => open(container)?.delete_object(name).map(|()| "deleted".to_owned()),
        "clear" => open(container)?.clear().map(|()| "cleared".to_owned()),
        "list" => list(container, more.parse().unwrap()),
        other => panic!("no such verb: {other}"),
    }
}

fn open(container: &str) -> Result<Container, String> {
    blobstore::get_container(container)
}

fn list(container: &str, at_once: u64) -> Result<String, String> {
    let names = open(container)?.list_objects()?;
    let (skipped, _) = names.skip_stream_object_names(1)?;
    let mut all = vec![format!("skipped {skipped}")];
    loop {
        let (some, is_over) = names.read_stream_object_names(at_once)?;
        assert!(some.len() as u64 <= at_once);
        all.extend(some);
        if is_over {
            return Ok(all.join(" "));
        }
    }
}

/// `START-END`, both included; nothing: all.
fn range(container: &str, name: &str, range: &str) -> Result<IncomingValue, String> {
    let (start, end) = range.split_once('-').unwrap_or(("0", ""));
    let end = if end.is_empty() { u64::MAX } else { end.parse().unwrap() };
    open(container)?.get_data(name, start.parse().unwrap(), end)
}

/// The request's body, spliced into the object.
fn upload(request: &IncomingRequest, container: &str, name: &str) -> Result<String, String> {
    let incoming = request.consume().unwrap();
    let input = incoming.stream().unwrap();
    let value = OutgoingValue::new_outgoing_value();
    let output = value.outgoing_value_write_body().unwrap();
    open(container)?.write_data(name, &value)?;
    let mut bytes = 0;
    loop {
        match output.blocking_splice(&input, CHUNK_BYTES) {
            Ok(spliced) => bytes += spliced,
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
    drop(output);
    OutgoingValue::finish(value)?;
    Ok(bytes.to_string())
}

/// What is in chunk `at` of what `fill` writes.
fn chunk(at: u64) -> Vec<u8> {
    vec![(at % 251) as u8; CHUNK_BYTES as usize]
}

/// So many chunks, written after the place was said.
fn fill(container: &str, name: &str, chunks: u64) -> Result<String, String> {
    let value = OutgoingValue::new_outgoing_value();
    open(container)?.write_data(name, &value)?;
    let output = value.outgoing_value_write_body().unwrap();
    (0..chunks).try_for_each(|at| write(&output, &chunk(at)))?;
    drop(output);
    OutgoingValue::finish(value)?;
    Ok((chunks * CHUNK_BYTES).to_string())
}

/// The same, written before the place was said, and with its stream open to the end.
fn late(container: &str, name: &str, chunks: u64) -> Result<String, String> {
    let value = OutgoingValue::new_outgoing_value();
    let output = value.outgoing_value_write_body().unwrap();
    (0..chunks).try_for_each(|at| write(&output, &chunk(at)))?;
    open(container)?.write_data(name, &value)?;
    OutgoingValue::finish(value)?;
    Ok((chunks * CHUNK_BYTES).to_string())
}

/// Text whose stream is closed before the place is said, and that nobody finishes.
fn closed(container: &str, name: &str, text: &str) -> Result<String, String> {
    let value = OutgoingValue::new_outgoing_value();
    let output = value.outgoing_value_write_body().unwrap();
    write(&output, text.as_bytes())?;
    drop(output);
    open(container)?.write_data(name, &value)?;
    Ok("written".to_owned())
}

/// Writes a little and drops the value.
fn abandon(container: &str, name: &str) -> Result<String, String> {
    let value = OutgoingValue::new_outgoing_value();
    open(container)?.write_data(name, &value)?;
    let output = value.outgoing_value_write_body().unwrap();
    write(&output, &chunk(1))?;
    Ok("abandoned".to_owned())
}

fn write(output: &OutputStream, mut bytes: &[u8]) -> Result<(), String> {
    while !bytes.is_empty() {
        output.subscribe().block();
        let room = output.check_write().map_err(describe)?;
        let (now, rest) = bytes.split_at(bytes.len().min(room as usize));
        output.write(now).map_err(describe)?;
        bytes = rest;
    }
    Ok(())
}

fn describe(error: StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    }
}

/// Reads what `fill` has written, and counts it.
fn sum(container: &str, name: &str) -> Result<String, String> {
    let input = stream(range(container, name, "")?)?;
    let mut bytes = 0_u64;
    loop {
        match input.blocking_read(CHUNK_BYTES) {
            Ok(some) => {
                for byte in some {
                    assert!(u64::from(byte) == bytes / CHUNK_BYTES % 251, "byte {bytes}");
                    bytes += 1;
                }
            }
            Err(StreamError::Closed) => return Ok(bytes.to_string()),
            Err(error) => return Err(describe(error)),
        }
    }
}

fn stream(value: IncomingValue) -> Result<InputStream, String> {
    IncomingValue::incoming_value_consume_async(value)
}

/// Reads one piece and drops the rest.
fn glance(container: &str, name: &str) -> Result<String, String> {
    let input = stream(range(container, name, "")?)?;
    let some = input.blocking_read(16).map_err(describe)?;
    Ok(some.len().to_string())
}

/// The object as the response's body.
fn read(container: &str, name: &str, range_: &str, out: ResponseOutparam) {
    let value = range(container, name, range_).unwrap();
    respond(out, |output| {
        let input = stream(value).unwrap();
        loop {
            match output.blocking_splice(&input, CHUNK_BYTES) {
                Ok(_) => {}
                Err(StreamError::Closed) => break,
                Err(error) => panic!("cannot read: {error}"),
            }
        }
        output.blocking_flush().unwrap();
    });
}

fn respond(out: ResponseOutparam, fill: impl FnOnce(&OutputStream)) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().unwrap();
    fill(&stream);
    drop(stream);
    OutgoingBody::finish(body, None).unwrap();
}

export!(Blobs);
