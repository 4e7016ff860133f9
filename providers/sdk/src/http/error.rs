//! A request that nobody could answer: what the stranger who sent it is told, and what the log is told.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use wicker_lattice::call::{CallError, Status};
use wicker_lattice::http::ErrorCode;

use super::BoxError;

/// A client that met an overloaded or draining target may come back after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// No answer came from the target of a request.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct HttpError {
    /// What the client gets.
    pub status: StatusCode,
    /// One line for the client. Holds no names and no addresses of what is inside the lattice.
    pub reason: Cow<'static, str>,
    /// When the client may try again, where that makes sense.
    pub retry_after: Option<Duration>,
    /// The whole story, for the log only.
    #[source]
    pub source: Option<BoxError>,
}

impl HttpError {
    /// An error that needs no story.
    pub fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), retry_after: None, source: None }
    }

    /// Adds the story for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Nobody claimed this host and path.
    #[must_use]
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "nothing is served here")
    }

    /// The target answered what is no answer.
    pub(super) fn unreadable(source: impl Into<BoxError>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "the answer made no sense").because(source)
    }
}

impl From<CallError> for HttpError {
    fn from(error: CallError) -> Self {
        let (status, reason) = match error.status {
            Status::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Status::Draining => (StatusCode::SERVICE_UNAVAILABLE, "restarting"),
            Status::Deadline => (StatusCode::GATEWAY_TIMEOUT, "no answer in time"),
            Status::Trapped => (StatusCode::INTERNAL_SERVER_ERROR, "the component failed"),
            Status::Unavailable => (StatusCode::BAD_GATEWAY, "unavailable"),
            Status::Lost | Status::Cancelled => (StatusCode::BAD_GATEWAY, "connection lost"),
            Status::NotFound
            | Status::TypeMismatch
            | Status::Denied
            | Status::BadFrame
            | Status::Unsupported
            | Status::Gone => (StatusCode::BAD_GATEWAY, "cannot be called"),
        };
        let may_retry = matches!(error.status, Status::Overloaded | Status::Draining);
        let retry_after = may_retry.then_some(RETRY_AFTER);
        Self { status, reason: reason.into(), retry_after, source: Some(error.into()) }
    }
}

/// The target's own word for what went wrong.
impl From<ErrorCode> for HttpError {
    fn from(code: ErrorCode) -> Self {
        let (status, reason) = match &code {
            ErrorCode::HttpRequestDenied => (StatusCode::FORBIDDEN, "denied"),
            ErrorCode::HttpRequestLengthRequired => (StatusCode::LENGTH_REQUIRED, "no length"),
            ErrorCode::HttpRequestBodySize(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too large"),
            ErrorCode::HttpRequestMethodInvalid => {
                (StatusCode::METHOD_NOT_ALLOWED, "no such method")
            }
            ErrorCode::HttpRequestUriInvalid => (StatusCode::BAD_REQUEST, "no such address"),
            ErrorCode::HttpRequestUriTooLong => (StatusCode::URI_TOO_LONG, "address too long"),
            ErrorCode::HttpRequestHeaderSectionSize(_) | ErrorCode::HttpRequestHeaderSize(_) => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers too large")
            }
            ErrorCode::ConnectionLimitReached => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            ErrorCode::HttpResponseTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::DnsTimeout => (StatusCode::GATEWAY_TIMEOUT, "no answer in time"),
            ErrorCode::InternalError(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the component failed")
            }
            _ => (StatusCode::BAD_GATEWAY, "the component could not answer"),
        };
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER);
        Self { status, reason: reason.into(), retry_after, source: Some(code.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_not_told_names() {
        let error = CallError::new(Status::Unavailable, "nobody serves team/shop/cart");
        let error = HttpError::from(error);
        assert_eq!(error.status, StatusCode::BAD_GATEWAY);
        assert_eq!(error.reason, "unavailable");
        assert!(error.source.unwrap().to_string().contains("team/shop/cart"));
    }

    #[test]
    fn overload_and_drain_invite_to_try_again() {
        for status in [Status::Overloaded, Status::Draining] {
            let error = HttpError::from(CallError::new(status, ""));
            assert_eq!(error.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(error.retry_after, Some(RETRY_AFTER));
        }
    }
}
