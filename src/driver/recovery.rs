//! From the log back to the engine: the newest snapshot that reads back, then
//! every record after it. Windows and memories are recomputed, the recorded
//! decisions applied. Where records are gone, what was decided there comes from
//! the projection: nothing that rots keeps the service from starting.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::bail;
use forewarn_core::engine::{ENGINE_VERSION, Engine, FORESEEN_MAX};
use forewarn_core::event::{Decision, Event, Input, Output, PlanRef, Started};
use forewarn_core::ids::{LogId, Position};
use forewarn_core::plan::{Plan, PlanId};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::About;
use tracing::{info, warn};

use super::snapshots::{self, Unread};
use crate::clock::LeftOff;
use crate::log::{LogError, Record, Records, load_plan};

/// Records that are read ahead of the one that is stepped through. Full: the reader waits.
const AHEAD: usize = 4;

/// More records than this that make the engine stumble are not bad luck.
const POISON_MAX: usize = 100;

/// Rebuilds the engine of a data directory.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The data directory.
    pub data: PathBuf,
    /// The last resort, where no snapshot reads back and the log no longer
    /// reaches its own beginning.
    pub projection: Arc<dyn Standing>,
    /// What the configuration says now, where that is known: need not be read
    /// again, and stands in for a plan that is lost. An index never changes
    /// hands, so that it reads every record.
    pub stand_in: Option<(PlanId, Arc<Plan>)>,
}

/// What the projection knows of what stands: incidents with all the revisions of their warnings.
pub trait Standing: Send + Sync + std::fmt::Debug {
    /// As decisions, in the order to apply them.
    fn standing(&self) -> anyhow::Result<Vec<Decision>>;
}

/// What the log gave back.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The engine, at the log's end.
    pub engine: Engine,
    /// Position of the last event.
    pub position: Position,
    /// Times of the last record; `None` for an empty log.
    pub left_off: Option<LeftOff>,
    /// The first position at which this version would have decided otherwise.
    pub diverged: Option<Position>,
    /// Events that made the engine stumble; their recorded decisions were applied alone.
    pub poison: BTreeSet<Position>,
    /// Snapshots that did not read back, in words.
    pub bad_snapshots: Vec<String>,
    /// Snapshots of a later release, which is not this one's to read: file and engine version.
    pub later_snapshots: Vec<(String, u32)>,
    /// The first position that a later engine recorded, and its version.
    pub later_records: Option<(Position, u32)>,
    /// Position of the snapshot it began with.
    pub snapshot: Position,
    /// Plans that the log names and that do not read back, and why. What was
    /// decided under them stands.
    pub lost_plans: BTreeMap<PlanId, String>,
    /// Why the projection did not say what stands of that which the log lacks, if
    /// it was asked: such incidents open anew with the next word of their sensors.
    pub standing_lost: Option<String>,
    /// The plan in force as the log says; the engine has it unless it is lost.
    pub plan: PlanId,
}

impl Recovery {
    /// The engine alone, for who goes on with it as it is: the loop after a panic,
    /// a command beside the service. Refuses where the plan in force is lost.
    pub fn rebuild(&self) -> anyhow::Result<Engine> {
        let recovered = self.recover()?;
        if let Some(why) = recovered.lost_plans.get(&recovered.plan) {
            bail!("the plan in force is lost: {why}");
        }
        Ok(recovered.engine)
    }

    /// Everything a start needs.
    pub fn recover(&self) -> anyhow::Result<Recovered> {
        let mut poison = BTreeSet::new();
        loop {
            // A panic leaves the engine in no known state: each try reads the snapshot anew. To
            // keep a copy for that would double the memory of every start.
            let mut passed = Passed::default();
            let begin = self.begin(&mut passed);
            match self.attempt(begin, &poison)? {
                Attempt::Reached(recovered, replayed) => {
                    let (snapshot, position) = (recovered.snapshot.0, recovered.position.0);
                    info!(snapshot, replayed, position, "engine recovered");
                    let Passed { bad_snapshots, later_snapshots } = passed;
                    return Ok(Recovered { poison, bad_snapshots, later_snapshots, ..*recovered });
                }
                Attempt::Stumbled(position) => {
                    warn!(position = position.0, "an event of the log makes the engine stumble: skipped");
                    if !poison.insert(position) || poison.len() > POISON_MAX {
                        bail!("the engine stumbles over position {} of its log again and again", position.0);
                    }
                }
            }
        }
    }

