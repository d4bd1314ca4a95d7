//! The loss of a failure domain: what falls silent together is told as one.

use minicbor::{Decode, Encode};

use super::{Index, Outages, SITE, Silent, Told, delay, domain_id, names, sensor_id};
use crate::ids::{DomainIx, SensorIx};
use crate::judging::troubles::Troubles;
use crate::plan::Plan;
use crate::time::{Span, Timestamp};
use crate::warning::TroubleCode;

/// This many silent sensors of one failure domain can be one outage ...
const JOIN_MIN: usize = 3;
/// ... if they are at least this part of it.
const JOIN_PART: usize = 2;
/// Or if so many of it fell while a notice waits, and are this part of those
/// that were due to report meanwhile: with long intervals, half of all would
/// only be known when many had been told by themselves.
const FRESH_PART: i64 = 2;
/// It is over when at most this part is left, so that stragglers do not keep it standing.
const LEFT_PART: usize = 10;

/// A failure domain's outage that was told as one.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct Joined {
    /// How many sensors it covers.
    #[n(0)]
    pub(super) sensors: u32,
    /// Engine time of its notice.
    #[n(1)]
    pub(super) told: Timestamp,
    /// What the domain was called when it was told, which outlives its leaving the plan.
    #[n(2)]
    #[cbor(default)]
    pub(super) subject: String,
}

/// How much of a failure domain is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// At least half.
    Most,
    /// Of those that were due meanwhile; the rest has not been due yet.
    SoFar,
}

impl Outages {
    /// One less behind a domain: is that outage over?
    pub(super) fn left(
        &mut self,
        domain: DomainIx,
        at: Timestamp,
        plan: &Plan,
        index: &Index,
        troubles: &mut Troubles,
    ) {
        let all = index.behind(domain);
        let Some(joined) = self.domains.get_mut(&domain) else { return };
        joined.sensors = joined.sensors.saturating_sub(1);
        let left = joined.sensors as usize;
        if left > all.len() / LEFT_PART && left >= JOIN_MIN {
            return;
        }
        self.end_domain(domain, at, plan, troubles);
    }

    /// A domain's outage is over. Also who was moved out of it meanwhile is told
    /// by itself, if still silent.
    pub(super) fn end_domain(
        &mut self,
        domain: DomainIx,
        at: Timestamp,
        plan: &Plan,
        troubles: &mut Troubles,
    ) {
        let Some(joined) = self.domains.remove(&domain) else { return };
        troubles.end(TroubleCode::DomainSilent, joined.subject);
        self.uncover(Told::Domain(domain), at, plan);
    }

    /// Whether so much of a domain is told as one that whatever else falls belongs to it.
    pub(super) fn is_mostly_lost(&self, domain: DomainIx, index: &Index) -> bool {
        let joined = self.domains.get(&domain).map_or(0, |joined| joined.sensors) as usize;
        joined > 0 && joined * JOIN_PART >= index.behind(domain).len()
    }

    /// Those of some sensors, in order, that are silent: asked of the fewer, since
    /// a gateway can be large and its silences few.
    fn silent_of(&self, all: &[SensorIx]) -> Vec<SensorIx> {
        if self.silent.len() < all.len() {
            return self.silent.keys().copied().filter(|it| all.binary_search(it).is_ok()).collect();
        }
        all.iter().copied().filter(|it| self.silent.contains_key(it)).collect()
    }

    /// How many are silent under the notice of a source.
    fn blinded_and_silent(&self) -> usize {
        if self.sources.is_empty() {
            return 0;
        }
        self.silent.values().filter(|silent| matches!(silent.told, Told::Source(_))).count()
    }

    fn told(&self, sensor: SensorIx) -> Option<Told> {
        self.silent.get(&sensor).map(|silent| silent.told)
    }

