//! wicker:sql over a pool of connections: what each link is.

use std::sync::Arc;

use wicker_provider::{Own, PinError, Pinned};

use crate::cursor::Cursor;
use crate::database::{Database, Options, Rows};
use crate::guard;
use crate::pool::Pool;
use crate::transaction::Transaction;
use crate::types::{Error, Page, Value};
use crate::worker::{Command, Fetched, Statement};

/// One link: a database, as far as its caller may see.
#[derive(Debug)]
pub struct Link {
    pool: Arc<Pool>,
}

impl Link {
    /// A link over `pool`.
    #[must_use]
    pub fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Its connections.
    #[must_use]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Connects once, to see whether it can be done.
    ///
    /// # Errors
    /// As [`Connect::connect`](crate::Connect::connect).
    pub async fn check(&self) -> Result<(), Error> {
        self.pool.take().await.map(drop)
    }

    fn keep<T: Send + Sync + 'static>(&self, value: T) -> Result<Own<Pinned<T>>, Error> {
        let full = |error: PinError| Error::Overloaded(error.to_string());
        Pinned::new(value, self.pool.bounds().lease).map(Own).map_err(full)
    }

    fn rows(
        &self,
        fetched: Fetched,
        rest: impl FnOnce() -> Cursor,
    ) -> Result<Rows<Pinned<Cursor>>, Error> {
        let Fetched { columns, page: Page { rows: first, is_last } } = fetched;
        let rest = (!is_last).then(|| self.keep(rest())).transpose()?;
        Ok(Rows { columns, first, rest })
    }
}

impl Database for Link {
    type Cursor = Pinned<Cursor>;
    type Transaction = Pinned<Transaction>;

    async fn cursor_next(&self, this: &Pinned<Cursor>) -> Result<Page, Error> {
        this.next().await
    }

    async fn transaction_begin(&self, options: Options) -> Result<Own<Pinned<Transaction>>, Error> {
        let connection = self.pool.take().await?;
        self.keep(Transaction::begin(connection, options).await?)
    }

    async fn transaction_query(
        &self,
        this: &Pinned<Transaction>,
        text: String,
        parameters: Vec<Value>,
    ) -> Result<Rows<Pinned<Cursor>>, Error> {
        let (fetched, cursor) = this.query(Statement { text, parameters }).await?;
        self.rows(fetched, || this.share().cursor(cursor))
    }

    async fn transaction_execute(
        &self,
        this: &Pinned<Transaction>,
        text: String,
        parameters: Vec<Value>,
    ) -> Result<u64, Error> {
        this.execute(Statement { text, parameters }).await
    }

    async fn transaction_commit(&self, transaction: Pinned<Transaction>) -> Result<(), Error> {
        transaction.commit().await
    }

    async fn transaction_rollback(&self, transaction: Pinned<Transaction>) -> Result<(), Error> {
        transaction.roll_back().await
    }

    async fn query(
        &self,
        text: String,
        parameters: Vec<Value>,
    ) -> Result<Rows<Pinned<Cursor>>, Error> {
        guard::alone(&text)?;
        let connection = self.pool.take().await?;
        let (statement, id) = (Statement { text, parameters }, connection.next_cursor());
        let fetched = connection.ask(|reply| Command::Query(statement, id, reply)).await?;
        self.rows(fetched, || Cursor::own(connection, id))
    }

    async fn execute(&self, text: String, parameters: Vec<Value>) -> Result<u64, Error> {
        guard::alone(&text)?;
        let connection = self.pool.take().await?;
        let statement = Statement { text, parameters };
        connection.ask(|reply| Command::Execute(statement, reply)).await
    }

    async fn execute_script(&self, statements: String) -> Result<(), Error> {
        let connection = self.pool.take().await?;
        connection.ask(|reply| Command::Script(statements, reply)).await
    }
}
