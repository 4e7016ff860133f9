//! What a host does next, without a host.

use super::*;
use std::sync::Arc;
use wicker_lattice::id::ProcessId;
use wicker_lattice::store::record::{
    Component, Grants, Limits, Probe, Provider, ProviderSource, Ready, Sharing, Spread,
};

fn id() -> ObjectId {
    "t/a/c".parse().unwrap()
}

fn component(generation: u64, digest: &str) -> Spec {
    Spec::Component(Arc::new(Component {
        id: id(),
        digest: digest.to_owned(),
        generation,
        is_bare: false,
        limits: Limits::default(),
        grants: Grants::default(),
        warm: 0,
        idle_ms: None,
        secrets: Default::default(),
        config: BTreeMap::new(),
        spread: Spread::default(),
        rollout: Default::default(),
        ready: None,
        is_singleton: false,
    }))
}

fn placement(generation: u64) -> Placement {
    let host = ProcessId::from_bytes([1; 16]);
    Placement { host, object: id(), kind: ObjectKind::Component, generation }
}

fn starts(effects: &[Effect]) -> Vec<Attempt> {
    effects
        .iter()
        .filter_map(
            |effect| if let Effect::Start(attempt, _) = effect { Some(*attempt) } else { None },
        )
        .collect()
}

fn reported(effects: &[Effect]) -> Option<RunState> {
    effects.iter().rev().find_map(|effect| {
        if let Effect::Report(report) = effect { Some(report.state) } else { None }
    })
}

/// A state in which digest `a` of generation 1 runs, by attempt 1.
fn running() -> State {
    let mut state = State::default();
    state.apply(Event::Placed(placement(1)));
    assert_eq!(starts(&state.apply(Event::Specified(component(1, "a")))), [Attempt(1)]);
    assert_eq!(reported(&state.apply(Event::Started(id(), Attempt(1)))), Some(RunState::Ready));
    state
}

#[test]
fn spec_and_placement_may_come_in_either_order() {
    let mut state = State::default();
    assert!(state.apply(Event::Specified(component(1, "a"))).is_empty());
    assert_eq!(starts(&state.apply(Event::Placed(placement(1)))), [Attempt(1)]);
}

#[test]
fn repeated_orders_change_nothing() {
    let mut state = running();
    assert!(state.apply(Event::Placed(placement(1))).is_empty());
    assert!(state.apply(Event::Specified(component(1, "a"))).is_empty());
}

#[test]
fn older_generation_is_refused() {
    let mut state = running();
    state.apply(Event::Placed(placement(5)));
    assert!(matches!(state.apply(Event::Placed(placement(4)))[..], [Effect::Refuse(..)]));
    state.apply(Event::Specified(component(5, "a")));
    assert!(matches!(state.apply(Event::Specified(component(4, "b")))[..], [Effect::Refuse(..)]));
}

#[test]
fn redeployed_after_undeploy_may_begin_at_any_generation() {
    let mut state = running();
    state.apply(Event::Unplaced(id()));
    state.apply(Event::Unspecified(id()));
    state.apply(Event::Placed(placement(1)));
    assert_eq!(starts(&state.apply(Event::Specified(component(1, "b")))).len(), 1);
}

#[test]
fn newer_version_waits_for_its_turn() {
    let mut state = running();
    assert!(state.apply(Event::Specified(component(2, "b"))).is_empty());
    assert_eq!(starts(&state.apply(Event::Placed(placement(2)))), [Attempt(2)]);
}

#[test]
fn newer_digest_starts_beside_the_older_one() {
    let mut state = running();
    state.apply(Event::Placed(placement(2)));
    let effects = state.apply(Event::Specified(component(2, "b")));
    assert_eq!(starts(&effects), [Attempt(2)]);
    assert_eq!(reported(&effects), None, "the older one still answers");
    let effects = state.apply(Event::Started(id(), Attempt(2)));
    assert_eq!(reported(&effects), Some(RunState::Ready));
}

