//! A transaction: a connection that is kept for one caller.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cursor::Cursor;
use crate::database::Options;
use crate::guard;
use crate::pool::Taken;
use crate::types::{Error, Page};
use crate::worker::{Command, CursorId, Fetched, Statement};

/// A transaction. Dropping it rolls it back.
#[derive(Debug)]
pub struct Transaction {
    /// Its worker takes one statement after the other. `None` once it has ended.
    connection: Mutex<Option<Arc<Taken>>>,
}

impl Transaction {
    pub(crate) async fn begin(connection: Taken, options: Options) -> Result<Self, Error> {
        connection.ask(|reply| Command::Begin(options, reply)).await?;
        Ok(Self { connection: Mutex::new(Some(Arc::new(connection))) })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Taken>>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> Result<Arc<Taken>, Error> {
        self.lock().clone().ok_or_else(is_over)
    }

    /// Takes the connection for what ends the transaction.
    fn last(&self) -> Result<Arc<Taken>, Error> {
        self.lock().take().ok_or_else(is_over)
    }

    /// Runs a statement; the rest of what does not fit one page is under the cursor's id.
    pub(crate) async fn query(&self, statement: Statement) -> Result<(Fetched, CursorId), Error> {
        guard::in_transaction(&statement.text)?;
        let connection = self.connection()?;
        let cursor = connection.next_cursor();
        let fetched = connection.ask(|reply| Command::Query(statement, cursor, reply)).await?;
        Ok((fetched, cursor))
    }

    pub(crate) async fn execute(&self, statement: Statement) -> Result<u64, Error> {
        guard::in_transaction(&statement.text)?;
        self.connection()?.ask(|reply| Command::Execute(statement, reply)).await
    }

    pub(crate) async fn next(&self, cursor: CursorId) -> Result<Page, Error> {
        self.connection()?.ask(|reply| Command::Next(cursor, reply)).await
    }

    /// The cursor is not needed any more. Where the worker has no room for that, it stays until the transaction ends.
    pub(crate) fn close(&self, cursor: CursorId) {
        if let Some(connection) = self.lock().as_ref() {
            connection.tell(Command::Close(cursor));
        }
    }

    pub(crate) async fn commit(&self) -> Result<(), Error> {
        self.last()?.ask(Command::Commit).await
    }

    pub(crate) async fn roll_back(&self) -> Result<(), Error> {
        self.last()?.ask(Command::Rollback).await
    }

    /// The rest of a result, for the caller.
    pub(crate) fn cursor(self: &Arc<Self>, id: CursorId) -> Cursor {
        Cursor::of(self, id)
    }
}

fn is_over() -> Error {
    Error::Gone("the transaction has ended".to_owned())
}
