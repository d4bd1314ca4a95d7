//! The shuffle law: any shuffle, duplication and splitting within lateness
//! gives the same settled verdicts as a naive reference that sorts first and
//! then evaluates everything from the beginning, for every rule kind. The same
//! reference says what the tip must be.
//!
//! Shown to fail on planted defects, tried by hand one at a time:
//! - `Ladder::fell_short` letting a suspect reading leave a level: settled;
//! - `Watch::reading` judging every insertion with `Order::Kept` (the tip not
//!   rebuilt when order breaks): tip of every rule kind;
//! - `Watch::move_watermark` with `back = Span::ZERO` (settled at once, lateness
//!   ignored): late readings are refused, settled verdicts differ;
//! - `Trace::advance` keeping the memory of suspect readings: settled, rate;
//! - `Admission` inserting a known instant again instead of refusing it: m of n
//!   met by one measurement, settled;
//! - `Watch::follow_anew` beginning with no past, as if nothing had been before
//!   the window: settled.

mod common;

use common::{Bench, GAUGE, LEVELS, START, at, gauge, gauge_of, plan, rule, terms};
use forewarn_core::checks::Flat;
use forewarn_core::finding::{Verdict, Why};
use forewarn_core::ids::SourceIx;
use forewarn_core::level::Level;
use forewarn_core::plan::{Raise, Rule, Sensor, Side, Terms};
use forewarn_core::reading::Reading;
use forewarn_core::rules::{AnyRule, Rate, Slope, Threshold};
use forewarn_core::time::{Span, Timestamp};
use proptest::prelude::*;

// ---- The reference: slow, plain, and written without a look at the stage. ----

#[derive(Debug, Clone, Copy, PartialEq)]
enum Quality {
    Good,
    Suspect,
    Bad,
}

/// Flag and value held in the span; whether at its high or low end.
fn quality(value: f64, sensor: &Sensor) -> (Quality, f64, Option<bool>) {
    let (low, high) = sensor.span.expect("the reference's gauge has a span");
    if value > high {
        (Quality::Bad, high, Some(true))
    } else if value < low {
        (Quality::Bad, low, Some(false))
    } else if value >= high || value <= low {
        (Quality::Suspect, value, Some(value >= high))
    } else if sensor.suspect.is_some_and(|(a, b)| value < a || value > b) {
        (Quality::Suspect, value, None)
    } else {
        (Quality::Good, value, None)
    }
}

fn hours(from: Timestamp, to: Timestamp) -> f64 {
    (to.0 - from.0) as f64 / 3.6e9
}

/// What a kind measures of points in order, the last one being judged.
fn measure(kind: &AnyRule, points: &[(Timestamp, f64)]) -> Option<f64> {
    let (last, value) = *points.last()?;
    let window = match kind {
        AnyRule::Threshold(_) => return Some(value),
        AnyRule::Rate(rate) => rate.window,
        AnyRule::Slope(slope) => slope.window,
    };
    let mut seen: Vec<(f64, f64)> = points
        .iter()
        .filter(|(at, _)| last.0 - at.0 <= window.0)
        .map(|(at, y)| (hours(points[0].0, *at), *y))
        .collect();
    let fewest = if matches!(kind, AnyRule::Rate(_)) { 3 } else { 5 };
    let reach = seen.last()?.0 - seen.first()?.0;
    if seen.len() < fewest || reach * 2.0 < window.as_secs_f64() / 3600.0 - 1e-9 {
        return None;
    }
    let n = seen.len() as f64;
    if matches!(kind, AnyRule::Rate(_)) {
        let (t, y) = seen.iter().fold((0.0, 0.0), |(a, b), (t, y)| (a + t / n, b + y / n));
        let over: f64 = seen.iter().map(|(a, b)| (a - t) * (b - y)).sum();
        return Some(over / seen.iter().map(|(a, _)| (a - t).powi(2)).sum::<f64>());
    }
    let mut slopes = vec![];
    let mut s = 0.0;
    for i in 0..seen.len() {
        for j in i + 1..seen.len() {
            slopes.push((seen[j].1 - seen[i].1) / (seen[j].0 - seen[i].0));
            s += (seen[j].1 - seen[i].1).partial_cmp(&0.0).map_or(0.0, |order| f64::from(order as i8));
        }
    }
    seen.sort_by(|a, b| a.1.total_cmp(&b.1));
    let ties: f64 = seen
        .chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq())
        .map(|group| group.len() as f64)
        .map(|t| t * (t - 1.0) * (2.0 * t + 5.0))
        .sum();
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    if variance <= 0.0 || (s.abs() - 1.0) / variance.sqrt() <= 1.959_964 {
        return Some(0.0);
    }
    slopes.sort_by(f64::total_cmp);
    let half = slopes.len() / 2;
    Some(if slopes.len() % 2 == 1 { slopes[half] } else { f64::midpoint(slopes[half - 1], slopes[half]) })
}

