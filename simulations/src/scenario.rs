//! A scenario: a world, its faults, and what must come of it, in one file that
//! a hydrologist can write.

use forewarn_core::time::{Span, Timestamp};
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::faults::Fault;
use crate::phenomena::AnyPhenomenon;
use crate::{Sent, in_order};

/// A scenario as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What happens, in a few words.
    pub title: String,
    /// Of all its chance.
    pub seed: u64,
    /// By name of phenomenon, its configuration.
    world: toml::Table,
    /// In the order they befall the readings.
    #[serde(default)]
    pub faults: Vec<Fault>,
}

impl Scenario {
    /// Reads a file's text.
    pub fn read(text: &str) -> Result<Scenario, toml::de::Error> {
        let scenario: Scenario = toml::from_str(text)?;
        scenario.phenomena()?;
        Ok(scenario)
    }

    fn phenomena(&self) -> Result<Vec<AnyPhenomenon>, toml::de::Error> {
        self.world
            .iter()
            .map(|(kind, table)| {
                AnyPhenomenon::read(kind, table.clone().into_deserializer()).unwrap_or_else(|| {
                    let known: Vec<&str> = AnyPhenomenon::KINDS.iter().map(|(name, _)| *name).collect();
                    let message =
                        format!("phenomenon {kind:?} is unknown, expected one of {}", known.join(", "));
                    Err(serde::de::Error::custom(message))
                })
            })
            .collect()
    }

    /// All readings of its world from `start` on, with its faults, in the order they are sent.
    pub fn play(&self, start: Timestamp) -> Vec<Sent> {
        let phenomena = self.phenomena().expect("read() has read them once");
        let world = phenomena.iter().flat_map(|one| one.as_dyn().play(start, self.seed)).collect();
        self.faults.iter().fold(in_order(world), |sent, fault| fault.befall(sent, start, self.seed))
    }

    /// How long it plays.
    pub fn lasts(&self, start: Timestamp) -> Span {
        self.play(start).last().map_or(Span::ZERO, |sent| sent.at - start)
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
    }
}
