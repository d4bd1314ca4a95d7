//! Whether a sensor is heard from as it should be, and how many are.

use forewarn_core::finding::Why;
use forewarn_core::ids::SensorIx;
use forewarn_core::plan::Sensor;
use forewarn_core::sensing::SensorState;
use forewarn_core::time::{Span, Timestamp};

use super::Look;

/// Overdue by this part of an interval, in hundredths, it counts as late: jitter is none.
const LATE_PERCENT: i64 = 150;

/// With nothing from anywhere for so many of the shortest interval, there is no data.
const NO_DATA_INTERVALS: i64 = 3;

/// Shorter than this nobody calls it no data.
const NO_DATA_MIN: Span = Span::from_secs(60);

/// Whether a sensor is heard from as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is.
    Reporting,
    /// Overdue, but not silent yet.
    Late,
    /// Silent beyond its allowance.
    Silent,
    /// Every source it was heard through is down.
    CutOff,
    /// Not heard from since the service started.
    Awaited,
    /// Somebody works on it.
    Maintenance,
    /// Heard from, and nothing that it said counts.
    Unheeded,
    /// Never heard from.
    Never,
}

/// What of it people count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Reporting,
    Late,
    Unknown,
}

impl Group {
    /// As queries and words call it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Group::Reporting => "reporting",
            Group::Late => "late",
            Group::Unknown => "unknown",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Group> {
        [Group::Reporting, Group::Late, Group::Unknown].into_iter().find(|group| group.word() == word)
    }

    /// A sign that tells them apart without colour.
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Group::Reporting => "✓",
            Group::Late => "◔",
            Group::Unknown => "?",
        }
    }
}

impl Standing {
    pub(super) fn of(sensor: &Sensor, state: &SensorState<'_>, now: Timestamp) -> Standing {
        let Some(last) = state.last_seen() else { return Standing::Never };
        match state.blind() {
            Some(Why::Silent(_)) => Standing::Silent,
            Some(Why::SourceDown) => Standing::CutOff,
            Some(Why::Warming) => Standing::Awaited,
            Some(Why::Maintenance) => Standing::Maintenance,
            Some(Why::BadData | Why::TooFew | Why::Suspect | Why::Removed | Why::Old) | None => {
                let patience = Span(sensor.interval.0.saturating_mul(LATE_PERCENT) / 100);
                match state.newest() {
                    None => Standing::Unheeded,
                    Some(_) if now - last > patience => Standing::Late,
                    Some(_) => Standing::Reporting,
                }
            }
        }
    }

    pub(super) const fn group(self) -> Group {
        match self {
            Standing::Reporting => Group::Reporting,
            Standing::Late => Group::Late,
            Standing::Silent
            | Standing::CutOff
            | Standing::Awaited
            | Standing::Maintenance
            | Standing::Unheeded
            | Standing::Never => Group::Unknown,
        }
    }

    /// As words call it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Standing::Reporting => "reporting",
            Standing::Late => "late",
            Standing::Silent => "silent",
            Standing::CutOff => "cut_off",
            Standing::Awaited => "awaited",
            Standing::Maintenance => "maintenance",
            Standing::Unheeded => "unheeded",
            Standing::Never => "never",
        }
    }
}

/// How many sensors stand how, and when anything came last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Heard from as they should be.
    pub reporting: usize,
    /// Overdue, but not silent yet.
    pub late: usize,
    /// Neither danger nor safety can be told of them.
    pub unknown: usize,
    /// Engine time at which any of them was heard last.
    pub last_heard: Option<Timestamp>,
    /// The shortest interval at which anything should come.
    pub shortest: Option<Span>,
}

impl Counts {
    /// Counts the sensors of the plan.
    pub fn of(look: &Look) -> Counts {
        let mut counts = Counts::default();
        for (at, sensor) in look.engine.plan().sensors.iter().enumerate() {
            let Some(sensor) = sensor else { continue };
            let Some(state) = look.engine.sensor(SensorIx(at as u32)) else { continue };
            match Standing::of(sensor, &state, look.now).group() {
                Group::Reporting => counts.reporting += 1,
                Group::Late => counts.late += 1,
                Group::Unknown => counts.unknown += 1,
            }
            counts.last_heard = counts.last_heard.max(state.last_seen());
            counts.shortest = Some(counts.shortest.map_or(sensor.interval, |it| it.min(sensor.interval)));
        }
        counts
    }

    /// All of them.
    pub fn all(&self) -> usize {
        self.reporting + self.late + self.unknown
    }

    /// Whether nothing comes from anywhere.
    pub(super) fn silence(&self, now: Timestamp) -> Silence {
        let patience = self.shortest.map_or(NO_DATA_MIN, |it| it.times(NO_DATA_INTERVALS).max(NO_DATA_MIN));
        match self.last_heard {
            _ if self.all() == 0 => Silence::No,
            None => Silence::Ever,
            Some(last) if now - last > patience => Silence::Since(last),
            Some(_) => Silence::No,
        }
    }
}

/// Whether nothing comes from anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    No,
    /// Engine time since when.
    Since(Timestamp),
    /// Nothing ever came.
    Ever,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_anywhere_is_said_before_the_first_sensor_is_silent() {
        let at = Timestamp::from_secs;
        let check = |last_heard: Option<i64>, interval_secs: i64, now: i64, expected: Silence| {
            let counts = Counts {
                reporting: 1,
                last_heard: last_heard.map(at),
                shortest: Some(Span::from_secs(interval_secs)),
                ..Counts::default()
            };
            assert_eq!(counts.silence(at(now)), expected, "{last_heard:?} {interval_secs} {now}");
        };
        check(Some(100), 60, 280, Silence::No);
        check(Some(100), 60, 281, Silence::Since(at(100)));
        check(Some(100), 1, 160, Silence::No);
        check(Some(100), 1, 161, Silence::Since(at(100)));
        check(None, 60, 0, Silence::Ever);
        assert_eq!(Counts::default().silence(at(0)), Silence::No, "who has no sensor misses none");
    }
}
