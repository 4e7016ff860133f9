//! One connection as what uses it sees it: commands go in, and each is answered.
//!
//! A backend runs each connection in a worker of its own, a thread or a task, which takes [`Command`]s one by one. When
//! nobody waits for an answer any more, because the call was cut off at its deadline, its [`Reply`] says so, and the worker
//! ends the statement where it runs: in the database, not only here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::database::Options;
use crate::pool::Release;
use crate::types::{Column, Error, Page, Value};

/// Commands that wait for a worker. Whoever uses a connection sends one at a time; what is more was cut off before.
const COMMANDS_MAX: usize = 8;

/// A statement and its parameters.
#[derive(Debug)]
pub struct Statement {
    /// Its text, with `$1`, `$2`… where the parameters stand.
    pub text: String,
    /// The first is `$1`.
    pub parameters: Vec<Value>,
}

/// The beginning of a result.
#[derive(Debug)]
pub struct Fetched {
    /// Of every row.
    pub columns: Vec<Column>,
    /// The first rows.
    pub page: Page,
}

/// How large a page is: it ends with the first row by which it has reached either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize {
    /// Rows at most.
    pub rows: usize,
    /// Bytes of values, roughly.
    pub bytes: usize,
}

/// Tells the cursors of one connection apart.
pub type CursorId = u64;

/// What a worker is asked to do.
#[derive(Debug)]
pub enum Command {
    /// Run a statement and count the rows that it changed.
    Execute(Statement, Reply<u64>),
    /// Run a statement and give its first page; if that is not the last, keep the rest under this id. While one is kept,
    /// another query that has more than a page is `busy`.
    Query(Statement, CursorId, Reply<Fetched>),
    /// The next page of the cursor that is open.
    Next(CursorId, Reply<Page>),
    /// The cursor is not needed any more. If it is not open, nothing.
    Close(CursorId),
    /// Run several statements in one transaction.
    Script(String, Reply<()>),
    /// Begin a transaction.
    Begin(Options, Reply<()>),
    /// End it, with all that it did.
    Commit(Reply<()>),
    /// End it, with nothing of it.
    Rollback(Reply<()>),
    /// End whatever is open, as if it had never been, and then give the connection back.
    Release(Release),
}

/// Where an answer goes.
#[derive(Debug)]
pub struct Reply<T> {
    answer: oneshot::Sender<Result<T, Error>>,
    is_unwanted: Arc<AtomicBool>,
}

impl<T> Reply<T> {
    /// Answers.
    pub fn send(self, result: Result<T, Error>) {
        // Nobody may be waiting any more.
        let _ = self.answer.send(result);
    }

    /// Set once nobody waits any more. For workers that look now and then.
    #[must_use]
    pub fn unwanted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_unwanted)
    }

    /// Resolves when nobody waits any more. For workers that wait themselves. Cancel-safe.
    pub async fn until_unwanted(&mut self) {
        self.answer.closed().await;
    }
}

/// Sets the flag of a [`Reply`] when its answer is waited for no more.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// One connection. Clones are the same one; when the last is gone the worker ends, and closes it.
#[derive(Debug, Clone)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    cursors: Arc<AtomicU64>,
}

impl Session {
    /// A connection, and where its worker gets its commands.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        (Self { commands, cursors: Arc::default() }, received)
    }

    /// Whether its worker has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// Asks for something and waits for the answer. Dropping the future ends the statement.
    ///
    /// # Errors
    /// What the worker says; [`Error::Gone`] where it takes no more, [`Error::Lost`] where it ended meanwhile.
    pub async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let wanted = Wanted(Arc::default());
        let reply = Reply { answer, is_unwanted: Arc::clone(&wanted.0) };
        if self.commands.send(command(reply)).await.is_err() {
            return Err(Error::Gone("the connection to the database is closed".to_owned()));
        }
        let lost = |_| Error::Lost("the connection to the database broke".to_owned());
        answered.await.map_err(lost)?
    }

    /// Tells it something that has no answer, without waiting; `false` if it takes nothing more.
    pub(crate) fn tell(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// The id of a new cursor.
    #[must_use]
    pub fn next_cursor(&self) -> CursorId {
        self.cursors.fetch_add(1, Ordering::Relaxed)
    }
}
