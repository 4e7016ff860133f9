//! Requests from the first to the last: none may vanish between this process's leaving and its callers' learning of it.
//!
//! A request that the server has delivered, and that is dropped here because the subscription ended meanwhile, would be
//! answered by nobody: its caller would take us for lost, and could not tell whether it ran. Neither `unsubscribe` nor
//! `drain` of async-nats waits for what is on its way. So the end is agreed by number: we ask the server to end the
//! subscription a little later than what we have received so far, fill that up with messages of our own, and answer
//! whatever comes before the last.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Subject, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use tracing::debug;

use super::shared::Shared;
use crate::nats::message;
use crate::subject;

/// Above what can be on its way from the server at one moment, to a process that answers only that it is leaving.
const FAREWELLS: u64 = 256;

/// How long the farewell may take. It is a matter of one round trip.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

impl Shared {
    /// Reads requests until this process no longer serves, and then to the last one that was sent to it.
    pub(super) async fn read_requests(self: Arc<Self>, mut requests: Subscriber) {
        let connects = self.connects();
        let mut received = 0;
        let reading = async {
            while let Some(message) = requests.next().await {
                received += 1;
                self.on_request(message);
            }
        };
        self.serving.run_until_cancelled(reading).await;
        // After a reconnect, the server has begun to count anew.
        if !self.stop.is_cancelled() && self.connects() == connects {
            let leaving = self.leave(&mut requests, received);
            if tokio::time::timeout(LEAVE_TIMEOUT, leaving).await.is_err() {
                debug!("left without having heard all requests");
            }
        }
        drop(requests);
        self.left.cancel();
    }

    async fn leave(self: &Arc<Self>, requests: &mut Subscriber, received: u64) {
        if requests.unsubscribe_after(received + FAREWELLS).await.is_err() {
            return;
        }
        let own = self.config.process;
        let farewell =
            Subject::from(subject::requests_to(&self.config.lattice, own, own) + "farewell");
        for _ in 0..FAREWELLS {
            message::publish(&self.nats.calls().client, farewell.clone(), Bytes::new()).await;
        }
        while let Some(message) = requests.next().await {
            if message.subject != farewell {
                self.on_request(message);
            }
        }
    }

    fn connects(&self) -> u64 {
        self.nats.calls().client.statistics().connects.load(Ordering::Relaxed)
    }
}
