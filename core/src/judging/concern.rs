//! Concern: several sensors of one area that go blind while a danger stands there
//! may well be what the danger did. That makes it worse than its level says, and
//! never better: a flood that takes its gauges is no smaller flood. Those that
//! share a gateway or a power supply count once: that it fails is told as such.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::domains::groups;
use super::outages::delay;
use crate::finding::{Finding, Verdict, Why};
use crate::ids::{RuleIx, SensorIx};
use crate::plan::Plan;
use crate::time::Timestamp;
use crate::warning::Revision;

/// So many that are lost apart from each other are several.
const SEVERAL: u32 = 2;

/// The sensors of a cell that went blind while an incident was open, whether its
/// level rests on them or not, and since when.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Losses {
    #[n(0)]
    since: BTreeMap<(RuleIx, SensorIx), Timestamp>,
}

impl Losses {
    /// Takes a finding in; whether that changes who is lost.
    pub(super) fn take(&mut self, finding: &Finding, at: Timestamp) -> bool {
        let key = (finding.rule, finding.sensor);
        match finding.tip {
            // A reload or a start is no loss, and ends none.
            Verdict::Unknown(Why::Warming) => false,
            Verdict::Clear | Verdict::Breach(_) | Verdict::Unknown(Why::Removed) => {
                self.since.remove(&key).is_some()
            }
            Verdict::Unknown(_) => {
                let known = self.since.len();
                self.since.entry(key).or_insert(at);
                self.since.len() > known
            }
        }
    }

    /// How many have been lost for longer than a short gap, one per failure domain.
    pub(super) fn apart(&self, at: Timestamp, plan: &Plan) -> u32 {
        let lost = self.told_at(plan).filter(|&(_, due)| due <= at).map(|(sensor, _)| sensor);
        let lost: BTreeSet<SensorIx> = lost.collect();
        groups(&Vec::from_iter(lost), plan) as u32
    }

    /// When the next of them will have been.
    pub(super) fn next(&self, at: Timestamp, plan: &Plan) -> Option<Timestamp> {
        self.told_at(plan).map(|(_, due)| due).filter(|&due| due > at).min()
    }

    fn told_at(&self, plan: &Plan) -> impl Iterator<Item = (SensorIx, Timestamp)> {
        self.since.iter().map(|(&(_, sensor), &since)| (sensor, since + delay(sensor, plan)))
    }

    /// The rules that cannot see.
    pub(super) fn rules(&self) -> impl Iterator<Item = RuleIx> {
        self.since.keys().map(|&(rule, _)| rule)
    }
}

impl Revision {
    /// Whether it is graver than its level, for the sensors that were lost there.
    pub fn is_of_concern(&self) -> bool {
        is_of_concern(self.lost)
    }
}

/// Whether so many lost are of concern.
pub(super) fn is_of_concern(lost: u32) -> bool {
    lost >= SEVERAL
}

/// Whether people have to hear that so many are lost, who heard of `told`: where
/// that is of concern, and at least twice as many.
pub(super) fn is_news(told: u32, lost: u32) -> bool {
    is_of_concern(lost) && lost >= told.saturating_mul(2)
}
