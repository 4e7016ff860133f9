//! One link's buckets: what each operation is as a statement.

use std::sync::Arc;

use bytes::Bytes;
use keyvalue::{Failure, KeyValue, Page, Swap, Version};
use sql::database::{Isolation, Options};
use sql::types::{Error, Value};
use sql::{Command, Pool, Statement, explain};
use wicker_provider::ProviderError;

/// Keys of a page.
pub(crate) const KEYS: u32 = 1_000;

/// Versions are drawn from one sequence, so that a key which was removed and written again has another one. Two that make
/// the table at once are kept apart by a lock.
const TABLE: &str = "
    SELECT pg_advisory_xact_lock(8391662042);
    CREATE SEQUENCE IF NOT EXISTS wicker_keyvalue_version;
    CREATE TABLE IF NOT EXISTS wicker_keyvalue (
        bucket TEXT COLLATE \"C\" NOT NULL,
        key TEXT COLLATE \"C\" NOT NULL,
        value BYTEA NOT NULL,
        version BIGINT NOT NULL DEFAULT nextval('wicker_keyvalue_version'),
        place BIGINT GENERATED ALWAYS AS IDENTITY,
        PRIMARY KEY (bucket, key)
    );
    CREATE UNIQUE INDEX IF NOT EXISTS wicker_keyvalue_place ON wicker_keyvalue (bucket, place);";

const GET: &str = "SELECT value FROM wicker_keyvalue WHERE bucket = $1 AND key = $2";

const GET_MANY: &str = "SELECT key, value FROM wicker_keyvalue WHERE bucket = $1 AND key = ANY($2)";

const SET: &str = "INSERT INTO wicker_keyvalue (bucket, key, value) VALUES ($1, $2, $3) \
    ON CONFLICT (bucket, key) DO UPDATE SET value = excluded.value, version = excluded.version";

const DELETE: &str = "DELETE FROM wicker_keyvalue WHERE bucket = $1 AND key = $2";

const LIST: &str = "SELECT place, key FROM wicker_keyvalue WHERE bucket = $1 AND place > $2 \
    ORDER BY place LIMIT $3";

/// What is there must be a number; the server says so if it is none, and nothing is written.
const INCREMENT: &str = "INSERT INTO wicker_keyvalue AS kept (bucket, key, value) \
    VALUES ($1, $2, convert_to($3::bigint::text, 'UTF8')) \
    ON CONFLICT (bucket, key) DO UPDATE SET version = excluded.version, \
    value = convert_to((convert_from(kept.value, 'UTF8')::bigint + $3::bigint)::text, 'UTF8') \
    RETURNING convert_from(value, 'UTF8')::bigint";

const VERSION: &str = "SELECT version FROM wicker_keyvalue WHERE bucket = $1 AND key = $2";

const CREATE: &str = "INSERT INTO wicker_keyvalue (bucket, key, value) VALUES ($1, $2, $3) \
    ON CONFLICT (bucket, key) DO NOTHING";

const REPLACE: &str = "UPDATE wicker_keyvalue \
    SET value = $3, version = nextval('wicker_keyvalue_version') \
    WHERE bucket = $1 AND key = $2 AND version = $4";

/// One link's buckets.
#[derive(Debug)]
pub struct Buckets {
    pool: Arc<Pool>,
    prefix: String,
    allowed: Vec<String>,
}

impl Buckets {
    /// Makes the table, if it is not there.
    pub(crate) async fn open(
        pool: Arc<Pool>,
        prefix: String,
        allowed: Vec<String>,
    ) -> Result<Self, ProviderError> {
        pool.run_script(TABLE.to_owned()).await.map_err(|error| {
            ProviderError::backend("cannot make the table `wicker_keyvalue`", explain(&error))
        })?;
        Ok(Self { pool, prefix, allowed })
    }

    fn bucket(&self, bucket: &str) -> Result<Value, Failure> {
        if !self.allowed.is_empty() && !self.allowed.iter().any(|each| each == bucket) {
            return Err(Failure::Denied);
        }
        Ok(Value::Text(format!("{}{bucket}", self.prefix)))
    }

    fn at(&self, bucket: &str, key: &str) -> Result<Vec<Value>, Failure> {
        Ok(vec![self.bucket(bucket)?, Value::Text(key.to_owned())])
    }

    async fn run(&self, text: &str, parameters: Vec<Value>) -> Result<u64, Failure> {
        let done = self.pool.execute(text.to_owned(), parameters).await;
        done.map_err(|error| failure(&error))
    }

    async fn rows(&self, text: &str, parameters: Vec<Value>) -> Result<Vec<Vec<Value>>, Failure> {
        let all = self.pool.query(text.to_owned(), parameters).await;
        all.map(|all| all.rows).map_err(|error| failure(&error))
    }

    /// All of these, or none.
    async fn run_all(&self, text: &str, each: Vec<Vec<Value>>) -> Result<(), Failure> {
        let done = async {
            let connection = self.pool.take().await?;
            let options = Options { isolation: Isolation::Unspecified, read_only: false };
            connection.ask(|reply| Command::Begin(options, reply)).await?;
            for parameters in each {
                let statement = Statement { text: text.to_owned(), parameters };
                connection.ask(|reply| Command::Execute(statement, reply)).await?;
            }
            connection.ask(Command::Commit).await
        };
        done.await.map_err(|error| failure(&error))
    }
}

