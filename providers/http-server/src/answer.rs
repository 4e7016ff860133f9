//! The body of an answer: the target's own, or the one line of a request that nobody could answer.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tracing::warn;
use wicker_provider::http::BoxError;

use crate::activity::InFlight;

pin_project! {
    /// A body that counts its request as in flight until it is dropped.
    pub(crate) struct Answer<B> {
        #[pin]
        body: Content<B>,
        in_flight: InFlight,
    }
}

pin_project! {
    #[project = ContentProjection]
    enum Content<B> {
        Target { #[pin] body: B },
        Line { line: Full<Bytes> },
    }
}

impl<B> Answer<B> {
    pub(crate) fn new(body: B, in_flight: InFlight) -> Self {
        Self { body: Content::Target { body }, in_flight }
    }

    pub(crate) fn line(line: String, in_flight: InFlight) -> Self {
        Self { body: Content::Line { line: Full::from(line) }, in_flight }
    }
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match self.project().body.project() {
            ContentProjection::Target { body } => {
                ready!(body.poll_frame(cx)).map(|frame| frame.map_err(Into::into))
            }
            ContentProjection::Line { line } => {
                ready!(Pin::new(line).poll_frame(cx)).map(|frame| frame.map_err(Into::into))
            }
        };
        if let Some(Err(error)) = &frame {
            // Too late for another status: the client sees the connection or the stream break.
            warn!(error = &**error as &dyn Error, "answer ended early");
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Content::Target { body } => body.is_end_stream(),
            Content::Line { line } => line.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Content::Target { body } => body.size_hint(),
            Content::Line { line } => line.size_hint(),
        }
    }
}
