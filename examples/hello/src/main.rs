//! Answers every HTTP request with a greeting. The smallest Wicker application.

use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(_request: Request<Body>) -> Result<Response<Body>, Error> {
    Ok(Response::new("Hello from a component!\n".into()))
}
