//! A flood wave down a river of gauges.
//!
//! Rain becomes runoff by the SCS curve number, runoff a triangular unit
//! hydrograph (SCS, National Engineering Handbook part 630), the wave travels
//! by Muskingum routing, and a rating curve Q = a (h - h0)^b turns flow into level.

use std::ops::RangeInclusive;

use forewarn_core::time::{Span, Timestamp};
use serde::Deserialize;

use super::Phenomenon;
use crate::random::Random;
use crate::{Sent, in_order};

/// Step of the hydrological computation.
const STEP: Span = Span::from_mins(5);

/// A storm over the upper catchment and the gauges below it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flood {
    /// Storm rain over the catchment, mm.
    pub rain_mm: f64,
    /// How long it rains, hours.
    pub storm_hours: f64,
    /// When it begins after the start, hours.
    pub begins_hours: f64,
    /// Catchment above the first gauge, km².
    pub area_km2: f64,
    /// Time of concentration, hours.
    pub concentration_hours: f64,
    /// SCS curve number, dimensionless.
    pub curve_number: f64,
    /// Flow before the storm, m³/s.
    pub base_m3s: f64,
    /// Standard deviation of a gauge's noise, m.
    pub noise_m: f64,
    /// How long it plays, hours.
    pub hours: f64,
    /// Minutes between two readings of a gauge.
    pub interval_minutes: f64,
    /// Down the river, the uppermost first.
    pub gauges: Vec<Gauge>,
}

/// One gauge.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gauge {
    /// Its station.
    pub station: String,
    /// Muskingum K of the reach above it, hours; 0 at the first gauge.
    pub travel_hours: f64,
    /// Muskingum X of that reach, dimensionless.
    #[serde(default = "x")]
    pub x: f64,
    /// Rating: level at which nothing flows, m in the gauge's datum.
    pub zero_m: f64,
    /// Rating: factor a, so that Q is in m³/s.
    pub a: f64,
    /// Rating: exponent b, dimensionless.
    #[serde(default = "b")]
    pub b: f64,
}

const fn x() -> f64 {
    0.2
}

const fn b() -> f64 {
    1.6
}

impl Flood {
    /// How configuration writes it.
    pub const EXAMPLE: &'static str = r#"flood = { rain_mm = 90.0, gauges = [{ station = "ford", travel_hours = 0.0, zero_m = 55.0, a = 40.0 }] }"#;

    /// Direct runoff of the storm, mm (SCS: S = 25400/CN - 254).
    fn runoff_mm(&self) -> f64 {
        let storage = 25_400.0 / self.curve_number - 254.0;
        let excess = self.rain_mm - 0.2 * storage;
        if excess <= 0.0 { 0.0 } else { excess * excess / (self.rain_mm + 0.8 * storage) }
    }

    /// Time to peak in hours, and peak flow in m³/s, of the triangular hydrograph.
    fn peak(&self) -> (f64, f64) {
        let to_peak = self.storm_hours / 2.0 + 0.6 * self.concentration_hours;
        (to_peak, 0.208 * self.area_km2 * self.runoff_mm() / to_peak)
    }

    /// Flow into the first gauge at `hours` after the start, m³/s.
    fn inflow(&self, hours: f64) -> f64 {
        let (to_peak, peak) = self.peak();
        let since = hours - self.begins_hours;
        // The triangle falls 1.67 times as slowly as it rises.
        let direct = if since <= 0.0 {
            0.0
        } else if since <= to_peak {
            peak * since / to_peak
        } else {
            (peak * (1.0 - (since - to_peak) / (1.67 * to_peak))).max(0.0)
        };
        self.base_m3s + direct
    }

    /// Flow at each gauge at each step, m³/s.
    fn flows(&self) -> Vec<Vec<f64>> {
        let dt = STEP.as_secs_f64() / 3600.0;
        let steps = libm::ceil(self.hours / dt) as usize + 1;
        let mut flow: Vec<f64> = (0..steps).map(|step| self.inflow(step as f64 * dt)).collect();
        let mut flows = Vec::with_capacity(self.gauges.len());
        for gauge in &self.gauges {
            if gauge.travel_hours > 0.0 {
                flow = muskingum(&flow, gauge.travel_hours, gauge.x, dt);
            }
            flows.push(flow.clone());
        }
        flows
    }
}

/// Routes a flow through a reach: O2 = C0 I2 + C1 I1 + C2 O1.
fn muskingum(inflow: &[f64], k: f64, x: f64, dt: f64) -> Vec<f64> {
    let divisor = 2.0 * k * (1.0 - x) + dt;
    let (c0, c1, c2) =
        ((dt - 2.0 * k * x) / divisor, (dt + 2.0 * k * x) / divisor, (2.0 * k * (1.0 - x) - dt) / divisor);
    let mut out = Vec::with_capacity(inflow.len());
    let mut last = inflow.first().copied().unwrap_or(0.0);
    let mut last_in = last;
    for &flow in inflow {
        // The method dips below nought at a steep front; a river does not.
        last = (c0 * flow + c1 * last_in + c2 * last).max(0.0);
        last_in = flow;
        out.push(last);
    }
    out
}

/// Hours that a story or a part of it may last: with the shortest interval, what a gauge then says fits in memory.
const HOURS: RangeInclusive<f64> = 0.0..=1000.0;

