//! What blobs promise, whatever is behind them.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use blobstore::PAGE;
use blobstore::blobs::{Client, Error};
use bytes::Bytes;
use futures::stream::iter;
use futures::{StreamExt as _, TryStreamExt as _};
use wicker_lattice::call::StreamError;
use wicker_provider::Stream;
use wicker_provider::testing::{Links, until};

/// A chunk of what is written.
const CHUNK: usize = 64 << 10;

/// What backends promise differently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promises {
    /// Names of objects that it takes, and some that it refuses.
    pub(crate) names: &'static [&'static str],
    pub(crate) refused: &'static [&'static str],
    /// Who reads an object while it is replaced goes on with what it began to read; else the reading breaks off.
    pub(crate) reader_goes_on: bool,
}

pub(crate) async fn keep_all(links: &Links, promises: Promises) {
    let blobs = Client::new(links.open(&[]).await);
    object_comes_back_as_it_went(&blobs).await;
    names_are_kept_apart(&blobs, promises).await;
    ranges_are_read(&blobs).await;
    large_object_streams_both_ways(&blobs).await;
    reader_that_stops_early_stops_the_writer(&blobs).await;
    write_that_breaks_off_changes_nothing(&blobs).await;
    reader_never_gets_a_mixture(&blobs, promises).await;
    objects_are_listed_page_by_page(&blobs).await;
    copies_are_apart(&blobs).await;
    what_is_not_there_is_said(&blobs).await;
    link_uses_only_its_containers(links).await;
}

fn text(text: &'static str) -> Stream {
    Stream::new(iter([Ok(Bytes::from_static(text.as_bytes()))]))
}

async fn put(blobs: &Client, container: &str, name: &str, data: Stream) -> Result<u64, Error> {
    blobs.put(container.to_owned(), name.to_owned(), data).await.unwrap()
}

async fn read(data: Stream) -> Vec<u8> {
    let (mut chunks, mut all) = (data.into_chunks(), Vec::new());
    while let Some(chunk) = chunks.next().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    all
}

/// How much came, or why not all.
async fn count(data: Stream) -> Result<usize, StreamError> {
    data.into_chunks().try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) }).await
}

async fn part(
    blobs: &Client,
    (container, name): (&str, &str),
    start: u64,
    length: Option<u64>,
) -> Result<String, Error> {
    let found = blobs.get(container.to_owned(), name.to_owned(), start, length).await.unwrap()?;
    Ok(String::from_utf8(read(found.data).await).unwrap())
}

async fn whole(blobs: &Client, container: &str, name: &str) -> Result<String, Error> {
    part(blobs, (container, name), 0, None).await
}

async fn make(blobs: &Client, container: &str) {
    blobs.create_container(container.to_owned()).await.unwrap().unwrap();
}

async fn object_comes_back_as_it_went(blobs: &Client) {
    make(blobs, "first").await;
    make(blobs, "first").await;
    assert_eq!(put(blobs, "first", "o", text("one")).await, Ok(3));
    assert_eq!(put(blobs, "first", "o", text("two and more")).await, Ok(12));
    assert_eq!(whole(blobs, "first", "o").await.as_deref(), Ok("two and more"));
    assert_eq!(put(blobs, "first", "empty", Stream::new(iter([]))).await, Ok(0));
    assert_eq!(whole(blobs, "first", "empty").await.as_deref(), Ok(""));
    let info = blobs.info("first".to_owned(), "o".to_owned()).await.unwrap().unwrap();
    assert_eq!((info.name.as_str(), info.size), ("o", 12));
    assert!(info.written_at > 1_600_000_000, "{info:?}");
}

