//! From a data directory and a configuration to a driver that can run: lock,
//! log, recovery, clock, plan.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use forewarn_core::event::{Decision, Input, PlanRef, Started};
use forewarn_core::ids::{Position, RunId};
use forewarn_core::plan::{Plan, PlanId};
use forewarn_core::warning::Phase;
use tokio::sync::watch;
use tracing::{info, warn};

use super::findings::troubles;
use super::listening;
use super::place::{Found, Place};
use super::service::{Options, Timekeeping};
use crate::clock::{self, Beginning, Clock, System};
use crate::config::names::FreshIndices;
use crate::config::plan::{Keeping, Log as LogSettings};
use crate::config::targets::TargetIds;
use crate::config::{self, Loaded, Purpose, Request, Written};
use crate::driver::cursors::Cursors;
use crate::driver::embedded::Embedded;
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::{Picture, Pulse};
use crate::driver::recovery::{Recovered, Recovery, Standing};
use crate::driver::snapshots::{self, Snapshots};
use crate::driver::upgrade::{RELEASE, Upgrade};
use crate::log::{Indices, Lock, Log, LogReader, Opened, Stamp, save_plan};
use crate::ports::Hold;
use crate::state::{Origin, Projection, StateReader};
use crate::stores;

/// Warnings that stand at most; the plan has far fewer cells.
const STANDING_MAX: usize = 1_000_000;

/// A data directory, opened.
pub(super) struct Opening {
    pub(super) loaded: Loaded,
    pub(super) driver: Embedded,
    /// The first inputs of the run, a record each.
    pub(super) begin: Vec<Vec<Input>>,
    pub(super) reader: LogReader,
    pub(super) clock: Clock,
    pub(super) targets: TargetIds,
    /// The log's table of names with what this start adds to it.
    pub(super) indices: Indices,
    pub(super) stamp: Stamp,
    /// Where the directory stands; `None` for one that was restored or copied,
    /// which settles once the log holds that it is held.
    pub(super) place: Option<Place>,
    /// Whether nothing but Trouble may go out, also where the projection has forgotten that.
    pub(super) hold: Hold,
    /// What is kept for the way back to the release before.
    pub(super) upgrade: Arc<Upgrade>,
}

/// Opens it, or says what is in the way.
pub(super) fn open(options: &Options) -> anyhow::Result<Opening> {
    let request = request(options);
    let written = Written::read(&request)?;
    let Keeping { data, log: log_settings } = site(&written)?;
    make_private(&data)?;

    let lock = Lock::take(&data)?;
    let stamp = if options.purpose == Purpose::Live { Stamp::Live } else { Stamp::Drill };
    let (mut log, opened, place) = take_up(lock, &log_settings, stamp, &data)?;
    let Planned { loaded, plan, assigned, targets, indices } = plan(written, &log, &data)?;
    if !loaded.warnings.is_empty() {
        warn!(warnings = loaded.warnings.len(), "the configuration can be used; see `forewarn check`");
    }
    log.draft(indices.clone());
    let recovery = Recovery { stand_in: Some((plan, loaded.setup.plan.clone())), ..recovery(&data) };
    let mut recovered = recovery.recover()?;
    recovery.reach(&mut recovered, opened.last);
    let (clock, beginning) = begin_clock(&options.time, &recovered);
    info!(log = %log.id(), position = recovered.position.0, trusted = beginning.moment.trusted, "log opened");

    let run = RunId(getrandom::u64().context("the system gives no random numbers")?);
    let started = Started {
        log: log.id(),
        run,
        downtime: beginning.downtime,
        offset: beginning.moment.offset,
        trusted: beginning.moment.trusted,
        restored: place.is_none(),
    };
    let mut begin = vec![vec![Input::Started(started)]];
    let before = recovered.engine.plan_id();
    begin.extend(plan_change(&data, &loaded.setup.plan, assigned, before, Orphan::Allow)?);
    let troubles = troubles(&opened, &recovered);
    if !troubles.is_empty() {
        begin.push(troubles);
    }

    let gap = match options.time {
        Timekeeping::System => Duration::from_micros(loaded.setup.log.gap.0.unsigned_abs()),
        Timekeeping::Led(_) => Duration::ZERO,
    };
    let upgrade = Upgrade::begin(&data, RELEASE).context("which release wrote here last")?;
    let held = recovered.engine.is_held() || place.is_none();
    let hold = if held { Hold::UntilResumed } else { Hold::No };
    let reader = log.reader();
    let driver = Embedded {
        engine: recovered.engine,
        log,
        inbox: Arc::new(DriverInbox::new(clock.clone())),
        clock: clock.clone(),
        run,
        gap,
        picture: watch::Sender::new(Arc::new(Picture::default())),
        pulse: watch::Sender::new(Pulse::default()),
        cursors: Cursors::default(),
        snapshots: Snapshots::start(&data, recovered.snapshot, upgrade.clone())?,
        recovery,
        moment: beginning.moment,
        position: recovered.position,
    };
    Ok(Opening { loaded, driver, begin, reader, clock, targets, indices, stamp, place, hold, upgrade })
}

