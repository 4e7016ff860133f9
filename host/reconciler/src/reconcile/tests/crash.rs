//! A reconciler that is killed between any two of its writes, and two that act at once, each with a view of its own that
//! lags behind: the lattice ends as if one had worked through.

use super::*;

/// Every record of one application, hosts that do what their placements say, and all that has changed so far.
#[derive(Clone, Default)]
struct World {
    hosts: BTreeMap<ProcessId, Host>,
    specs: BTreeMap<ObjectId, Stored<Component>>,
    application: Option<Stored<Application>>,
    placements: BTreeMap<(ObjectId, ProcessId), Stored<Placement>>,
    running: BTreeMap<(ObjectId, ProcessId), Running>,
    told: Option<Progress>,
    /// The specs of each deployment.
    history: BTreeMap<u64, Vec<Component>>,
    /// What no host can start.
    broken: BTreeSet<String>,
    revision: u64,
    log: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Host(Host),
    Gone(ProcessId),
    Spec(ObjectId, Box<Stored<Component>>),
    Application(Stored<Application>),
    Placement(ObjectId, ProcessId, Option<Stored<Placement>>),
    Running(ObjectId, ProcessId, Option<Running>),
    Told(Progress),
}

/// Why a reconciler stops in the middle of what it wanted.
#[derive(Debug, PartialEq)]
enum Stop {
    Killed,
    /// Somebody else has written first: it begins anew.
    Stale,
}

/// A reconciler, and how much of what has changed it has heard of.
struct Acting {
    reconciler: Reconciler,
    heard: usize,
}

/// Where what runs, how the application is, and what it was made again.
type End = (BTreeMap<ObjectId, (usize, BTreeSet<String>)>, ProgressState, Option<u64>);

impl Change {
    fn tell(self, reconciler: &mut Reconciler) {
        match self {
            Self::Host(host) => reconciler.host(host),
            Self::Gone(process) => reconciler.host_gone(process),
            Self::Spec(id, spec) => reconciler.component(&id, Some(*spec)),
            Self::Application(application) => {
                reconciler.application("default", "shop", Some(application));
            }
            Self::Placement(id, process, placement) => {
                reconciler.placement(&id, process, placement)
            }
            Self::Running(id, process, running) => reconciler.running(&id, process, running),
            Self::Told(progress) => reconciler.progress(progress),
        }
    }
}

impl Acting {
    /// Begins anew, from the records as they are.
    fn new(world: &World) -> Self {
        let mut reconciler = Reconciler::default();
        let hosts = world.hosts.values().cloned().map(Change::Host);
        let specs =
            world.specs.iter().map(|(id, spec)| Change::Spec(id.clone(), Box::new(spec.clone())));
        let application = world.application.iter().cloned().map(Change::Application);
        let placements = world.placements.iter().map(|((id, process), placement)| {
            Change::Placement(id.clone(), *process, Some(placement.clone()))
        });
        let running = world.running.iter().map(|((id, process), running)| {
            Change::Running(id.clone(), *process, Some(running.clone()))
        });
        let told = world.told.iter().cloned().map(Change::Told);
        let all = hosts.chain(specs).chain(application).chain(placements).chain(running);
        all.chain(told).for_each(|change| change.tell(&mut reconciler));
        Self { reconciler, heard: world.log.len() }
    }

    fn hear(&mut self, world: &World, changes: usize) {
        let news = world.log.iter().skip(self.heard).take(changes);
        let news: Vec<Change> = news.cloned().collect();
        self.heard += news.len();
        news.into_iter().for_each(|change| change.tell(&mut self.reconciler));
    }

    /// Does all that it wants now. Whether it wanted anything.
    fn act(&mut self, world: &mut World, budget: &mut usize) -> Result<bool, Stop> {
        let actions = self.reconciler.act();
        let is_busy = !actions.is_empty();
        for action in actions {
            match action {
                Action::Write(step) => {
                    let change = world.write(step, budget)?;
                    change.into_iter().for_each(|change| change.tell(&mut self.reconciler));
                }
                Action::Tell(progress) => {
                    world.spend(budget)?;
                    world.told = Some(progress.clone());
                    world.log.push(Change::Told(progress.clone()));
                    self.reconciler.progress(progress);
                }
                Action::GoBack { to, reason, .. } => world.go_back(to, reason, budget)?,
            }
        }
        Ok(is_busy)
    }
}

impl World {
    fn with_hosts(count: u16) -> Self {
        let mut world = Self::default();
        (1..=count).for_each(|number| world.host(host(number, &[])));
        world
    }

    fn host(&mut self, host: Host) {
        self.log.push(Change::Host(host.clone()));
        self.hosts.insert(host.process, host);
    }

    fn kill(&mut self, process: ProcessId) {
        self.hosts.remove(&process);
        self.log.push(Change::Gone(process));
        let on: Vec<ObjectId> = self
            .running
            .keys()
            .filter(|(_, on)| *on == process)
            .map(|(id, _)| id.clone())
            .collect();
        on.into_iter().for_each(|id| self.say(id, process, None));
    }

