use forewarn_core::time::{Span, Timestamp};

use super::*;

fn day(days: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000) + DAY.times(days)
}

fn thing(life_days: i64) -> Thing {
    let (subject, what) = ("listener.tls.cert".to_owned(), "certificate".to_owned());
    Thing { subject, what, began: day(-life_days), ends: day(0) }
}

#[test]
fn a_stage_is_reached_a_month_a_week_and_a_day_before() {
    use Stage::{Day, Month, Over, Week};
    // days of its life, days left, the stage
    for (life, left, expected) in [
        (365, 31, None),
        (365, 30, Some(Month)),
        (365, 8, Some(Month)),
        (365, 7, Some(Week)),
        (365, 2, Some(Week)),
        (365, 1, Some(Day)),
        (365, 0, Some(Over)),
        (365, -400, Some(Over)),
        (90, 29, Some(Month)),
        // What lives hardly longer than a stage would be told of it as soon as it is made.
        (60, 29, None),
        (45, 6, Some(Week)),
        (14, 6, None),
        (14, 1, Some(Day)),
        (2, 1, None),
        (2, 0, Some(Over)),
    ] {
        assert_eq!(thing(life).stage(day(-left)), expected, "life of {life} d, {left} d left");
    }
    assert_eq!(thing(365).stage(day(-30) - Span(1)), None);
    assert_eq!(thing(365).stage(day(0) - Span(1)), Some(Day));
}

#[test]
fn each_stage_is_told_in_words_of_its_own_and_the_end_under_another_name() {
    let settings = Settings::default();
    let told = |left: i64| thing(365).told(day(-left), &settings).map(|(key, detail)| (key.code, detail));
    let (month, week, one, over) = (told(20), told(5), told(1), told(-3));
    assert_eq!(told(300), None);
    let words = |it: &Option<(TroubleCode, String)>| {
        it.as_ref().map(|(_, detail)| detail.replace(|c: char| c.is_ascii_digit(), ""))
    };
    assert_ne!(words(&month), words(&week), "the engine takes other words for news, and no smaller figures");
    assert_ne!(words(&week), words(&one));
    assert_eq!(month.map(|it| it.0), Some(TroubleCode::EndsSoon));
    let (code, detail) = over.expect("it is over");
    assert_eq!(code, TroubleCode::HasEnded);
    assert_eq!(detail, "certificate has ended, on 2027-01-15 08:00");
}
