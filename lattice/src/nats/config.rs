//! Where NATS is and how to log in there.

use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};

use super::States;

/// How often an idle connection is probed. A server that is gone without a word is noticed after three.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// The longest pause between two attempts to connect again, before jitter.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(2);

/// Messages that may wait on one subscription before async-nats drops the next, silently. Far above what flow control
/// lets in flight; the readers never wait.
const SUBSCRIPTION_CAPACITY: usize = 256 * 1024;

/// Where NATS is and how to log in there.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// Servers of one NATS system: `nats://host:port`, or `tls://host:port`. Any of them will do.
    pub urls: Vec<String>,
    /// What the server's own tools show as this connection's name.
    pub name: String,
    /// Who we are.
    pub login: Login,
    /// How the connection is secured.
    pub tls: Tls,
    /// How long the first connection may take. Later ones are tried for ever.
    pub timeout: Duration,
    /// What drives the connections that carry calls.
    pub drive: Drive,
}

/// What drives the connections that carry calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drive {
    /// A thread for each: no guest can delay a beat, a cancel or a reply, whatever the runtime is busy with.
    #[default]
    OwnThreads,
    /// The runtime that connects: fewer changes of thread for each call, where nothing keeps that runtime busy.
    Runtime,
}

/// Who we are, to the NATS server.
#[derive(Debug, Clone, Default)]
pub enum Login {
    /// The server asks for nothing.
    #[default]
    Anonymous,
    /// A shared token.
    Token(Secret),
    /// A name and a password.
    User {
        /// The name.
        name: String,
        /// The password.
        password: Secret,
    },
    /// The seed of an nkey.
    Nkey(Secret),
    /// A `.creds` file, as `nsc` writes it.
    Credentials(PathBuf),
}

/// How the connection is secured. By default as the URL says: `tls://` requires it.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM file of the authorities that may sign the server's certificate, beside the system's.
    pub authorities: Option<PathBuf>,
    /// PEM files of our certificate and its key, where the server asks for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Refuse to talk in the clear.
    pub is_required: bool,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The first connection to NATS was not made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No server was named.
    #[error("no NATS server given; pass --nats nats://HOST:PORT")]
    NoUrl,
    /// A server's address is not one.
    #[error("cannot read `{url}` as the address of a NATS server; expected nats://HOST:PORT")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        #[source]
        source: std::io::Error,
    },
    /// Nobody answers there.
    #[error("cannot reach NATS at {url}; start nats-server there, or pass another --nats URL")]
    Unreachable {
        /// What was tried.
        url: String,
        /// What went wrong.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The server does not let us in.
    #[error("NATS at {url} refuses the login; check the token, password or credentials file")]
    Refused {
        /// What was tried.
        url: String,
        /// What went wrong.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The connection cannot be secured.
    #[error("cannot secure the connection to NATS at {url}; check the certificates")]
    Tls {
        /// What was tried.
        url: String,
        /// What went wrong.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The credentials file cannot be used.
    #[error("cannot read the NATS credentials file {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// The system gives us no thread.
    #[error("cannot start a thread for NATS")]
    Thread(#[source] std::io::Error),
    /// This process is ending.
    #[error("cannot connect to NATS: this process is stopping")]
    Stopped,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            urls: vec!["nats://127.0.0.1:4222".to_owned()],
            name: "wicker".to_owned(),
            login: Login::default(),
            tls: Tls::default(),
            timeout: Duration::from_secs(5),
            drive: Drive::default(),
        }
    }
}

impl NatsConfig {
    /// Everything by default, but this server.
    pub fn at(url: impl Into<String>) -> Self {
        Self { urls: vec![url.into()], ..Self::default() }
    }

    /// Makes the connection that serves `purpose`, in the current runtime, with room for `capacity` messages that wait
    /// for their turn; keeps `state` told.
    pub(super) async fn connect(
        &self,
        purpose: &'static str,
        capacity: usize,
        state: Arc<States>,
    ) -> Result<Client, ConnectError> {
        let servers = self.servers()?;
        let options = self.options().await?.name(format!("{} {purpose}", self.name));
        let options = options.client_capacity(capacity).event_callback(move |event| {
            state.note(purpose, &event);
            std::future::ready(())
        });
        options.connect(servers).await.map_err(|source| self.explain(source))
    }

    fn servers(&self) -> Result<Vec<ServerAddr>, ConnectError> {
        if self.urls.is_empty() {
            return Err(ConnectError::NoUrl);
        }
        let parse = |url: &String| {
            url.parse().map_err(|source| ConnectError::Url { url: url.clone(), source })
        };
        self.urls.iter().map(parse).collect()
    }

    async fn options(&self) -> Result<ConnectOptions, ConnectError> {
        let mut options = match &self.login {
            Login::Anonymous => ConnectOptions::new(),
            Login::Token(token) => ConnectOptions::with_token(token.0.clone()),
            Login::User { name, password } => {
                ConnectOptions::with_user_and_password(name.clone(), password.0.clone())
            }
            Login::Nkey(seed) => ConnectOptions::with_nkey(seed.0.clone()),
            Login::Credentials(path) => ConnectOptions::with_credentials_file(path)
                .await
                .map_err(|source| ConnectError::Credentials { path: path.clone(), source })?,
        };
        if let Some(path) = &self.tls.authorities {
            options = options.add_root_certificates(path.clone());
        }
        if let Some((certificate, key)) = &self.tls.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options
            .require_tls(self.tls.is_required)
            .connection_timeout(self.timeout)
            .ping_interval(PING_INTERVAL)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .skip_subject_validation(true)
            .reconnect_delay_callback(reconnect_delay))
    }

    fn explain(&self, source: async_nats::ConnectError) -> ConnectError {
        let url = self.urls.join(", ");
        match source.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                ConnectError::Refused { url, source }
            }
            ConnectErrorKind::Tls => ConnectError::Tls { url, source },
            _ if is_handshake(&source) => ConnectError::Tls { url, source },
            _ => ConnectError::Unreachable { url, source },
        }
    }
}

/// Whether TLS broke, which comes as an error of the socket.
fn is_handshake(error: &async_nats::ConnectError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let said = cause.and_then(std::io::Error::get_ref);
    said.is_some_and(|said| said.is::<async_nats::rustls::Error>())
}

/// None before the first attempt; then doubling from 20 ms, half of it random, so that a server that returns is not met
/// by every process at once.
fn reconnect_delay(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let doublings = u32::try_from(attempt).unwrap_or(u32::MAX).min(10);
    let delay = Duration::from_millis(10 << doublings).min(RECONNECT_DELAY_MAX);
    delay.mul_f64(0.5 + fastrand::f64() / 2.0)
}

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever must present it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let login = Login::User { name: "a".to_owned(), password: Secret::new("hunter2") };
        assert!(!format!("{login:?}").contains("hunter2"));
    }

    #[test]
    fn reconnect_delay_grows_to_a_bound_and_never_synchronises() {
        assert_eq!(reconnect_delay(1), Duration::ZERO);
        for attempt in 2..200 {
            let delay = reconnect_delay(attempt);
            assert!(
                delay >= Duration::from_millis(20) && delay <= RECONNECT_DELAY_MAX,
                "{attempt}"
            );
        }
        let delays: std::collections::HashSet<_> = (0..20).map(|_| reconnect_delay(20)).collect();
        assert!(delays.len() > 10);
    }
}
