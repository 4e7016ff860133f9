//! demo:mail/outbox as files in a folder.
//!
//! *Consistency*: letters are numbered in the order in which they are written. *Failure*: a letter is there whole or
//! not at all. *Limits*: none of its own. Exclusive: the folder is on one machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use wicker_provider::lattice::store::record::Link;
use wicker_provider::{Environment, Interfaces, NoConfig, Provider, ProviderError, Sharing};

wicker_provider::bindgen!({
    path: "examples/outbox/outbox.wit",
    interfaces: ["demo:mail/outbox@1.0.0"],
});

use outbox::{Error, Letter};

struct Outbox {
    folder: PathBuf,
    next: Arc<AtomicU64>,
}

/// What one link is configured with: `wicker link set shop demo:mail outbox --config from=shop@example.com`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkConfig {
    /// Who the letters are from.
    from: String,
    /// Domains that letters may go to, joined by commas. Empty: all.
    #[serde(default)]
    domains: Vec<String>,
}

/// One link.
struct Sender {
    folder: PathBuf,
    next: Arc<AtomicU64>,
    config: LinkConfig,
}

impl Provider for Outbox {
    const IMPLEMENTATION: &'static str = "mail-files";
    const SHARING: Sharing = Sharing::Exclusive;
    type Config = NoConfig;
    type LinkConfig = LinkConfig;
    type Link = Sender;

    fn interfaces() -> Interfaces<Sender> {
        Interfaces::new().with(outbox::serve())
    }

    async fn start(_config: NoConfig, environment: Environment) -> Result<Self, ProviderError> {
        let folder = environment.data_dir;
        let letters = std::fs::read_dir(&folder)
            .map_err(|error| ProviderError::backend("cannot read the outbox", error))?;
        Ok(Self { next: Arc::new(AtomicU64::new(letters.count() as u64)), folder })
    }

    async fn link(&self, _link: &Link, config: LinkConfig) -> Result<Sender, ProviderError> {
        Ok(Sender { folder: self.folder.clone(), next: Arc::clone(&self.next), config })
    }
}

impl outbox::Outbox for Sender {
    async fn send(&self, letter: Letter) -> Result<u64, Error> {
        let Letter { to, subject, body } = letter;
        let LinkConfig { from, domains } = &self.config;
        let domain = to.rsplit('@').next().unwrap_or_default();
        if !domains.is_empty() && !domains.iter().any(|allowed| allowed == domain) {
            return Err(Error::Refused(to));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let text = format!("From: {from}\nTo: {to}\nSubject: {subject}\n\n{body}\n");
        let file = self.folder.join(format!("{number}.eml"));
        tokio::fs::write(file, text).await.map_err(|error| Error::Other(error.to_string()))?;
        Ok(number)
    }
}

fn main() -> ExitCode {
    wicker_provider::run::<Outbox>()
}

#[cfg(test)]
mod tests;
