//! A transaction on a connection, from its begin to its end.

use std::ops::ControlFlow;

use futures::TryStreamExt as _;
use sql::database::{Isolation, Options};
use sql::types::{Error, Page};
use sql::worker::CursorId;
use sql::{Command, Fetched, PageSize, Reply, Statement};
use tokio_postgres::{Client, IsolationLevel, Portal, Row, Transaction};

use crate::error::error;
use crate::run::{self, Cache, Filling};
use crate::worker::{NEXT, Next, Worker, answer, is_outdated};

/// Rows that are asked for at once, for a page ends with the row that fills it: what is left waits here.
const ROWS: i32 = 64;

/// The rest of a result, at the server.
struct Open {
    id: CursorId,
    portal: Portal,
    left: std::vec::IntoIter<Row>,
    is_read: bool,
}

/// A transaction under way.
struct Running<'a> {
    transaction: Transaction<'a>,
    open: Option<Open>,
    /// A statement failed, and with it everything until a savepoint.
    has_failed: bool,
}

/// Begins a transaction, and does what is asked in it until it ends.
pub(crate) async fn run(
    worker: &mut Worker,
    client: &mut Client,
    options: Options,
    reply: Reply<()>,
) -> Next {
    let builder = client.build_transaction().read_only(options.read_only);
    let builder = match options.isolation {
        Isolation::Unspecified => builder,
        Isolation::ReadCommitted => builder.isolation_level(IsolationLevel::ReadCommitted),
        Isolation::RepeatableRead => builder.isolation_level(IsolationLevel::RepeatableRead),
        Isolation::Serializable => builder.isolation_level(IsolationLevel::Serializable),
    };
    let mut begun = None;
    let work = async {
        begun = Some(builder.start().await.map_err(|failure| error(&failure))?);
        Ok(())
    };
    answer(&worker.cancel, reply, work).await?;
    let Some(transaction) = begun else { return NEXT };
    let mut running = Running { transaction, open: None, has_failed: false };
    while let Some(command) = worker.receive().await {
        match command {
            Command::Execute(statement, reply) => running.execute(worker, statement, reply).await?,
            Command::Query(statement, id, reply) => {
                running.query(worker, statement, id, reply).await?;
            }
            Command::Next(id, reply) => running.next(worker, id, reply).await?,
            Command::Close(id) => running.close(id),
            Command::Commit(reply) => return running.commit(worker, reply).await,
            Command::Rollback(reply) => return running.roll_back(worker, Some(reply)).await,
            Command::Release(release) => {
                running.roll_back(worker, None).await?;
                release.done();
                return NEXT;
            }
            Command::Script(_, reply) | Command::Begin(_, reply) => {
                reply
                    .send(Err(Error::Other("a transaction is open on this connection".to_owned())));
            }
        }
    }
    ControlFlow::Break(())
}

