//! Where a name leads, checked, and a connection to exactly that address.
//!
//! The check comes after the lookup and the connection goes to the address that was checked, so a name that changes
//! between two lookups gains nothing. A pool holds connections by name; each link has its own, so none goes to a
//! component that was not granted it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use crate::allow::{AllowList, Destination, HostName};

/// Opens connections for one link.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) allow: Arc<AllowList>,
    pub(crate) timeout: Duration,
}

/// No connection could be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The name leads inside, and the link does not grant that.
    #[error("`{name}` leads to {address}, which is not public")]
    NotPublic { name: Destination, address: SocketAddr },
    #[error("cannot look up `{name}`")]
    Lookup {
        name: Destination,
        #[source]
        source: io::Error,
    },
    #[error("`{name}` has no address")]
    NoAddress { name: Destination },
    #[error("cannot connect to {address}")]
    Connect {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("no connection to `{name}` in time")]
    Timeout { name: Destination },
}

impl Connector {
    async fn connect(self, name: Destination) -> Result<TcpStream, ConnectError> {
        let deadline = Instant::now() + self.timeout;
        let timed_out = || ConnectError::Timeout { name: name.clone() };
        let addresses = timeout_at(deadline, lookup(&name)).await.map_err(|_| timed_out())??;
        let permitted = self.permitted(&name, &addresses)?;
        let mut last = ConnectError::NoAddress { name: name.clone() };
        let mut left = u32::try_from(permitted.len()).unwrap_or(u32::MAX);
        for address in permitted {
            // Each gets its share, so that one silent address leaves time for the next.
            let now = Instant::now();
            let share = now + deadline.saturating_duration_since(now) / left.max(1);
            left = left.saturating_sub(1);
            last = match timeout_at(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Fails only on a connection that is gone already.
                    drop(stream.set_nodelay(true));
                    return Ok(stream);
                }
                Ok(Err(source)) => ConnectError::Connect { address, source },
                Err(_) => timed_out(),
            };
        }
        Err(last)
    }

    /// The addresses that may be connected to. An error only where there are some, and none may.
    fn permitted(
        &self,
        name: &Destination,
        addresses: &[SocketAddr],
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let may = |address: &&SocketAddr| self.allow.allows_address(name, address.ip());
        let permitted: Vec<SocketAddr> = addresses.iter().filter(may).copied().collect();
        match addresses.first() {
            Some(address) if permitted.is_empty() => {
                Err(ConnectError::NotPublic { name: name.clone(), address: *address })
            }
            _ => Ok(permitted),
        }
    }
}

async fn lookup(name: &Destination) -> Result<Vec<SocketAddr>, ConnectError> {
    match &name.host {
        HostName::Address(address) => Ok(vec![SocketAddr::new(*address, name.port)]),
        HostName::Name(host) => match lookup_host((host.as_str(), name.port)).await {
            Ok(addresses) => Ok(addresses.collect()),
            Err(source) => Err(ConnectError::Lookup { name: name.clone(), source }),
        },
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let port = if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { 443 } else { 80 };
        // The request was checked, so there is an authority.
        let name = uri.authority().map(|authority| Destination::new(authority, port));
        let connector = self.clone();
        Box::pin(async move {
            let name = name.unwrap_or(Destination { host: HostName::Name(String::new()), port });
            connector.connect(name).await.map(TokioIo::new)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector(allow: &str) -> Connector {
        Connector { allow: Arc::new(allow.parse().unwrap()), timeout: Duration::from_secs(5) }
    }

    fn name(authority: &str) -> Destination {
        Destination::new(&authority.parse().unwrap(), 80)
    }

    #[test]
    fn only_the_checked_addresses_are_left() {
        let addresses: Vec<SocketAddr> =
            ["10.0.0.1:80", "1.1.1.1:80", "[::1]:80"].map(|text| text.parse().unwrap()).to_vec();
        let permitted = connector("a.example").permitted(&name("a.example"), &addresses).unwrap();
        assert_eq!(permitted, addresses[1..2]);
        let refused = connector("a.example").permitted(&name("a.example"), &addresses[..1]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "`a.example` leads to 10.0.0.1:80, which is not public"
        );
        let granted = connector("a.example,10.0.0.1");
        assert_eq!(granted.permitted(&name("a.example"), &addresses).unwrap(), addresses[..2]);
    }

    #[tokio::test]
    async fn name_that_is_a_number_is_checked_like_any_other() {
        // Resolvers read this as 127.0.0.1.
        let error = connector("*:*").connect(name("2130706433:1")).await.unwrap_err();
        assert!(matches!(error, ConnectError::NotPublic { .. } | ConnectError::Lookup { .. }));
    }
}
