//! The loops that read from NATS. They run on the connections' own threads, hand everything on and never wait, because
//! async-nats drops what is not read in time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_nats::{Message, StatusCode, Subscriber};
use futures::StreamExt;
use tracing::{debug, warn};

use super::incoming::{Incoming, Then};
use super::keys::{AttemptKey, StreamKey};
use super::outgoing::Ending;
use super::shared::Shared;
use super::waiting::Answer;
use crate::frame::{self, Frame, StreamNumber};
use crate::subject::{self, Attempt};

impl Shared {
    /// Reads replies, or chunks, until this stops.
    pub(super) async fn read_frames(self: Arc<Self>, mut frames: Subscriber) {
        let stop = self.stop.clone();
        let reading = async {
            while let Some(message) = frames.next().await {
                self.on_message(message);
            }
        };
        stop.run_until_cancelled(reading).await;
    }

    fn on_message(self: &Arc<Self>, message: Message) {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            if let Some(attempt) = subject::parse_attempt(&message.subject) {
                self.on_answer(None, attempt, Answer::NoResponders);
            }
            return;
        }
        let Some((from, attempt)) = subject::parse_reply(&message.subject) else {
            warn!(subject = %message.subject, "frame on a subject that is none");
            return;
        };
        if frame::is_reply(&message.payload) {
            self.on_answer(Some((from, attempt)), attempt, Answer::Reply(message.payload));
            return;
        }
        match Frame::decode(message.payload) {
            Ok(frame) => self.on_frame((from, attempt), frame),
            Err(error) => warn!(%from, %error, "frame that cannot be read"),
        }
    }

    fn on_answer(self: &Arc<Self>, from: Option<AttemptKey>, attempt: Attempt, answer: Answer) {
        let waiting = self.waiting.get(&attempt);
        let expected = waiting.filter(|waiting| from.is_none_or(|(from, _)| from == waiting.peer));
        match expected {
            Some(waiting) => waiting.answer(answer),
            None => self.refuse_results(from, &answer),
        }
    }

    /// Nobody waits for this reply. Whoever writes its streams must learn that nobody reads them.
    fn refuse_results(self: &Arc<Self>, from: Option<AttemptKey>, answer: &Answer) {
        if let (Some(key), Answer::Reply(message)) = (from, answer)
            && frame::has_streams(message)
        {
            self.tell_process(key, &Frame::Cancel);
        }
    }

    fn on_frame(self: &Arc<Self>, key: AttemptKey, frame: Frame) {
        match frame {
            Frame::Accept { load } | Frame::Beat { load } => self.on_beat(key, load),
            Frame::Cancel => self.on_cancel(key),
            Frame::Chunk { stream, is_end, sequence, bytes } => {
                let then = if is_end { Then::End } else { Then::More };
                self.on_written(key, stream, |incoming| incoming.chunk(sequence, bytes, then));
            }
            Frame::Abort { stream, sequence, message } => {
                self.on_written(key, stream, |incoming| incoming.abort(sequence, message));
            }
            Frame::Pulse { stream, sequence } => {
                self.on_written(key, stream, |incoming| incoming.pulse(sequence));
            }
            Frame::Credit { stream, limit } => {
                if let Some(outgoing) = self.outgoing.get(&StreamKey::new(key, stream)) {
                    outgoing.hear(self.clock.now_ms());
                    outgoing.credit(limit);
                }
            }
            Frame::Stop { stream } => {
                if let Some(outgoing) = self.outgoing.get(&StreamKey::new(key, stream)) {
                    outgoing.end(Ending::Stopped);
                }
            }
            Frame::Reply(_) => {}
        }
    }

    fn on_beat(&self, (from, attempt): AttemptKey, load: u8) {
        if let Some(waiting) = self.waiting.get(&attempt)
            && waiting.peer == from
        {
            waiting.hear(self.clock.now_ms());
            if let Some(peer) = self.peers.known(from) {
                peer.load.store(load, Ordering::Relaxed);
            }
        }
    }

    /// Something of a stream that this process reads. The callee's chunks may overtake its reply; any other stream that
    /// is not known has no reader any more.
    fn on_written(
        self: &Arc<Self>,
        key: AttemptKey,
        stream: StreamNumber,
        apply: impl FnOnce(&Incoming),
    ) {
        let (from, attempt) = key;
        let now = self.clock.now_ms();
        let begin = || {
            let waiting = self.waiting.get(&attempt)?;
            let is_expected = stream.is_written_by_callee() && waiting.peer == from;
            is_expected.then(|| Arc::new(Incoming::new(now)))
        };
        match self.incoming.get_or_insert(StreamKey::new(key, stream), begin) {
            Some(incoming) => {
                incoming.hear(now);
                apply(&incoming);
            }
            None => {
                debug!(%from, %attempt, "chunk of a stream that nobody reads");
                self.tell_process(key, &Frame::Stop { stream });
            }
        }
    }
}
