//! One link's connection to Redis: what each operation is as a command.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyvalue::{Failure, KeyValue, Page, Swap, Version};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Cmd, FromRedisValue, RedisError, Script, cmd};
use wicker_provider::ProviderError;

use crate::LinkConfig;

/// How long Redis may take for one command. Calls have deadlines of their own; this keeps a silent server from holding
/// one to its end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Keys that one step of a scan looks at.
const SCAN_STEP: u32 = 1_000;

/// Steps without a hit after which a page is empty.
const SCAN_STEPS_MAX: u32 = 100;

/// Answers with the version of what is at the key: nothing, or the SHA-1 of the value.
const VERSION: &str = "local v = redis.call('GET', KEYS[1])\n\
    return v and redis.sha1hex(v) or false";

/// Writes if the version is the one given, and answers with 1; else with the version.
const SWAP: &str = "local v = redis.call('GET', KEYS[1])\n\
    local found = v and redis.sha1hex(v) or ''\n\
    if found ~= ARGV[1] then return found end\n\
    redis.call('SET', KEYS[1], ARGV[2])\n\
    return 1";

/// One link's connection.
pub struct Buckets {
    connection: ConnectionManager,
    config: LinkConfig,
    scripts: Arc<Scripts>,
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What Redis runs as a whole. Named by their digest once it knows them.
#[derive(Debug)]
pub(crate) struct Scripts {
    version: Script,
    swap: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self { version: Script::new(VERSION), swap: Script::new(SWAP) }
    }
}

impl Buckets {
    pub(crate) async fn connect(
        url: &str,
        config: LinkConfig,
        scripts: Arc<Scripts>,
    ) -> Result<Self, ProviderError> {
        let client = redis::Client::open(url).map_err(|error| {
            ProviderError::config(format!(
                "the value of `url` is no Redis address: {}",
                error.category()
            ))
        })?;
        let settings = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        let address = client.get_connection_info().addr().to_string();
        let connection = ConnectionManager::new_with_config(client, settings).await;
        let connection = connection.map_err(|error| {
            ProviderError::backend(format!("cannot connect to Redis at {address}"), error)
        })?;
        Ok(Self { connection, config, scripts })
    }

    fn key(&self, bucket: &str, key: &str) -> Result<String, Failure> {
        let Self { config: LinkConfig { prefix, buckets, .. }, .. } = self;
        if bucket.contains(':') {
            return Err(Failure::NoSuchBucket);
        }
        if !buckets.is_empty() && !buckets.iter().any(|each| each == bucket) {
            return Err(Failure::Denied);
        }
        Ok(format!("{prefix}{bucket}:{key}"))
    }

    fn all<'a>(
        &self,
        bucket: &str,
        keys: impl Iterator<Item = &'a String>,
    ) -> Result<Vec<String>, Failure> {
        keys.map(|key| self.key(bucket, key)).collect()
    }

    async fn run<T: FromRedisValue>(&self, attempt: &str, command: &Cmd) -> Result<T, Failure> {
        let mut connection = self.connection.clone();
        command.query_async(&mut connection).await.map_err(|error| failure(attempt, &error))
    }
}

/// What Redis says, without what could be secret.
fn failure(attempt: &str, error: &RedisError) -> Failure {
    let detail = error.detail().unwrap_or_else(|| error.category());
    if error.is_io_error() {
        let cause = format!("{detail}; a write may have happened");
        return Failure::other(attempt, cause);
    }
    match detail {
        text if text.contains("not an integer") => {
            Failure::Other("the value is not a number".to_owned())
        }
        text if text.contains("overflow") => Failure::Other("the sum is out of range".to_owned()),
        text => Failure::other(attempt, text),
    }
}

