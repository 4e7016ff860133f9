//! What stands for a component: handles messages as their bodies say, and remembers them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use messaging::{wasmcloud, wicker};
use tokio::sync::Notify;
use wicker_lattice::call::{Call, CallError, Invocation, Invoke, Reply, Status};
use wicker_provider::Incoming;
use wicker_provider::interface::answer;

use crate::setting::soon;

/// One message, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) reply_to: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) count: u32,
    pub(crate) id: Option<String>,
}

#[derive(Default)]
pub(crate) struct Inbox {
    got: Mutex<Vec<Got>>,
    changed: Notify,
    released: Notify,
    /// Of messages that are held.
    holding: AtomicUsize,
    is_full: AtomicBool,
    turned_away: AtomicUsize,
}

impl Inbox {
    async fn handle(&self, call: Call) -> Result<Reply, CallError> {
        if self.is_full.load(Ordering::SeqCst) {
            self.turned_away.fetch_add(1, Ordering::SeqCst);
            self.changed.notify_waiters();
            return Err(CallError::new(Status::Overloaded, "the inbox is full"));
        }
        let incoming = Incoming { params: call.params, streams: call.streams };
        let got = if call.interface == wicker::handler::name().key() {
            let wicker::handler::Delivery { message, count, id } = incoming.decode()?;
            let wicker::types::Message { subject, body, reply_to, headers } = message;
            Got { subject, body: text(&body), reply_to, headers, count, id }
        } else {
            let wasmcloud::types::BrokerMessage { subject, body, reply_to } = incoming.decode()?;
            let (body, headers) = (text(&body), Vec::new());
            Got { subject, body, reply_to, headers, count: 0, id: None }
        };
        let body = got.body.clone();
        self.got.lock().unwrap().push(got);
        if body.starts_with("hold") {
            self.holding.fetch_add(1, Ordering::SeqCst);
            let released = self.released.notified();
            self.changed.notify_waiters();
            released.await;
            self.holding.fetch_sub(1, Ordering::SeqCst);
        }
        self.changed.notify_waiters();
        let said: Result<(), String> = match body.as_str() {
            "refuse" => Err("refused".to_owned()),
            "fail" => return Err(CallError::new(Status::Trapped, "it trapped")),
            _ => Ok(()),
        };
        Ok(answer(&said))
    }

    /// What came in at `subject`, without what only asked whether the subscription is open.
    pub(crate) fn at(&self, subject: &str) -> Vec<Got> {
        let got = self.got.lock().unwrap();
        got.iter().filter(|got| got.subject == subject && got.body != "probe").cloned().collect()
    }

    pub(crate) fn was_probed(&self, subject: &str) -> bool {
        let got = self.got.lock().unwrap();
        got.iter().any(|got| got.subject == subject && got.body == "probe")
    }

    /// Waits until `is_so` of what came in at `subject`.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                let mut changed = std::pin::pin!(changed);
                changed.as_mut().enable();
                if is_so(self) {
                    return;
                }
                changed.await;
            }
        };
        soon(what, wait).await;
    }

    pub(crate) fn holding(&self) -> usize {
        self.holding.load(Ordering::SeqCst)
    }

    pub(crate) fn turned_away(&self) -> usize {
        self.turned_away.load(Ordering::SeqCst)
    }

    /// Lets go those that are held now.
    pub(crate) fn release(&self) {
        self.released.notify_waiters();
    }

    /// Turns everything away from now on.
    pub(crate) fn fill(&self) {
        self.is_full.store(true, Ordering::SeqCst);
    }

    /// Takes messages again.
    pub(crate) fn empty(&self) {
        self.is_full.store(false, Ordering::SeqCst);
    }
}

impl Invoke for Inbox {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(self.handle(call))
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}