/// Where the data stand. Before a first start all must be well: the configuration is
/// built on scratch tables, and what it names to listen on is tried. A directory that
/// is there is opened first, since only its log knows the names to build under; for
/// many sensors, building twice would be a good part of a start.
fn site(written: &Written<'_>) -> anyhow::Result<Keeping> {
    if let Some(keeping) = written.keeping()
        && Log::exists(&keeping.data)
    {
        return Ok(keeping);
    }
    let setup = written.build(&mut FreshIndices::default(), &mut TargetIds::counted())?.setup;
    if !setup.data.exists() {
        listening::try_ports(&setup)?;
    }
    Ok(Keeping { data: setup.data, log: setup.log })
}

/// A configuration under the names of a log.
struct Planned {
    loaded: Loaded,
    /// The plan's hash.
    plan: PlanId,
    /// What the log must hold before its new names are used.
    assigned: Vec<Input>,
    targets: TargetIds,
    indices: Indices,
}

/// Builds the configuration under the log's own names, and keeps its plan.
fn plan(written: Written<'_>, log: &Log, data: &Path) -> anyhow::Result<Planned> {
    let mut indices = log.indices().clone();
    let mut targets = TargetIds::open(data).context("table of target ids")?;
    let mut draft = Drafted::new(&mut indices);
    let loaded = written.build(&mut draft, &mut targets)?;
    // Its rows are many; recovery needs the room.
    drop(written);
    let assigned = draft.assigned;
    targets.save(data).context("table of target ids")?;
    // Recovery reads the plans that the log names: one that rotted, and that the
    // configuration still says, is whole again before that.
    let plan = save_plan(data, &loaded.setup.plan)?;
    Ok(Planned { loaded, plan, assigned, targets, indices })
}

/// How the engine of a data directory is rebuilt; writes nothing, and so serves
/// beside a running service as well.
pub(crate) fn recovery(data: &Path) -> Recovery {
    let projection = Arc::new(Projected(data.join("state.db")));
    Recovery { data: data.to_owned(), projection, stand_in: None }
}

/// Opens the log of a directory or makes one, and says where the directory
/// stands; nowhere yet, if it was restored or copied.
fn take_up(
    lock: Lock,
    settings: &LogSettings,
    stamp: Stamp,
    data: &Path,
) -> anyhow::Result<(Log, Opened, Option<Place>)> {
    let found = Place::find(data)?;
    if !Log::exists(data) {
        // Before the log: a crash in between leaves no log that does not know its place.
        let place = Place::settle(data)?;
        let (log, opened) = Log::create(lock, settings, stamp)?;
        return Ok((log, opened, Some(place)));
    }
    let why = match found {
        Found::Here(place) => {
            let floor = projected(data).max(stores::floor(data)).max(snapshots::newest(data));
            let (log, opened) = Log::open(lock, settings, stamp, floor)?;
            return Ok((log, opened, Some(place)));
        }
        Found::Elsewhere(why) => why,
    };
    // What is ahead of a restored log is another life's, not rot: the log goes on from its own end.
    let (log, opened) = Log::open(lock, settings, stamp, Position(0))?;
    warn!(why, position = opened.last.0, "the data directory was restored or copied: it is held");
    snapshots::forget_after(data, opened.last)?;
    let state = data.join("state.db");
    if state.exists() {
        drop(Projection::open(&state, Origin { log: log.id(), end: opened.last, stamp: stamp.word() })?);
    }
    stores::cut(data, log.id(), opened.last)?;
    Ok((log, opened, None))
}

/// Reads the configuration in its surroundings. All faults come as one error, a line each.
pub(super) fn load(
    options: &Options,
    indices: &mut dyn config::names::Assign,
    targets: &mut TargetIds,
) -> anyhow::Result<Loaded> {
    let request = request(options);
    config::load(&request, indices, targets).map_err(anyhow::Error::from)
}

