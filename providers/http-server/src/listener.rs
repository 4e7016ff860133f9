//! A socket that accepts connections, from bind to drain.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_rustls::TlsAcceptor;
use tracing::warn;
use wicker_process::Tasks;
use wicker_provider::http::HttpTarget;

use crate::activity::Order;
use crate::config::{Config, Limits};
use crate::connection::{self, Protocols};
use crate::roster::{self, Roster};
use crate::service::Policy;
use crate::tls::{self, TlsError};

/// How long a draining server waits for the next request of a connection that is idle, so that it can answer with
/// `connection: close`. HTTP/1.1 has no other way to say it: a request that crosses a close is lost.
const LINGER: Duration = Duration::from_millis(250);

/// Out of file descriptors: accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket. Connections wait in the system's backlog until [`Listener::serve`].
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    config: Config,
}

/// A listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, not ours, or needs privileges.
    #[error("cannot listen on {address}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Clients were still served when the grace period ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{cut} connections cut after {grace:?}")]
pub struct DrainError {
    /// How many.
    pub cut: usize,
    /// How long they were given.
    pub grace: Duration,
}

impl Listener {
    /// Binds the socket and reads the certificate.
    ///
    /// # Errors
    /// [`ListenError`]: the address or the certificate cannot be used.
    pub async fn bind(config: Config) -> Result<Self, ListenError> {
        let tls = config.tls.as_ref().map(tls::load).transpose()?;
        let refused = |source| ListenError::Bind { address: config.listen, source };
        let socket = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Self { socket, address, tls, config })
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests with `target`, from now until [`Server::drain`], or until the server is dropped.
    #[must_use]
    pub fn serve<T: HttpTarget>(self, target: Arc<T>) -> Server {
        let Self { socket, address, tls, config } = self;
        let tasks = Tasks::default();
        let roster = Arc::new(Roster::default());
        let acceptor = Acceptor {
            tls: tls.map(TlsAcceptor::from),
            places: Arc::new(Semaphore::new(config.limits.connections)),
            roster: Arc::clone(&roster),
            protocols: Arc::new(Protocols::new(&config.limits, &tasks)),
            policy: Arc::new(Policy::new(config.forwarded)),
            target,
            tasks: tasks.clone(),
        };
        tasks.spawn_work(watch(Arc::clone(&roster), config.limits, tasks.clone()));
        // Nothing is sent: that the sender is gone says it.
        let (closed_tx, closed) = oneshot::channel();
        tasks.spawn_work(async move {
            acceptor.run(socket).await;
            drop(closed_tx);
        });
        Server { address, roster, tasks, closed }
    }
}

/// A listener that serves. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    roster: Arc<Roster>,
    tasks: Tasks,
    /// Resolves when the socket is closed and every connection that came is on the roster.
    closed: oneshot::Receiver<()>,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many clients are connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.roster.len()
    }

    /// Stops accepting, answers all that has come, and closes.
    ///
    /// Requests in flight are finished; idle connections get a quarter of a second to send one more, which is
    /// answered, too. HTTP/2 clients are told at once that no more is taken.
    ///
    /// # Errors
    /// Some were not finished after `grace`; they were cut.
    pub async fn drain(mut self, grace: Duration) -> Result<(), DrainError> {
        let now = Instant::now();
        let end = now + grace;
        self.tasks.stop();
        self.roster.order(Order::Drain);
        drop(timeout_at(end, &mut self.closed).await);
        let lingered = timeout_at(end.min(now + LINGER), self.roster.empty()).await;
        if lingered.is_err() {
            self.roster.order(Order::Close);
        }
        let finished = timeout_at(end, self.roster.empty()).await;
        match finished {
            Ok(()) => Ok(()),
            Err(_) => Err(DrainError { cut: self.connections(), grace }),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.stop();
        self.roster.order(Order::Cut);
    }
}

/// Looks for clients that are too slow, until the last one is gone after the drain began.
async fn watch(roster: Arc<Roster>, limits: Limits, tasks: Tasks) {
    let mut tick = interval(roster::interval(&limits));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = tick.tick().await;
        roster.check(&limits, now);
        if tasks.is_stopping() && roster.len() == 0 {
            return;
        }
    }
}

struct Acceptor<T> {
    tls: Option<TlsAcceptor>,
    places: Arc<Semaphore>,
    roster: Arc<Roster>,
    protocols: Arc<Protocols>,
    policy: Arc<Policy>,
    target: Arc<T>,
    tasks: Tasks,
}

impl<T: HttpTarget> Acceptor<T> {
    async fn run(self, socket: TcpListener) {
        loop {
            tokio::select! {
                // Cancel-safe: a permit that was not given is not lost, and neither is a connection.
                accepted = self.accept(&socket) => match accepted {
                    Ok((stream, peer, place)) => self.start(stream, peer, place),
                    Err(error) => pause_after(&error).await,
                },
                () = self.tasks.stopping() => break,
            }
        }
        if let Err(error) = self.empty_backlog(socket) {
            warn!(error = &error as &dyn Error, "cannot take the last connections");
        }
    }

    async fn accept(
        &self,
        socket: &TcpListener,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = socket.accept().await?;
        Ok((stream, peer, place))
    }

    /// Takes the connections that the system has accepted on our behalf: closing the socket would reset them, and
    /// lose the requests that their clients have sent already.
    fn empty_backlog(&self, socket: TcpListener) -> io::Result<()> {
        let socket = socket.into_std()?;
        while let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            let (stream, peer) = match socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            self.start(TcpStream::from_std(stream)?, peer, place);
        }
        Ok(())
    }

    fn start(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        // Fails only on a connection that is gone already, and then reading says so, too.
        drop(stream.set_nodelay(true));
        let entry = self.roster.open(Instant::now());
        let opening = connection::Opening {
            peer,
            entry,
            tls: self.tls.clone(),
            protocols: Arc::clone(&self.protocols),
            policy: Arc::clone(&self.policy),
            target: Arc::clone(&self.target),
        };
        self.tasks.spawn_work(async move {
            connection::serve(stream, opening).await;
            drop(place);
        });
    }
}

/// An error of one connection means nothing for the next; one of the process does.
async fn pause_after(error: &io::Error) {
    let is_of_one_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !is_of_one_connection {
        warn!(error = error as &dyn Error, "cannot accept connections");
        sleep(ACCEPT_PAUSE).await;
    }
}
