//! Bodies streamed through a component and back, beside a native hyper echo: 512 MiB each way on one connection, sent in pieces of
//! 64 KiB while the answer is read. Contestants take turns; the median counts.
//!
//! The client is a socket that writes and one that reads, so that it weighs as little as it can.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use integration_tests::{TestLattice, eventually};

use crate::at;
use crate::goal::goal;
use crate::process::{cpu, memory, mib};

const BYTES: usize = 512 << 20;
const ROUNDS: usize = 5;

pub(crate) async fn measure() -> Result<()> {
    let lattice = TestLattice::start().await;
    let guest = artifacts::guest("http-echo");
    let text = format!(
        "application: bench\ncomponents:\n  echo: {{ image: {}, limits: {{ deadline: 60s }} }}\nroutes:\n  /: echo\n",
        guest.display()
    );
    let file = lattice.folder().join("wicker.yaml");
    std::fs::write(&file, text)?;
    let host = lattice.host(&[&file.display().to_string()]).await;
    eventually("the first answer", || async {
        (lattice.web.get(host.http, "/").await.ok()?.status == 200).then_some(())
    })
    .await;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut native = Command::new(std::env::current_exe()?);
    let mut native =
        native.args(["native-echo", &port.to_string()]).stdout(Stdio::null()).spawn()?;
    let at_native: SocketAddr = ([127, 0, 0, 1], port).into();
    eventually("native hyper", || async { TcpStream::connect(at_native).ok() }).await;

    let ours = host.pid().as_raw_nonzero().get();
    let theirs = i32::try_from(native.id())?;
    let before = memory(ours, "VmHWM");
    let outcome = compare((host.http, ours), (at_native, theirs)).await;
    native.kill()?;
    native.wait()?;
    let [(our_time, our_cpu), (native_time, native_cpu)] = outcome?;
    let rate = |time: Duration| BYTES as f64 / 1e6 / time.as_secs_f64();
    let share = rate(our_time) / rate(native_time) * 100.0;
    println!("| server | MB/s each way | CPU s/GB |\n|---|---|---|");
    for (name, time, cpu) in
        [("native hyper", native_time, native_cpu), ("`wicker up`", our_time, our_cpu)]
    {
        println!(
            "| {name} | {:.0} | {:.2} |",
            rate(time),
            cpu.as_secs_f64() / (BYTES as f64 / 1e9)
        );
    }
    let grown = memory(ours, "VmHWM").saturating_sub(before);
    println!("\nThe host's memory at most grew by {:.1} MiB meanwhile.", mib(grown));
    let figure = format!("{:.0} MB/s", rate(our_time));
    goal(
        "bodies streamed through a component",
        "`wicker up`, of native hyper",
        &figure,
        &format!("{share:.0} %"),
        "50 %",
        share >= 50.0,
    );
    let figure = format!("{:.1} MiB", mib(grown));
    goal(
        "memory for 512 MiB of body each way",
        "`wicker up`",
        &figure,
        "",
        "constant",
        grown < 32 << 20,
    );
    Ok(())
}

async fn compare(
    ours: (SocketAddr, i32),
    native: (SocketAddr, i32),
) -> Result<[(Duration, Duration); 2]> {
    let mut rounds = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for _ in 0..ROUNDS {
        for ((address, pid), (times, cpus)) in [ours, native].into_iter().zip(&mut rounds) {
            let used = cpu(pid);
            times.push(tokio::task::spawn_blocking(move || echo(address)).await??);
            cpus.push(cpu(pid).saturating_sub(used));
        }
    }
    Ok(rounds.map(|(mut times, mut cpus)| (at(&mut times, 50), at(&mut cpus, 50))))
}

/// Sends the bytes and reads them back, however the server frames them.
fn echo(address: SocketAddr) -> Result<Duration> {
    let mut writer = TcpStream::connect(address)?;
    writer.set_nodelay(true)?;
    let mut reader = writer.try_clone()?;
    reader.set_read_timeout(Some(Duration::from_secs(60)))?;
    let begun = Instant::now();
    let writing = std::thread::spawn(move || -> std::io::Result<()> {
        write!(
            writer,
            "POST / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: {BYTES}\r\n\r\n"
        )?;
        let chunk = vec![7; 64 << 10];
        for _ in 0..BYTES / chunk.len() {
            writer.write_all(&chunk)?;
        }
        Ok(())
    });
    let mut buffer = vec![0; 256 << 10];
    let mut read = 0;
    loop {
        match reader.read(&mut buffer).context("cannot read the answer")? {
            0 => break,
            some => read += some,
        }
    }
    writing.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    ensure!(read > BYTES, "only {read} bytes came back");
    Ok(begun.elapsed())
}

/// The measure: hyper, one thread, each chunk given back as it comes. Serves until it is killed.
pub(crate) fn serve(port: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| async {
                Ok::<_, Infallible>(Response::new(request.into_body()))
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(async { drop(connection.await) });
        }
    })
}
