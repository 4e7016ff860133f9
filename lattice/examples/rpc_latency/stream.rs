//! Small calls beside a stream of 200 MB/s between the same two processes: the median of the calls, without it and with it.
//!
//! The two take turns; the median of the rounds counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use wicker_lattice::call::{ByteStream, Call, Invocation, Invoke, Reply};
use wicker_lattice::id::ProcessId;
use wicker_lattice::nats::{Drive, Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};

use crate::goal::goal;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(800);
const BYTES_PER_SECOND: f64 = 200e6;
const CHUNK: Bytes = Bytes::from_static(&[7; 64 << 10]);

/// Answers small calls with what they brought, and calls that bring a stream with one that never ends.
struct Callee;

impl Invoke for Callee {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(async move {
            let streams = call.streams.into_iter().map(|_| paced()).collect();
            Ok(Reply { results: call.params, streams })
        })
    }
}

/// Chunks at the pace of the goal, for as long as somebody reads.
fn paced() -> ByteStream {
    let begun = Instant::now();
    ByteStream::new(futures::stream::unfold(0_u64, move |sent| async move {
        let due = begun + Duration::from_secs_f64(sent as f64 / BYTES_PER_SECOND);
        tokio::time::sleep_until(due.into()).await;
        Some((Ok(CHUNK), sent + CHUNK.len() as u64))
    }))
}

/// Prints the two medians, and how many bytes a second the stream came to.
pub(crate) async fn measure(url: &str) -> anyhow::Result<()> {
    let (caller, callee) = (ProcessId::generate(), ProcessId::generate());
    let start = async |id| {
        let drive = Drive::OwnThreads;
        let nats = Nats::connect(NatsConfig { drive, ..NatsConfig::at(url) }).await?;
        anyhow::Ok(Rpc::start(RpcConfig::new("bench", id), &nats, Arc::new(Callee)).await?)
    };
    let ends = [start(caller).await?, start(callee).await?];
    let remote = ends[0].remote(callee);
    let (mut alone, mut beside, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(round(&*remote).await?);
        let mut call = crate::call(Bytes::new());
        call.streams.push(ByteStream::from_bytes(Bytes::from_static(b"go")));
        call.deadline += Duration::from_secs(60);
        let mut stream = remote.invoke(call).await?.streams.into_iter().next();
        let read = AtomicU64::new(0);
        let reading = async {
            while let Some(Some(Ok(chunk))) = match &mut stream {
                Some(stream) => Some(stream.next().await),
                None => None,
            } {
                read.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
        };
        let begun = Instant::now();
        tokio::select! {
            () = reading => anyhow::bail!("the stream ended"),
            round = round(&*remote) => beside.push(round?),
        }
        rates.push(read.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64());
    }
    let (alone, beside, rate) = (median(alone), median(beside), median(rates));
    let times = beside / alone;
    println!(
        "one caller alone: p50 {alone:.1} us; beside a stream of {:.0} MB/s: {beside:.1} us, {times:.2}x",
        rate / 1e6
    );
    let figure = format!("{beside:.0} µs beside {:.0} MB/s", rate / 1e6);
    let is_reached = times < 2.0 && rate >= BYTES_PER_SECOND * 0.95;
    let what = "small calls beside a stream of 200 MB/s, p50";
    goal(
        what,
        "RPC, of the same without a stream",
        &figure,
        &format!("{times:.2}x"),
        "2x",
        is_reached,
    );
    Ok(())
}

/// The median time of a call, microseconds.
async fn round(remote: &dyn Invoke) -> anyhow::Result<f64> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < ROUND {
        let sent = Instant::now();
        remote.invoke(crate::call(Bytes::from_static(&[7; 64]))).await?;
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