#[test]
fn exclusive_provider_stops_before_its_next_one_starts() {
    let provider = |file: &str| {
        Spec::Provider(Arc::new(Provider {
            id: id(),
            source: ProviderSource::Builtin("keyvalue-redb".into()),
            generation: 1,
            config: serde_json::json!({ "file": file }),
            sharing: Sharing::Exclusive,
            owner: None,
            is_singleton: false,
            spread: Spread::default(),
            rollout: Default::default(),
        }))
    };
    let mut state = State::default();
    state.apply(Event::Placed(Placement { kind: ObjectKind::Provider, ..placement(1) }));
    state.apply(Event::Specified(provider("a")));
    state.apply(Event::Started(id(), Attempt(1)));
    let effects = state.apply(Event::Specified(provider("b")));
    assert_eq!(effects[0], Effect::Replace(Attempt(2), provider("b")));
    assert_eq!(reported(&effects), Some(RunState::Starting));
}

#[test]
fn newer_generation_of_the_same_thing_restarts_nothing() {
    let mut state = running();
    let effects = state.apply(Event::Specified(component(2, "a")));
    assert!(starts(&effects).is_empty());
    assert_eq!(reported(&effects), Some(RunState::Ready));
}

#[test]
fn start_that_was_superseded_is_discarded() {
    let mut state = State::default();
    state.apply(Event::Placed(placement(1)));
    state.apply(Event::Specified(component(1, "a")));
    state.apply(Event::Placed(placement(2)));
    let effects = state.apply(Event::Specified(component(2, "b")));
    assert!(effects.contains(&Effect::Discard(id(), Attempt(1))));
    assert_eq!(starts(&effects), [Attempt(2)]);
    assert_eq!(state.apply(Event::Started(id(), Attempt(1))), [Effect::Discard(id(), Attempt(1))]);
}

#[test]
fn failed_update_leaves_the_older_one_serving() {
    let mut state = running();
    state.apply(Event::Placed(placement(2)));
    state.apply(Event::Specified(component(2, "b")));
    let failure = Failure { reason: "no such image".into(), is_final: true };
    let effects = state.apply(Event::StartFailed(id(), Attempt(2), failure));
    let failed = effects.iter().find_map(|effect| {
        if let Effect::Report(report) = effect { report.failed_generation } else { None }
    });
    assert_eq!(failed, Some(2));
    assert_eq!(reported(&effects), Some(RunState::Degraded));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Stop(_) | Effect::Retry(..))));
}

#[test]
fn failed_start_is_tried_again_with_growing_pauses() {
    let mut state = State::default();
    state.apply(Event::Placed(placement(1)));
    state.apply(Event::Specified(component(1, "a")));
    let mut pauses = Vec::new();
    for number in 1..=9 {
        let failure = Failure { reason: "it broke".into(), is_final: false };
        let effects = state.apply(Event::StartFailed(id(), Attempt(number), failure));
        assert_eq!(reported(&effects), Some(RunState::Failed));
        pauses.extend(effects.iter().find_map(|effect| {
            if let Effect::Retry(_, _, pause) = effect { Some(pause.as_millis()) } else { None }
        }));
        assert_eq!(
            starts(&state.apply(Event::RetryDue(id(), Attempt(number)))),
            [Attempt(number + 1)]
        );
    }
    assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
}

#[test]
fn final_failure_waits_for_another_spec() {
    let mut state = State::default();
    state.apply(Event::Placed(placement(1)));
    state.apply(Event::Specified(component(1, "a")));
    let failure = Failure { reason: "not a component".into(), is_final: true };
    let effects = state.apply(Event::StartFailed(id(), Attempt(1), failure));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Retry(..))));
    assert!(starts(&state.apply(Event::Placed(placement(1)))).is_empty());
    assert_eq!(starts(&state.apply(Event::Specified(component(2, "b")))), [Attempt(2)]);
}

#[test]
fn what_dies_is_started_again() {
    let mut state = running();
    let death = Death { reason: "signal 9".into(), ran_for: Duration::from_secs(300) };
    let effects = state.apply(Event::Died(id(), Attempt(1), death));
    assert_eq!(reported(&effects), Some(RunState::Failed));
    assert!(effects.contains(&Effect::Retry(id(), Attempt(1), RETRY_FIRST)));
    assert_eq!(starts(&state.apply(Event::RetryDue(id(), Attempt(1)))), [Attempt(2)]);
}

