//! The response of a guest: runs the guest until the head is there, and a little further, because the body is mostly
//! there too.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, header};
use http_body::{Body as _, Frame};
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, WasiBody};
use wicker_lattice::call::{CallError, Status};

use super::body::{HttpBody, Streaming};
use super::exchange::{Exchange, Head, nothing};

/// A body that is complete within this is sent in one piece, with its length.
const WHOLE_BYTES_MAX: usize = 64 << 10;

/// Runs the guest until it has answered, and hands back its answer with the rest of the exchange in its body.
pub(super) async fn of(
    mut exchange: Exchange,
    mut receiver: oneshot::Receiver<Head>,
) -> Result<Result<Response<HttpBody>, Error>, CallError> {
    match poll_fn(|cx| exchange.poll_head(cx, &mut receiver)).await? {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let length = content_length(&parts.headers);
            let mut gathered = Gathered::new(body);
            let gather = |cx: &mut Context<'_>| {
                gathered.poll(cx, &mut exchange);
                Poll::Ready(())
            };
            poll_fn(gather).await;
            let body = gathered.finish(exchange, length)?;
            Ok(Ok(Response::from_parts(parts, body)))
        }
        Err(error) => {
            exchange.finish_alone();
            Ok(Err(error))
        }
    }
}

/// The beginning of a body: all that comes without waiting.
struct Gathered {
    body: WasiBody,
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// How it went on.
    then: Then,
}

enum Then {
    /// There is more to come.
    More,
    /// It is complete.
    End(Option<HeaderMap>),
    Failed(Error),
}

impl Gathered {
    fn new(body: WasiBody) -> Self {
        Self { body, frames: VecDeque::new(), bytes: 0, then: Then::More }
    }

    /// Takes what is there. A guest that learns that its body was read in full mostly ends there and then.
    fn poll(&mut self, cx: &mut Context<'_>, exchange: &mut Exchange) {
        self.poll_frames(cx, exchange);
        if matches!(self.then, Then::End(_)) {
            self.body = nothing();
            _ = exchange.poll_run(cx);
        }
    }

    /// Takes frames as long as they come at once; where they stop, lets the guest have one turn to make more.
    fn poll_frames(&mut self, cx: &mut Context<'_>, exchange: &mut Exchange) {
        let mut had_a_turn = false;
        while self.bytes <= WHOLE_BYTES_MAX {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    had_a_turn = false;
                    if self.take(frame) {
                        return;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.then = Then::Failed(error);
                    return;
                }
                Poll::Ready(None) => {
                    self.then = Then::End(None);
                    return;
                }
                Poll::Pending if had_a_turn || !exchange.is_running() => return,
                Poll::Pending => {
                    had_a_turn = true;
                    _ = exchange.poll_run(cx);
                }
            }
        }
    }

    /// Whether that was the last frame.
    fn take(&mut self, frame: Frame<Bytes>) -> bool {
        match frame.into_data() {
            Ok(data) => {
                self.bytes += data.len();
                self.frames.push_back(data);
                false
            }
            Err(frame) => {
                self.then = Then::End(frame.into_trailers().ok());
                true
            }
        }
    }

    /// The body to hand back.
    fn finish(self, exchange: Exchange, length: Option<u64>) -> Result<HttpBody, CallError> {
        match self.then {
            Then::End(None) => {
                // A body that ends because its writer is gone looks complete.
                exchange.end()?;
                exchange.finish_alone();
                Ok(HttpBody::whole(join(self.frames)))
            }
            Then::Failed(error) => {
                exchange.end()?;
                let message = format!("the component's response failed: {error}");
                Err(CallError::new(Status::Trapped, message))
            }
            Then::End(Some(trailers)) => {
                exchange.finish_alone();
                Ok(HttpBody::with_trailers(join(self.frames), trailers))
            }
            Then::More => {
                if self.frames.is_empty() {
                    exchange.end()?;
                }
                Ok(HttpBody::streaming(Streaming::new(self.frames, self.body, exchange, length)))
            }
        }
    }
}

/// One piece of several; a copy only where there are several.
fn join(mut frames: VecDeque<Bytes>) -> Bytes {
    if frames.len() <= 1 {
        return frames.pop_front().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(frames.iter().map(Bytes::len).sum());
    frames.iter().for_each(|frame| all.extend_from_slice(frame));
    all.freeze()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