    /// A deployment of components `a`, `b` and `c` with these bytes, as a user writes it: at once.
    fn deploy(&mut self, digest: &str, replicas: u32) {
        let generation = self.generation() + 1;
        let component = |name: &str| Component {
            digest: digest.to_owned(),
            ..component(&id(name), generation, Some(replicas))
        };
        let components: Vec<Component> = ["a", "b", "c"].map(component).into();
        self.apply(generation, components, None, &mut usize::MAX.clone()).unwrap();
    }

    fn generation(&self) -> u64 {
        let specs = self.specs.values().map(|spec| spec.record.generation);
        let application = self.application.iter().map(|stored| stored.record.generation);
        specs.chain(application).max().unwrap_or_default()
    }

    fn go_back(&mut self, to: u64, reason: String, budget: &mut usize) -> Result<(), Stop> {
        let generation = self.generation() + 1;
        let then = self.history[&to].iter().cloned();
        let again = then.map(|then| match self.specs.get(&then.id) {
            Some(now) if now.record.digest == then.digest => now.record.clone(),
            _ => Component { generation, ..then },
        });
        let restored = Restored { generation: to, reason };
        self.apply(generation, again.collect(), Some(restored), budget)
    }

    /// Writes the application's record, then each component that has changed.
    fn apply(
        &mut self,
        generation: u64,
        components: Vec<Component>,
        restores: Option<Restored>,
        budget: &mut usize,
    ) -> Result<(), Stop> {
        self.spend(budget)?;
        let record = Application {
            team: "default".to_owned(),
            name: "shop".to_owned(),
            version: None,
            generation,
            manifest: String::new(),
            keys: Vec::new(),
            objects: components.iter().map(|each| (each.id.clone(), each.generation)).collect(),
            at: None,
            restores,
            is_paused: false,
        };
        let stored = Stored { record, revision: self.revision };
        self.log.push(Change::Application(stored.clone()));
        self.application = Some(stored);
        self.history.insert(generation, components.clone());
        for component in components {
            let id = component.id.clone();
            if self.specs.get(&id).is_some_and(|spec| spec.record == component) {
                continue;
            }
            self.spend(budget)?;
            let stored = Stored { record: component, revision: self.revision };
            self.log.push(Change::Spec(id.clone(), Box::new(stored.clone())));
            self.specs.insert(id, stored);
        }
        Ok(())
    }

    fn spend(&mut self, budget: &mut usize) -> Result<(), Stop> {
        *budget = budget.checked_sub(1).ok_or(Stop::Killed)?;
        self.revision += 1;
        Ok(())
    }

    fn write(&mut self, step: Step, budget: &mut usize) -> Result<Option<Change>, Stop> {
        self.spend(budget)?;
        let (record, expected) = match step {
            Step::Ensure(AnyRecord::Placement(record)) => (record, None),
            Step::Update { record: AnyRecord::Placement(record), revision, .. } => {
                (record, Some(revision))
            }
            Step::Delete { before: AnyRecord::Placement(record), .. } => {
                let key = (record.object, record.host);
                self.placements.remove(&key);
                let change = Change::Placement(key.0, key.1, None);
                self.log.push(change.clone());
                return Ok(Some(change));
            }
            other => panic!("it writes only placements: {other:?}"),
        };
        let key = (record.object.clone(), record.host);
        let there = self.placements.get(&key).map(|stored| stored.revision);
        match (expected, there) {
            (None, Some(_)) => return Ok(None),
            (Some(_), _) if expected != there => return Err(Stop::Stale),
            _ => {}
        }
        let stored = Stored { record, revision: self.revision };
        self.placements.insert(key.clone(), stored.clone());
        let change = Change::Placement(key.0, key.1, Some(stored));
        self.log.push(change.clone());
        Ok(Some(change))
    }

    fn say(&mut self, id: ObjectId, process: ProcessId, running: Option<Running>) {
        let key = (id.clone(), process);
        let before = match running.clone() {
            Some(running) => self.running.insert(key, running),
            None => self.running.remove(&key),
        };
        if before != running {
            self.log.push(Change::Running(id, process, running));
        }
    }

