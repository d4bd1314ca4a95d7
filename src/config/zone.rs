//! The site's zone: its offsets as a table, since the engine knows no tz database.

use forewarn_core::plan::{Settings, ZoneOffset};
use forewarn_core::time::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::raw::words::{Day, Word};

/// Whole years before this one that the table covers, so that late readings fall in it.
const YEARS_BEFORE: i16 = 1;

/// Whole years after this one that the table covers. A reload renews it.
const YEARS_AFTER: i16 = 10;

/// The zone of an IANA name.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// Every name that [`zone`] knows.
pub fn names() -> Vec<String> {
    jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect()
}

/// The zone's offsets from UTC from the year before that of `at` to ten years after,
/// each from its instant on. The first holds before the table begins too.
pub fn offsets(zone: &TimeZone, at: Timestamp) -> Vec<ZoneOffset> {
    // From New Year to New Year, so that a restart within the year makes the same plan.
    let year = instant(at).to_zoned(TimeZone::UTC).year();
    let new_year = |years: i16| {
        let year = year.saturating_add(years).clamp(-9998, 9998);
        let instant = Date::new(year, 1, 1).and_then(|day| day.to_zoned(TimeZone::UTC));
        instant.map_or(jiff::Timestamp::UNIX_EPOCH, |instant| instant.timestamp())
    };
    let (first, last) = (new_year(-YEARS_BEFORE), new_year(YEARS_AFTER + 1));
    let mut table = vec![ZoneOffset { from: micros(first), east_secs: zone.to_offset(first).seconds() }];
    for transition in zone.following(first).take_while(|transition| transition.timestamp() <= last) {
        let east_secs = transition.offset().seconds();
        // Transitions that change a name only are none to us.
        if table.last().is_some_and(|before| before.east_secs != east_secs) {
            table.push(ZoneOffset { from: micros(transition.timestamp()), east_secs });
        }
    }
    table
}

/// The instant of a local date and time. One that a clock change skipped or
/// repeated is read as most calendars do: later, or the first.
pub fn at_local(zone: &TimeZone, local: DateTime) -> Timestamp {
    zone.to_ambiguous_timestamp(local).compatible().map_or(Timestamp::MIN, micros)
}

/// Reads a local date and time, or a time of the day that `now` is on.
pub fn parse(settings: &Settings, text: &str, now: Timestamp) -> Option<Timestamp> {
    let zone = zone(&settings.zone)?;
    let text = text.trim();
    let local = if let Some(day) = Day::parse(text) {
        day.0
    } else {
        let today = instant(now).to_zoned(zone.clone()).date();
        Day::parse(&format!("{today} {text}"))?.0
    };
    Some(at_local(&zone, local))
}

/// An instant as the clocks at the site show it, with its offset from UTC.
pub fn shown(settings: &Settings, at: Timestamp) -> String {
    let local = settings.local(at);
    let east_mins = (local - at).0 / 60_000_000;
    let (sign, east) = if east_mins < 0 { ('-', -east_mins) } else { ('+', east_mins) };
    let date = instant(local).to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string();
    format!("{date} {sign}{:02}:{:02}", east / 60, east % 60)
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn micros(at: jiff::Timestamp) -> Timestamp {
    Timestamp(at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MID_2026: Timestamp = Timestamp::from_secs(1_782_864_000);

    #[test]
    fn a_zone_without_summer_time_has_one_offset() {
        let table = offsets(&zone("Asia/Shanghai").expect("known"), MID_2026);
        assert_eq!(table.iter().map(|row| row.east_secs).collect::<Vec<_>>(), [28_800]);
    }

    #[test]
    fn summer_time_changes_twice_a_year() {
        let table = offsets(&zone("Europe/Berlin").expect("known"), MID_2026);
        assert_eq!(table.len(), 1 + 12 * 2);
        assert!(table.windows(2).all(|pair| pair[0].from < pair[1].from));
        // 2026-10-25T01:00Z.
        assert!(table.contains(&ZoneOffset { from: Timestamp::from_secs(1_792_890_000), east_secs: 3600 }));
    }

    #[test]
    fn the_table_is_the_same_all_year() {
        let berlin = zone("Europe/Berlin").expect("known");
        let next_month = Timestamp(MID_2026.0 + 30 * 86_400_000_000);
        assert_eq!(offsets(&berlin, MID_2026), offsets(&berlin, next_month));
    }

    #[test]
    fn a_local_date_begins_at_local_midnight() {
        let shanghai = zone("Asia/Shanghai").expect("known");
        let local = DateTime::constant(2026, 5, 1, 0, 0, 0, 0);
        assert_eq!(at_local(&shanghai, local), Timestamp::from_secs(1_777_564_800));
    }

    #[test]
    fn an_instant_beyond_the_calendar_does_no_harm() {
        for at in [Timestamp::MIN, Timestamp::MAX, Timestamp(0)] {
            assert!(!offsets(&TimeZone::UTC, at).is_empty());
        }
    }
}
