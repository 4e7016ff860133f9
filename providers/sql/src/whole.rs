//! Statements as a whole, for interfaces that know neither pages nor cursors.

use std::sync::Arc;

use wicker_provider::lattice::call::VALUE_BYTES_MAX;

use crate::PAGE_BYTES;
use crate::pool::Pool;
use crate::types::{Column, Error, Value};
use crate::worker::{Command, Statement};

/// Pages that one value of the lattice can hold.
const PAGES_MAX: usize = VALUE_BYTES_MAX / PAGE_BYTES;

/// All of a result.
#[derive(Debug)]
pub struct Rows {
    /// Of every row.
    pub columns: Vec<Column>,
    /// All of them.
    pub rows: Vec<Vec<Value>>,
}

impl Pool {
    /// Runs a statement and gives all its rows.
    ///
    /// # Errors
    /// As the statement fails; [`Error::Other`] where it has more rows than one call may carry.
    pub async fn query(
        self: &Arc<Self>,
        text: String,
        parameters: Vec<Value>,
    ) -> Result<Rows, Error> {
        let connection = self.take().await?;
        let (statement, id) = (Statement { text, parameters }, connection.next_cursor());
        let first = connection.ask(|reply| Command::Query(statement, id, reply)).await?;
        let (mut rows, mut is_last, mut pages) = (first.page.rows, first.page.is_last, 1);
        while !is_last {
            if pages == PAGES_MAX {
                return Err(Error::Other(
                    "the result is larger than 16 MiB: ask for less at once".to_owned(),
                ));
            }
            let page = connection.ask(|reply| Command::Next(id, reply)).await?;
            rows.extend(page.rows);
            (is_last, pages) = (page.is_last, pages + 1);
        }
        Ok(Rows { columns: first.columns, rows })
    }

    /// Runs a statement and counts the rows that it changed.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn execute(
        self: &Arc<Self>,
        text: String,
        parameters: Vec<Value>,
    ) -> Result<u64, Error> {
        let connection = self.take().await?;
        let statement = Statement { text, parameters };
        connection.ask(|reply| Command::Execute(statement, reply)).await
    }

    /// Runs several statements in one transaction.
    ///
    /// # Errors
    /// As one of them fails.
    pub async fn run_script(self: &Arc<Self>, text: String) -> Result<(), Error> {
        let connection = self.take().await?;
        connection.ask(|reply| Command::Script(text, reply)).await
    }
}
