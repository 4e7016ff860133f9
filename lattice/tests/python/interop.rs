//! Python and Rust, each calling the other.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use wicker_lattice::call::{ByteStream, Status};
use wicker_lattice::id::ProcessId;
use wicker_lattice::nats::{Nats, NatsConfig};
use wicker_lattice::rpc::{Rpc, RpcConfig};
use wicker_lattice::store::record::{RunState, Running};
use wicker_lattice::store::{Change, Store, key};
use wicker_lattice::testing::NatsServer;
use wicker_lattice::value::{StreamRef, Writer, decode_exact, encode};

use crate::shout::{Shout, TARGET, call, collect, pattern};

const LATTICE: &str = "test";

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Rust process in a lattice of its own.
struct Lattice {
    server: NatsServer,
    store: Store,
    rpc: Rpc,
    process: ProcessId,
}

impl Lattice {
    async fn start() -> anyhow::Result<Self> {
        let server = NatsServer::start().await;
        let nats = Nats::connect(NatsConfig::at(server.url())).await?;
        let store = Store::open(&nats.jetstream(), LATTICE, 1).await?;
        let process = ProcessId::generate();
        let rpc = Rpc::start(RpcConfig::new(LATTICE, process), &nats, Arc::new(Shout)).await?;
        Ok(Self { server, store, rpc, process })
    }

    /// `shout.py MODE URL LATTICE OBJECT ...`. Killed when dropped.
    fn python(&self, mode: &str, more: &[String]) -> std::io::Result<Child> {
        python("shout.py")
            .args([mode, self.server.url(), LATTICE, TARGET])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// Waits until `python` says of the object that it is so.
    async fn wait_for(&self, state: RunState, python: &mut Child) -> ProcessId {
        let object = TARGET.parse().unwrap();
        let mut watch = self.store.watch::<Running>(&key::running_everywhere(&object));
        let waiting = async {
            loop {
                if let Change::Put(entry) = watch.next().await
                    && entry.record.state == state
                {
                    return entry.record.process;
                }
            }
        };
        tokio::select! {
            process = waiting => process,
            ended = python.wait() => panic!("python ended: {ended:?}; is nats-py installed?"),
            () = tokio::time::sleep(PATIENCE) => panic!("python never said that it is {state:?}"),
        }
    }
}

fn python(program: &str) -> Command {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../integration-tests/python");
    let mut command = Command::new("python3");
    command.arg("-B").arg(folder.join(program));
    command
}

#[tokio::test]
async fn python_reads_and_writes_the_golden_vectors() {
    let output = python("test_vectors.py").output().await.expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn python_serves_calls_from_rust() -> anyhow::Result<()> {
    let lattice = Lattice::start().await?;
    let mut python = lattice.python("serve", &[])?;
    let stdin = python.stdin.take();
    let remote = lattice.rpc.remote(lattice.wait_for(RunState::Ready, &mut python).await);

    let reply = remote.invoke(call("shout", encode(&("grüße ", 2_u8)), vec![])).await?;
    assert_eq!(decode_exact(&reply.results), Ok(Ok::<_, String>("GRÜSSE GRÜSSE ".to_owned())));

    for len in [10, 3_000_000_usize] {
        let mut params = Writer::new();
        params.put_stream();
        let data = ByteStream::from_bytes(Bytes::from(vec![1; len]));
        let reply = remote.invoke(call("sum", params.finish(), vec![data])).await?;
        assert_eq!(decode_exact(&reply.results), Ok(len as u64));
    }

    let large = Bytes::from(vec![b'x'; 2_000_000]);
    let reply = remote.invoke(call("repeat", encode(&(large, 2_u32)), vec![])).await?;
    let repeated: Bytes = decode_exact(&reply.results)?;
    assert_eq!(repeated.len(), 4_000_000);

    let mut reply = remote.invoke(call("trickle", encode(&(2_000_000_u32,)), vec![])).await?;
    assert_eq!(decode_exact(&reply.results), Ok(StreamRef(0)));
    assert!(collect(reply.streams.remove(0)).await == pattern(2_000_000));

    // Longer than a callee may be silent: accept and beats keep the call alive.
    let reply = remote.invoke(call("sleep", encode(&(3_500_u32,)), vec![])).await?;
    assert_eq!(decode_exact(&reply.results), Ok(3_500_u32));

    let mut other = call("shout", encode(&("a", 1_u8)), vec![]);
    other.type_hash.0 = [0; 8];
    assert_eq!(remote.invoke(other).await.unwrap_err().status, Status::TypeMismatch);
    let mut unknown = call("sleep", encode(&(1_u32,)), vec![]);
    unknown.function = "whisper".into();
    assert_eq!(remote.invoke(unknown).await.unwrap_err().status, Status::NotFound);

    // It drains once stdin is closed.
    drop(stdin);
    assert!(tokio::time::timeout(PATIENCE, python.wait()).await??.success());
    let running = lattice.store.list::<Running>(&key::running_everywhere(&TARGET.parse()?)).await?;
    assert!(running.iter().all(|entry| entry.record.state == RunState::Draining));
    Ok(())
}

#[tokio::test]
async fn rust_serves_calls_from_python() -> anyhow::Result<()> {
    let lattice = Lattice::start().await?;
    let python = lattice.python("call", &[lattice.process.to_string()])?;
    let output = tokio::time::timeout(PATIENCE, python.wait_with_output()).await??;
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout)?;
    let answers = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let plain = |result: Value| json!({"result": result, "streams": []});
    assert_eq!(
        answers,
        [
            plain(json!(["ok", "GRÜSSE GRÜSSE "])),
            plain(json!(["err", "nothing to shout"])),
            plain(json!(10)),
            plain(json!(3_000_000)),
            plain(json!(4_000_000)),
            json!({"result": 0, "streams": [2_000_000]}),
            plain(json!(200)),
            json!({"failed": "deadline"}),
            json!({"failed": "type-mismatch"}),
            json!({"failed": "not-found"}),
            json!({"failed": "unavailable"}),
        ]
    );
    Ok(())
}