#[test]
fn only_a_deleted_placement_stops_what_runs() {
    let mut state = running();
    assert!(state.apply(Event::Unspecified(id())).is_empty());
    assert_eq!(state.apply(Event::Unplaced(id())), [Effect::Stop(id())]);
    assert!(state.apply(Event::Unplaced(id())).is_empty());
}

#[test]
fn unplaced_while_starting_is_discarded() {
    let mut state = State::default();
    state.apply(Event::Placed(placement(1)));
    state.apply(Event::Specified(component(1, "a")));
    let effects = state.apply(Event::Unplaced(id()));
    assert_eq!(effects, [Effect::Discard(id(), Attempt(1)), Effect::Stop(id())]);
}

#[test]
fn import_that_waits_makes_the_component_pending() {
    let mut state = running();
    let effects = state.apply(Event::Waiting(id(), vec!["no link".into()]));
    assert_eq!(reported(&effects), Some(RunState::Pending));
    assert!(state.apply(Event::Waiting(id(), vec!["no link".into()])).is_empty());
    assert_eq!(reported(&state.apply(Event::Waiting(id(), vec![]))), Some(RunState::Ready));
}

#[test]
fn ailing_object_is_degraded_until_it_is_well() {
    let mut state = running();
    let ill = |why: Option<&str>| Event::Health(id(), Attempt(1), why.map(str::to_owned));
    assert_eq!(reported(&state.apply(ill(Some("no disk")))), Some(RunState::Degraded));
    assert!(state.apply(ill(Some("no disk"))).is_empty());
    assert_eq!(reported(&state.apply(ill(None))), Some(RunState::Ready));
}

#[test]
fn what_ends_while_the_host_drains_is_not_reported_as_failed() {
    let mut state = running();
    state.apply(Event::Drain);
    let death = Death { reason: "exit status: 0".into(), ran_for: Duration::from_secs(1) };
    assert!(state.apply(Event::Died(id(), Attempt(1), death)).is_empty());
}

#[test]
fn draining_host_says_so_and_starts_nothing() {
    let mut state = running();
    assert_eq!(reported(&state.apply(Event::Drain)), Some(RunState::Draining));
    assert!(starts(&state.apply(Event::Specified(component(2, "b")))).is_empty());
}

#[test]
fn generation_that_was_seen_before_a_restart_still_counts() {
    let mut before = running();
    before.apply(Event::Placed(placement(5)));
    let newest = before.generations().map(|(id, newest)| (id.clone(), newest)).collect();
    let mut state = State::remembering(&newest);
    assert!(matches!(state.apply(Event::Specified(component(4, "a")))[..], [Effect::Refuse(..)]));
    assert!(matches!(state.apply(Event::Placed(placement(4)))[..], [Effect::Refuse(..)]));
    state.apply(Event::Placed(placement(5)));
    assert_eq!(starts(&state.apply(Event::Specified(component(5, "b")))).len(), 1);
}

/// A component that is asked, and may answer badly twice.
fn asked(generation: u64, digest: &str) -> Spec {
    let Spec::Component(component) = component(generation, digest) else { unreachable!() };
    let probe = Probe::Path("/ready".into());
    let ready = Ready { probe, interval_ms: 1000, timeout_ms: 1000, failures: 3 };
    Spec::Component(Arc::new(Component { ready: Some(ready), ..(*component).clone() }))
}

fn not_ready(attempt: u64, waits_for: &[&str]) -> Event {
    let waits_for = waits_for.iter().map(|each| (*each).to_owned()).collect();
    Event::NotReady(id(), Attempt(attempt), Unready { why: "no answer".into(), waits_for })
}

/// A state in which digest `a` of generation 1 runs, by attempt 1, and is asked whether it is ready.
fn running_asked() -> State {
    let mut state = State::default();
    state.apply(Event::Placed(placement(1)));
    state.apply(Event::Specified(asked(1, "a")));
    state.apply(Event::Started(id(), Attempt(1)));
    state
}