    /// The newest snapshot that reads back and whose plan is there.
    fn begin(&self, passed: &mut Passed) -> Option<Begin> {
        for (path, snapshot) in snapshots::all(&self.data) {
            let engine = snapshot.map_err(anyhow::Error::from).and_then(|snapshot| {
                let plan = self.plan(snapshot.plan)?;
                let engine = Engine::from_bytes(&snapshot.bytes, snapshot.plan, &plan)?;
                Ok(Begin { engine, position: snapshot.position, plan: snapshot.plan })
            });
            match engine {
                Ok(begin) => return Some(begin),
                Err(error) => {
                    warn!(path = %path.display(), %error, "snapshot not used");
                    match error.downcast_ref() {
                        Some(Unread::Newer { file, version }) => {
                            passed.later_snapshots.push((file.clone(), *version));
                        }
                        Some(Unread::Io(_)) | None => {
                            passed.bad_snapshots.push(format!("{}: {error}", path.display()));
                        }
                    }
                }
            }
        }
        None
    }

    fn attempt(&self, begin: Option<Begin>, poison: &BTreeSet<Position>) -> anyhow::Result<Attempt> {
        let mut recovered = Recovered::default();
        if let Some(Begin { engine, position, plan }) = begin {
            let moment = engine.moment();
            recovered.left_off = Some(LeftOff { at: moment.at, offset: moment.offset });
            recovered.engine = engine;
            (recovered.position, recovered.snapshot, recovered.plan) = (position, position, plan);
        }
        let records = Records::open_read_only(&self.data, recovered.position.next())?;
        read_ahead(records, |records| self.replay(recovered, records, poison))?
    }

    /// Goes through the records after the snapshot.
    fn replay(
        &self,
        mut recovered: Recovered,
        records: Receiver<Result<Record, LogError>>,
        poison: &BTreeSet<Position>,
    ) -> anyhow::Result<Attempt> {
        let from = recovered.position.next();
        let mut replayed = 0_u64;
        for record in records {
            let record = record?;
            recovered.left_off = Some(LeftOff { at: record.at, offset: record.offset });
            if record.last() < from {
                continue;
            }
            if record.engine > ENGINE_VERSION {
                recovered.later_records.get_or_insert((record.first, record.engine));
            }
            if record.first > recovered.position.next() {
                self.cross(&mut recovered, &record);
            }
            replayed += record.inputs.len() as u64;
            if let Err(position) = self.apply(&mut recovered, record, poison) {
                return Ok(Attempt::Stumbled(position));
            }
        }
        Ok(Attempt::Reached(Box::new(recovered), replayed))
    }

    /// Where the log's last records do not read back, `last` being the position
    /// it goes on from: what the projection knows of them stands.
    pub fn reach(&self, recovered: &mut Recovered, last: Position) {
        if recovered.position < last {
            let at = recovered.engine.moment().at;
            self.adopt(recovered, last.next(), at, vec![]);
        }
    }

    /// Goes on behind positions that are gone: trimmed with no snapshot to
    /// serve, or rotten.
    fn cross(&self, recovered: &mut Recovered, record: &Record) {
        let mut inputs = vec![];
        if recovered.position == Position(0) {
            inputs.push(Input::Started(Started {
                log: LogId::default(),
                run: record.run,
                downtime: None,
                offset: record.offset,
                trusted: true,
                restored: false,
            }));
        }
        if recovered.engine.plan_id() != record.plan {
            let plan = PlanRef { id: record.plan, orphan: true, body: None };
            inputs.push(self.with_body(&plan, &mut recovered.lost_plans));
            recovered.plan = record.plan;
        }
        self.adopt(recovered, record.first, record.at, inputs);
    }

    /// Carries an engine over the positions up to before `next`: incidents as
    /// the projection has them, what else was in there is forgotten, and sensors
    /// are unknown until they speak.
    fn adopt(&self, recovered: &mut Recovered, next: Position, at: Timestamp, inputs: Vec<Input>) {
        let gone = recovered.position.next()..next;
        let standing = self.projection.standing().unwrap_or_else(|error| {
            warn!(%error, "the projection cannot say what stands");
            recovered.standing_lost = Some(format!("{error:#}"));
            vec![]
        });
        let standing = decided_in(&gone, standing);
        let (from, until) = (gone.start.0, next.0);
        warn!(from, until, "the log lacks positions: incidents decided there come from the projection");
        let position = Position(next.0 - 1);
        let inputs = inputs.into_iter().map(|input| (input, vec![]));
        for (input, decisions) in inputs.chain([(Input::Tick, standing)]) {
            let event = Event { at, position, input };
            recovered.engine.recover(&event, &decisions, &mut Vec::new());
        }
        recovered.position = position;
    }

