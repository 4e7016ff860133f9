//! Waiting for conditions.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a test waits for anything before it fails. Generous: it is not a measurement.
pub const WAIT: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something, and returns it.
///
/// # Panics
/// It has not within [`WAIT`]; the message is `what`.
pub async fn eventually<T, F>(what: &str, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        #[expect(clippy::panic, reason = "a test whose condition never comes has failed")]
        if Instant::now() > deadline {
            panic!("waited {WAIT:?} in vain: {what}");
        }
        sleep(Duration::from_millis(20)).await;
    }
}