impl Running<'_> {
    async fn execute(
        &mut self,
        worker: &mut Worker,
        statement: Statement,
        reply: Reply<u64>,
    ) -> ControlFlow<()> {
        let is_return = is_return(&statement.text);
        let (client, cache) = (self.transaction.client(), &mut worker.cache);
        let work = async {
            let ready = cache.ready(client, statement).await?;
            run::execute(client, ready).await.map_err(|failure| begin_again(cache, failure))
        };
        let is_good = answer(&worker.cancel, reply, work).await?;
        self.has_failed = !is_good || (self.has_failed && !is_return);
        ControlFlow::Continue(())
    }

    async fn query(
        &mut self,
        worker: &mut Worker,
        statement: Statement,
        id: CursorId,
        reply: Reply<Fetched>,
    ) -> ControlFlow<()> {
        let is_return = is_return(&statement.text);
        let (client, cache, size) = (self.transaction.client(), &mut worker.cache, worker.page);
        let is_busy = self.open.is_some();
        let mut opened = None;
        let mut is_refused = false;
        let work = async {
            let ready = cache.ready(client, statement).await?;
            let columns = run::columns(&ready.prepared);
            let portal = self.transaction.bind_raw(&ready.prepared, ready.parameters).await;
            let portal = portal.map_err(|failure| begin_again(cache, error(&failure)))?;
            let mut open = Open { id, portal, left: Vec::new().into_iter(), is_read: false };
            let page = open.page(&self.transaction, size).await;
            let page = page.map_err(|failure| begin_again(cache, failure))?;
            if !page.is_last && is_busy {
                is_refused = true;
                return Err(Error::Busy("a cursor of the transaction is open".to_owned()));
            }
            if !page.is_last {
                opened = Some(open);
            }
            Ok(Fetched { columns, page })
        };
        let is_good = answer(&worker.cancel, reply, work).await?;
        if opened.is_some() {
            self.open = opened;
        }
        let has_failed = !is_good && !is_refused;
        self.has_failed = has_failed || (self.has_failed && !is_return);
        ControlFlow::Continue(())
    }

    async fn next(
        &mut self,
        worker: &mut Worker,
        id: CursorId,
        reply: Reply<Page>,
    ) -> ControlFlow<()> {
        let Some(open) = self.open.as_mut().filter(|open| open.id == id) else {
            reply.send(Err(Error::Gone("the cursor is not open any more".to_owned())));
            return ControlFlow::Continue(());
        };
        let mut is_last = false;
        let work = async {
            let page = open.page(&self.transaction, worker.page).await?;
            is_last = page.is_last;
            Ok(page)
        };
        let is_good = answer(&worker.cancel, reply, work).await?;
        if is_last || !is_good {
            self.open = None;
        }
        self.has_failed |= !is_good;
        ControlFlow::Continue(())
    }

    fn close(&mut self, id: CursorId) {
        // Dropping a portal closes it.
        self.open.take_if(|open| open.id == id);
    }

    async fn commit(self, worker: &Worker, reply: Reply<()>) -> Next {
        if self.has_failed {
            // PostgreSQL would roll back, and call that a success.
            self.roll_back(worker, None).await?;
            let why = "a statement of the transaction has failed: it was rolled back";
            reply.send(Err(Error::Gone(why.to_owned())));
            return NEXT;
        }
        drop(self.open);
        let work = async { self.transaction.commit().await.map_err(|failure| error(&failure)) };
        answer(&worker.cancel, reply, work).await.map_continue(|_| None)
    }

    async fn roll_back(self, worker: &Worker, reply: Option<Reply<()>>) -> Next {
        drop(self.open);
        let work = async { self.transaction.rollback().await.map_err(|failure| error(&failure)) };
        match reply {
            Some(reply) => answer(&worker.cancel, reply, work).await.map_continue(|_| None),
            None => match work.await {
                Ok(()) => NEXT,
                Err(_) => ControlFlow::Break(()),
            },
        }
    }
}

impl Open {
    async fn page(&mut self, transaction: &Transaction<'_>, size: PageSize) -> Result<Page, Error> {
        let mut filling = Filling::new(size);
        while !filling.is_full() {
            match self.left.next() {
                Some(row) => filling.add(&row)?,
                None if self.is_read => return Ok(Page { rows: filling.rows, is_last: true }),
                None => self.fetch(transaction).await?,
            }
        }
        Ok(Page { rows: filling.rows, is_last: false })
    }

    async fn fetch(&mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let rows = transaction.query_portal_raw(&self.portal, ROWS).await;
        let rows = rows.map_err(|failure| error(&failure))?;
        let rows: Vec<Row> = rows.try_collect().await.map_err(|failure| error(&failure))?;
        self.is_read = rows.len() < ROWS.unsigned_abs() as usize;
        self.left = rows.into_iter();
        Ok(())
    }
}

/// A table was changed since a statement that reads it was prepared here: outside of a transaction it is prepared anew, but
/// the transaction has failed.
fn begin_again(cache: &mut Cache, failure: Error) -> Error {
    if !is_outdated(&failure) {
        return failure;
    }
    cache.clear();
    Error::Serialization("a table was changed while the transaction ran".to_owned())
}

/// Whether a statement goes back to a savepoint, after which a failed transaction goes on.
fn is_return(text: &str) -> bool {
    text.trim_start().get(..8).is_some_and(|word| word.eq_ignore_ascii_case("rollback"))
}