/// Why a number is refused, with what it is called; `None` where it lies in its range.
fn outside(name: &str, value: f64, range: &RangeInclusive<f64>) -> Option<String> {
    // Asked this way round, no number at all is refused too.
    let (low, high) = (range.start(), range.end());
    (!range.contains(&value)).then(|| format!("{name} is {value}, expected {low} to {high}"))
}

impl Gauge {
    fn refuses(&self) -> Option<String> {
        let numbers = [
            ("travel_hours", self.travel_hours, HOURS),
            ("x", self.x, 0.0..=0.5),
            ("zero_m", self.zero_m, -12_000.0..=9_000.0),
            ("a", self.a, 0.001..=1e6),
            ("b", self.b, 0.1..=10.0),
        ];
        let name = |name: &str| format!("{name} of gauge {:?}", self.station);
        numbers.into_iter().find_map(|(of, value, range)| outside(&name(of), value, &range))
    }
}

impl Phenomenon for Flood {
    fn refuses(&self) -> Option<String> {
        if self.gauges.is_empty() {
            return Some("no gauge, expected one at least".into());
        }
        let numbers = [
            ("rain_mm", self.rain_mm, 0.0..=5000.0),
            ("storm_hours", self.storm_hours, HOURS),
            ("begins_hours", self.begins_hours, HOURS),
            ("area_km2", self.area_km2, 0.0..=1e7),
            ("concentration_hours", self.concentration_hours, 0.01..=1000.0),
            ("curve_number", self.curve_number, 1.0..=100.0),
            ("base_m3s", self.base_m3s, 0.0..=1e6),
            ("noise_m", self.noise_m, 0.0..=100.0),
            ("hours", self.hours, HOURS),
            ("interval_minutes", self.interval_minutes, 0.1..=1440.0),
        ];
        let own = numbers.into_iter().find_map(|(name, value, range)| outside(name, value, &range));
        own.or_else(|| self.gauges.iter().find_map(Gauge::refuses))
    }

    fn stations(&self) -> Vec<&str> {
        self.gauges.iter().map(|gauge| gauge.station.as_str()).collect()
    }

    fn play(&self, start: Timestamp, seed: u64) -> Vec<Sent> {
        let every = (self.interval_minutes * 60.0 * 1e6) as i64;
        let readings = (self.hours * 3.6e9) as i64 / every.max(1);
        let mut sent = Vec::new();
        for (gauge, flow) in self.gauges.iter().zip(self.flows()) {
            let mut random = Random::new(seed, &gauge.station);
            for number in 0..=readings {
                let after = Span(number * every);
                let exact = after.0 as f64 / STEP.0 as f64;
                let (step, part) = (exact as usize, exact.fract());
                let next = flow[(step + 1).min(flow.len() - 1)];
                let q = flow[step.min(flow.len() - 1)] * (1.0 - part) + next * part;
                let level = gauge.zero_m + libm::pow(q / gauge.a, 1.0 / gauge.b);
                let measured = level + self.noise_m * random.normal();
                let at = start + after;
                sent.push(Sent {
                    at,
                    observed: at,
                    station: gauge.station.clone(),
                    quantity: "level".into(),
                    // A gauge resolves millimetres.
                    value: libm::round(measured * 1000.0) / 1000.0,
                });
            }
        }
        in_order(sent)
    }
}

impl Default for Flood {
    fn default() -> Self {
        Flood {
            rain_mm: 90.0,
            storm_hours: 4.0,
            begins_hours: 1.0,
            area_km2: 320.0,
            concentration_hours: 3.0,
            curve_number: 75.0,
            base_m3s: 25.0,
            noise_m: 0.005,
            hours: 36.0,
            interval_minutes: 15.0,
            gauges: vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn river() -> Flood {
        let gauge = |station: &str, travel_hours| Gauge {
            station: station.into(),
            travel_hours,
            x: x(),
            zero_m: 55.0,
            a: 40.0,
            b: b(),
        };
        Flood {
            gauges: vec![gauge("upper", 0.0), gauge("middle", 2.0), gauge("lower", 3.0)],
            ..Flood::default()
        }
    }

    #[test]
    fn the_hydrograph_matches_the_handbook() {
        // 50 km², 25 mm of runoff, Tc 3 h, D 0.4 h: Tp 2 h, qp 130 m³/s.
        // At curve number 100 all rain runs off.
        let flood = Flood { area_km2: 50.0, storm_hours: 0.4, rain_mm: 25.0, curve_number: 100.0, ..river() };
        let (to_peak, peak) = flood.peak();
        assert!((to_peak - 2.0).abs() < 1e-9 && (peak - 130.0).abs() < 0.1, "{to_peak} {peak}");
    }

    #[test]
    fn the_wave_comes_later_and_lower_down_the_river() {
        let flows = river().flows();
        let crest = |flow: &[f64]| {
            let (step, crest) = flow.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("not empty");
            (step, *crest)
        };
        let crests: Vec<(usize, f64)> = flows.iter().map(|flow| crest(flow)).collect();
        assert!(crests.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1), "{crests:?}");
        let volume = |flow: &[f64]| flow.iter().sum::<f64>();
        let (first, last) = (volume(&flows[0]), volume(&flows[2]));
        assert!((first - last).abs() / first < 0.02, "water is kept: {first} {last}");
    }

    #[test]
    fn the_same_seed_plays_the_same_flood() {
        let start = Timestamp::from_secs(1_780_000_000);
        assert_eq!(river().play(start, 7), river().play(start, 7));
        assert_ne!(river().play(start, 7), river().play(start, 8));
    }
}
