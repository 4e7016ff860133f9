//! One connection's task: takes commands, one by one.
//!
//! A statement that nobody waits for any more is cancelled at the server. As that may hit what the connection does next,
//! it does nothing more: the worker ends, and the connection is closed.

use std::ops::ControlFlow;
use std::pin::Pin;

use sql::types::{Column, Error, Page};
use sql::worker::CursorId;
use sql::{Command, Fetched, PageSize, Reply, Statement};
use tokio::sync::mpsc;
use tokio_postgres::{Client, RowStream};
use tokio_util::sync::CancellationToken;

use crate::connect::Cancel;
use crate::error::error;
use crate::run::{self, Cache};
use crate::transaction;

/// What goes on after a command: the next one, if it has come already; or the connection is not fit for more.
pub(crate) type Next = ControlFlow<(), Option<Command>>;

/// Go on.
pub(crate) const NEXT: Next = ControlFlow::Continue(None);

/// What a connection's task has besides the connection.
pub(crate) struct Worker {
    pub(crate) cancel: Cancel,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) cache: Cache,
    pub(crate) page: PageSize,
    ended: CancellationToken,
}

impl Worker {
    pub(crate) fn new(
        cancel: Cancel,
        commands: mpsc::Receiver<Command>,
        ended: CancellationToken,
        page: PageSize,
    ) -> Self {
        Self { cancel, commands, cache: Cache::default(), page, ended }
    }

    /// Works until nobody can send a command any more, or the connection has ended.
    pub(crate) async fn run(mut self, mut client: Client) {
        let mut next = None;
        loop {
            let command = match next.take() {
                Some(command) => command,
                None => match self.receive().await {
                    Some(command) => command,
                    None => return,
                },
            };
            match self.obey(&mut client, command).await {
                ControlFlow::Continue(command) => next = command,
                ControlFlow::Break(()) => return,
            }
        }
    }

    /// The next command; `None` where there will be none, or no connection for it.
    pub(crate) async fn receive(&mut self) -> Option<Command> {
        tokio::select! {
            // Cancel-safe, both: neither has done anything before it resolves.
            command = self.commands.recv() => command,
            () = self.ended.cancelled() => None,
        }
    }

    async fn obey(&mut self, client: &mut Client, command: Command) -> Next {
        match command {
            Command::Execute(statement, reply) => self.execute(client, statement, reply).await,
            Command::Query(statement, id, reply) => self.query(client, statement, id, reply).await,
            Command::Script(text, reply) => {
                let work = client.batch_execute(&text);
                let work = async { work.await.map_err(|failure| error(&failure)) };
                answer(&self.cancel, reply, work).await.map_continue(|_| None)
            }
            Command::Begin(options, reply) => transaction::run(self, client, options, reply).await,
            Command::Next(_, reply) => {
                reply.send(Err(Error::Gone("the cursor is not open any more".to_owned())));
                NEXT
            }
            Command::Commit(reply) | Command::Rollback(reply) => {
                reply.send(Err(Error::Gone("the transaction has ended".to_owned())));
                NEXT
            }
            Command::Close(_) => NEXT,
            Command::Release(release) => {
                release.done();
                NEXT
            }
        }
    }

    async fn execute(&mut self, client: &Client, statement: Statement, reply: Reply<u64>) -> Next {
        let cache = &mut self.cache;
        let work = async {
            let again = copy(&statement);
            let ready = cache.ready(client, statement).await?;
            match run::execute(client, ready).await {
                Err(failure) if is_outdated(&failure) => {
                    cache.clear();
                    run::execute(client, cache.ready(client, again).await?).await
                }
                outcome => outcome,
            }
        };
        answer(&self.cancel, reply, work).await.map_continue(|_| None)
    }

    async fn query(
        &mut self,
        client: &Client,
        statement: Statement,
        id: CursorId,
        reply: Reply<Fetched>,
    ) -> Next {
        let (cache, size) = (&mut self.cache, self.page);
        let mut open = None;
        let work = async {
            let again = copy(&statement);
            let (columns, rows, page) = match first(client, cache, statement, size).await {
                Err(failure) if is_outdated(&failure) => {
                    cache.clear();
                    first(client, cache, again, size).await?
                }
                outcome => outcome?,
            };
            if !page.is_last {
                open = Some(rows);
            }
            Ok(Fetched { columns, page })
        };
        match answer(&self.cancel, reply, work).await {
            ControlFlow::Continue(true) => {}
            ControlFlow::Continue(false) => return NEXT,
            ControlFlow::Break(()) => return ControlFlow::Break(()),
        }
        let Some(mut rows) = open else { return NEXT };
        while let Some(command) = self.receive().await {
            match command {
                Command::Next(wanted, reply) if wanted == id => {
                    let mut is_last = false;
                    let work = async {
                        let page = run::page(&mut rows, size).await?;
                        is_last = page.is_last;
                        Ok(page)
                    };
                    match answer(&self.cancel, reply, work).await {
                        ControlFlow::Continue(true) if is_last => return NEXT,
                        ControlFlow::Continue(true) => {}
                        _ => return ControlFlow::Break(()),
                    }
                }
                // The rest is still on its way.
                _ => return self.unread().await,
            }
        }
        ControlFlow::Break(())
    }

    /// Ends a result that is not wanted to its end.
    async fn unread(&self) -> Next {
        self.cancel.cancel().await;
        ControlFlow::Break(())
    }
}

type Rows = Pin<Box<RowStream>>;

/// The columns of a result, its rows, and the first page of them.
async fn first(
    client: &Client,
    cache: &mut Cache,
    statement: Statement,
    size: PageSize,
) -> Result<(Vec<Column>, Rows, Page), Error> {
    let ready = cache.ready(client, statement).await?;
    let columns = run::columns(&ready.prepared);
    let mut rows = run::rows(client, ready).await?;
    let page = run::page(&mut rows, size).await?;
    Ok((columns, rows, page))
}

fn copy(statement: &Statement) -> Statement {
    Statement { text: statement.text.clone(), parameters: statement.parameters.clone() }
}

/// The table that a prepared statement reads has other columns by now. PostgreSQL says so before it does anything.
pub(crate) fn is_outdated(failure: &Error) -> bool {
    matches!(failure, Error::Mistake(mistake) if mistake.message.starts_with("cached plan must not change"))
}

/// Does `work` and answers, with whether it went well; if nobody waits for that any more, cancels it at the server.
pub(crate) async fn answer<T>(
    cancel: &Cancel,
    mut reply: Reply<T>,
    work: impl Future<Output = Result<T, Error>>,
) -> ControlFlow<(), bool> {
    let result = tokio::select! {
        biased;
        result = work => result,
        () = reply.until_unwanted() => {
            cancel.cancel().await;
            return ControlFlow::Break(());
        }
    };
    let is_good = result.is_ok();
    let is_lost = matches!(result, Err(Error::Lost(_)));
    reply.send(result);
    if is_lost { ControlFlow::Break(()) } else { ControlFlow::Continue(is_good) }
}
