//! Leases and claims against each other, step by step: however writes, acknowledgements, watches and freezes fall, no two
//! hosts have the right to one singleton at the same time.

use proptest::prelude::*;

use super::*;
use crate::id::ObjectId;
use crate::store::record::Claim;

/// Host number 0, 1, 2.
type Number = usize;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// Time passes.
    Pass(u64),
    /// A host sends a renewal, if the last one is over.
    Send(Number),
    /// Its renewal is written.
    Apply(Number),
    /// It hears so.
    Acknowledge(Number),
    /// It gives up waiting for that; the renewal may still be written.
    GiveUp(Number),
    Freeze(Number),
    Thaw(Number),
    /// The leader sees a host's record as it now is.
    See(Number),
    /// The leader marks whoever it believes lost.
    Judge,
    /// Another host becomes the leader, and knows nothing.
    Succeed,
    /// A host reads the claim and its holder's record.
    Read(Number),
    /// It claims, if what it read lets it, and nobody has since.
    Claim(Number),
}

fn step() -> impl Strategy<Value = Step> {
    let host = || 0..3_usize;
    prop_oneof![
        6 => (1..900_u64).prop_map(Step::Pass),
        4 => host().prop_map(Step::Send),
        4 => host().prop_map(Step::Apply),
        4 => host().prop_map(Step::Acknowledge),
        1 => host().prop_map(Step::GiveUp),
        1 => host().prop_map(Step::Freeze),
        2 => host().prop_map(Step::Thaw),
        4 => host().prop_map(Step::See),
        3 => Just(Step::Judge),
        1 => Just(Step::Succeed),
        3 => host().prop_map(Step::Read),
        3 => host().prop_map(Step::Claim),
    ]
}

/// A record and its revision.
type Stored<R> = (R, u64);

struct Sim {
    tenure: Tenure,
    beat: u64,
    /// Sent and not written yet.
    sent: Option<(u64, Instant)>,
    /// Written and not heard of yet.
    written: Option<(u64, Instant)>,
    is_frozen: bool,
    /// What it read to claim, and in which term: may it, and over which revision.
    read: Option<(Tenure, Option<u64>)>,
    /// The term of its claim.
    guard: Option<u64>,
}

struct World {
    now: Instant,
    revision: u64,
    hosts: Vec<Sim>,
    records: Vec<Stored<Host>>,
    claim: Option<Stored<Claim>>,
    leases: Leases,
    seen: Vec<u64>,
    claims: usize,
}

