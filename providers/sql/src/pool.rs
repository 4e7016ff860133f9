//! The connections that one link has: made when they are needed, used again, so many and no more.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::types::Error;
use crate::worker::{Command, Session};

/// The bounds of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once. Each transaction and each open cursor takes one.
    pub connections: u16,
    /// Calls that wait for one; the next is told at once that there is none.
    pub queue: u16,
    /// How long a transaction or cursor may be left alone.
    pub lease: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 8, queue: 256, lease: Duration::from_secs(15) }
    }
}

/// Makes connections.
pub trait Connect: Send + Sync + 'static {
    /// A new connection, whose worker runs.
    ///
    /// # Errors
    /// [`Error::Unavailable`], mostly.
    fn connect(&self) -> futures::future::BoxFuture<'_, Result<Session, Error>>;
}

/// The connections of one link. When it is gone, those that are idle are closed.
pub struct Pool {
    connect: Box<dyn Connect>,
    idle: Mutex<VecDeque<Session>>,
    turns: Arc<Semaphore>,
    queue: Semaphore,
    bounds: Bounds,
}

impl Pool {
    /// A pool without connections yet.
    #[must_use]
    pub fn new(connect: impl Connect, bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            connect: Box::new(connect),
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(bounds.connections.max(1).into())),
            queue: Semaphore::new(bounds.queue.into()),
            bounds,
        })
    }

    /// Its bounds.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// A connection, for as long as it is held. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Overloaded`]: too many wait already. Otherwise as [`Connect::connect`].
    pub async fn take(self: &Arc<Self>) -> Result<Taken, Error> {
        let permit = self.turn().await?;
        let idle = || {
            let mut idle = self.idle();
            idle.retain(|session| !session.is_closed());
            idle.pop_back()
        };
        let session = match idle() {
            Some(session) => session,
            None => self.connect.connect().await?,
        };
        Ok(Taken { session, permit: Some(permit), pool: Arc::downgrade(self) })
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(permit);
        }
        let Bounds { connections, queue, .. } = self.bounds;
        let _place = self.queue.try_acquire().map_err(|_full| {
            let message = format!("{connections} connections are in use and {queue} calls wait");
            Error::Overloaded(message)
        })?;
        let closed = |_| Error::Unavailable("the link is closed".to_owned());
        Arc::clone(&self.turns).acquire_owned().await.map_err(closed)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

/// A connection in use. Dropping it ends what is open on it, and gives it back.
#[derive(Debug)]
pub struct Taken {
    session: Session,
    permit: Option<OwnedSemaphorePermit>,
    pool: Weak<Pool>,
}

impl Deref for Taken {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let (session, pool) = (self.session.clone(), self.pool.clone());
        let release = Release { session, pool, permit: self.permit.take() };
        // A worker that takes no more commands ends with its last session, and with it the connection.
        let _ = self.session.tell(Command::Release(release));
    }
}

/// A connection on its way back. If its worker ends before, only its place becomes free.
#[derive(Debug)]
pub struct Release {
    session: Session,
    pool: Weak<Pool>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Release {
    /// The connection is as good as new.
    pub fn done(self) {
        let Self { session, pool, permit } = self;
        if let Some(pool) = pool.upgrade() {
            pool.idle().push_back(session);
        }
        drop(permit);
    }
}
