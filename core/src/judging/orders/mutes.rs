//! Accountable silences: what they hide is judged and recorded all the while,
//! and listed when they end. They run by engine time, which no clock moves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minicbor::{Decode, Encode};

use crate::authority::By;
use crate::event::{Decision, TroubleReport};
use crate::ids::{AreaIx, OutputId, SensorIx};
use crate::judging::AreaStage;
use crate::judging::cell::cell_name;
use crate::judging::decide::Stamp;
use crate::level::Level;
use crate::orders::{Mute, MutePhase, Proposal, Quiet, Refusal, Silence, Subject};
use crate::time::{Span, Timestamp};
use crate::warning::{Cell, EVIDENCE_MAX, Evidence, Incident, TroubleCode, TroubleKey};

/// Mutes and maintenance windows that are planned or hold, at most.
const MUTES_MAX: usize = 256;

/// Those that are over and kept, so that whoever comes late hears so.
const OVER_KEPT: usize = 64;

/// How far ahead one can be planned.
const AHEAD_MAX: Span = Span::from_hours(366 * 24);

/// Places that are named of what a mute hid.
const NAMES_MAX: usize = 10;

/// Every mute and maintenance window.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(in crate::judging) struct Mutes {
    #[n(0)]
    all: BTreeMap<OutputId, Mute>,
    /// Those that are over, the oldest first.
    #[n(1)]
    over: VecDeque<OutputId>,
    /// How many revisions each has hidden, by where.
    #[n(2)]
    hid: BTreeMap<OutputId, BTreeMap<Cell, u32>>,
}

impl Mutes {
    /// What is due by itself, and when.
    pub(super) fn dues(&self) -> impl Iterator<Item = (Timestamp, OutputId)> {
        self.all.values().filter_map(|mute| match mute.phase {
            MutePhase::Planned => Some((mute.from, mute.id)),
            MutePhase::Holding => Some((mute.until, mute.id)),
            MutePhase::Over(_) => None,
        })
    }

    fn holding(&self) -> impl Iterator<Item = &Mute> {
        self.all.values().filter(|mute| mute.phase == MutePhase::Holding)
    }

    pub(super) fn set(&mut self, mute: &Mute) {
        if matches!(mute.phase, MutePhase::Over(_)) {
            self.over.push_back(mute.id);
            self.hid.remove(&mute.id);
        }
        self.all.insert(mute.id, mute.clone());
        while self.over.len() > OVER_KEPT {
            if let Some(oldest) = self.over.pop_front() {
                self.all.remove(&oldest);
            }
        }
    }

    /// A revision was recorded and told to nobody.
    pub(in crate::judging) fn hid(&mut self, mute: OutputId, cell: Cell) {
        *self.hid.entry(mute).or_default().entry(cell).or_default() += 1;
    }
}

impl AreaStage {
    /// Every mute and maintenance window that is planned or holds, and those that ended lately.
    pub fn mutes(&self) -> impl Iterator<Item = &Mute> {
        self.mutes.all.values()
    }

    /// The sensors that somebody works on.
    pub fn maintained(&self) -> BTreeSet<SensorIx> {
        let windows = self.mutes.holding().filter(|mute| mute.silence.quiet == Quiet::Maintenance);
        windows.flat_map(|mute| self.sensors_of(mute.silence.what)).collect()
    }

    fn sensors_of(&self, what: Subject) -> Vec<SensorIx> {
        let all = || (0..).zip(&self.plan.sensors);
        match what {
            Subject::Sensor(sensor) => vec![sensor],
            Subject::Station(station) => {
                let own = all().filter(|(_, it)| it.as_ref().is_some_and(|it| it.station == station));
                own.map(|(ix, _)| SensorIx(ix)).collect()
            }
            Subject::Area(_) | Subject::Hazard(_) | Subject::Cell(_) | Subject::Rule(_) => Vec::new(),
        }
    }

    /// The areas that a proposal is about; `None` where it is about all of them.
    pub(in crate::judging) fn proposal_areas(&self, proposal: &Proposal) -> Option<Vec<AreaIx>> {
        match proposal {
            Proposal::Warning(issue) => Some(issue.areas.clone()),
            Proposal::Silence(silence) => self.subject_areas(silence.what),
        }
    }

    fn subject_areas(&self, what: Subject) -> Option<Vec<AreaIx>> {
        match what {
            Subject::Area(area) => Some(vec![area]),
            Subject::Cell(cell) => Some(vec![cell.area]),
            Subject::Sensor(sensor) => Some(vec![self.plan.station(self.plan.sensor(sensor)?.station)?.area]),
            Subject::Station(station) => Some(vec![self.plan.station(station)?.area]),
            Subject::Hazard(_) | Subject::Rule(_) => None,
        }
    }

