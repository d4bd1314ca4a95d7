//! Why a reading that was kept says nothing of how things stand.

use crate::level::Status;
use crate::plan::Plan;
use crate::reading::{Checked, Flag, Marks};
use crate::time::Moment;

/// Why a reading is not judged, or not as news. Told to people and counted;
/// nothing is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aside {
    /// Its sensor is not in the plan any more.
    NotInPlan,
    /// Not measured at all, in a live service.
    Simulated,
    /// The same measurement again, or an older edition of it.
    Duplicate,
    /// Another value for an instant that is known: the first in the log stays.
    Conflict,
    /// The broker gave it out at subscription: history, not news.
    Retained,
    /// Ahead of civil time by more than the tolerance.
    Future,
    /// Observed longer ago than the sensor's `max_age`: it raises nothing.
    Old,
    /// Behind the sensor's watermark: what came after it was settled already.
    OutOfOrder,
    /// From the device's memory, as it says itself: it raises nothing.
    Historical,
    /// Its value is not credible (flag 4), or missing (flag 9).
    FlagFail,
}

impl Aside {
    /// Every reason, in the order they are looked at.
    pub const ALL: [Aside; 10] = [
        Aside::NotInPlan,
        Aside::Simulated,
        Aside::Duplicate,
        Aside::Conflict,
        Aside::Retained,
        Aside::Future,
        Aside::Old,
        Aside::OutOfOrder,
        Aside::Historical,
        Aside::FlagFail,
    ];

    /// The word for labels and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Aside::NotInPlan => "not_in_plan",
            Aside::Simulated => "simulated",
            Aside::Duplicate => "duplicate",
            Aside::Conflict => "conflict",
            Aside::Retained => "retained",
            Aside::Future => "future",
            Aside::Old => "old",
            Aside::OutOfOrder => "out_of_order",
            Aside::Historical => "historical",
            Aside::FlagFail => "flag_fail",
        }
    }

    /// Why a reading, as the stage gave it back at this moment, is set aside;
    /// `None` for one that counts.
    ///
    /// The stage marks what it did not judge, not why: that follows from the
    /// reading's own time and the plan.
    pub fn of(checked: &Checked, plan: &Plan, moment: Moment) -> Option<Aside> {
        let reading = &checked.reading;
        let has = |mark| reading.marks.has(mark);
        let Some(sensor) = plan.sensor(reading.sensor) else { return Some(Aside::NotInPlan) };
        if has(Marks::CONFLICT) {
            return Some(Aside::Conflict);
        }
        if has(Marks::DUPLICATE) {
            return Some(Aside::Duplicate);
        }
        if has(Marks::SIMULATED) && plan.settings.status == Status::Actual {
            return Some(Aside::Simulated);
        }
        if has(Marks::RETAINED) {
            return Some(Aside::Retained);
        }
        let civil = moment.civil();
        if moment.trusted && has(Marks::UNJUDGED) && reading.observed > civil + plan.settings.future_tolerance
        {
            return Some(Aside::Future);
        }
        if moment.trusted && reading.observed < civil - sensor.max_age {
            return Some(Aside::Old);
        }
        if has(Marks::UNJUDGED) {
            return Some(Aside::OutOfOrder);
        }
        if has(Marks::HISTORICAL) {
            return Some(Aside::Historical);
        }
        match checked.flag {
            Flag::Fail | Flag::Missing => Some(Aside::FlagFail),
            Flag::Good | Flag::Unevaluated | Flag::Suspect => None,
        }
    }
}
