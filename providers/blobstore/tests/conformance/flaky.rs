//! A way to a server whose connections break when a test wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes connections on, but for those that it breaks.
pub(crate) struct Proxy {
    port: u16,
    to_break: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to_break = Arc::<AtomicUsize>::default();
        let breaking = Arc::clone(&to_break);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut passing = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let one_less = |count: usize| count.checked_sub(1);
                if breaking.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                    // What it has sent is not read: the system resets the connection.
                    let _ = client.readable().await;
                    // Those that are kept open would be used instead of a new one.
                    passing.abort_all();
                    continue;
                }
                passing.spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { port, to_break, _accepting: accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks the next connections.
    pub(crate) fn breaks(&self, count: usize) {
        self.to_break.store(count, Ordering::SeqCst);
    }
}
