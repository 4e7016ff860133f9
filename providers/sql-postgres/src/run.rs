//! Runs statements on a connection: prepares each once, reads its rows page by page.

use std::collections::HashMap;
use std::pin::Pin;

use futures::TryStreamExt as _;
use sql::types::{Column, Error, Mistake, Page, Value};
use sql::{PageSize, Statement};
use tokio_postgres::{Client, Row, RowStream, Statement as Prepared};

use crate::decode::Decoded;
use crate::encode::Parameter;
use crate::error::error;

/// Statements that a connection keeps prepared. When there are more it begins again.
const PREPARED_MAX: usize = 256;

/// The prepared statements of one connection, by their text.
#[derive(Default)]
pub(crate) struct Cache(HashMap<String, Prepared>);

/// A statement and its parameters, ready to run.
pub(crate) struct Ready {
    pub(crate) prepared: Prepared,
    pub(crate) parameters: Vec<Parameter>,
}

impl Cache {
    pub(crate) async fn ready(
        &mut self,
        client: &Client,
        statement: Statement,
    ) -> Result<Ready, Error> {
        let Statement { text, parameters } = statement;
        let prepared = match self.0.get(&text) {
            Some(prepared) => prepared.clone(),
            None => self.prepare(client, text).await?,
        };
        let (wanted, given) = (prepared.params().len(), parameters.len());
        if wanted != given {
            let message = format!("the statement has {wanted} parameters, and {given} were given");
            return Err(Error::Mistake(Mistake { position: None, message }));
        }
        Ok(Ready { prepared, parameters: parameters.into_iter().map(Parameter).collect() })
    }

    async fn prepare(&mut self, client: &Client, text: String) -> Result<Prepared, Error> {
        let prepared = client.prepare(&text).await.map_err(|failure| error(&failure))?;
        if self.0.len() >= PREPARED_MAX {
            self.0.clear();
        }
        self.0.insert(text, prepared.clone());
        Ok(prepared)
    }

    /// A table has changed under a statement: all are prepared anew.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

pub(crate) async fn execute(client: &Client, ready: Ready) -> Result<u64, Error> {
    let Ready { prepared, parameters } = ready;
    client.execute_raw(&prepared, parameters).await.map_err(|failure| error(&failure))
}

pub(crate) async fn rows(client: &Client, ready: Ready) -> Result<Pin<Box<RowStream>>, Error> {
    let Ready { prepared, parameters } = ready;
    let rows = client.query_raw(&prepared, parameters).await;
    rows.map(Box::pin).map_err(|failure| error(&failure))
}

/// The columns of a statement's rows.
pub(crate) fn columns(prepared: &Prepared) -> Vec<Column> {
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        type_name: column.type_().name().to_owned(),
    };
    prepared.columns().iter().map(column).collect()
}

/// The next rows of a stream, up to the size of a page.
pub(crate) async fn page(rows: &mut Pin<Box<RowStream>>, size: PageSize) -> Result<Page, Error> {
    let mut filling = Filling::new(size);
    while !filling.is_full() {
        match rows.try_next().await.map_err(|failure| error(&failure))? {
            Some(row) => filling.add(&row)?,
            None => return Ok(Page { rows: filling.rows, is_last: true }),
        }
    }
    Ok(Page { rows: filling.rows, is_last: false })
}

/// A page that is being filled.
pub(crate) struct Filling {
    pub(crate) rows: Vec<Vec<Value>>,
    bytes: usize,
    size: PageSize,
}

impl Filling {
    pub(crate) fn new(size: PageSize) -> Self {
        Self { rows: Vec::new(), bytes: 0, size }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= self.size.rows || self.bytes >= self.size.bytes
    }

    pub(crate) fn add(&mut self, row: &Row) -> Result<(), Error> {
        self.bytes += row.raw_size_bytes();
        let values = (0..row.len()).map(|at| row.try_get(at).map(|Decoded(value)| value));
        self.rows.push(values.collect::<Result<_, _>>().map_err(|failure| error(&failure))?);
        Ok(())
    }
}