async fn names_are_kept_apart(blobs: &Client, Promises { names, refused, .. }: Promises) {
    make(blobs, "any ../name").await;
    for name in names {
        put(blobs, "any ../name", name, text(name)).await.unwrap();
    }
    for name in refused {
        let refused = put(blobs, "any ../name", name, text("x")).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{name}: {refused:?}");
    }
    for name in names {
        assert_eq!(whole(blobs, "any ../name", name).await.as_deref(), Ok(*name));
    }
    let listed = blobs.list("any ../name".to_owned(), String::new(), None).await.unwrap().unwrap();
    let mut expected = names.to_vec();
    expected.sort_unstable();
    let listed: Vec<String> = listed.objects.into_iter().map(|object| object.name).collect();
    assert_eq!(listed, expected);
    blobs.delete_container("any ../name".to_owned()).await.unwrap().unwrap();
}

async fn ranges_are_read(blobs: &Client) {
    put(blobs, "first", "digits", text("0123456789")).await.unwrap();
    let read = async |start, length| part(blobs, ("first", "digits"), start, length).await;
    assert_eq!(read(0, Some(3)).await.as_deref(), Ok("012"));
    assert_eq!(read(7, None).await.as_deref(), Ok("789"));
    assert_eq!(read(7, Some(100)).await.as_deref(), Ok("789"));
    assert_eq!(read(10, None).await.as_deref(), Ok(""));
    assert!(matches!(read(11, None).await, Err(Error::Invalid(_))));
}

/// So many chunks, each told apart by its bytes; counts those that were taken.
fn pour(chunks: u64, taken: &Arc<AtomicU64>) -> Stream {
    let taken = Arc::clone(taken);
    Stream::new(iter(0..chunks).map(move |at| {
        taken.fetch_add(1, Ordering::SeqCst);
        Ok(Bytes::from(vec![at.to_le_bytes().first().copied().unwrap_or_default(); CHUNK]))
    }))
}

