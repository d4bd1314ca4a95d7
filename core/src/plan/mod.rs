//! The plan: configuration as meant, with every name interned and every limit
//! resolved. Its encoded bytes are kept in a file of their own under their
//! SHA-256, and the log names that hash before it is used.
//!
//! Tables are indexed by dense indices that the log assigned; an index whose
//! thing has left the configuration holds `None` and is never given to another.

mod alike;
mod names;
mod people;
mod places;

pub use alike::{Alike, AlikeLimits, AlikeTerms, Limits};
pub use names::Names;
pub use people::{AckTerms, Group, OrderTerms, Route, Target};
pub use places::{Conversion, Sensor, Station, Terms};

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::ids::{AreaIx, HazardIx, RuleIx, SensorIx, StationIx, TargetIx};
use crate::level::Status;
use crate::rules::AnyRule;
use crate::time::{Span, Timestamp};
use crate::units::Unit;
use crate::warning::Cell;

/// SHA-256 of a plan's encoded bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct PlanId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 32],
);

/// Everything the engine goes by.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub struct Plan {
    /// The site's own settings.
    #[n(0)]
    pub settings: Settings,
    /// By [`StationIx`].
    #[n(1)]
    #[cbor(decode_with = "alike::table")]
    pub stations: Vec<Option<Station>>,
    /// By [`SensorIx`].
    #[n(2)]
    #[cbor(decode_with = "alike::sensors")]
    pub sensors: Vec<Option<Sensor>>,
    /// By [`AreaIx`].
    #[n(3)]
    pub areas: Vec<Option<Area>>,
    /// Names by [`HazardIx`].
    #[n(4)]
    pub hazards: Vec<String>,
    /// Names by `DomainIx`.
    #[n(5)]
    pub domains: Vec<String>,
    /// By [`RuleIx`].
    #[n(6)]
    pub rules: Vec<Option<Rule>>,
    /// In file order; every one that matches counts.
    #[n(7)]
    pub routes: Vec<Route>,
    /// By [`TargetIx`].
    #[n(8)]
    pub targets: Vec<Option<Target>>,
    /// Who hears of Trouble; never empty in a plan that configuration made.
    #[n(9)]
    pub operator: Vec<TargetIx>,
    /// Names by `SourceIx`.
    #[n(10)]
    pub sources: Vec<String>,
}

/// The site's own settings.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Settings {
    /// Its name, as warnings sign it.
    #[n(0)]
    pub site: String,
    /// Actual for a live service, Exercise for a drill or a demo.
    #[n(1)]
    pub status: Status,
    /// IANA name of the zone all times are shown in.
    #[n(2)]
    pub zone: String,
    /// Offsets of that zone from UTC: each from its instant on, in order.
    #[n(3)]
    pub offsets: Vec<ZoneOffset>,
    /// How far ahead of civil time a device may be before its reading counts as future.
    #[n(4)]
    pub future_tolerance: Span,
    /// How long a warning holds unless renewed.
    #[n(5)]
    pub expires_after: Span,
    /// How long before its end a standing warning is renewed.
    #[n(6)]
    pub renew_before: Span,
    /// How long after a silence it is told, at most (one interval otherwise).
    #[n(7)]
    pub outage_tell_max: Span,
    /// What holds for warnings by hand and for mutes.
    #[n(8)]
    #[cbor(default)]
    pub orders: OrderTerms,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            site: String::new(),
            status: Status::Actual,
            zone: "UTC".into(),
            offsets: vec![],
            future_tolerance: Span::from_mins(2),
            expires_after: Span::from_hours(6),
            renew_before: Span::from_mins(30),
            outage_tell_max: Span::from_mins(5),
            orders: OrderTerms::default(),
        }
    }
}

impl Settings {
    /// Civil time as the clocks at the site show it: seconds east of UTC added.
    pub fn local(&self, civil: Timestamp) -> Timestamp {
        let before = self.offsets.partition_point(|offset| offset.from <= civil);
        let east = before.checked_sub(1).or((!self.offsets.is_empty()).then_some(0));
        civil + Span::from_secs(east.map_or(0, |at| i64::from(self.offsets[at].east_secs)))
    }
}

/// The offset of the site's zone from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ZoneOffset {
    /// Civil time it begins to hold.
    #[n(0)]
    pub from: Timestamp,
    /// Seconds east of UTC.
    #[n(1)]
    pub east_secs: i32,
}

/// What warnings are about.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Area {
    /// As configuration calls it.
    #[n(0)]
    pub id: String,
    /// As people call it, by language tag; never empty.
    #[n(1)]
    pub names: Names,
    /// The area it lies in.
    #[n(2)]
    pub parent: Option<AreaIx>,
}

/// One rule: one kind, what it selects, and when it raises and clears.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Rule {
    /// As configuration calls it: file stem, or `file/name`.
    #[n(0)]
    pub id: String,
    /// What it measures.
    #[n(1)]
    pub kind: AnyRule,
    /// What it warns of.
    #[n(2)]
    pub hazard: HazardIx,
    /// Whether a value breaches at or above its limits, or at or below.
    #[n(3)]
    pub side: Side,
    /// The unit of what it measures and of its limits.
    #[n(4)]
    pub unit: Unit,
    /// What it judges and by which limits, in the order of sensors.
    #[n(5)]
    #[cbor(decode_with = "alike::subjects")]
    pub subjects: Vec<Subject>,
    /// When a level counts as reached, by level: blue, yellow, orange, red.
    #[n(6)]
    pub raise: [Raise; 4],
    /// How far back below a limit (above, for a low one) a value must come to leave it, in the rule's unit.
    #[n(7)]
    pub deadband: f64,
    /// How long good data must support less before the level falls.
    #[n(8)]
    pub hold: Span,
    /// Whom a silence during an incident is told.
    #[n(9)]
    pub outage: OutageTell,
    /// How many findings of different failure domains a level needs; 1 is any.
    #[n(10)]
    pub corroboration: u32,
}

