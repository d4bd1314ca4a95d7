//! Rules rest while nothing stirs; that must never be noticed. A stage whose
//! rules may rest is held against one in which none ever does, as a rule that
//! keeps sums stands beside them and keeps them all sitting. Shown to fail when
//! `Watch::quiet` took a flat line for quiet.

mod common;

use common::{Bench, GAUGE, START, at, gauge_of, plan, rule, terms, threshold};
use forewarn_core::checks::Flat;
use forewarn_core::finding::{Finding, Found};
use forewarn_core::ids::{RuleIx, SourceIx};
use forewarn_core::plan::{LimitRow, Plan, Raise, Side, Terms};
use forewarn_core::reading::{Checked, Marks, Reading};
use forewarn_core::rules::{AnyRule, Rate, Slope};
use forewarn_core::sensing::StationStage;
use forewarn_core::time::{Span, Timestamp};
use proptest::prelude::*;

/// What happens to a gauge that should report every minute.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// It reports so many readings a minute apart, each so much above the one before.
    Runs(u8, f64, f64),
    /// It wavers about a value, so far and so many seconds apart, for so many readings.
    Wavers(u8, f64, f64, i64),
    /// It says the same for so many minutes.
    Stays(u8, f64),
    /// A reading from so many seconds ago.
    Late(i64, f64, Marks),
    /// The last late one once more, with the device's own counter.
    Again(u64),
    /// Nothing for so many seconds: not long enough to count as silent.
    Idles(i64),
    /// Nothing for so many minutes.
    Waits(u8),
    /// The source goes down, or comes back.
    Source(bool),
    /// Civil time is stepped by so many seconds, and can be trusted from then on or not.
    Clock(i64, bool),
    /// The stage goes through a snapshot.
    Restores,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let value = || prop_oneof![4 => 0.2..1.8, 1 => Just(2.0), 1 => 1.999_99..2.000_01, 2 => 2.0..10.5];
    let marks =
        prop_oneof![3 => Just(Marks::default()), 1 => Just(Marks::HISTORICAL), 1 => Just(Marks::RETAINED)];
    proptest::collection::vec(
        prop_oneof![
            8 => (1..60_u8, 0.2..1.5, -0.01..0.01).prop_map(|(count, from, by)| Deed::Runs(count, from, by)),
            2 => (1..4_u8, value(), -0.2..0.2).prop_map(|(count, from, by)| Deed::Runs(count, from, by)),
            4 => (1..40_u8, 0.4..1.5, 0.0..0.06, 40..80_i64).prop_map(|(count, about, by, apart)| Deed::Wavers(count, about, by, apart)),
            1 => (5..30_u8, 0.4..1.5, -0.06..0.06).prop_map(|(count, from, by)| Deed::Runs(count, from, by)),
            3 => (1..70_u8, prop_oneof![Just(1.0), 0.4..1.5, 2.0..10.5]).prop_map(|(count, value)| Deed::Stays(count, value)),
            2 => (prop_oneof![0..600_i64, Just(900), 600..6_000_i64], value(), marks).prop_map(|(secs, value, marks)| Deed::Late(secs, value, marks)),
            1 => (0..3_u64).prop_map(Deed::Again),
            2 => (1..180_i64).prop_map(Deed::Idles),
            1 => (4..90_u8).prop_map(Deed::Waits),
            1 => any::<bool>().prop_map(Deed::Source),
            1 => (-400..400_i64, prop::bool::weighted(0.7)).prop_map(|(by, trusted)| Deed::Clock(by, trusted)),
            1 => Just(Deed::Restores),
        ],
        1..40,
    )
}

