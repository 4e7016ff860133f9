//! All hosts are restarted, one after the other, as an upgrade does it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use integration_tests::{TestLattice, Web, eventually};
use tokio::task::JoinSet;

/// A client that knows every host, and asks the next one where one does not answer.
#[derive(Default)]
struct Client {
    hosts: Mutex<Vec<SocketAddr>>,
    has_ended: AtomicBool,
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Client {
    /// Asks until the test ends; requests begin at every host in turn.
    async fn ask(self: Arc<Self>, web: Web) {
        let mut turn = 0_usize;
        while !self.has_ended.load(Ordering::SeqCst) {
            turn += 1;
            match self.ask_once(&web, turn).await {
                Ok(()) => _ = self.answered.fetch_add(1, Ordering::SeqCst),
                Err(tried) => self.failures.lock().unwrap().extend(tried),
            }
        }
    }

    /// What each host answered, if none did well.
    async fn ask_once(&self, web: &Web, turn: usize) -> Result<(), Vec<String>> {
        let hosts = self.hosts.lock().unwrap().clone();
        let mut tried = Vec::new();
        for index in 0..hosts.len() {
            match web.get(hosts[(turn + index) % hosts.len()], "/hello").await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                // An answer is an answer: only silence sends it to the next.
                Ok(answer) => return Err(vec![format!("{}: {}", answer.status, answer.text())]),
                Err(error) => tried.push(format!("{error:#}")),
            }
        }
        Err(tried)
    }

    async fn flows(&self, more: u64) {
        let until = self.answered.load(Ordering::SeqCst) + more;
        let is_there = || self.answered.load(Ordering::SeqCst) >= until;
        eventually("requests flow", || async { is_there().then_some(()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_tries_the_next_host_fails_no_request() {
    let lattice = TestLattice::start().await;
    let data = |number: usize| lattice.folder().join(format!("data-{number}"));
    let mut hosts = Vec::new();
    for number in 0..3 {
        hosts.push(lattice.host_in(&data(number), &[]).await);
    }
    let hello = lattice.example("hello");
    let text = std::fs::read_to_string(&hello).unwrap();
    let twice = text.replace("hello: hello.wasm", "hello: {image: hello.wasm, replicas: 2}");
    assert_ne!(text, twice);
    std::fs::write(&hello, twice).unwrap();
    lattice.wicker(&["deploy", &hello]).await;
    let client = Arc::new(Client::default());
    *client.hosts.lock().unwrap() = hosts.iter().map(|host| host.http).collect();
    let mut callers = JoinSet::new();
    (0..4).for_each(|_| _ = callers.spawn(Arc::clone(&client).ask(lattice.web.clone())));
    for number in 0..3 {
        client.flows(100).await;
        assert!(hosts.remove(0).stop().await.success());
        client.flows(100).await;
        let host = lattice.host_in(&data(number), &[]).await;
        client.hosts.lock().unwrap()[number] = host.http;
        hosts.push(host);
    }
    client.flows(100).await;
    client.has_ended.store(true, Ordering::SeqCst);
    while callers.join_next().await.is_some() {}
    assert_eq!(*client.failures.lock().unwrap(), Vec::<String>::new());
}
