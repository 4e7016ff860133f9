//! Accepts connections, and carries bytes between each and its component.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::io::ReaderStream;
use wicker_process::Tasks;
use wicker_provider::lattice::call::{ByteStream, StreamError};
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Outlet, ProviderError, Stream};

use crate::config::Listen;
use crate::handler::{Client, Connection};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Connections that wait in the system's queue.
const BACKLOG: u32 = 1024;

/// The pause after the system had no connection to give: no descriptor is left, mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens, and takes connections from then on until the link's tasks are asked to stop.
///
/// # Errors
/// [`ProviderError::Config`]: no connection could ever be open. Else the port cannot be listened on.
pub(crate) fn open(config: Listen, outlet: Outlet) -> Result<(), ProviderError> {
    if config.max_connections == 0 {
        return Err(ProviderError::config("`max-connections` is 1 at least"));
    }
    let address = SocketAddr::new(config.address, config.port);
    let listener = listen(address)
        .map_err(|error| ProviderError::backend(format!("cannot listen on {address}"), error))?;
    let Outlet { link, client, tasks, .. } = outlet;
    let accepting = Accepting {
        listener,
        turns: Arc::new(Semaphore::new(config.max_connections)),
        client: Arc::new(Client::new(client)),
        link: Arc::new(link),
        tasks: tasks.clone(),
    };
    tasks.spawn("listener", accepting.run());
    Ok(())
}

/// Beside whoever listens there already: the revision of the link that this one replaces.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

struct Accepting {
    listener: TcpListener,
    turns: Arc<Semaphore>,
    client: Arc<Client>,
    link: Arc<Link>,
    tasks: Tasks,
}

impl Accepting {
    async fn run(self) -> Result<(), Infallible> {
        loop {
            let next = async {
                let turn = Arc::clone(&self.turns).acquire_owned().await;
                (turn, self.listener.accept().await)
            };
            let (turn, accepted) = tokio::select! {
                // Cancel-safe, both: a connection that was not accepted stays in the queue.
                () = self.tasks.stopping() => return Ok(()),
                next = next => next,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (client, link) = (Arc::clone(&self.client), Arc::clone(&self.link));
                    self.tasks.spawn_work(async move {
                        if let Err(why) = carry(&client, stream, peer).await {
                            let Link { name, target, .. } = &*link;
                            tracing::warn!(link = name, %target, %peer, "connection ended: {why}");
                        }
                        drop(turn);
                    });
                }
                Err(error) => {
                    tracing::warn!("no connection could be accepted: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// One connection, from its beginning to its end.
async fn carry(client: &Client, stream: TcpStream, peer: SocketAddr) -> Result<(), String> {
    // What the component writes is on its way at once.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let local = stream.local_addr().map_err(|error| error.to_string())?;
    let (reader, writer) = stream.into_split();
    let chunks = ReaderStream::with_capacity(reader, CHUNK);
    let input = Stream::new(chunks.map_err(|error| StreamError::Aborted(error.to_string())));
    let connection = Connection { peer: peer.to_string(), local: local.to_string() };
    let taken = client.handle(connection, input).await;
    let output = taken.map_err(|error| error.to_string())??;
    send(writer, output.into_chunks()).await
}

/// Writes what the component sends, no faster than the peer takes it; dropping the stream stops the component.
async fn send(mut writer: OwnedWriteHalf, mut output: ByteStream) -> Result<(), String> {
    while let Some(chunk) = output.next().await {
        let chunk = chunk.map_err(|error| error.to_string())?;
        if writer.write_all(&chunk).await.is_err() {
            // The peer is gone: that is its right.
            return Ok(());
        }
    }
    _ = writer.shutdown().await;
    Ok(())
}
