//! One link: its allow-list, its pool of connections, and the requests that go through it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Request, Response, Uri, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming as Download;
use hyper::rt::Executor;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioTimer;
use tokio::time::{Instant, Sleep, sleep};
use tracing::{debug, info};
use wicker_process::Tasks;
use wicker_provider::http::{
    Body, BoxError, from_streams, into_streams, length_of, strip_hop_by_hop,
};
use wicker_provider::lattice::call::{CallError, Reply, Status};
use wicker_provider::lattice::http::{self as wire, ErrorCode, RequestHead, ResponseHead};
use wicker_provider::lattice::store::record::{self, Scope as LinkScope};
use wicker_provider::{Incoming, Scope};

use crate::allow::{AllowList, Destination, HostName};
use crate::connector::{ConnectError, Connector};
use crate::failure;

/// Idle connections kept for one host.
const IDLE_CONNECTIONS_MAX: usize = 32;

/// How long an idle connection is kept: less than servers usually do, so that it rarely closes under a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// One link. Requests go out through it, and connections belong to it alone.
pub struct Link {
    place: Place,
    allow: Arc<AllowList>,
    client: Client<HttpsConnector<Connector>, Body>,
    stall: Duration,
}

/// How a person names this link on a command line.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    source: String,
    scope: String,
    name: String,
    target: String,
}

impl Place {
    pub(crate) fn of(link: &record::Link) -> Self {
        let scope = match &link.scope {
            LinkScope::Interface(interface) => interface.to_string(),
            LinkScope::Package(package) => package.to_string(),
        };
        Self {
            source: link.source.to_string(),
            scope,
            name: link.name.clone(),
            target: link.target.to_string(),
        }
    }

    /// The command that gives the link this allow-list.
    fn command(&self, allow: &str) -> String {
        let Self { source, scope, name, target } = self;
        let name = if name == wicker_provider::lattice::call::DEFAULT_LINK {
            String::new()
        } else {
            format!(" --name {name}")
        };
        // `*` means something to shells.
        let allow =
            if allow.contains('*') { format!("'allow={allow}'") } else { format!("allow={allow}") };
        format!("wicker link set {source} {scope} {target}{name} --config {allow}")
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) stall: Duration,
}

/// Why a request got no response.
enum Refusal {
    /// The link does not allow it; the message says what would.
    Denied(CallError),
    /// It was tried, or makes no sense.
    Failed(ErrorCode),
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::Failed(code)
    }
}

impl Link {
    pub(crate) fn new(
        place: Place,
        allow: AllowList,
        timeouts: Timeouts,
        tls: rustls::ClientConfig,
        tasks: Tasks,
    ) -> Self {
        let allow = Arc::new(allow);
        let connector = Connector { allow: Arc::clone(&allow), timeout: timeouts.connect };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector);
        let client = Client::builder(Connections(tasks))
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Self { place, allow, client, stall: timeouts.stall }
    }

    /// Answers one call of `wicker:http/handler.handle`.
    pub(crate) async fn handle(&self, call: Incoming) -> Result<Reply, CallError> {
        let head = wire::decode_request(&call.params)
            .map_err(|error| CallError::new(Status::BadFrame, error.to_string()))?;
        let body = from_streams(call.streams, length_of(&head.headers));
        let result = match self.send(head, body).await {
            Ok(response) => Ok(response),
            Err(Refusal::Denied(error)) => return Err(error),
            Err(Refusal::Failed(code)) => Err(code),
        };
        let (head, streams) = match result {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let body = Watched { body, stall: self.stall, since: None };
                (Ok(ResponseHead::from(parts)), into_streams(body))
            }
            Err(code) => (Err(code), Vec::new()),
        };
        Ok(Reply { results: wire::encode_response(&head), streams })
    }

    async fn send(&self, head: RequestHead, body: Body) -> Result<Response<Download>, Refusal> {
        let request = outgoing(head, body).await?;
        let destination = destination(request.uri())?;
        if !self.allow.allows(&destination) {
            return Err(self.denied(&destination, "is not allowed"));
        }
        let deadline = Scope::current().map(|scope| scope.deadline);
        let sent = self.client.request(request);
        let sent = match deadline {
            // A little earlier than whoever called: so that it hears why.
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                tokio::time::timeout(left.mul_f32(0.98), sent)
                    .await
                    .map_err(|_| ErrorCode::HttpResponseTimeout)?
            }
            None => sent.await,
        };
        let mut response = sent.map_err(|error| self.refusal(&destination, &error))?;
        strip_hop_by_hop(response.headers_mut());
        Ok(response)
    }

    fn refusal(
        &self,
        destination: &Destination,
        error: &hyper_util::client::legacy::Error,
    ) -> Refusal {
        if let Some(ConnectError::NotPublic { address, .. }) = connect_error(error) {
            let port = destination.port;
            let granted = Destination { host: HostName::Address(address.ip()), port };
            let why = format!("leads to {}, which is not public and", address.ip());
            return self.denied(&granted, &format!("({destination} {why} is not allowed)"));
        }
        let code = failure::code(error);
        debug!(%destination, code = code.name(), error = error as &dyn std::error::Error, "no response");
        Refusal::Failed(code)
    }

    fn denied(&self, destination: &Destination, why: &str) -> Refusal {
        let command = self.place.command(&self.allow.with(destination));
        let source = &self.place.source;
        let message = format!("{source} may not ask {destination}: {why}; to allow it: {command}");
        info!(source, %destination, "request denied");
        Refusal::Denied(CallError::new(Status::Denied, message))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("place", &self.place)
            .field("allow", &self.allow)
            .finish_non_exhaustive()
    }
}

