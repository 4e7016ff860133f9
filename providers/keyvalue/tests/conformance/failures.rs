//! What becomes of writes and callers when a server stops in the middle, again and again: every call ends, with its value or
//! an error that says what is wrong, and nothing that was acknowledged is lost.

use tokio::sync::watch;
use wicker_lattice::call::Status;
use wicker_lattice::testing::NatsServer;
use wicker_provider::testing::{PostgresServer, until};

use crate::laws::Shop;
use crate::redis_server::RedisServer;
use crate::setting::Links;

/// How often the server is stopped, and after how many writes each time.
const STOPS: u32 = 3;
const WRITES: u32 = 50;

/// A server that can be stopped without a word, and started again with what it had.
pub(crate) trait Server {
    fn stop(&mut self);
    fn run(&mut self);
}

macro_rules! server {
    ($($server:ty)*) => {$(
        impl Server for $server {
            fn stop(&mut self) {
                <$server>::stop(self);
            }

            fn run(&mut self) {
                <$server>::run(self);
            }
        }
    )*};
}

server!(RedisServer PostgresServer NatsServer);

pub(crate) async fn what_was_acknowledged_is_there_after_every_stop(
    links: &Links,
    server: &mut impl Server,
) {
    let shop = links.open(&[]).await;
    let mut acknowledged = Vec::new();
    for stop in 0..STOPS {
        let (count, mut counted) = watch::channel(0);
        let write = async {
            let mut done = Vec::new();
            for n in 0.. {
                let key = format!("{stop}-{n}");
                match shop.try_set("written", &key, &key).await {
                    Ok(Ok(())) => done.push(key),
                    Ok(Err(error)) => {
                        assert!(!format!("{error:?}").is_empty());
                        break;
                    }
                    Err(error) => {
                        let is_typed = matches!(
                            error.status,
                            Status::Unavailable | Status::Lost | Status::Deadline
                        );
                        assert!(is_typed && !error.message.is_empty(), "{error:?}");
                        break;
                    }
                }
                count.send_replace(n);
            }
            done
        };
        let stopping = async {
            counted.wait_for(|count| *count >= WRITES).await.unwrap();
            server.stop();
        };
        let (done, ()) = tokio::join!(write, stopping);
        acknowledged.extend(done);
        server.run();
        until("the server is used again", || answers(&shop)).await;
    }
    for key in &acknowledged {
        let there = shop.get("written", key).await;
        assert_eq!(there.as_ref(), Some(key), "{key} was acknowledged");
    }
    assert!(acknowledged.len() >= (STOPS * WRITES) as usize, "{}", acknowledged.len());
}

async fn answers(shop: &Shop) -> bool {
    matches!(shop.try_set("written", "again", "1").await, Ok(Ok(())))
}

/// `url` has a password that the server does not take: `guess`.
pub(crate) async fn wrong_password_is_told(links: &Links, url: &str) {
    let shop = links.open(&[("url", url)]).await;
    let error = shop.try_set("b", "k", "1").await.unwrap_err();
    assert!(matches!(error.status, Status::Unavailable | Status::Denied), "{error}");
    assert!(!error.message.is_empty() && !error.message.contains("guess"), "{error}");
}
