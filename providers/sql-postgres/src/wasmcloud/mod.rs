//! wasmcloud:postgres@0.1.1-draft, for components that were built for it: over the pool of the same link.
//!
//! Numbers, text, bytes, JSON, UUIDs, days, times and moments, and lists of those, are what PostgreSQL gives and takes; of
//! the other kinds (geometry, bits, networks, text search) the statement makes text: `$1::text::inet`, `address::text`. A
//! prepared statement's token is its text: every connection of every replica prepares it when it first meets it.

mod params;
mod results;

wicker_provider::bindgen!({
    path: "../../wit/wasmcloud-postgres-0.1.1-draft",
    interfaces: [
        "wasmcloud:postgres/types@0.1.1-draft",
        "wasmcloud:postgres/query@0.1.1-draft",
        "wasmcloud:postgres/prepared@0.1.1-draft",
    ],
});

use sql::types::Error;
use sql::{Link, explain};
use wicker_provider::Interfaces;

use self::types::{
    PgValue, PreparedStatementExecError, QueryError, ResultRow, StatementPrepareError,
};

/// What every link serves of it.
pub(crate) fn interfaces() -> Interfaces<Link> {
    Interfaces::new().with(query::serve()).with(prepared::serve())
}

fn failed(error: &Error) -> QueryError {
    match error {
        Error::Mistake(mistake) => QueryError::InvalidQuery(mistake.message.clone()),
        Error::Conversion(why) => QueryError::InvalidParams(why.clone()),
        other => QueryError::Unexpected(explain(other)),
    }
}

impl query::Query for Link {
    async fn query(
        &self,
        query: String,
        params: Vec<PgValue>,
    ) -> Result<Vec<ResultRow>, QueryError> {
        let parameters = params::read_all(params).map_err(QueryError::InvalidParams)?;
        sql::guard::alone(&query).map_err(|error| failed(&error))?;
        let all = self.pool().query(query, parameters).await.map_err(|error| failed(&error))?;
        results::rows(all)
    }

    async fn query_batch(&self, query: String) -> Result<(), QueryError> {
        self.pool().run_script(query).await.map_err(|error| failed(&error))
    }
}

impl prepared::Prepared for Link {
    async fn prepare(&self, statement: String) -> Result<String, StatementPrepareError> {
        let checked = sql::guard::alone(&statement);
        checked.map_err(|error| StatementPrepareError::Unexpected(explain(&error)))?;
        Ok(statement)
    }

    async fn exec(
        &self,
        stmt_token: String,
        params: Vec<PgValue>,
    ) -> Result<u64, PreparedStatementExecError> {
        let wrong = PreparedStatementExecError::QueryError;
        let invalid = |why| wrong(QueryError::InvalidParams(why));
        let parameters = params::read_all(params).map_err(invalid)?;
        sql::guard::alone(&stmt_token).map_err(|error| wrong(failed(&error)))?;
        let done = self.pool().execute(stmt_token, parameters).await;
        done.map_err(|error| wrong(failed(&error)))
    }
}