/// The connector's own error, deep inside the client's.
fn connect_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a ConnectError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<ConnectError>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The request as it goes out.
async fn outgoing(head: RequestHead, body: Body) -> Result<Request<Body>, ErrorCode> {
    let RequestHead { method, scheme, authority, path_with_query, mut headers } = head;
    if method == Method::CONNECT {
        return Err(ErrorCode::HttpRequestMethodInvalid);
    }
    let scheme = scheme.unwrap_or(Scheme::HTTPS);
    if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
        return Err(ErrorCode::HttpRequestUriInvalid);
    }
    let authority = authority.filter(is_plain).ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let path = path_with_query.unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
    let uri = uri.map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
    strip_hop_by_hop(&mut headers);
    // The authority was checked, so nothing else may say who is asked; the client writes it.
    headers.remove(HOST);
    let body = match headers.contains_key(CONTENT_LENGTH) {
        true => body,
        false => without_empty(&method, body).await,
    };
    if body.is_end_stream() && [Method::POST, Method::PUT, Method::PATCH].contains(&method) {
        // Servers refuse these without a length (411).
        headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
    }
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    (*request.headers_mut(), *request.version_mut()) = (headers, Version::HTTP_11);
    Ok(request)
}

/// Names and passwords in an authority are for people's eyes only, and have fooled many.
fn is_plain(authority: &Authority) -> bool {
    !authority.as_str().contains('@') && !authority.host().is_empty()
}

/// Finds out that a body of unknown length is empty, where that is likely: a chunked body with nothing in it
/// confuses servers. Methods that have no body are waited for; others only where it shows at once.
async fn without_empty(method: &Method, mut body: Body) -> Body {
    if body.is_end_stream() {
        return Body::Empty;
    }
    let has_none = [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS].contains(method);
    let first = if has_none { Some(body.frame().await) } else { body.frame().now_or_never() };
    match first {
        None => body,
        Some(None) => Body::Empty,
        Some(Some(first)) => Body::Stream(Box::pin(Begun { first: Some(first), body })),
    }
}

/// A body of which the first frame was read already.
struct Begun {
    first: Option<Result<Frame<Bytes>, BoxError>>,
    body: Body,
}

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }
}

fn destination(uri: &Uri) -> Result<Destination, ErrorCode> {
    let port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let authority = uri.authority().ok_or(ErrorCode::HttpRequestUriInvalid)?;
    Ok(Destination::new(authority, port))
}

/// A response's body, which breaks when it stands still for too long.
struct Watched {
    body: Download,
    stall: Duration,
    /// Runs while the body is waited for.
    since: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.since = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let stall = self.stall;
        let since = self.since.get_or_insert_with(|| Box::pin(sleep(stall)));
        match since.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                Poll::Ready(Some(Err(format!("the response stood still for {stall:?}").into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Connections run in tasks of the provider.
#[derive(Debug, Clone)]
struct Connections(Tasks);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Connections {
    fn execute(&self, connection: F) {
        self.0.spawn_work(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            source: "default/shop/cart".to_owned(),
            scope: "wasi:http@0.2".to_owned(),
            name: "default".to_owned(),
            target: "default/http-client/http-client".to_owned(),
        }
    }

    #[test]
    fn command_is_complete_and_survives_a_shell() {
        assert_eq!(
            place().command("a.example,b.example:81"),
            "wicker link set default/shop/cart wasi:http@0.2 default/http-client/http-client \
             --config allow=a.example,b.example:81"
        );
        let other = Place { name: "api".to_owned(), ..place() };
        assert!(other.command("*.a.example").ends_with("--name api --config 'allow=*.a.example'"));
    }

    fn head(authority: &str) -> RequestHead {
        RequestHead { authority: authority.parse().ok(), ..RequestHead::default() }
    }

    #[tokio::test]
    async fn request_says_once_who_is_asked() {
        let mut ours = head("a.example:81");
        ours.headers.insert(HOST, http::HeaderValue::from_static("b.example"));
        let request = outgoing(ours, Body::Empty).await.unwrap();
        assert_eq!(request.uri(), "https://a.example:81/");
        assert!(request.headers().is_empty());
    }

    #[tokio::test]
    async fn authority_with_a_password_or_none_is_refused() {
        for authority in ["a.example:pass@b.example", "user@b.example", ""] {
            let refused = outgoing(head(authority), Body::Empty).await.unwrap_err();
            assert_eq!(refused, ErrorCode::HttpRequestUriInvalid, "{authority}");
        }
    }
}
