//! What the target is told about where a request came from: see [`Forwarded`].

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};
use wicker_provider::http::Peer;

use crate::config::Forwarded;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const DROPPED: [HeaderName; 6] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-real-ip"),
];

/// The headers that describe one peer, made once per connection.
#[derive(Debug)]
pub(crate) struct PeerHeaders {
    address: HeaderValue,
    proto: HeaderValue,
}

impl PeerHeaders {
    pub(crate) fn new(peer: Peer) -> Self {
        let address = peer.address.ip().to_canonical().to_string();
        let proto = if peer.is_encrypted { "https" } else { "http" };
        Self {
            // An address prints as ASCII, so this is never the default.
            address: HeaderValue::try_from(address)
                .unwrap_or_else(|_| HeaderValue::from_static("unknown")),
            proto: HeaderValue::from_static(proto),
        }
    }

    /// Makes `headers` say what `policy` lets them say.
    pub(crate) fn apply(&self, policy: Forwarded, headers: &mut HeaderMap) {
        match policy {
            Forwarded::Replace => {
                if headers.keys().any(|name| DROPPED.contains(name)) {
                    for name in &DROPPED {
                        headers.remove(name);
                    }
                }
                headers.insert(FOR, self.address.clone());
                headers.insert(PROTO, self.proto.clone());
            }
            Forwarded::Append => {
                headers.append(FOR, self.address.clone());
                headers.entry(PROTO).or_insert_with(|| self.proto.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(policy: Forwarded) -> Vec<(String, String)> {
        let peer = Peer { address: "192.0.2.7:1234".parse().unwrap(), is_encrypted: true };
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-real-ip", "10.0.0.1"),
            ("accept", "*/*"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        PeerHeaders::new(peer).apply(policy, &mut headers);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let mut all: Vec<_> = headers.iter().map(|(n, v)| (n.to_string(), text(v))).collect();
        all.sort();
        all
    }

    #[test]
    fn stranger_cannot_claim_another_address() {
        let all = applied(Forwarded::Replace);
        let expect =
            [("accept", "*/*"), ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https")];
        assert_eq!(all, expect.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn proxy_that_is_trusted_is_believed_and_added() {
        let all = applied(Forwarded::Append);
        let expect = [
            ("accept", "*/*"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "http"),
            ("x-real-ip", "10.0.0.1"),
        ];
        assert_eq!(all, expect.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
