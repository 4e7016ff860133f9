//! The two requests to stop that a process gets from outside: Ctrl-C and SIGTERM.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for requests to stop. The first one means: drain. A second one means: stop at once.
#[derive(Debug)]
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Starts to listen; from now on neither signal ends the process by itself.
    ///
    /// # Errors
    /// The system refuses a signal handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next request to stop. Cancel-safe.
    pub async fn recv(&mut self) {
        tokio::select! {
            // Cancel-safe, both: a signal that arrives meanwhile is kept.
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
