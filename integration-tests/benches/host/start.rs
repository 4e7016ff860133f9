//! `wicker up FILE` of an application whose component is compiled already, NATS running: from the start of the process to the first 200.
//!
//! The client tries to connect all the time, so that the figure holds no pause of its own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::{TestLattice, program};

use crate::goal::goal;
use crate::{at, ms};

const ROUNDS: usize = 21;

pub(crate) async fn measure() -> Result<()> {
    let lattice = TestLattice::start().await;
    let guest = artifacts::guest("http-hello");
    let text = format!(
        "application: bench\ncomponents:\n  hello: {}\nroutes:\n  /: hello\n",
        guest.display()
    );
    let file = lattice.folder().join("wicker.yaml");
    std::fs::write(&file, text)?;
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(program());
        command.args([
            "--nats",
            lattice.nats.url(),
            "--lattice",
            &format!("start-{round}"),
            "--data",
        ]);
        command.arg(lattice.folder().join("data"));
        command.args(["up", "--http", &format!("127.0.0.1:{port}")]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let mut host = command.spawn()?;
        let answered = first_200(port, begun);
        Command::new("kill").arg(host.id().to_string()).status()?;
        host.wait()?;
        // The first one compiles.
        if round > 0 {
            times.push(answered?);
        }
    }
    let (p50, most) = (at(&mut times, 50), at(&mut times, 100 - 100 / ROUNDS));
    println!(
        "`wicker up` of a cached application to its first 200: p50 {}, slowest {}",
        ms(p50),
        ms(most)
    );
    let is_reached = p50 <= Duration::from_millis(25);
    goal("start of a cached application", "`wicker up`", &ms(p50), "", "25 ms", is_reached);
    Ok(())
}

fn first_200(port: u16, begun: Instant) -> Result<Duration> {
    loop {
        ensure!(begun.elapsed() < Duration::from_secs(60), "no 200 within a minute");
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
            std::thread::sleep(Duration::from_micros(100));
            continue;
        };
        stream.write_all(b"GET / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        if stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200") {
            return Ok(begun.elapsed());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
