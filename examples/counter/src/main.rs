//! Counts its visitors in a key-value store, which it reaches only through a link: it does not know, and cannot tell,
//! whether that store is a file on this machine, Redis, or NATS on another one.

use wasi::keyvalue::{atomics, store};
use wstd::http::{Body, Error, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: "../../wit/wasi-keyvalue-0.2.0-draft",
    inline: "
        package example:counter;

        world counter {
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
        }
    ",
    world: "example:counter/counter",
    generate_all,
});

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    // One counter a path: `/` and `/shop` count apart.
    match count(request.uri().path()) {
        Ok(count) => Ok(Response::new(format!("{count}\n").into())),
        Err(error) => Ok(Response::builder()
            .status(StatusCode::SERVICE_UNAVAILABLE)
            .body(format!("cannot count: {error:?}\n").into())?),
    }
}

/// Counts one visit to `path` and returns how many there were.
fn count(path: &str) -> Result<u64, store::Error> {
    let bucket = store::open("visits")?;
    atomics::increment(&bucket, path, 1)
}