    /// The areas that a mute is about; `None` where it is about all of them, or there is none such.
    pub(in crate::judging) fn mute_areas(&self, mute: OutputId) -> Option<Vec<AreaIx>> {
        self.subject_areas(self.mutes.all.get(&mute)?.silence.what)
    }

    pub(super) fn check_silence(&self, silence: &Silence) -> Result<(), Refusal> {
        if silence.reason.trim().is_empty() {
            return Err(Refusal::Empty);
        }
        let longest = self.plan.settings.orders.mute_max;
        let lasts = silence.lasting > Span::ZERO && silence.lasting <= longest;
        if !lasts || silence.after < Span::ZERO || silence.after > AHEAD_MAX {
            return Err(Refusal::Lasting);
        }
        let plan = &self.plan;
        let (known, is_device) = match silence.what {
            Subject::Area(area) => (plan.area(area).is_some(), false),
            Subject::Hazard(hazard) => (!plan.hazard(hazard).is_empty(), false),
            Subject::Cell(cell) => {
                (plan.area(cell.area).is_some() && !plan.hazard(cell.hazard).is_empty(), false)
            }
            Subject::Rule(rule) => (plan.rule(rule).is_some(), false),
            Subject::Sensor(sensor) => (plan.sensor(sensor).is_some(), true),
            Subject::Station(station) => (plan.station(station).is_some(), true),
        };
        if !known || silence.up_to == Level::Normal {
            return Err(Refusal::NotInPlan);
        }
        if silence.quiet == Quiet::Maintenance && !is_device {
            return Err(Refusal::Kind);
        }
        let standing = self.mutes.dues().count();
        if standing >= MUTES_MAX { Err(Refusal::TooMany) } else { Ok(()) }
    }

    /// Whether it silences what is or may be red: one person alone may not.
    pub(super) fn takes_two(&self, silence: &Silence) -> bool {
        match silence.quiet {
            Quiet::Muted => silence.up_to >= Level::Red,
            Quiet::Maintenance => {
                let sensors = self.sensors_of(silence.what);
                let subjects = self.plan.rules.iter().flatten().flat_map(|rule| &rule.subjects);
                let own = subjects.filter(|subject| sensors.contains(&subject.sensor));
                own.flat_map(|subject| &*subject.limits).any(|row| row.levels[3].is_some())
            }
        }
    }

    /// A silence as it is entered upon; `since` is when it was asked for.
    pub(super) fn mute_of(
        &self,
        silence: &Silence,
        owner: &str,
        approved: Option<String>,
        stamp: &Stamp,
        since: Timestamp,
    ) -> Mute {
        let (at, from) = (stamp.moment.at, since + silence.after);
        Mute {
            id: stamp.id(0),
            silence: silence.clone(),
            owner: owner.to_owned(),
            approved,
            from,
            until: from + silence.lasting,
            begins: stamp.moment.civil() + (from - at),
            number: self.orders.numbered + 1,
            phase: if from <= at { MutePhase::Holding } else { MutePhase::Planned },
        }
    }

    /// A mute begins, or is over.
    pub(super) fn decide_mute(&self, id: OutputId, stamp: &Stamp) -> Vec<Decision> {
        let Some(mute) = self.mutes.all.get(&id) else { return Vec::new() };
        let at = stamp.moment.at;
        let phase = match mute.phase {
            MutePhase::Planned | MutePhase::Holding if mute.until <= at => MutePhase::Over(None),
            MutePhase::Planned if mute.from <= at => MutePhase::Holding,
            MutePhase::Planned | MutePhase::Holding | MutePhase::Over(_) => return Vec::new(),
        };
        vec![Decision::Muted(Mute { phase, ..mute.clone() })]
    }

    /// Somebody ends a mute before its time.
    pub(super) fn unmute(&self, id: OutputId, by: &By) -> Result<Vec<Decision>, Refusal> {
        let mute = self.mutes.all.get(&id).ok_or(Refusal::Unknown)?;
        if matches!(mute.phase, MutePhase::Over(_)) {
            return Err(Refusal::Decided);
        }
        let phase = MutePhase::Over(Some(by.account.clone()));
        Ok(vec![Decision::Muted(Mute { phase, ..mute.clone() })])
    }

