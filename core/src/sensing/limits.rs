//! Which limits are in force: by valid-from, by season, and with caution.

use crate::plan::{LimitRow, Settings, Side};
use crate::time::{Moment, Span, Timestamp};

/// Limit by level: blue, yellow, orange, red, in the rule's unit.
pub(crate) type Levels = [Option<f64>; 4];

/// A measure this close to a limit, relative to it, has reached it: a change of
/// unit or `zero - value` must not take a breach away.
const AT_LIMIT: f64 = 1e-9;

const DAY: i64 = Span::from_hours(24).0;

/// Whether a measure is at its limit, or on the dangerous side of it.
pub(crate) fn reaches(side: Side, measured: f64, limit: f64) -> bool {
    let slack = AT_LIMIT * limit.abs().max(1.0);
    match side {
        Side::Above => measured >= limit - slack,
        Side::Below => measured <= limit + slack,
    }
}

/// Whether a measure is back on the safe side of a limit by the whole deadband.
pub(crate) fn leaves(side: Side, measured: f64, limit: f64, deadband: f64) -> bool {
    let back = match side {
        Side::Above => reaches(Side::Below, measured, limit - deadband),
        Side::Below => reaches(Side::Above, measured, limit + deadband),
    };
    back && !reaches(side, measured, limit)
}

/// The limits for a reading observed at `observed`. While the clock cannot be
/// trusted, those of the newest rows, for each level the most cautious of any season.
pub(crate) fn in_force(
    rows: &[LimitRow],
    side: Side,
    observed: Timestamp,
    settings: &Settings,
    moment: Moment,
) -> Levels {
    if !moment.trusted {
        return cautious(rows, side);
    }
    let seasonal = rows.iter().any(|row| row.season.is_some());
    let day = if seasonal { day_of_year(settings.local(observed)) } else { 0 };
    let holds = |row: &&LimitRow| row.season.is_none_or(|season| in_season(day, season));
    let newest = rows
        .iter()
        .filter(|row| row.from <= observed)
        .filter(holds)
        .max_by_key(|row| (row.from, row.season.is_some()));
    // Before the first row holds, it holds already, as the first conversion does.
    let row = newest.or_else(|| rows.iter().filter(holds).min_by_key(|row| (row.from, row.season.is_none())));
    // A season that no row covers is no licence to judge by nothing.
    row.map_or_else(|| cautious(rows, side), |row| row.levels)
}

/// Until when, after `observed`, the same rows are sure to be in force.
pub(crate) fn holds_until(rows: &[LimitRow], observed: Timestamp, settings: &Settings) -> Timestamp {
    let later = rows.iter().map(|row| row.from).filter(|&from| from > observed);
    let next = later.min().unwrap_or(Timestamp::MAX);
    if rows.iter().all(|row| row.season.is_none()) {
        return next;
    }
    let local = settings.local(observed);
    let left = Span(DAY - local.0.rem_euclid(DAY));
    let same_day = |end: &Timestamp| {
        *end > observed && day_of_year(settings.local(*end - Span(1))) == day_of_year(local)
    };
    // A day on which clocks go forward is an hour shorter.
    let ends = [observed + left, observed + left - Span::from_hours(1)];
    next.min(ends.into_iter().find(same_day).unwrap_or(observed))
}

fn cautious(rows: &[LimitRow], side: Side) -> Levels {
    let mut levels = [None; 4];
    let newest =
        |row: &&LimitRow| !rows.iter().any(|other| other.season == row.season && other.from > row.from);
    for row in rows.iter().filter(newest) {
        for (level, limit) in levels.iter_mut().zip(row.levels) {
            *level = match (*level, limit, side) {
                (Some(a), Some(b), Side::Above) => Some(if a <= b { a } else { b }),
                (Some(a), Some(b), Side::Below) => Some(if a >= b { a } else { b }),
                (a, b, Side::Above | Side::Below) => a.or(b),
            };
        }
    }
    levels
}

fn in_season(day: u16, (first, last): (u16, u16)) -> bool {
    if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last }
}

