//! wasmcloud:messaging and wicker:messaging over an MQTT 5 broker.
//!
//! *Sending*: with QoS 1; `publish` returns when the broker has acknowledged the message, which it then holds as its own
//! configuration says. *Core subscriptions*: QoS 0, at most once. *Durable subscriptions* (`durable`): QoS 1 in a session
//! that outlives this process; acknowledged when the handler said ok, delivered again here after an error, set aside at
//! `dead-letter` after `max-deliver` times; what was not acknowledged comes again with the next connection. *Ordering*: as
//! the broker hands them out; with `concurrency: 1` handled in that order. *A broker that is away*: calls fail typed, and
//! everything connects again with growing pauses. *Limits*: messages of 1 MiB unless `message-bytes-max` says otherwise.
//!
//! Exclusive: a session has one client. Read `topic` for how subjects are topics, `sender` for the way out, `subscription`
//! for the way in.

mod access;
mod config;
mod letter;
mod sender;
mod subscription;
mod topic;

use std::sync::Arc;

use messaging::{Subscriber, subject};
use wicker_provider::lattice::escape;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, Outlet, Provider, ProviderError, Sharing};

use crate::access::Access;
pub use crate::config::{Config, LinkConfig, Subscription};
use crate::sender::Connection;
pub use crate::sender::Sender;

/// The provider: a connection for sending; each subscription has one of its own.
#[derive(Debug)]
pub struct Mqtt {
    access: Arc<Access>,
    connection: Arc<Connection>,
}

impl Provider for Mqtt {
    const IMPLEMENTATION: &'static str = "messaging-mqtt";
    const SHARING: Sharing = Sharing::Exclusive;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Sender;

    fn interfaces() -> Interfaces<Sender> {
        messaging::interfaces()
    }

    async fn start(config: Config, environment: Environment) -> Result<Self, ProviderError> {
        let name = format!("wicker-{}-{}", environment.lattice, environment.id.to_token());
        let access = Arc::new(Access::new(config, name)?);
        let connection = Connection::open(Arc::clone(&access), &environment.tasks).await?;
        Ok(Self { access, connection })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Sender, ProviderError> {
        config.subjects.iter().try_for_each(|each| subject::check_pattern(each))?;
        Ok(Sender::new(Arc::clone(&self.connection), config.subjects))
    }

    async fn feed(&self, outlet: Outlet) -> Result<(), ProviderError> {
        let config: Subscription = outlet.config()?;
        config.check()?;
        let Outlet { link, client, tasks, .. } = outlet;
        let subscriber = Subscriber::new(&link, client)?;
        let name = format!("{}-{}", self.access.name(), escape::print(&link.name));
        let work = subscription::Work {
            access: Arc::clone(&self.access),
            connection: Arc::clone(&self.connection),
            subscriber,
            link,
            tasks,
        };
        subscription::open(work, name, config).await
    }

    async fn health(&self) -> Result<(), ProviderError> {
        self.connection.health()
    }
}