    /// Steps through a record; `Err` with the position that the engine stumbles over.
    fn apply(
        &self,
        recovered: &mut Recovered,
        mut record: Record,
        poison: &BTreeSet<Position>,
    ) -> Result<(), Position> {
        let mut outputs: Vec<Output> = Vec::new();
        let mut decisions: Vec<Decision> = Vec::new();
        let mut decided = record.decisions.into_iter().peekable();
        for index in 0..record.inputs.len() {
            if index % FORESEEN_MAX == 0 {
                let coming = &record.inputs[index..];
                recovered.engine.foresee(&coming[..coming.len().min(FORESEEN_MAX)]);
            }
            let input = std::mem::replace(&mut record.inputs[index], Input::Tick);
            let position = Position(record.first.0 + index as u64);
            decisions.clear();
            // They stand in the order of their inputs.
            let of_it = || decided.next_if(|(of, _)| *of as usize == index);
            decisions.extend(std::iter::from_fn(of_it).map(|(_, decision)| decision));
            // What makes the engine stumble is passed over; what was decided on it stands.
            let input = match input {
                _ if poison.contains(&position) => Input::Tick,
                Input::Plan(plan) => {
                    if !decisions.iter().any(|it| matches!(it, Decision::PlanRefused(_))) {
                        recovered.plan = plan.id;
                    }
                    self.with_body(&plan, &mut recovered.lost_plans)
                }
                other => other,
            };
            let event = Event { at: record.at, position, input };
            let engine = &mut recovered.engine;
            let step = AssertUnwindSafe(|| {
                #[cfg(test)]
                super::tests::stumble_over(&event.input);
                engine.recover(&event, &decisions, &mut outputs)
            });
            match catch_unwind(step) {
                // Without its plan it decides otherwise in any version.
                Ok(true) if recovered.lost_plans.is_empty() => {
                    recovered.diverged.get_or_insert(position);
                }
                Ok(_) => {}
                Err(_) => return Err(position),
            }
            outputs.clear();
            recovered.position = position;
        }
        debug_assert!(decided.next().is_none(), "every decision follows from an input, in their order");
        Ok(())
    }

    /// A plan event with its body, from the file that its hash names, or with
    /// the one that stands in; where none does, the engine keeps the plan it has.
    fn with_body(&self, plan: &PlanRef, lost: &mut BTreeMap<PlanId, String>) -> Input {
        let with = |body: &Arc<Plan>| Input::Plan(PlanRef { body: Some(Arc::clone(body)), ..plan.clone() });
        match self.plan(plan.id) {
            Ok(body) => with(&body),
            Err(error) => {
                warn!(%error, "a plan that the log names is lost");
                lost.insert(plan.id, error.to_string());
                self.stand_in.as_ref().map_or(Input::Tick, |(_, body)| with(body))
            }
        }
    }

    fn plan(&self, id: PlanId) -> Result<Arc<Plan>, LogError> {
        match &self.stand_in {
            Some((known, plan)) if *known == id => Ok(Arc::clone(plan)),
            Some(_) | None => load_plan(&self.data, id).map(Arc::new),
        }
    }
}

/// The newest snapshot, as the engine that it holds.
struct Begin {
    engine: Engine,
    position: Position,
    plan: PlanId,
}

/// Has records read and decoded by a thread of its own, some ahead of the one
/// that is stepped through.
fn read_ahead<T>(
    records: Records,
    step: impl FnOnce(Receiver<Result<Record, LogError>>) -> T,
) -> std::io::Result<T> {
    let (into, ahead) = sync_channel(AHEAD);
    let read = move || {
        for record in records {
            if into.send(record).is_err() {
                break;
            }
        }
    };
    // In a scope, so that a panic of that thread is ours: its silence would read as the log's end.
    std::thread::scope(|scope| {
        std::thread::Builder::new().name("log-ahead".into()).spawn_scoped(scope, read)?;
        Ok(step(ahead))
    })
}

/// Snapshots that were passed over.
#[derive(Debug, Default)]
struct Passed {
    bad_snapshots: Vec<String>,
    later_snapshots: Vec<(String, u32)>,
}

enum Attempt {
    /// With how many events were gone through.
    Reached(Box<Recovered>, u64),
    Stumbled(Position),
}

/// Of what stands, the revisions made at these positions, and the incidents
/// that were opened there or that these revisions are about: all else the
/// engine has from the records before.
fn decided_in(gone: &Range<Position>, mut standing: Vec<Decision>) -> Vec<Decision> {
    let mut told = BTreeSet::new();
    standing.retain(|decision| match decision {
        Decision::Revision(revision) => {
            let is_gone = gone.contains(&revision.id.position);
            if let (true, About::Incident(cell)) = (is_gone, &revision.about) {
                told.insert(*cell);
            }
            is_gone
        }
        Decision::Incident(_)
        | Decision::WouldHave(_)
        | Decision::Trouble(_)
        | Decision::PlanRefused(_)
        | Decision::Resumed
        | Decision::Resent { .. }
        | Decision::Asked { .. }
        | Decision::Acknowledged { .. }
        | Decision::Refused(_)
        | Decision::Drafted(_)
        | Decision::Muted(_)
        | Decision::Noted(_)
        | Decision::Lapsed(_)
        | Decision::Canary(_) => true,
    });
    standing.retain(|decision| {
        let Decision::Incident(incident) = decision else { return true };
        gone.contains(&incident.id.position) || told.contains(&incident.cell)
    });
    standing
}
