//! TCP connections that a component takes: through `tcp-listener` on one host, the component on another.

use std::net::SocketAddr;

use integration_tests::{TestHost, TestLattice, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const MANIFEST: &str = "
application: echo
components:
  echo: { image: '{guests}/tcp_echo.wasm', placement: { labels: { role: work } } }
providers:
  door: { builtin: tcp-listener, placement: { labels: { role: edge } } }
links:
  door:
    wicker:tcp: { target: echo, config: { port: 'PORT', address: 127.0.0.1, max-connections: '2' } }
";

/// A lattice with a door.
struct House {
    _lattice: TestLattice,
    _hosts: [TestHost; 2],
    door: SocketAddr,
}

impl House {
    async fn open() -> Self {
        let lattice = TestLattice::start().await;
        let edge = lattice.host(&["--label", "role=edge"]).await;
        let work = lattice.host(&["--label", "role=work"]).await;
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let door = free.local_addr().unwrap();
        drop(free);
        let text = MANIFEST.replace("PORT", &door.port().to_string());
        lattice.wicker(&["deploy", &lattice.manifest("echo", &text)]).await;
        let house = Self { _lattice: lattice, _hosts: [edge, work], door };
        eventually("somebody answers", || async {
            let mut stream = TcpStream::connect(door).await.ok()?;
            (say(&mut stream, b"hello\n").await? == b"hello\n").then_some(())
        })
        .await;
        house
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.door).await.unwrap()
    }
}

/// Sends bytes, and waits for as many.
async fn say(stream: &mut TcpStream, bytes: &[u8]) -> Option<Vec<u8>> {
    stream.write_all(bytes).await.ok()?;
    let mut answer = vec![0; bytes.len()];
    let read = timeout(integration_tests::WAIT, stream.read_exact(&mut answer)).await.ok()?;
    read.ok().map(|_| answer)
}

/// Whatever comes until the other side ends it.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // One that is reset has ended, too.
    _ = timeout(integration_tests::WAIT, stream.read_to_end(&mut rest)).await.unwrap();
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_come_back_whole_and_either_side_may_end_it() {
    let house = House::open().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut reader, mut writer) = house.connect().await.into_split();
    let sent = bytes.clone();
    let sending = tokio::task::JoinSet::from_iter([async move {
        writer.write_all(&sent).await.unwrap();
        // Closes this side: the input ends, and then the output.
        writer.shutdown().await.unwrap();
        writer
    }]);
    let mut back = Vec::new();
    timeout(integration_tests::WAIT, reader.read_to_end(&mut back)).await.unwrap().unwrap();
    assert!(back == bytes, "{} of {} bytes", back.len(), bytes.len());
    sending.join_all().await;
    let mut ended = house.connect().await;
    ended.write_all(b"bye\n").await.unwrap();
    assert_eq!(rest(&mut ended).await, b"");
    let mut refused = house.connect().await;
    refused.write_all(b"refuse\n").await.unwrap();
    assert_eq!(rest(&mut refused).await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn component_writes_no_faster_than_the_peer_reads_and_stops_when_it_is_gone() {
    let house = House::open().await;
    for _ in 0..4 {
        // As many as may be open at once, twice over: those that are gone make room.
        let mut flooded = house.connect().await;
        flooded.write_all(b"flood\n").await.unwrap();
        let mut some = vec![0; 1 << 20];
        timeout(integration_tests::WAIT, flooded.read_exact(&mut some)).await.unwrap().unwrap();
        assert!(some.iter().all(|byte| *byte == b'x'));
        drop(flooded);
    }
    let mut stream = house.connect().await;
    assert_eq!(say(&mut stream, b"still here\n").await.unwrap(), b"still here\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_are_open_than_the_link_allows() {
    let house = House::open().await;
    let (mut one, mut two) = (house.connect().await, house.connect().await);
    assert_eq!(say(&mut one, b"one\n").await.unwrap(), b"one\n");
    assert_eq!(say(&mut two, b"two\n").await.unwrap(), b"two\n");
    // The third waits in the system's queue: what it says is answered when there is room.
    let mut three = house.connect().await;
    three.write_all(b"three\n").await.unwrap();
    assert_eq!(say(&mut one, b"again\n").await.unwrap(), b"again\n");
    let mut nothing = [0; 1];
    let unanswered = three.try_read(&mut nothing).unwrap_err();
    assert_eq!(unanswered.kind(), std::io::ErrorKind::WouldBlock);
    drop(one);
    let mut answer = [0; 6];
    timeout(integration_tests::WAIT, three.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"three\n");
}
