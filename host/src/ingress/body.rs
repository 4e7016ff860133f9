//! The body of an answer, from a component here or from elsewhere.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use wicker_engine::http::{BoxError, HttpBody};
use wicker_provider::http::Body;

/// An answer's body.
#[derive(Debug)]
pub enum IngressBody {
    /// A component on this host writes it.
    Here(HttpBody),
    /// It comes over a link.
    Elsewhere(Body),
}

impl http_body::Body for IngressBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Here(body) => Pin::new(body).poll_frame(cx),
            Self::Elsewhere(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Here(body) => body.is_end_stream(),
            Self::Elsewhere(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Here(body) => body.size_hint(),
            Self::Elsewhere(body) => body.size_hint(),
        }
    }
}
