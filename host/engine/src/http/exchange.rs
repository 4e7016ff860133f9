//! A guest at work on one request: runs it in the caller's task until the head of its response is there, and a little
//! further, because the body is mostly there too.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, header};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Empty};
use tokio::sync::oneshot::{self, error::TryRecvError};
use wasmtime_wasi_http::{Error, WasiBody};
use wicker_lattice::call::{CallError, Status};
use wicker_process::Tasks;

use super::body::{HttpBody, Streaming};
use crate::deadline::{Alarm, Deadline};

/// A body that is complete within this is sent in one piece, with its length.
const WHOLE_BYTES_MAX: usize = 64 << 10;

/// A guest's work on one request, from its instantiation to its end. Owns its store and its permit.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>;

/// What a guest answers with.
pub(super) type Head = Result<Response<WasiBody>, Error>;

/// A guest at work on one request.
pub(super) struct Exchange {
    /// `None` once it has ended: its instance is gone.
    run: Option<Run>,
    /// How it ended.
    end: Result<(), CallError>,
    alarm: Alarm,
    tasks: Tasks,
}

impl Exchange {
    pub(super) fn new(run: Run, deadline: Deadline, tasks: Tasks) -> Self {
        Self { run: Some(run), end: Ok(()), alarm: Alarm::new(deadline), tasks }
    }

    /// Runs the guest until it has answered, and hands back its answer with the rest of the exchange in its body.
    pub(super) async fn respond(
        mut self,
        mut receiver: oneshot::Receiver<Head>,
    ) -> Result<Result<Response<HttpBody>, Error>, CallError> {
        match poll_fn(|cx| self.poll_head(cx, &mut receiver)).await? {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let length = content_length(&parts.headers);
                let mut gathered = Gathered::new(body);
                let gather = |cx: &mut Context<'_>| {
                    gathered.poll(cx, &mut self);
                    Poll::Ready(())
                };
                poll_fn(gather).await;
                let body = gathered.finish(self, length)?;
                Ok(Ok(Response::from_parts(parts, body)))
            }
            Err(error) => {
                self.finish_alone();
                Ok(Err(error))
            }
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        receiver: &mut oneshot::Receiver<Head>,
    ) -> Poll<Result<Head, CallError>> {
        let is_running = self.poll_run(cx).is_pending();
        match receiver.try_recv() {
            Ok(head) => Poll::Ready(Ok(head)),
            // It may have thrown away its only means to answer, and still be at work.
            Err(TryRecvError::Empty | TryRecvError::Closed) if is_running => {
                self.poll_deadline(cx).map(Err)
            }
            Err(_) => Poll::Ready(Err(self.end.clone().err().unwrap_or_else(|| {
                CallError::new(Status::Trapped, "the component ended without a response")
            }))),
        }
    }

    /// Ready once the guest has ended.
    pub(super) fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(run) = &mut self.run else { return Poll::Ready(()) };
        self.end = std::task::ready!(run.as_mut().poll(cx));
        self.run = None;
        Poll::Ready(())
    }

    /// Ready, with the error, once the guest has been silent for too long. It is stopped then.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<CallError> {
        std::task::ready!(self.alarm.poll(cx));
        self.run = None;
        let error = CallError::new(Status::Deadline, "the component did not answer in time");
        self.end = Err(error.clone());
        Poll::Ready(error)
    }

    pub(super) fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// How the guest ended, if it did.
    pub(super) fn end(&self) -> Result<(), CallError> {
        self.end.clone()
    }

    /// Says that the body moved on, or that its reader came back for more.
    pub(super) fn moved(&self) {
        self.alarm.deadline().moved();
    }

    /// Lets a guest that has answered in full finish what it is at, within its deadline, with nobody waiting.
    pub(super) fn finish_alone(mut self) {
        if !self.is_running() {
            return;
        }
        let tasks = self.tasks.clone();
        tasks.spawn_work(async move {
            poll_fn(|cx| match self.poll_run(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => self.poll_deadline(cx).map(drop),
            })
            .await;
        });
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

/// A body in place of one that has ended. No allocation.
pub(super) fn nothing() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
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
