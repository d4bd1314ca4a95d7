use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::event::{Command, DeliveryOutcome, TroubleReport};
use crate::ids::{AreaIx, TargetIx};
use crate::judging::{routing, world};
use crate::level::Level;
use crate::plan::{LimitRow, Route};
use crate::reading::Marks;
use crate::time::Span;
use crate::warning::{Death, Outcome, Phase, Reason, TroubleCode};

/// Civil minus engine time at the start.
const OFFSET: Span = Span::from_secs(1_750_000_000);

/// Six gauges in two areas, two gateways; red also goes to the mayor, orange
/// and above to a second duty officer by day.
fn plan() -> Plan {
    let mut plan = world::gauges(&[&[0], &[0], &[0], &[1], &[1], &[]]);
    plan.areas.push(world::area("town", Some(0)));
    for station in plan.stations.iter_mut().skip(3).flatten() {
        station.area = AreaIx(1);
    }
    limited(&mut plan);
    plan.targets.push(world::target("t2", "mayor", Some(0)));
    plan.targets.push(world::target("t3", "day", Some(0)));
    plan.routes.push(Route { from: Level::Red, ..world::route("mayor") });
    plan.routes.push(Route { from: Level::Orange, hours: Some((480, 1080)), ..world::route("day") });
    plan
}

/// A value of 1 is blue, of 4 red.
fn limited(plan: &mut Plan) {
    let row = || LimitRow {
        from: Timestamp::MIN,
        season: None,
        levels: [Some(1.0), Some(2.0), Some(3.0), Some(4.0)],
    };
    for subject in plan.rules.iter_mut().flatten().flat_map(|rule| &mut rule.subjects) {
        subject.limits = vec![row()];
    }
}

/// Another plan of the same site: 0 as it was, 1 with a shorter hold and two
/// needed, 2 without the town.
fn variant(which: u8) -> Plan {
    let mut plan = plan();
    match which {
        0 => {}
        1 => {
            let rule = plan.rules[0].as_mut().expect("the rule");
            (rule.hold, rule.corroboration) = (Span::from_mins(20), 2);
        }
        _ => {
            plan.areas[1] = None;
            plan.stations.iter_mut().skip(3).for_each(|station| *station = None);
            plan.sensors.iter_mut().skip(3).for_each(|sensor| *sensor = None);
            plan.rules[0].as_mut().expect("the rule").subjects.truncate(3);
        }
    }
    plan
}

/// One thing that happens in a random history. References to what was sent
/// count back from the newest, so that they mean the same in every run.
#[derive(Debug, Clone)]
enum Deed {
    Reading(u32, u8),
    Pass(i64),
    Source(bool),
    Trouble(TroubleCode, bool),
    Command(u8),
    Resend(usize, u32),
    Outcome(usize, u32, u8),
    Clock(i64, bool),
    Plan(u8, bool),
    Started(i64),
}

fn calm() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (0..6u32, 0..5u8).prop_map(|(sensor, level)| Deed::Reading(sensor, level)),
        6 => (1..40i64).prop_map(Deed::Pass),
        1 => any::<bool>().prop_map(Deed::Source),
    ]
}

fn wild() -> impl Strategy<Value = Deed> {
    let code = prop_oneof![Just(TroubleCode::Held), Just(TroubleCode::DiskLow)];
    prop_oneof![
        16 => calm(),
        1 => (code, any::<bool>()).prop_map(|(code, present)| Deed::Trouble(code, present)),
        3 => (0..6u8).prop_map(Deed::Command),
        1 => (0..4usize, 0..4u32).prop_map(|(back, target)| Deed::Resend(back, target)),
        3 => (0..4usize, 0..4u32, 0..4u8).prop_map(|(back, target, what)| Deed::Outcome(back, target, what)),
        1 => (-90..90i64, any::<bool>()).prop_map(|(minutes, trusted)| Deed::Clock(minutes, trusted)),
        1 => (0..3u8, any::<bool>()).prop_map(|(which, orphan)| Deed::Plan(which, orphan)),
        1 => (0..120i64).prop_map(Deed::Started),
    ]
}

