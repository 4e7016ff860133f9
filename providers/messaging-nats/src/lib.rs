//! wasmcloud:messaging and wicker:messaging over NATS: core for what may be lost, JetStream for what may not.
//!
//! *Sending*: `publish` returns when the message is on its way to the server; with `acknowledged` on the link, when
//! JetStream has stored it. *Core subscriptions*: at most once; messages that nobody could handle are dropped and
//! counted in the log. *Durable subscriptions* (`stream`): at least once; acknowledged only after the handler said ok,
//! delivered again after an error, set aside at `dead-letter` after `max-deliver` times. Processes of one provider
//! share each subscription. *Ordering*: messages are handed out in order and handled `concurrency` at once, so with 1
//! they are handled in order as long as none fails. *Limits*: messages up to the server's `max_payload` (1 MiB by
//! default); subjects of the lattice and of NATS itself are refused.
//!
//! Replicable: the state is in NATS. Read `send` for the way out, `consume` and `durable` for subscriptions.

mod config;
mod consume;
mod durable;
mod letter;
mod send;
mod subject;

use std::time::Duration;

use async_nats::{ConnectOptions, jetstream};
use messaging::Subscriber;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{
    Environment, Interfaces, NatsAccess, Outlet, Provider, ProviderError, Sharing,
};

pub use crate::config::{Config, LinkConfig, Subscription};
pub use crate::send::Sender;

/// How long the server may take to take a subscription in.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages of one subscription that wait for their turn in this process; the server's later ones are dropped.
const QUEUE: usize = 4096;

/// The provider: a connection to NATS.
#[derive(Debug)]
pub struct Nats {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    /// What tells this provider's subscriptions from others'.
    name: String,
}

impl Provider for Nats {
    const IMPLEMENTATION: &'static str = "messaging-nats";
    const SHARING: Sharing = Sharing::Replicable;
    const IS_BRIEF: bool = true;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Sender;

    fn interfaces() -> Interfaces<Sender> {
        messaging::interfaces()
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        let access = match config.url {
            Some(url) => NatsAccess { url, credentials: config.credentials },
            None => environment.nats.ok_or_else(|| ProviderError::config("`url` is missing"))?,
        };
        let client = connect(&access).await?;
        let jetstream = jetstream::new(client.clone());
        let name = format!("{}-{}", environment.lattice, environment.id.to_token());
        Ok(Self { client, jetstream, name })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Sender, ProviderError> {
        config.subjects.iter().try_for_each(|each| messaging::subject::check_pattern(each))?;
        Ok(Sender::new(self.client.clone(), self.jetstream.clone(), config))
    }

    async fn feed(&self, outlet: Outlet) -> Result<(), ProviderError> {
        let config: Subscription = outlet.config()?;
        config.check()?;
        let Outlet { link, client, tasks, .. } = outlet;
        let timeout = link.timeout_ms.map_or(durable::DEFAULT_TIMEOUT, Duration::from_millis);
        let subscriber = Subscriber::new(&link, client)?;
        // Of one subscription, whichever process works for it.
        let name =
            format!("wicker-{}-{}", self.name, wicker_provider::lattice::escape::print(&link.name));
        let open = async {
            match &config.stream {
                Some(stream) => {
                    let work = durable::Work { subscriber, link, tasks, timeout };
                    durable::open(&self.jetstream, (stream, &name), &config, work).await
                }
                None => consume::open(&self.client, name, &config, (subscriber, link, tasks)).await,
            }
        };
        let opened = tokio::time::timeout(SUBSCRIBE_TIMEOUT, open).await;
        opened.map_err(|error| ProviderError::backend("cannot subscribe at NATS", error))?
    }

    async fn health(&self) -> Result<(), ProviderError> {
        match self.client.connection_state() {
            async_nats::connection::State::Connected => Ok(()),
            state => Err(ProviderError::backend("no connection to NATS", state.to_string())),
        }
    }
}

async fn connect(access: &NatsAccess) -> Result<async_nats::Client, ProviderError> {
    let failed = |error| ProviderError::backend("cannot connect to NATS", error);
    let options = ConnectOptions::new().name("wicker messaging-nats").subscription_capacity(QUEUE);
    let options = options.event_callback(|event| async move {
        if let async_nats::Event::SlowConsumer(subscription) = event {
            tracing::warn!(
                subscription,
                "messages are dropped: they come faster than they are handled"
            );
        }
    });
    let options = match &access.credentials {
        Some(file) => options
            .credentials_file(file)
            .await
            .map_err(|error| ProviderError::backend("cannot read the NATS credentials", error))?,
        None => options,
    };
    let servers: Vec<&str> = access.url.split(',').collect();
    options.connect(servers).await.map_err(failed)
}
