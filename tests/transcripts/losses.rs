//! What falls silent together.

use forewarn_core::checks::Flat;
use forewarn_core::ids::SensorIx;
use forewarn_core::level::Level;
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Kind, Reason, TroubleCode};

use crate::bench::{Bench, mins};
use crate::site::{LEVELS, area, ford, gauge, river_level, route, rule, site};

/// 120 gauges behind `gw-north`, twenty behind `gw-south`; one of the north is in flood.
#[test]
fn one_gateways_120_gauges_lost() {
    const NORTH: u32 = 120;
    const ALL: u32 = 140;
    let mut plan = site();
    let (north, south) = (area(&mut plan, "north"), area(&mut plan, "south"));
    for n in 0..NORTH {
        gauge(&mut plan, &format!("n-{n:03}"), north, &["gw-north"]);
    }
    for n in NORTH..ALL {
        gauge(&mut plan, &format!("s-{n:03}"), south, &["gw-south"]);
    }
    river_level(&mut plan, LEVELS);
    route(&mut plan, "duty", Level::Blue);
    let mut bench = Bench::start(plan);
    // Each gauge reports every ten minutes in its own second; the gateway is gone from 1:00 to 3:00.
    for round in 0..34_i64 {
        for n in 0..ALL {
            let at = mins(10 * round) + Span::from_secs(i64::from(n) * 600 / i64::from(ALL));
            bench.pass(at);
            let gone = n < NORTH && at >= mins(60) && at < mins(180);
            if !gone {
                bench.read(SensorIx(n), if n == 7 && round < 20 { 4.5 } else { 2.0 });
            }
        }
    }
    // Truth: one outage, one notice, and it names the gateway and all it silenced.
    let notices = bench.troubles(TroubleCode::DomainSilent);
    assert_eq!(notices.iter().map(|(_, it)| it.kind).collect::<Vec<_>>(), [Kind::Alert, Kind::AllClear]);
    let (after, notice) = notices[0];
    assert!(notice.detail.contains("of 120 sensors behind gw-north are silent"), "{}", notice.detail);
    // Heard last just before 1:00 or up to ten minutes earlier; silent after three intervals, told within five minutes more.
    assert!(*after >= mins(80) && *after <= mins(95), "{after:?}");
    assert!(notices[1].0 >= mins(180) && notices[1].0 <= mins(190));
    assert_eq!(bench.troubles(TroubleCode::SensorSilent).len(), 0);
    // The one in flood: raised, lost, seen again, and over an hour after it fell at 3:20.
    assert_eq!(bench.reasons(), [Reason::Raised, Reason::Blind, Reason::Seen, Reason::Eased]);
    bench.over(200);
    bench.transcript.check(
        "one-gateways-120-gauges-lost",
        "A gateway with 120 gauges is gone for two hours; one of them is in flood.",
    );
    bench.replays();
}

/// Two of three must agree; what hangs on one gateway is one voice.
#[test]
fn k_of_n_behind_one_gateway() {
    let mut plan = site();
    let ford = area(&mut plan, "ford");
    for (station, gateway) in [("left", "gw-1"), ("right", "gw-1"), ("weir", "gw-2")] {
        gauge(&mut plan, station, ford, &[gateway]);
    }
    river_level(&mut plan, LEVELS);
    rule(&mut plan).corroboration = 2;
    route(&mut plan, "duty", Level::Blue);
    let mut bench = Bench::start(plan);
    // The gateway's clock fails: both its gauges say red for an hour; the weir is low.
    for round in 0..36_i64 {
        for n in 0..3 {
            bench.pass(mins(10 * round + i64::from(n)));
            let false_red = n < 2 && (6..12).contains(&round);
            // From 3:00 to 4:00 the flood is real: every gauge sees it.
            let real = (18..24).contains(&round);
            if n == 0 && round == 6 {
                bench.transcript.note(mins(60), "left and right say 7.00 m for an hour, weir 2.00 m");
            }
            bench.read(
                SensorIx(n),
                if false_red {
                    7.0
                } else if real {
                    5.5
                } else {
                    2.0
                },
            );
        }
    }
    // Truth: the hour of nonsense warns nobody; the flood does, when the second gateway confirms at 3:02.
    let said = bench.said();
    assert_eq!(bench.reasons(), [Reason::Raised, Reason::Eased]);
    // The first two to see it hang on one gateway; the third, of another, is heard at 3:02.
    assert_eq!(said[0].0, 182);
    assert_eq!(bench.revisions[0].1.level, Level::Orange);
    bench.over(242);
    bench.transcript.check(
        "k-of-n-behind-one-gateway",
        "Two gauges of one gateway cry wolf for an hour; later all three see a flood.",
    );
    bench.replays();
}

/// The flood takes the gauge with it: what it says from then on is low, always
/// the same, and no sign of safety.
#[test]
fn abuse_20_stuck_gauge_after_a_flood_gives_no_all_clear() {
    let play = |flat: Option<Flat>, hours: i64| {
        let mut plan = ford();
        plan.sensors[0].as_mut().expect("the gauge").flat = flat;
        let mut bench = Bench::start(plan);
        for round in 0..6 * hours {
            bench.pass(mins(10 * round));
            let ripple = f64::from((round % 7) as u8) / 100.0;
            bench.read(
                SensorIx(0),
                match round {
                    ..6 => 2.0 + ripple,
                    6..18 => 4.5 + ripple,
                    18..72 => 2.0,
                    72.. => 2.1 + ripple,
                },
            );
        }
        bench.replays();
        bench
    };
    // Nobody said how long it may stay the same: over by a gauge that is dead.
    assert_eq!(play(None, 12).reasons(), [Reason::Raised, Reason::Eased]);
    let hour = Flat { suspect: mins(60), fail: None, within: 0.0, normal: None };
    let stuck = play(Some(hour), 12);
    // For eight hours of the same no all-clear, and what stands is renewed before it expires.
    assert_eq!(stuck.reasons(), [Reason::Raised, Reason::Blind, Reason::Renewed]);
    // The hour is over with the reading of 4:00; as of any gauge that is lost, it is told five minutes later.
    assert_eq!(stuck.said()[1].0, 245);
    let of_it = stuck.revisions.iter().filter(|(_, it)| matches!(it.about, About::Incident(_)));
    let told: Vec<(Level, bool)> = of_it.map(|(_, it)| (it.level, it.stale)).collect();
    let (seen, lost) = ((Level::Yellow, false), (Level::Yellow, true));
    assert_eq!(told, [seen, lost, lost], "to be taken for as high as it was");
    // Mended at noon: seen again, and over by what lives, one hold later.
    let mended = play(Some(hour), 16);
    let reasons = [Reason::Raised, Reason::Blind, Reason::Renewed, Reason::Seen, Reason::Eased];
    assert_eq!(mended.reasons(), reasons);
    let after = mended.said();
    assert_eq!(after[3].0, 720);
    assert!((780..=820).contains(&after[4].0), "{after:?}");
}