impl Rule {
    /// A sensor under this rule, if it judges that one.
    pub fn subject(&self, sensor: SensorIx) -> Option<&Subject> {
        let at = self.subjects.binary_search_by_key(&sensor, |subject| subject.sensor).ok()?;
        self.subjects.get(at)
    }
}

/// On which side of its limit a value breaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Side {
    /// At or above the limit.
    #[n(0)]
    Above,
    /// At or below the limit.
    #[n(1)]
    Below,
}

/// Whom the silence of a sensor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum OutageTell {
    /// Those who got the warning, and the operator.
    #[n(0)]
    SameTargets,
    /// The operator alone.
    #[n(1)]
    Operator,
}

/// One sensor under one rule, with its limits.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Subject {
    /// Whose readings are judged.
    #[n(0)]
    pub sensor: SensorIx,
    /// Every row of its limits; which one is in force depends on season and date.
    #[n(1)]
    pub limits: Limits,
}

/// One row of the table of limits: what holds for a season, from a date on.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct LimitRow {
    /// Civil time it begins to hold.
    #[n(0)]
    pub from: Timestamp,
    /// First and last local day of the year it holds, as month * 100 + day,
    /// both included, wrapping over New Year where the first is later; `None` is all year.
    #[n(1)]
    pub season: Option<(u16, u16)>,
    /// Limit by level: blue, yellow, orange, red, in the rule's unit.
    #[n(2)]
    pub levels: [Option<f64>; 4],
}

/// When a level counts as reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Raise {
    /// This many ...
    #[n(0)]
    pub m: u8,
    /// ... of the last this many readings (32 at most) breach ...
    #[n(1)]
    pub n: u8,
    /// ... and have for this long, in event time.
    #[n(2)]
    pub lasting: Span,
}

impl Default for Raise {
    fn default() -> Self {
        Raise { m: 1, n: 1, lasting: Span::ZERO }
    }
}

impl Plan {
    /// The sensor of an index, if it is in the plan.
    pub fn sensor(&self, ix: SensorIx) -> Option<&Sensor> {
        self.sensors.get(ix.index())?.as_ref()
    }

    /// The station of an index, if it is in the plan.
    pub fn station(&self, ix: StationIx) -> Option<&Station> {
        self.stations.get(ix.index())?.as_ref()
    }

    /// The area of an index, if it is in the plan.
    pub fn area(&self, ix: AreaIx) -> Option<&Area> {
        self.areas.get(ix.index())?.as_ref()
    }

    /// The rule of an index, if it is in the plan.
    pub fn rule(&self, ix: RuleIx) -> Option<&Rule> {
        self.rules.get(ix.index())?.as_ref()
    }

    /// The cell that a rule's findings on a sensor go to: its hazard in the area
    /// of the sensor's station.
    pub fn cell(&self, rule: RuleIx, sensor: SensorIx) -> Option<Cell> {
        let area = self.station(self.sensor(sensor)?.station)?.area;
        Some(Cell { hazard: self.rule(rule)?.hazard, area })
    }

    /// The target of an index, if it is in the plan.
    pub fn target(&self, ix: TargetIx) -> Option<&Target> {
        self.targets.get(ix.index())?.as_ref()
    }

    /// How many contacts these addresses belong to; one that has left the plan counts by itself.
    pub fn contacts(&self, targets: impl Iterator<Item = TargetIx>) -> u32 {
        let contact = |ix| match self.target(ix) {
            Some(known) => (Some(known.contact.as_str()), None),
            None => (None, Some(ix)),
        };
        targets.map(contact).collect::<BTreeSet<_>>().len() as u32
    }

    /// The name of a hazard; empty for one that was never assigned.
    pub fn hazard(&self, ix: HazardIx) -> &str {
        self.hazards.get(ix.index()).map_or("", String::as_str)
    }

    /// Whether `inner` is `outer` or lies in it, through any number of parents.
    pub fn lies_in(&self, inner: AreaIx, outer: AreaIx) -> bool {
        self.around(inner).any(|area| area == outer)
    }

    /// The area itself, then each one around it, nearest first.
    pub fn around(&self, area: AreaIx) -> impl Iterator<Item = AreaIx> + '_ {
        // No chain is longer than the table: a cycle, which configuration refuses, ends there.
        std::iter::successors(Some(area), |&area| self.area(area)?.parent).take(self.areas.len().max(1))
    }

    /// The plan's bytes, the same for the same plan everywhere.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("encoding into a Vec cannot fail")
    }

    /// Reads what [`Plan::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Plan, minicbor::decode::Error> {
        minicbor::decode(bytes)
    }

    /// The hash that the log names it by.
    pub fn id(&self) -> PlanId {
        use sha2::{Digest, Sha256};
        let mut id = [0; 32];
        id.copy_from_slice(&Sha256::digest(self.to_bytes()));
        PlanId(id)
    }
}
