//! A scenario: a world and its faults in one file that a hydrologist can write.

use std::collections::BTreeSet;

use forewarn_core::time::Timestamp;
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::faults::Fault;
use crate::phenomena::AnyPhenomenon;
use crate::random::Random;
use crate::{Sent, in_order};

/// A scenario that can be played.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What happens, in a few words.
    pub title: String,
    /// Of all its chance.
    pub seed: u64,
    /// What happens to the place.
    phenomena: Vec<AnyPhenomenon>,
    /// In the order they befall the readings.
    pub faults: Vec<Fault>,
}

/// A scenario as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    seed: u64,
    /// By name of phenomenon, its configuration.
    world: toml::Table,
    #[serde(default)]
    faults: Vec<Fault>,
}

impl Scenario {
    /// Reads a file's text. What could not be played as written, or would do
    /// nothing (a fault of a station that is not there), is refused: a scenario
    /// that pretends less than it says would be taken for a service that copes.
    pub fn read(text: &str) -> Result<Scenario, toml::de::Error> {
        let Written { title, seed, world, faults } = toml::from_str(text)?;
        let phenomena = world.into_iter().map(phenomenon).collect::<Result<Vec<_>, _>>()?;
        let stations: BTreeSet<&str> = phenomena.iter().flat_map(|one| one.as_dyn().stations()).collect();
        for (number, fault) in (1..).zip(&faults) {
            if let Some(why) = fault.refuses(&stations) {
                return Err(serde::de::Error::custom(format!("fault {number}: {why}")));
            }
        }
        Ok(Scenario { title, seed, phenomena, faults })
    }

    /// All readings of its world from `start` on, with its faults, in the order they are sent.
    pub fn play(&self, start: Timestamp) -> Vec<Sent> {
        let world = self.phenomena.iter().flat_map(|one| one.as_dyn().play(start, self.seed)).collect();
        (1..).zip(&self.faults).fold(in_order(world), |sent, (number, fault)| {
            // Each its own chance: else the readings that come twice would be those that come late.
            fault.befall(sent, start, Random::new(self.seed, &format!("fault {number}")))
        })
    }
}

fn phenomenon((kind, written): (String, toml::Value)) -> Result<AnyPhenomenon, toml::de::Error> {
    let Some(read) = AnyPhenomenon::read(&kind, written.into_deserializer()) else {
        let known: Vec<&str> = AnyPhenomenon::KINDS.iter().map(|(name, _)| *name).collect();
        let message = format!("phenomenon {kind:?} is unknown, expected one of {}", known.join(", "));
        return Err(serde::de::Error::custom(message));
    };
    let phenomenon = read?;
    match phenomenon.as_dyn().refuses() {
        Some(why) => Err(serde::de::Error::custom(format!("{kind}: {why}"))),
        None => Ok(phenomenon),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_reads_and_an_unknown_phenomenon_is_named() {
        let text = r#"
            title = "a gauge falls silent"
            seed = 7
            world = { flood = { hours = 6.0, gauges = [{ station = "ford", travel_hours = 0.0, zero_m = 55.0, a = 40.0 }] } }
            faults = [{ dropout = { from = 2.0, to = 3.0 } }]
        "#;
        let start = Timestamp::from_secs(1_780_000_000);
        let scenario = Scenario::read(text).expect("well written");
        assert_eq!(scenario.play(start).len(), 25 - 4);
        let error = Scenario::read(&text.replace("flood", "lahar")).expect_err("no such phenomenon");
        assert!(error.to_string().contains("expected one of flood"), "{error}");
        for (was, is, why) in [
            ("hours = 6.0", "hours = -6.0", "flood: hours is -6, expected 0 to 1000"),
            ("hours = 6.0", "interval_minutes = 0.0", "flood: interval_minutes is 0, expected 0.1 to 1440"),
            ("a = 40.0", "a = nan", "flood: a of gauge \"ford\" is NaN, expected 0.001 to 1000000"),
            (
                "[{ station = \"ford\", travel_hours = 0.0, zero_m = 55.0, a = 40.0 }]",
                "[]",
                "flood: no gauge, expected one at least",
            ),
            (
                "from = 2.0",
                "stations = ['fort'], from = 2.0",
                "fault 1: station \"fort\" is not in the world, expected one of ford",
            ),
            (
                "from = 2.0",
                "from = 4.0",
                "fault 1: it is from 4 to 3, expected hours of the story in their order",
            ),
            (
                "{ dropout = { from = 2.0, to = 3.0 } }",
                "{ duplicates = { share = 2.0 } }",
                "fault 1: share is 2, expected 0 to 1",
            ),
            (
                "{ dropout = { from = 2.0, to = 3.0 } }",
                "{ delay = { minutes = -1.0 } }",
                "fault 1: minutes is -1, expected 0 or more",
            ),
            (
                "{ dropout = { from = 2.0, to = 3.0 } }",
                "{ spike = { station = 'ford', at = 1.0, by = inf } }",
                "fault 1: by is inf, expected a number of metres",
            ),
        ] {
            assert!(text.contains(was), "{was}");
            let error = Scenario::read(&text.replace(was, is)).expect_err(is).to_string();
            assert!(error.contains(why), "{is}: {error}");
        }
    }

    #[test]
    fn two_faults_of_one_scenario_do_not_move_together() {
        let delays = |faults: &str| {
            // Less than the interval, so that none overtakes another.
            let text = format!(
                r#"
                title = "a slow link"
                seed = 7
                world = {{ flood = {{ hours = 6.0, gauges = [{{ station = "ford", travel_hours = 0.0, zero_m = 55.0, a = 40.0 }}] }} }}
                faults = [{faults}]
                "#
            );
            let played =
                Scenario::read(&text).expect("well written").play(Timestamp::from_secs(1_780_000_000));
            played.into_iter().map(|one| (one.at - one.observed).0 / 1_000_000).collect::<Vec<_>>()
        };
        let both = delays("{ delay = { minutes = 4.0 } }, { delay = { minutes = 4.0 } }");
        // Were their chance the same, each reading would be delayed twice by as much.
        assert_ne!(both, delays("{ delay = { minutes = 8.0 } }"));
        assert_eq!(both, delays("{ delay = { minutes = 4.0 } }, { delay = { minutes = 4.0 } }"));
    }
}
