//! A component with a link to a database.

use sql::database::{self, Isolation, Options, Rows};
use sql::types::{Error, Page, Value};
use wicker_lattice::call::CallError;
use wicker_provider::{Client, Handle};

pub(crate) type Outcome<T> = Result<T, Error>;

pub(crate) struct Shop {
    pub(crate) client: Client,
    pub(crate) sql: database::Client,
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// How transactions begin that want nothing special.
pub(crate) fn plain() -> Options {
    Options { isolation: Isolation::Unspecified, read_only: false }
}

impl Shop {
    pub(crate) fn new(client: Client) -> Self {
        Self { sql: database::Client::new(client.clone()), client }
    }

    pub(crate) async fn try_run(&self, statement: &str, values: &[Value]) -> Outcome<u64> {
        self.sql.execute(statement.to_owned(), values.to_vec()).await.unwrap()
    }

    /// Changes so many rows.
    pub(crate) async fn run(&self, statement: &str, values: &[Value]) -> u64 {
        self.try_run(statement, values).await.unwrap()
    }

    pub(crate) async fn try_query(
        &self,
        statement: &str,
        values: &[Value],
    ) -> Outcome<Rows<Handle>> {
        self.sql.query(statement.to_owned(), values.to_vec()).await.unwrap()
    }

    /// All rows, which fit one page.
    pub(crate) async fn rows(&self, statement: &str, values: &[Value]) -> Vec<Vec<Value>> {
        let rows = self.try_query(statement, values).await.unwrap();
        assert!(rows.rest.is_none(), "they do not fit one page");
        rows.first
    }

    /// The one value of the one row.
    pub(crate) async fn value(&self, statement: &str) -> Value {
        self.rows(statement, &[]).await[0][0].clone()
    }

    pub(crate) async fn script(&self, statements: &str) -> Outcome<()> {
        self.sql.execute_script(statements.to_owned()).await.unwrap()
    }

    pub(crate) async fn begin(&self) -> Handle {
        self.sql.transaction_begin(plain()).await.unwrap().unwrap().0
    }

    pub(crate) async fn in_run(&self, at: &Handle, statement: &str) -> Outcome<u64> {
        self.sql.transaction_execute(at, statement.to_owned(), Vec::new()).await.unwrap()
    }

    pub(crate) async fn in_query(&self, at: &Handle, statement: &str) -> Outcome<Rows<Handle>> {
        self.sql.transaction_query(at, statement.to_owned(), Vec::new()).await.unwrap()
    }

    pub(crate) async fn commit(&self, transaction: Handle) -> Outcome<()> {
        self.sql.transaction_commit(transaction).await.unwrap()
    }

    pub(crate) async fn next(&self, cursor: &Handle) -> Page {
        self.try_next(cursor).await.unwrap().unwrap()
    }

    pub(crate) async fn try_next(&self, cursor: &Handle) -> Result<Outcome<Page>, CallError> {
        self.sql.cursor_next(cursor).await
    }

    pub(crate) async fn drop(&self, handle: Handle) {
        self.client.release(&database::name().key(), vec![handle]).await.unwrap();
    }
}
