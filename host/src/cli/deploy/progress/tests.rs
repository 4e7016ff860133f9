//! When a wait is over, and what is told meanwhile.

use super::*;

fn running(object: &ObjectId, host: ProcessId, generation: u64, state: RunState) -> Running {
    Running {
        object: object.clone(),
        kind: ObjectKind::Component,
        process: host,
        incarnation: Incarnation::from_bytes([7; 16]),
        host: Some(host),
        generation,
        digest: None,
        serves: Vec::new(),
        types: None,
        state,
        reason: (state == RunState::Failed).then(|| "no such file".to_owned()),
        failing_links: Default::default(),
        failed_generation: None,
        since: String::new(),
    }
}

fn host(process: ProcessId) -> Host {
    Host {
        process,
        incarnation: Incarnation::from_bytes([7; 16]),
        name: format!("host-{process}"),
        labels: BTreeMap::new(),
        http: None,
        pid: None,
        version: String::new(),
        beat: 1,
        is_draining: false,
        degraded: None,
        lost_at: None,
        load: None,
        busy: Default::default(),
    }
}

fn waiting() -> (Progress, ObjectId, [ProcessId; 2]) {
    let object: ObjectId = "default/shop/api".parse().unwrap();
    let hosts = [ProcessId::from_bytes([1; 16]), ProcessId::from_bytes([2; 16])];
    let placed = Placed { kind: ObjectKind::Component, generation: 2, hosts: hosts.to_vec() };
    let placed = BTreeMap::from([(object.clone(), placed)]);
    let inventory = Inventory { hosts: hosts.map(host).to_vec(), ..Inventory::default() };
    (Progress::new(&placed, &inventory), object, hosts)
}

#[test]
fn every_host_must_be_ready() {
    let (mut progress, object, [first, second]) = waiting();
    progress.observe(&running(&object, first, 2, RunState::Ready));
    assert_eq!(progress.outcome(), Outcome::Waiting);
    progress.observe(&running(&object, second, 3, RunState::Pending));
    assert_eq!(progress.outcome(), Outcome::Ready);
}

#[test]
fn older_generation_counts_for_nothing() {
    let (mut progress, object, [first, _]) = waiting();
    assert!(progress.observe(&running(&object, first, 1, RunState::Ready)).is_none());
    assert_eq!(progress.outcome(), Outcome::Waiting);
}

#[test]
fn failure_ends_the_wait_with_its_reason() {
    let (mut progress, object, [first, second]) = waiting();
    progress.observe(&running(&object, first, 2, RunState::Ready));
    progress.observe(&running(&object, second, 2, RunState::Failed));
    assert_eq!(progress.outcome(), Outcome::Failed);
    assert_eq!(
        progress.laggards(),
        format!("shop/api on {}: failed (no such file)", host(second).name)
    );
}

#[test]
fn what_an_earlier_start_of_the_host_said_is_void() {
    let (mut progress, object, [first, _]) = waiting();
    let incarnation = Incarnation::from_bytes([6; 16]);
    assert!(
        progress
            .observe(&Running { incarnation, ..running(&object, first, 2, RunState::Ready) })
            .is_none()
    );
    let incarnation = Incarnation::from_bytes([7; 16]);
    assert!(
        progress
            .observe(&Running { incarnation, ..running(&object, first, 2, RunState::Ready) })
            .is_some()
    );
}

#[test]
fn repeated_status_is_told_once() {
    let (mut progress, object, [first, _]) = waiting();
    let starting = running(&object, first, 2, RunState::Starting);
    assert!(progress.observe(&starting).is_some());
    assert!(progress.observe(&starting).is_none());
}