/// A threshold with a season, one on the low side that wants two of three, and a slope.
fn judged() -> Plan {
    let mut seasonal = threshold();
    let row = |season, low: f64| LimitRow {
        from: Timestamp(0),
        season: Some(season),
        levels: [Some(low), Some(4.0), None, Some(8.0)],
    };
    let stricter = LimitRow { from: Timestamp::from_secs(START + 7_200), ..row((701, 701), 1.2) };
    seasonal.subjects[0].limits = vec![row((701, 701), 2.0), row((702, 630), 1.0), stricter].into();
    let mut low = threshold();
    low.side = Side::Below;
    low.subjects[0].limits[0].levels = [Some(0.3), None, None, Some(0.1)];
    low.raise = [Raise { m: 2, n: 3, lasting: Span::ZERO }; 4];
    let slope = rule(AnyRule::Slope(Slope { window: Span::from_mins(10) }));
    let (suspect, fail) = (Span::from_mins(12), Some(Span::from_mins(50)));
    let flat = Flat { suspect, fail, within: 0.02, normal: Some(1.0) };
    let gauge = gauge_of(Terms { max_age: Span::from_mins(2), flat: Some(flat), ..terms() });
    let mut plan = plan(gauge, vec![seasonal, low, slope]);
    plan.sources = vec!["broker".into()];
    plan
}

/// The same with a rule that never rests and never reaches anything.
fn judged_by_the_sleepless() -> Plan {
    let mut sums = rule(AnyRule::Rate(Rate { window: Span::from_mins(5) }));
    sums.subjects[0].limits[0].levels = [Some(1e9), None, None, None];
    let mut plan = judged();
    plan.rules.push(Some(sums));
    plan
}

fn play(plan: Plan, deeds: &[Deed]) -> (Vec<Found>, Vec<Checked>, Vec<Option<Timestamp>>) {
    let mut bench = Bench::new(plan);
    let (mut secs, mut last, mut dues) = (0, at(0, 1.0), vec![]);
    let mut checked = vec![];
    for &deed in deeds {
        match deed {
            Deed::Runs(count, from, by) => {
                for nth in 0..count {
                    secs += 60;
                    let reading = at(secs, from + by * f64::from(nth));
                    checked.push(bench.wait(secs).hand(reading));
                }
            }
            Deed::Wavers(count, about, by, apart) => {
                for nth in 0..i64::from(count) {
                    secs += apart + nth * 31 % 7;
                    let value = about + by * ((nth * nth * 37 % 11) as f64 / 11.0);
                    checked.push(bench.wait(secs).hand(at(secs, value)));
                }
            }
            Deed::Stays(count, value) => {
                for _ in 0..count {
                    secs += 60;
                    checked.push(bench.wait(secs).hand(at(secs, value)));
                }
            }
            Deed::Late(ago, value, marks) => {
                last = Reading { marks, ..at(secs - ago, value) };
                checked.push(bench.hand(last));
            }
            Deed::Again(seq) => checked.push(bench.hand(Reading { seq, ..last })),
            Deed::Idles(more) => {
                secs += more;
                bench.wait(secs);
            }
            Deed::Waits(minutes) => {
                secs += 60 * i64::from(minutes);
                bench.wait(secs);
                let Bench { stage, moment, found, .. } = &mut bench;
                stage.silence(GAUGE, *moment, found);
            }
            Deed::Source(up) => {
                let Bench { stage, moment, found, .. } = &mut bench;
                let act = if up { StationStage::source_up } else { StationStage::source_down };
                act(stage, SourceIx(0), *moment, found);
            }
            Deed::Clock(by, trusted) => {
                let Bench { stage, moment, found, .. } = &mut bench;
                moment.offset = moment.offset + Span::from_secs(by);
                moment.trusted = trusted;
                stage.clock(*moment, found);
            }
            Deed::Restores => bench.restore(),
        }
        dues.push(bench.stage.silence_due(GAUGE));
    }
    (bench.found, checked, dues)
}

/// What was found by rules that stand in both plans.
fn of_both(found: &[Found]) -> Vec<Found> {
    let sleepless = RuleIx(judged().rules.len() as u32);
    let is_its = |found: &&Found| matches!(found, Found::Finding(Finding { rule, .. }) if *rule == sleepless);
    found.iter().filter(|it| !is_its(it)).copied().collect()
}

proptest! {
    #[test]
    fn whether_rules_rest_makes_no_difference(deeds in deeds()) {
        let (resting, checked, dues) = play(judged(), &deeds);
        let (sleepless, checked_too, dues_too) = play(judged_by_the_sleepless(), &deeds);
        prop_assert_eq!(checked, checked_too);
        prop_assert_eq!(dues, dues_too);
        prop_assert_eq!(of_both(&resting), of_both(&sleepless));
    }
}