#[test]
fn what_is_not_ready_in_time_has_failed_and_the_older_one_goes_on() {
    let mut state = running_asked();
    state.apply(Event::Placed(placement(2)));
    assert_eq!(starts(&state.apply(Event::Specified(asked(2, "b")))), [Attempt(2)]);
    for _ in 0..2 {
        assert_eq!(reported(&state.apply(not_ready(2, &[]))), Some(RunState::Ready));
    }
    let effects = state.apply(not_ready(2, &[]));
    assert!(effects.contains(&Effect::Discard(id(), Attempt(2))));
    assert_eq!(reported(&effects), Some(RunState::Degraded));
    let failed = effects.iter().find_map(|effect| {
        if let Effect::Report(report) = effect { report.failed_generation } else { None }
    });
    assert_eq!(failed, Some(2));
}

#[test]
fn bad_answers_do_not_count_while_an_import_waits() {
    let mut state = State::default();
    state.apply(Event::Placed(placement(1)));
    state.apply(Event::Specified(asked(1, "a")));
    for _ in 0..9 {
        let effects = state.apply(not_ready(1, &["store does not run anywhere"]));
        assert_eq!(reported(&effects), Some(RunState::Starting));
    }
    assert_eq!(reported(&state.apply(not_ready(1, &[]))), Some(RunState::Starting));
    assert_eq!(reported(&state.apply(Event::Started(id(), Attempt(1)))), Some(RunState::Ready));
}

#[test]
fn what_is_no_longer_ready_is_hidden_until_one_good_answer() {
    let mut state = running_asked();
    for _ in 0..2 {
        assert!(state.apply(not_ready(1, &[])).is_empty());
        assert!(state.apply(Event::Ready(id(), Attempt(1))).is_empty());
    }
    state.apply(not_ready(1, &[]));
    state.apply(not_ready(1, &[]));
    let effects = state.apply(not_ready(1, &[]));
    assert!(effects.contains(&Effect::Hide(id())));
    assert_eq!(reported(&effects), Some(RunState::Unready));
    assert!(!state.apply(not_ready(1, &[])).contains(&Effect::Hide(id())), "it is hidden once");
    let effects = state.apply(Event::Ready(id(), Attempt(1)));
    assert!(effects.contains(&Effect::Show(id())));
    assert_eq!(reported(&effects), Some(RunState::Ready));
}

#[test]
fn answers_of_what_was_replaced_mean_nothing() {
    let mut state = running_asked();
    state.apply(Event::Placed(placement(2)));
    state.apply(Event::Specified(asked(2, "b")));
    state.apply(Event::Started(id(), Attempt(2)));
    for _ in 0..9 {
        assert!(state.apply(not_ready(1, &[])).is_empty());
    }
}

#[test]
fn singleton_ends_with_the_lease_and_is_claimed_anew() {
    let singleton = |digest: &str| {
        let Spec::Component(component) = component(1, digest) else { unreachable!() };
        Spec::Component(Arc::new(Component { is_singleton: true, ..(*component).clone() }))
    };
    let mut state = State::default();
    state.apply(Event::Placed(placement(1)));
    state.apply(Event::Specified(singleton("a")));
    let effects = state.apply(Event::Lapsed);
    assert!(effects.contains(&Effect::Discard(id(), Attempt(1))), "its claim is of no use");
    assert_eq!(starts(&effects), [Attempt(2)]);
    state.apply(Event::Started(id(), Attempt(2)));
    let effects = state.apply(Event::Lapsed);
    assert_eq!(effects[0], Effect::Fence(id()));
    assert_eq!(starts(&effects), [Attempt(3)]);
    assert_eq!(reported(&effects), Some(RunState::Starting));
    state.apply(Event::Started(id(), Attempt(3)));
    let effects = state.apply(Event::Specified(singleton("b")));
    assert!(matches!(effects[0], Effect::Replace(Attempt(4), _)), "never two of it at once");
    assert!(running().apply(Event::Lapsed).is_empty(), "what is no singleton goes on");
}
