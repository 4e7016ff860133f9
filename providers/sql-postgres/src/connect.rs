//! Makes connections to one server.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use futures::future::BoxFuture;
use sql::types::Error;
use sql::{Connect, PageSize, Session};
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{CancelToken, Config};
use tokio_util::sync::CancellationToken;
use wicker_process::Tasks;
use wicker_provider::ProviderError;

use crate::error::cannot_connect;
use crate::tls::Tls;
use crate::worker::Worker;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may take to hear that a statement is cancelled.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// One server, and as whom and to which database.
pub(crate) struct Server {
    config: Config,
    tls: Tls,
    page: PageSize,
    tasks: Tasks,
}

impl Server {
    /// What `url` says.
    pub(crate) fn new(
        (url, roots): (&str, Option<&str>),
        application: &str,
        page: PageSize,
        tasks: Tasks,
    ) -> Result<Self, ProviderError> {
        // The error may show what it could not read, which may be a password.
        let wrong = |_| ProviderError::config("the value of `url` is no postgres:// URL");
        let mut config: Config = url.parse().map_err(wrong)?;
        if !url.contains("sslmode=") {
            let is_near = config.get_hosts().iter().all(is_this_machine);
            config.ssl_mode(if is_near { SslMode::Disable } else { SslMode::Require });
        }
        config.application_name(application).connect_timeout(CONNECT_TIMEOUT);
        Ok(Self { config, tls: Tls::new(roots)?, page, tasks })
    }

    /// Where it is, without as whom.
    pub(crate) fn address(&self) -> String {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let ports = self.config.get_ports().iter().map(u16::to_string);
        let (hosts, ports): (Vec<_>, Vec<_>) = (hosts.collect(), ports.collect());
        let port = if ports.is_empty() { "5432".to_owned() } else { ports.join(",") };
        format!("{}:{port}", hosts.join(","))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address()).finish_non_exhaustive()
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

impl Connect for Server {
    fn connect(&self) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(async {
            let connecting = timeout(CONNECT_TIMEOUT, self.config.connect(self.tls.clone())).await;
            let late = |_| Error::Unavailable("PostgreSQL does not answer".to_owned());
            let (client, connection) = connecting.map_err(late)?.map_err(|e| cannot_connect(&e))?;
            let ended = CancellationToken::new();
            let guard = ended.clone().drop_guard();
            self.tasks.spawn_work(async move {
                let _ended = guard;
                // The commands under way get the error; an idle connection has nobody to tell.
                drop(connection.await);
            });
            let cancel = Cancel { token: client.cancel_token(), tls: self.tls.clone() };
            let (session, commands) = Session::new();
            let worker = Worker::new(cancel, commands, ended, self.page);
            self.tasks.spawn_work(worker.run(client));
            Ok(session)
        })
    }
}

/// Ends what runs at the server.
pub(crate) struct Cancel {
    token: CancelToken,
    tls: Tls,
}

impl Cancel {
    /// Tells the server, which takes a connection of its own, that what runs is not wanted any more. It may reach a later
    /// statement of the connection, so that must not have one.
    pub(crate) async fn cancel(&self) {
        let told = timeout(CANCEL_TIMEOUT, self.token.cancel_query(self.tls.clone())).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::warn!("a statement that nobody waits for any more could not be cancelled");
        }
    }
}
