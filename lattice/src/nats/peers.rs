//! Which servers keep JetStream's data together, and taking one out that is gone for good.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Nats;
use super::streams::{StreamError, ask};

/// What a server is called among those of its cluster: letters of this alphabet, by the hash of its name.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Letters of such a name.
const PEER_LETTERS: usize = 8;

/// JetStream's number for "server is not a member of the cluster".
const NOT_A_MEMBER: u64 = 10044;

/// One server that keeps a stream, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    /// The server's name.
    pub name: String,
    /// It is there, and has everything.
    pub is_current: bool,
}

impl Nats {
    /// Who keeps a stream; nobody where it is not kept by a cluster.
    ///
    /// # Errors
    /// JetStream does not answer, or there is no such stream.
    pub async fn keepers(&self, stream: &str) -> Result<Vec<Keeper>, StreamError> {
        let info = ask(self.control(), &format!("STREAM.INFO.{stream}"), &json!({})).await?;
        let cluster = info.get("cluster").cloned().unwrap_or_default();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let is = |peer: &Value, what: &str| peer.get(what).and_then(Value::as_bool);
        let leader = text(cluster.get("leader")).filter(|name| !name.is_empty());
        let leader = leader.map(|name| Keeper { name, is_current: true });
        let others = cluster.get("replicas").and_then(Value::as_array).into_iter().flatten();
        let others = others.filter_map(|peer| {
            let is_current = is(peer, "current") == Some(true) && is(peer, "offline") != Some(true);
            Some(Keeper { name: text(peer.get("name"))?, is_current })
        });
        Ok(leader.into_iter().chain(others).collect())
    }

    /// Takes the server `name` out of those that keep JetStream's data, for good; others keep what it kept from then on. One
    /// that is none of them is fine. This connection must have logged in to the system account.
    ///
    /// # Errors
    /// JetStream does not answer, or not enough servers are there.
    pub async fn remove_server(&self, name: &str) -> Result<(), StreamError> {
        // By its id: servers that were started since know no other name of one that is gone.
        let question = json!({ "peer": name, "peer_id": peer_id(name) });
        match ask(self.control(), "SERVER.REMOVE", &question).await {
            Err(StreamError::Refused { code: NOT_A_MEMBER, .. }) => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

fn peer_id(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let letter = |byte: &u8| {
        let index = usize::from(*byte) % ALPHABET.len();
        char::from(ALPHABET.get(index).copied().unwrap_or_default())
    };
    digest.iter().take(PEER_LETTERS).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_called_as_nats_calls_them() {
        // As nats-server 2.9 and 2.15 say in the info of a stream.
        for (name, id) in [("S1", "sQnRv29R"), ("S2", "n2ha8Va6"), ("S4", "rPnJoNnj")] {
            assert_eq!(peer_id(name), id);
        }
    }
}