/// Whether the last of some readings that measured something is one too many
/// that says the same: the first of them in front, each with whether it stood
/// at an end of the span.
fn flat_line(seen: &[(Timestamp, f64, bool)], sensor: &Sensor) -> Quality {
    let Some(flat) = sensor.flat else { return Quality::Good };
    let same = |a: f64, b: f64| (a - b).abs() <= flat.within;
    // Each reading goes with the first that it is like, unless something else came in between.
    let mut first = 0;
    for (nth, (_, value, at_end)) in seen.iter().enumerate() {
        let may_stay = *at_end || flat.normal.is_some_and(|normal| same(*value, normal));
        if may_stay {
            first = nth + 1;
        } else if !same(*value, seen[first].1) {
            first = nth;
        }
    }
    let Some(run) = seen.get(first..).filter(|run| !run.is_empty()) else { return Quality::Good };
    let lasted = run[run.len() - 1].0.0 - run[0].0.0;
    let is_for = |span: Span| lasted >= span.0 && run.len() as i64 * sensor.interval.0 > span.0;
    match (flat.fail.is_some_and(is_for), is_for(flat.suspect)) {
        (true, _) => Quality::Bad,
        (false, true) => Quality::Suspect,
        (false, false) => Quality::Good,
    }
}

/// Evaluates sorted readings from the beginning.
fn reference(readings: &[Reading], sensor: &Sensor, rule: &Rule) -> Verdict {
    let sign = if rule.side == Side::Above { 1.0 } else { -1.0 };
    let mut verdict = Verdict::Unknown(Why::Warming);
    let mut good: Vec<(Timestamp, f64)> = vec![];
    // By level: did each counted reading breach; observed since the condition holds; held.
    let mut bits: Vec<Vec<bool>> = vec![vec![]; 4];
    let mut since: Vec<Option<Timestamp>> = vec![None; 4];
    let mut held = [false; 4];
    // The same without suspect readings, only to know what a credible rise is.
    let (mut sound_bits, mut sound_since, mut sound_held) = (bits.clone(), since.clone(), held);
    let mut pinned = false;
    let mut seen: Vec<(Timestamp, f64, bool)> = vec![];
    for (nth, reading) in readings.iter().enumerate() {
        // A rise older than sixteen readings proves nothing.
        let recent = readings[nth.saturating_sub(16)].observed;
        let (mut quality, value, end) = quality(reading.value, sensor);
        if quality != Quality::Bad {
            seen.push((reading.observed, value, end.is_some()));
            quality = match (quality, flat_line(&seen, sensor)) {
                (_, Quality::Bad) => Quality::Bad,
                (Quality::Suspect, _) | (_, Quality::Suspect) => Quality::Suspect,
                (quality, Quality::Good) => quality,
            };
        }
        let last = good
            .iter()
            .rev()
            .take_while(|(at, _)| *at >= recent)
            .take(3)
            .map(|(_, y)| sign * y)
            .collect::<Vec<_>>();
        let rising =
            last.len() > 1 && last.windows(2).all(|w| w[0] >= w[1]) && last[0] > last[last.len() - 1];
        let breaching = sound_held.contains(&true) || sound_bits.iter().any(|b| b.last() == Some(&true));
        let danger_end = end == Some(rule.side == Side::Above);
        let censored = quality != Quality::Good && danger_end && (pinned || breaching || rising);
        if quality == Quality::Bad && !censored {
            verdict = Verdict::Unknown(Why::BadData);
            continue;
        }
        let mut points = good.clone();
        points.push((reading.observed, value));
        if quality == Quality::Good {
            good.clone_from(&points);
        }
        let highest = |held: &[bool; 4]| held.iter().rposition(|h| *h).map(|at| Level::WARNING[at]);
        let Some(measured) = measure(&rule.kind, &points) else {
            verdict = match highest(&held) {
                Some(level) if censored => Verdict::Breach(level),
                _ => Verdict::Unknown(Why::TooFew),
            };
            continue;
        };
        let mut any = false;
        let mut climb = |bits: &mut Vec<Vec<bool>>,
                         since: &mut Vec<Option<Timestamp>>,
                         held: &mut [bool; 4]| {
            for at in 0..4 {
                let limit = sign * rule.subjects[0].limits[0].levels[at].expect("all four limits are given");
                let breach = sign * measured >= limit - 1e-9;
                any |= breach;
                if !breach && quality != Quality::Good {
                    continue;
                }
                bits[at].push(breach);
                let raise = rule.raise[at];
                let recent = bits[at].iter().rev().take(raise.n.into()).filter(|b| **b).count();
                since[at] = (recent >= raise.m.into()).then(|| since[at].unwrap_or(reading.observed));
                if breach && since[at].is_some_and(|from| reading.observed.0 - from.0 >= raise.lasting.0) {
                    held[at] = true;
                }
                if !breach && sign * measured <= limit - rule.deadband + 1e-9 {
                    held[at] = false;
                }
            }
        };
        climb(&mut bits, &mut since, &mut held);
        if quality == Quality::Good || censored {
            climb(&mut sound_bits, &mut sound_since, &mut sound_held);
        }
        pinned = censored;
        verdict = match highest(&held) {
            Some(level) if quality == Quality::Good || censored || any => Verdict::Breach(level),
            None if quality == Quality::Good => Verdict::Clear,
            _ => Verdict::Unknown(Why::Suspect),
        };
    }
    verdict
}

