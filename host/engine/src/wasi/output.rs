//! A guest's standard output and error, cut into lines of bounded length and number for the log.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::Template;
use crate::log::{Level, Origin};

/// A longer line is cut into several.
const LINE_BYTES_MAX: usize = 4096;

/// Lines of one actor in one [`WINDOW`]; more are counted and dropped.
const LINES_MAX: u32 = 1000;

/// How often an actor gets [`LINES_MAX`] anew.
const WINDOW: Duration = Duration::from_secs(1);

/// Bytes that a guest may hand over in one write.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// One of a guest's output streams; its copies write to the same lines.
#[derive(Clone)]
pub(super) struct Output(pub(super) Arc<Lines>);

/// Collects what a guest writes until a line is complete. The last, incomplete line is written when the instance ends.
pub(super) struct Lines {
    template: Arc<Template>,
    origin: Origin,
    partial: Mutex<Vec<u8>>,
}

impl Lines {
    pub(super) fn new(template: Arc<Template>, origin: Origin) -> Self {
        Self { template, origin, partial: Mutex::new(Vec::new()) }
    }

    fn write(&self, bytes: &[u8]) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, is_complete) = match piece.strip_suffix(b"\n") {
                Some(piece) => (piece, true),
                None => (piece, false),
            };
            for part in piece.chunks(LINE_BYTES_MAX) {
                partial.extend_from_slice(part);
                while partial.len() > LINE_BYTES_MAX {
                    let at = cut(&partial);
                    let rest = partial.split_off(at);
                    self.emit(&partial);
                    *partial = rest;
                }
            }
            if is_complete {
                self.emit(&partial);
                partial.clear();
            }
        }
    }

    fn emit(&self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.template.guest_line(self.origin, Level::Info, &String::from_utf8_lossy(line));
    }
}

/// Where a line that is too long ends: at most [`LINE_BYTES_MAX`], and not inside a character.
fn cut(line: &[u8]) -> usize {
    let is_boundary = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0xC0 != 0x80);
    (LINE_BYTES_MAX - 3..=LINE_BYTES_MAX).rev().find(is_boundary).unwrap_or(LINE_BYTES_MAX)
}

impl Drop for Lines {
    fn drop(&mut self) {
        let partial =
            std::mem::take(self.partial.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !partial.is_empty() {
            self.emit(&partial);
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Counts the lines of one actor.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<Option<Window>>);

#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u32,
    dropped: u64,
}

impl Rate {
    /// Whether a line may be written now, and if so, how many could not be since the last one.
    pub(super) fn admit(&self) -> Option<u64> {
        let now = Instant::now();
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = window.get_or_insert(Window { since: now, lines: 0, dropped: 0 });
        if now.duration_since(window.since) >= WINDOW {
            window.since = now;
            window.lines = 0;
        }
        if window.lines >= LINES_MAX {
            window.dropped += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ActorConfig;
    use crate::log::{LogLine, LogSink};
    use crate::wasi::Stdio;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LogSink for Kept {
        fn write(&self, line: LogLine<'_>) {
            self.0.lock().unwrap().push(line.text.to_owned());
        }
    }

    fn lines(write: impl FnOnce(&Lines)) -> Vec<String> {
        let kept = Arc::new(Kept::default());
        let config = ActorConfig::new("default/app/a".parse().unwrap(), Arc::<Kept>::clone(&kept));
        let template = Template::new(&Arc::new(config), Stdio::Log).unwrap();
        let lines = Lines::new(template, Origin::Stdout);
        write(&lines);
        drop(lines);
        let kept = kept.0.lock().unwrap();
        kept.clone()
    }

    #[tokio::test]
    async fn writes_become_lines_however_they_are_cut() {
        let lines = lines(|lines| {
            for piece in ["one\ntw", "o", "\r\n\nlast"] {
                lines.write(piece.as_bytes());
            }
        });
        assert_eq!(lines, ["one", "two", "", "last"]);
    }

    #[tokio::test]
    async fn a_long_line_is_cut_between_characters() {
        let text = "ä".repeat(LINE_BYTES_MAX);
        let lines = lines(|lines| {
            lines.write(b"x");
            lines.write(text.as_bytes());
        });
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX));
        assert_eq!(lines.concat(), format!("x{text}"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_dropped_and_counted() {
        let rate = Rate::default();
        assert_eq!((0..LINES_MAX + 7).filter_map(|_| rate.admit()).count(), LINES_MAX as usize);
        tokio::time::advance(WINDOW).await;
        assert_eq!(rate.admit(), Some(7));
        assert_eq!(rate.admit(), Some(0));
    }
}
