use super::*;
use crate::channels::png::tests::dimensions;
use crate::channels::sample::{self, NOW};

fn flood() -> Chart {
    Chart::of(&sample::evidence(), &sample::plan(), "en", NOW, &sample::rising())
        .expect("the plan has the sensor")
}

#[test]
fn the_same_chart_is_the_same_bytes() {
    let chart = flood();
    assert_eq!(chart.limits.len(), 4);
    let drawn = chart.draw().expect("a chart");
    assert_eq!(dimensions(&drawn), (600, 240));
    assert_eq!(drawn, chart.draw().expect("a chart"));
    assert!(drawn.len() < 60_000, "{} bytes are too many for a mail", drawn.len());
    if let Some(path) = std::env::var_os("FOREWARN_CHART") {
        std::fs::write(path, drawn).expect("written");
    }
}

#[test]
fn whatever_is_there_is_drawn() {
    let at = |mins| NOW - Span::from_mins(mins);
    for points in [
        vec![],
        vec![(at(5), 59.1)],
        vec![(at(10), 59.1), (at(5), 59.1)],
        vec![(at(5), f64::MAX), (at(4), f64::MIN)],
        vec![(at(5), f64::NAN), (at(4), f64::INFINITY)],
        vec![(Timestamp::MIN, 1.0), (Timestamp::MAX, 2.0)],
        vec![(at(10), 1e-300), (at(5), 2e-300)],
        vec![(at(5), 1e15), (at(4), 1e15 + 1.0)],
    ] {
        for limits in
            [vec![], vec![(Level::Red, 60.0)], vec![(Level::Red, 60.0); 40], vec![(Level::Blue, f64::NAN)]]
        {
            let chart = Chart { points: points.clone(), limits, ..flood() };
            assert_eq!(dimensions(&chart.draw().expect("a chart")), (WIDTH, HEIGHT), "{points:?}");
        }
    }
    let reversed = Chart { from: NOW, to: NOW - Span::from_hours(1), ..flood() };
    assert!(reversed.draw().is_ok());
    let named = Chart { title: "曲江\u{202e}/水位".repeat(30), datum: "吴淞".into(), ..flood() };
    assert!(named.draw().is_ok());
}

#[test]
fn failed_readings_and_foreign_limits_are_not_drawn() {
    let mut readings = sample::rising();
    readings[3].checked.flag = Flag::Fail;
    let chart = Chart::of(&sample::evidence(), &sample::plan(), "en", NOW, &readings).expect("a chart");
    assert_eq!(chart.points.len(), readings.len() - 1);
    let rate = Evidence { rule: forewarn_core::ids::RuleIx(1), ..sample::evidence() };
    assert_eq!(Chart::of(&rate, &sample::plan(), "en", NOW, &readings).expect("a chart").limits, vec![]);
    let gone = Evidence { sensor: forewarn_core::ids::SensorIx(99), ..sample::evidence() };
    assert_eq!(Chart::of(&gone, &sample::plan(), "en", NOW, &readings), None);
}

#[test]
fn a_chart_bears_the_name_that_its_font_has() {
    let of = |language| {
        Chart::of(&sample::evidence(), &sample::plan(), language, NOW, &[]).expect("the plan has the sensor")
    };
    let long = Chart { name: "Qujiang ".repeat(12), ..of("en") };
    for (chart, heading) in
        [(of("en"), "Qujiang (qj-017/level)"), (of("zh"), "qj-017/level"), (long, "qj-017/level")]
    {
        assert_eq!(chart.heading(), heading);
        assert_eq!(
            chart.subheading(),
            "m, 1985-national · 12 h to 2026-07-14 03:20 Asia/Shanghai (UTC+08:00)"
        );
    }
    assert_eq!(of("zh").name, "曲江 (qj-017/level)");
}