fn histories(deed: impl Strategy<Value = Deed>) -> impl Strategy<Value = Vec<Deed>> {
    proptest::collection::vec(deed, 0..60)
}

/// A running engine with its log.
struct Run {
    engine: Engine,
    at: Timestamp,
    log: Vec<(Event, Vec<Decision>)>,
    revisions: Vec<Revision>,
}

fn plan_ref(plan: Plan, orphan: bool) -> PlanRef {
    PlanRef { id: plan.id(), orphan, body: Some(Arc::new(plan)) }
}

fn started(downtime: Option<Span>) -> Input {
    Input::Started(Started { log: LogId([1; 16]), run: RunId(2), downtime, offset: OFFSET, trusted: true })
}

impl Run {
    fn new(plan: Plan) -> Run {
        let mut run = Run { engine: Engine::default(), at: Timestamp(0), log: vec![], revisions: vec![] };
        run.put(started(None));
        run.put(Input::Plan(plan_ref(plan, false)));
        run
    }

    fn put(&mut self, input: Input) -> Vec<Decision> {
        let event = Event { at: self.at, position: Position(self.log.len() as u64 + 1), input };
        let mut outputs = Vec::new();
        self.engine.step(&event, &mut outputs);
        let decisions = decisions(&outputs);
        self.revisions.extend(decisions.iter().filter_map(|it| match it {
            Decision::Revision(revision) => Some(revision.clone()),
            _ => None,
        }));
        self.log.push((event, decisions.clone()));
        decisions
    }

    fn read(&mut self, sensor: u32, value: f64) {
        self.put(Input::Reading(Reading {
            sensor: SensorIx(sensor),
            source: SourceIx(0),
            observed: Moment { at: self.at, ..self.engine.moment() }.civil(),
            value,
            seq: 0,
            identity: 0,
            marks: Marks::default(),
        }));
    }

    fn act(&mut self, deed: &Deed) {
        self.at = self.at + Span::from_secs(1);
        match *deed {
            Deed::Reading(sensor, level) => self.read(sensor, f64::from(level)),
            Deed::Pass(minutes) => {
                self.at = self.at + Span::from_mins(minutes);
                self.put(Input::Tick);
            }
            Deed::Source(up) => drop(self.put(Input::Source(SourceIx(0), up))),
            Deed::Trouble(code, present) => {
                let key = TroubleKey { code, subject: "x".into() };
                self.put(Input::Trouble(TroubleReport { key, present, detail: "91 % full".into() }));
            }
            Deed::Command(which) => {
                let cell = |area| Cell { area: AreaIx(area), ..Cell::default() };
                let command = match which {
                    0 => Command::AllClear(cell(0), "x".into()),
                    1 => Command::Cancel(cell(1), "x".into()),
                    2 => Command::NotifyTest(vec![TargetIx(1), TargetIx(9)], "x".into()),
                    _ => Command::Resume,
                };
                self.put(Input::Command(command));
            }
            Deed::Resend(back, target) => {
                if let Some(revision) = self.back(back) {
                    self.put(Input::Command(Command::Resend(revision.warning, TargetIx(target))));
                }
            }
            Deed::Outcome(back, target, what) => self.outcome(back, target, what),
            Deed::Clock(minutes, trusted) => {
                self.put(Input::Clock(ClockStep { offset: OFFSET + Span::from_mins(minutes), trusted }));
            }
            Deed::Plan(which, orphan) => drop(self.put(Input::Plan(plan_ref(variant(which), orphan)))),
            Deed::Started(minutes) => {
                self.at = self.at + Span::from_mins(minutes);
                self.put(started(Some(Span::from_mins(minutes))));
            }
        }
    }

    fn back(&self, back: usize) -> Option<Revision> {
        self.revisions.iter().rev().nth(back).cloned()
    }