    /// The mute that hides what would be said of an incident at its level, if
    /// one does. One that rests on sensors or rules hides it only where all that
    /// it rests on is muted: a second gauge is heard.
    pub(in crate::judging) fn silenced(
        &self,
        incident: &Incident,
        evidence: impl FnOnce() -> (Vec<Evidence>, u32),
    ) -> Option<OutputId> {
        let (cell, level) = (incident.cell, incident.level);
        let mutes = || {
            let mutes = self.mutes.holding().filter(|mute| mute.silence.quiet == Quiet::Muted);
            mutes.filter(|mute| level > Level::Normal && level <= mute.silence.up_to)
        };
        mutes().next()?;
        let over_place = |mute: &&Mute| match mute.silence.what {
            Subject::Area(area) => self.plan.lies_in(cell.area, area),
            Subject::Hazard(hazard) => cell.hazard == hazard,
            Subject::Cell(muted) => cell == muted,
            Subject::Rule(_) | Subject::Sensor(_) | Subject::Station(_) => false,
        };
        if let Some(mute) = mutes().find(over_place) {
            return Some(mute.id);
        }
        let over = |it: &Evidence| {
            let station = self.plan.sensor(it.sensor).map(|sensor| sensor.station);
            mutes().find(|mute| match mute.silence.what {
                Subject::Rule(rule) => it.rule == rule,
                Subject::Sensor(sensor) => it.sensor == sensor,
                Subject::Station(muted) => station == Some(muted),
                Subject::Area(_) | Subject::Hazard(_) | Subject::Cell(_) => false,
            })
        };
        let (evidence, sensors) = evidence();
        if evidence.len() >= EVIDENCE_MAX || sensors as usize > evidence.len() {
            return None;
        }
        let hidden: Option<Vec<&Mute>> = evidence.iter().map(over).collect();
        hidden?.first().map(|mute| mute.id)
    }

    pub(super) fn subject_name(&self, what: Subject) -> String {
        let plan = &self.plan;
        let name = match what {
            Subject::Area(area) => plan.area(area).map(|area| area.id.clone()),
            Subject::Hazard(hazard) => Some(plan.hazard(hazard).to_owned()),
            Subject::Cell(cell) => Some(cell_name(cell, plan)),
            Subject::Rule(rule) => plan.rule(rule).map(|rule| rule.id.clone()),
            Subject::Sensor(sensor) => plan.sensor(sensor).map(|sensor| sensor.id.to_string()),
            Subject::Station(station) => plan.station(station).map(|station| station.id.to_string()),
        };
        name.unwrap_or_else(|| "what has left the plan".to_owned())
    }

    /// What the operator hears of a mute: that it holds, and what it hid.
    pub(super) fn mute_report(&self, mute: &Mute) -> TroubleReport {
        let (what, owner) = (self.subject_name(mute.silence.what), &mute.owner);
        let Silence { reason, up_to, quiet, .. } = &mute.silence;
        let minutes = mute.silence.lasting.0 / Span::from_mins(1).0;
        let detail = match (&mute.phase, quiet) {
            (MutePhase::Planned | MutePhase::Holding, Quiet::Muted) => {
                format!("{what} is muted up to {up_to} by {owner} for {minutes} min: {reason}")
            }
            (MutePhase::Planned | MutePhase::Holding, Quiet::Maintenance) => {
                format!(
                    "{what} is in maintenance by {owner} for {minutes} min and counts as unknown: {reason}"
                )
            }
            (MutePhase::Over(_), Quiet::Muted) => match self.hidden(mute.id) {
                None => format!("the mute of {what} by {owner} is over; it hid nothing"),
                Some((count, names)) => {
                    format!(
                        "the mute of {what} by {owner} is over; messages that it hid: {count}, of {names}"
                    )
                }
            },
            (MutePhase::Over(_), Quiet::Maintenance) => {
                format!("the maintenance of {what} by {owner} is over")
            }
        };
        let key = TroubleKey { code: TroubleCode::Muted, subject: mute.number.to_string() };
        TroubleReport { key, present: mute.phase == MutePhase::Holding, detail }
    }

    /// How much a mute has hidden, and where.
    fn hidden(&self, mute: OutputId) -> Option<(u32, String)> {
        let hid = self.mutes.hid.get(&mute)?;
        let names: Vec<String> =
            hid.keys().take(NAMES_MAX).map(|&cell| cell_name(cell, &self.plan)).collect();
        let more = if hid.len() > names.len() { " and others" } else { "" };
        Some((hid.values().sum(), format!("{}{more}", names.join(", "))))
    }
}
