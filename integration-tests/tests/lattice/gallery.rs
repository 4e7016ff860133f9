//! The example `gallery`: uploads that stream into blobs, and a queue that more hosts work on the longer it is.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use integration_tests::{TestLattice, eventually};
use wicker_lattice::id::ObjectId;

/// A grey picture of this size, without compression.
fn png(width: u32, height: u32) -> Bytes {
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0);
        rows.extend((0..width).map(|x| (x ^ y) as u8));
    }
    let mut packed = vec![0x78, 0x01];
    let mut blocks = rows.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).unwrap();
        packed.push(u8::from(blocks.peek().is_none()));
        packed.extend(
            len.to_le_bytes().into_iter().chain((!len).to_le_bytes()).chain(block.iter().copied()),
        );
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in &rows {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    packed.extend((b << 16 | a).to_be_bytes());
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        file.extend((data.len() as u32).to_be_bytes());
        let body: Vec<u8> = kind.iter().chain(data).copied().collect();
        file.extend(&body);
        file.extend(checksum(&body).to_be_bytes());
    };
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, 0]].concat());
    chunk(b"IDAT", &packed);
    chunk(b"IEND", &[]);
    file.into()
}

/// PNG's: CRC-32.
fn checksum(bytes: &[u8]) -> u32 {
    let one = |crc: u32, byte: &u8| {
        let shift = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        (0..8).fold(crc ^ u32::from(*byte), shift)
    };
    !bytes.iter().fold(!0, one)
}

/// Width and height of a picture.
fn size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

struct Gallery<'a>(&'a TestLattice, SocketAddr);

impl Gallery<'_> {
    async fn put(&self, name: &str, picture: Bytes) {
        let request = Request::put(format!("http://{}/photos/{name}", self.1));
        let kept = self.0.web.request(request.body(Full::new(picture)).unwrap()).await.unwrap();
        assert_eq!(kept.status(), 201, "{:?}", kept.body());
    }

    async fn thumbnail(&self, name: &str) -> Bytes {
        eventually("the thumbnail is there", || async {
            let answer = self.0.web.get(self.1, &format!("/thumbnails/{name}")).await.ok()?;
            (answer.status == 200).then_some(answer.body)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gallery_makes_thumbnails_on_more_hosts_while_its_queue_is_long() {
    let lattice = TestLattice::start().await;
    let host = lattice.host(&[]).await;
    let _others = (lattice.host(&[]).await, lattice.host(&[]).await);
    let example = lattice.example_of("gallery", &["gallery-web", "gallery-thumbnails"]);
    lattice.wicker(&["deploy", &example]).await;
    let gallery = Gallery(&lattice, host.http);

    let picture = png(400, 300);
    gallery.put("cat", picture.clone()).await;
    assert!(lattice.web.get(host.http, "/photos/cat").await.unwrap().body == picture);
    assert_eq!(size(&gallery.thumbnail("cat").await), (128, 96));
    // What is no picture is in nobody's way.
    gallery.put("text", Bytes::from_static(b"no picture")).await;

    let thumbnails: ObjectId = "default/gallery/thumbnails".parse().unwrap();
    assert_eq!(lattice.running(&thumbnails).await.map(|running| running.len()), Some(1));
    let large = png(2_000, 1_000);
    let mut last = 0;
    while lattice.running(&thumbnails).await.is_none_or(|running| running.len() < 2) {
        assert!(last < 2_000, "{last} pictures, and one host makes all their thumbnails");
        let some = (last..last + 20).map(|at| (format!("large-{at}"), large.clone()));
        let some = some.map(|(name, large)| {
            let gallery = &gallery;
            async move { gallery.put(&name, large).await }
        });
        futures::future::join_all(some).await;
        last += 20;
    }
    for at in 0..last {
        assert_eq!(size(&gallery.thumbnail(&format!("large-{at}")).await), (128, 64));
    }
    let names = lattice.web.get(host.http, "/").await.unwrap().text();
    assert_eq!(names.lines().count(), last + 2);
}
