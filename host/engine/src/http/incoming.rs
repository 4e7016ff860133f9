//! The body of a request on its way to a guest.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use pin_project_lite::pin_project;
use wasmtime_wasi_http::{Error, WasiBody};

use super::BoxError;
use super::exchange::nothing;
use crate::deadline::Deadline;

/// `body` as wasmtime wants it. Reading it puts off the deadline.
pub(super) fn body<B>(body: B, deadline: &Deadline) -> WasiBody
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if body.is_end_stream() {
        return nothing();
    }
    Watched { body, deadline: deadline.clone() }.boxed_unsync()
}

pin_project! {
    struct Watched<B> {
        #[pin]
        body: B,
        deadline: Deadline,
    }
}

impl<B> Body for Watched<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.project();
        let frame = std::task::ready!(this.body.poll_frame(cx));
        this.deadline.moved();
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                let error: BoxError = error.into();
                tracing::debug!(
                    error = &*error as &dyn std::error::Error,
                    "request body ended early"
                );
                Error::ConnectionTerminated
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