    /// Tells a sensor's silence as part of its failure domain's, if enough of that is silent.
    pub(super) fn join(
        &mut self,
        sensor: SensorIx,
        at: Timestamp,
        plan: &Plan,
        index: &Index,
        troubles: &mut Troubles,
    ) -> bool {
        let Some((silent, domain, loss)) = self.worst_domain(sensor, plan, index) else { return false };
        let before = self.domains.get(&domain).cloned();
        let mut sensors = before.as_ref().map_or(0, |joined| joined.sensors);
        for &sensor in &silent {
            if let Some(Silent { told, .. }) = self.silent.get_mut(&sensor) {
                match *told {
                    Told::Due(due) => drop(self.untold.remove(&(due, sensor))),
                    // Told alone before the rest fell: now it is part of this.
                    Told::Alone => troubles.end(TroubleCode::SensorSilent, sensor_id(sensor, plan)),
                    Told::Domain(_) | Told::Source(_) => continue,
                }
                *told = Told::Domain(domain);
                sensors += 1;
            }
        }
        // The rest of one loss, as its sensors come due, is no news.
        let interval = plan.sensor(sensor).map_or(Span::ZERO, |sensor| sensor.interval);
        let told = before.as_ref().map(|joined| joined.told).filter(|&told| at <= told + interval);
        let subject = before.map_or_else(|| domain_id(domain, plan), |joined| joined.subject);
        self.domains.insert(domain, Joined { sensors, told: told.unwrap_or(at), subject: subject.clone() });
        if told.is_none() {
            let (count, all, id) = (silent.len(), index.behind(domain).len(), subject);
            let names = names(silent.into_iter(), plan);
            let detail = match loss {
                Loss::Most => format!("{count} of {all} sensors behind {id} are silent{names}"),
                Loss::SoFar => {
                    format!("{id} seems down: {count} of {all} sensors behind it are silent so far{names}")
                }
            };
            troubles.raise(TroubleCode::DomainSilent, id, detail);
        }
        true
    }

    /// The failure domain of a sensor that has lost most, if that is enough to
    /// call it down, with its silent sensors; else the rest of the site, likewise.
    fn worst_domain(
        &self,
        sensor: SensorIx,
        plan: &Plan,
        index: &Index,
    ) -> Option<(Vec<SensorIx>, DomainIx, Loss)> {
        let known = plan.sensor(sensor)?;
        let declared = plan.station(known.station).map_or(&[][..], |station| &*station.domains);
        let loss = |silent: usize, fresh: usize, all: usize| {
            // Those due to report while a notice waits, on an average.
            let due = all as i64 * delay(sensor, plan).0 / known.interval.0.max(1);
            if silent >= JOIN_MIN && silent * JOIN_PART >= all {
                Some(Loss::Most)
            } else {
                (fresh >= JOIN_MIN && fresh as i64 * FRESH_PART >= due).then_some(Loss::SoFar)
            }
        };
        let share = |&domain: &DomainIx| {
            let all = index.behind(domain);
            let silent = self.silent_of(all);
            let fresh = silent.iter().filter(|&&it| matches!(self.told(it), Some(Told::Due(_)))).count();
            let loss = loss(silent.len(), fresh, all.len())?;
            Some((silent, domain, loss))
        };
        let worst = declared.iter().filter_map(share);
        let worst = worst.max_by_key(|(silent, domain, _)| (silent.len(), std::cmp::Reverse(*domain)));
        worst.or_else(|| {
            // Counted before it is listed: the site can be large. What the loss of a
            // domain or of a source explains is no part of it.
            let others = self.domains.iter().filter(|&(&domain, _)| domain != SITE);
            let behind: usize = others.map(|(_, joined)| joined.sensors as usize).sum();
            let explained = behind + self.blinded_and_silent();
            let all = index.behind(SITE).len().saturating_sub(explained);
            let loss = loss(self.silent.len().saturating_sub(explained), self.untold.len() + 1, all)?;
            let unexplained = |told: Told| match told {
                Told::Due(_) | Told::Alone => true,
                Told::Domain(domain) => domain == SITE,
                Told::Source(_) => false,
            };
            let silent = self.silent.iter().filter(|(_, silent)| unexplained(silent.told));
            Some((silent.map(|(&sensor, _)| sensor).collect(), SITE, loss))
        })
    }
}
