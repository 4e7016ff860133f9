//! A load generator that never sleeps: one that does bills its wake-ups to the server, and the slower server most.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: bench.example\r\n\r\n";

/// Connections to one server, each with one request under way.
pub(crate) struct Load {
    connections: Vec<Connection>,
    /// Bytes of one response: they are all alike.
    response_bytes: usize,
    /// How long each response of all runs took to be there whole.
    times: Vec<Duration>,
}

struct Connection {
    stream: TcpStream,
    /// Bytes of the response that are still to come.
    rest: usize,
    /// When its request was sent.
    sent: Instant,
}

impl Load {
    /// Connects, and learns what a response looks like.
    pub(crate) fn connect(port: u16, connections: usize) -> Result<Self> {
        let mut first = connect(port)?;
        // Server startup varies by what it compiles; the first answers also warm its caches.
        let mut response_bytes = 0;
        for _ in 0..100 {
            first.write_all(REQUEST)?;
            response_bytes = read_response(&mut first)?;
        }
        let connections = (0..connections).map(|_| {
            let stream = connect(port)?;
            stream.set_nonblocking(true)?;
            Ok(Connection { stream, rest: 0, sent: Instant::now() })
        });
        let connections = connections.collect::<Result<_>>()?;
        Ok(Self { connections, response_bytes, times: Vec::new() })
    }

    /// Keeps every connection busy for `time`, and says how many requests were answered.
    pub(crate) fn run(&mut self, time: Duration) -> Result<u64> {
        let end = Instant::now() + time;
        let mut answered = 0;
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            for connection in &mut self.connections {
                answered += connection.turn(self.response_bytes, &mut buffer, &mut self.times)?;
            }
        }
        // What is under way belongs to this round.
        while self.connections.iter().any(|connection| connection.rest > 0) {
            for connection in &mut self.connections {
                answered += connection.read(&mut buffer, &mut self.times)?;
            }
        }
        Ok(answered)
    }

    /// What 99 of 100 responses of all runs took at most.
    pub(crate) fn p99(&mut self) -> Duration {
        self.times.sort_unstable();
        self.times.get(self.times.len() * 99 / 100).copied().unwrap_or_default()
    }
}

impl Connection {
    fn turn(
        &mut self,
        response_bytes: usize,
        buffer: &mut [u8],
        times: &mut Vec<Duration>,
    ) -> Result<u64> {
        if self.rest == 0 {
            self.sent = Instant::now();
            self.stream.write_all(REQUEST)?;
            self.rest = response_bytes;
        }
        self.read(buffer, times)
    }

    /// 1 if a response is complete now, else 0.
    fn read(&mut self, buffer: &mut [u8], times: &mut Vec<Duration>) -> Result<u64> {
        if self.rest == 0 {
            return Ok(0);
        }
        match self.stream.read(buffer) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(read) => {
                ensure!(read <= self.rest, "a response is longer than the others");
                self.rest -= read;
                if self.rest == 0 {
                    times.push(self.sent.elapsed());
                }
                Ok(u64::from(self.rest == 0))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

fn connect(port: u16) -> Result<TcpStream> {
    let end = Instant::now() + START_TIMEOUT;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(START_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) if Instant::now() > end => return Err(error).context("cannot connect"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The length of one response, head included.
fn read_response(stream: &mut TcpStream) -> Result<usize> {
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the server closed the connection");
        response.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&response).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        ensure!(head.starts_with("http/1.1 200"), "unexpected response: {head}");
        let is_complete = match head.split("content-length: ").nth(1) {
            Some(length) => {
                let length: usize = length.lines().next().unwrap_or_default().parse()?;
                body.len() == length
            }
            None => body.ends_with("0\r\n\r\n"),
        };
        if is_complete {
            return Ok(response.len());
        }
    }
}

/// Moves this process to core 1, away from the servers.
pub(crate) fn pin_self() {
    let own = std::process::id().to_string();
    // Without taskset, or with one core, the figures are what they are.
    _ = Command::new("taskset").args(["-p", "-c", "1", &own]).stdout(Stdio::null()).status();
}
