//! A request carried over a link: what `http-server` does where the target is not in its own process.

use http::uri::Scheme;
use http::{Request, Response};
use tokio::time::Instant;
use wicker_lattice::call::{Call, TraceContext};
use wicker_lattice::http::{self as wire, RequestHead};
use wicker_lattice::id::{CallId, ObjectId};
use wicker_lattice::link::Binding;

use super::streams::{from_streams, into_streams};
use super::{Body, HttpError};

/// What a request takes along besides itself.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Who asks.
    pub source: ObjectId,
    /// When the head of the answer must be there.
    pub deadline: Instant,
    /// Where the client traces its requests.
    pub trace: Option<TraceContext>,
    /// How the client reached us, where the request itself does not say.
    pub scheme: Scheme,
}

/// Asks what `binding` leads to and waits for the head of its answer.
///
/// Bodies stream both ways at the pace of their readers. The request's body goes on after the head of the answer has
/// come. Cancel-safe: dropping the future tells the target to stop.
///
/// # Errors
/// [`HttpError`]: the call failed, or the target answered with an error of its own.
pub async fn call(
    binding: &Binding,
    outgoing: Outgoing,
    request: Request<Body>,
) -> Result<Response<Body>, HttpError> {
    let Outgoing { source, deadline, trace, scheme } = outgoing;
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
        trace,
        fence: None,
        params: wire::encode_request(&head_of(parts, scheme)),
        streams: into_streams(body),
    };
    let reply = binding.invoke.invoke(call).await?;
    let answer = wire::decode_response(&reply.results).map_err(HttpError::unreadable)?;
    let parts: http::response::Parts = answer?.into();
    let length = length_of(&parts.headers);
    let body = from_streams(reply.streams, length);
    Ok(Response::from_parts(parts, body))
}

/// The request's head, with the scheme and the authority that HTTP/1.1 leaves to the connection and to `host`.
fn head_of(parts: http::request::Parts, scheme: Scheme) -> RequestHead {
    let mut head = RequestHead::from(parts);
    if head.authority.is_none() {
        let host = head.headers.get(http::header::HOST);
        head.authority = host.and_then(|host| host.as_bytes().try_into().ok());
    }
    if head.authority.is_some() {
        head.scheme.get_or_insert(scheme);
    }
    head
}

/// What the `content-length` header says.
#[must_use]
pub fn length_of(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