async fn large_object_streams_both_ways(blobs: &Client) {
    const CHUNKS: u64 = 1_024;
    let taken = Arc::default();
    let size = CHUNKS * CHUNK as u64;
    assert_eq!(put(blobs, "first", "large", pour(CHUNKS, &taken)).await, Ok(size));
    let found = blobs.get("first".to_owned(), "large".to_owned(), 0, None).await.unwrap().unwrap();
    assert_eq!(found.size, size);
    let (mut chunks, mut at) = (found.data.into_chunks(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        for byte in chunk.unwrap() {
            assert!(usize::from(byte) == at / CHUNK % 256, "byte {at}");
            at += 1;
        }
    }
    assert_eq!(at as u64, size);
}

async fn reader_that_stops_early_stops_the_writer(blobs: &Client) {
    let found = blobs.get("first".to_owned(), "large".to_owned(), 0, None).await.unwrap().unwrap();
    let mut chunks = found.data.into_chunks();
    chunks.next().await.unwrap().unwrap();
    drop(chunks);
    // It is not in the way of the next one.
    put(blobs, "first", "large", text("small now")).await.unwrap();
    assert_eq!(whole(blobs, "first", "large").await.as_deref(), Ok("small now"));
}

async fn write_that_breaks_off_changes_nothing(blobs: &Client) {
    put(blobs, "first", "kept", text("as it was")).await.unwrap();
    let torn = Err(StreamError::Aborted("torn".to_owned()));
    let torn = Stream::new(iter([Ok(Bytes::from_static(b"beginning")), torn]));
    let failed = put(blobs, "first", "kept", torn).await;
    assert!(matches!(failed, Err(Error::BrokenOff(_))), "{failed:?}");
    assert_eq!(whole(blobs, "first", "kept").await.as_deref(), Ok("as it was"));
    // A caller that gives up half-way.
    let taken = Arc::new(AtomicU64::new(0));
    let endless = pour(u64::MAX, &taken);
    tokio::select! {
        ended = put(blobs, "first", "kept", endless) => panic!("{ended:?}"),
        () = until("some chunks", || async { taken.load(Ordering::SeqCst) > 4 }) => {}
    }
    assert_eq!(whole(blobs, "first", "kept").await.as_deref(), Ok("as it was"));
}

async fn reader_never_gets_a_mixture(blobs: &Client, promises: Promises) {
    let taken = Arc::default();
    put(blobs, "first", "replaced", pour(200, &taken)).await.unwrap();
    let name = || ("first".to_owned(), "replaced".to_owned());
    let found = blobs.get(name().0, name().1, 0, None).await.unwrap().unwrap();
    put(blobs, "first", "replaced", text("new")).await.unwrap();
    let began = count(found.data).await;
    match promises.reader_goes_on {
        true => assert_eq!(began, Ok(200 * CHUNK)),
        // Never as if it had ended.
        false => assert!(began.is_err() || began == Ok(200 * CHUNK), "{began:?}"),
    }
    assert_eq!(whole(blobs, "first", "replaced").await.as_deref(), Ok("new"));
}

async fn objects_are_listed_page_by_page(blobs: &Client) {
    make(blobs, "many").await;
    let count = PAGE + 5;
    let name = |at: usize| format!("a/{at:05}");
    let puts =
        iter(0..count).map(|at| async move { put(blobs, "many", &name(at), text("x")).await });
    let sizes: Vec<_> = puts.buffer_unordered(16).collect().await;
    assert!(sizes.iter().all(|size| *size == Ok(1)));
    put(blobs, "many", "b", text("x")).await.unwrap();
    let list =
        async |after| blobs.list("many".to_owned(), "a/".to_owned(), after).await.unwrap().unwrap();
    let first = list(None).await;
    assert_eq!((first.objects.len(), first.has_more), (PAGE, true));
    let rest = list(first.objects.last().map(|object| object.name.clone())).await;
    let names = first.objects.into_iter().chain(rest.objects).map(|object| object.name);
    assert!(names.eq((0..count).map(name)) && !rest.has_more);
    let some = (0..count).map(name).chain(["none".to_owned()]).collect();
    blobs.delete("many".to_owned(), some).await.unwrap().unwrap();
    assert_eq!(list(None).await.objects.len(), 0);
    assert_eq!(whole(blobs, "many", "b").await.as_deref(), Ok("x"));
}

async fn copies_are_apart(blobs: &Client) {
    make(blobs, "second").await;
    put(blobs, "first", "from", text("one")).await.unwrap();
    let copy =
        blobs.copy("first".to_owned(), "from".to_owned(), "second".to_owned(), "to".to_owned());
    copy.await.unwrap().unwrap();
    put(blobs, "first", "from", text("two")).await.unwrap();
    assert_eq!(whole(blobs, "second", "to").await.as_deref(), Ok("one"));
    blobs.delete_container("second".to_owned()).await.unwrap().unwrap();
    assert_eq!(blobs.has_container("second".to_owned()).await.unwrap(), Ok(false));
    assert_eq!(whole(blobs, "second", "to").await, Err(Error::NoSuchContainer));
}

async fn what_is_not_there_is_said(blobs: &Client) {
    assert_eq!(put(blobs, "nowhere", "o", text("x")).await, Err(Error::NoSuchContainer));
    assert_eq!(whole(blobs, "first", "nothing").await, Err(Error::NoSuchObject));
    let info = blobs.info("first".to_owned(), "nothing".to_owned()).await.unwrap();
    assert_eq!(info, Err(Error::NoSuchObject));
    blobs.delete_container("nowhere".to_owned()).await.unwrap().unwrap();
    let long = "x".repeat(2_000);
    assert!(matches!(put(blobs, "first", &long, text("x")).await, Err(Error::Invalid(_))));
}

async fn link_uses_only_its_containers(links: &Links) {
    let blobs = Client::new(links.open(&[("containers", "mine"), ("prefix", "p-")]).await);
    make(&blobs, "mine").await;
    put(&blobs, "mine", "o", text("x")).await.unwrap();
    let denied = blobs.create_container("first".to_owned()).await.unwrap();
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    assert!(matches!(whole(&blobs, "first", "o").await, Err(Error::Denied(_))));
    // The same name without the prefix is another container.
    let others = Client::new(links.open(&[]).await);
    assert_eq!(others.has_container("mine".to_owned()).await.unwrap(), Ok(false));
}

/// Of a server that is stopped and started again: whatever was acknowledged is there, whatever was under way fails typed.
pub(crate) async fn outlive(links: &Links, server: &mut impl Server) {
    let blobs = Client::new(links.open(&[]).await);
    let kept = put_for_good(links).await;
    let name = || ("good".to_owned(), "o".to_owned());

    // Frozen: nobody waits longer than it wants to.
    server.freeze();
    let hurried = Client::new(links.open(&[]).await.with_timeout(Duration::from_secs(1)));
    let late = hurried.info(name().0, name().1).await;
    assert!(!matches!(late, Ok(Ok(_))), "{late:?}");
    server.thaw();
    until("it answers again", || async {
        matches!(hurried.info(name().0, name().1).await, Ok(Ok(_)))
    })
    .await;

    // Stopped, while one writes and another reads.
    let found = blobs.get(name().0, name().1, 0, None).await.unwrap().unwrap();
    let taken = Arc::new(AtomicU64::new(0));
    let writing = put(&blobs, "good", "endless", pour(u64::MAX, &taken));
    let stopping = async {
        until("some chunks", || async { taken.load(Ordering::SeqCst) > 4 }).await;
        server.stop();
    };
    let (written, ()) = tokio::join!(writing, stopping);
    assert!(matches!(written, Err(Error::Unavailable(_) | Error::Other(_))), "{written:?}");
    let read = count(found.data).await;
    assert!(read.is_err() || read == Ok(usize::try_from(kept.0).unwrap()), "{read:?}");
    let unreachable = blobs.get(name().0, name().1, 0, None).await.unwrap();
    assert!(matches!(unreachable, Err(Error::Unavailable(_))), "{:?}", unreachable.map(drop));
    server.run();
    until("it is reached again", || async {
        matches!(blobs.info(name().0, name().1).await, Ok(Ok(_)))
    })
    .await;
    is_still_there(links, kept).await;
    let endless = blobs.info("good".to_owned(), "endless".to_owned()).await.unwrap();
    assert_eq!(endless, Err(Error::NoSuchObject));
    assert_eq!(put(&blobs, "good", "after", text("x")).await, Ok(1));
}

/// A server that a test stops.
pub(crate) trait Server {
    fn pid(&self) -> u32;
    fn stop(&mut self);
    fn run(&mut self);

    /// Until it is frozen: a thread that runs just then goes on for a moment, and may answer.
    fn freeze(&self) {
        self.signal("-STOP");
        let tasks = format!("/proc/{}/task", self.pid());
        let is_stopped = |task: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        };
        while !std::fs::read_dir(&tasks).unwrap().flatten().all(is_stopped) {
            std::thread::yield_now();
        }
    }

    fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

/// What [`put_for_good`] has put.
pub(crate) struct Put(u64);

pub(crate) async fn put_for_good(links: &Links) -> Put {
    let blobs = Client::new(links.open(&[]).await);
    make(&blobs, "good").await;
    Put(put(&blobs, "good", "o", pour(300, &Arc::default())).await.unwrap())
}

/// After the provider was killed.
pub(crate) async fn is_still_there(links: &Links, put: Put) {
    let blobs = Client::new(links.open(&[]).await);
    let found = blobs.get("good".to_owned(), "o".to_owned(), 0, None).await.unwrap().unwrap();
    assert_eq!(found.size, put.0);
    assert_eq!(count(found.data).await, Ok(usize::try_from(put.0).unwrap()));
}

/// Writes an object and reads it.
pub(crate) async fn put_in(blobs: &Client, container: &str) {
    assert_eq!(put(blobs, container, "o", text("whole")).await, Ok(5));
    assert_eq!(whole(blobs, container, "o").await.as_deref(), Ok("whole"));
}