// ---- Random histories. ----

#[derive(Debug, Clone)]
struct Arrival {
    due: i64,
    reading: Reading,
}

#[derive(Clone)]
struct History {
    sensor: Sensor,
    rule: Rule,
    arrivals: Vec<Arrival>,
    snapshot_at: usize,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let History { sensor, rule, arrivals, snapshot_at } = self;
        let Rule { kind, side, raise, deadband, .. } = rule;
        writeln!(f, "{kind:?} {side:?} {:?}", rule.subjects[0].limits[0].levels)?;
        writeln!(f, "raise {raise:?} deadband {deadband}")?;
        writeln!(
            f,
            "lateness {}, credible {:?}, {:?}, snapshot at {snapshot_at}",
            sensor.lateness, sensor.suspect, sensor.flat
        )?;
        arrivals.iter().try_for_each(|Arrival { due, reading }| {
            writeln!(f, "{due} s: {} at {} s", reading.value, reading.observed.as_secs() - START)
        })
    }
}

fn kinds() -> impl Strategy<Value = AnyRule> {
    prop_oneof![
        Just(AnyRule::Threshold(Threshold {})),
        Just(AnyRule::Rate(Rate { window: Span::from_mins(8) })),
        Just(AnyRule::Slope(Slope { window: Span::from_mins(9) })),
    ]
}

fn raises() -> impl Strategy<Value = Raise> {
    prop_oneof![
        Just(Raise::default()),
        Just(Raise { m: 2, n: 3, lasting: Span::ZERO }),
        Just(Raise { m: 1, n: 1, lasting: Span::from_mins(3) }),
        Just(Raise { m: 2, n: 4, lasting: Span::from_mins(2) }),
    ]
}

prop_compose! {
    fn flats()(
        suspect in 3_i64..40,
        more in prop::option::of(1_i64..20),
        within in prop::sample::select(vec![0.0, 0.25, 0.6]),
        normal in prop::option::of(prop::sample::select(vec![2.0, 5.0])),
    ) -> Flat {
        let fail = more.map(|more| Span::from_mins(suspect + more));
        Flat { suspect: Span::from_mins(suspect), fail, within, normal }
    }
}

prop_compose! {
    fn rules()(
        kind in kinds(),
        raise in prop::array::uniform4(raises()),
        deadband in prop::sample::select(vec![0.0, 0.31, 1.17]),
        below in any::<bool>(),
    ) -> Rule {
        let rates = kind.as_dyn().measures_rate();
        let mut rule = Rule { raise, deadband, side: if below { Side::Below } else { Side::Above }, ..rule(kind) };
        // Off the grid of values, so that no rounding decides; a rate is a few metres an hour.
        let limit = |limit: f64| if rates { limit * 5.0 + 0.123 } else { limit + 0.123 };
        let limits = LEVELS.map(|level| level.map(limit));
        rule.subjects[0].limits[0].levels =
            if below { limits.map(|level| level.map(|level| if rates { -level } else { 10.0 - level })) } else { limits };
        rule
    }
}