/// What a statement's failure is to a component.
fn failure(error: &Error) -> Failure {
    match error {
        Error::Conversion(why) if why.contains("out of range") => {
            Failure::Other("the sum is out of range".to_owned())
        }
        Error::Conversion(_) => Failure::Other("the value is not a number".to_owned()),
        Error::Lost(why) => Failure::Other(format!("{why}; a write may have happened")),
        other => Failure::Other(explain(other)),
    }
}

fn one(rows: Vec<Vec<Value>>) -> Option<Value> {
    rows.into_iter().next()?.into_iter().next()
}

fn bytes(value: Option<Value>) -> Option<Bytes> {
    if let Some(Value::Bytes(bytes)) = value { Some(bytes) } else { None }
}

fn integer(value: Option<Value>) -> Option<i64> {
    if let Some(Value::Integer(integer)) = value { Some(integer) } else { None }
}

impl KeyValue for Buckets {
    async fn open(&self, bucket: &str) -> Result<(), Failure> {
        self.bucket(bucket).map(drop)
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, Failure> {
        Ok(bytes(one(self.rows(GET, self.at(bucket, key)?).await?)))
    }

    async fn set(&self, bucket: &str, key: &str, value: Bytes) -> Result<(), Failure> {
        let mut parameters = self.at(bucket, key)?;
        parameters.push(Value::Bytes(value));
        self.run(SET, parameters).await.map(drop)
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        self.run(DELETE, self.at(bucket, key)?).await.map(drop)
    }

    async fn keys(&self, bucket: &str, cursor: u64) -> Result<Page, Failure> {
        let after = Value::Integer(i64::try_from(cursor).unwrap_or(i64::MAX));
        let limit = Value::Integer(i64::from(KEYS) + 1);
        let rows = self.rows(LIST, vec![self.bucket(bucket)?, after, limit]).await?;
        let is_last = rows.len() <= KEYS as usize;
        let (mut keys, mut last) = (Vec::with_capacity(rows.len()), None);
        for row in rows.into_iter().take(KEYS as usize) {
            let mut values = row.into_iter();
            if let (Some(Value::Integer(place)), Some(Value::Text(key))) =
                (values.next(), values.next())
            {
                keys.push(key);
                last = u64::try_from(place).ok();
            }
        }
        Ok(Page { keys, cursor: last.filter(|_| !is_last) })
    }

    async fn increment(&self, bucket: &str, key: &str, delta: i64) -> Result<i64, Failure> {
        let mut parameters = self.at(bucket, key)?;
        parameters.push(Value::Integer(delta));
        let sum = integer(one(self.rows(INCREMENT, parameters).await?));
        sum.ok_or_else(|| Failure::Other("the server gave no sum".to_owned()))
    }

    async fn version(&self, bucket: &str, key: &str) -> Result<Version, Failure> {
        let version = integer(one(self.rows(VERSION, self.at(bucket, key)?).await?));
        Ok(version.map(|version| Bytes::copy_from_slice(&version.to_be_bytes())))
    }

    async fn swap(
        &self,
        bucket: &str,
        key: &str,
        expected: &Version,
        value: Bytes,
    ) -> Result<Swap, Failure> {
        let mut parameters = self.at(bucket, key)?;
        parameters.push(Value::Bytes(value));
        let written = match expected {
            None => self.run(CREATE, parameters).await?,
            Some(version) => {
                let version = <[u8; 8]>::try_from(version.as_ref());
                let version =
                    version.map_err(|_| Failure::Other("no version of ours".to_owned()))?;
                parameters.push(Value::Integer(i64::from_be_bytes(version)));
                self.run(REPLACE, parameters).await?
            }
        };
        if written == 1 {
            return Ok(Swap::Done);
        }
        Ok(Swap::Changed(self.version(bucket, key).await?))
    }

    async fn get_many(&self, bucket: &str, keys: &[String]) -> Result<Vec<Option<Bytes>>, Failure> {
        let wanted = Value::Texts(keys.iter().cloned().map(Some).collect());
        let rows = self.rows(GET_MANY, vec![self.bucket(bucket)?, wanted]).await?;
        let pairs = rows.into_iter().filter_map(|row| {
            let mut values = row.into_iter();
            match (values.next()?, values.next()?) {
                (Value::Text(key), Value::Bytes(value)) => Some((key, value)),
                _ => None,
            }
        });
        let found: std::collections::HashMap<String, Bytes> = pairs.collect();
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn set_many(&self, bucket: &str, pairs: Vec<(String, Bytes)>) -> Result<(), Failure> {
        let each = pairs.into_iter().map(|(key, value)| {
            let mut parameters = self.at(bucket, &key)?;
            parameters.push(Value::Bytes(value));
            Ok(parameters)
        });
        self.run_all(SET, each.collect::<Result<_, Failure>>()?).await
    }

    async fn delete_many(&self, bucket: &str, keys: &[String]) -> Result<(), Failure> {
        let each = keys.iter().map(|key| self.at(bucket, key));
        self.run_all(DELETE, each.collect::<Result<_, Failure>>()?).await
    }
}
