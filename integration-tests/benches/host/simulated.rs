//! Hosts that are only records: leases that are renewed every second, as real ones are.

use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use wicker_lattice::id::{Incarnation, ProcessId};
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::store::Store;
use wicker_lattice::store::record::Host;

/// Keeps `count` leases until it is dropped.
pub(crate) struct Hosts {
    _task: JoinSet<Result<()>>,
}

impl Hosts {
    /// On connections of its own; returns once each has been written.
    pub(crate) async fn start(url: &str, lattice: &str, count: usize) -> Result<Self> {
        let nats = Nats::connect(NatsConfig::at(url)).await?;
        let store = Store::open(&nats.jetstream(), lattice, 1).await?;
        let mut hosts: Vec<Host> = (0..count).map(host).collect();
        for host in &hosts {
            store.put(host).await?;
        }
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _connected = nats;
            let mut every = tokio::time::interval(Duration::from_secs(1));
            loop {
                every.tick().await;
                for host in &mut hosts {
                    host.beat += 1;
                }
                futures::future::try_join_all(hosts.iter().map(|host| store.put(host))).await?;
            }
        });
        Ok(Self { _task: task })
    }
}

fn host(number: usize) -> Host {
    let name = format!("simulated-{number}");
    Host {
        process: ProcessId::generate(),
        incarnation: Incarnation::generate(),
        labels: [("host".to_owned(), name.clone()), ("simulated".to_owned(), "yes".to_owned())]
            .into(),
        name,
        http: Some(format!("10.0.{}.{}:8080", number / 250, number % 250)),
        pid: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        beat: 1,
        is_draining: false,
        degraded: None,
        lost_at: None,
        load: None,
        busy: std::collections::BTreeMap::new(),
    }
}
