//! What happens to readings between the place and us: composable, seeded.

use std::collections::{BTreeMap, BTreeSet};

use forewarn_core::time::{Span, Timestamp};
use serde::Deserialize;

use crate::random::Random;
use crate::{Sent, in_order};

/// One fault, in words a hydrologist can write. Times are hours after the start.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Readings are lost for good.
    Dropout(Window),
    /// Readings are held back and come at the end of the window, all at once.
    Burst(Window),
    /// The value stays what it was at the first reading of the window.
    Stuck(Window),
    /// A spike of so many metres, at one reading.
    Spike {
        /// Which station.
        station: String,
        /// When, hours.
        at: f64,
        /// How much is added.
        by: f64,
    },
    /// Some readings come twice.
    Duplicates {
        /// The share of them, 0 to 1.
        share: f64,
    },
    /// Readings come up to so many minutes late, and so out of order.
    Delay {
        /// The most a reading is delayed.
        minutes: f64,
    },
}

/// Which stations, from when to when.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// These stations; empty is all.
    #[serde(default)]
    pub stations: Vec<String>,
    /// Begin, hours after the start.
    pub from: f64,
    /// End, hours after the start.
    pub to: f64,
}

fn hours(after: f64) -> Span {
    Span((after * 3.6e9) as i64)
}

impl Window {
    fn refuses(&self, stations: &BTreeSet<&str>) -> Option<String> {
        let Window { from, to, .. } = self;
        let in_order = from.is_finite() && to.is_finite() && from < to;
        let order = || format!("it is from {from} to {to}, expected hours of the story in their order");
        let strange = self.stations.iter().find_map(|station| unknown(station, stations));
        strange.or_else(|| (!in_order).then(order))
    }

    fn has(&self, sent: &Sent, start: Timestamp) -> bool {
        (self.stations.is_empty() || self.stations.contains(&sent.station))
            && sent.at >= start + hours(self.from)
            && sent.at < start + hours(self.to)
    }
}

/// Why a station is refused; `None` where the world has it.
fn unknown(station: &str, stations: &BTreeSet<&str>) -> Option<String> {
    (!stations.contains(station)).then(|| {
        let known: Vec<&str> = stations.iter().copied().collect();
        format!("station {station:?} is not in the world, expected one of {}", known.join(", "))
    })
}

impl Fault {
    /// Why it cannot befall a world of these stations as written, in words; `None` where it can.
    pub(crate) fn refuses(&self, stations: &BTreeSet<&str>) -> Option<String> {
        match self {
            Fault::Dropout(window) | Fault::Burst(window) | Fault::Stuck(window) => window.refuses(stations),
            Fault::Spike { station, at, by } => unknown(station, stations).or_else(|| {
                if !at.is_finite() {
                    return Some(format!("at is {at}, expected hours after the start"));
                }
                (!by.is_finite()).then(|| format!("by is {by}, expected a number of metres"))
            }),
            Fault::Duplicates { share } => {
                (!(0.0..=1.0).contains(share)).then(|| format!("share is {share}, expected 0 to 1"))
            }
            Fault::Delay { minutes } => (!(minutes.is_finite() && *minutes >= 0.0))
                .then(|| format!("minutes is {minutes}, expected 0 or more")),
        }
    }

