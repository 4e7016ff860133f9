//! HTTP as a provider meets it: who answers requests ([`HttpTarget`]), what bodies are ([`Body`]), and how a request
//! that nobody could answer ends ([`HttpError`]).
//!
//! The `http-server` provider is generic over [`HttpTarget`]: in a host, `ingress` implements it with the engine's
//! typed entry for components beside it; everywhere else [`call`] carries the request over a link. Nothing in here knows a
//! socket.

mod body;
mod error;
mod hop;
mod over_link;
mod streams;
mod trace;

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};

pub use body::{Body, BoxError};
pub use error::HttpError;
pub use hop::strip_hop_by_hop;
pub use over_link::{Outgoing, call, length_of};
pub use streams::{from_streams, into_streams};
pub use trace::trace_of;

/// Answers the requests that an `http-server` received.
///
/// Generic, not boxed: this is the hottest path there is. The future is polled inside the task of the connection
/// that the request came on (HTTP/1.1), or in one of its own (HTTP/2, where requests share the connection).
pub trait HttpTarget: Send + Sync + 'static {
    /// What answers consist of. Its length should be exact where it is known: then it is sent in one write.
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers `request`, which came from `peer`.
    ///
    /// Hop-by-hop headers are gone from it, and the forwarding headers say what the server's policy is. Dropping the
    /// future means that the client is gone. It may take as long as it likes: deadlines are the target's own.
    ///
    /// # Errors
    /// [`HttpError`]: nobody answered. The server turns it into a short answer and logs its cause.
    fn handle(
        &self,
        request: Request<Body>,
        peer: Peer,
    ) -> impl Future<Output = Result<Response<Self::Body>, HttpError>> + Send;
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where it connected from.
    pub address: SocketAddr,
    /// Whether the connection is encrypted, so that the request's scheme is `https`.
    pub is_encrypted: bool,
}

/// The host that a request is for, without its port and as the client wrote it: from the request line (HTTP/2, and
/// proxies), else from its `host` header.
#[must_use]
pub fn host_of<B>(request: &Request<B>) -> Option<&str> {
    if let Some(host) = request.uri().host() {
        return Some(host);
    }
    let header = request.headers().get(http::header::HOST)?.to_str().ok()?;
    // An IPv6 address keeps its brackets: `[::1]:8000`.
    match header.rfind(']') {
        Some(end) => header.get(..=end),
        None => header.split(':').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(uri: &str, header: Option<&str>) -> Option<String> {
        let mut request = Request::builder().uri(uri);
        if let Some(header) = header {
            request = request.header("host", header);
        }
        host_of(&request.body(()).unwrap()).map(str::to_owned)
    }

    #[test]
    fn host_comes_from_the_request_line_then_from_the_header() {
        assert_eq!(host("http://a.example:81/x", Some("b.example")).as_deref(), Some("a.example"));
        assert_eq!(host("/x", Some("b.example:8000")).as_deref(), Some("b.example"));
        assert_eq!(host("/x", Some("[::1]:8000")).as_deref(), Some("[::1]"));
        assert_eq!(host("/x", None), None);
    }
}