    fn outcome(&mut self, back: usize, target: u32, what: u8) {
        let Some(revision) = self.back(back) else { return };
        let outcome = match what {
            0 => Outcome::Accepted,
            1 => Outcome::Superseded,
            2 => Outcome::Dead(Death::Erased),
            _ => Outcome::Dead(Death::Rejected),
        };
        let (warning, number, target) = (revision.warning, revision.number, TargetIx(target));
        let key = revision.id.digest();
        self.put(Input::Outcome(DeliveryOutcome { key, warning, number, target, outcome }));
    }

    fn play(plan: Plan, deeds: &[Deed]) -> Run {
        let mut run = Run::new(plan);
        deeds.iter().for_each(|deed| run.act(deed));
        run
    }

    fn decided(&self) -> Vec<Decision> {
        self.log.iter().flat_map(|(_, decisions)| decisions.iter().map(nameless)).collect()
    }
}

fn decisions(outputs: &[Output]) -> Vec<Decision> {
    let decision = |output: &Output| match output {
        Output::Decision(decision) => Some(decision.clone()),
        Output::Flagged(_) => None,
    };
    outputs.iter().filter_map(decision).collect()
}

/// Without the ids, which name positions.
fn nameless(decision: &Decision) -> Decision {
    let none = OutputId::default();
    match decision.clone() {
        Decision::Incident(it) => {
            Decision::Incident(Incident { id: none, warning: it.warning.map(|_| none), ..it })
        }
        Decision::Revision(it) => Decision::Revision(Revision { id: none, warning: none, ..it }),
        Decision::Resent { number, due, .. } => Decision::Resent { warning: none, number, due },
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn extra_ticks_change_nothing(deeds in histories(wild()), step_secs in 30..900i64) {
        let plain = Run::play(plan(), &deeds);
        let mut ticked = Run::new(plan());
        for deed in &deeds {
            if let Deed::Pass(minutes) = deed {
                let end = ticked.at + Span::from_secs(1) + Span::from_mins(*minutes);
                let (from, step) = (ticked.at, Span::from_secs(step_secs));
                for at in (1..).map(|n| from + step.times(n)).take_while(|&at| at < end) {
                    ticked.at = at;
                    ticked.put(Input::Tick);
                }
                ticked.at = from;
            }
            ticked.act(deed);
        }
        prop_assert_eq!(plain.decided(), ticked.decided());
    }

    #[test]
    fn recovery_gives_the_same_state(deeds in histories(wild())) {
        let run = Run::play(plan(), &deeds);
        let mut recovered = Engine::default();
        for (event, recorded) in &run.log {
            let mut outputs = Vec::new();
            prop_assert!(!recovered.recover(event, recorded, &mut outputs), "{:?}", event);
            prop_assert_eq!(&decisions(&outputs), recorded);
        }
        prop_assert_eq!(recovered.to_bytes(), run.engine.to_bytes());
    }

    #[test]
    fn a_snapshot_goes_on_as_the_engine_would(deeds in histories(wild()), cut in 0..60usize) {
        let cut = cut.min(deeds.len());
        let mut run = Run::play(plan(), &deeds[..cut]);
        let photograph = run.engine.freeze();
        let bytes = run.engine.to_bytes();
        let before = run.log.len();
        deeds[cut..].iter().for_each(|deed| run.act(deed));
        prop_assert_eq!(&photograph.to_bytes(), &bytes, "a photograph does not move");
        let mut loaded = Engine::from_bytes(&bytes, photograph.plan_id(), photograph.plan()).expect("it was just written");
        for (event, decided) in &run.log[before..] {
            let mut outputs = Vec::new();
            loaded.step(event, &mut outputs);
            prop_assert_eq!(&decisions(&outputs), decided);
        }
        prop_assert_eq!(loaded.to_bytes(), run.engine.to_bytes());
    }

    #[test]
    fn a_warning_goes_to_those_routed_and_those_before(deeds in histories(calm())) {
        let run = Run::play(plan(), &deeds);
        let plan = plan();
        let mut heard: BTreeMap<OutputId, BTreeSet<TargetIx>> = BTreeMap::new();
        for revision in &run.revisions {
            let due: BTreeSet<TargetIx> = revision.due.iter().map(|due| due.target).collect();
            let mut expected = heard.get(&revision.warning).cloned().unwrap_or_default();
            match &revision.about {
                About::Incident(Cell { hazard, area }) => {
                    if matches!(revision.reason, Reason::Raised | Reason::Upgraded) {
                        expected.extend(routing::targets(&plan, *hazard, *area, revision.level, revision.sent));
                    }
                }
                About::Trouble(_) | About::NotifyTest => expected.extend(&plan.operator),
            }
            prop_assert_eq!(&due, &expected, "{:?}", revision);
            heard.insert(revision.warning, due);
        }
    }
}

/// One gauge in each of so many areas, that reports once a day.
fn many(areas: u32) -> Plan {
    let mut plan = world::gauges(&vec![&[][..]; areas as usize]);
    plan.areas = (0..areas).map(|ix| world::area(&format!("a{ix}"), None)).collect();
    plan.targets[0] = world::target("t0", "duty", None);
    for (station, ix) in plan.stations.iter_mut().flatten().zip(0..) {
        station.area = AreaIx(ix);
    }
    plan.sensors.iter_mut().flatten().for_each(|sensor| sensor.interval = Span::from_hours(24));
    limited(&mut plan);
    plan
}

/// Ticks until nothing is left over; how many ticks it took.
fn drain(run: &mut Run) -> usize {
    let mut ticks = 0;
    while run.engine.wake_at().is_some_and(|wake| wake <= run.at) {
        assert!(run.put(Input::Tick).len() <= OUTPUTS_MAX);
        ticks += 1;
        assert!(ticks < 1000, "what is left over never ends");
    }
    ticks
}

fn counted(run: &Run, reason: Reason) -> usize {
    run.revisions.iter().filter(|it| it.reason == reason).count()
}

#[test]
fn ten_thousand_areas_at_once() {
    const AREAS: u32 = 10_000;
    let mut run = Run::new(many(AREAS));
    let key = TroubleKey { code: TroubleCode::Held, subject: String::new() };
    run.put(Input::Trouble(TroubleReport { key, present: true, detail: "restored".into() }));
    for value in [4.0, 0.0, 0.0] {
        (0..AREAS).for_each(|sensor| run.read(sensor, value));
        run.at = run.at + Span::from_mins(1);
    }
    assert_eq!(counted(&run, Reason::Raised), 0);
    // All is told at one word of a person, and all ends at one instant.
    assert!(run.put(Input::Command(Command::Resume)).len() <= OUTPUTS_MAX);
    assert!(drain(&mut run) >= 10);
    assert_eq!(counted(&run, Reason::Raised), AREAS as usize);
    run.at = run.at + Span::from_mins(90);
    assert!(run.put(Input::Tick).len() <= OUTPUTS_MAX);
    drain(&mut run);
    assert_eq!(counted(&run, Reason::Eased) + counted(&run, Reason::Unconfirmed), AREAS as usize);
    assert_eq!(run.engine.incidents().count(), 0);
}

#[test]
fn a_tick_is_only_due_when_something_fires() {
    let mut run = Run::new(plan());
    run.read(0, 0.0);
    run.at = run.at + Span::from_mins(20);
    run.read(0, 0.0);
    let early = run.engine.wake_at().expect("the gauge's silence is awaited");
    assert!(!run.engine.is_due(early), "it spoke since");
    let wake = run.engine.wake_at().expect("it is armed again");
    assert_eq!(wake, run.at + Span::from_mins(30));
    assert!(run.engine.is_due(wake));
    assert_eq!(run.engine.wake_at(), Some(wake), "asking takes nothing away");
}

/// What a version recorded that decided otherwise, then a live start.
fn check_upgrade(recorded: fn(Vec<Decision>) -> Vec<Decision>, expected: &[(Reason, u32)]) {
    let mut run = Run::new(plan());
    run.at = run.at + Span::from_mins(1);
    run.read(0, 4.0);
    let mut engine = Engine::default();
    let last = run.log.len() - 1;
    for (ix, (event, decided)) in run.log.iter().enumerate() {
        let recorded = if ix == last { recorded(decided.clone()) } else { decided.clone() };
        assert_eq!(engine.recover(event, &recorded, &mut Vec::new()), ix == last);
    }
    run.engine = engine;
    run.revisions.clear();
    run.put(started(Some(Span::ZERO)));
    let said: Vec<(Reason, u32)> = run.revisions.iter().map(|it| (it.reason, it.number)).collect();
    assert_eq!(said, expected);
}

#[test]
fn upgrade_differs() {
    check_upgrade(|_| vec![], &[(Reason::Raised, 1)]);
    let lower = |decided: Vec<Decision>| {
        let lower = |decision| match decision {
            Decision::Incident(it) => {
                Decision::Incident(Incident { level: Level::Blue, peak: Level::Blue, ..it })
            }
            Decision::Revision(it) => Decision::Revision(Revision { level: Level::Blue, ..it }),
            other => other,
        };
        decided.into_iter().map(lower).collect()
    };
    check_upgrade(lower, &[(Reason::Upgraded, 2)]);
}

#[test]
fn a_recorded_red_that_this_version_would_not_send_stands_and_ends() {
    let mut sent = Run::new(plan());
    sent.at = sent.at + Span::from_mins(1);
    sent.read(0, 4.0);
    let (_, red) = sent.log.pop().expect("the red was recorded");
    let mut run = Run::new(plan());
    run.at = sent.at;
    let event = Event { at: run.at, position: Position(3), input: Input::Tick };
    assert!(run.engine.recover(&event, &red, &mut Vec::new()));
    assert_eq!(run.engine.incidents().map(|it| it.phase).collect::<Vec<_>>(), [Phase::Active]);
    run.put(started(Some(Span::ZERO)));
    assert_eq!(run.engine.incidents().next().map(|it| it.level), Some(Level::Red));
    run.at = run.at + Span::from_mins(61);
    run.put(Input::Tick);
    let end = run.revisions.last().expect("its end was told");
    assert_eq!((end.reason, end.number, end.due.len()), (Reason::Eased, 2, 3));
}

#[test]
fn a_plan_that_drops_the_place_of_a_warning_is_refused() {
    let mut run = Run::new(plan());
    run.read(3, 4.0);
    let refused = run.put(Input::Plan(plan_ref(variant(2), false)));
    assert!(matches!(refused.as_slice(), [Decision::PlanRefused(words)] if words.contains("flood/town")));
    assert_eq!(run.engine.plan_id(), plan().id());
    run.put(Input::Plan(plan_ref(variant(2), true)));
    assert_eq!(run.engine.plan_id(), variant(2).id());
    assert_eq!(counted(&run, Reason::Orphaned), 1);
}

#[test]
fn a_snapshot_of_a_later_version_or_another_plan_is_refused() {
    let run = Run::new(plan());
    let bytes = run.engine.to_bytes();
    let body = Arc::new(plan());
    assert!(matches!(Engine::from_bytes(&bytes, variant(1).id(), &body), Err(SnapshotError::Plan(_))));
    assert!(matches!(Engine::from_bytes(&bytes[..9], plan().id(), &body), Err(SnapshotError::Bytes(_))));
    let later = minicbor::to_vec(Engine { version: SNAPSHOT_VERSION + 1, ..run.engine }).expect("into a Vec");
    assert!(matches!(Engine::from_bytes(&later, plan().id(), &body), Err(SnapshotError::Version(2))));
}