prop_compose! {
    fn histories()(
        rule in rules(),
        lateness in prop::sample::select(vec![0_i64, 60, 300, 600]),
        narrow in any::<bool>(),
        flat in prop::option::of(flats()),
        // So often the gauge says what it said before.
        stays in prop::sample::select(vec![0.0, 0.6, 0.9, 0.98]),
        steps in prop::collection::vec(
            // Seconds after the one before, step of the walk, a leap instead, seconds late, a repeat so much later.
            (31_i64..130, -4_i32..=5, prop::option::weighted(0.12, -1_i32..=44), (0.0..=1.0_f64, 0.0..=1.0_f64), prop::option::weighted(0.2, 0_i64..400)),
            1..70,
        ),
        snapshot_at in 0_usize..70,
    ) -> History {
        let sensor = gauge_of(Terms {
            lateness: Span::from_secs(lateness),
            max_age: Span::from_hours(24),
            suspect: narrow.then_some((1.0, 9.0)),
            flat,
            ..terms()
        });
        let mut arrivals = vec![];
        let (mut secs, mut walk) = (0, 8_i32);
        for (nth, (gap, step, leap, (late, chance), repeat)) in steps.into_iter().enumerate() {
            secs += gap;
            walk = (walk + if chance < stays { 0 } else { step }).clamp(0, 40);
            let value = f64::from(leap.unwrap_or(walk)) / 4.0;
            let reading = Reading { source: SourceIx(nth as u32 % 2), ..at(secs, value) };
            let due = secs + (late * lateness as f64) as i64;
            arrivals.push(Arrival { due, reading });
            if let Some(later) = repeat {
                arrivals.push(Arrival { due: due + later, reading: Reading { source: SourceIx(7), ..reading } });
            }
        }
        arrivals.sort_by_key(|arrival| arrival.due);
        History { sensor, rule, arrivals, snapshot_at }
    }
}

fn check(history: &History) -> Result<(), TestCaseError> {
    let History { sensor, rule, arrivals, snapshot_at } = history;
    let mut bench = Bench::new(plan(sensor.clone(), vec![rule.clone()]));
    let mut known: Vec<Reading> = vec![];
    let mut late: Vec<Verdict> = vec![];
    for (nth, arrival) in arrivals.iter().enumerate() {
        if nth == *snapshot_at {
            bench.restore();
        }
        bench.wait(arrival.due).hand(arrival.reading);
        let is_new = known.iter().all(|other| other.observed != arrival.reading.observed);
        if is_new {
            known.push(arrival.reading);
        }
        known.sort_by_key(|reading| reading.observed);
        let newest = known.last().expect("one was just pushed").observed.0;
        let on_time = |reading: &&Reading| match sensor.lateness.0 {
            0 => reading.observed.0 <= newest,
            lateness => reading.observed.0 < newest - lateness,
        };
        let settled: Vec<Reading> = known.iter().filter(on_time).copied().collect();
        let finding = bench.finding(0);
        prop_assert_eq!(finding.settled, reference(&settled, sensor, rule), "settled after arrival {}", nth);
        let tip = reference(&known, sensor, rule);
        // What comes late and would have warned in its order is told until the next
        // new arrival, though newer readings do not stand so high.
        if is_new {
            let place = known.iter().position(|reading| reading.observed == arrival.reading.observed);
            let after = place.map_or(known.len(), |place| place + 1);
            late = (after..known.len()).map(|upto| reference(&known[..upto], sensor, rule)).collect();
        }
        let is_late_news = finding.tip.level() > tip.level() && late.contains(&finding.tip);
        prop_assert!(
            finding.tip == tip || is_late_news,
            "tip after arrival {}: {:?}, not {:?}",
            nth,
            finding.tip,
            tip
        );
    }
    let state = bench.stage.sensor_state(GAUGE).expect("the gauge is in the plan");
    prop_assert_eq!(state.conflicts(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_within_lateness_settles_as_sorting_first_would(history in histories()) {
        check(&history)?;
    }
}

#[test]
fn the_reference_sees_breaches_at_all() {
    // A law over histories in which nothing happens would hold for any stage.
    let readings: Vec<Reading> = (0..10).map(|n| at(n * 60, 1.0 + n as f64)).collect();
    assert!(readings[0].observed == Timestamp::from_secs(START));
    for kind in [
        AnyRule::Threshold(Threshold {}),
        AnyRule::Rate(Rate { window: Span::from_mins(8) }),
        AnyRule::Slope(Slope { window: Span::from_mins(9) }),
    ] {
        let verdict = reference(&readings[..9], &gauge(), &rule(kind.clone()));
        assert_eq!(verdict, Verdict::Breach(Level::Red), "{kind:?}");
    }
}
