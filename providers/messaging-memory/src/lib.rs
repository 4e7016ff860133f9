//! wasmcloud:messaging and wicker:messaging in the memory of one process: no server, nothing to configure.
//!
//! *Sending*: `publish` returns when every subscription that the subject matches has the message in its queue; where one of
//! them is full, none has, and it fails. *Subscriptions*: at least once while the process lives: handled before it is
//! forgotten, delivered again after an error, set aside at `dead-letter` after `max-deliver` times. With `max-deliver: 1` at
//! most once. *What a restart costs*: every message that waits. *Ordering*: handed out in order; with `concurrency: 1` handled
//! in order, until one fails. *Limits*: messages of 1 MiB, 4,096 that wait for each subscription.
//!
//! Exclusive: the messages are in it. `topics` has the queues, `work` delivers from them.

mod config;
mod sender;
mod topics;
mod work;

use std::sync::Arc;

use messaging::Subscriber;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, Outlet, Provider, ProviderError, Sharing};

pub use crate::config::{Config, LinkConfig, Subscription};
pub use crate::sender::Sender;
use crate::topics::Topics;

/// The provider: the subscriptions and what waits for them.
#[derive(Debug)]
pub struct Memory {
    topics: Arc<Topics>,
}

impl Provider for Memory {
    const IMPLEMENTATION: &'static str = "messaging-memory";
    const SHARING: Sharing = Sharing::Exclusive;
    const IS_BRIEF: bool = true;
    type Config = Config;
    type LinkConfig = LinkConfig;
    type Link = Sender;

    fn interfaces() -> Interfaces<Sender> {
        messaging::interfaces()
    }

    async fn start(config: Config, _environment: Environment) -> Result<Self, ProviderError> {
        Ok(Self { topics: Arc::new(Topics::new(config.message_bytes_max)) })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Sender, ProviderError> {
        config.subjects.iter().try_for_each(|each| messaging::subject::check_pattern(each))?;
        Ok(Sender::new(Arc::clone(&self.topics), config.subjects))
    }

    async fn feed(&self, outlet: Outlet) -> Result<(), ProviderError> {
        let config: Subscription = outlet.config()?;
        config.check()?;
        let Outlet { link, client, tasks, .. } = outlet;
        let subscriber = Subscriber::new(&link, client)?;
        work::open(Arc::clone(&self.topics), config, (subscriber, link, tasks));
        Ok(())
    }
}