impl KeyValue for Buckets {
    async fn open(&self, bucket: &str) -> Result<(), Failure> {
        self.key(bucket, "").map(drop)
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, Failure> {
        let value: Option<Vec<u8>> =
            self.run("cannot read", cmd("GET").arg(self.key(bucket, key)?)).await?;
        Ok(value.map(Bytes::from))
    }

    async fn get_many(&self, bucket: &str, keys: &[String]) -> Result<Vec<Option<Bytes>>, Failure> {
        let keys = self.all(bucket, keys.iter())?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let values: Vec<Option<Vec<u8>>> = self.run("cannot read", cmd("MGET").arg(keys)).await?;
        Ok(values.into_iter().map(|value| value.map(Bytes::from)).collect())
    }

    async fn set(&self, bucket: &str, key: &str, value: Bytes) -> Result<(), Failure> {
        let key = self.key(bucket, key)?;
        self.run("cannot write", cmd("SET").arg(key).arg(value.as_ref())).await
    }

    async fn set_many(&self, bucket: &str, pairs: Vec<(String, Bytes)>) -> Result<(), Failure> {
        let mut command = cmd("MSET");
        for (key, value) in &pairs {
            command.arg(self.key(bucket, key)?).arg(value.as_ref());
        }
        if pairs.is_empty() { Ok(()) } else { self.run("cannot write", &command).await }
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        self.run("cannot delete", cmd("UNLINK").arg(self.key(bucket, key)?)).await
    }

    async fn delete_many(&self, bucket: &str, keys: &[String]) -> Result<(), Failure> {
        let keys = self.all(bucket, keys.iter())?;
        if keys.is_empty() {
            Ok(())
        } else {
            self.run("cannot delete", cmd("UNLINK").arg(keys)).await
        }
    }

    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, Failure> {
        self.run("cannot read", cmd("EXISTS").arg(self.key(bucket, key)?)).await
    }

    async fn keys(&self, bucket: &str, mut cursor: u64) -> Result<Page, Failure> {
        let prefix = self.key(bucket, "")?;
        let mut page = Page::default();
        for _ in 0..SCAN_STEPS_MAX {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern(&prefix)).arg("COUNT").arg(SCAN_STEP);
            let (next, keys): (u64, Vec<String>) = self.run("cannot list keys", &scan).await?;
            page.keys
                .extend(keys.iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned));
            page.cursor = (next != 0).then_some(next);
            if page.cursor.is_none() || !page.keys.is_empty() {
                break;
            }
            cursor = next;
        }
        Ok(page)
    }

    async fn increment(&self, bucket: &str, key: &str, delta: i64) -> Result<i64, Failure> {
        self.run("cannot increment", cmd("INCRBY").arg(self.key(bucket, key)?).arg(delta)).await
    }

    async fn version(&self, bucket: &str, key: &str) -> Result<Version, Failure> {
        let mut connection = self.connection.clone();
        let call = self.scripts.version.key(self.key(bucket, key)?);
        let version: Result<Option<String>, _> = call.invoke_async(&mut connection).await;
        Ok(version.map_err(|error| failure("cannot read", &error))?.map(Bytes::from))
    }

    async fn swap(
        &self,
        bucket: &str,
        key: &str,
        expected: &Version,
        value: Bytes,
    ) -> Result<Swap, Failure> {
        let mut connection = self.connection.clone();
        let mut call = self.scripts.swap.key(self.key(bucket, key)?);
        call.arg(expected.as_deref().unwrap_or_default()).arg(value.as_ref());
        let found: Result<String, _> = call.invoke_async(&mut connection).await;
        Ok(match found.map_err(|error| failure("cannot swap", &error))?.as_str() {
            "1" => Swap::Done,
            "" => Swap::Changed(None),
            version => Swap::Changed(Some(Bytes::copy_from_slice(version.as_bytes()))),
        })
    }
}

/// A pattern that matches every key that begins with `prefix`.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_matches_nothing_but_the_prefix() {
        assert_eq!(pattern("shop/a*b:"), "shop/a\\*b:*");
    }
}
