//! The clock by which running guests are interrupted: one thread for all of them.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a guest may run before it lets others on its thread run, and so how late a deadline may act.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Raises the epoch of some wasmtime engines every [`TICK`], until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    stop: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engines: Vec<wasmtime::Engine>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::sync_channel(0);
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                engines.iter().for_each(wasmtime::Engine::increment_epoch);
            }
        };
        let thread = std::thread::Builder::new().name("wicker-epoch".into()).spawn(tick)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}
