//! Routes that lead to files, and answers that come bit by bit.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use integration_tests::{TestLattice, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Files of one host, and blobs; asked for at another.
const SITE: &str = "
application: site
components:
  blobs:
    image: '{guests}/blobs.wasm'
    placement: { labels: { role: work } }
providers:
  files:
    builtin: static-files
    config: { directory: 'DIRECTORY', under: /files, max-age: 60 }
    placement: { labels: { role: work } }
  kept:
    builtin: static-files
    config: { container: site, prefix: www/, under: /kept }
    placement: { labels: { role: work } }
links:
  kept:
    wicker:blobstore: blobstore-fs
routes:
  /: blobs
  /files: files
  /kept: kept
";

/// A client of one listener.
struct Client<'a>(&'a TestLattice, SocketAddr);

impl Client<'_> {
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.1));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.0.web.request(request.body(Full::default()).unwrap()).await.unwrap()
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        self.send(Method::GET, path, headers).await
    }

    async fn says(&self, path: &str, status: StatusCode, body: &str) {
        let answer = self.get(path, &[]).await;
        assert_eq!((answer.status(), &answer.body()[..]), (status, body.as_bytes()), "{path}");
    }

    /// What is there, with all its parts, below `at`.
    async fn keeps_the_laws_of_http(&self, at: &str) {
        let style = format!("{at}/style.css");
        let whole = self.get(&style, &[]).await;
        assert_eq!((whole.status(), &whole.body()[..]), (StatusCode::OK, &b"0123456789"[..]));
        assert_eq!(header(whole.headers(), "content-type"), "text/css; charset=utf-8");
        assert_eq!(header(whole.headers(), "content-length"), "10");
        let (etag, modified) =
            (header(whole.headers(), "etag"), header(whole.headers(), "last-modified"));
        let head = self.send(Method::HEAD, &style, &[]).await;
        assert_eq!((header(head.headers(), "content-length"), head.body().len()), ("10", 0));

        for known in [
            ("if-none-match", etag),
            ("if-none-match", "\"x\", *"),
            ("if-modified-since", modified),
        ] {
            let answer = self.get(&style, &[known]).await;
            assert_eq!(
                (answer.status(), answer.body().len()),
                (StatusCode::NOT_MODIFIED, 0),
                "{known:?}"
            );
            assert_eq!(header(answer.headers(), "etag"), etag);
        }
        let other =
            self.get(&style, &[("if-none-match", "\"x\""), ("if-modified-since", modified)]).await;
        assert_eq!(other.status(), StatusCode::OK);

        let part = self.get(&style, &[("range", "bytes=2-4")]).await;
        assert_eq!((part.status(), &part.body()[..]), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
        assert_eq!(header(part.headers(), "content-range"), "bytes 2-4/10");
        let tail = self.get(&style, &[("range", "bytes=-2"), ("if-range", modified)]).await;
        assert_eq!(&tail.body()[..], b"89");
        let changed = self.get(&style, &[("range", "bytes=2-4"), ("if-range", "\"x\"")]).await;
        assert_eq!((changed.status(), changed.body().len()), (StatusCode::OK, 10));
        let beyond = self.get(&style, &[("range", "bytes=10-")]).await;
        assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(header(beyond.headers(), "content-range"), "bytes */10");

        self.says(&format!("{at}/"), StatusCode::OK, "<h1>home</h1>").await;
        self.says(&format!("{at}/docs/"), StatusCode::OK, "docs").await;
        let folder = self.get(&format!("{at}/docs?q=1"), &[]).await;
        assert_eq!(folder.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(header(folder.headers(), "location"), format!("{at}/docs/?q=1"));
        let posted = self.send(Method::POST, &style, &[]).await;
        assert_eq!(
            (posted.status(), header(posted.headers(), "allow")),
            (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD")
        );
        for absent in [
            "/nothing",
            "/docs/none/",
            "/.hidden",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/docs//index.html",
        ] {
            self.says(&format!("{at}{absent}"), StatusCode::NOT_FOUND, "404 Not Found\n").await;
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_lead_to_a_directory_and_to_blobs() {
    let lattice = TestLattice::start().await;
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("www");
    std::fs::create_dir_all(root.join("docs")).unwrap();
    for (name, text) in [
        ("www/index.html", "<h1>home</h1>"),
        ("www/docs/index.html", "docs"),
        ("www/style.css", "0123456789"),
        ("www/.hidden", "hidden"),
        ("secret", "secret"),
    ] {
        std::fs::write(place.path().join(name), text).unwrap();
    }
    symlink("docs/index.html", root.join("inside")).unwrap();
    symlink("../secret", root.join("outside")).unwrap();
    symlink("/etc", root.join("system")).unwrap();

    let _worker = lattice.host(&["--label", "role=work"]).await;
    let edge = lattice.host(&[]).await;
    let manifest = SITE.replace("DIRECTORY", &root.display().to_string());
    lattice.wicker(&["deploy", &lattice.manifest("site", &manifest)]).await;
    let client = Client(&lattice, edge.http);
    client.says("/create/site/-", StatusCode::OK, "site").await;
    for (name, text) in
        [("index.html", "<h1>home</h1>"), ("docs/index.html", "docs"), ("style.css", "0123456789")]
    {
        let written = lattice
            .web
            .post(edge.http, &format!("/upload/site/www/{name}"), text.into())
            .await
            .unwrap();
        assert_eq!(written.text(), text.len().to_string());
    }
    // The link of a provider is told to it when it runs.
    eventually("the blobs are there", || async {
        (client.get("/kept/", &[]).await.status() == StatusCode::OK).then_some(())
    })
    .await;
    client.keeps_the_laws_of_http("/files").await;
    client.keeps_the_laws_of_http("/kept").await;

    client.says("/files/inside", StatusCode::OK, "docs").await;
    client.says("/files/outside", StatusCode::NOT_FOUND, "404 Not Found\n").await;
    client.says("/files/system/passwd", StatusCode::NOT_FOUND, "404 Not Found\n").await;
    assert_eq!(header(client.get("/files/", &[]).await.headers(), "cache-control"), "max-age=60");
    // A file that changes is another one.
    let before = client.get("/files/style.css", &[]).await;
    std::fs::write(root.join("style.css"), "abcdefghij").unwrap();
    let known = [("if-none-match", header(before.headers(), "etag"))];
    assert_eq!(&client.get("/files/style.css", &known).await.body()[..], b"abcdefghij");
}

/// A component that answers with what it is sent, while it comes; on another host than the client's.
const ECHO: &str = "
application: echo
components:
  echo:
    image: '{guests}/http_echo.wasm'
    placement: { labels: { role: work } }
routes:
  /: echo
";

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_one_by_one() {
    let lattice = TestLattice::start().await;
    let _worker = lattice.host(&["--label", "role=work"]).await;
    let edge = lattice.host(&[]).await;
    lattice.wicker(&["deploy", &lattice.manifest("echo", ECHO)]).await;
    let mut stream = TcpStream::connect(edge.http).await.unwrap();
    let head = "POST /events HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // Nobody sends the next event before the last one has come: were one held back, nothing would come any more.
    let mut seen = String::new();
    for at in 1..=5 {
        let event = format!("data: {at}\n\n");
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        stream.write_all(chunk.as_bytes()).await.unwrap();
        while !seen.contains(&event) {
            let mut bytes = [0; 1024];
            let read = tokio::time::timeout(integration_tests::WAIT, stream.read(&mut bytes));
            let read = read.await.expect("the event arrives").unwrap();
            assert!(read > 0, "the answer ended: {seen}");
            seen.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
    }
}
