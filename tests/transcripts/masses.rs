//! Very many at once.

use forewarn_core::engine::OUTPUTS_MAX;
use forewarn_core::ids::SensorIx;
use forewarn_core::level::Level;
use forewarn_core::plan::Raise;
use forewarn_core::warning::{Kind, Reason};

use crate::bench::{Bench, mins};
use crate::site::{LEVELS, area, gauge, river_level, route, rule, site};

/// A gauge in each of 10,000 areas crosses orange in one minute, and has to
/// stay there for ten: one instant at which all of them alert.
#[test]
fn ten_thousand_areas_at_once() {
    const AREAS: u32 = 10_000;
    let mut plan = site();
    for n in 0..AREAS {
        let area = area(&mut plan, &format!("a-{n:05}"));
        gauge(&mut plan, &format!("g-{n:05}"), area, &[]);
    }
    river_level(&mut plan, LEVELS);
    rule(&mut plan).raise = [Raise { m: 1, n: 1, lasting: mins(10) }; 4];
    route(&mut plan, "duty", Level::Blue);
    let mut bench = Bench::start(plan);
    let all = |bench: &mut Bench, value: f64| (0..AREAS).for_each(|n| bench.read(SensorIx(n), value));
    all(&mut bench, 2.0);
    bench.pass(mins(5));
    all(&mut bench, 5.5);
    assert_eq!(bench.revisions.len(), 0, "they have to last");
    let ticks = bench.pass(mins(15));
    // Truth: ten thousand alerts at 0:15, in steps of at most so many decisions (two an area).
    let alerts =
        bench.revisions.iter().filter(|(after, it)| it.kind == Kind::Alert && *after == mins(15)).count();
    assert_eq!(alerts, AREAS as usize);
    assert!(
        ticks >= 2 * AREAS as usize / OUTPUTS_MAX && ticks <= 4 * AREAS as usize / OUTPUTS_MAX,
        "{ticks} ticks"
    );
    // The next reading bears it out.
    all(&mut bench, 5.5);
    let heard: std::collections::BTreeSet<_> =
        bench.revisions.iter().flat_map(|(_, it)| &it.due).map(|due| due.target).collect();
    assert_eq!(heard.len(), AREAS as usize, "each area's own duty officer");
    // All fall at 0:20; all are over at once, and nobody was told anything in between.
    for n in 2..14 {
        bench.pass(mins(10 * n));
        all(&mut bench, 2.0);
    }
    let mut said = bench.said();
    said.dedup();
    assert_eq!(said.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(), [Reason::Raised, Reason::Eased]);
    bench.over(20);
    assert_eq!(bench.revisions.len(), 2 * AREAS as usize);
    assert_eq!(bench.engine.incidents().count(), 0);
    bench
        .transcript
        .check("ten-thousand-areas-at-once", "A gauge in each of 10,000 areas crosses orange in one minute.");
}
