//! Idle keep-alive connections: each has had one answer, and waits, for some seconds when the memory of the host is read: a
//! connection gives its buffers up after a while.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration_tests::TestLattice;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::goal::goal;
use crate::process::{memory, mib};

const CONNECTIONS: usize = 10_000;

pub(crate) async fn measure() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    let lattice = TestLattice::start().await;
    let guest = artifacts::guest("http-hello");
    let text = format!(
        "application: bench\ncomponents:\n  hello: {}\nroutes:\n  /: hello\n",
        guest.display()
    );
    let file = lattice.folder().join("wicker.yaml");
    std::fs::write(&file, text)?;
    let host = lattice.host(&[&file.display().to_string()]).await;
    let pid = host.pid().as_raw_nonzero().get();
    integration_tests::eventually("the first answer", || async {
        (lattice.web.get(host.http, "/").await.ok()?.status == 200).then_some(())
    })
    .await;
    let before = memory(pid, "VmRSS");
    let mut open = Vec::new();
    for number in 0..CONNECTIONS {
        open.push(ask(host.http).await.with_context(|| format!("connection {number}"))?);
    }
    let busy = memory(pid, "VmRSS").saturating_sub(before);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let used = memory(pid, "VmRSS").saturating_sub(before);
    println!(
        "{CONNECTIONS} idle keep-alive connections: {:.0} MiB more at once, {:.0} MiB after some seconds",
        mib(busy),
        mib(used)
    );
    let figure = format!("{:.0} MiB", mib(used));
    let is_reached = used <= 100 << 20;
    goal("10,000 idle keep-alive connections", "`wicker up`", &figure, "", "100 MiB", is_reached);
    Ok(())
}

async fn ask(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n").await?;
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await?;
    ensure!(answer[..read].starts_with(b"HTTP/1.1 200"), "not a 200");
    Ok(stream)
}
