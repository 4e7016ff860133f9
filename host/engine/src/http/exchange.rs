//! A guest at work on one request, run by whoever polls it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::Response;
use http_body_util::{BodyExt as _, Empty};
use tokio::sync::oneshot::{self, error::TryRecvError};
use wasmtime_wasi_http::{Error, WasiBody};
use wicker_lattice::call::{CallError, Status};
use wicker_process::Tasks;

use crate::deadline::{Alarm, Deadline};

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
    /// Whether it computed for too long while its response streams.
    is_spent: bool,
    tasks: Tasks,
}

impl Exchange {
    pub(super) fn new(run: Run, deadline: Deadline, tasks: Tasks) -> Self {
        Self { run: Some(run), end: Ok(()), alarm: Alarm::new(deadline), is_spent: false, tasks }
    }

    /// Ready once the guest has answered, or cannot any more.
    pub(super) fn poll_head(
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
        let begun = Instant::now();
        let polled = run.as_mut().poll(cx);
        self.is_spent = !self.alarm.deadline().compute(begun.elapsed());
        self.end = std::task::ready!(polled);
        self.run = None;
        Poll::Ready(())
    }

    /// Ready, with the error, once the guest has taken too long. It is stopped then.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<CallError> {
        let message = if self.is_spent {
            "the component computed for too long without a byte of its response (limits.deadline)"
        } else {
            std::task::ready!(self.alarm.poll(cx));
            "the component did not answer in time"
        };
        self.run = None;
        let error = CallError::new(Status::Deadline, message);
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

    /// When it ends.
    pub(super) fn deadline(&self) -> &Deadline {
        self.alarm.deadline()
    }

    /// Lets a guest that has answered in full finish what it is at, within its deadline, with nobody waiting.
    pub(super) fn finish_alone(mut self) {
        if !self.is_running() {
            return;
        }
        self.deadline().streamed();
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

/// A body in place of one that has ended. No allocation.
pub(super) fn nothing() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
