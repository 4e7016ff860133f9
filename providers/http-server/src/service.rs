//! One request: made fit for the target, handed over, and its answer made fit for the client.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tracing::{debug, warn};
use ulid::Ulid;
use wicker_provider::http::{Body, HttpError, HttpTarget, Peer, strip_hop_by_hop};

use crate::activity::{Activity, InFlight, Order};
use crate::answer::Answer;
use crate::config::Forwarded;
use crate::forwarded::PeerHeaders;
use crate::log_limit::LogLimit;

/// What is the same for all requests of a listener.
#[derive(Debug)]
pub(crate) struct Policy {
    forwarded: Forwarded,
    log_limit: LogLimit,
}

impl Policy {
    pub(crate) fn new(forwarded: Forwarded) -> Self {
        Self { forwarded, log_limit: LogLimit::new(Instant::now()) }
    }
}

/// Answers the requests of one connection.
pub(crate) struct Requests<T> {
    target: Arc<T>,
    policy: Arc<Policy>,
    activity: Arc<Activity>,
    peer: Peer,
    peer_headers: PeerHeaders,
}

impl<T: HttpTarget> Requests<T> {
    pub(crate) fn new(
        target: Arc<T>,
        policy: Arc<Policy>,
        activity: Arc<Activity>,
        peer: Peer,
    ) -> Self {
        Self { target, policy, activity, peer, peer_headers: PeerHeaders::new(peer) }
    }

    /// Answers one request, whatever happens.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Answer<T::Body>>, Infallible> {
        let in_flight = InFlight::start(&self.activity);
        let version = request.version();
        let method = request.method().clone();
        let answered = match self.prepare(request) {
            Ok(request) => self.target.handle(request, self.peer).await,
            Err(error) => Err(error),
        };
        let answered = answered.and_then(|response| presentable(response, &method));
        let mut response = match answered {
            Ok(response) => response.map(|body| Answer::new(body, in_flight)),
            Err(error) => self.refusal(&error).map(|line| Answer::line(line, in_flight)),
        };
        if version < Version::HTTP_2 && self.activity.order() >= Order::Drain {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// Checks the request, and removes and adds the headers that are the server's business.
    fn prepare(&self, request: Request<Incoming>) -> Result<Request<Body>, HttpError> {
        if request.method() == Method::CONNECT {
            return Err(HttpError::new(StatusCode::NOT_IMPLEMENTED, "no tunnels here"));
        }
        let mut hosts = request.headers().get_all(HOST).iter();
        let named = hosts.next().is_some_and(|host| !host.is_empty());
        let has_host = named || request.uri().authority().is_some();
        if hosts.next().is_some() || !has_host && request.version() == Version::HTTP_11 {
            return Err(HttpError::new(StatusCode::BAD_REQUEST, "one host header is needed"));
        }
        let mut request = request.map(|body| self.watch(body));
        let headers = request.headers_mut();
        strip_hop_by_hop(headers);
        self.peer_headers.apply(self.policy.forwarded, headers);
        Ok(request)
    }

    fn watch(&self, body: Incoming) -> Body {
        if body.is_end_stream() {
            return Body::Empty;
        }
        let activity = Arc::clone(&self.activity);
        Body::new(Upload { body, activity, is_wanted: false })
    }

    /// Tells the client little and the log everything.
    fn refusal(&self, error: &HttpError) -> Response<String> {
        let id = Ulid::new();
        let status = error.status;
        if status.is_client_error() {
            debug!(request = %id, error = error as &dyn Error, "request refused");
        } else if let Some(suppressed) = self.policy.log_limit.admit(Instant::now()) {
            warn!(request = %id, suppressed, error = error as &dyn Error, "request failed");
        }
        let line = format!("{} {} (request {id})\n", status.as_str(), error.reason);
        let mut response = Response::new(line);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Some(after) = error.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

/// Makes sure that the target's answer is one that HTTP can carry.
fn presentable<B>(mut response: Response<B>, method: &Method) -> Result<Response<B>, HttpError>
where
    B: http_body::Body,
{
    let bad = |why: &'static str| {
        Err(HttpError::new(StatusCode::BAD_GATEWAY, "the answer made no sense").because(why))
    };
    if response.status().is_informational() {
        return bad("the target answered with an informational status");
    }
    let body = response.body().size_hint().exact();
    let mut claims = response.headers().get_all(CONTENT_LENGTH).iter();
    if let Some(claim) = claims.next() {
        let claim = claim.to_str().ok().and_then(|claim| claim.parse::<u64>().ok());
        let has_none = method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED;
        match (claim, body) {
            (None, _) => return bad("the target's content-length is no number"),
            (Some(_), Some(0)) if has_none => {}
            (Some(claim), Some(body)) if claim != body => {
                return bad("the target's content-length is not its body's");
            }
            _ if claims.next().is_some() => return bad("the target sent two content-lengths"),
            _ => {}
        }
    }
    strip_hop_by_hop(response.headers_mut());
    Ok(response)
}

/// A request's body, which notes when the target waits for the client.
struct Upload {
    body: Incoming,
    activity: Arc<Activity>,
    is_wanted: bool,
}

impl Upload {
    fn wants(&mut self) {
        if !self.is_wanted {
            self.is_wanted = true;
            self.activity.bodies_wanted.fetch_add(1, Relaxed);
        }
    }

    fn has(&mut self) {
        if self.is_wanted {
            self.is_wanted = false;
            self.activity.bodies_wanted.fetch_sub(1, Relaxed);
        }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() {
            self.wants()
        } else {
            self.has()
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.has();
    }
}
