//! How the broker is reached, and what keeps it from being.

use std::time::Duration;

use rumqttc::Transport;
use rumqttc::v5::mqttbytes::v5::ConnectReturnCode;
use rumqttc::v5::{ConnectionError, MqttOptions};
use wicker_provider::ProviderError;

use crate::config::Config;

/// What a message may have beside its body: topic, headers and MQTT's own.
const OVERHEAD_BYTES: u32 = 64 << 10;

/// How often each side makes sure that the other lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long the broker may take to let a client in.
const CONNECT_TIMEOUT_S: u64 = 5;

/// The pause before a connection is tried again, doubled up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Where the broker is.
#[derive(Debug)]
pub(crate) struct Access {
    config: Config,
    host: String,
    port: u16,
    is_encrypted: bool,
    name: String,
}

/// Why a connection ended, or never was.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Broken {
    /// The broker does not let this client in.
    #[error("the broker refuses this client: {0}")]
    Refused(String),
    /// Another connection has taken the session over.
    #[error("the session was taken over")]
    TakenOver,
    /// It cannot be reached, or went away.
    #[error("no connection to the broker: {0}")]
    Away(String),
}

impl Access {
    /// # Errors
    /// [`ProviderError::Config`]: the URL is none.
    pub(crate) fn new(config: Config, name: String) -> Result<Self, ProviderError> {
        let wrong =
            || ProviderError::config("`url` is written as mqtt://HOST:PORT or mqtts://HOST:PORT");
        let (is_encrypted, rest) = match config.url.split_once("://") {
            Some(("mqtt", rest)) => (false, rest),
            Some(("mqtts", rest)) => (true, rest),
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host.to_owned(), port.parse().map_err(|_| wrong())?),
            None => (rest.to_owned(), if is_encrypted { 8883 } else { 1883 }),
        };
        if host.is_empty() || host.contains(['@', '/']) {
            return Err(wrong());
        }
        Ok(Self { config, host, port, is_encrypted, name })
    }

    /// What tells this provider's clients from others'.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn message_bytes_max(&self) -> usize {
        self.config.message_bytes_max as usize
    }

    /// What a client of this name connects with, in a session of its own.
    pub(crate) fn options(&self, client: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client, self.host.clone(), self.port);
        if self.is_encrypted {
            options.set_transport(Transport::tls_with_default_config());
        }
        if let Some(username) = &self.config.username {
            options.set_credentials(username, self.config.password.as_deref().unwrap_or_default());
        }
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_start(true);
        options.set_connection_timeout(CONNECT_TIMEOUT_S);
        options.set_max_packet_size(Some(self.config.message_bytes_max + OVERHEAD_BYTES));
        options
    }
}

/// The pauses between connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(PAUSE_FIRST)
    }
}

impl Pauses {
    /// The next one, with jitter.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(PAUSE_MAX);
        pause.mul_f64(0.5 + fastrand::f64())
    }
}

impl From<&ConnectionError> for Broken {
    fn from(error: &ConnectionError) -> Self {
        use rumqttc::v5::StateError;
        use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;
        match error {
            ConnectionError::ConnectionRefused(
                code @ (ConnectReturnCode::BadUserNamePassword
                | ConnectReturnCode::NotAuthorized
                | ConnectReturnCode::Banned
                | ConnectReturnCode::BadAuthenticationMethod
                | ConnectReturnCode::ClientIdentifierNotValid),
            ) => Self::Refused(format!("{code:?}")),
            ConnectionError::MqttState(StateError::ServerDisconnect {
                reason_code: DisconnectReasonCode::SessionTakenOver,
                ..
            }) => Self::TakenOver,
            error => Self::Away(error.to_string()),
        }
    }
}

impl From<Broken> for ProviderError {
    fn from(broken: Broken) -> Self {
        Self::backend("cannot connect to the MQTT broker", broken)
    }
}
