//! The way of a request into a guest.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokio::sync::oneshot;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, WasiBody};
use wicker_lattice::call::{CallError, Status, TraceContext};

use super::exchange::Exchange;
use super::job::{Job, Start};
use super::{BoxError, HttpBody, incoming, response, v2, v3};
use crate::actor::Actor;
use crate::admission::Permit;
use crate::deadline::Deadline;
use crate::instance::Warm;
use crate::log::{Level, Origin};
use crate::program::HttpEntry;

/// How a request came in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Incoming {
    /// Whether the client's connection is encrypted: then the request's scheme is `https`.
    pub is_encrypted: bool,
    /// When the caller stops waiting for the response's head. `None`: the actor's own deadline alone counts.
    pub deadline: Option<Instant>,
    /// W3C trace context, where the caller is traced.
    pub trace: Option<TraceContext>,
}

/// A request that got no response.
#[derive(Debug)]
pub struct Refused<B> {
    /// Why.
    pub error: CallError,
    /// The request, where it never got in: another replica may have it.
    pub request: Option<Box<Request<B>>>,
}

/// A request that got in.
pub(super) struct Entered {
    pub(super) incoming: Incoming,
    pub(super) deadline: Deadline,
    pub(super) permit: Permit,
}

impl Actor {
    /// Has the component answer `request`, and returns as soon as the head of its response is there.
    ///
    /// The guest goes on inside the body of the response, for as long as that is read; dropping the body, or this
    /// future, stops it. A request without authority gets one from its `host` header.
    ///
    /// # Errors
    /// As every call: `overloaded` and `draining` before it ran, `deadline` when no head came in time, `trapped` when
    /// the guest failed before its head. What fails after the head ends the body with an error.
    pub async fn http<B>(
        &self,
        request: Request<B>,
        incoming: Incoming,
    ) -> Result<Response<HttpBody>, CallError>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.try_http(request, incoming).await.map_err(|refused| refused.error)
    }

    /// [`Actor::http`] for a caller who may know somebody else: a request that did not get in is given back.
    ///
    /// # Errors
    /// As [`Actor::http`]. [`Refused::request`] is there where nothing of the request was used.
    pub async fn try_http<B>(
        &self,
        request: Request<B>,
        incoming: Incoming,
    ) -> Result<Response<HttpBody>, Refused<B>>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let deadline = self.http_deadline(&incoming);
        let permit = match self.admit(deadline.get()).await {
            Ok(permit) => permit,
            Err(error) => {
                self.count::<()>(&Err(error.clone()));
                return Err(Refused { error, request: Some(Box::new(request)) });
            }
        };
        let request = request.map(|body| incoming::body(body, &deadline));
        let entered = Entered { incoming, deadline, permit };
        let exchanged = self.exchange(request, entered).await;
        let response = match exchanged.map_err(|error| Refused { error, request: None })? {
            Ok(response) => response,
            Err(error) => {
                let text = format!("answered a request with an error: {error}");
                self.template().guest_line(Origin::Engine, Level::Warn, &text);
                let mut response = Response::new(HttpBody::default());
                *response.status_mut() = status(&error);
                response
            }
        };
        Ok(response)
    }

    pub(super) fn http_deadline(&self, incoming: &Incoming) -> Deadline {
        Deadline::of_exchange(self.deadline(incoming.deadline), self.config().limits.deadline)
    }

    /// [`Actor::http`], with the error code that a guest may answer with in place of a response.
    pub(super) async fn exchange(
        &self,
        request: Request<WasiBody>,
        entered: Entered,
    ) -> Result<Result<Response<HttpBody>, Error>, CallError> {
        let result = self.begin(request, entered, self.warm()).await;
        self.count(&result);
        result
    }

    /// Runs the guest in an instance of `warm`, or a fresh one.
    pub(super) async fn begin(
        &self,
        request: Request<WasiBody>,
        entered: Entered,
        warm: &Arc<Warm>,
    ) -> Result<Result<Response<HttpBody>, Error>, CallError> {
        let Entered { incoming, deadline, permit } = entered;
        let Some(entry) = self.program().http() else {
            let message = format!("{} does not answer HTTP requests", self.config().id);
            return Err(CallError::new(Status::NotFound, message));
        };
        let start = match warm.take(self.scope(deadline.clone(), incoming.trace)) {
            Ok(live) => Start::Warm(live),
            Err(call) => Start::Fresh(self.store(call)),
        };
        let (head, receiver) = oneshot::channel();
        let program = Arc::clone(self.program());
        let is_encrypted = incoming.is_encrypted;
        let warm = Arc::clone(warm);
        let job = Job { program, start, warm, request, is_encrypted, head, permit };
        let run = match entry {
            HttpEntry::V2(indices) => v2::run(job, indices.clone()),
            HttpEntry::V3(indices) => v3::run(job, indices.clone()),
        };
        response::of(Exchange::new(run, deadline, self.tasks().clone()), receiver).await
    }
}

/// What a client is told when a guest answers with an error code in place of a response.
fn status(error: &Error) -> StatusCode {
    match error {
        Error::HttpResponseTimeout
        | Error::ConnectionTimeout
        | Error::ConnectionReadTimeout
        | Error::ConnectionWriteTimeout
        | Error::DnsTimeout => StatusCode::GATEWAY_TIMEOUT,
        Error::HttpRequestDenied => StatusCode::FORBIDDEN,
        Error::HttpRequestMethodInvalid => StatusCode::METHOD_NOT_ALLOWED,
        Error::HttpRequestUriInvalid => StatusCode::BAD_REQUEST,
        Error::HttpRequestUriTooLong => StatusCode::URI_TOO_LONG,
        Error::HttpRequestLengthRequired => StatusCode::LENGTH_REQUIRED,
        Error::HttpRequestBodySize(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::HttpRequestHeaderSectionSize(_) | Error::HttpRequestHeaderSize { .. } => {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        }
        Error::ConfigurationError | Error::InternalError(_) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_GATEWAY,
    }
}
