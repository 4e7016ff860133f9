//! Lattice RPC against a raw NATS request and reply: an echo of 64 bytes, at 1, 16 and 256 callers; with a callee
//! that is brief, as `keyvalue-redis` is, and with one that is not, as a guest.
//!
//! The two take turns, round by round, so that a busy moment of the machine hits both; the median of the rounds counts.
//! CPU is that of this process, callers and callees together, and that of nats-server, for each call. Run it optimised:
//!
//! ```text
//! cargo run --release -p wicker-lattice --features testing --example rpc_latency
//! ```
//!
//! With an argument, only so many callers, for a profiler.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

mod goal;
mod stream;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::join_all;
use goal::goal;
use wicker_lattice::call::{
    Call, DEFAULT_LINK, DEFAULT_TIMEOUT, Invocation, Invoke, LinkRef, Reply,
};
use wicker_lattice::id::{CallId, ObjectId, ProcessId};
use wicker_lattice::nats::{Drive, Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::testing::NatsServer;
use wicker_lattice::types::TypeHash;

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(600);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let server = NatsServer::start().await;
    let url = server.url();
    let contestants = [
        ("raw", Contestant::Raw(Raw::start(url).await?)),
        ("rpc, brief", Contestant::Rpc(Remote::start(url, Drive::OwnThreads, Echo::Brief).await?)),
        (
            "rpc, not brief",
            Contestant::Rpc(Remote::start(url, Drive::OwnThreads, Echo::NotBrief).await?),
        ),
        (
            "rpc in one runtime",
            Contestant::Rpc(Remote::start(url, Drive::Runtime, Echo::Brief).await?),
        ),
    ];
    println!(
        "callers                            p50 us       p99 us      calls/s  CPU us/call  server us/call"
    );
    let callers = match std::env::args().nth(1) {
        Some(callers) => vec![callers.parse()?],
        None => vec![1, 16, 256],
    };
    for callers in callers {
        let mut rounds = contestants.each_ref().map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for ((_, contestant), rounds) in contestants.iter().zip(&mut rounds) {
                rounds.push(contestant.round(callers, &server).await?);
            }
        }
        let medians = rounds.map(|rounds| Round::median(&rounds));
        let [raw, brief, component, _] = &medians;
        for ((name, _), round) in contestants.iter().zip(&medians) {
            let Round { p50, p99, rate, cpu, server } = round;
            println!(
                "{callers:>7} {name:<20} {p50:>12.1} {p99:>12.1} {rate:>12.0} {cpu:>12.1} {server:>15.1}"
            );
            println!(
                "{:28} {:>11.2}x {:>11.2}x {:>11.2}x {:>11.2}x {:>14.2}x",
                "",
                p50 / raw.p50,
                p99 / raw.p99,
                rate / raw.rate,
                cpu / raw.cpu,
                server / raw.server
            );
        }
        tell(callers, "brief provider", raw, brief);
        tell(callers, "component", raw, component);
    }
    stream::measure(url).await
}

/// How far the goals are reached.
fn tell(callers: usize, whom: &str, raw: &Round, round: &Round) {
    let (times, share) = (round.p50 / raw.p50, round.rate / raw.rate * 100.0);
    let contestant = format!("RPC to a {whom}, of raw NATS");
    let figure = format!("{:.0} µs", round.p50);
    let what = format!("remote call, p50, {callers} at once");
    goal(&what, &contestant, &figure, &format!("{times:.2}x"), "1.25x", times <= 1.25);
    let figure = format!("{:.0} calls/s", round.rate);
    let what = format!("remote calls, throughput, {callers} at once");
    goal(&what, &contestant, &figure, &format!("{share:.0} %"), "75 %", share >= 75.0);
}

struct Round {
    p50: f64,
    p99: f64,
    rate: f64,
    cpu: f64,
    server: f64,
}

enum Contestant {
    Raw(Raw),
    Rpc(Remote),
}

struct Raw {
    caller: async_nats::Client,
}

struct Remote {
    remote: Arc<dyn Invoke>,
    _ends: [Rpc; 2],
}

/// Who is called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    /// As a provider that only talks to its backend.
    Brief,
    /// As a component.
    NotBrief,
}

