//! Outages as the operator hears of them: a sensor, all behind a gateway, a
//! source, or the service itself; each as one notice.

mod loss;

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use self::loss::Joined;
use super::index::{Index, SITE};
use super::troubles::Troubles;
use crate::finding::{Found, Verdict, Why};
use crate::ids::{DomainIx, SensorIx, SourceIx};
use crate::plan::Plan;
use crate::time::{Span, Timestamp};
use crate::warning::TroubleCode;

/// Names listed in one notice.
pub(super) const NAMES_MAX: usize = 10;
/// A shorter stop of the service itself is told nobody.
const DOWNTIME_MIN: Span = Span::from_mins(1);

/// Under which notice a silent sensor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
enum Told {
    /// None yet; when it will be.
    #[n(0)]
    Due(#[n(0)] Timestamp),
    /// One of its own.
    #[n(1)]
    Alone,
    /// That of a failure domain.
    #[n(2)]
    Domain(#[n(0)] DomainIx),
    /// That of a source.
    #[n(3)]
    Source(#[n(0)] SourceIx),
}

/// A sensor that stopped.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
struct Silent {
    /// Engine time of its last reading.
    #[n(0)]
    since: Timestamp,
    #[n(1)]
    told: Told,
}

/// A source that is, or was just, down.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
struct Down {
    /// Sensors it blinds.
    #[n(0)]
    blinds: BTreeSet<SensorIx>,
    /// Engine time at which its notice ends, once it is back: one that flaps is one outage.
    #[n(1)]
    over: Option<Timestamp>,
    /// What it was called when it was told, which outlives its leaving the plan.
    #[n(2)]
    #[cbor(default)]
    subject: String,
}

/// Who is silent, and what of it is told.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Outages {
    #[n(0)]
    silent: BTreeMap<SensorIx, Silent>,
    #[n(1)]
    untold: BTreeSet<(Timestamp, SensorIx)>,
    /// Failure domains that are told as one.
    #[n(2)]
    domains: BTreeMap<DomainIx, Joined>,
    #[n(3)]
    sources: BTreeMap<SourceIx, Down>,
    /// Engine time at which the notice of our own downtime ends.
    #[n(4)]
    downtime_over: Option<Timestamp>,
}

impl Outages {
    /// A snapshot of before names were kept: they are called as the plan calls them.
    pub(super) fn attach(&mut self, plan: &Plan) {
        for (&source, down) in self.sources.iter_mut().filter(|(_, down)| down.subject.is_empty()) {
            down.subject = source_id(source, plan);
        }
        for (&domain, joined) in self.domains.iter_mut().filter(|(_, joined)| joined.subject.is_empty()) {
            joined.subject = domain_id(domain, plan);
        }
    }

    /// How many sensors are silent.
    pub(super) fn silent(&self) -> usize {
        self.silent.len()
    }

    /// When something is to be told, or to be over.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let sources = self.sources.values().filter_map(|down| down.over);
        let untold = self.untold.first().map(|&(due, _)| due);
        sources.chain(untold).chain(self.downtime_over).min()
    }

    /// A sensor stopped: it is told later, so that what fails with it can join.
    pub(super) fn fell(
        &mut self,
        sensor: SensorIx,
        since: Timestamp,
        at: Timestamp,
        plan: &Plan,
        index: &Index,
    ) {
        let Some(known) = plan.sensor(sensor) else { return };
        if self.silent.contains_key(&sensor) {
            return;
        }
        let domains = plan.station(known.station).map_or(&[][..], |station| &*station.domains);
        let source = self.sources.iter().find(|(_, down)| down.blinds.contains(&sensor));
        let told = if let Some((&source, _)) = source {
            Told::Source(source)
        } else if let Some(&domain) =
            domains.iter().chain([&SITE]).find(|domain| self.is_mostly_lost(**domain, index))
        {
            if let Some(joined) = self.domains.get_mut(&domain) {
                joined.sensors += 1;
            }
            Told::Domain(domain)
        } else {
            Told::Due(at + delay(sensor, plan))
        };
        self.silent.insert(sensor, Silent { since, told });
        if let Told::Due(due) = told {
            self.untold.insert((due, sensor));
        }
    }

    /// A sensor spoke again, or is no longer configured.
    pub(super) fn spoke(
        &mut self,
        sensor: SensorIx,
        at: Timestamp,
        plan: &Plan,
        index: &Index,
        troubles: &mut Troubles,
    ) {
        for down in self.sources.values_mut() {
            down.blinds.remove(&sensor);
        }
        let Some(silent) = self.silent.remove(&sensor) else { return };
        match silent.told {
            Told::Due(due) => drop(self.untold.remove(&(due, sensor))),
            Told::Alone => troubles.end(TroubleCode::SensorSilent, sensor_id(sensor, plan)),
            Told::Domain(domain) => self.left(domain, at, plan, index, troubles),
            Told::Source(_) => {}
        }
    }

    fn tell_later(&mut self, sensor: SensorIx, at: Timestamp, plan: &Plan) {
        if let Some(silent) = self.silent.get_mut(&sensor) {
            let due = at + delay(sensor, plan);
            silent.told = Told::Due(due);
            self.untold.insert((due, sensor));
        }
    }

    /// A source went down: told at once, as one, naming how many it blinds.
    pub(super) fn source_down(
        &mut self,
        source: SourceIx,
        found: &[Found],
        plan: &Plan,
        troubles: &mut Troubles,
    ) {
        let down = self.sources.entry(source).or_default();
        if down.subject.is_empty() {
            down.subject = source_id(source, plan);
        }
        down.over = None;
        down.blinds.extend(found.iter().filter_map(blinded));
        for sensor in &down.blinds {
            if let Some(silent) = self.silent.get_mut(sensor)
                && let Told::Due(due) = silent.told
            {
                self.untold.remove(&(due, *sensor));
                silent.told = Told::Source(source);
            }
        }
        let detail = format!(
            "source {} is down; it blinds {} of the sensors{}",
            down.subject,
            down.blinds.len(),
            names(down.blinds.iter().copied(), plan)
        );
        troubles.raise(TroubleCode::SourceDown, down.subject.clone(), detail);
    }

    /// A source is back. Those that stay silent are told one interval later.
    pub(super) fn source_up(&mut self, source: SourceIx, at: Timestamp, plan: &Plan) {
        let Some(down) = self.sources.get_mut(&source) else { return };
        down.over = Some(at + plan.settings.outage_tell_max);
        down.blinds.clear();
        self.uncover(Told::Source(source), at, plan);
    }

    /// Those that were told under a notice that ends are told one interval later, if still silent.
    fn uncover(&mut self, told: Told, at: Timestamp, plan: &Plan) {
        let covered = self.silent.iter().filter(|(_, silent)| silent.told == told);
        let covered: Vec<SensorIx> = covered.map(|(&sensor, _)| sensor).collect();
        for sensor in covered {
            self.tell_later(sensor, at, plan);
        }
    }

    /// The service started, and is told anew which sources are down: whom one
    /// blinded may be heard through another by then, and be silent there.
    pub(super) fn started(&mut self) {
        for down in self.sources.values_mut() {
            down.blinds.retain(|sensor| self.silent.contains_key(sensor));
        }
    }

    /// The service was down itself: one notice, no sensor's silence.
    pub(super) fn own_downtime(
        &mut self,
        downtime: Option<Span>,
        at: Timestamp,
        plan: &Plan,
        troubles: &mut Troubles,
    ) {
        let Some(downtime) = downtime.filter(|&downtime| downtime >= DOWNTIME_MIN) else { return };
        let minutes = downtime.0 / Span::from_mins(1).0;
        troubles.raise(
            TroubleCode::OwnDowntime,
            String::new(),
            format!("the service was down for {minutes} min and saw nothing"),
        );
        self.downtime_over = Some(at + plan.settings.outage_tell_max);
        // What was to be told meanwhile waits as if it had just happened.
        let waiting: Vec<SensorIx> =
            std::mem::take(&mut self.untold).into_iter().map(|(_, sensor)| sensor).collect();
        for sensor in waiting {
            self.tell_later(sensor, at, plan);
        }
    }

    /// Tells what is due by `at`.
    pub(super) fn tell(&mut self, at: Timestamp, plan: &Plan, index: &Index, troubles: &mut Troubles) {
        if self.downtime_over.is_some_and(|over| over <= at) {
            self.downtime_over = None;
            troubles.end(TroubleCode::OwnDowntime, String::new());
        }
        self.sources.retain(|_, down| {
            let over = down.over.is_some_and(|over| over <= at);
            if over {
                troubles.end(TroubleCode::SourceDown, down.subject.clone());
            }
            !over
        });
        while let Some(&(due, sensor)) = self.untold.first()
            && due <= at
        {
            self.untold.pop_first();
            if !self.join(sensor, at, plan, index, troubles) {
                self.tell_alone(sensor, at, plan, troubles);
            }
        }
    }

    fn tell_alone(&mut self, sensor: SensorIx, at: Timestamp, plan: &Plan, troubles: &mut Troubles) {
        let Some(silent) = self.silent.get_mut(&sensor) else { return };
        silent.told = Told::Alone;
        let silence = at.since(silent.since);
        let (minutes, seconds) = (silence.0 / Span::from_mins(1).0, silence.0 / Span::from_secs(1).0);
        let id = sensor_id(sensor, plan);
        let detail = match minutes {
            // A sensor of a few seconds' interval is missed within the minute.
            0 => format!("no reading from {id} for {seconds} s"),
            _ => format!("no reading from {id} for {minutes} min"),
        };
        troubles.raise(TroubleCode::SensorSilent, id, detail);
    }

    /// The plan changed from `former`: what it no longer knows is no outage any more.
    pub(super) fn replan(
        &mut self,
        former: (&Plan, &Index),
        plan: &Plan,
        at: Timestamp,
        troubles: &mut Troubles,
    ) {
        let gone: Vec<SensorIx> =
            self.silent.keys().copied().filter(|&sensor| plan.sensor(sensor).is_none()).collect();
        // Under the former plan, which knows its name.
        for sensor in gone {
            self.spoke(sensor, at, former.0, former.1, troubles);
        }
        for down in self.sources.values_mut() {
            down.blinds.retain(|&sensor| plan.sensor(sensor).is_some());
        }
        self.end_removed(former.0, plan, at, troubles);
    }

    /// Ends the outages of sources and failure domains that are no longer in the
    /// plan, by the names they were told by. What they covered is told by itself.
    fn end_removed(&mut self, former: &Plan, plan: &Plan, at: Timestamp, troubles: &mut Troubles) {
        let name = |names: &[String], ix: usize| names.get(ix).cloned().unwrap_or_default();
        let sources: Vec<SourceIx> = self.sources.keys().copied().collect();
        for source in sources {
            if name(&former.sources, source.index()) != name(&plan.sources, source.index())
                && let Some(down) = self.sources.remove(&source)
            {
                troubles.end(TroubleCode::SourceDown, down.subject);
                self.uncover(Told::Source(source), at, plan);
            }
        }
        let domains: Vec<DomainIx> = self.domains.keys().copied().filter(|&domain| domain != SITE).collect();
        for domain in domains {
            if name(&former.domains, domain.index()) != name(&plan.domains, domain.index()) {
                self.end_domain(domain, at, plan, troubles);
            }
        }
    }
}

/// The sensor that a loss of a source blinded.
fn blinded(found: &Found) -> Option<SensorIx> {
    match found {
        Found::Finding(finding) => {
            (finding.tip == Verdict::Unknown(Why::SourceDown)).then_some(finding.sensor)
        }
        Found::Silence(..) | Found::WouldHave(_) => None,
    }
}

/// How long after a loss it is told: one interval, or the most that the plan allows.
pub(super) fn delay(sensor: SensorIx, plan: &Plan) -> Span {
    let most = plan.settings.outage_tell_max;
    plan.sensor(sensor).map_or(most, |sensor| sensor.interval.min(most))
}

fn names(sensors: impl ExactSizeIterator<Item = SensorIx>, plan: &Plan) -> String {
    let more = sensors.len().saturating_sub(NAMES_MAX);
    let listed: Vec<String> = sensors.take(NAMES_MAX).map(|sensor| sensor_id(sensor, plan)).collect();
    match (listed.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", listed.join(", ")),
        (false, more) => format!(": {} and {more} more", listed.join(", ")),
    }
}

fn sensor_id(sensor: SensorIx, plan: &Plan) -> String {
    plan.sensor(sensor).map_or_else(|| format!("sensor {}", sensor.0), |sensor| sensor.id.to_string())
}

fn domain_id(domain: DomainIx, plan: &Plan) -> String {
    if domain == SITE {
        return "the whole site".into();
    }
    plan.domains.get(domain.index()).cloned().unwrap_or_else(|| format!("domain {}", domain.0))
}

fn source_id(source: SourceIx, plan: &Plan) -> String {
    plan.sources.get(source.index()).cloned().unwrap_or_else(|| format!("source {}", source.0))
}