fn id(number: Number) -> ProcessId {
    ProcessId::from_bytes([u8::try_from(number).unwrap(); 16])
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let mut leases = Leases::default();
        leases.start_listening(now);
        let host = |_| Sim {
            tenure: Tenure::new(1, now),
            beat: 1,
            sent: None,
            written: None,
            is_frozen: false,
            read: None,
            guard: None,
        };
        let record = |number| (super::tests::host(id(number), 1), 0);
        Self {
            now,
            revision: 0,
            hosts: (0..3).map(host).collect(),
            records: (0..3).map(record).collect(),
            claim: None,
            leases,
            seen: vec![u64::MAX; 3],
            claims: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Pass(millis) => self.now += Duration::from_millis(millis),
            Step::Freeze(number) => self.hosts[number].is_frozen = true,
            Step::Thaw(number) => self.hosts[number].is_frozen = false,
            Step::Apply(number) => self.apply(number),
            Step::See(number) => {
                let (record, revision) = &self.records[number];
                self.seen[number] = *revision;
                match record.lost_at {
                    Some(_) => self.leases.forget(id(number)),
                    None => self.leases.observe(record, now),
                }
            }
            Step::Judge => (0..3).for_each(|number| self.judge(number)),
            Step::Succeed => {
                (self.leases, self.seen) = (Leases::default(), vec![u64::MAX; 3]);
                self.leases.start_listening(now);
            }
            Step::Send(n)
            | Step::Acknowledge(n)
            | Step::GiveUp(n)
            | Step::Read(n)
            | Step::Claim(n)
                if self.hosts[n].is_frozen => {}
            Step::Send(number) => {
                let host = &mut self.hosts[number];
                if host.sent.is_none() && host.written.is_none() {
                    host.beat += 1;
                    host.sent = Some((host.beat, now));
                }
            }
            Step::GiveUp(number) => self.hosts[number].written = None,
            Step::Acknowledge(number) => {
                let host = &mut self.hosts[number];
                if let Some((beat, sent)) = host.written.take() {
                    host.tenure = host.tenure.renewed(beat, sent, now);
                }
            }
            Step::Read(number) => self.read(number),
            Step::Claim(number) => self.write_claim(number),
        }
    }

    fn apply(&mut self, number: Number) {
        let host = &mut self.hosts[number];
        if let Some((beat, sent)) = host.sent.take() {
            self.revision += 1;
            self.records[number] = (super::tests::host(id(number), beat), self.revision);
            host.written = Some((beat, sent));
        }
    }

    fn judge(&mut self, number: Number) {
        let is_over = self.leases.ended(self.now).contains(&id(number));
        let (record, revision) = &mut self.records[number];
        if is_over && *revision == self.seen[number] {
            self.revision += 1;
            record.lost_at = Some("then".to_owned());
            *revision = self.revision;
        }
    }

    fn read(&mut self, number: Number) {
        let tenure = self.hosts[number].tenure;
        let holder = |claim: &Claim| (0..3).find(|other| id(*other) == claim.process).unwrap();
        let may = match &self.claim {
            None => Some(None),
            Some((claim, revision)) => {
                let is_own = claim.process == id(number);
                let record = &self.records[holder(claim)].0;
                (is_own || !claim.is_held(Some(record))).then_some(Some(*revision))
            }
        };
        let holds = tenure.holds(tenure.term(), self.now);
        self.hosts[number].read = may.filter(|_| holds).map(|revision| (tenure, revision));
    }

    fn write_claim(&mut self, number: Number) {
        let Some((tenure, over)) = self.hosts[number].read.take() else { return };
        if self.claim.as_ref().map(|(_, revision)| *revision) != over {
            return;
        }
        self.revision += 1;
        let claim = Claim {
            object: ObjectId::bare("only").unwrap(),
            process: id(number),
            incarnation: Incarnation::from_bytes([7; 16]),
            beat: tenure.beat(),
        };
        self.claim = Some((claim, self.revision));
        self.hosts[number].guard = Some(tenure.term());
        self.claims += 1;
    }

    /// The hosts that believe they may run it.
    fn active(&self) -> Vec<Number> {
        let holds = |number: &Number| {
            let host = &self.hosts[*number];
            host.guard.is_some_and(|term| host.tenure.holds(term, self.now))
        };
        (0..3).filter(holds).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_two_hosts_hold_one_singleton(steps in prop::collection::vec(step(), 0..400)) {
        let mut world = World::new();
        for (index, step) in steps.iter().enumerate() {
            world.take(step);
            let active = world.active();
            prop_assert!(active.len() <= 1, "{active:?} after step {index}: {step:?}");
        }
    }
}

#[test]
fn singleton_of_a_frozen_host_is_taken_over_and_thawing_gives_nothing_back() {
    use Step::{Acknowledge, Apply, Claim, Freeze, Judge, Pass, Read, See, Send, Thaw};
    let mut world = World::new();
    let mut run = |steps: &[Step]| {
        steps.iter().for_each(|step| world.take(step));
        (world.active(), world.claims)
    };
    assert_eq!(run(&[See(0), See(1), Read(0), Claim(0)]), (vec![0], 1));
    let renew = |number| [Send(number), Apply(number), Acknowledge(number), See(number)];
    run(&[Freeze(0), Pass(2000)]);
    run(&renew(1));
    assert_eq!(run(&[Judge, Read(1), Claim(1)]), (vec![0], 1), "its lease is not over");
    assert_eq!(run(&[Pass(999), Judge, Read(1), Claim(1)]), (Vec::new(), 1), "it let go first");
    assert_eq!(run(&[Pass(1), Judge, Read(1), Claim(1)]), (vec![1], 2));
    run(&[Thaw(0)]);
    assert_eq!(run(&renew(0)), (vec![1], 2));
    assert_eq!(run(&[Read(0), Claim(0)]), (vec![1], 2), "it is claimed");
}