/// Month * 100 + day of a civil instant (Hinnant, "chrono-compatible low-level date algorithms").
fn day_of_year(local: Timestamp) -> u16 {
    let days = local.0.div_euclid(DAY) + 719_468;
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (month * 100 + day) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ZoneOffset;

    const Y2020: i64 = 1_577_836_800;

    fn row(from: i64, season: Option<(u16, u16)>, red: f64) -> LimitRow {
        LimitRow { from: Timestamp::from_secs(from), season, levels: [None, None, None, Some(red)] }
    }

    #[test]
    fn days_of_the_year_come_out_of_civil_time() {
        for (secs, day) in [(0, 101), (-1, 1231), (951_782_400, 229), (951_868_800, 301), (Y2020, 101)] {
            assert_eq!(day_of_year(Timestamp::from_secs(secs)), day, "{secs}");
        }
    }

    #[test]
    fn limits_follow_date_and_season_and_caution() {
        let rows = [
            row(0, None, 9.0),
            row(Y2020, Some((1001, 531)), 5.0),
            row(Y2020, Some((601, 930)), 4.0),
            row(Y2020 + 86_400 * 366, Some((601, 930)), 4.5),
        ];
        let check = |at: i64, trusted: bool, red: f64| {
            let moment = Moment { trusted, ..Moment::default() };
            let settings = Settings::default();
            let got = in_force(&rows, Side::Above, Timestamp::from_secs(at), &settings, moment);
            assert_eq!(got[3], Some(red), "{at}");
        };
        check(Y2020 - 1, true, 9.0);
        check(Y2020, true, 5.0);
        check(Y2020 + 86_400 * 160, true, 4.0);
        check(Y2020 + 86_400 * 530, true, 4.5);
        check(Y2020 + 86_400 * 340, true, 5.0);
        check(0, false, 4.5);
        let below = in_force(
            &rows,
            Side::Below,
            Timestamp::default(),
            &Settings::default(),
            Moment { trusted: false, ..Moment::default() },
        );
        assert_eq!(below[3], Some(9.0));
    }

    #[test]
    fn limits_hold_until_the_next_row_or_the_end_of_the_local_day() {
        const HOUR: i64 = 3_600;
        let east = |from: i64, hours: i32| ZoneOffset {
            from: Timestamp::from_secs(from),
            east_secs: hours * HOUR as i32,
        };
        // Clocks go forward at 01:00 UTC of 2020-03-29, and back at 01:00 UTC of 2020-10-25.
        let (spring, autumn) = (1_585_443_600, 1_603_587_600);
        let settings =
            Settings { offsets: vec![east(0, 1), east(spring, 2), east(autumn, 1)], ..Settings::default() };
        let all_year = [row(0, None, 9.0), row(Y2020, None, 8.0)];
        let season = Some((601, 930));
        let seasonal = [row(0, season, 4.0)];
        let check = |rows: &[LimitRow], at: i64, until: Timestamp| {
            assert_eq!(holds_until(rows, Timestamp::from_secs(at), &settings), until, "{at}");
        };
        check(&all_year, Y2020 - 1, Timestamp::from_secs(Y2020));
        check(&all_year, Y2020, Timestamp::MAX);
        // Noon of a plain day, an hour east; the day that is an hour shorter, and one that is longer.
        check(&seasonal, Y2020 + 11 * HOUR, Timestamp::from_secs(Y2020 + 23 * HOUR));
        check(&seasonal, spring - HOUR, Timestamp::from_secs(spring + 21 * HOUR));
        check(&seasonal, autumn - 2 * HOUR, Timestamp::from_secs(autumn + 21 * HOUR));
        // The hour that was left out comes then.
        check(&seasonal, autumn + 21 * HOUR, Timestamp::from_secs(autumn + 22 * HOUR));
    }

    #[test]
    fn a_season_without_a_row_is_judged_with_caution() {
        let rows = [row(0, Some((601, 930)), 4.0), row(0, Some((1001, 1130)), 5.0)];
        let moment = Moment { trusted: true, ..Moment::default() };
        let got = in_force(&rows, Side::Above, Timestamp::from_secs(Y2020), &Settings::default(), moment);
        assert_eq!(got[3], Some(4.0));
    }

    #[test]
    fn rounding_takes_no_breach_away() {
        assert!(reaches(Side::Above, 6.1 - 1.9, 4.2));
        assert!(reaches(Side::Below, 0.1 + 0.2, 0.3));
        assert!(!reaches(Side::Above, 4.199, 4.2));
        assert!(!leaves(Side::Above, 4.15, 4.2, 0.1));
        assert!(leaves(Side::Above, 4.2 - 0.1, 4.2, 0.1));
        assert!(leaves(Side::Above, 4.1, 4.2, 0.0));
        assert!(!leaves(Side::Above, 4.2, 4.2, 0.0));
        assert!(leaves(Side::Below, 0.5, 0.3, 0.2));
    }
}
