//! Which process a call goes to, and what is tried again, in paused time.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use bytes::Bytes;
use futures::StreamExt as _;
use wicker_lattice::call::{ByteStream, CallError, LinkRef};
use wicker_lattice::id::{CallId, Incarnation};
use wicker_lattice::store::record::{ObjectKind, RunState, Running};
use wicker_lattice::types::TypeHash;

use super::*;
use crate::table::{Local, Peer, Places, Sources};

/// Answers from a script, one entry a call, the last one for ever; counts the calls and reads their streams.
#[derive(Default)]
struct Scripted {
    script: Vec<Option<Status>>,
    calls: Mutex<Vec<Vec<u8>>>,
    chunks_read: usize,
}

impl Scripted {
    fn new(script: &[Option<Status>]) -> Arc<Self> {
        Arc::new(Self { script: script.to_vec(), ..Self::default() })
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

impl Invoke for Scripted {
    fn invoke(&self, mut call: Call) -> Invocation<'_> {
        Box::pin(async move {
            let mut read = Vec::new();
            for stream in &mut call.streams {
                for _ in 0..self.chunks_read {
                    read.extend(stream.next().await.unwrap().unwrap());
                }
            }
            let number = {
                let mut calls = self.calls.lock().unwrap();
                calls.push(read);
                calls.len() - 1
            };
            match self.script[number.min(self.script.len() - 1)] {
                None => Ok(Reply::default()),
                Some(status) => Err(CallError::new(status, "scripted")),
            }
        })
    }
}

fn target() -> ObjectId {
    "t/a/target".parse().unwrap()
}

fn process(number: u8) -> ProcessId {
    ProcessId::from_bytes([number; 16])
}

fn running(number: u8, state: RunState, host: Option<ProcessId>) -> Running {
    Running {
        object: target(),
        kind: ObjectKind::Component,
        process: process(number),
        incarnation: Incarnation::from_bytes([0; 16]),
        host,
        generation: 1,
        digest: None,
        serves: Vec::new(),
        types: None,
        state,
        reason: None,
        failing_links: Default::default(),
        failed_generation: None,
        since: String::new(),
    }
}

/// A router of process 0 over remote processes 1, 2, ... that answer by these scripts.
fn router(remotes: &[&Arc<Scripted>], owner: Option<ProcessId>) -> (Router, Arc<Table>) {
    let records = (1..)
        .zip(remotes)
        .map(|(number, _)| running(number, RunState::Ready, Some(process(number))));
    let running: HashMap<String, Running> =
        records.map(|record| (record.process.to_string(), record)).collect();
    let owners = HashMap::from([(target(), owner)]);
    let specified = HashSet::new();
    let own = process(0);
    let sources = Sources { own, running: &running, owners: &owners, specified: &specified };
    let table = Arc::new(Table::default());
    table.set_places(Places::new(&sources, |running| {
        let process = running.process;
        let index = usize::from(process.to_bytes()[0]) - 1;
        Arc::new(Peer::new(process, Arc::clone(remotes[index]) as Arc<dyn Invoke>))
    }));
    (Router::new(Arc::clone(&table), Arc::new(|_| 0)), table)
}

fn call() -> Call {
    Call {
        id: CallId::generate(),
        target: target(),
        source: "t/a/source".parse().unwrap(),
        link: LinkRef { name: "default".into(), revision: 1 },
        interface: "shop:cart/api".parse().unwrap(),
        function: "add".into(),
        type_hash: TypeHash([0; 8]),
        deadline: Instant::now() + Duration::from_secs(10),
        trace: None,
        fence: None,
        params: Bytes::new(),
        streams: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn local_target_is_called_here() {
    let (here, there) = (Scripted::new(&[None]), Scripted::new(&[None]));
    let (router, table) = router(&[&there], None);
    table.put_local(&target(), Local::Boundary(Arc::clone(&here) as Arc<dyn Invoke>));
    for _ in 0..20 {
        router.invoke(call()).await.unwrap();
    }
    assert_eq!((here.calls(), there.calls()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn call_for_what_a_process_keeps_goes_there_and_nowhere_else() {
    let (here, first, second) =
        (Scripted::new(&[None]), Scripted::new(&[None]), Scripted::new(&[None]));
    let (router, table) = router(&[&first, &second], None);
    table.put_local(&target(), Local::Boundary(Arc::clone(&here) as Arc<dyn Invoke>));
    for _ in 0..20 {
        router.invoke_at(process(2), call()).await.unwrap();
    }
    assert_eq!((here.calls(), first.calls(), second.calls()), (0, 0, 20));
    // This host's own is known by no place: what runs here says whether the handle is its.
    router.invoke_at(process(0), call()).await.unwrap();
    assert_eq!((here.calls(), first.calls(), second.calls()), (1, 0, 20));
}

#[tokio::test(start_paused = true)]
async fn what_a_process_kept_is_gone_with_it() {
    for status in [Status::Unavailable, Status::Draining] {
        let (first, second) = (Scripted::new(&[Some(status)]), Scripted::new(&[None]));
        let (router, _table) = router(&[&first, &second], None);
        let error = router.invoke_at(process(1), call()).await.unwrap_err();
        assert_eq!((error.status, second.calls()), (Status::Gone, 0));
        let unknown = router.invoke_at(process(9), call()).await.unwrap_err();
        assert_eq!((unknown.status, second.calls()), (Status::Gone, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_did_not_run_here_is_tried_elsewhere() {
    for status in [Status::Unavailable, Status::Overloaded, Status::Draining] {
        let (here, there) = (Scripted::new(&[Some(status)]), Scripted::new(&[None]));
        let (router, table) = router(&[&there], None);
        table.put_local(&target(), Local::Boundary(Arc::clone(&here) as Arc<dyn Invoke>));
        router.invoke(call()).await.unwrap();
        assert_eq!(there.calls(), 1);
        assert!(here.calls() >= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn outcome_of_a_call_that_may_have_run_is_returned() {
    for status in
        [Status::Lost, Status::Trapped, Status::Deadline, Status::NotFound, Status::TypeMismatch]
    {
        let (first, second) = (Scripted::new(&[Some(status)]), Scripted::new(&[Some(status)]));
        let (router, _table) = router(&[&first, &second], None);
        assert_eq!(router.invoke(call()).await.unwrap_err().status, status);
        assert_eq!(first.calls() + second.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn idempotent_function_is_sent_again_when_it_was_lost() {
    let first = Scripted::new(&[Some(Status::Lost), None]);
    let (router, _table) = router(&[&first], None);
    router.carry_idempotent(call()).await.unwrap();
    assert_eq!(first.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn absent_target_is_awaited_inside_the_deadline() {
    let there = Scripted::new(&[
        Some(Status::Unavailable),
        Some(Status::Unavailable),
        Some(Status::Unavailable),
        None,
    ]);
    let (router, _table) = router(&[&there], None);
    router.invoke(call()).await.unwrap();
    assert_eq!(there.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn target_that_stays_away_fails_typed_before_the_deadline() {
    let there = Scripted::new(&[Some(Status::Unavailable)]);
    let (router, _table) = router(&[&there], None);
    let call = call();
    let deadline = call.deadline;
    assert_eq!(router.invoke(call).await.unwrap_err().status, Status::Unavailable);
    assert!(Instant::now() < deadline && Instant::now() > deadline - Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn target_that_nothing_speaks_of_fails_sooner() {
    let (router, _table) = router(&[], None);
    let begun = Instant::now();
    let error = router.invoke(call()).await.unwrap_err();
    assert!(error.message.contains("does not exist"), "{error}");
    assert!(begun.elapsed() <= UNKNOWN_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn overload_everywhere_is_told_at_once() {
    let (first, second) =
        (Scripted::new(&[Some(Status::Overloaded)]), Scripted::new(&[Some(Status::Overloaded)]));
    let (router, _table) = router(&[&first, &second], None);
    let begun = Instant::now();
    assert_eq!(router.invoke(call()).await.unwrap_err().status, Status::Overloaded);
    assert_eq!((first.calls(), second.calls()), (1, 1));
    assert!(begun.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn silent_process_is_avoided_while_there_is_another() {
    let (silent, lively) = (Scripted::new(&[Some(Status::Unavailable)]), Scripted::new(&[None]));
    let (router, _table) = router(&[&silent, &lively], None);
    for _ in 0..100 {
        router.invoke(call()).await.unwrap();
    }
    assert_eq!(lively.calls(), 100);
    assert!(silent.calls() <= 1, "{}", silent.calls());
}

#[tokio::test(start_paused = true)]
async fn exclusive_target_is_called_at_its_owner_only() {
    let (stranger, owner) = (Scripted::new(&[None]), Scripted::new(&[None]));
    let (router, _table) = router(&[&stranger, &owner], Some(process(2)));
    for _ in 0..20 {
        router.invoke(call()).await.unwrap();
    }
    assert_eq!((stranger.calls(), owner.calls()), (0, 20));
}

#[tokio::test(start_paused = true)]
async fn retried_call_sends_its_streams_from_the_start() {
    let reads = Arc::new(Scripted {
        script: vec![Some(Status::Unavailable), None],
        chunks_read: 2,
        ..Scripted::default()
    });
    let (router, _table) = router(&[&reads], None);
    let mut call = call();
    let chunks = ["one", "two"].map(|chunk| Ok(Bytes::from(chunk)));
    call.streams = vec![ByteStream::new(futures::stream::iter(chunks))];
    router.invoke(call).await.unwrap();
    assert_eq!(*reads.calls.lock().unwrap(), [b"onetwo", b"onetwo"]);
}

#[tokio::test(start_paused = true)]
async fn stream_that_is_too_long_to_remember_is_not_retried() {
    let reads = Arc::new(Scripted {
        script: vec![Some(Status::Unavailable), None],
        chunks_read: 2,
        ..Scripted::default()
    });
    let (router, _table) = router(&[&reads], None);
    let mut call = call();
    let chunks = [(); 2].map(|()| Ok(Bytes::from(vec![0; 40 << 10])));
    call.streams = vec![ByteStream::new(futures::stream::iter(chunks))];
    assert_eq!(router.invoke(call).await.unwrap_err().status, Status::Unavailable);
    assert_eq!(reads.calls(), 1);
}