impl Contestant {
    async fn round(&self, callers: usize, server: &NatsServer) -> anyhow::Result<Round> {
        let calls = AtomicUsize::new(0);
        let server = server.pid().map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let (began, cpu, served) = (Instant::now(), cpu_us("self")?, cpu_us(&server)?);
        let call_on = async || {
            let mut latencies = Vec::new();
            while began.elapsed() < ROUND {
                let sent = Instant::now();
                self.call().await?;
                latencies.push(sent.elapsed());
                calls.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(latencies)
        };
        let each = join_all((0..callers).map(|_| call_on())).await;
        let (elapsed, cpu, served) =
            (began.elapsed(), cpu_us("self")? - cpu, cpu_us(&server)? - served);
        let mut all = Vec::new();
        for latencies in each {
            all.extend(latencies?);
        }
        all.sort_unstable();
        let at = |percent: usize| {
            all.get(all.len() * percent / 100).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
        };
        let count = calls.load(Ordering::Relaxed) as f64;
        Ok(Round {
            p50: at(50),
            p99: at(99),
            rate: count / elapsed.as_secs_f64(),
            cpu: cpu / count,
            server: served / count,
        })
    }

    async fn call(&self) -> anyhow::Result<()> {
        let payload = Bytes::from_static(&[7; 64]);
        match self {
            Self::Raw(raw) => raw.call(payload).await,
            Self::Rpc(remote) => {
                remote.remote.invoke(call(payload)).await?;
                Ok(())
            }
        }
    }
}

impl Raw {
    #[expect(clippy::disallowed_methods, reason = "what is compared with is NATS itself")]
    async fn start(url: &str) -> anyhow::Result<Self> {
        let callee = async_nats::connect(url).await?;
        let caller = async_nats::connect(url).await?;
        let mut requests = callee.subscribe("raw.echo").await?;
        callee.flush().await?;
        let answering = async move {
            while let Some(message) = requests.next().await {
                if let Some(reply) = message.reply {
                    let _ = callee.publish(reply, message.payload).await;
                }
            }
        };
        tokio_util::task::TaskTracker::new().spawn(answering);
        Ok(Self { caller })
    }

    #[expect(clippy::disallowed_methods, reason = "what is compared with is NATS itself")]
    async fn call(&self, payload: Bytes) -> anyhow::Result<()> {
        self.caller.request("raw.echo", payload).await?;
        Ok(())
    }
}

impl Remote {
    async fn start(url: &str, drive: Drive, echo: Echo) -> anyhow::Result<Self> {
        let (caller, callee) = (ProcessId::generate(), ProcessId::generate());
        let start = async |id| {
            let nats = Nats::connect(NatsConfig { drive, ..NatsConfig::at(url) }).await?;
            anyhow::Ok(Rpc::start(RpcConfig::new("bench", id), &nats, Arc::new(echo)).await?)
        };
        let ends = [start(caller).await?, start(callee).await?];
        Ok(Self { remote: ends[0].remote(callee), _ends: ends })
    }
}

impl Invoke for Echo {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async move { Ok(Reply { results: call.params, streams: Vec::new() }) })
    }

    fn is_brief(&self, _target: &ObjectId) -> bool {
        *self == Self::Brief
    }
}

#[expect(clippy::expect_used, reason = "constants")]
fn call(params: Bytes) -> Call {
    thread_local! {
        static TEMPLATE: (ObjectId, ObjectId, wicker_lattice::interface::InterfaceKey, Arc<str>, Arc<str>) = (
            "default/bench/callee".parse().expect("an id"),
            "default/bench/caller".parse().expect("an id"),
            "bench:echo/echo@0.1".parse().expect("an interface"),
            "echo".into(),
            DEFAULT_LINK.into(),
        );
    }
    TEMPLATE.with(|(target, source, interface, function, link)| Call {
        id: CallId::generate(),
        target: target.clone(),
        source: source.clone(),
        link: LinkRef { name: link.clone(), revision: 1 },
        interface: interface.clone(),
        function: function.clone(),
        type_hash: TypeHash([0; 8]),
        deadline: tokio::time::Instant::now() + DEFAULT_TIMEOUT,
        trace: None,
        fence: None,
        params,
        streams: Vec::new(),
    })
}

impl Round {
    fn median(rounds: &[Self]) -> Self {
        let middle = |value: fn(&Self) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Self {
            p50: middle(|r| r.p50),
            p99: middle(|r| r.p99),
            rate: middle(|r| r.rate),
            cpu: middle(|r| r.cpu),
            server: middle(|r| r.server),
        }
    }
}

/// CPU time of all threads of a process.
fn cpu_us(process: &str) -> anyhow::Result<f64> {
    let mut total = 0.0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
        total += nanoseconds / 1e3;
    }
    Ok(total)
}