fn request(options: &Options) -> Request<'_> {
    Request {
        dir: &options.config,
        data: options.data.as_deref(),
        purpose: options.purpose,
        at: match &options.time {
            Timekeeping::System => clock::wall(),
            Timekeeping::Led(led) => led.now(),
        },
        env: &|name| std::env::var(name).ok(),
    }
}

/// Whether an active incident whose area has gone may be orphaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphan {
    /// It stays active, without a rule, until a person ends it.
    Allow,
    /// Then the plan is refused.
    Refuse,
}

impl Orphan {
    /// As the flag of a request says.
    pub(super) fn asked(orphan: bool) -> Orphan {
        if orphan { Orphan::Allow } else { Orphan::Refuse }
    }
}

/// The record that brings a plan into force, if it is another than `before`:
/// its body is durable before the event that names it.
pub(super) fn plan_change(
    data: &Path,
    plan: &Arc<Plan>,
    assigned: Vec<Input>,
    before: PlanId,
    orphan: Orphan,
) -> anyhow::Result<Option<Vec<Input>>> {
    let id = save_plan(data, plan)?;
    if id == before && assigned.is_empty() {
        return Ok(None);
    }
    let mut inputs = assigned;
    inputs.push(Input::Plan(PlanRef { id, orphan: orphan == Orphan::Allow, body: Some(plan.clone()) }));
    Ok(Some(inputs))
}

/// The log's table of indices, drafting new names as inputs of the log.
pub(super) struct Drafted<'a> {
    indices: &'a mut Indices,
    /// What the log must hold before these names are used.
    pub(super) assigned: Vec<Input>,
}

impl<'a> Drafted<'a> {
    pub(super) fn new(indices: &'a mut Indices) -> Self {
        Drafted { indices, assigned: Vec::new() }
    }
}

impl config::names::Assign for Drafted<'_> {
    fn index(&mut self, kind: forewarn_core::ids::IndexKind, name: &str) -> u32 {
        let (index, assignment) = self.indices.assign(kind, name);
        self.assigned.extend(assignment.map(Input::Assign));
        index
    }
}

fn begin_clock(time: &Timekeeping, recovered: &Recovered) -> (Clock, Beginning) {
    match time {
        Timekeeping::System => {
            let (system, beginning) = System::begin(recovered.left_off);
            (Clock::System(system), beginning)
        }
        Timekeeping::Led(led) => {
            if let Some(left_off) = recovered.left_off {
                led.advance(left_off.at);
            }
            let moment = forewarn_core::time::Moment {
                at: led.now(),
                offset: forewarn_core::time::Span::ZERO,
                trusted: true,
            };
            (Clock::Led(led.clone()), Beginning { moment, downtime: None })
        }
    }
}

/// The highest position that the projection has kept: below it, what is missing is rot.
fn projected(data: &Path) -> Position {
    let path = data.join("state.db");
    if !path.exists() {
        return Position(0);
    }
    StateReader::open_read_only(&path).and_then(|reader| reader.cursor()).unwrap_or_else(|error| {
        warn!(%error, "the projection does not say how far it is; it will be rebuilt");
        Position(0)
    })
}

/// The projection, as the last resort of a recovery.
#[derive(Debug)]
struct Projected(PathBuf);

impl Standing for Projected {
    fn standing(&self) -> anyhow::Result<Vec<Decision>> {
        let state = StateReader::open_read_only(&self.0)?;
        let mut standing = Vec::new();
        for row in state.active_warnings(STANDING_MAX)? {
            let revisions = state.warning(row.digest)?.map(|detail| detail.revisions).unwrap_or_default();
            standing.extend(revisions.into_iter().map(Decision::Revision));
        }
        let open = state.incidents()?.into_iter().filter(|incident| incident.phase != Phase::Closed);
        standing.extend(open.map(Decision::Incident));
        Ok(standing)
    }
}

fn make_private(data: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    if data.exists() && !data.is_dir() {
        anyhow::bail!(
            "data directory {} is a file, expected a folder, or a name that is free",
            data.display()
        );
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("data directory {}", data.display()))
}

#[cfg(test)]
#[test]
fn a_file_in_the_way_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let fault = make_private(file.path()).expect_err("a file is no folder").to_string();
    assert!(fault.ends_with(" is a file, expected a folder, or a name that is free"), "{fault}");
}