    /// What is left of the readings after it, with this chance.
    pub fn befall(&self, sent: Vec<Sent>, start: Timestamp, mut random: Random) -> Vec<Sent> {
        match self {
            Fault::Dropout(window) => sent.into_iter().filter(|one| !window.has(one, start)).collect(),
            Fault::Burst(window) => in_order(
                sent.into_iter()
                    .map(|one| {
                        if window.has(&one, start) {
                            Sent { at: start + hours(window.to), ..one }
                        } else {
                            one
                        }
                    })
                    .collect(),
            ),
            Fault::Stuck(window) => {
                let mut held: BTreeMap<(String, String), f64> = BTreeMap::new();
                sent.into_iter()
                    .map(|one| {
                        if !window.has(&one, start) {
                            return one;
                        }
                        let sensor = (one.station.clone(), one.quantity.clone());
                        let value = *held.entry(sensor).or_insert(one.value);
                        Sent { value, ..one }
                    })
                    .collect()
            }
            Fault::Spike { station, at, by } => {
                let mut due = true;
                sent.into_iter()
                    .map(|one| {
                        let hit = due && one.station == *station && one.at >= start + hours(*at);
                        due &= !hit;
                        if hit { Sent { value: one.value + by, ..one } } else { one }
                    })
                    .collect()
            }
            Fault::Duplicates { share } => sent
                .into_iter()
                .flat_map(|one| {
                    let twice = random.unit() < *share;
                    std::iter::repeat_n(one, if twice { 2 } else { 1 })
                })
                .collect(),
            Fault::Delay { minutes } => in_order(
                sent.into_iter()
                    .map(|one| Sent { at: one.at + hours(random.unit() * minutes / 60.0), ..one })
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_780_000_000);

    fn check(fault: &str, expected: &[(i64, f64)]) {
        #[derive(Deserialize)]
        struct Holder {
            fault: Fault,
        }
        let Holder { fault } =
            toml::from_str(&format!("fault = {fault}")).expect("a fault as people write it");
        let sent = (0..4_i32).map(|hour| Sent {
            at: START + hours(f64::from(hour)),
            observed: START + hours(f64::from(hour)),
            station: "ford".into(),
            quantity: "level".into(),
            value: f64::from(hour),
        });
        let left: Vec<(i64, f64)> = fault
            .befall(sent.collect(), START, Random::new(1, "fault"))
            .iter()
            .map(|one| ((one.at - START).0 / 3_600_000_000, one.value))
            .collect();
        assert_eq!(left, expected, "{fault:?}");
    }

    #[test]
    fn a_delay_keeps_every_reading_and_what_it_says_and_brings_some_out_of_order() {
        let reading = |minute: i64| {
            let at = START + Span::from_mins(minute);
            let (station, quantity) = ("ford".to_owned(), "level".to_owned());
            Sent { at, observed: at, station, quantity, value: minute as f64 }
        };
        let sent: Vec<Sent> = (0..100).map(reading).collect();
        let late = Fault::Delay { minutes: 30.0 }.befall(sent.clone(), START, Random::new(1, "fault"));
        assert!(late.is_sorted_by_key(|one| one.at));
        assert!(!late.is_sorted_by_key(|one| one.observed), "some overtake others");
        let most = Span::from_mins(30);
        assert!(late.iter().all(|one| one.at >= one.observed && one.at - one.observed < most));
        let mut again: Vec<Sent> = late.into_iter().map(|one| Sent { at: one.observed, ..one }).collect();
        again.sort_by_key(|one| one.observed);
        assert_eq!(again, sent);
    }

    #[test]
    fn faults_do_what_they_say() {
        check("{ dropout = { from = 1, to = 3 } }", &[(0, 0.0), (3, 3.0)]);
        check(
            "{ dropout = { stations = ['weir'], from = 1, to = 3 } }",
            &[(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)],
        );
        check("{ burst = { from = 1, to = 3 } }", &[(0, 0.0), (3, 1.0), (3, 2.0), (3, 3.0)]);
        check("{ stuck = { from = 1, to = 3 } }", &[(0, 0.0), (1, 1.0), (2, 1.0), (3, 3.0)]);
        check("{ spike = { station = 'ford', at = 1, by = 9 } }", &[(0, 0.0), (1, 10.0), (2, 2.0), (3, 3.0)]);
        check("{ duplicates = { share = 0.0 } }", &[(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]);
        let twice = [(0, 0.0), (0, 0.0), (1, 1.0), (1, 1.0), (2, 2.0), (2, 2.0), (3, 3.0), (3, 3.0)];
        check("{ duplicates = { share = 1.0 } }", &twice);
    }

    #[test]
    fn a_stuck_station_holds_each_of_its_quantities_at_its_own_value() {
        let reading = |minute: i64, quantity: &str, value: f64| {
            let at = START + Span::from_mins(minute);
            Sent { at, observed: at, station: "ford".into(), quantity: quantity.into(), value }
        };
        let sent = vec![
            reading(0, "level", 1.0),
            reading(0, "rain", 20.0),
            reading(1, "level", 2.0),
            reading(1, "rain", 0.0),
        ];
        let stuck = Fault::Stuck(Window { stations: vec![], from: 0.0, to: 1.0 });
        let left = stuck.befall(sent, START, Random::new(1, "fault"));
        assert_eq!(left.iter().map(|one| one.value).collect::<Vec<_>>(), [1.0, 20.0, 1.0, 20.0]);
    }
}