    /// Every host does what its placements say.
    fn run_hosts(&mut self) {
        let placed: Vec<Placement> =
            self.placements.values().map(|stored| stored.record.clone()).collect();
        for Placement { host, object, kind, generation } in placed {
            let Some(spec) = self.specs.get(&object).filter(|_| self.hosts.contains_key(&host))
            else {
                continue;
            };
            let spec = spec.record.clone();
            let before = self.running.get(&(object.clone(), host)).cloned();
            if generation < spec.generation && before.is_some() {
                continue;
            }
            let is_broken = self.broken.contains(&spec.digest);
            let ran = before.clone().filter(|before| before.state == RunState::Ready);
            let running = Running {
                object: object.clone(),
                kind,
                process: host,
                incarnation: Incarnation::from_bytes([1; 16]),
                host: Some(host),
                generation: match &ran {
                    Some(ran) if is_broken => ran.generation,
                    _ => spec.generation,
                },
                digest: match &ran {
                    Some(ran) if is_broken => ran.digest.clone(),
                    _ => Some(spec.digest.clone()),
                },
                serves: Vec::new(),
                types: None,
                state: if is_broken && ran.is_none() { RunState::Failed } else { RunState::Ready },
                reason: None,
                failing_links: Default::default(),
                failed_generation: is_broken.then_some(spec.generation),
                since: String::new(),
            };
            self.say(object, host, Some(running));
        }
        let gone = |key: &&(ObjectId, ProcessId)| !self.placements.contains_key(*key);
        let gone: Vec<_> = self.running.keys().filter(gone).cloned().collect();
        gone.into_iter().for_each(|(id, process)| self.say(id, process, None));
    }

    /// Runs one reconciler to the end; it is killed after so many writes, once for each number. How many writes it took.
    fn settle(&mut self, kills: &[usize]) -> usize {
        let (begun, mut rests) = (self.revision, 0);
        let mut kills = kills.iter().copied().chain([usize::MAX]);
        let mut budget = kills.next().unwrap_or(usize::MAX);
        let mut acting = Acting::new(self);
        for _ in 0..1000 {
            acting.hear(self, usize::MAX);
            match acting.act(self, &mut budget) {
                Ok(true) => rests = 0,
                // Everything is looked at now and then.
                Ok(false) if rests < 3 => {
                    rests += 1;
                    acting.reconciler.touch_all();
                }
                Ok(false) => return usize::try_from(self.revision - begun).unwrap(),
                Err(stop) => {
                    if stop == Stop::Killed {
                        budget = kills.next().unwrap_or(usize::MAX);
                    }
                    (acting, rests) = (Acting::new(self), 0);
                }
            }
            self.run_hosts();
        }
        panic!("it never comes to rest");
    }

    fn end(&self) -> End {
        let mut objects: BTreeMap<ObjectId, (usize, BTreeSet<String>)> = BTreeMap::new();
        for ((id, _), running) in &self.running {
            let (count, digests) = objects.entry(id.clone()).or_default();
            *count += 1;
            digests.extend(running.digest.clone());
        }
        let restored = self.application.as_ref().unwrap().record.restores.as_ref();
        (objects, self.told.as_ref().unwrap().state, restored.map(|restored| restored.generation))
    }
}

/// Three hosts on which a deployment is ready, and what happens then.
fn scenarios() -> Vec<(&'static str, World)> {
    let mut ready = World::with_hosts(3);
    ready.deploy("one", 2);
    ready.settle(&[]);
    let begun = |happens: fn(&mut World)| {
        let mut world = ready.clone();
        happens(&mut world);
        world.run_hosts();
        world
    };
    let mut first = World::with_hosts(3);
    first.deploy("one", 2);
    vec![
        ("a first deployment", first),
        ("a new version", begun(|world| world.deploy("two", 2))),
        ("more replicas", begun(|world| world.deploy("one", 3))),
        ("a host is lost", begun(|world| world.kill(process(1)))),
        ("a host drains", begun(|world| world.host(Host { is_draining: true, ..host(1, &[]) }))),
        (
            "a version that cannot be started",
            begun(|world| {
                world.broken.insert("bad".to_owned());
                world.deploy("bad", 2);
            }),
        ),
        (
            "a version that cannot be started, while a host is lost",
            begun(|world| {
                world.broken.insert("bad".to_owned());
                world.deploy("bad", 2);
                world.kill(process(2));
            }),
        ),
    ]
}

#[test]
fn killed_at_any_of_its_writes_it_ends_the_same() {
    for (what, world) in scenarios() {
        let mut through = world.clone();
        let writes = through.settle(&[]);
        assert!(writes > 3, "{what}: {writes} writes");
        for first in 0..writes {
            for second in [0, 1, 2, 3, usize::MAX] {
                let mut killed = world.clone();
                killed.settle(&[first, second]);
                assert_eq!(
                    killed.end(),
                    through.end(),
                    "{what}, killed after {first} and {second}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn two_that_act_at_once_do_no_harm(
        which in 0..7_usize,
        turns in prop::collection::vec((0..2_usize, 0..8_usize, 0..6_usize), 0..60),
    ) {
        let (what, world) = scenarios().swap_remove(which);
        let mut through = world.clone();
        through.settle(&[]);
        let mut world = world;
        let mut acting = [Acting::new(&world), Acting::new(&world)];
        for (who, heard, budget) in turns {
            acting[who].hear(&world, heard);
            if acting[who].act(&mut world, &mut budget.clone()).is_err() {
                acting[who] = Acting::new(&world);
            }
            world.run_hosts();
        }
        world.settle(&[]);
        prop_assert_eq!(world.end(), through.end(), "{}", what);
    }
}
