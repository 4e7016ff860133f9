//! wasi:keyvalue in Redis.
//!
//! A value is a plain Redis string under `<prefix><bucket>:<key>`, so that other programs can use it too; a bucket's
//! name therefore holds no `:`. Counters are Redis's own.
//!
//! *Consistency*: Redis runs one command after another, so increments, swaps and `set-many` are atomic to everybody;
//! a swap compares the SHA-1 of the value, so a value that was changed and changed back counts as unchanged.
//! *Durability*: the server's (`appendfsync`); with its defaults the last second may be lost in a crash. *Failure*: one
//! attempt a call; an error in the connection means that a write may or may not have happened, and is said. The
//! connection comes back by itself. *Limits*: values of the lattice's 16 MiB; `list-keys` scans the whole database, in
//! steps of 1,000, and may name a key twice.
//!
//! Replicable: the state is in Redis.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyvalue::{Failure, KeyValue, Page, Swap, Version};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Cmd, FromRedisValue, RedisError, Script, cmd};
use serde::Deserialize;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, Provider, ProviderError, Sharing};

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

/// The provider: what links have in common.
#[derive(Debug)]
pub struct Redis {
    config: Config,
    scripts: Arc<Scripts>,
}

/// What the provider is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The server, for links that name none. `redis://127.0.0.1:6379` by default.
    pub url: Option<Address>,
}

/// What one link is configured with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkConfig {
    /// The server. The provider's by default.
    pub url: Option<Address>,
    /// Goes in front of every key: `shop/`. Empty by default.
    pub prefix: String,
    /// The only buckets that the link may open. Empty, by default: all.
    pub buckets: Vec<String>,
}

/// Where a server is, with what it takes to log in: `redis://[[user]:password@]host[:port][/database]`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

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

#[derive(Debug)]
struct Scripts {
    version: Script,
    swap: Script,
}

impl Provider for Redis {
    const IMPLEMENTATION: &'static str = "keyvalue-redis";
    const SHARING: Sharing = Sharing::Replicable;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Buckets;

    fn interfaces() -> Interfaces<Buckets> {
        keyvalue::interfaces()
    }

    async fn start(config: Config, _environment: Environment) -> Result<Self, ProviderError> {
        let scripts = Scripts { version: Script::new(VERSION), swap: Script::new(SWAP) };
        Ok(Self { config, scripts: Arc::new(scripts) })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Buckets, ProviderError> {
        let url = config.url.as_ref().or(self.config.url.as_ref());
        let url = url.map_or("redis://127.0.0.1:6379", |address| address.0.as_str());
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
        let connection = ConnectionManager::new_with_config(client, settings).await;
        let connection =
            connection.map_err(|error| ProviderError::backend("cannot connect to Redis", error))?;
        Ok(Buckets { connection, config, scripts: Arc::clone(&self.scripts) })
    }
}

impl Buckets {
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

    #[test]
    fn address_is_not_shown() {
        let config = Config { url: Some(Address("redis://:hunter2@h".to_owned())) };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
