//! The body of a response, as the engine hands it back. It may be silent for as long as its reader stays, see
//! [`Deadline`](crate::deadline::Deadline).

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::WasiBody;

use super::BoxError;
use super::exchange::{Exchange, nothing};

/// The body of a component's response.
///
/// Where it is not complete yet it runs the guest that writes it, whenever it is polled. Dropping it stops the guest.
#[derive(Default)]
pub struct HttpBody(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Whole(Bytes),
    /// Complete, and followed by trailers.
    Trailed(Bytes, HeaderMap),
    Trailers(HeaderMap),
    Streaming(Box<Streaming>),
}

impl HttpBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(if bytes.is_empty() { Kind::Empty } else { Kind::Whole(bytes) })
    }

    pub(super) fn with_trailers(bytes: Bytes, trailers: HeaderMap) -> Self {
        Self(if bytes.is_empty() {
            Kind::Trailers(trailers)
        } else {
            Kind::Trailed(bytes, trailers)
        })
    }

    pub(super) fn streaming(streaming: Streaming) -> Self {
        Self(Kind::Streaming(Box::new(streaming)))
    }
}

impl Body for HttpBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Kind::Streaming(streaming) = &mut self.0 {
            return streaming.poll_frame(cx);
        }
        let (frame, rest) = match std::mem::take(&mut self.0) {
            Kind::Whole(bytes) => (Frame::data(bytes), Kind::Empty),
            Kind::Trailed(bytes, trailers) => (Frame::data(bytes), Kind::Trailers(trailers)),
            Kind::Trailers(trailers) => (Frame::trailers(trailers), Kind::Empty),
            Kind::Empty | Kind::Streaming(_) => return Poll::Ready(None),
        };
        self.0 = rest;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Streaming(streaming) => streaming.is_end(),
            Kind::Whole(_) | Kind::Trailed(..) | Kind::Trailers(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty | Kind::Trailers(_) => SizeHint::with_exact(0),
            Kind::Whole(bytes) | Kind::Trailed(bytes, _) => {
                SizeHint::with_exact(bytes.len() as u64)
            }
            Kind::Streaming(streaming) => streaming.size_hint(),
        }
    }
}

impl fmt::Debug for HttpBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Empty => "Empty",
            Kind::Whole(_) => "Whole",
            Kind::Trailed(..) | Kind::Trailers(_) => "Trailers",
            Kind::Streaming(_) => "Streaming",
        };
        write!(f, "HttpBody::{kind}")
    }
}

/// A body that is still being written, by a guest that it runs.
pub(super) struct Streaming {
    /// What came before the response was handed back.
    ready: VecDeque<Bytes>,
    body: WasiBody,
    /// `None` once the body has ended.
    exchange: Option<Exchange>,
    /// Bytes to come, where the guest said how many.
    rest: Option<u64>,
}

impl Streaming {
    pub(super) fn new(
        ready: VecDeque<Bytes>,
        body: WasiBody,
        exchange: Exchange,
        length: Option<u64>,
    ) -> Self {
        exchange.deadline().streams();
        Self { ready, body, exchange: Some(exchange), rest: length }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(data) = self.ready.pop_front() {
            return self.frame(Frame::data(data));
        }
        let Some(exchange) = &mut self.exchange else { return Poll::Ready(None) };
        _ = exchange.poll_run(cx);
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => self.frame(frame),
            Poll::Ready(Some(Err(error))) => self.fail(error),
            Poll::Ready(None) => match exchange.end() {
                // A body that ends because its writer is gone looks complete.
                Err(error) => self.fail(error),
                Ok(()) => {
                    self.body = nothing();
                    _ = exchange.poll_run(cx);
                    self.exchange.take().into_iter().for_each(Exchange::finish_alone);
                    Poll::Ready(None)
                }
            },
            Poll::Pending => match exchange.poll_deadline(cx) {
                Poll::Ready(error) => self.fail(error),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn frame(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(exchange) = &self.exchange {
            exchange.deadline().moved();
        }
        if let (Some(data), Some(rest)) = (frame.data_ref(), &mut self.rest) {
            *rest = rest.saturating_sub(data.len() as u64);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn fail(&mut self, error: impl Into<BoxError>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.exchange = None;
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end(&self) -> bool {
        self.exchange.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.rest.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Streaming {
    /// Servers stop reading at the length that was announced. A guest that has written that much has answered in full
    /// and may finish; any other has lost its reader and is stopped.
    fn drop(&mut self) {
        if self.rest == Some(0) && self.ready.is_empty() {
            self.exchange.take().into_iter().for_each(Exchange::finish_alone);
        }
    }
}
