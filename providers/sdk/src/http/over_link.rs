//! A request carried over a link: what `http-server` does where the target is not in its own process.

use http::{Request, Response};
use tokio::time::Instant;
use wicker_lattice::call::Call;
use wicker_lattice::http::{self as wire, RequestHead};
use wicker_lattice::id::{CallId, ObjectId};
use wicker_lattice::link::Binding;

use super::streams::{from_streams, into_streams};
use super::{Body, HttpError};

/// Asks what `binding` leads to, on behalf of `source`, and waits for the head of its answer until `deadline`.
///
/// Bodies stream both ways at the pace of their readers. The request's body goes on after the head of the answer has
/// come. Cancel-safe: dropping the future tells the target to stop.
///
/// # Errors
/// [`HttpError`]: the call failed, or the target answered with an error of its own.
pub async fn call(
    binding: &Binding,
    source: ObjectId,
    request: Request<Body>,
    deadline: Instant,
) -> Result<Response<Body>, HttpError> {
    let (parts, body) = request.into_parts();
    let call = Call {
        id: CallId::generate(),
        target: binding.target.clone(),
        source,
        link: binding.link.clone(),
        interface: wire::interface(),
        function: wire::HANDLE.into(),
        type_hash: wire::type_hash(),
        deadline,
        trace: None,
        params: wire::encode_request(&RequestHead::from(parts)),
        streams: into_streams(body),
    };
    let reply = binding.invoke.invoke(call).await?;
    let answer = wire::decode_response(&reply.results).map_err(HttpError::unreadable)?;
    let parts: http::response::Parts = answer?.into();
    let length = length_of(&parts.headers);
    let body = from_streams(reply.streams, length);
    Ok(Response::from_parts(parts, body))
}

/// What the `content-length` header says.
#[must_use]
pub fn length_of(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
