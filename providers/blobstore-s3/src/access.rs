//! Whom a link speaks to, and as whom.

use std::fmt;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use serde::Deserialize;
use wicker_provider::ProviderError;

use crate::{LinkConfig, RETRY};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an endpoint may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// A secret of the link's config: it signs requests, and is in no log.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Nothing is asked yet.
pub(crate) fn open(config: &LinkConfig) -> Result<AmazonS3, ProviderError> {
    // The client of the library takes the process's own; somebody may have chosen it already, the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_secs(1),
            base: 2.,
        },
        max_retries: 20,
        retry_timeout: RETRY,
    };
    // A body may take as long as it moves.
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(config.region.as_deref().unwrap_or("us-east-1"))
        .with_virtual_hosted_style_request(config.virtual_hosts)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &config.endpoint {
        let is_clear = endpoint.starts_with("http://");
        builder = builder.with_endpoint(endpoint).with_allow_http(is_clear);
    }
    builder = match (&config.access_key, &config.secret_key) {
        (Some(access), Some(Secret(secret))) => {
            builder.with_access_key_id(access).with_secret_access_key(secret)
        }
        (None, None) => builder.with_skip_signature(true),
        _ => return Err(ProviderError::config("`access-key` and `secret-key` belong together")),
    };
    builder
        .build()
        .map_err(|error| ProviderError::config(format!("cannot use the endpoint: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let secret: Secret = serde::Deserialize::deserialize(serde::de::value::StrDeserializer::<
            serde::de::value::Error,
        >::new("hunter2"))
        .unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
