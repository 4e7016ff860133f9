//! Requests that arrive over a link, as calls of `wicker:http/handler`: from an ingress on another host, or from the
//! outgoing request of another component.

use http::uri::Scheme;
use http::{Request, Response};
use wicker_lattice::call::{Call, CallError, Reply, Status};
use wicker_lattice::http::{HANDLE, decode_request, encode_response, type_hash};

use super::error_code::to_wire;
use super::request::Entered;
use super::{Incoming, incoming, streams};
use crate::actor::Actor;

/// Answers one call of `wicker:http/handler`. The body of the response goes on in the streams of the reply.
pub(crate) async fn serve(actor: &Actor, call: Call) -> Result<Reply, CallError> {
    let Call { function, params, streams, deadline, trace, .. } = call;
    if &*function != HANDLE {
        let message = format!("wicker:http/handler has no function `{function}`");
        return Err(CallError::new(Status::NotFound, message));
    }
    if call.type_hash != type_hash() {
        let message = "the caller has another wicker:http/handler in mind";
        return Err(CallError::new(Status::TypeMismatch, message));
    }
    let head = decode_request(&params).map_err(|error| bad_frame(&error))?;
    let is_encrypted = head.scheme == Some(Scheme::HTTPS);
    let parts = head.into_parts().map_err(|error| bad_frame(&error))?;
    let request = Request::from_parts(parts, streams::join(streams)?);

    let incoming = Incoming { is_encrypted, deadline: Some(deadline), trace };
    let deadline = actor.http_deadline(&incoming);
    let permit = actor.admit(deadline.get()).await.inspect_err(|error| {
        actor.count::<()>(&Err(error.clone()));
    })?;
    let request = request.map(|body| incoming::body(body, &deadline));
    let entered = Entered { incoming, deadline, permit };
    match actor.exchange(request, entered).await? {
        Ok(response) => {
            let (parts, body) = Response::into_parts(response);
            let results = encode_response(&Ok(parts.into()));
            Ok(Reply { results, streams: streams::split(body) })
        }
        Err(error) => {
            Ok(Reply { results: encode_response(&Err(to_wire(error))), streams: Vec::new() })
        }
    }
}

fn bad_frame(error: &dyn std::error::Error) -> CallError {
    CallError::new(Status::BadFrame, format!("cannot read an HTTP request: {error}"))
}
