//! The rest of a result that did not fit one page.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::pool::Taken;
use crate::transaction::Transaction;
use crate::types::{Error, Page};
use crate::worker::{Command, CursorId};

/// The rest of a result. Dropping it ends the statement where it is.
#[derive(Debug)]
pub struct Cursor {
    id: CursorId,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// A connection of its own, until the end has been read.
    Own(Mutex<Option<Arc<Taken>>>),
    /// That of a transaction, which may end before.
    Transaction(Weak<Transaction>),
}

impl Cursor {
    /// A cursor that keeps `connection` until it has been read.
    pub(crate) fn own(connection: Taken, id: CursorId) -> Self {
        Self { id, source: Source::Own(Mutex::new(Some(Arc::new(connection)))) }
    }

    /// A cursor on the connection of `transaction`.
    pub(crate) fn of(transaction: &Arc<Transaction>, id: CursorId) -> Self {
        Self { id, source: Source::Transaction(Arc::downgrade(transaction)) }
    }

    pub(crate) async fn next(&self) -> Result<Page, Error> {
        let connection = match &self.source {
            Source::Own(connection) => connection,
            Source::Transaction(transaction) => {
                let over = || Error::Gone("the transaction of the cursor has ended".to_owned());
                return transaction.upgrade().ok_or_else(over)?.next(self.id).await;
            }
        };
        let lock = || connection.lock().unwrap_or_else(PoisonError::into_inner);
        let open = lock().clone();
        let Some(open) = open else {
            return Ok(Page { rows: Vec::new(), is_last: true });
        };
        let page = open.ask(|reply| Command::Next(self.id, reply)).await;
        if page.as_ref().map_or(true, |page| page.is_last) {
            lock().take();
        }
        page
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if let Source::Transaction(transaction) = &self.source
            && let Some(transaction) = transaction.upgrade()
        {
            transaction.close(self.id);
        }
    }
}
